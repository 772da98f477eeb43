/*
 * load.h - what commands read: the configuration and times of the command line, with their mistakes said.
 */
#ifndef JG_REPORTS_COMMANDS_LOAD_H
#define JG_REPORTS_COMMANDS_LOAD_H

#include "commands/line/command_line.h"
#include "reports/conf/reports_conf.h"

/* Mistakes and warnings go to stderr; where a credential of the unit is missing, also how a command gets it.
 * NULL after saying what is wrong. */
struct reports_conf *reports_load(const char *path, enum reports_files);
/* `PROGRAM: WHAT: WHY` on stderr. EXIT_FAILED. */
int reports_failed(const char *what, const char *why);
/* The time behind a flag; *when stays where the flag is absent. 0, or an exit code after saying what is
 * wrong.
 */
int reports_moment(const struct command_args *, const char *flag, int64_t *when);

#endif
