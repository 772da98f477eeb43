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
#include "etcd_sim.h"
#include "gateway_run.h"
#include "keyed_vault.h"
#include "oracle.h"
#include "site_sim.h"
#include "vault.h"
#include "virtual_libc.h"
#include "virtual_random.h"
#include "virtual_threads.h"

#include "base/container_of.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SECOND           UINT64_C(1000)
#define MINUTE           (60 * SECOND)
#define START_MS         UINT64_C(1000000)
#define START_WALL       INT64_C(1773135000000)
#define QUIET_MS         (10 * 60 * MINUTE) /* longer than any lease and any wait */
#define CLUSTER_QUIET_MS (25 * MINUTE)      /* the same, of the shorter leases of several gateways */
#define TURNS_MAX        100000             /* at one moment */
#define BURIAL_TURNS     100000

/* ---- time ---- */

static uint64_t world_now_ms(void *arg)
{
    return ((const struct world *)arg)->now_ms;
}

/* Since the world began, by the clock of the node. */
static uint64_t node_passed_ms(const struct node *n)
{
    uint64_t passed_ms = n->world->now_ms - START_MS;

    return n->drift ? passed_ms * (uint64_t)(1000 + n->drift) / 1000 : passed_ms;
}

static uint64_t clock_now_ms(void *arg)
{
    const struct node *n = arg;

    return START_MS + n->ahead_ms + node_passed_ms(n) + n->burial_ms;
}

/* The world's milliseconds until so many have passed by the clock of the node. */
static uint64_t world_ms(const struct node *n, uint64_t ms)
{
    uint64_t rate = (uint64_t)(1000 + n->drift);

    if (!n->drift || ms > UINT64_MAX / 1000)
        return ms;
    uint64_t at_ms = ((node_passed_ms(n) + ms) * 1000 + rate - 1) / rate;

    return START_MS + at_ms > n->world->now_ms ? START_MS + at_ms - n->world->now_ms : 0;
}

int64_t world_wall(const struct world *w)
{
    return START_WALL + (int64_t)(w->now_ms - START_MS);
}

static int64_t clock_wall_ms(void *arg)
{
    const struct node *n = arg;

    return START_WALL + (int64_t)(node_passed_ms(n) + n->burial_ms) + n->wall_ahead_ms;
}

static int64_t world_wall_ms(void *arg)
{
    return world_wall(arg);
}

int64_t world_lease_wall(const struct world *w)
{
    return world_is_cluster(w) ? vault_wall(w->vault) : clock_wall(&w->node[0].clock);
}

int64_t world_lease_apart(const struct world *w)
{
    return world_is_cluster(w) ? 0 : llabs((long long)w->node[0].wall_ahead_ms);
}

uint64_t world_approval_wait_ms(const struct world *w)
{
    unsigned most_s = 0;

    for (unsigned k = 0; k < w->nnodes; k++)
        most_s = w->node[k].approval_wait_s > most_s ? w->node[k].approval_wait_s : most_s;
    return most_s * UINT64_C(1000);
}

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

/* A line about a node: where there is one alone, its number says nothing. */
void node_note(struct node *n, const char *what)
{
    if (world_is_cluster(n->world))
        world_note(n->world, "g%u: %s", n->number, what);
    else
        world_note(n->world, "%s", what);
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
    struct node *n = arg;

    gateway_run_start(n->gateway);
}

void node_kill(struct node *n, unsigned restart_ms)
{
    struct world *w = n->world;

    if (n->dead || !gateway_run_up(n->gateway))
        return;
    node_note(n, "gateway killed");
    counts_add(w->counts, 1, "gateway.killed");
    if (!world_is_cluster(w))
        world_disturbed(w);
    n->dead = true;
    n->killed_ms = w->now_ms;
    n->kill_in = n->pause_in = 0;
    n->paused_ms = n->paused_ms < w->now_ms ? n->paused_ms : w->now_ms;
    n->restart_ms = restart_ms;
    disk_cut(n->disk);
    callers_cut(w->callers, n);
}

/* Frees the memory of the dead process. Its own deadlines may pass meanwhile; the world's time does not. */
static void free_process(struct node *n)
{
    node_enter(n);
    gateway_run_close(n->gateway);
    for (int i = 0; gateway_run_up(n->gateway) && i < BURIAL_TURNS; i++) {
        bool more = virtual_threads_hurry(n);

        more |= gateway_run_iterate(n->gateway);
        n->burial_ms += more ? 0 : 1 + gateway_run_next(n->gateway) % MINUTE;
    }
    if (gateway_run_up(n->gateway))
        world_fail(n->world, "a process that ends does not free its memory");
    n->burial_ms = 0;
    disk_bury(n->disk);
    n->dead = false;
}

static void bury(struct node *n)
{
    free_process(n);
    if (n->restart_ms != UINT32_MAX)
        world_after(n->world, n->restart_ms, on_restart, n);
}

/* ---- moments ---- */

/* True = there is more to do at this moment. */
static bool iterate(struct node *n)
{
    bool more = !node_is_paused(n) && gateway_run_iterate(n->gateway);

    if (!n->dead)
        return more;
    bury(n);
    return true;
}

/* All that happens without time passing. */
static void moment(struct world *w)
{
    for (int i = 0; !w->failed; i++) {
        (void)timers_run(w->events);
        bool more = false;

        for (unsigned k = 0; k < w->nnodes; k++)
            more |= iterate(&w->node[k]);
        if (!more && timers_next(w->events) > 0)
            return;
        if (i > TURNS_MAX)
            world_fail(w, "the loop never comes to rest");
    }
}

static uint64_t node_next(const struct node *n)
{
    if (node_is_paused(n))
        return n->paused_ms - n->world->now_ms;
    uint64_t ms = gateway_run_next(n->gateway);

    return ms == UINT64_MAX ? ms : world_ms(n, ms);
}

static void run_to(struct world *w, uint64_t end_ms)
{
    for (moment(w); !w->failed && w->now_ms < end_ms; moment(w)) {
        uint64_t next = timers_next(w->events);

        for (unsigned k = 0; k < w->nnodes; k++) {
            uint64_t own = node_next(&w->node[k]);

            next = own < next ? own : next;
        }
        w->now_ms = next < end_ms - w->now_ms ? w->now_ms + next : end_ms;
    }
}

/* ---- acts ---- */

static void jump_clock(struct world *w, const struct act *act)
{
    w->to->wall_ahead_ms += act->b ? -(int64_t)act->a * 1000 : (int64_t)act->a * 1000;
    counts_add(w->counts, 1, "clock.jump");
    world_disturbed(w);
}

static void reload(struct world *w, const struct act *act)
{
    gateway_run_reload(w->to->gateway, act);
    oracle_on_reload(w->oracle);
}

/* What is on its way to the etcd of before is lost. */
static void restore_etcd(struct world *w, const struct act *act)
{
    if (!etcd_sim_restore(w->etcd, act->b))
        return;
    link_side_etcd_restored(w->vault->links);
    w->restored_ms = w->now_ms;
    world_disturbed(w);
    counts_add(w->counts, 1, "etcd.restored%s", act->b ? ".other_cluster" : "");
}

static void on_pause_over(void *arg)
{
    struct node *n = arg;

    if (!node_is_paused(n) && gateway_run_up(n->gateway))
        link_side_wake(n->world->vault->links, n);
}

void node_pause(struct node *n, unsigned ms)
{
    struct world *w = n->world;

    if (!gateway_run_serves(n->gateway))
        return;
    node_note(n, "gateway paused");
    counts_add(w->counts, 1, "gateway.paused");
    n->pause_began_ms = w->now_ms;
    n->paused_ms = w->now_ms + ms;
    world_after(w, ms, on_pause_over, n);
}

static void pause_soon(struct node *n, const struct act *act)
{
    n->pause_in = act->a;
    n->pause_length_ms = act->c;
    if (!act->a)
        node_pause(n, act->c);
}

static void kill_soon(struct node *n, const struct act *act)
{
    n->kill_in = act->a;
    n->kill_restart_ms = act->c;
    n->kills_behind = act->b;
    if (!act->a)
        node_kill(n, act->c);
}

static void do_plain_act(struct world *w, const struct act *act)
{
    switch (act->kind) {
    case ACT_JUMP: jump_clock(w, act); break;
    case ACT_KILL: kill_soon(w->to, act); break;
    case ACT_STOP: gateway_run_stop(w->to->gateway, act->c); break;
    case ACT_STORE_FAILS:
    case ACT_STORE_SLOW:
    case ACT_TRAIL_FAILS:
    case ACT_TRAIL_SLOW:
    case ACT_CRASH: disk_act(w->to->disk, act); break;
    case ACT_ROTATE_TRAIL: gateway_run_rotate(w->to->gateway); break;
    case ACT_RELOAD: reload(w, act); break;
    case ACT_PAUSE: pause_soon(w->to, act); break;
    case ACT_ETCD_FORGET:
    case ACT_ETCD_FULL:
    case ACT_ETCD_BACKUP: etcd_sim_act(w->etcd, act); break;
    case ACT_ETCD_RESTORE: restore_etcd(w, act); break;
    case ACT_ETCD_FAULT:
    case ACT_ETCD_DOWN:
    case ACT_ETCD_SLOW:
    case ACT_PARTITION:
    case ACT_SITE_FAULT:
    case ACT_SITE_DOWN: link_side_act(w->vault->links, act); break;
    case ACT_SESSION_END:
    case ACT_SITE_EVENT: site_sim_act(w->site, act); break;
    default:
        if (act->kind <= ACT_LEAVE)
            callers_act(w->callers, act);
        else if (!w->keyed || !keyed_vault_act(w->keyed, act))
            vault_act(w->vault, act);
    }
}

static void do_act(struct world *w, const struct act *act)
{
    world_note(w, "act %s %u %u %u", script_word(act->kind), act->a, act->b, act->c);
    counts_add(w->counts, 1, "act.%s", script_word(act->kind));
    w->to = &w->node[(act->b >> ACT_NODE_SHIFT) % w->nnodes];
    const struct act plain = {act->at_ms, act->kind, act->a, act->b & ACT_NODE_MASK, act->c};

    do_plain_act(w, world_is_cluster(w) ? &plain : act);
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

/* ---- nodes ---- */

bool world_serves(const struct world *w)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        if (gateway_run_serves(w->node[k].gateway))
            return true;
    return false;
}

void node_enter(struct node *n)
{
    disk_use(n->disk, &n->clock);
    virtual_threads_own(n);
}

/* A thread of the program runs, on the node that has made it. */
static uint64_t on_thread(void *owner)
{
    struct node *n = owner;

    if (node_is_paused(n) && !n->dead)
        return n->paused_ms - n->world->now_ms;
    node_enter(n);
    return 0;
}

static void begin_nodes(struct world *w)
{
    w->nnodes = w->setup.nodes ? w->setup.nodes : 1;
    if (w->setup.nodes)
        w->etcd = etcd_sim_new(w);
    for (unsigned k = 0; k < w->nnodes; k++) {
        struct node *n = &w->node[k];

        *n = (struct node){.world = w, .number = k, .clock = {clock_now_ms, clock_wall_ms, n}};
        if (w->setup.nodes) {
            n->drift = (int)w->setup.clock[k].rate - SETUP_RATE;
            n->wall_ahead_ms = ((int64_t)w->setup.clock[k].ahead_s - SETUP_AHEAD_S) * 1000;
            n->ahead_ms = w->setup.clock[k].ahead_s * UINT64_C(1000);
        }
        n->disk = disk_new(n);
    }
    w->to = &w->node[0];
}

static void end_nodes(struct world *w)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        disk_free(w->node[k].disk);
    virtual_libc_use(NULL, NULL);
    if (w->etcd)
        etcd_sim_free(w->etcd);
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
    w->clock = (struct clock){world_now_ms, world_wall_ms, w};
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
    virtual_threads_begin(w->events, on_thread);
    begin_nodes(w);
    w->vault = vault_new(w);
    w->keyed = w->setup.keyed ? keyed_vault_new(w) : NULL;
    w->site = site_sim_new(w);
    w->callers = callers_new(w);
    w->oracle = oracle_new(w);
    for (unsigned k = 0; k < w->nnodes; k++)
        w->node[k].gateway = gateway_run_new(&w->node[k]);
}

static void heal(struct world *w)
{
    world_note(w, "quiet time");
    w->healed = true;
    world_disturbed(w);
    for (unsigned k = 0; k < w->nnodes; k++) {
        disk_heal(w->node[k].disk);
        w->node[k].kill_in = w->node[k].pause_in = 0;
        if (world_is_cluster(w)) /* one that nothing else would start */
            gateway_run_start(w->node[k].gateway);
    }
    vault_heal(w->vault);
    site_sim_heal(w->site);
}

static void start_all(struct world *w)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        gateway_run_start(w->node[k].gateway);
}

/* Each gateway is up, and ready: the oracle judges the answer. */
static void ask_all(struct world *w)
{
    for (unsigned k = 0; k < w->nnodes && !w->failed; k++) {
        w->to = &w->node[k];
        if (gateway_run_serves(w->to->gateway))
            callers_act(w->callers, &(const struct act){.kind = ACT_STATUS, .a = STATUS_READY});
        else if (!world_is_cluster(w))
            world_fail(w, "the gateway is not up after the quiet time");
    }
    run_to(w, w->now_ms + SECOND);
}

static void stop_all(struct world *w)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        gateway_run_stop(w->node[k].gateway, UINT32_MAX);
    run_to(w, w->now_ms + 10 * MINUTE);
    for (unsigned k = 0; k < w->nnodes; k++)
        if (!w->failed && gateway_run_up(w->node[k].gateway))
            world_fail(w, "the gateway does not stop");
}

static void world_live(struct world *w)
{
    start_all(w);
    run_to(w, START_MS + script_ms(&w->script->setup));
    heal(w);
    run_to(w, w->now_ms + (world_is_cluster(w) ? CLUSTER_QUIET_MS : QUIET_MS));
    ask_all(w);
    oracle_check_quiet(w->oracle);
    stop_all(w);
    oracle_check_end(w->oracle);
}

/* After a broken promise. */
static void end_process(struct node *n)
{
    if (!gateway_run_up(n->gateway))
        return;
    n->dead = true;
    disk_cut(n->disk);
    callers_cut(n->world->callers, n);
    free_process(n);
}

static void world_end(struct world *w)
{
    for (unsigned k = 0; k < w->nnodes; k++)
        end_process(&w->node[k]);
    drop_events(w);
    for (unsigned k = 0; k < w->nnodes; k++)
        gateway_run_free(w->node[k].gateway);
    callers_free(w->callers);
    oracle_free(w->oracle);
    vault_free(w->vault);
    keyed_vault_free(w->keyed);
    site_sim_free(w->site);
    end_nodes(w);
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
