/*
 * world.h - one gateway with everything around it, under one clock, in one thread.
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
 * A process ends without a warning by world_kill(): from that moment nothing that the gateway does reaches
 * disk, vault or client. Its memory is then freed in the usual way, which nothing sees.
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
struct gateway_run;
struct oracle;
struct site_sim;
struct vault_sim;

struct world {
    struct clock clock; /* the gateway's; its arg is the world */
    uint64_t now_ms;
    int64_t wall_ahead_ms; /* the gateway's wall clock against the world's */
    struct timers *events;
    struct event_list *pending;
    const struct script *script;
    struct setup setup;
    struct rng rng; /* of what happens by chance while it runs */
    struct counts *counts;
    FILE *trace;
    uint64_t trace_hash;
    struct callers *callers;
    struct disk *disk;
    struct ends *ends;
    struct gateway_run *gateway;
    struct oracle *oracle;
    struct site_sim *site;
    struct vault_sim *vault;
    uint64_t gave_up_ms;    /* when it was last started after a stop with release_on_stop */
    bool gives_up;          /* such a stop has begun, and it is not started yet */
    uint64_t reloaded_ms;   /* when the configuration last changed */
    uint64_t list_cache_ms; /* the longest there was */
    uint64_t disturbed_ms;  /* when something last went wrong on purpose */
    bool healed;            /* the quiet time has begun: nothing goes wrong any more */
    bool dead;              /* the process has ended, its memory is not freed yet */
    unsigned restart_ms;
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

static inline struct world *world_of(const struct clock *clock)
{
    return clock->arg;
}

/* The world's wall clock, which no jump moves. */
int64_t world_wall(const struct world *);
/* Calls fn after `ms`; `arg` must live until then or until the end of the world. */
void world_after(struct world *, uint64_t ms, void (*fn)(void *arg), void *arg);
/* A line of the trace. */
void world_note(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A promise is broken: the first one is kept, and the world ends. */
void world_fail(struct world *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_disturbed(struct world *);
/* How long nothing has gone wrong. */
uint64_t world_calm_ms(const struct world *);
/* The process ends here; another one starts later. */
void world_kill(struct world *, unsigned restart_ms);

#endif
