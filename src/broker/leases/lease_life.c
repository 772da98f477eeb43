/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_life.c - one live vault request and its holders.
 *
 * Holders are leases and check-outs in flight that know the request id (node.spare counts the latter). A
 * check-out counts from the moment it has read the id, so that the undoing of one cannot take the request
 * from another that the vault's reuse gave the same id.
 *
 * Invariant: a vault request of ours that is OPEN has a holder, and one without holders is RETURNING; out of
 * the table leads vault_request_end() alone. The end belongs to the vault request, not to a lease: who joins
 * later gets what is left. The deadline fires at the end and closes every lease; check-outs in flight keep
 * their hold and find out by themselves.
 *
 * Not here: the check-in and its retries (checkin.c), which record a request is (request_identity.c).
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/broker.h"
#include "broker/leases/checkin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BURST            200  /* timed releases in one millisecond */
#define WHOLE_SECONDS_MS 2000 /* leases from this length on end with a whole second */

struct vault *vault_request_vault(const struct vault_request *request)
{
    return request->leases->checkin_queues[request->checkin_queue]->vault;
}

struct vault_request *vault_request_new(struct leases *ls, struct vault *vault, const char *user,
                                        int64_t request_id, enum request_origin origin)
{
    const struct checkin_queue *checkin_queue = checkin_queue_of(ls, vault);
    size_t n = strlen(user) + 1;
    struct vault_request *request =
        malloc(offsetof(struct vault_request, user) + n); /* the text begins in the padding */

    if (!request)
        return NULL;
    memset(request, 0, offsetof(struct vault_request, user));
    request->leases = ls;
    request->checkin_queue = checkin_queue->number;
    request->request_id = request_id;
    request->state = REQUEST_HELD;
    request->origin = (uint8_t)origin;
    request->ends_ms = UINT64_MAX;
    request->node.spare = 1;
    memcpy(request->user, user, n);
    if (table_add(&ls->requests, &request->node, vault_request_hash(request_id))) {
        free(request);
        return NULL;
    }
    return request;
}

size_t vault_request_holders(const struct vault_request *request)
{
    size_t n = request->node.spare;
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->held, of_request)
    n += lease->state == LEASE_OPEN;
    return n;
}

/* ---- the end of its time ---- */

/* The vault request may go with its last lease, so the next one is picked before. */
static void close_leases(struct vault_request *request)
{
    struct lease *lease = SLIST_FIRST(&request->held);

    request->expired = clock_now(request->leases->clock) >= vault_request_ends(request);
    while (lease) {
        struct lease *next = SLIST_NEXT(lease, of_request);

        if (lease->state == LEASE_OPEN)
            lease_close(lease, "expired");
        lease = next;
    }
}

static void on_end(struct deadline *d)
{
    close_leases(CONTAINER_OF(d, struct vault_request, deadline));
}

/* When very many end in one millisecond the rest goes to the next ones, so that the loop can breathe. */
static void on_time(struct deadline *d)
{
    struct vault_request *request = CONTAINER_OF(d, struct vault_request, deadline);
    struct leases *ls = request->leases;
    uint64_t now = clock_now(ls->clock);

    ls->burst = now == ls->burst_ms ? ls->burst + 1 : 0;
    ls->burst_ms = now;
    if (ls->burst < BURST || timer_start(ls->timers, d, ls->burst / BURST, on_end))
        close_leases(request);
}

/* A vault request whose timer cannot be had ends through its leases alone; the vault's own expiry is the
 * backstop. */
static void start_timer(struct vault_request *request, uint64_t delay_ms)
{
    if (timer_start(request->leases->timers, &request->deadline, delay_ms, on_time))
        log_error("timed_release_lost", "user=%s error=%s", request->user, "out of memory");
}

/*
 * The end is answered in whole seconds and is the end: a part of a second is cut off both, since the vault's
 * own end is no later. What is so short that this would take a good part of it (a simulator's minutes) keeps
 * its length, and the answer is rounded up.
 */
void vault_request_set_end(struct vault_request *request, uint64_t ends_ms, int64_t expires_wall_ms)
{
    uint64_t now = clock_now(request->leases->clock);
    int64_t part = expires_wall_ms % 1000;

    if (part > 0 && ends_ms > now && ends_ms - now >= WHOLE_SECONDS_MS) {
        ends_ms -= (uint64_t)part;
        expires_wall_ms -= part;
    } else if (part > 0) {
        expires_wall_ms += 1000 - part;
    }
    request->ends_ms = ends_ms;
    request->expires_wall_ms = expires_wall_ms;
    start_timer(request, ends_ms > now ? ends_ms - now : 0);
}

bool vault_request_expire(struct vault_request *request)
{
    if (request->state != REQUEST_HELD || clock_now(request->leases->clock) < vault_request_ends(request))
        return false;
    close_leases(request);
    return true;
}

void vault_request_end_now(struct vault_request *request)
{
    start_timer(request, 0);
}

/* ---- holders ---- */

void vault_request_take(struct vault_request *request)
{
    request->node.spare++;
}

void vault_request_gone(struct vault_request *request)
{
    request->gone = true;
}

void vault_request_uncover(struct vault_request *request)
{
    struct lease *lease = SLIST_FIRST(&request->held), *next;

    for (; lease; lease = next) {
        next = SLIST_NEXT(lease, of_request);
        if (lease->state == LEASE_OPEN)
            continue;
        SLIST_REMOVE(&request->held, lease, lease, of_request);
        lease_discard(request->leases, lease);
    }
}

static bool has_open_lease(const struct vault_request *request)
{
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->held, of_request)
    if (lease->state == LEASE_OPEN)
        return true;
    return false;
}

void vault_request_drop(struct vault_request *request, struct lease *lease)
{
    request->node.spare--;
    if (lease && request->origin == ORIGIN_UNKNOWN && !request->gone && !request->node.spare &&
        !has_open_lease(request))
        intent_of_unproven(lease, request);
    else if (lease && request->origin == ORIGIN_OURS && !request->gone)
        lease_cover(lease, request);
    else if (lease)
        lease_discard(request->leases, lease);
    if (has_open_lease(request)) {
        vault_request_uncover(request); /* that one's row is durable */
        return;
    }
    if (request->node.spare) {
        /* A restart must not take it for open; but its row is all there is until the other's is durable. */
        if (lease && !SLIST_EMPTY(&request->held) && lease_tell(request->leases, SLIST_FIRST(&request->held)))
            log_error("journal_lost", "user=%s error=%s", request->user, "out of memory");
        return;
    }
    if (request->gone || request->origin != ORIGIN_OURS)
        vault_request_end(request, REQUEST_FORGOTTEN);
    else
        vault_request_return(request, !request->expired);
}

/* ---- all of them ---- */

/* By number, since the end of one lease may end others. */
void leases_close_all(struct leases *ls)
{
    struct lease *lease;

    ls->closing = true;
    for (uint64_t seq = 0; (lease = lease_index_after(&ls->lease_index, seq, &seq));)
        if (lease->state == LEASE_OPEN && lease_is_held(lease))
            lease_close(lease, "stopping");
}

bool leases_quiet(const struct leases *ls, bool all_returned)
{
    return ls->in_flight == 0 && journal_quiet(ls->journal) &&
           (!all_returned || (ls->retrying == 0 && ls->recoveries == 0 && ls->nleases == 0));
}

struct tally {
    struct broker_state *state;
    uint64_t now;
};

static void note_overdue(struct table_node *node, void *arg)
{
    struct vault_request *request = CONTAINER_OF(node, struct vault_request, node);
    struct tally *t = arg;
    uint64_t ends = vault_request_ends(request);

    if (request->origin == ORIGIN_OURS && t->now > ends && t->now - ends > t->state->oldest_overdue_ms)
        t->state->oldest_overdue_ms = t->now - ends;
    t->state->leases_releasing += request->state == REQUEST_RETURNING && vault_request_in_flight(request);
}

void leases_state(struct leases *ls, struct broker_state *state)
{
    state->leases_active = ls->nleases;
    state->leases_retrying = ls->retrying + ls->recoveries;
    state->leases_intent = ls->nintents;
    state->lapsed = ls->lapsed_ever;
    state->journal_stuck = journal_stuck(ls->journal);
    state->store_writable = journal_writable(ls->journal);
    table_each(&ls->requests, note_overdue, &(struct tally){state, clock_now(ls->clock)});
}

static void free_vault_request(struct vault_request *request)
{
    struct lease *lease;

    vault_request_cancel(request);
    while ((lease = SLIST_FIRST(&request->held))) {
        SLIST_REMOVE_HEAD(&request->held, of_request);
        lease_free(request->leases, lease);
    }
    free(request);
}

static void free_node(struct table_node *node, void *arg)
{
    struct leases *ls = arg;

    table_remove(&ls->requests, node);
    free_vault_request(CONTAINER_OF(node, struct vault_request, node));
}

static void free_lapsed(struct leases *ls)
{
    struct checkin *c;

    while ((c = TAILQ_FIRST(&ls->lapsed))) {
        TAILQ_REMOVE(&ls->lapsed, c, lapsed);
        free_vault_request(c->request);
    }
}

/* What is left are intents and leases of check-outs that never came to a vault request. */
static void free_leases(struct leases *ls)
{
    struct lease *lease;
    uint64_t seq;

    while ((lease = lease_index_after(&ls->lease_index, 0, &seq))) {
        if (lease->state == LEASE_INTENT)
            intent_close(lease->intent);
        lease_free(ls, lease);
    }
}

void leases_free(struct leases *ls)
{
    if (!ls)
        return;
    reconcile_free(ls->reconcile);
    table_each(&ls->requests, free_node, ls);
    free_lapsed(ls);
    free_leases(ls);
    journal_free(ls->journal);
    table_free(&ls->requests);
    table_free(&ls->session_leases);
    lease_index_free(&ls->lease_index);
    checkin_queues_free(ls);
    free(ls);
}
