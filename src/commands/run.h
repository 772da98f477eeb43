/*
 * run.h - `jumpgate run`: start, serve, stop.
 */
#ifndef JG_RUN_H
#define JG_RUN_H

#include <stdbool.h>

/* Serves until SIGTERM or SIGINT. Exit code: 0 stopped cleanly, 1 a failure that has been explained on
 * stderr. With `rebuild` a damaged lease store is moved aside instead of being refused. With `allow_root` a
 * gateway that root starts and no `user` takes over may keep root's capabilities. */
int command_run(const char *conf_path, bool rebuild, bool allow_root);

#endif
