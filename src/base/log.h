/*
 * log.h - one line per event: time, level, event, key=value; under systemd a record of the journal.
 *
 *     log_info("listening", "listener=%s address=%s", name, address);
 *
 * The format is a list of `key=%conversion` separated by single blanks; both outputs (text and JSON) are made
 * from it, values are quoted and escaped, so nothing from outside can forge a line. Conversions: s d i u x
 * with h, l, ll, z, j, and .0f-style doubles. A NULL string prints as -. Never given to it: a secret, an
 * Authorization header, a body, a vault request id.
 *
 * Where stderr is the journal ($JOURNAL_STREAM), an event is a record with fields: MESSAGE (the line without
 * time and level, or its JSON), PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, and JUMPGATE_EVENT,
 * JUMPGATE_KEY for each key. Where the journal's socket cannot be reached, a line goes to stderr behind its
 * priority, `<6>`.
 *
 * With JSON every line is JSON, also those that are written to stderr whatever the file is.
 *
 * Life: log_open() -> log_thread() -> log_close(). From log_thread() on a thread writes, and no event waits
 * for the reader of the log: lines that find no space in the queue are left out and counted, and a line says
 * how many when the reader reads again (log_out.h).
 */
#ifndef JG_BASE_LOG_H
#define JG_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_opts {
    enum log_level level;
    bool json;
    const char *file;    /* "-" = stderr; copied */
    const char *journal; /* socket of the journal; NULL = the system's; the first call decides */
};

/* The name of the program in complaints and in the journal; "jumpgate" without this call. Static. */
void log_identify(const char *program);
/* 0 or -errno (file cannot be opened; the old output stays). Before the first call: info, text, stderr. */
int log_open(const struct log_opts *);
int log_reopen(void);         /* SIGUSR1: after rotation */
const char *log_why(int err); /* what a failure of log_open() or log_reopen() means */
/* From here on a thread writes. It inherits the sandbox of the caller. 0 or -errno. */
int log_thread(void);
/* The word `ready` on standard output, after the lines logged before it. With JSON, where standard output is
 * what standard error is: an event. */
void log_ready(void);
uint64_t log_left_out(void); /* lines, since the process began */
/* Writes what is queued for two seconds at most; back to standard error. */
void log_close(void);
bool log_on(enum log_level);

void log_event(enum log_level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* To stderr whatever level and file say; as text without time (the `listening` line, docs/configuration.md).
 */
void log_always(const char *event, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Why a start fails, to stderr: as text `PROGRAM: WHAT: WHY`, else the event start_failed. */
void log_complaint(const char *what, const char *why);
/* Whole lines to stderr, in order with the log where the log is on stderr too: as text unchanged, else each
 * is the event with `line`. Where no thread writes, it waits for a reader two seconds at most, as all
 * functions here. */
void log_text(enum log_level, const char *event, const char *lines, size_t n);
#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                       \
    do {                                                                                                     \
        if (log_on(LOG_DEBUG))                                                                               \
            log_event(LOG_DEBUG, __VA_ARGS__);                                                               \
    } while (0)

#endif
