/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconcile.c - one list of live requests per user, and what follows from it.
 *
 *   round (start, every reconcile_every)  \                              / ours, held        : nothing
 *   recovers that wait for a user's list      +-> asker -> paced -> list ->+  ours, unheld      : checked in
 *   a second look at what was missing     /    (one per user)            \ held, not listed : closed, 2nd
 * time
 *
 * An asker is one (vault, user) with a reason to ask. It asks once for all that wait, in the background, and
 * all askers together keep to the configured rate; so neither a restart nor a vault that comes back meets a
 * herd.
 *
 * Ours is what bears the id of a lease of ours in its reason (contract 9.13), or a cut mark that fits an
 * intent and its account. A request without is never touched.
 *
 * An answer is older than it looks: it can lack what was made after it, and show what has been given back
 * since. So only those vault requests are judged that were open before the call was sent (their request ids
 * are noted in `held`), and only when two lists in a row lack them, since a list may be partial. To give back
 * what has been given back already does no harm: it is gone.
 *
 * Not here: how often a recovery looks (intent.c), how a request is given back (checkin.c).
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/lease_audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX   32
#define SECOND_LOOK_MS  5000
#define STRAY_KEPT_MS   (24 * 3600000LL) /* given back for so long, where its end is not known */
#define CALL_TIMEOUT(v) ((v)->conf->call_timeout_ms)

LIST_HEAD(intent_links, intent_link);

enum request_poll_state { POLL_IDLE, POLL_RESTING, POLL_QUEUED, POLL_IN_FLIGHT };

struct request_poll {
    struct table_node node;
    struct reconcile *reconcile;
    struct vault *vault;
    enum request_poll_state state;
    bool wanted; /* what it waits for came after the call was sent */
    unsigned failures;
    uint64_t round;
    struct intent_links waiting, asked;
    int64_t *held; /* request ids of vault requests to be judged by the next answer */
    size_t nheld, cap;
    struct deadline rest;
    TAILQ_ENTRY(request_poll) link;
    struct vault_call call;
    char user[];
};

struct reconcile {
    struct leases *leases;
    uint64_t every_ms, gap_us;
    struct table polls;
    TAILQ_HEAD(, request_poll) queue;
    size_t in_flight;
    uint64_t next_us; /* of the monotonic clock: the next call may go */
    uint64_t round;
    struct deadline pace, periodic;
    struct skew_notes skew;
};

static void pump(struct reconcile *);

struct reconcile *reconcile_new(struct leases *ls, uint64_t every_ms, double per_s)
{
    struct reconcile *rc = calloc(1, sizeof *rc);

    if (!rc)
        return NULL;
    rc->leases = ls;
    rc->every_ms = every_ms;
    rc->gap_us = per_s > 0 ? (uint64_t)(1e6 / per_s) : 0;
    TAILQ_INIT(&rc->queue);
    return rc;
}

/* ---- askers ---- */

static struct request_poll *request_poll_find(const struct reconcile *rc, const struct vault *vault,
                                              const char *user)
{
    struct table_node *node = table_first(&rc->polls, table_hash_person(user));

    for (; node; node = table_next(node)) {
        struct request_poll *a = CONTAINER_OF(node, struct request_poll, node);

        if (a->vault == vault && person_same(a->user, user))
            return a;
    }
    return NULL;
}

static struct request_poll *request_poll_get(struct reconcile *rc, struct vault *vault, const char *user)
{
    struct request_poll *a = request_poll_find(rc, vault, user);
    size_t n = strlen(user) + 1;

    if (a)
        return a;
    a = calloc(1, sizeof *a + n);
    if (!a)
        return NULL;
    a->reconcile = rc;
    a->vault = vault;
    memcpy(a->user, user, n);
    if (table_add(&rc->polls, &a->node, table_hash_person(user))) {
        free(a);
        return NULL;
    }
    return a;
}

static void request_poll_free(struct request_poll *a)
{
    struct reconcile *rc = a->reconcile;

    if (a->state == POLL_IN_FLIGHT) {
        a->vault->ops->cancel(a->vault, &a->call);
        rc->in_flight--;
    }
    if (a->state == POLL_QUEUED)
        TAILQ_REMOVE(&rc->queue, a, link);
    timer_stop(rc->leases->timers, &a->rest);
    table_remove(&rc->polls, &a->node);
    vault_call_free(&a->call);
    free(a->held);
    free(a);
}

static void enqueue(struct request_poll *a)
{
    struct reconcile *rc = a->reconcile;

    if (a->state == POLL_IN_FLIGHT) {
        a->wanted = true;
        return;
    }
    if (a->state == POLL_QUEUED)
        return;
    timer_stop(rc->leases->timers, &a->rest);
    a->state = POLL_QUEUED;
    TAILQ_INSERT_TAIL(&rc->queue, a, link);
}

static void on_rested(struct deadline *d)
{
    struct request_poll *a = CONTAINER_OF(d, struct request_poll, rest);

    a->state = POLL_IDLE;
    enqueue(a);
    pump(a->reconcile);
}

static void unlink_intent(struct intent_link *link)
{
    if (link->linked)
        LIST_REMOVE(link, link);
    link->linked = false;
}

static void link_intent(struct intent_links *list, struct intent_link *link)
{
    link->linked = true;
    LIST_INSERT_HEAD(list, link, link);
}

void reconcile_ask(struct reconcile *rc, struct intent *in)
{
    struct request_poll *a = request_poll_get(rc, intent_vault(in), intent_user(in));

    if (!a) {
        intent_not_found(in, INTENT_NOT_READ);
        return;
    }
    link_intent(&a->waiting, intent_link(in));
    enqueue(a);
    pump(rc);
}

void reconcile_leave(struct reconcile *rc, struct intent *in)
{
    (void)rc;
    unlink_intent(intent_link(in));
}

/* ---- after an answer ---- */

/* Something is left to be asked for, now or after a rest; or the asker has done its work. */
static void settle(struct request_poll *a, uint64_t rest_ms)
{
    struct reconcile *rc = a->reconcile;

    a->state = POLL_IDLE;
    if (a->wanted || !LIST_EMPTY(&a->waiting)) {
        a->wanted = false;
        enqueue(a);
    } else if (!a->nheld) {
        request_poll_free(a);
    } else if (timer_start(rc->leases->timers, &a->rest, rest_ms, on_rested)) {
        request_poll_free(a); /* the next round will ask */
    } else {
        a->state = POLL_RESTING;
    }
}

/* Each of these may end its intent, and what it does may link others: those go to `waiting`. */
static void notify_polls(struct request_poll *a, enum intent_news news)
{
    struct intent_link *link;

    while ((link = LIST_FIRST(&a->asked))) {
        unlink_intent(link);
        intent_not_found(intent_of_link(link), news);
    }
}

static struct intent *polled_for(const struct request_poll *a, const struct active_request *row)
{
    struct intent_link *link;

    LIST_FOREACH(link, &a->asked, link)
    if (intent_matches(intent_of_link(link), row))
        return intent_of_link(link);
    return NULL;
}

/* Its lease has long ended, or another request of the same lease is held: a POST that was carried out twice.
 */
void reconcile_stray(struct leases *ls, struct vault *vault, const char *user,
                     const struct active_request *row, const char *mark)
{
    static const struct session nobody = {.id = "", .username = ""};
    struct vault_request *request = vault_request_new(ls, vault, user, row->request_id, ORIGIN_OURS);
    char id[ID_SIZE];

    if (!request)
        return; /* the next list will have it again */
    int64_t now = clock_wall(ls->clock);
    int64_t left = skew_left(ls->clock, vault, row);

    left = left ? left : STRAY_KEPT_MS;
    request->expires_wall_ms = now + left;
    request->ends_ms = clock_now(ls->clock) + (uint64_t)left;
    log_warn("stray_request", "user=%s mark=%s", user, mark);
    audit_reconciled(ls->audit, request, "stray_request", mark);
    vault_request_drop(request, id_new(id) ? NULL : lease_intend(ls, &nobody, "", id));
}

/* Of a check-out whose own answer is still to come. */
static bool is_in_flight(const struct leases *ls, const char *id)
{
    const struct lease *lease = lease_by_id(ls, id);

    return lease && lease->state == LEASE_INTENT;
}

static void judge_row(struct request_poll *a, const struct active_request *row)
{
    struct leases *ls = a->reconcile->leases;
    struct vault_request *request =
        vault_request_known(ls, a->vault, row->request_id, a->user, row_account(row));
    struct intent *in = LIST_EMPTY(&a->asked) ? NULL : polled_for(a, row);
    char id[ID_SIZE];
    bool marked = reason_lease_id(row->reason, id);

    if (!request && marked)
        request = vault_request_marked(ls, row, id);
    if (request && vault_request_is_unproven(request) && vault_request_proven(request, row))
        vault_request_prove(request);
    if (request && !vault_request_is_unproven(request))
        request->missed = request->gone = false;
    if (in)
        intent_found(in, row->request_id);
    else if (!request && marked && lease_id_known(ls, id) && !is_in_flight(ls, id) &&
             !vault_request_find(ls, a->vault, row->request_id)) /* else that one has to end first */
        reconcile_stray(ls, a->vault, a->user, row, id);
}

static int by_id(const void *x, const void *y)
{
    const struct active_request *a = x, *b = y;

    return (a->request_id > b->request_id) - (a->request_id < b->request_id);
}

/* The vault has ended it: the leases on it are worth nothing. */
static void close_gone(struct vault_request *request)
{
    struct lease *lease = SLIST_FIRST(&request->held), *next;

    log_warn("request_gone", "user=%s holders=%zu", request->user, vault_request_holders(request));
    audit_reconciled(request->leases->audit, request, "request_gone", NULL);
    vault_request_gone(request);
    for (; lease; lease = next) {
        next = SLIST_NEXT(lease, of_request);
        if (lease->state == LEASE_OPEN)
            lease_close(lease, "gone");
    }
}

/* In the answer, sorted, as what it is here: of its account and, where that is in doubt, with a mark. */
static bool is_listed(const struct active_requests *active, const struct vault_request *request)
{
    struct active_request key = {.request_id = request->request_id};
    const struct active_request *row =
        active->n ? bsearch(&key, active->rows, active->n, sizeof key, by_id) : NULL;

    return row && vault_request_of_account(request, row_account(row)) && !vault_request_is_unproven(request);
}

/* What stays in `held` is looked for once more. */
static void judge_held(struct request_poll *a)
{
    struct active_requests *active = &a->call.active;
    const struct vault_account any = {0};
    size_t n = a->nheld, kept = 0;

    if (active->n)
        qsort(active->rows, active->n, sizeof *active->rows, by_id);
    for (size_t i = 0; i < n; i++) {
        struct vault_request *request =
            vault_request_known(a->reconcile->leases, a->vault, a->held[i], a->user, any);

        if (!request || request->state != REQUEST_HELD || is_listed(active, request))
            continue;
        if (!request->missed && !request->gone) {
            request->missed = true;
            a->held[kept++] = a->held[i];
        } else {
            close_gone(request);
        }
    }
    a->nheld = kept;
}

static void on_listed(struct vault_call *call)
{
    struct request_poll *a = CONTAINER_OF(call, struct request_poll, call);
    struct reconcile *rc = a->reconcile;

    crash_point("reconcile.list.answered");
    rc->in_flight--; /* the state stays: what is asked for meanwhile must not free the rows */
    if (call->result == VAULT_OK) {
        a->failures = 0;
        for (size_t i = 0; i < call->active.n; i++)
            judge_row(a, &call->active.rows[i]);
        judge_held(a);
        notify_polls(a, INTENT_NOT_THERE);
        skew_note(&rc->skew, a->vault);
        settle(a, SECOND_LOOK_MS);
    } else {
        notify_polls(a, INTENT_NOT_READ);
        settle(a, leases_backoff(rc->leases, ++a->failures));
    }
    pump(rc);
}

/* ---- pace ---- */

static uint64_t now_us(const struct reconcile *rc)
{
    return clock_now(rc->leases->clock) * 1000;
}

static void on_pace(struct deadline *d)
{
    pump(CONTAINER_OF(d, struct reconcile, pace));
}

static void send_list(struct request_poll *a)
{
    struct reconcile *rc = a->reconcile;
    struct intent_link *link;

    while ((link = LIST_FIRST(&a->waiting))) {
        unlink_intent(link);
        link_intent(&a->asked, link);
    }
    vault_call_free(&a->call);
    a->call = (struct vault_call){
        .user = a->user, .timeout_ms = CALL_TIMEOUT(a->vault), .background = true, .done = on_listed};
    a->state = POLL_IN_FLIGHT;
    crash_point("reconcile.list.before");
    if (a->vault->ops->requests(a->vault, &a->call) == 0) {
        rc->in_flight++;
        crash_point("reconcile.list.sent");
        return;
    }
    notify_polls(a, INTENT_NOT_READ);
    settle(a, leases_backoff(rc->leases, ++a->failures));
}

/* Those that are queued meanwhile by a failure to start rest first, so this ends. */
static void pump(struct reconcile *rc)
{
    uint64_t now = now_us(rc);

    while (!TAILQ_EMPTY(&rc->queue) && rc->in_flight < IN_FLIGHT_MAX && rc->next_us <= now) {
        struct request_poll *a = TAILQ_FIRST(&rc->queue);

        TAILQ_REMOVE(&rc->queue, a, link);
        rc->next_us = (rc->next_us + rc->gap_us < now ? now : rc->next_us) + rc->gap_us;
        send_list(a);
    }
    if (TAILQ_EMPTY(&rc->queue) || rc->next_us <= now || timer_running(&rc->pace))
        return;
    if (timer_start(rc->leases->timers, &rc->pace, (rc->next_us - now + 999) / 1000, on_pace))
        log_error("reconcile_stalled", "error=%s", "out of memory"); /* the next answer or round goes on */
}

/* ---- rounds ---- */

static bool note_held(struct request_poll *a, int64_t request_id)
{
    if (a->nheld == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 4;
        int64_t *held = realloc(a->held, cap * sizeof *held);

        if (!held)
            return false;
        a->held = held;
        a->cap = cap;
    }
    a->held[a->nheld++] = request_id;
    return true;
}

static void note_vault_request(struct table_node *node, void *arg)
{
    struct reconcile *rc = arg;
    struct vault_request *request = CONTAINER_OF(node, struct vault_request, node);
    struct request_poll *a;

    if (request->state != REQUEST_HELD || request->origin == ORIGIN_NO_REQUEST ||
        rc->leases->checkin_queues[request->checkin_queue]->absent ||
        !(a = request_poll_get(rc, vault_request_vault(request), request->user)) ||
        a->state == POLL_IN_FLIGHT)
        return; /* one that is being asked for is judged next time */
    if (a->round != rc->round)
        a->nheld = 0; /* of a round before that was never answered */
    a->round = rc->round;
    request->missed = false;
    if (note_held(a, request->request_id))
        enqueue(a);
}

static void on_round(struct deadline *d)
{
    struct reconcile *rc = CONTAINER_OF(d, struct reconcile, periodic);
    struct leases *ls = rc->leases;

    rc->round++;
    table_each(&ls->requests, note_vault_request, rc);
    for (size_t i = 0; i < ls->ncheckin_queues; i++)
        if (!ls->checkin_queues[i]->absent)
            skew_note(&rc->skew, ls->checkin_queues[i]->vault);
    log_debug("reconcile_round", "users=%zu loans=%zu", rc->polls.n, ls->requests.n);
    pump(rc);
    if (rc->every_ms && timer_start(ls->timers, &rc->periodic, rc->every_ms, on_round))
        log_error("reconcile_stopped", "error=%s", "out of memory");
}

int reconcile_start(struct reconcile *rc)
{
    if (!rc->every_ms && !rc->leases->requests.n)
        return 0;
    return timer_start(rc->leases->timers, &rc->periodic, 0, on_round);
}

static void free_poll(struct table_node *node, void *arg)
{
    struct request_poll *a = CONTAINER_OF(node, struct request_poll, node);
    struct intent_link *link;

    (void)arg;
    while ((link = LIST_FIRST(&a->waiting)) || (link = LIST_FIRST(&a->asked)))
        unlink_intent(link);
    request_poll_free(a);
}

void reconcile_free(struct reconcile *rc)
{
    if (!rc)
        return;
    table_each(&rc->polls, free_poll, NULL);
    table_free(&rc->polls);
    timer_stop(rc->leases->timers, &rc->pace);
    timer_stop(rc->leases->timers, &rc->periodic);
    skew_free(&rc->skew);
    free(rc);
}
