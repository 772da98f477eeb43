/*
 * log_out.h - the output of the log; the loop never waits for it.
 *
 * Before log_out_start() the caller writes a line, and waits for a reader SYNC_MS at most. Afterwards a
 * thread writes: the caller puts the line into a queue of bounded size and returns. A line that finds no
 * space is left out and counted; all further lines are left out too, until the thread has written the queue
 * and a line with their number. Used by log.c alone; log_reopen() and log_left_out() of log.h are
 * implemented here.
 */
#ifndef JG_BASE_LOG_OUT_H
#define JG_BASE_LOG_OUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* What a line is written to, which decides its form. */
enum log_sink {
    LOG_SINK_PLAIN,
    LOG_SINK_PREFIX, /* stderr, read by the journal line by line: `<6>` in front gives the priority */
    LOG_SINK_JOURNAL /* records of log_journal.h, with an empty line behind each */
};

/*
 * 0 or -errno: -ELOOP for a link, -EMEDIUMTYPE for what is no regular file; the old output stays. "-" =
 * stderr; where that is the journal, and its socket could be opened by the first call, records go there.
 * Lines that wait while the sink changes keep the form they have.
 */
int log_out_open(const char *file, const char *journal);
enum log_sink log_out_sink(void);        /* of log_out_line() */
enum log_sink log_out_stderr_sink(void); /* of log_out_stderr(): the same, or that of stderr beside a file */
/* Writes the queue, for CLOSE_MS at most, ends the thread and returns to stderr. */
void log_out_close(void);

/* Starts the thread. `note` writes the line that says how many were left out; it is called by the thread.
 * 0 or -errno. */
int log_out_start(void (*note)(struct buf *, uint64_t lines));
/* Waits until the queue is written, `ms` at most. */
void log_out_flush(unsigned ms);

/* Whole lines, with their line ends: into the log, and to stdout past the queue. Where no thread writes, both
 * wait for a reader SYNC_MS at most. */
void log_out_line(const char *line, size_t n);
bool log_out_stderr_is_journal(void);
bool log_out_is_one_stream(void); /* standard output is what standard error is */
/* To stderr, in order with the log where the log is there too. */
void log_out_stderr(const char *line, size_t n);
void log_out_stdout(const char *line, size_t n);

#endif
