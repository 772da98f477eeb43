/*
 * load.h - the configuration of a command, with its mistakes said.
 */
#ifndef JG_REPORTS_COMMANDS_LOAD_H
#define JG_REPORTS_COMMANDS_LOAD_H

#include "reports/conf/reports_conf.h"

/* Mistakes and warnings go to stderr. NULL after saying what is wrong. */
struct reports_conf *reports_load(const char *path);
/* `PROGRAM: WHAT: WHY` on stderr. EXIT_FAILED. */
int reports_failed(const char *what, const char *why);

#endif
