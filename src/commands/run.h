/*
 * run.h - `jumpgate run`: start, serve, stop.
 */
#ifndef JG_RUN_H
#define JG_RUN_H

#include <stdbool.h>

/* Serves until SIGTERM or SIGINT. Exit code: 0 stopped cleanly, 1 a failure that has been explained on
 * stderr. With `rebuild` a damaged lease store is moved aside instead of being refused. */
int command_run(const char *conf_path, bool rebuild);

#endif
