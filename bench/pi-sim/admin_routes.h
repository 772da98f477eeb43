/*
 * admin_routes.h - what the admin port of the simulated vault can do; docs/pi-simulator.md lists it.
 *
 * It reports check-outs, history, counts and violations. It changes data, clock, settings and faults, ends
 * tokens, and acts as persons do who check out by the web application. The reports are written by report.c.
 */
#ifndef PI_SIM_ADMIN_ROUTES_H
#define PI_SIM_ADMIN_ROUTES_H

#include "pi-sim/server.h"
#include "sim/admin.h"

/* Their argument is the struct server. */
extern const struct admin_route admin_routes[];
extern const size_t admin_nroutes;

#endif
