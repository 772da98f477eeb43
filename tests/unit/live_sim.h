/*
 * live_sim.h - a simulator as a process of its own, for a backend on the real loop.
 */
#ifndef JG_TESTS_LIVE_SIM_H
#define JG_TESTS_LIVE_SIM_H

#include <stddef.h>
#include <sys/types.h>

struct live_sim {
    pid_t pid;
    char api[64], admin[64]; /* HOST:PORT */
};

/* Starts the program with these arguments, ended by NULL (at most 24), and waits until it is ready. */
void live_sim_start(struct live_sim *, const char *program, const char *const *args);
void live_sim_stop(struct live_sim *); /* its exit code must be 0 */
/* One call to its admin port, which must succeed; `body` NULL = GET. The answer's body, until the next call.
 */
const char *live_sim_admin(const struct live_sim *, const char *path, const char *body);
const char *live_sim_call(const struct live_sim *, const char *method, const char *path, const char *body);
/* A file with this text, to be unlinked by the caller. */
void live_sim_file(char path[64], const char *text);

#endif
