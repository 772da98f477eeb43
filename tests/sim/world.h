/*
 * world.h - one gateway, or several with one etcd, with everything around them, under one clock, in one
 * thread.
 *
 *   callers.c  -- bytes -->  server, handlers, broker, Password Safe room  -- bytes -->  vault_link.c,
 * vault.c (clients)                (the program's own)                                        (simulated) |
 * steps, records
 *                                    v
 *                              disk.c: store and audit trail, what is durable and what is not
 *
 * Time is a number here. What happens is an event at a time; the world takes the next event or the gateway's
 * next deadline, whichever is earlier, and moves the clock to it. Nothing else moves it, and chance is the
 * seed's: one script is one run, with the same trace byte for byte.
 *
 * Each gateway runs on a node: a machine with a disk and clocks of its own, which may be wrong by any time
 * and run too fast or too slow. A world of one gateway has node 0 alone, whose clocks are the world's.
 *
 * A process ends without a warning by node_kill(): from that moment nothing that the gateway does reaches
 * disk, vault or client. Its memory is then freed in the usual way, which nothing sees. A process that is
 * paused does nothing until the end of the pause; what comes for it waits.
 */
#ifndef JG_TESTS_SIM_WORLD_H
#define JG_TESTS_SIM_WORLD_H

#include "base/timers.h"
#include "counts.h"
#include "rng.h"
#include "script.h"

#include <sys/queue.h>

struct callers;
struct disk;
struct ends;
struct etcd_sim;
struct gateway_run;
struct keyed_vault;
struct oracle;
struct site_sim;
struct vault_sim;

struct node {
    struct world *world;
    unsigned number;
    struct clock clock;    /* its gateway's; its arg is the node */
    int64_t wall_ahead_ms; /* the wall clock against the world's */
    uint64_t ahead_ms;     /* the monotonic clock against the world's, when that begins */
    int drift;             /* in thousandths: so much faster than the world's */
    uint64_t burial_ms;    /* has passed for it alone, while the memory of a dead process is freed */
    struct disk *disk;
    struct gateway_run *gateway;
    bool dead; /* the process has ended, its memory is not freed yet */
    unsigned restart_ms;
    uint64_t paused_ms; /* until then; the end of the last pause */
    uint64_t pause_began_ms, started_ms;
    uint64_t killed_ms;      /* when it was last killed, or stopped; 0 = never */
    uint64_t last_fenced_ms; /* when another gateway has counted it as dead; 0 = never */
    uint64_t fenced_ms;      /* another gateway has counted it as dead, and it has not said so; 0 = no */
    /* Its configuration: release_duration, approval_wait, and when it last changed while the process ran. */
    unsigned release_minutes, approval_wait_s;
    uint64_t reloaded_ms;
    /* What is to happen at one of its sendings from now on: how many are left; 0 = nothing is to come. */
    unsigned pause_in, pause_length_ms;
    unsigned kill_in, kill_restart_ms;
    bool kills_behind; /* when the bytes are on their way */
};

struct world {
    struct clock clock; /* its arg is the world */
    uint64_t now_ms;
    struct timers *events;
    struct event_list *pending;
    const struct script *script;
    struct setup setup;
    struct rng rng; /* of what happens by chance while it runs */
    struct counts *counts;
    FILE *trace;
    uint64_t trace_hash;
    struct node node[SETUP_NODES];
    unsigned nnodes;
    struct node *to; /* for which the act is that is done */
    struct callers *callers;
    struct ends *ends;
    struct keyed_vault *keyed; /* in place of Password Safe; NULL = none */
    struct etcd_sim *etcd;     /* NULL = one gateway, which has its store for itself */
    struct oracle *oracle;
    struct site_sim *site;
    struct vault_sim *vault;
    uint64_t gave_up_ms;    /* when it was last started after a stop with release_on_stop */
    bool gives_up;          /* such a stop has begun, and it is not started yet */
    uint64_t list_cache_ms; /* the longest there was */
    uint64_t disturbed_ms;  /* when something last went wrong on purpose */
    uint64_t restored_ms;   /* when etcd was last restored from a backup; 0 = never */
    bool healed;            /* the quiet time has begun: nothing goes wrong any more */
    bool failed;
    char failure[512];
};

struct world_result {
    bool failed;
    char failure[512];
    uint64_t trace_hash;
    uint64_t simulated_ms;
};

/* The whole life of the world of a script. `trace`: where its lines go, NULL = nowhere. */
void world_run(const struct script *, FILE *trace, struct counts *, struct world_result *);

/* The node whose gateway has this clock. */
static inline struct node *node_of(const struct clock *clock)
{
    return clock->arg;
}
/* The gateways have one etcd. */
static inline bool world_is_cluster(const struct world *w)
{
    return w->etcd;
}

/* The world's wall clock, which no jump moves. */
int64_t world_wall(const struct world *);
/* Calls fn after `ms`; `arg` must live until then or until the end of the world. */
void world_after(struct world *, uint64_t ms, void (*fn)(void *arg), void *arg);
/* A line of the trace. */
void world_note(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void node_note(struct node *, const char *what);
/* A promise is broken: the first one is kept, and the world ends. */
void world_fail(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_disturbed(struct world *);
/* How long nothing has gone wrong. */
uint64_t world_calm_ms(const struct world *);
/* The clock by which leases end: the gateway's, or, where there are several, the vault's; and by how much a
 * gateway may be wrong about it. */
int64_t world_lease_wall(const struct world *);
int64_t world_lease_apart(const struct world *);
uint64_t world_approval_wait_ms(const struct world *); /* the longest of all gateways */
/* Does a gateway take requests? */
bool world_serves(const struct world *);

/* What the program does from here on it does on this node: its disk, its clock. */
void node_enter(struct node *);
/* The process ends here; another one starts later, UINT32_MAX = none does. */
void node_kill(struct node *, unsigned restart_ms);
/* The process does nothing for so long. */
void node_pause(struct node *, unsigned ms);
static inline bool node_is_paused(const struct node *n)
{
    return n->paused_ms > n->world->now_ms;
}

#endif
