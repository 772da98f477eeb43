/*
 * admin.h - the port through which a test reads and changes a simulator.
 *
 * JSON over plain HTTP, on its own listener, for loopback. There is no sign-in: access to the port is control
 * of the simulator. The simulator brings the table of routes.
 */
#ifndef SIM_ADMIN_H
#define SIM_ADMIN_H

#include "base/buf.h"
#include "loop/server/server.h"

#include <cJSON.h>

struct admin;

struct admin_task { /* one admin call */
    void *arg;      /* of admin_new() */
    const char *path, *query;
    int id;              /* what `*` of the route stood for */
    cJSON *body;         /* NULL = none */
    struct buf out, why; /* the answer; what is wrong, for a status */
    int status;          /* 0 = 200 */
};

struct admin_route {
    const char *method, *path; /* `*` stands for a number */
    void (*run)(struct admin_task *);
};

/* The end of an action without an answer of its own: {} or the status of the error. */
void admin_done(struct admin_task *, int rc);

/* The routes outlive it. NULL = out of memory. */
struct admin *admin_new(struct loop *, const struct admin_route *, size_t nroutes, void *arg);
struct http_server *admin_http(struct admin *); /* NULL once it has closed */
void admin_close(struct admin *);
void admin_free(struct admin *); /* after the loop has run out */

#endif
