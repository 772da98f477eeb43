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

static const struct vr_step *const states[VR_NSTATES] = {
    [VR_ASKED] = &vr_asked_step,
    [VR_LOOKING] = &vr_looking_step,
    [VR_LOOK_LATER] = &vr_look_later_step,
    [VR_HELD] = &vr_held_step,
    [VR_PENDING] = &vr_pending_step,
    [VR_QUEUED] = &vr_queued_step,
    [VR_CHECKING_IN] = &vr_checking_in_step,
    [VR_RETRY] = &vr_retry_step,
    [VR_LAPSED] = &vr_lapsed_step,
    [VR_SETTLING] = &vr_settling_step,
    [VR_QUIET] = &vr_quiet_step,
    [VR_SPIN_DUE] = &vr_spin_due_step,
    [VR_SPIN_QUEUED] = &vr_spin_queued_step,
    [VR_SPINNING] = &vr_spinning_step,
    [VR_ELSEWHERE] = &vr_elsewhere_step,
    [VR_ENDED] = &vr_ended_step,
};

static bool build_table(struct leases *ls, const struct leases_opts *opts)
{
    if (lease_tag_load(&ls->tag, opts->store))
        return false;
    if (timer_reserve(opts->timers, &ls->missed.again))
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
    return leases_restore(ls) == 0;
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
    ls->steps = states;
    ls->adopt = leases_adopt;
    ls->missed.begin = shared_missed;
    ls->damaged = shared_damaged;
    ls->shared = store_is_shared(opts->store) ? opts->store : NULL;
    ls->vaults.leases = ls;
    TAILQ_INIT(&ls->known_users);
    TAILQ_INIT(&ls->lapsed);
    TAILQ_INIT(&ls->pending);
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

size_t leases_reconcile(struct leases *ls, bool all_users)
{
    size_t n = all_users ? known_users_watch_all(ls) : 0;

    reconcile_hurry(ls->reconcile);
    return n;
}

size_t leases_active(const struct leases *ls)
{
    return ls->nleases;
}

void leases_close_all(struct leases *ls)
{
    struct lease *lease;

    ls->closing = true;
    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls))
        if (lease->state == LEASE_OPEN)
            lease_close(lease, "stopping");
}

static size_t looked_for(const struct leases *ls)
{
    return ls->in_state[VR_LOOKING] + ls->in_state[VR_LOOK_LATER] + ls->in_state[VR_SETTLING];
}

static size_t in_flight(const struct leases *ls)
{
    return ls->in_state[VR_QUEUED] + ls->in_state[VR_CHECKING_IN];
}

/* They are on their way, as far as their rows say. */
static size_t spins_in_flight(const struct leases *ls)
{
    return ls->in_state[VR_SPIN_QUEUED] + ls->in_state[VR_SPINNING];
}

void leases_drain(struct leases *ls)
{
    ls->draining = true;
}

bool leases_written(const struct leases *ls)
{
    return journal_quiet(ls->journal);
}

bool leases_quiet(const struct leases *ls, bool all_checked_in)
{
    return !in_flight(ls) && !spins_in_flight(ls) && journal_quiet(ls->journal) &&
           (!all_checked_in || (!ls->in_state[VR_RETRY] && !looked_for(ls) && !ls->nleases));
}

/* Each vault request is found at its asker. */
static struct vault_request *asked_by(const struct lease *lease)
{
    return lease->request && lease->request->asker == lease ? lease->request : NULL;
}

static uint64_t overdue_ms(const struct vault_request *request, uint64_t now)
{
    bool is_over = request->state == VR_LAPSED || request->state == VR_QUIET || spin_is_under_way(request);

    return request->origin == ORIGIN_OURS && !is_over && request->state != VR_PENDING &&
                   now > request->ends_ms
               ? now - request->ends_ms
               : 0;
}

void leases_state(const struct leases *ls, struct leases_state *state)
{
    const struct lease *lease = ls->leases_by_id;
    uint64_t now = clock_now(ls->clock);

    *state = (struct leases_state){.active = ls->nleases,
                                   .releasing = in_flight(ls),
                                   .retrying = ls->in_state[VR_RETRY] + looked_for(ls),
                                   .intents = ls->in_state[VR_ASKED] + looked_for(ls),
                                   .pending = ls->in_state[VR_PENDING],
                                   .lapsed = ls->lapsed_ever,
                                   .stuck_rows = journal_stuck(ls->journal),
                                   .refused_steps = journal_refused(ls->journal),
                                   .store_writable = journal_writable(ls->journal)};
    for (; lease; lease = lease->hh.next) {
        const struct vault_request *request = asked_by(lease);
        uint64_t overdue = request ? overdue_ms(request, now) : 0;

        if (overdue > state->oldest_overdue_ms)
            state->oldest_overdue_ms = overdue;
    }
}

/* ---- the end ---- */

/* First what is no asker, while all vault requests are there; each of these takes its asker along. */
static void free_leases(struct leases *ls)
{
    struct lease *lease;

    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls)) {
        if (lease->state == LEASE_OPEN)
            lease_unlink(lease);
        if (!asked_by(lease))
            lease_free(ls, lease);
    }
    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls))
        vault_request_cancel(lease->request);
}

void leases_free(struct leases *ls)
{
    if (!ls)
        return;
    timer_stop(ls->timers, &ls->restored);
    shared_free(ls);
    free_leases(ls);
    active_requests_free(ls->reader);
    reconcile_free(ls->reconcile);
    journal_free(ls->journal);
    shared_missed_end(ls); /* a step that is lost begins it */
    lease_tag_free(&ls->tag);
    sites_free(ls);
    vault_refs_free(&ls->vaults);
    free(ls);
}
