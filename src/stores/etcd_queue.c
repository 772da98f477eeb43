/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_queue.c - the steps: those that wait, and what becomes of them; see etcd.c.
 */
#include "stores/etcd_store.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- time ---- */

/* `fire` is set at the opening, and `turn` runs from the start to the end, so that moving it needs no memory.
 */
void etcd_queue_turn_in(struct etcd_store *s, uint64_t ms)
{
    if (timer_start(loop_timers(s->loop), &s->turn, ms, s->turn.fire))
        log_error("store_timer", "error=%s", strerror(ENOMEM));
}

/* ---- outcomes ---- */

static void note_unread(const struct store_step *step, int err)
{
    if (err)
        log_error("store_step", "step=%s request=%s error=%s", store_step_rules[step->kind].name,
                  step->request.mark, strerror(-err));
}

/* `done` may give steps again: they join those that wait. */
static void finish_step(struct etcd_store *s, struct store_step *step, enum store_outcome outcome, int err)
{
    struct request_row *now = step->now;
    struct lease_row *lease_now = step->lease_now;
    char *lsid_now = step->lsid_now;

    if (outcome == STORE_APPLIED)
        etcd_kept_end(&s->kept, step);
    etcd_ends_decide(&s->ends, step, outcome == STORE_APPLIED);
    s->state.queued--;
    s->state.steps += !err;
    s->cluster.outcomes[step->kind][outcome]++;
    step->err = err;
    step->done(step, outcome);
    free(now);
    free(lease_now);
    free(lsid_now);
}

void etcd_queue_away(struct etcd_store *s, struct store_steps *steps, int err)
{
    struct store_step *step;

    while ((step = STAILQ_FIRST(steps))) {
        STAILQ_REMOVE_HEAD(steps, link);
        finish_step(s, step, STORE_AWAY, err);
    }
}

/* ---- CLOSE of a request that leases hold still ---- */

static void on_lease_closed(struct etcd_closing *c, const struct lease_row *lease)
{
    struct etcd_store *s = c->user;

    etcd_ends_decide_one(&s->ends, c, lease->id, true);
    if (s->news && s->news->closed)
        s->news->closed(s->news_arg, &c->step->request, lease);
}

static void on_leases_read(struct etcd_closing *c)
{
    etcd_queue_turn_in(c->user, 0);
}

static bool may_name(const struct etcd_store *s, const struct etcd_closing *c)
{
    return c->is_ready && !c->flight && s->ends.undecided < ETCD_ENDS_MAX / 2;
}

bool etcd_queue_closings_wait(const struct etcd_store *s)
{
    const struct etcd_closing *c;

    LIST_FOREACH(c, &s->closings, link)
    if (may_name(s, c) || (c->is_ready && c->flight && !c->is_sent))
        return true;
    return false;
}

void etcd_queue_name_closings(struct etcd_store *s)
{
    struct etcd_closing *c;

    LIST_FOREACH(c, &s->closings, link)
    if (may_name(s, c)) {
        const char *record =
            s->news && s->news->closing ? s->news->closing(s->news_arg, &c->step->request) : "";

        c->flight = s->flight.me.sequence + 1;
        etcd_close_name(c, &s->ends, record, clock_wall(s->clock));
    }
}

static void send_closings(struct etcd_store *s)
{
    struct etcd_closing *c, *next;

    for (c = LIST_FIRST(&s->closings); c; c = next) {
        next = LIST_NEXT(c, link);
        if (c->flight && !c->is_sent && c->flight <= s->flight.me.sequence)
            etcd_close_send(c);
    }
}

static void on_leases_closed(struct etcd_closing *c, int err)
{
    struct etcd_store *s = c->user;

    LIST_REMOVE(c, link);
    etcd_ends_decide(&s->ends, c, false);
    if (err)
        log_warn("store_close", "request=%s error=%s", c->step->request.mark, strerror(-err));
    STAILQ_INSERT_HEAD(&s->waiting, c->step, link);
    free(c);
    etcd_queue_turn_in(s, err ? ETCD_AGAIN_MS : 0);
}

static void close_leases(struct etcd_store *s, struct store_step *step)
{
    struct etcd_closing *c = calloc(1, sizeof *c);

    free(step->now);
    step->now = NULL;
    if (c) {
        *c = (struct etcd_closing){.step = step,
                                   .client = s->client,
                                   .prefix = s->prefix,
                                   .self = &s->flight.self,
                                   .timers = loop_timers(s->loop),
                                   .epoch = s->epoch,
                                   .ready = on_leases_read,
                                   .closed = on_lease_closed,
                                   .done = on_leases_closed,
                                   .user = s};
        LIST_INSERT_HEAD(&s->closings, c, link);
        if (etcd_close_leases(c) == 0)
            return;
        LIST_REMOVE(c, link);
        free(c);
    }
    finish_step(s, step, STORE_AWAY, -ENOMEM);
}

void etcd_queue_cancel_closings(struct etcd_store *s, int err)
{
    struct etcd_closing *c;

    while ((c = LIST_FIRST(&s->closings))) {
        struct store_step *step = c->step;

        LIST_REMOVE(c, link);
        etcd_ends_decide(&s->ends, c, false);
        etcd_close_cancel(c);
        free(c);
        finish_step(s, step, STORE_AWAY, err);
    }
}

/* ---- flights ---- */

void etcd_queue_applied(struct etcd_store *s, struct store_steps *steps)
{
    struct store_step *step;

    s->state.commits++;
    etcd_cluster_applied(s, s->flight.sent_ms);
    for (size_t i = 0; (step = STAILQ_FIRST(steps)); i++) {
        enum store_outcome outcome = s->flight.shown[i].outcome;
        int err = s->flight.errors[i];

        STAILQ_REMOVE_HEAD(steps, link);
        note_unread(step, err);
        step->sent_ms = s->flight.sent_ms;
        step->moment = s->flight.revision;
        if (s->flight.shown[i].again) {
            etcd_ends_decide(&s->ends, step, false);
            STAILQ_INSERT_HEAD(&s->waiting, step, link); /* no other one of the flight has a key of its */
        } else if (s->flight.shown[i].holders)
            close_leases(s, step);
        else
            finish_step(s, step, outcome, 0);
    }
    send_closings(s);
    if (s->flight.beat)
        etcd_cluster_after_beat(s);
}

/* Etcd has refused the flight, or the store closes: it was not applied. */
void etcd_queue_refused(struct etcd_store *s, struct store_steps *steps, int err)
{
    const struct etcd_refusal *refusal = s->flight.call.refusal;

    s->refused = true;
    s->cluster.refused = err != -ENOMEM && !s->closing;
    s->cluster.remedy = refusal ? refusal->remedy : "";
    etcd_cluster_note_writable(s, s->flight.call.why[0] ? s->flight.call.why : strerror(-err));
    STAILQ_CONCAT(steps, &s->waiting);
    etcd_queue_away(s, steps, err);
}

/* Steps that have waited for too long. */
void etcd_queue_expire(struct etcd_store *s)
{
    uint64_t now_ms = clock_now(s->clock);
    struct store_steps late = STAILQ_HEAD_INITIALIZER(late), kept = STAILQ_HEAD_INITIALIZER(kept);
    struct store_step *step;

    while ((step = STAILQ_FIRST(&s->waiting))) {
        STAILQ_REMOVE_HEAD(&s->waiting, link);
        if (step->until_ms && now_ms >= step->until_ms)
            STAILQ_INSERT_TAIL(&late, step, link);
        else
            STAILQ_INSERT_TAIL(&kept, step, link);
    }
    STAILQ_CONCAT(&s->waiting, &kept);
    etcd_queue_away(s, &late, -ETIMEDOUT);
}

int etcd_queue_steps(struct store *store, struct store_steps *steps)
{
    struct etcd_store *s = CONTAINER_OF(store, struct etcd_store, store);
    struct store_step *step;

    if (s->closing || s->leaving || !s->has_joined)
        return -ESHUTDOWN;
    STAILQ_FOREACH(step, steps, link)
    {
        step->now = NULL;
        step->lease_now = NULL;
        step->lsid_now = NULL;
        step->cancelled = false;
        step->holders = 0;
        step->kept = false;
        memset(step->finishes, 0, sizeof step->finishes);
        s->state.queued++;
    }
    STAILQ_CONCAT(&s->waiting, steps);
    if (!s->flight.under_way)
        etcd_queue_turn_in(s, 0);
    return 0;
}
