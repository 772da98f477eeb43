/*
 * server.h - the vault on the network: calls from the HTTP server into the dispatcher, slow and faulty as
 * set.
 *
 * A call:
 *
 *     message -> waits for its session's lock -> waits its latency -> dispatched (commits) -> answered
 *                                                     ^ faults before            ^ faults of the delivery
 *
 * A call continues when its client has left: the vault commits it all the same, as the real one does. Latency
 * is spent under the lock, so calls of one session follow one another.
 *
 * The server also drives the model's deadlines, which run on the vault's own clock (sim/simtime.h).
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "loop/server/server.h"
#include "passwordsafe-sim/dispatch.h"
#include "sim/fault_injection.h"
#include "sim/simtime.h"

#define SERVER_STATUSES 600

/* The vault's own fault: the session of the call is gone, before it. */
#define SERVER_LOST_SESSION INJECT_OWN

struct server_counts {
    uint64_t calls;
    uint32_t status[SERVER_STATUSES]; /* [0]: no answer on purpose */
};

TAILQ_HEAD(call_list, call);

struct server {
    struct loop *loop;
    struct simtime time; /* the model's clock and deadlines */
    struct model *model;
    struct fault_injection fault_injection;
    struct http_server *http;
    uint64_t latency_ms, jitter_ms, http_idle_ms;
    struct call_list calls;
    size_t in_flight, in_flight_peak;
    struct server_counts *counts; /* by route, the last for none */
    bool closing, closed;
};

/* Model and HTTP server, not yet listening. NULL = out of memory. */
struct server *server_new(struct loop *, uint64_t http_idle_ms);
void server_close(struct server *);
/* After the loop has run out. */
void server_free(struct server *);
void server_reset_counts(struct server *);

#endif
