/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loan.c - one live vault request and its holders.
 *
 * Holders are leases and check-outs in flight that know the request id (node.spare counts the latter). A
 * check-out counts from the moment it has read the id, so that the undoing of one cannot take the request
 * from another that the vault's reuse gave the same id.
 *
 * Invariant: a loan of ours that is OPEN has a holder, and one without holders is RETURNING; out of the table
 * leads loan_end() alone. The end belongs to the vault request, not to a lease: who joins later
 * gets what is left. The deadline fires at the end and closes every lease; check-outs in flight keep their
 * hold and find out by themselves.
 *
 * Not here: the check-in and its retries (checkin.c).
 */
#include "broker/leases.h"

#include "base/log.h"
#include "base/person.h"
#include "broker/broker.h"
#include "broker/checkin.h"
#include "broker/op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BURST            200  /* timed releases in one millisecond */
#define WHOLE_SECONDS_MS 2000 /* leases from this length on end with a whole second */

static uint32_t key_hash(const struct lane *lane, int64_t request_id)
{
    return table_hash(&request_id, sizeof request_id) ^ table_hash(&lane->place, sizeof lane->place);
}

struct vault *loan_vault(const struct loan *loan)
{
    return loan->leases->lanes[loan->lane]->vault;
}

struct loan *loan_find(struct leases *ls, const struct vault *vault, int64_t request_id)
{
    const struct lane *lane = lane_of(ls, vault);
    struct table_node *node = table_first(&ls->loans, key_hash(lane, request_id));

    for (; node; node = table_next(node)) {
        struct loan *loan = OWNER_OF(node, struct loan, node);

        if (loan->request_id == request_id && ls->lanes[loan->lane]->place == lane->place)
            return loan;
    }
    return NULL;
}

struct loan *loan_new(struct leases *ls, struct vault *vault, const char *user, int64_t request_id,
                      enum loan_origin origin)
{
    const struct lane *lane = lane_of(ls, vault);
    size_t n = strlen(user) + 1;
    struct loan *loan = malloc(offsetof(struct loan, user) + n); /* the text begins in the padding */

    if (!loan)
        return NULL;
    memset(loan, 0, offsetof(struct loan, user));
    loan->leases = ls;
    loan->lane = lane->number;
    loan->request_id = request_id;
    loan->state = LOAN_OPEN;
    loan->origin = (uint8_t)origin;
    loan->ends_ms = UINT64_MAX;
    loan->node.spare = 1;
    memcpy(loan->user, user, n);
    if (table_add(&ls->loans, &loan->node, key_hash(lane, request_id))) {
        free(loan);
        return NULL;
    }
    return loan;
}

size_t loan_holders(const struct loan *loan)
{
    size_t n = loan->node.spare;
    const struct lease *lease;

    SLIST_FOREACH(lease, &loan->held, of_loan)
    n += lease->state == LEASE_OPEN;
    return n;
}

/* ---- the end of its time ---- */

/* The loan may go with its last lease, so the next one is picked before. */
static void close_leases(struct loan *loan)
{
    struct lease *lease = SLIST_FIRST(&loan->held);

    loan->expired = clock_now(loan->leases->clock) >= loan_ends(loan);
    while (lease) {
        struct lease *next = SLIST_NEXT(lease, of_loan);

        if (lease->state == LEASE_OPEN)
            lease_close(lease, "expired");
        lease = next;
    }
}

static void on_end(struct deadline *d)
{
    close_leases(OWNER_OF(d, struct loan, deadline));
}

/* When very many end in one millisecond the rest goes to the next ones, so that the loop can breathe. */
static void on_time(struct deadline *d)
{
    struct loan *loan = OWNER_OF(d, struct loan, deadline);
    struct leases *ls = loan->leases;
    uint64_t now = clock_now(ls->clock);

    ls->burst = now == ls->burst_ms ? ls->burst + 1 : 0;
    ls->burst_ms = now;
    if (ls->burst < BURST || timer_start(ls->timers, d, ls->burst / BURST, on_end))
        close_leases(loan);
}

/* A loan whose timer cannot be had ends through its leases alone; the vault's own expiry is the backstop. */
static void start_timer(struct loan *loan, uint64_t delay_ms)
{
    if (timer_start(loan->leases->timers, &loan->deadline, delay_ms, on_time))
        log_error("timed_release_lost", "user=%s error=%s", loan->user, "out of memory");
}

/*
 * The end is answered in whole seconds and is the end: a part of a second is cut off both, since the vault's
 * own end is no later. What is so short that this would take a good part of it (a simulator's minutes) keeps
 * its length, and the answer is rounded up.
 */
void loan_set_end(struct loan *loan, uint64_t ends_ms, int64_t expires_wall_ms)
{
    uint64_t now = clock_now(loan->leases->clock);
    int64_t part = expires_wall_ms % 1000;

    if (part > 0 && ends_ms > now && ends_ms - now >= WHOLE_SECONDS_MS) {
        ends_ms -= (uint64_t)part;
        expires_wall_ms -= part;
    } else if (part > 0) {
        expires_wall_ms += 1000 - part;
    }
    loan->ends_ms = ends_ms;
    loan->expires_wall_ms = expires_wall_ms;
    start_timer(loan, ends_ms > now ? ends_ms - now : 0);
}

bool loan_expire(struct loan *loan)
{
    if (loan->state != LOAN_OPEN || clock_now(loan->leases->clock) < loan_ends(loan))
        return false;
    close_leases(loan);
    return true;
}

void loan_end_now(struct loan *loan)
{
    start_timer(loan, 0);
}

/* ---- holders ---- */

void loan_take(struct loan *loan)
{
    loan->node.spare++;
}

void loan_gone(struct loan *loan)
{
    loan->gone = true;
}

void loan_uncover(struct loan *loan)
{
    struct lease *lease = SLIST_FIRST(&loan->held), *next;

    for (; lease; lease = next) {
        next = SLIST_NEXT(lease, of_loan);
        if (lease->state == LEASE_OPEN)
            continue;
        SLIST_REMOVE(&loan->held, lease, lease, of_loan);
        lease_discard(loan->leases, lease);
    }
}

static bool has_open_lease(const struct loan *loan)
{
    const struct lease *lease;

    SLIST_FOREACH(lease, &loan->held, of_loan)
    if (lease->state == LEASE_OPEN)
        return true;
    return false;
}

void loan_drop(struct loan *loan, struct lease *lease)
{
    loan->node.spare--;
    if (lease && loan->origin == LOAN_OURS && !loan->gone)
        lease_cover(lease, loan);
    else if (lease)
        lease_discard(loan->leases, lease);
    if (has_open_lease(loan)) {
        loan_uncover(loan); /* that one's row is durable */
        return;
    }
    if (loan->node.spare) {
        /* A restart must not take it for open; but its row is all there is until the other's is durable. */
        if (lease && !SLIST_EMPTY(&loan->held) && lease_tell(loan->leases, SLIST_FIRST(&loan->held)))
            log_error("journal_lost", "user=%s error=%s", loan->user, "out of memory");
        return;
    }
    if (loan->gone || loan->origin != LOAN_OURS)
        loan_end(loan, LOAN_FORGOTTEN);
    else
        loan_return(loan, !loan->expired);
}

/* ---- all of them ---- */

/* By number, since the end of one lease may end others. */
void leases_close_all(struct leases *ls)
{
    struct lease *lease;

    ls->closing = true;
    for (uint64_t seq = 0; (lease = registry_after(&ls->registry, seq, &seq));)
        if (lease->state == LEASE_OPEN && lease_is_held(lease))
            lease_close(lease, "stopping");
}

bool leases_quiet(const struct leases *ls, bool all_returned)
{
    return ls->in_flight == 0 && journal_quiet(ls->journal) &&
           (!all_returned || (ls->retrying == 0 && ls->hunts == 0 && ls->nleases == 0));
}

struct tally {
    struct broker_state *state;
    uint64_t now;
};

static void note_overdue(struct table_node *node, void *arg)
{
    struct loan *loan = OWNER_OF(node, struct loan, node);
    struct tally *t = arg;
    uint64_t ends = loan_ends(loan);

    if (loan->origin == LOAN_OURS && t->now > ends && t->now - ends > t->state->oldest_overdue_ms)
        t->state->oldest_overdue_ms = t->now - ends;
    t->state->leases_releasing += loan->state == LOAN_RETURNING && loan_in_flight(loan);
}

void leases_state(struct leases *ls, struct broker_state *state)
{
    state->leases_active = ls->nleases;
    state->leases_retrying = ls->retrying + ls->hunts;
    state->leases_intent = ls->nintents;
    state->lapsed = ls->lapsed_ever;
    state->journal_stuck = journal_stuck(ls->journal);
    state->store_writable = journal_writable(ls->journal);
    table_each(&ls->loans, note_overdue, &(struct tally){state, clock_now(ls->clock)});
}

static void free_loan(struct loan *loan)
{
    struct lease *lease;

    loan_cancel(loan);
    while ((lease = SLIST_FIRST(&loan->held))) {
        SLIST_REMOVE_HEAD(&loan->held, of_loan);
        lease_free(loan->leases, lease);
    }
    free(loan);
}

static void free_node(struct table_node *node, void *arg)
{
    struct leases *ls = arg;

    table_remove(&ls->loans, node);
    free_loan(OWNER_OF(node, struct loan, node));
}

static void free_lapsed(struct leases *ls)
{
    struct checkin *c;

    while ((c = TAILQ_FIRST(&ls->lapsed))) {
        TAILQ_REMOVE(&ls->lapsed, c, lapsed);
        free_loan(c->loan);
    }
}

/* What is left are intents and leases of check-outs that never came to a loan. */
static void free_leases(struct leases *ls)
{
    struct lease *lease;
    uint64_t seq;

    while ((lease = registry_after(&ls->registry, 0, &seq))) {
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
    table_each(&ls->loans, free_node, ls);
    free_lapsed(ls);
    free_leases(ls);
    journal_free(ls->journal);
    table_free(&ls->loans);
    table_free(&ls->sittings);
    registry_free(&ls->registry);
    lanes_free(ls);
    free(ls);
}
