/*
 * log_watch.h - the gateway's own log of a world, at debug, and whether a secret is in it.
 */
#ifndef JG_TESTS_SIM_LOG_WATCH_H
#define JG_TESTS_SIM_LOG_WATCH_H

/* From here on the log goes to a file. */
void log_watch_begin(void);
/* What must not be in it and is; NULL = nothing. The log is off from here on. */
const char *log_watch_end(void);

#endif
