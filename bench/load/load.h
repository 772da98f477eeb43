/*
 * load.h - what a run of the load tool is made of.
 *
 * N clients, each a connection of its own and one request at a time. What a client does from one start to the
 * next is a turn: a find, a search, a get of some path, or a check-out with its release. In a closed loop a
 * turn follows the other; in an open loop turns begin at a fixed rate whatever the answers do (pace.c). The
 * mix of turns goes by weights.
 *
 * A client is one PRA session of one user on one host; with `keep` each turn is a session of its own and
 * nothing is released, so that leases pile up.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "base/buf.h"
#include "base/json.h"
#include "base/memory/secret.h"
#include "load/histogram.h"
#include "load/link.h"

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

enum load_step { STEP_FIND, STEP_SEARCH, STEP_GET, STEP_CHECKOUT, STEP_RELEASE, STEP_NSTEPS };

struct client;

struct load {
    uv_loop_t loop;
    uv_timer_t phase; /* end of warm-up, then end of run */
    uv_timer_t every; /* a row of what was done since the last */
    struct link_to to;
    bool reconnect, resume; /* a connection for each request; with a ticket of the last */
    const char *path;       /* of STEP_GET */
    unsigned status;        /* its right answer */
    struct secret token;
    const char *user_format, *host_format, *domain; /* one %u each */
    const char **truth;                             /* the password of each host, or NULL */
    cJSON *truth_rows;                              /* behind `truth` */
    unsigned clients, users, hosts, first;
    unsigned weight[STEP_NSTEPS]; /* of turns; STEP_RELEASE has none */
    bool keep;
    uint64_t count;      /* turns in all, 0 = any number */
    uint64_t hold_ms;    /* between check-out and release */
    uint64_t timeout_ms; /* sent to the gateway, 0 = not */
    uint64_t every_ms;   /* between two rows, 0 = none */

    double rate; /* turns per second, 0 = closed loop */
    uv_timer_t tick;
    uint64_t first_turn_us;
    TAILQ_HEAD(, client) idle; /* open loop: clients that wait for a turn */

    bool measuring, stopping;
    uint64_t from_us, until_us;
    unsigned open; /* clients and links not yet closed */
    uint64_t connections, resumed;
    unsigned in_flight, most_in_flight;
    uint64_t turns; /* begun */
    uint64_t done[STEP_NSTEPS], refused, errors, verified;
    char first_error[512];
    struct histogram latency[STEP_NSTEPS];
    struct load_row {
        uint64_t from_us, refused, errors; /* the counts when the row began */
        struct histogram latency[STEP_NSTEPS];
    } row; /* since the last report_since() */
};

extern const char *const load_step_names[STEP_NSTEPS];

/* Starts client number i. 0 or -errno. The clients end by themselves when `stopping` is set. */
int client_start(struct load *, unsigned i);
/* A client or a link has closed; with the last of them the run is over (main.c). */
void load_closed(struct load *);

/* report.c: one JSON line each, on standard output. */
void report_event(const char *name); /* "measuring", "over": what is counted begins and ends here */
void report_result(const struct load *);
void report_since(struct load *); /* what was done since the last such line */
/* handshakes.c: `count` handshakes in memory and a JSON line. 0 or 1. */
int handshakes_run(const char *certificate, const char *key, unsigned count, bool resume);

#endif
