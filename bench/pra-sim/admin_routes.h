/*
 * admin_routes.h - what the admin port of the simulated site can do.
 *
 * docs/pra-simulator.md lists the calls. Their members are read by changes.c; a call with a mistake changes
 * nothing of the entry that has it.
 */
#ifndef PRA_SIM_ADMIN_ROUTES_H
#define PRA_SIM_ADMIN_ROUTES_H

#include "pra-sim/changes.h"
#include "sim/admin.h"

struct program_parts { /* the argument of the routes */
    struct server *server;
    struct sender *sender;
};

extern const struct admin_route admin_routes[];
extern const size_t admin_nroutes;

#endif
