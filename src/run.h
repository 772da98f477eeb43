/*
 * run.h - `jumpgate run`: start, serve, stop.
 */
#ifndef JG_RUN_H
#define JG_RUN_H

/* Serves until SIGTERM or SIGINT. Exit code: 0 stopped cleanly, 1 a failure that has been explained on
 * stderr. */
int command_run(const char *conf_path);

#endif
