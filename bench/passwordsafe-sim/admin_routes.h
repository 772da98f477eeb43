/*
 * admin_routes.h - what the admin port of the simulated vault can do.
 *
 * It reports active requests, sessions and how often each call came. It changes data, clock, settings and
 * faults, and it acts on requests as an approver would. The reports are written by report.c.
 */
#ifndef SIM_ADMIN_ROUTES_H
#define SIM_ADMIN_ROUTES_H

#include "passwordsafe-sim/server.h"
#include "sim/admin.h"

/* Their argument is the struct server. */
extern const struct admin_route admin_routes[];
extern const size_t admin_nroutes;

#endif
