/*
 * admin.h - the port through which a test reads and changes the simulated vault.
 *
 * JSON over plain HTTP, on its own listener, for loopback. It reports active requests, sessions and how often
 * each call came. It changes data, clock, settings and faults, and it acts on requests as an approver would.
 * There is no sign-in: access to the port is control of the simulator. Routes are in admin.c, reports in
 * report.c.
 */
#ifndef SIM_ADMIN_H
#define SIM_ADMIN_H

#include "passwordsafe-sim/server.h"

struct admin;

/* NULL = out of memory. */
struct admin *admin_new(struct loop *, struct server *);
struct http_server *admin_http(struct admin *);
void admin_close(struct admin *);
void admin_free(struct admin *); /* after the loop has run out */

#endif
