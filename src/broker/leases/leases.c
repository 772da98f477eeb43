/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases.c - the lease table as a whole; see leases.h.
 *
 * It is made from the rows of the store before anything else happens. It is freed after the operations in
 * flight, which hold vault requests and watch check-ins.
 */
#include "broker/leases/internal.h"

#include <stdlib.h>
#include <string.h>

static bool build_table(struct leases *ls, const struct leases_opts *opts)
{
    if (lease_tag_load(&ls->tag, opts->store))
        return false;
    ls->journal = journal_new(opts->timers, opts->store);
    ls->reconcile = reconcile_new(ls, opts->reconcile_every_ms);
    if (!ls->journal || !ls->reconcile)
        return false;
    ls->reader = active_requests_new(&(struct active_requests_opts){.timers = opts->timers,
                                                                    .per_s = opts->reconcile_per_s,
                                                                    .random = &ls->random,
                                                                    .owner = reconcile_owner(ls->reconcile)});
    if (!ls->reader)
        return false;
    for (size_t i = 0; i < opts->nvaults; i++)
        if (vault_refs_add(&ls->vaults, opts->vaults[i]))
            return false;
    return sites_restore(ls) == 0 && leases_restore(ls) == 0;
}

struct leases *leases_new(const struct leases_opts *opts)
{
    struct leases *ls = calloc(1, sizeof *ls);
    char id[ID_SIZE];

    if (!ls || id_new(id)) {
        free(ls);
        return NULL;
    }
    ls->timers = opts->timers;
    ls->clock = timers_clock(opts->timers);
    ls->audit = opts->audit;
    ls->recover_unproven = intent_recover_unproven;
    TAILQ_INIT(&ls->lapsed);
    memcpy(&ls->random, id, sizeof ls->random);
    if (build_table(ls, opts))
        return ls;
    leases_free(ls);
    return NULL;
}

struct journal *leases_journal(struct leases *ls)
{
    return ls->journal;
}

void leases_close_all(struct leases *ls)
{
    struct lease *lease;

    ls->closing = true;
    lease_index_walk(&ls->lease_index, 0);
    while ((lease = lease_index_next(&ls->lease_index)))
        if (lease->state == LEASE_OPEN && lease_is_held(lease))
            lease_close(lease, "stopping");
}

bool leases_quiet(const struct leases *ls, bool all_checked_in)
{
    return ls->in_flight == 0 && journal_quiet(ls->journal) &&
           (!all_checked_in || (ls->retrying == 0 && ls->recoveries == 0 && ls->nleases == 0));
}

static uint64_t overdue_ms(const struct vault_request *request, uint64_t now)
{
    return request->origin == ORIGIN_OURS && now > request->ends_ms ? now - request->ends_ms : 0;
}

void leases_state(const struct leases *ls, struct leases_state *state)
{
    const struct vault_request *request = ls->requests;
    uint64_t now = clock_now(ls->clock);

    *state = (struct leases_state){.active = ls->nleases,
                                   .retrying = ls->retrying + ls->recoveries,
                                   .intents = ls->nintents,
                                   .lapsed = ls->lapsed_ever,
                                   .stuck_rows = journal_stuck(ls->journal),
                                   .store_writable = journal_writable(ls->journal)};
    for (; request; request = request->hh.next) {
        uint64_t overdue = overdue_ms(request, now);

        if (overdue > state->oldest_overdue_ms)
            state->oldest_overdue_ms = overdue;
        state->releasing += request->state == REQUEST_RETURNING && vault_request_in_flight(request);
    }
}

/* ---- the end ---- */

static void free_vault_request(struct vault_request *request)
{
    struct lease *lease;

    vault_request_cancel(request);
    while ((lease = SLIST_FIRST(&request->leased))) {
        SLIST_REMOVE_HEAD(&request->leased, of_request);
        lease_free(request->leases, lease);
    }
    free(request);
}

static void free_vault_requests(struct leases *ls)
{
    struct vault_request *request, *next;
    struct checkin *c;

    HASH_ITER(hh, ls->requests, request, next)
    {
        HASH_DEL(ls->requests, request);
        free_vault_request(request);
    }
    while ((c = TAILQ_FIRST(&ls->lapsed))) {
        TAILQ_REMOVE(&ls->lapsed, c, lapsed);
        free_vault_request(c->request);
    }
}

/* What is left are intents and leases of check-outs that never came to a vault request. */
static void free_leases(struct leases *ls)
{
    struct lease *lease;

    lease_index_walk(&ls->lease_index, 0);
    while ((lease = lease_index_next(&ls->lease_index))) {
        if (lease->state == LEASE_INTENT)
            intent_close(lease->intent);
        lease_free(ls, lease);
    }
}

void leases_free(struct leases *ls)
{
    if (!ls)
        return;
    timer_stop(ls->timers, &ls->restored);
    active_requests_free(ls->reader);
    reconcile_free(ls->reconcile);
    free_vault_requests(ls);
    free_leases(ls);
    journal_free(ls->journal);
    lease_index_free(&ls->lease_index);
    lease_tag_free(&ls->tag);
    sites_free(ls);
    vault_refs_free(&ls->vaults);
    free(ls);
}
