/*
 * server.h - the site on the network: calls from the HTTP server into the dispatcher, slow and faulty as set.
 *
 *     message -> waits its latency -> dispatched (commits) -> spoiled -> answered, connection closed
 *                                  ^ faults before                    ^ faults of the delivery
 *
 * A call continues when its client has left: the site commits it all the same. Every answer ends its
 * connection. The API listener can be closed and opened again on its port, and its certificate replaced,
 * while the admin port stays.
 */
#ifndef PRA_SIM_SERVER_H
#define PRA_SIM_SERVER_H

#include "loop/server/server.h"
#include "pra-sim/dispatch.h"
#include "sim/fault_injection.h"
#include "sim/simtime.h"

#define SERVER_STATUSES 600
#define SERVER_LOG      20000 /* entries that are kept */
#define SERVER_NAMES    100   /* call names that are counted apart; the last is for all others */

struct server_counts {
    char name[DISPATCH_NAME];
    uint64_t calls;
    uint32_t status[SERVER_STATUSES]; /* [0]: no answer on purpose */
};

struct server_entry { /* of the call log */
    uint64_t number;
    int64_t wall_ms;
    char name[DISPATCH_NAME];
    char *method, *path, *params, *client, *peer, *host;
    int status, violation;
    const char *fault; /* action of the rule; NULL = none. Its text lives as long as the program */
    uint64_t took_ms, bytes;
};

TAILQ_HEAD(pra_call_list, pra_call);

struct server {
    struct loop *loop;
    struct simtime time; /* the site's clock and deadlines */
    struct site *site;
    struct fault_injection fault_injection;
    struct http_server *http; /* NULL = the listener is closed */
    uint64_t latency_ms, jitter_ms;
    struct pra_call_list calls;
    size_t in_flight, in_flight_peak;
    struct server_counts *counts[SERVER_NAMES];
    size_t ncounts;
    struct server_entry *log; /* a ring */
    uint64_t logged;

    char *address, *certificate, *key; /* of the API listener; no certificate = plain HTTP */
    bool tls12, shutting, reopen, closing, closed;
};

/* The site, not yet listening. NULL = out of memory. */
struct server *server_new(struct loop *, uint64_t seed);
/* Listens on `address`; the one that was bound is kept for the next time. 0 or -errno, with a message. */
int server_open(struct server *);
/* Connections are refused from now on, open ones end. server_open() ends that. */
void server_shut(struct server *);
/* A new certificate for handshakes to come. 0, -ENOMEM, or -EINVAL and why; then the old one stays. */
int server_certificate(struct server *, const char *certificate, const char *key, char why[256]);
void server_close(struct server *); /* for good; `closed` once it is done */
/* After the loop has run out. */
void server_free(struct server *);
void server_reset_counts(struct server *);
void server_reset_log(struct server *);

/* Counts under a name, made when missing. NULL = out of memory. */
struct server_counts *server_count(struct server *, const char *name);

#endif
