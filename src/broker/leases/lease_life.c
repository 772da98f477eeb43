/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_life.c - how leases and vault requests begin, change hands and end; see lease_life.h.
 *
 * Invariant: a HELD vault request of ours has a holder, and one without holders is RETURNING;
 * vault_request_end() alone takes it out of the table. The end belongs to the vault request, not to a lease:
 * a session that joins later gets what is left. The deadline fires at the end and closes every lease;
 * check-outs in flight keep their hold and find the end by themselves.
 *
 * Not here: the check-in and its retries (checkin.c), which record a request is (request_identity.c).
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/leases/lease_audit.h"

#include <string.h>

#define BURST            200  /* timed releases in one millisecond */
#define WHOLE_SECONDS_MS 2000 /* leases from this length on end with a whole second */

/* ---- the end of its time ---- */

/* The vault request may be freed with its last lease, so the next one is picked before. */
static void close_leases(struct vault_request *request)
{
    struct lease *lease = SLIST_FIRST(&request->leased);

    request->expired = clock_now(request->leases->clock) >= request->ends_ms;
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

/* Of very many that end in one millisecond the rest is put off to the next ones, so that the loop can serve
 * others. */
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
    if (request->state != REQUEST_HELD || clock_now(request->leases->clock) < request->ends_ms)
        return false;
    close_leases(request);
    return true;
}

/* ---- holders ---- */

static bool has_open_lease(const struct vault_request *request)
{
    const struct lease *lease;

    SLIST_FOREACH(lease, &request->leased, of_request)
    if (lease->state == LEASE_OPEN)
        return true;
    return false;
}

void vault_request_unhold(struct vault_request *request, struct lease *lease)
{
    request->checkouts--;
    if (lease && request->origin == ORIGIN_UNKNOWN && !request->gone && !request->checkouts &&
        !has_open_lease(request))
        request->leases->recover_unproven(lease, request);
    else if (lease && request->origin == ORIGIN_OURS)
        lease_cover(lease, request);
    else if (lease)
        lease_discard(request->leases, lease);
    if (has_open_lease(request)) {
        vault_request_uncover(request); /* that one's row is durable */
        return;
    }
    if (request->checkouts) {
        /* A restart must not find it OPEN; but its row is the only one until the other's is durable. */
        if (lease && !SLIST_EMPTY(&request->leased) &&
            lease_write_row(request->leases, SLIST_FIRST(&request->leased)))
            log_error("journal_lost", "user=%s error=%s", request->user, "out of memory");
        return;
    }
    if (request->origin != ORIGIN_OURS)
        vault_request_end(request, END_FORGOTTEN);
    else
        vault_request_check_in(request, !request->expired);
}

bool vault_request_reopen(struct vault_request *request)
{
    struct watch_list watches;

    if (request->state != REQUEST_RETURNING || vault_request_checkin_sent(request) ||
        clock_now(request->leases->clock) >= request->ends_ms)
        return false;
    vault_request_stop_checkin(request, &watches);
    request->checkouts = 1;
    vault_request_set_end(request, request->ends_ms, request->expires_wall_ms);
    watch_list_notify(&watches, false);
    return true;
}

/* ---- leases ---- */

struct lease *lease_intend(struct leases *ls, const struct session *session, const char *credential_id,
                           const char id[ID_SIZE])
{
    return lease_new(ls, session, credential_id, id, clock_wall(ls->clock));
}

int lease_settle(struct lease *lease, struct vault_request *request)
{
    lease->state = LEASE_OPEN;
    lease->request = request;
    return lease_write_row(request->leases, lease);
}

void lease_unsettle(struct lease *lease)
{
    lease->state = LEASE_INTENT;
    lease->intent = NULL;
}

void lease_open(struct lease *lease)
{
    struct vault_request *request = lease->request;
    struct leases *ls = request->leases;
    struct lease *old = session_leases_lease(lease->session_leases, lease->credential_id);

    lease_link(lease, request);
    request->checkouts--;
    vault_request_uncover(request);
    lease_log_change("opened", request, lease);
    if (old)
        lease_close(old, "replaced");
    if (ls->closing || clock_now(ls->clock) >= request->ends_ms)
        start_timer(request, 0); /* in a later iteration, after the answer */
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
    struct session_leases *s = lease->session_leases;
    struct leases *ls = request->leases;

    audit_lease_end(ls->audit, lease, why, end);
    SLIST_REMOVE(&s->leases, lease, lease, of_session);
    lsid_index_remove(lease);
    SLIST_REMOVE(&request->leased, lease, lease, of_request);
    ls->nleases--;
    lease_log_change("closed", request, lease);
    log_event(is_told_elsewhere(why, end) ? LOG_DEBUG : LOG_INFO, "lease_ended",
              "why=%s user=%s session=%s credential=%s lease=%s age_s=%llu holders=%zu", why,
              session_leases_user(s), session_leases_session(s), lease->credential_id, lease->id,
              (unsigned long long)lease_age_s(ls, lease), vault_request_holders(request));
    request->session_ended = end != NULL;
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
