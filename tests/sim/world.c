/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c - time, events, the trace, and the life of a world from its start to the check of its end.
 *
 * The end of a script is followed by a quiet time in which everything works. After it, whatever was disturbed
 * before, nothing of the gateway may be left at the vault, in the store or in memory.
 *
 * Not here: what the acts do (callers.c, vault.c, disk.c, gateway_run.c), what is promised (oracle.c).
 */
#include "world.h"

#include "callers.h"
#include "disk.h"
#include "ends.h"
#include "gateway_run.h"
#include "oracle.h"
#include "site_sim.h"
#include "vault.h"
#include "virtual_random.h"
#include "virtual_threads.h"

#include "base/container_of.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SECOND       UINT64_C(1000)
#define MINUTE       (60 * SECOND)
#define START_MS     UINT64_C(1000000)
#define START_WALL   INT64_C(1773135000000)
#define QUIET_MS     (10 * 60 * MINUTE) /* longer than any lease and any wait */
#define TURNS_MAX    100000             /* at one moment */
#define BURIAL_TURNS 100000

/* ---- time ---- */

static uint64_t clock_now_ms(void *arg)
{
    return ((const struct world *)arg)->now_ms;
}

int64_t world_wall(const struct world *w)
{
    return START_WALL + (int64_t)(w->now_ms - START_MS);
}

static int64_t clock_wall_ms(void *arg)
{
    const struct world *w = arg;

    return world_wall(w) + w->wall_ahead_ms;
}

/* The events' clock is the gateway's, but for the burial (bury), in which only the gateway's moves. */
struct event {
    struct deadline due;
    struct world *world;
    void (*fn)(void *arg);
    void *arg;
    TAILQ_ENTRY(event) link;
};

TAILQ_HEAD(event_list, event);

static void on_event(struct deadline *d)
{
    struct event *e = CONTAINER_OF(d, struct event, due);

    TAILQ_REMOVE(e->world->pending, e, link);
    if (!e->world->failed)
        e->fn(e->arg);
    free(e);
}

void world_after(struct world *w, uint64_t ms, void (*fn)(void *arg), void *arg)
{
    struct event *e = calloc(1, sizeof *e);

    if (!e)
        abort();
    *e = (struct event){.world = w, .fn = fn, .arg = arg};
    TAILQ_INSERT_TAIL(w->pending, e, link);
    if (timer_start(w->events, &e->due, ms, on_event))
        abort();
}

static void drop_events(struct world *w)
{
    struct event *e;

    while ((e = TAILQ_FIRST(w->pending))) {
        TAILQ_REMOVE(w->pending, e, link);
        timer_stop(w->events, &e->due);
        free(e);
    }
}

/* ---- the trace ---- */

__attribute__((format(printf, 2, 0))) static void write_line(struct world *w, const char *format, va_list ap)
{
    char line[1024];
    int n = snprintf(line, sizeof line, "%10" PRIu64 ".%03u ", (w->now_ms - START_MS) / 1000,
                     (unsigned)((w->now_ms - START_MS) % 1000));

    (void)vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    for (const char *p = line; *p; p++)
        w->trace_hash = (w->trace_hash ^ (unsigned char)*p) * UINT64_C(0x100000001B3);
    if (w->trace)
        (void)fprintf(w->trace, "%s\n", line);
}

void world_note(struct world *w, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    write_line(w, format, ap);
    va_end(ap);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list ap;

    if (w->failed)
        return;
    w->failed = true;
    va_start(ap, format);
    (void)vsnprintf(w->failure, sizeof w->failure, format, ap);
    va_end(ap);
    world_note(w, "BROKEN PROMISE: %s", w->failure);
}

void world_disturbed(struct world *w)
{
    w->disturbed_ms = w->now_ms;
}

uint64_t world_calm_ms(const struct world *w)
{
    return w->now_ms - w->disturbed_ms;
}

/* ---- the end of a process ---- */

static void on_restart(void *arg)
{
    struct world *w = arg;

    gateway_run_start(w->gateway);
}

void world_kill(struct world *w, unsigned restart_ms)
{
    if (w->dead || !gateway_run_up(w->gateway))
        return;
    world_note(w, "gateway killed");
    counts_add(w->counts, 1, "gateway.killed");
    world_disturbed(w);
    w->dead = true;
    w->restart_ms = restart_ms;
    disk_cut(w->disk);
    callers_cut(w->callers);
}

/* Frees the memory of the dead process. Its own deadlines may pass meanwhile; the world's time does not. */
static void free_process(struct world *w)
{
    uint64_t now_ms = w->now_ms;

    gateway_run_close(w->gateway);
    for (int i = 0; gateway_run_up(w->gateway) && i < BURIAL_TURNS; i++) {
        bool more = virtual_threads_hurry();

        more |= gateway_run_iterate(w->gateway);
        w->now_ms += more ? 0 : 1 + gateway_run_next(w->gateway) % MINUTE;
    }
    if (gateway_run_up(w->gateway))
        world_fail(w, "a process that ends does not free its memory");
    w->now_ms = now_ms;
    disk_bury(w->disk);
    w->dead = false;
}

static void bury(struct world *w)
{
    free_process(w);
    world_after(w, w->restart_ms, on_restart, w);
}

/* ---- moments ---- */

/* All that happens without time passing. */
static void moment(struct world *w)
{
    for (int i = 0; !w->failed; i++) {
        (void)timers_run(w->events);
        bool more = gateway_run_iterate(w->gateway);

        if (w->dead)
            bury(w);
        else if (!more && timers_next(w->events) > 0)
            return;
        if (i > TURNS_MAX)
            world_fail(w, "the loop never comes to rest");
    }
}

static void run_to(struct world *w, uint64_t end_ms)
{
    for (moment(w); !w->failed && w->now_ms < end_ms; moment(w)) {
        uint64_t next = timers_next(w->events), own = gateway_run_next(w->gateway);

        next = own < next ? own : next;
        w->now_ms = next < end_ms - w->now_ms ? w->now_ms + next : end_ms;
    }
}

/* ---- acts ---- */

static void jump_clock(struct world *w, const struct act *act)
{
    w->wall_ahead_ms += act->b ? -(int64_t)act->a * 1000 : (int64_t)act->a * 1000;
    counts_add(w->counts, 1, "clock.jump");
    world_disturbed(w);
}

static void reload(struct world *w, const struct act *act)
{
    gateway_run_reload(w->gateway, act);
    oracle_on_reload(w->oracle);
}

static void do_act(struct world *w, const struct act *act)
{
    world_note(w, "act %s %u %u %u", script_word(act->kind), act->a, act->b, act->c);
    counts_add(w->counts, 1, "act.%s", script_word(act->kind));
    switch (act->kind) {
    case ACT_JUMP: jump_clock(w, act); break;
    case ACT_KILL: world_kill(w, act->c); break;
    case ACT_STOP: gateway_run_stop(w->gateway, act->c); break;
    case ACT_STORE_FAILS:
    case ACT_STORE_SLOW:
    case ACT_TRAIL_FAILS:
    case ACT_TRAIL_SLOW:
    case ACT_CRASH: disk_act(w->disk, act); break;
    case ACT_ROTATE_TRAIL: gateway_run_rotate(w->gateway); break;
    case ACT_RELOAD: reload(w, act); break;
    case ACT_SITE_FAULT:
    case ACT_SITE_DOWN: link_side_act(w->vault->links, act); break;
    case ACT_SESSION_END:
    case ACT_SITE_EVENT: site_sim_act(w->site, act); break;
    default:
        if (act->kind <= ACT_LEAVE)
            callers_act(w->callers, act);
        else
            vault_act(w->vault, act);
    }
}

struct act_event {
    struct world *world;
    const struct act *act;
};

static void on_act(void *arg)
{
    const struct act_event *e = arg;

    do_act(e->world, e->act);
}

static struct act_event *schedule_acts(struct world *w)
{
    const struct script *s = w->script;
    struct act_event *events = calloc(s->n + 1, sizeof *events);

    if (!events)
        abort();
    for (size_t i = 0; i < s->n; i++) {
        events[i] = (struct act_event){w, &s->act[i]};
        world_after(w, s->act[i].at_ms, on_act, &events[i]);
    }
    return events;
}

/* ---- life ---- */

static void world_begin(struct world *w, const struct script *script, FILE *trace, struct counts *counts)
{
    *w = (struct world){.now_ms = START_MS,
                        .script = script,
                        .rng = {script->seed ^ UINT64_C(0x574F524C44)},
                        .counts = counts,
                        .trace = trace,
                        .trace_hash = UINT64_C(0xCBF29CE484222325)};
    w->clock = (struct clock){clock_now_ms, clock_wall_ms, w};
    w->disturbed_ms = w->now_ms;
    w->setup = script->setup;
    w->list_cache_ms = w->setup.list_cache_ms;
    virtual_random_seed(script->seed);
    w->events = timers_new(&w->clock);
    w->pending = calloc(1, sizeof *w->pending);
    if (!w->events || !w->pending)
        abort();
    TAILQ_INIT(w->pending);
    w->ends = ends_new(w);
    virtual_threads_begin(w->events);
    w->disk = disk_new(w);
    w->vault = vault_new(w);
    w->site = site_sim_new(w);
    w->callers = callers_new(w);
    w->oracle = oracle_new(w);
    w->gateway = gateway_run_new(w);
}

static void heal(struct world *w)
{
    world_note(w, "quiet time");
    w->healed = true;
    world_disturbed(w);
    disk_heal(w->disk);
    vault_heal(w->vault);
    site_sim_heal(w->site);
}

static void world_live(struct world *w)
{
    gateway_run_start(w->gateway);
    run_to(w, START_MS + SCRIPT_MS);
    heal(w);
    run_to(w, w->now_ms + QUIET_MS);
    oracle_check_quiet(w->oracle);
    gateway_run_stop(w->gateway, UINT32_MAX);
    run_to(w, w->now_ms + 10 * MINUTE);
    if (!w->failed && gateway_run_up(w->gateway))
        world_fail(w, "the gateway does not stop");
    oracle_check_end(w->oracle);
}

static void world_end(struct world *w)
{
    if (gateway_run_up(w->gateway)) { /* after a broken promise */
        w->dead = true;
        disk_cut(w->disk);
        callers_cut(w->callers);
        free_process(w);
    }
    drop_events(w);
    gateway_run_free(w->gateway);
    callers_free(w->callers);
    oracle_free(w->oracle);
    vault_free(w->vault);
    site_sim_free(w->site);
    disk_free(w->disk);
    ends_free(w->ends);
    virtual_threads_end();
    timers_free(w->events);
    free(w->pending);
}

void world_run(const struct script *script, FILE *trace, struct counts *counts, struct world_result *result)
{
    struct world w;

    world_begin(&w, script, trace, counts);
    struct act_event *events = schedule_acts(&w);
    world_live(&w);
    *result = (struct world_result){
        .failed = w.failed, .trace_hash = w.trace_hash, .simulated_ms = w.now_ms - START_MS};
    memcpy(result->failure, w.failure, sizeof result->failure);
    world_end(&w);
    free(events);
}
