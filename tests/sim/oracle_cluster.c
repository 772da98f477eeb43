/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_cluster.c - the promises of several gateways with one etcd; see oracle_seen.h.
 *
 * What is asked of two gateways at once has no order of its own: either may be first. So the release of a
 * credential says something about a check-out at another gateway only where one was answered before the other
 * was asked for. The end of a session takes along what was begun before it; a check-out counts as begun with
 * the first word of the store, where that comes at once. And a secret may go out for a part of the ttl after
 * another gateway has ended its lease, since the confirmation is good for so long (FRESH_MS).
 */
#include "oracle_seen.h"

#include "etcd_sim.h"
#include "gateway_run.h"
#include "site_sim.h"

#include <stdlib.h>
#include <string.h>

#define APART_MS   2000  /* an end is no more than this off */
#define PROMPT_MS  15000 /* from the last release, or a death, until a request is given back */
#define TICK_MS    1000
#define FIRST_MS   1200  /* in which the store has its first word to a check-out, which begins with it then */
#define SETTLED_MS 60000 /* until what went wrong has no effect on what begins now */
#define LISTED_MS  240000 /* after etcd was restored: three lists of live requests are read */

/* ---- time ---- */

/* By the world's clock: a confirmation is good for a third of the ttl, and a clock may be slow. */
static uint64_t fresh_ms(const struct world *w)
{
    return w->setup.ttl_s * UINT64_C(1000) / 3 * 1053 / 1000 + 10;
}

int64_t cluster_apart_ms(const struct oracle *o, uint64_t made_ms)
{
    const struct world *w = o->world;
    int most = 0;

    for (unsigned k = 0; k < w->nnodes; k++)
        most = abs(w->node[k].drift) > most ? abs(w->node[k].drift) : most;
    return (int64_t)(w->now_ms - made_ms) * most / (1000 - most) + (most ? 1000 : 0);
}

/* ---- what may have ended a lease ---- */

/* A release of it, asked for before its secret was answered or not known to be done before its check-out
 * began, may be done after it. */
static bool is_release_of(void *arg, const struct caller_op *op)
{
    const struct seen_lease *l = arg;
    bool names_it = (*op->lease && strcmp(op->lease, l->id) == 0) ||
                    (op->session == l->session &&
                     (op->kind == ACT_COMPLETE || (op->kind == ACT_RELEASE && op->account == l->account)));

    return names_it && (!op->answered_order || op->status != 200 || op->pending ||
                        op->answered_order > l->op->sent_order);
}

bool cluster_may_have_ended(const struct oracle *o, const struct seen_lease *l)
{
    const struct world *w = o->world;
    int64_t apart_ms = APART_MS + cluster_apart_ms(o, l->made_ms);

    if (l->released_ms || l->expires_wall_ms <= vault_wall(w->vault) + apart_ms ||
        l->op->begun_ms <= w->restored_ms || w->gives_up || w->gave_up_ms >= l->at_ms)
        return true;
    if (o->named[l->session % SETUP_SESSIONS] && site_sim_ended(w->site, l->session))
        return true;
    return callers_any(w->callers, is_release_of, (void *)(uintptr_t)l);
}

/* ---- sessions that end while a check-out is under way ---- */

static bool was_paused(const struct node *n, uint64_t since_ms)
{
    return n->paused_ms > since_ms || n->started_ms > since_ms || n->killed_ms > since_ms;
}

bool cluster_is_taken_along(const struct oracle *o, const struct caller_op *op, uint64_t end_sent_ms)
{
    const struct world *w = o->world;
    uint64_t first_ms = 3 * w->setup.latency_ms + FIRST_MS;

    return op->begun_ms && op->begun_ms + first_ms < end_sent_ms && !was_paused(op->node, op->begun_ms) &&
           w->restored_ms < op->begun_ms;
}

static void check_end(struct oracle *o, const struct caller_op *op, uint64_t answered_ms)
{
    struct world *w = o->world;

    counts_add(w->counts, 1, "end.along");
    if (answered_ms + fresh_ms(w) < w->now_ms)
        world_fail(w, "request %u got a secret %u ms after the end of its session, before which it had begun",
                   op->number, (unsigned)(w->now_ms - answered_ms));
}

bool cluster_check_ends(struct oracle *o, const struct caller_op *op)
{
    const struct seen_release *r;
    const struct seen_end *end;
    bool ended = false;

    STAILQ_FOREACH(r, &o->releases, link)
    if (r->whole_session && !r->pending && r->session == op->session &&
        cluster_is_taken_along(o, op, r->sent_ms)) {
        check_end(o, op, r->at_ms);
        ended = true;
    }
    STAILQ_FOREACH(end, &o->ends, link)
    if (op->named && end->session == op->session && cluster_is_taken_along(o, op, end->begun_ms)) {
        check_end(o, op, end->at_ms);
        ended = true;
    }
    return ended;
}

static bool may_end_meanwhile(void *arg, const struct caller_op *op)
{
    const struct caller_op *checkout = arg;
    bool ends = op->kind == ACT_COMPLETE || op->kind == ACT_RELEASE || op->kind == ACT_SESSION_END ||
                op->kind == ACT_SITE_EVENT || op->kind == ACT_OPERATOR_RELEASE || op->kind == ACT_END_SESSION;

    return ends && op->session == checkout->session &&
           (!op->answered_order || op->status != 200 || op->pending ||
            op->answered_order > checkout->sent_order);
}

void cluster_check_not_found(struct oracle *o, const struct caller_op *op)
{
    struct world *w = o->world;

    counts_add(w->counts, callers_any(w->callers, may_end_meanwhile, (void *)(uintptr_t)op), "end.cancels");
    if (!cluster_is_calm(o, SETTLED_MS) || !vault_entitles(w->vault, op->user, op->account) ||
        site_sim_ended(w->site, op->session) ||
        callers_any(w->callers, may_end_meanwhile, (void *)(uintptr_t)op))
        return;
    world_fail(w, "request %u is told that its session has ended, which has not", op->number);
}

/* ---- secrets ---- */

/* What was confirmed before is good still. */
static bool was_just_restored(const struct world *w)
{
    return w->restored_ms && w->restored_ms + fresh_ms(w) >= w->now_ms;
}

static void check_not_released(struct oracle *o, const struct caller_op *op, const char *lease_id)
{
    const struct world *w = o->world;
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    if (strcmp(l->id, lease_id) == 0 && l->released_ms > w->restored_ms &&
        l->released_ms + fresh_ms(w) < w->now_ms)
        world_fail(o->world, "request %u got the secret of lease %s, which was released %u ms before",
                   op->number, lease_id, (unsigned)(w->now_ms - l->released_ms));
}

void cluster_check_secret(struct oracle *o, const struct caller_op *op, const char *lease_id,
                          unsigned request)
{
    struct world *w = o->world;
    const struct vault_entry *e = vault_find(w->vault, request);
    bool was_checked_in = e && e->end == VAULT_END_CHECKIN && !e->own;

    if (was_checked_in && e->ended_ms < op->started_ms)
        world_fail(w, "request %u got a secret of request %u, which had been checked in before", op->number,
                   request);
    if (was_checked_in && e->ended_ms + fresh_ms(w) < w->now_ms)
        world_fail(w, "request %u got a secret %u ms after request %u was checked in", op->number,
                   (unsigned)(w->now_ms - e->ended_ms), request);
    if (!etcd_sim_has_member(w->etcd, op->node) && !was_just_restored(w))
        world_fail(w, "request %u got a secret of g%u, which is fenced", op->number, op->node->number);
    check_not_released(o, op, lease_id);
}

void oracle_on_sent(struct oracle *o, const struct node *n)
{
    struct world *w = o->world;

    if (!world_is_cluster(w) || was_just_restored(w))
        return;
    if (!etcd_sim_has_member(w->etcd, n))
        world_fail(w, "g%u asks the vault for a request, and is fenced", n->number);
    else if (etcd_sim_written_ms(w->etcd, n) + fresh_ms(w) < w->now_ms)
        world_fail(w, "g%u asks the vault for a request, and has written nothing for %u ms", n->number,
                   (unsigned)(w->now_ms - etcd_sim_written_ms(w->etcd, n)));
}

/* ---- lease ids ---- */

/* One that is surely there, and not about to end. */
static bool is_open(const struct oracle *o, const struct seen_lease *l)
{
    const struct vault_entry *e = vault_find(o->world->vault, l->request);

    return e && vault_live(e) && !cluster_may_have_ended(o, l);
}

void cluster_check_lease(struct oracle *o, const struct seen_lease *new)
{
    struct world *w = o->world;
    const struct seen_lease *l;

    STAILQ_FOREACH(l, &o->leases, link)
    {
        bool same = strcmp(l->id, new->id) == 0;

        if (same && (l->session != new->session || l->account != new->account || l->request != new->request ||
                     l->expires_wall_ms != new->expires_wall_ms))
            world_fail(w, "lease %s is of sessions %u and %u, requests %u and %u, ends %lld and %lld", l->id,
                       l->session, new->session, l->request, new->request, (long long)l->expires_wall_ms,
                       (long long)new->expires_wall_ms);
        if (!same && l->session == new->session && l->account == new->account &&is_open(o, l) &&
            l->op->answered_order < new->op->sent_order)
            world_fail(w, "session %u has the leases %s and %s", l->session, l->id, new->id);
    }
}

/* ---- lists ---- */

static bool lists_request(const struct caller_op *list, unsigned request)
{
    for (size_t i = 0; i < list->nlisted; i++)
        if (list->listed[i] == request)
            return true;
    return list->nlisted == CALLER_LISTED_MAX;
}

void cluster_check_list(struct oracle *o, const struct caller_op *op, const cJSON *body)
{
    const struct caller_op *list = op->list ? op->list : op;
    const struct seen_lease *l;

    if (cJSON_IsString(cJSON_GetObjectItem(body, "next"))) /* more pages follow */
        return;
    counts_add(o->world->counts, 1, "list.judged");
    STAILQ_FOREACH(l, &o->leases, link)
    if (l->order < list->sent_order && is_open(o, l) && !lists_request(list, l->request))
        world_fail(o->world, "request %u lists no lease of request %u, which session %u holds", op->number,
                   l->request, l->session);
}

/* ---- ends in time ---- */

/* The last moment at which a gateway stopped working, or began again. */
static uint64_t last_death_ms(const struct world *w)
{
    uint64_t last_ms = 0;

    for (unsigned k = 0; k < w->nnodes; k++) {
        const struct node *n = &w->node[k];
        uint64_t paused_ms = n->paused_ms > w->now_ms ? n->pause_began_ms : n->paused_ms;

        last_ms = n->killed_ms > last_ms ? n->killed_ms : last_ms;
        last_ms = n->pause_began_ms > last_ms ? n->pause_began_ms : last_ms;
        last_ms = paused_ms > last_ms ? paused_ms : last_ms;
    }
    return last_ms;
}

/* A gateway that works: it has been up for a while, and is not paused. */
static bool one_lives(const struct world *w, uint64_t since_ms)
{
    for (unsigned k = 0; k < w->nnodes; k++) {
        const struct node *n = &w->node[k];

        if (gateway_run_serves(n->gateway) && !node_is_paused(n) && n->started_ms <= since_ms)
            return true;
    }
    return false;
}

bool cluster_is_calm(const struct oracle *o, uint64_t for_ms)
{
    const struct world *w = o->world;

    return world_calm_ms(w) > for_ms && last_death_ms(w) + for_ms < w->now_ms;
}

bool cluster_may_lack_row(const struct oracle *o, const struct vault_entry *e)
{
    const struct world *w = o->world;

    return w->restored_ms && e->made_ms <= w->restored_ms && !cluster_is_calm(o, LISTED_MS);
}

bool cluster_may_repeat(const struct oracle *o, const struct caller_op *op)
{
    const struct seen_lease *l;

    if (!cluster_is_calm(o, SETTLED_MS) || op->node->started_ms + SETTLED_MS > op->started_ms)
        return false;
    STAILQ_FOREACH(l, &o->leases, link)
    if (l->session == op->session && l->account == op->account && l->order < op->sent_order && is_open(o, l))
        return true;
    return false;
}

bool cluster_is_overdue(const struct oracle *o, uint64_t since_ms)
{
    const struct world *w = o->world;
    uint64_t death_ms = last_death_ms(w), from_ms = since_ms > death_ms ? since_ms : death_ms;
    uint64_t due_ms = from_ms + PROMPT_MS + TICK_MS + 4 * w->setup.latency_ms, calm_ms = world_calm_ms(w);

    return w->now_ms > due_ms && one_lives(w, from_ms) && calm_ms > w->now_ms - since_ms + SETTLED_MS &&
           (!w->restored_ms || since_ms > w->restored_ms + LISTED_MS);
}

void cluster_settle_releases(struct oracle *o,
                             bool (*covers)(const struct seen_release *, const struct seen_lease *))
{
    const struct world *w = o->world;
    struct seen_release *r;
    struct seen_lease *l;

    STAILQ_FOREACH(r, &o->releases, link)
    {
        if (!r->pending || !cluster_is_calm(o, SETTLED_MS))
            continue;
        r->pending = false;
        if (r->node->killed_ms >= r->at_ms || w->restored_ms >= r->at_ms) /* it has forgotten it */
            continue;
        counts_add(w->counts, 1, "release.done_later");
        STAILQ_FOREACH(l, &o->leases, link)
        if (covers(r, l) && !l->released_ms)
            l->released_ms = w->now_ms;
    }
}

/* It works no more, since then; 0 = it does, or nothing knows. */
static uint64_t death_ms(const struct world *w, const struct node *n)
{
    if (!gateway_run_up(n->gateway))
        return n->killed_ms;
    return node_is_paused(n) && n->paused_ms > w->now_ms ? n->pause_began_ms : 0;
}

static void check_fenced(struct world *w, struct node *n)
{
    uint64_t from_ms = last_death_ms(w);

    from_ms = w->disturbed_ms > from_ms ? w->disturbed_ms : from_ms;
    from_ms = n->fenced_ms > from_ms ? n->fenced_ms : from_ms;
    if (!gateway_run_serves(n->gateway) || w->restored_ms >= n->fenced_ms)
        n->fenced_ms = 0;
    else if (!node_is_paused(n) && w->now_ms > from_ms + PROMPT_MS)
        world_fail(w, "g%u was counted as dead %u ms ago, and its trail does not say so", n->number,
                   (unsigned)(w->now_ms - n->fenced_ms));
}

void cluster_check_nodes(struct oracle *o)
{
    struct world *w = o->world;

    for (unsigned k = 0; k < w->nnodes; k++) {
        struct node *n = &w->node[k];
        uint64_t since_ms = death_ms(w, n);

        if (since_ms && cluster_is_overdue(o, since_ms) &&
            (etcd_sim_has_member(w->etcd, n) || etcd_sim_owns(w->etcd, n)))
            world_fail(w, "g%u has died %u ms ago, and no other gateway has its rows", k,
                       (unsigned)(w->now_ms - since_ms));
        if (n->fenced_ms)
            check_fenced(w, n);
    }
}

bool cluster_may_be_unread(const struct oracle *o, const struct vault_entry *e)
{
    const struct world *w = o->world;

    return etcd_sim_is_held(w->etcd, e->id) &&
           !cluster_is_calm(o, (2 * w->setup.reconcile_minutes + 1) * UINT64_C(60000));
}

/* Approved meanwhile, it waits for a check-out. */
static bool may_wait(const struct oracle *o, const struct vault_entry *e)
{
    uint64_t until_ms = e->waits_until_ms + (uint64_t)cluster_apart_ms(o, e->made_ms);

    return e->wanted_approval && o->world->now_ms < until_ms && !seen_handed_over(o, e);
}

void cluster_check_unheld(struct oracle *o, struct vault_entry *e)
{
    struct world *w = o->world;

    if (!vault_live(e) || e->own || e->stray || may_wait(o, e) || etcd_sim_is_held(w->etcd, e->id)) {
        e->unheld_ms = 0;
        return;
    }
    e->unheld_ms = e->unheld_ms ? e->unheld_ms : w->now_ms;
    if (cluster_is_overdue(o, e->unheld_ms))
        world_fail(w, "no lease has held request %u for %u ms, and it is still live", e->id,
                   (unsigned)(w->now_ms - e->unheld_ms));
}
