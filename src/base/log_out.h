/*
 * log_out.h - where the lines of the log go, without ever making the loop wait for it.
 *
 * Before log_out_start() a line is written by its caller, who waits for a reader SYNC_MS at most. Afterwards
 * a thread writes: the caller puts the line into a queue of bounded size and goes on. A line that finds no
 * room is left out and counted; once one is left out, so are all until the thread has caught up and written
 * how many they were. Used by log.c alone; log_reopen(), log_text() and
 * log_left_out() of log.h are here as well.
 */
#ifndef JG_BASE_LOG_OUT_H
#define JG_BASE_LOG_OUT_H

#include "base/buf.h"

#include <stdint.h>

/* 0 or -errno: -ELOOP for a link, -EMEDIUMTYPE for what is no regular file; the old output stays. "-" =
 * stderr. */
int log_out_open(const char *file);
/* Writes what is queued, for CLOSE_MS at most, ends the thread and goes back to stderr. */
void log_out_close(void);

/* Starts the thread. `note` writes the line that says how many were left out; it is called by the thread.
 * 0 or -errno. */
int log_out_start(void (*note)(struct buf *, uint64_t lines));
/* Waits until all that is queued is written, `ms` at most. */
void log_out_flush(unsigned ms);

/* Whole lines, with their line ends. To stderr: in order with the log where that is stderr too. To stdout:
 * past the queue. Both wait for a reader SYNC_MS at most where no thread writes for them. */
void log_out_line(const char *line, size_t n);
void log_out_stdout(const char *line, size_t n);

#endif
