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
#include "broker/broker.h"
#include "broker/op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t key_hash(const struct vault *vault, const char *user, int64_t request_id)
{
    return table_hash(user, strlen(user)) ^ table_hash(&request_id, sizeof request_id) ^
           table_hash(&vault, sizeof(const struct vault *));
}

struct loan *loan_find(struct leases *ls, struct vault *vault, const char *user, int64_t request_id)
{
    struct table_node *node = table_first(&ls->loans, key_hash(vault, user, request_id));

    for (; node; node = table_next(node)) {
        struct loan *loan = OWNER_OF(node, struct loan, node);

        if (loan->vault == vault && loan->request_id == request_id && strcmp(loan->user, user) == 0)
            return loan;
    }
    return NULL;
}

struct loan *loan_new(struct leases *ls, struct vault *vault, const char *user, int64_t request_id,
                      enum loan_origin origin)
{
    size_t n = strlen(user) + 1;
    struct loan *loan = calloc(1, sizeof *loan + n);

    if (!loan)
        return NULL;
    loan->leases = ls;
    loan->vault = vault;
    loan->request_id = request_id;
    loan->state = LOAN_OPEN;
    loan->origin = (uint8_t)origin;
    loan->ends_ms = UINT64_MAX;
    loan->node.spare = 1;
    memcpy(loan->user, user, n);
    if (table_add(&ls->loans, &loan->node, key_hash(vault, user, request_id))) {
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
    n++;
    return n;
}

/* ---- the end of its time ---- */

static void on_end(struct deadline *d)
{
    struct loan *loan = OWNER_OF(d, struct loan, deadline);
    const char none[ID_SIZE] = "";

    loan_take(loan); /* it must outlive its leases for the length of this loop */
    while (!SLIST_EMPTY(&loan->held))
        lease_close(SLIST_FIRST(&loan->held), "expired");
    loan_drop(loan, none);
}

/* A loan whose timer cannot be had ends through its leases alone; the vault's own expiry is the backstop. */
static void start_timer(struct loan *loan, uint64_t delay_ms)
{
    if (timer_start(loan->leases->timers, &loan->deadline, delay_ms, on_end))
        log_error("timed_release_lost", "user=%s error=%s", loan->user, "out of memory");
}

void loan_set_end(struct loan *loan, uint64_t ends_ms, int64_t expires_wall_ms)
{
    uint64_t now = clock_now(loan->leases->clock);

    loan->ends_ms = ends_ms;
    loan->expires_wall_ms = expires_wall_ms;
    start_timer(loan, ends_ms > now ? ends_ms - now : 0);
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

void loan_drop(struct loan *loan, const char lease_id[ID_SIZE])
{
    loan->node.spare--;
    if (loan->node.spare || !SLIST_EMPTY(&loan->held))
        return;
    if (loan->gone || loan->origin != LOAN_OURS) {
        loan_end(loan, LOAN_FORGOTTEN);
        return;
    }
    loan_return(loan, lease_id);
}

/* ---- all of them ---- */

static void close_sitting(struct table_node *node, void *arg)
{
    struct sitting *s = OWNER_OF(node, struct sitting, node);

    (void)arg;
    for (bool last = false; !last;) { /* the last lease takes the sitting with it */
        struct lease *lease = SLIST_FIRST(&s->leases);

        last = SLIST_NEXT(lease, of_sitting) == NULL;
        lease_close(lease, "stopping");
    }
}

void leases_close_all(struct leases *ls)
{
    ls->closing = true;
    table_each(&ls->sittings, close_sitting, NULL);
}

bool leases_quiet(const struct leases *ls, bool all_returned)
{
    return ls->in_flight == 0 && (!all_returned || (ls->retrying == 0 && ls->hunts == 0 && ls->nleases == 0));
}

static void note_overdue(struct table_node *node, void *arg)
{
    struct loan *loan = OWNER_OF(node, struct loan, node);
    struct broker_state *state = arg;
    uint64_t now = clock_now(loan->leases->clock);

    if (loan->origin == LOAN_OURS && now > loan->ends_ms && now - loan->ends_ms > state->oldest_overdue_ms)
        state->oldest_overdue_ms = now - loan->ends_ms;
    state->leases_releasing += loan->state == LOAN_RETURNING && loan_in_flight(loan);
}

void leases_state(struct leases *ls, struct broker_state *state)
{
    state->leases_active = ls->nleases;
    state->leases_retrying = ls->retrying + ls->hunts;
    state->lapsed = ls->counters.lapsed;
    table_each(&ls->loans, note_overdue, state);
}

static void free_loan(struct table_node *node, void *arg)
{
    struct loan *loan = OWNER_OF(node, struct loan, node);

    (void)arg;
    loan_cancel(loan);
    while (!SLIST_EMPTY(&loan->held)) {
        struct lease *lease = SLIST_FIRST(&loan->held);

        SLIST_REMOVE_HEAD(&loan->held, of_loan);
        free(lease);
    }
    timer_stop(loan->leases->timers, &loan->deadline);
    table_remove(&loan->leases->loans, &loan->node);
    free(loan);
}

static void free_sitting(struct table_node *node, void *arg)
{
    (void)arg;
    free(OWNER_OF(node, struct sitting, node));
}

void leases_free(struct leases *ls)
{
    if (!ls)
        return;
    intents_free(ls);
    table_each(&ls->loans, free_loan, NULL);
    table_each(&ls->sittings, free_sitting, NULL);
    table_free(&ls->loans);
    table_free(&ls->sittings);
    table_free(&ls->intents);
    free(ls);
}
