/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_life.c - how leases begin and end, and the holds on vault requests with them; see lease_life.h.
 *
 * Invariant: a vault request in state ASKED or HELD has a holder; one that is PENDING needs none. The last
 * one's going is decided in one place, vault_request_unhold(). The end belongs to the vault request, not to a
 * lease: a session that joins later gets what is left. At the end every lease is closed; check-outs in flight
 * keep their hold and find the end by themselves. More than 200 vault requests that end in one millisecond
 * are spread over the next ones, so that the loop can serve others.
 *
 * Not here: what a vault request does without holders (request_states.c), which record a request is
 * (request_identity.c).
 */
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/leases/lease_audit.h"

#include <string.h>

#define BURST            200  /* timed releases in one millisecond */
#define WHOLE_SECONDS_MS 2000 /* leases from this length on end with a whole second */

/* ---- the end of its time ---- */

/* The vault request may be freed with its last lease, so the next one is picked before. */
void vault_request_close_leases(struct vault_request *request, const char *why)
{
    struct lease *lease = SLIST_FIRST(&request->leased), *next;

    if (request->vault_ref->leases->shared) {
        shared_end(request);
        return;
    }
    for (; lease; lease = next) {
        next = SLIST_NEXT(lease, of_request);
        lease_close(lease, why);
    }
}

/* ---- of those whose leases have ends of their own ---- */

static bool has_ended(const struct lease *lease)
{
    return lease->ends_ms <= clock_now(lease->request->vault_ref->leases->clock);
}

void keyed_arm(struct vault_request *r)
{
    const struct lease *lease;
    uint64_t next_ms = UINT64_MAX, now = clock_now(r->vault_ref->leases->clock);

    if (r->state != VR_HELD)
        return;
    SLIST_FOREACH(lease, &r->leased, of_request)
    if (lease->ends_ms < next_ms)
        next_ms = lease->ends_ms;
    if (next_ms == UINT64_MAX)
        vault_request_stop_deadline(r);
    else
        vault_request_hold_for(r, next_ms > now ? next_ms - now : 0);
}

/* It may be freed with its last lease: what stays is known before. */
static bool keyed_expire(struct vault_request *r)
{
    struct lease *lease, *next;
    size_t ended = 0, stays = r->checkouts;

    SLIST_FOREACH(lease, &r->leased, of_request)
    has_ended(lease) ? ended++ : stays++;
    if (r->state != VR_HELD)
        return false;
    if (!ended) { /* the one whose end it was has been released */
        keyed_arm(r);
        return false;
    }
    r->expired = !stays;
    for (lease = SLIST_FIRST(&r->leased); lease && ended; lease = next) {
        next = SLIST_NEXT(lease, of_request);
        if (!has_ended(lease))
            continue;
        ended--;
        lease_close(lease, "expired");
    }
    if (stays)
        keyed_arm(r);
    return true;
}

/* ---- all ---- */

static void end_time(struct vault_request *request)
{
    if (request->is_keyed && !request->vault_ref->leases->closing) {
        (void)keyed_expire(request);
        return;
    }
    request->expired = clock_now(request->vault_ref->leases->clock) >= request->ends_ms;
    vault_request_close_leases(request, "expired");
}

/*
 * The end of one that was adopted, whose time seems to be over, or is not known. False = it is not over: the
 * clock of its vault was not known when it came, or has been found to differ; its deadline is set again.
 */
static bool end_is_now(struct vault_request *r)
{
    struct leases *ls = r->vault_ref->leases;
    int64_t left = r->expires_wall_ms - leases_wall(ls, vault_request_vault(r));

    if (left > 0) {
        r->ends_ms = clock_now(ls->clock) + (uint64_t)left;
        vault_request_hold_for(r, (uint64_t)left);
        return false;
    }
    if (!shared_has_date(r)) {
        vault_request_hold_for(r, DATE_MS);
        return false;
    }
    r->ends_ms = clock_now(ls->clock);
    r->is_adopted = false;
    return true;
}

static void on_end(struct deadline *d)
{
    struct vault_request *request = CONTAINER_OF(d, struct vault_request, deadline);

    if (!request->is_adopted || end_is_now(request))
        end_time(request);
}

static void on_time(struct deadline *d)
{
    struct leases *ls = CONTAINER_OF(d, struct vault_request, deadline)->vault_ref->leases;
    uint64_t now = clock_now(ls->clock);

    ls->burst = now == ls->burst_ms ? ls->burst + 1 : 0;
    ls->burst_ms = now;
    if (ls->burst < BURST)
        on_end(d);
    else
        timer_set(ls->timers, d, ls->burst / BURST, on_end);
}

void vault_request_hold_for(struct vault_request *r, uint64_t delay_ms)
{
    if (r->state == VR_HELD)
        timer_set(r->vault_ref->leases->timers, &r->deadline, shared_look_ms(r, delay_ms), on_time);
}

static int held_enter(struct vault_request *r)
{
    uint64_t now = clock_now(r->vault_ref->leases->clock);

    if (r->is_keyed)
        keyed_arm(r);
    else
        vault_request_hold_for(r, r->ends_ms > now ? r->ends_ms - now : 0);
    return 0;
}

const struct vr_step vr_held_step = {"held",     NULL, REQUEST_HELD,
                                     held_enter, NULL, vault_request_stop_deadline};

/*
 * The end is answered in whole seconds and is the end: a part of a second is cut off both, since the vault's
 * own end is no later. What is so short that this would take a good part of it (a simulator's minutes) keeps
 * its length, and the answer is rounded up.
 */
static void end_round(uint64_t now, uint64_t *ends_ms, int64_t *expires_wall_ms)
{
    int64_t part = *expires_wall_ms % 1000;

    if (part > 0 && *ends_ms > now && *ends_ms - now >= WHOLE_SECONDS_MS) {
        *ends_ms -= (uint64_t)part;
        *expires_wall_ms -= part;
    } else if (part > 0) {
        *expires_wall_ms += 1000 - part;
    }
}

void vault_request_set_end(struct vault_request *request, uint64_t ends_ms, int64_t expires_wall_ms)
{
    uint64_t now = clock_now(request->vault_ref->leases->clock);

    end_round(now, &ends_ms, &expires_wall_ms);
    request->ends_ms = ends_ms;
    request->expires_wall_ms = expires_wall_ms;
    if (request->is_keyed)
        keyed_arm(request);
    else
        vault_request_hold_for(request, ends_ms > now ? ends_ms - now : 0);
}

void keyed_set_end(struct lease *lease, uint64_t ends_ms, int64_t expires_wall_ms)
{
    struct vault_request *r = lease->request;

    end_round(clock_now(r->vault_ref->leases->clock), &ends_ms, &expires_wall_ms);
    lease->ends_ms = ends_ms;
    lease->expires_wall_ms = expires_wall_ms;
    if (SLIST_EMPTY(&r->leased) || expires_wall_ms > r->expires_wall_ms) {
        r->ends_ms = ends_ms;
        r->expires_wall_ms = expires_wall_ms;
    }
    keyed_arm(r);
}

bool vault_request_expire(struct vault_request *request)
{
    if (request->is_keyed)
        return keyed_expire(request);
    if (request->state != VR_HELD || clock_now(request->vault_ref->leases->clock) < request->ends_ms ||
        (request->is_adopted && !end_is_now(request)))
        return false;
    end_time(request);
    return true;
}

/* ---- holders ---- */

/* Nothing is known of what the vault has: a search decides. */
static bool is_to_be_looked_for(const struct vault_request *request)
{
    return request->origin == ORIGIN_UNKNOWN && !request->gone;
}

static void last_holder_gone(struct vault_request *request, struct lease *lease)
{
    if (request->is_keyed) {
        keyed_last_holder_gone(request, lease);
        return;
    }
    enum vr_state next = VR_QUEUED;
    bool looked_for = is_to_be_looked_for(request);

    if (request->origin == ORIGIN_OURS || (looked_for && request->state == VR_HELD))
        row_return(request, lease);
    else if (!looked_for)
        next = vault_request_over(request, END_FORGOTTEN, lease);
    if (lease)
        lease_forget(lease);
    if (looked_for) {
        vault_request_recover(request);
        return;
    }
    if (next == VR_QUEUED)
        vault_request_note_haste(request);
    vault_request_goto(request, next);
}

void vault_request_unhold(struct vault_request *request, struct lease *lease)
{
    if (request->vault_ref->leases->shared) {
        shared_unhold(request, lease);
        return;
    }
    request->checkouts--;
    if (request->state == VR_PENDING && !request->gone)
        return; /* it waits on */
    if (!vault_request_holders(request)) {
        if (!lease || lease->state != LEASE_SETTLED || !pending_keep_again(request, lease))
            last_holder_gone(request, lease);
    } else if (lease) {
        row_leave(request, lease);
        lease_forget(lease);
    }
}

void vault_request_withdraw(struct vault_request *request)
{
    if (request->state != VR_ASKED || request->checkouts > 1)
        vault_request_unhold(request, NULL);
    else if (request->was_lost)
        vault_request_unhold(request, NULL); /* an earlier check-out may have made it */
    else {
        request->checkouts = 0; /* it may have been there before (spin.h) */
        vault_request_goto(request, vault_request_over(request, END_NEVER, NULL));
    }
}

/* ---- leases ---- */

struct lease *lease_ask(struct leases *ls, const struct lease_args *args, struct vault *vault,
                        const char *user)
{
    struct lease *lease = lease_new(ls, args, leases_wall(ls, vault));

    if (lease && !vault_request_new(ls, vault, user, lease)) {
        lease_free(ls, lease);
        return NULL;
    }
    return lease;
}

struct lease *lease_claim(struct vault_request *request, const struct lease_args *args)
{
    struct leases *ls = request->vault_ref->leases;
    struct lease *lease = lease_new(ls, args, leases_wall(ls, vault_request_vault(request)));

    if (lease)
        lease->request = request;
    return lease;
}

int lease_settle(struct lease *lease, struct vault_request *request, struct journal_wait *wait,
                 void (*done)(struct journal_wait *, int err))
{
    struct vault_request *own = lease->request != request ? lease->request : NULL;

    lease->request = request;
    lease->state = LEASE_SETTLED;
    if (request->state != VR_HELD)
        vault_request_goto(request, VR_HELD);
    int waits = row_open(lease, own, wait, done);

    if (own) {
        own->asker = NULL;
        vault_request_free(own);
    }
    return waits;
}

void lease_open(struct lease *lease)
{
    struct vault_request *request = lease->request;
    struct leases *ls = request->vault_ref->leases;
    struct lease *old = session_leases_lease(lease->session_leases, lease->credential_id);

    lease_link(lease, request);
    request->checkouts--;
    if (request->is_keyed && request->spin == SPIN_UNUSED)
        request->spin = SPIN_USED;
    pending_handed_over(request);
    lease_log_change("opened", request, lease);
    if (old)
        lease_close(old, "replaced");
    if (request->is_keyed && !ls->closing)
        keyed_arm(request);
    else if (ls->closing || clock_now(ls->clock) >= request->ends_ms)
        vault_request_hold_for(request, 0); /* in a later iteration, after the answer */
}

void lease_join(struct lease *lease)
{
    lease->request->checkouts--;
}

static bool is_told_elsewhere(const char *why, const struct session_end *end)
{
    return end || strcmp(why, "released") == 0;
}

static void end_lease(struct lease *lease, const char *why, const struct session_end *end)
{
    struct vault_request *request = lease->request;
    const struct session_leases *s = lease->session_leases;
    struct leases *ls = request->vault_ref->leases;

    if (!ls->shared)
        audit_lease_end(ls->audit, lease, why, end);
    lease_unlink(lease);
    lease_log_change("closed", request, lease);
    log_event(is_told_elsewhere(why, end) ? LOG_DEBUG : LOG_INFO, "lease_ended",
              "why=%s user=%s session=%s credential=%s lease=%s age_s=%llu holders=%zu", why,
              session_leases_user(s), session_leases_session(s), lease->credential_id, lease->id,
              (unsigned long long)lease_age_s(ls, lease), vault_request_holders(request));
    request->session_ended = end != NULL;
    if (ls->shared) {
        shared_end_lease(lease, why, end);
        return;
    }
    vault_request_hold(request); /* so that the vault request ends in one place, vault_request_unhold() */
    vault_request_unhold(request, lease);
}

void lease_close(struct lease *lease, const char *why)
{
    end_lease(lease, why, NULL);
}

void lease_close_ended(struct lease *lease, const struct session_end *end)
{
    end_lease(lease, "session_ended", end);
}
