/*
 * exit.h - the exit codes of `run` of either program, and which failure of a start has which.
 *
 * A service manager restarts a process that failed. That helps where the cause may end by itself (a port that
 * another process still holds, a full disk), and only fills the log where a person must act first (a mistake
 * in the configuration, a damaged store). The unit has RestartPreventExitStatus=1 2.
 */
#ifndef JG_COMMANDS_LINE_EXIT_H
#define JG_COMMANDS_LINE_EXIT_H

enum run_exit {
    RUN_STOPPED = 0, /* after SIGTERM or SIGINT */
    RUN_REFUSED = 1, /* waiting does not help */
    RUN_USAGE = 2,   /* the command line was wrong */
    RUN_RETRY = 3,   /* a restart may help */
};

/* The code of a start that failed with this -errno: RUN_RETRY for what is in the table, else RUN_REFUSED. */
enum run_exit run_exit_of(int err);
/* Says on stderr why `run` does not start, and in the log where that is a file; `log_file` NULL = there is no
 * log yet. The exit code. */
enum run_exit run_failed(const char *what, const char *why, const char *log_file, int err);

#endif
