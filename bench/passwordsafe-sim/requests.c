/* SPDX-License-Identifier: Apache-2.0 */
/*
 * requests.c - the life of requests and the table of conflicts; see requests.h.
 */
#include "passwordsafe-sim/requests.h"

#include "base/container_of.h"
#include "passwordsafe-sim/credentials.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *const request_state_names[REQUEST_NSTATES] = {
    "pending", "active", "checked_in", "expired", "denied", "cancelled", "terminated",
};

struct requests *requests_new(void)
{
    struct requests *rs = calloc(1, sizeof(*rs));

    if (!rs)
        return NULL;
    TAILQ_INIT(&rs->live);
    TAILQ_INIT(&rs->ended);
    rs->next_id = 1001;
    return rs;
}

static void free_request(struct model *m, struct request *r)
{
    timer_stop(m->timers, &r->expiry);
    vec_free(&r->approvers);
    free(r->reason);
    free(r->ticket);
    free(r);
}

void requests_free(struct model *m)
{
    struct requests *rs = m->requests;
    struct request *r;

    if (!rs)
        return;
    HASH_CLEAR(by_id, rs->by_id);
    while ((r = TAILQ_FIRST(&rs->live))) {
        TAILQ_REMOVE(&rs->live, r, in_all);
        free_request(m, r);
    }
    while ((r = TAILQ_FIRST(&rs->ended))) {
        TAILQ_REMOVE(&rs->ended, r, in_all);
        free_request(m, r);
    }
    free(rs);
    m->requests = NULL;
}

struct request *requests_find(const struct model *m, int id)
{
    struct request *r;

    HASH_FIND(by_id, m->requests->by_id, &id, sizeof(id), r);
    return r;
}

bool request_live(const struct request *r)
{
    return r->state == REQUEST_PENDING || r->state == REQUEST_ACTIVE;
}

static void drop_oldest_ended(struct model *m)
{
    struct requests *rs = m->requests;
    struct request *r = TAILQ_FIRST(&rs->ended);

    TAILQ_REMOVE(&rs->ended, r, in_all);
    HASH_DELETE(by_id, rs->by_id, r);
    rs->nended--;
    free_request(m, r);
}

void requests_end(struct model *m, struct request *r, enum request_state how)
{
    struct requests *rs = m->requests;
    bool was_active = r->state == REQUEST_ACTIVE;

    if (!request_live(r))
        return;
    timer_stop(m->timers, &r->expiry);
    if (!was_active)
        rs->npending--;
    r->state = how;
    r->ended = model_wall(m);
    rs->ends[how]++;
    TAILQ_REMOVE(&r->user->live, r, in_user);
    TAILQ_REMOVE(&r->pair->account->live, r, in_account);
    TAILQ_REMOVE(&rs->live, r, in_all);
    TAILQ_INSERT_TAIL(&rs->ended, r, in_all);
    rs->nlive--;
    rs->nended++;
    if (was_active && r->rotate)
        credentials_rotate(m, r->pair->account);
    while (rs->nended > m->settings.max_finished)
        drop_oldest_ended(m);
}

static void on_expiry(struct deadline *d)
{
    struct request *r = CONTAINER_OF(d, struct request, expiry);

    requests_end(r->model, r, REQUEST_EXPIRED);
}

int requests_approve(struct model *m, struct request *r, struct model_user *by)
{
    if (r->state != REQUEST_PENDING || vec_has(&r->approvers, by))
        return 0;
    if (by && vec_push(&r->approvers, by))
        return -ENOMEM;
    if (by && (int)r->approvers.n < r->approvals_needed)
        return 0;
    r->state = REQUEST_ACTIVE;
    r->approved = model_wall(m);
    m->requests->npending--;
    return 0;
}

/* ---- creation ---- */

static void remember_recent(struct model_user *u, struct model_pair *pair)
{
    size_t i = 0;

    while (i < u->nrecent && u->recent[i] != pair)
        i++;
    if (i == u->nrecent && u->nrecent < MODEL_RECENT)
        u->nrecent++;
    if (i == MODEL_RECENT)
        i--;
    memmove(&u->recent[1], &u->recent[0], i * sizeof(struct model_pair *));
    u->recent[0] = pair;
}

static void enter(struct model *m, struct request *r)
{
    struct requests *rs = m->requests;

    HASH_ADD(by_id, rs->by_id, id, sizeof(r->id), r);
    TAILQ_INSERT_TAIL(&rs->live, r, in_all);
    TAILQ_INSERT_TAIL(&r->user->live, r, in_user);
    TAILQ_INSERT_TAIL(&r->pair->account->live, r, in_account);
    rs->nlive++;
    rs->created++;
    if (r->state == REQUEST_PENDING)
        rs->npending++;
    remember_recent(r->user, r->pair);
}

static struct request *request_new(struct model *m, const struct request_wish *w)
{
    struct request *r = calloc(1, sizeof(*r));
    uint64_t length = (uint64_t)w->minutes * m->settings.minute_ms;

    if (!r)
        return NULL;
    *r = (struct request){
        .model = m,
        .user = w->user,
        .pair = w->pair,
        .access = w->access,
        .application_id = w->application_id,
        .start = model_wall(m),
        .state = w->approvals > 0 ? REQUEST_PENDING : REQUEST_ACTIVE,
        .approvals_needed = w->approvals,
        .rotate = w->rotate,
    };
    r->expires = r->start + (int64_t)length;
    if (r->state == REQUEST_ACTIVE)
        r->approved = r->start;
    if (strings_replace(&r->reason, w->reason) || strings_replace(&r->ticket, w->ticket) ||
        timer_start(m->timers, &r->expiry, length, on_expiry)) {
        free_request(m, r);
        return NULL;
    }
    r->id = m->requests->next_id++;
    return r;
}

/* What the account's live requests mean for this wish. */
struct overlap {
    struct request *same;   /* own, approved, same system, account and access type */
    struct request *other;  /* own, approved, same pair, another access type */
    struct request *queued; /* own, pending, same pair */
    int live, own;          /* all on the account; own approved of the pair */
};

static struct overlap overlap_of(const struct request_wish *w)
{
    struct overlap o = {0};
    struct request *r;

    TAILQ_FOREACH(r, &w->pair->account->live, in_account)
    {
        o.live++;
        if (r->user != w->user || r->pair != w->pair)
            continue;
        if (r->state == REQUEST_PENDING) {
            o.queued = r;
            continue;
        }
        o.own++;
        if (r->access == w->access)
            o.same = r;
        else
            o.other = r;
    }
    return o;
}

static bool limit_reached(const struct request_wish *w, int live)
{
    int account = w->pair->account->max_concurrent;

    return (account > 0 && live >= account) || (w->max_concurrent > 0 && live >= w->max_concurrent);
}

static void cancel_own(struct model *m, const struct request_wish *w, bool pending_too)
{
    struct request *r, *next;

    for (r = TAILQ_FIRST(&w->pair->account->live); r; r = next) {
        next = TAILQ_NEXT(r, in_account);
        if (r->user == w->user && r->pair == w->pair && (r->state == REQUEST_ACTIVE || pending_too))
            requests_end(m, r, REQUEST_CANCELLED);
    }
}

/* 0 = go on and create; 200 with *found; 409. */
static int decide(struct model *m, const struct request_wish *w, struct request **found)
{
    struct overlap o = overlap_of(w);
    bool pending_counts = m->settings.settings.value[SETTING_PENDING] != 0;
    int freed = 0;

    if (w->conflict == CONFLICT_IGNORED)
        return 0;
    if (w->conflict == CONFLICT_REUSE && (o.same || (o.queued && pending_counts))) {
        *found = o.same ? o.same : o.queued;
        return 200;
    }
    if (o.queued && !(w->conflict == CONFLICT_RENEW && pending_counts))
        return 409;
    if (w->conflict == CONFLICT_NONE && (o.same || o.other))
        return 409;
    if (w->conflict == CONFLICT_RENEW)
        freed = o.own + (o.queued ? 1 : 0);
    return limit_reached(w, o.live - freed) ? 409 : 0;
}

int requests_create(struct model *m, const struct request_wish *w, int *id)
{
    struct request *r = NULL;
    int verdict = decide(m, w, &r);

    if (verdict == 409)
        m->requests->refused++;
    if (verdict == 200) {
        m->requests->reused++;
        *id = r->id;
    }
    if (verdict)
        return verdict;
    r = request_new(m, w);
    if (!r)
        return -ENOMEM;
    if (w->conflict == CONFLICT_RENEW)
        cancel_own(m, w, true);
    enter(m, r);
    *id = r->id;
    return 201;
}
