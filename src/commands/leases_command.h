/*
 * leases_command.h - `jumpgate leases`: show and end leases, with the gateway running or not.
 */
#ifndef JG_LEASES_COMMAND_H
#define JG_LEASES_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct leases_command {
    const char *conf;         /* name of the configuration */
    const char *const *words; /* "list"; "release" and an id */
    size_t nwords;
    bool json, all;
    bool terminate; /* with release: the session at the PRA site too */
    const char *user, *session, *state; /* NULL = any */
};

/* The exit code: 0 done, 1 failed (its reason is on stderr), 2 the command line was wrong, 4 no such lease,
 * 5 released, and the session was not ended. */
int command_leases(const struct leases_command *);

#endif
