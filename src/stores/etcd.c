/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd.c - a store on etcd: the steps that wait, and the gateway's place in the cluster.
 *
 *     steps() -> waiting --flight--> flying -> done(APPLIED or OTHERWISE) for each
 *                                       \-- not applied --> done(AWAY) for each, and for all that wait
 *
 * One flight at a time takes what may fly together; steps that come meanwhile are for the next one. A list is
 * divided where it does not fit: then its first steps are APPLIED and the others AWAY.
 *
 * After a failure the store reports it (writable = false) and sends a flight without steps every second until
 * one is applied. A gateway that has been fenced stays so.
 *
 * Joining (etcd_join.c) ends with m/NODE of this incarnation and with all rows read. close() ends what flies;
 * a flight whose fate is not known by then is AWAY: the next start reads what became of it.
 */
#include "stores/etcd.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"
#include "stores/etcd_flight.h"
#include "stores/etcd_join.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_EVERY_MS 1000

struct etcd_store {
    struct store store; /* first */
    struct loop *loop;
    struct etcd_client *client;
    char *prefix, *node, *instance;
    char owner[ETCD_KEY_SIZE];
    struct etcd_join join;
    void (*opened)(void *arg, const char *why);
    void *opened_arg;
    struct etcd_flight flight;
    struct store_steps waiting;
    struct deadline turn;
    bool joined, fenced, closing;
    uint64_t sent_us;
    struct store_state state;
    void (*closed)(void *arg);
    void *closed_arg;
};

static struct etcd_store *etcd_of(struct store *store)
{
    return CONTAINER_OF(store, struct etcd_store, store);
}

/* ---- the end ---- */

static void store_free(struct etcd_store *s)
{
    free(s->prefix);
    free(s->node);
    free(s->instance);
    free(s);
}

static void on_client_closed(void *arg)
{
    struct etcd_store *s = arg;
    void (*closed)(void *) = s->closed;
    void *closed_arg = s->closed_arg;

    store_free(s);
    if (closed)
        closed(closed_arg);
}

static void finish_close(struct etcd_store *s)
{
    timer_stop(loop_timers(s->loop), &s->turn);
    etcd_join_cancel(&s->join);
    etcd_client_close(s->client, on_client_closed, s);
}

/* ---- steps ---- */

static void on_turn(struct deadline *);

/* `turn` runs from the start to the end, so that moving it needs no memory. */
static void turn_in(struct etcd_store *s, uint64_t ms)
{
    if (timer_start(loop_timers(s->loop), &s->turn, ms, on_turn))
        log_error("store_timer", "error=%s", strerror(ENOMEM));
}

static void note_outcome(struct etcd_store *s, int err)
{
    const char *words = s->flight.call.why[0] ? s->flight.call.why : strerror(-err);

    if (err == -ESTALE)
        words = "another gateway has this gateway's name, or has declared it dead";
    if (err && s->state.writable)
        log_error("store_failed", "error=%s hint=%s", words, "no new check-outs until it can write again");
    if (!err && !s->state.writable)
        log_info("store_recovered", "commits=%" PRIu64, s->state.commits);
    s->fenced |= err == -ESTALE;
    s->state.writable = !err;
    text_copy(s->state.why, sizeof s->state.why, err ? words : "");
}

static void note_unread(const struct store_step *step, int err)
{
    if (err)
        log_error("store_step", "step=%s request=%s error=%s", store_step_rules[step->kind].name,
                  step->request.mark, strerror(-err));
}

/* Calls `done` of each step. It may give steps again: they join those that wait. */
static void finish_steps(struct etcd_store *s, struct store_steps *steps, int err)
{
    struct store_step *step;

    for (size_t i = 0; (step = STAILQ_FIRST(steps)); i++) {
        enum store_outcome outcome = err ? STORE_AWAY : s->flight.outcomes[i];
        struct request_row *now = step->now;

        if (!err)
            note_unread(step, s->flight.errors[i]);
        STAILQ_REMOVE_HEAD(steps, link);
        s->state.queued--;
        s->state.steps += !err;
        step->err = err;
        step->done(step, outcome);
        free(now);
    }
}

/* What is away takes along what waits behind it: a later step must not be applied without an earlier one. */
static void finish_flight(struct etcd_store *s, struct store_steps *steps, int err)
{
    if (err)
        STAILQ_CONCAT(steps, &s->waiting);
    s->state.commits += !err;
    note_outcome(s, err);
    finish_steps(s, steps, err);
    turn_in(s, s->closing || !STAILQ_EMPTY(&s->waiting) ? 0 : PROBE_EVERY_MS);
}

static void on_landed(struct etcd_flight *f, int err)
{
    struct etcd_store *s = CONTAINER_OF(f, struct etcd_store, flight);
    struct store_steps steps = STAILQ_HEAD_INITIALIZER(steps);

    STAILQ_CONCAT(&steps, &f->steps);
    s->state.last_commit_us = clock_measure_us() - s->sent_us;
    finish_flight(s, &steps, err);
}

static void start_flight(struct etcd_store *s)
{
    struct store_steps none = STAILQ_HEAD_INITIALIZER(none);

    s->sent_us = clock_measure_us();
    int err = s->fenced ? -ESTALE : etcd_flight_start(&s->flight, &s->waiting);

    if (err)
        finish_flight(s, &none, err);
    else if (s->closing)
        etcd_flight_give_up(&s->flight);
}

static void on_turn(struct deadline *d)
{
    struct etcd_store *s = CONTAINER_OF(d, struct etcd_store, turn);

    turn_in(s, PROBE_EVERY_MS);
    if (!s->joined || s->flight.under_way)
        return;
    if (!STAILQ_EMPTY(&s->waiting) || (!s->state.writable && !s->fenced && !s->closing))
        start_flight(s);
    else if (s->closing)
        finish_close(s);
}

static int etcd_steps(struct store *store, struct store_steps *steps)
{
    struct etcd_store *s = etcd_of(store);
    struct store_step *step;

    if (s->closing || !s->joined)
        return -ESHUTDOWN;
    STAILQ_FOREACH(step, steps, link)
    {
        step->now = NULL;
        s->state.queued++;
    }
    STAILQ_CONCAT(&s->waiting, steps);
    turn_in(s, 0);
    return 0;
}

/* ---- the other operations ---- */

static int etcd_load(struct store *store, const struct store_reader *reader, void *arg)
{
    return etcd_join_load(&etcd_of(store)->join, reader, arg);
}

static const char *etcd_tag(const struct store *store)
{
    return ((const struct etcd_store *)store)->join.tag;
}

static void etcd_state(const struct store *store, struct store_state *state)
{
    *state = ((const struct etcd_store *)store)->state;
}

static void etcd_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct etcd_store *s = etcd_of(store);

    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    etcd_flight_give_up(&s->flight);
    if (s->joined)
        turn_in(s, 0);
    else
        finish_close(s);
}

static const struct store_ops etcd_ops = {
    .name = "etcd",
    .load = etcd_load,
    .tag = etcd_tag,
    .steps = etcd_steps,
    .state = etcd_state,
    .close = etcd_close,
};

/* ---- opening ---- */

static void on_joined(struct etcd_join *j, const char *why)
{
    struct etcd_store *s = CONTAINER_OF(j, struct etcd_store, join);

    if (!*why) {
        (void)snprintf(s->owner, sizeof s->owner, "%s@%" PRId64, s->node, j->revision);
        s->flight.revision = j->revision;
        s->joined = s->state.writable = true;
    }
    s->opened(s->opened_arg, why);
}

static bool copy_names(struct etcd_store *s, const struct etcd_store_opts *opts)
{
    s->prefix = strdup(opts->prefix);
    s->node = strdup(opts->node);
    s->instance = strdup(opts->instance);
    return s->prefix && s->node && s->instance;
}

static void set_parts(struct etcd_store *s)
{
    s->join = (struct etcd_join){.client = s->client,
                                 .timers = loop_timers(s->loop),
                                 .prefix = s->prefix,
                                 .node = s->node,
                                 .instance = s->instance,
                                 .done = on_joined};
    s->flight = (struct etcd_flight){.client = s->client,
                                     .timers = loop_timers(s->loop),
                                     .prefix = s->prefix,
                                     .instance = s->instance,
                                     .self = {s->node, s->owner},
                                     .landed = on_landed};
}

struct store *etcd_store_open(struct loop *loop, const struct etcd_store_opts *opts,
                              void (*opened)(void *arg, const char *why), void *arg, char why[ETCD_STORE_WHY])
{
    struct etcd_store *s = calloc(1, sizeof *s);

    (void)snprintf(why, ETCD_STORE_WHY, "out of memory");
    if (!s)
        return NULL;
    *s = (struct etcd_store){.store.ops = &etcd_ops, .loop = loop, .opened = opened, .opened_arg = arg};
    STAILQ_INIT(&s->waiting);
    s->client = copy_names(s, opts) ? etcd_client_new(loop, &opts->client, why) : NULL;
    if (!s->client) {
        store_free(s);
        return NULL;
    }
    set_parts(s);
    turn_in(s, PROBE_EVERY_MS);
    int err = timer_running(&s->turn) ? etcd_join_start(&s->join) : -ENOMEM;

    if (!err)
        return &s->store;
    finish_close(s);
    return NULL;
}
