/*
 * log_journal.h - records to the journal of systemd, over its native protocol.
 *
 * A record is fields, `NAME=value` and a line end each; no value has a line end of its own. The sender of
 * log_out.c keeps records in its queue with an empty line behind each.
 *
 * The socket is made and connected by log_journal_open(), which must come before the sandbox; a restarted
 * journal is connected again. A record goes out as one datagram or not at all, and nothing waits here.
 *
 * Not here: what is in a record (log.c).
 */
#ifndef JG_BASE_LOG_JOURNAL_H
#define JG_BASE_LOG_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Is the standard error output connected to the journal? $JOURNAL_STREAM has its device and inode. */
bool log_journal_is_stderr(void);
/* A connected socket, or -errno. */
int log_journal_open(const char *path);
/* `record` is whole, with the empty line. Bytes taken, 0 = no room now, -1 = it cannot be sent. */
ssize_t log_journal_send(int fd, const char *path, const char *record, size_t n);
/* Behind the first record of n bytes of records; `end` = all of them. */
const char *log_journal_next(const char *records, size_t n);

#endif
