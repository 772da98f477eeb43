/*
 * server.h - the vault on the network: calls from the HTTP server into the dispatcher, slow and faulty as
 * set.
 *
 *     message -> waits its latency -> dispatched (commits) -> spoiled -> answered
 *                                  ^ faults before                    ^ faults of the delivery
 *
 * A call continues when its client has left: the vault commits it all the same. Calls run side by side.
 */
#ifndef PI_SIM_SERVER_H
#define PI_SIM_SERVER_H

#include "loop/server/server.h"
#include "pi-sim/dispatch.h"
#include "sim/fault_injection.h"
#include "sim/simtime.h"

#define SERVER_STATUSES 600

struct server_counts {
    uint64_t calls;
    uint32_t status[SERVER_STATUSES]; /* [0]: no answer on purpose */
};

TAILQ_HEAD(pi_call_list, pi_call);

struct server {
    struct loop *loop;
    struct simtime time; /* the vault's clock and deadlines */
    struct vault *vault;
    struct fault_injection fault_injection;
    struct http_server *http;
    uint64_t latency_ms, jitter_ms, http_idle_ms;
    struct pi_call_list calls;
    uint64_t ncalls; /* their numbers in the history */
    size_t in_flight, in_flight_peak;
    struct server_counts *counts; /* by name, see dispatch_names */
    bool closing, closed;
};

/* The vault, not yet listening. NULL = out of memory. */
struct server *server_new(struct loop *, uint64_t http_idle_ms);
void server_close(struct server *); /* `closed` once it is done */
/* After the loop has run out. */
void server_free(struct server *);
/* Violations too. */
void server_reset_counts(struct server *);
struct server_counts *server_count(struct server *, const char *name);

#endif
