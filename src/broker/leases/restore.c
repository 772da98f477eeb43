/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - from the rows of the store back to the lease table, before anything else happens.
 *
 *   INTENT     a request may exist: the intent recovers
 *   OPEN       within its time: the session's lease again, with the same id; past it: checked in. Without a
 *              request id the vault keeps no request, so at its end nothing is checked in
 *   RELEASING  checked in, with the attempts made so far and not before the next try is due
 *   LAPSED     shown until its day is over
 *
 * The rows carry wall clock times. A lease gets what is left until its end by the present wall clock, but
 * never more than its whole length: a clock that was set back must not lengthen it. From here on the
 * monotonic clock counts. A clock set forward ends it early, by no more than it was set.
 *
 * Several rows may name one request. Where one of them is open the request is held, whatever the others say:
 * a row in state RELEASING beside it is a cover whose removal was not yet durable.
 *
 * A lease whose PRA session had ended while its check-out was in flight ends in the first iteration, when all
 * rows have been read.
 *
 * Check-ins that are due at once are spread over the first milliseconds; the check-in queues do the rest. A
 * row that makes no sense (its id or request id) is left alone in the store and named in the log.
 */
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

#define DUE_PER_MS 200

struct restore {
    struct leases *leases;
    size_t open, releasing, intents, lapsed, odd, due, ended;
};

/* Milliseconds this row's request has left. */
static uint64_t time_left(const struct leases *ls, const struct lease_row *row)
{
    int64_t left = row->expires_wall_ms - clock_wall(ls->clock);
    int64_t length = row->expires_wall_ms - row->created_wall_ms / 1000 * 1000;

    if (left > length)
        left = length;
    return left > 0 ? (uint64_t)left : 0;
}

static struct lease *make_lease(struct leases *ls, const struct lease_row *row)
{
    struct session session = {.id = row->session,
                              .lsid = *row->lsid ? row->lsid : NULL,
                              .username = row->username,
                              .domain = row->domain};

    struct lease *lease = lease_new(ls, &session, row->credential, row->id, row->created_wall_ms);

    if (lease && *row->account)
        lease_set_names(lease, row->system, "", row->account);
    return lease;
}

/* The section leads to another address than it did: whether it is the same vault is not known. */
static bool is_moved(const struct vault_ref *ref, const struct lease_row *row)
{
    return row->url && *row->url && strcmp(row->url, ref->url) != 0;
}

/* The vault request of the row, there already or made: HELD, with its end but no timer, and by no check-out.
 */
static struct vault_request *get_vault_request(struct leases *ls, struct vault_ref *ref,
                                               const struct lease_row *row)
{
    struct vault_request *request = *row->request
                                        ? vault_request_known(ls, ref->vault, row->request, row->user,
                                                              credential_account(row->credential))
                                        : NULL; /* none: each its own */
    enum request_origin origin = !*row->request       ? ORIGIN_NO_REQUEST
                                 : row->adopted       ? ORIGIN_FOREIGN
                                 : is_moved(ref, row) ? ORIGIN_UNKNOWN
                                                      : ORIGIN_OURS;

    if (request) {
        if (origin == ORIGIN_OURS)
            request->origin = ORIGIN_OURS; /* what one of its leases has proven holds for all */
        return request;
    }
    request = vault_request_new(ls, ref->vault, row->user, row->request, origin);
    if (!request)
        return NULL;
    request->checkouts = 0;
    request->ends_ms = clock_now(ls->clock) + time_left(ls, row);
    request->expires_wall_ms = row->expires_wall_ms;
    return request;
}

static const char *known_error(const char *text)
{
    for (int code = 1; code < FAULT_NCODES; code++)
        if (strcmp(fault_row((enum fault_code)code)->code, text) == 0)
            return fault_row((enum fault_code)code)->code;
    return *text ? "unknown" : NULL;
}

/* ---- one row ---- */

static int restore_intent(struct restore *r, struct vault_ref *ref, const struct lease_row *row)
{
    struct leases *ls = r->leases;
    struct lease *lease = make_lease(ls, row);
    struct intent *in = lease ? intent_open(ls, lease, ref->vault, row->user, row->request,
                                            clock_now(ls->clock) + time_left(ls, row), row->expires_wall_ms)
                              : NULL;

    if (!in)
        return -ENOMEM;
    r->intents++;
    intent_restore(in);
    return 0;
}

static int restore_open(struct restore *r, struct vault_ref *ref, const struct lease_row *row)
{
    struct leases *ls = r->leases;
    struct vault_request *request = get_vault_request(ls, ref, row);
    struct lease *lease = request ? make_lease(ls, row) : NULL;

    if (!lease)
        return -ENOMEM;
    if (request->state == REQUEST_RETURNING)
        vault_request_stop_checkin(request, &(struct watch_list){0});
    lease_link(lease, request);
    vault_request_uncover(request);
    r->open++;
    if (row->ended) {
        lease->end = session_end_get(ls, row->ended, row->ended_site);
        r->ended++;
    }
    uint64_t left = time_left(ls, row);

    vault_request_set_end(request, clock_now(ls->clock) + (left ? left : r->due++ / DUE_PER_MS),
                          row->expires_wall_ms);
    return 0;
}

static int restore_releasing(struct restore *r, struct vault_ref *ref, const struct lease_row *row)
{
    if (!row->adopted && is_moved(ref, row))
        return restore_intent(r, ref, row); /* the mark decides before anything is given back */
    struct leases *ls = r->leases;
    struct vault_request *request = get_vault_request(ls, ref, row);
    struct lease *lease = request ? make_lease(ls, row) : NULL;

    if (!lease)
        return -ENOMEM;
    if (!SLIST_EMPTY(&request->leased) ||
        request->origin != ORIGIN_OURS) { /* another row has it; or never ours */
        lease->state = LEASE_RELEASING;
        lease_discard(ls, lease);
        if (SLIST_EMPTY(&request->leased))
            vault_request_end(request, END_FORGOTTEN);
        return 0;
    }
    lease_cover(lease, request);
    r->releasing++;
    int64_t wait = row->next_wall_ms - clock_wall(ls->clock);
    uint64_t delay = wait > 60000 ? 60000 : wait > 0 ? (uint64_t)wait : r->due++ / DUE_PER_MS;

    vault_request_resume(request, row->attempts, known_error(row->last_error), delay);
    return 0;
}

static int restore_lapsed(struct restore *r, struct vault_ref *ref, const struct lease_row *row)
{
    struct leases *ls = r->leases;
    int64_t left = row->next_wall_ms - clock_wall(ls->clock);
    struct vault_request *request = get_vault_request(ls, ref, row);
    struct lease *lease = request ? make_lease(ls, row) : NULL;

    if (!lease)
        return -ENOMEM;
    if (!SLIST_EMPTY(&request->leased)) {
        lease_discard(ls, lease);
        return 0;
    }
    lease_cover(lease, request);
    r->lapsed++;
    const int64_t day = 24 * 3600000LL;

    vault_request_resume_lapsed(request, row->attempts, known_error(row->last_error),
                                left <= 0 ? 0 : (uint64_t)(left < day ? left : day));
    return 0;
}

static bool makes_sense(const struct leases *ls, const struct lease_row *row)
{
    return strlen(row->id) == ID_SIZE - 1 && !lease_by_id(ls, row->id) && *row->vault && *row->user &&
           strlen(row->request) < REQUEST_NAME_SIZE && (*row->request || row->state <= LEASE_OPEN);
}

/* A row that names its vault otherwise than the configuration does now is written again. */
static int rewrite_row(struct leases *ls, struct vault_ref *ref, const struct lease_row *row)
{
    const char *url = row->url ? row->url : "";
    const struct lease *lease = lease_by_id(ls, row->id);
    bool same_url = strcmp(url, ref->url) == 0;

    if (same_url && strcmp(row->vault, ref->vault->conf->name) == 0)
        return 0;
    if (*url && !same_url && !ref->moved_from && !(ref->moved_from = strdup(url)))
        return -ENOMEM;
    return lease ? lease_write_row(ls, lease) : 0;
}

/* A damaged row may hold any number; no calendar goes further than the year 9999. */
static int64_t wall_in_range(int64_t wall_ms)
{
    const int64_t last = 253402300799999;

    return wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
}

static int restore_row(struct restore *r, const struct lease_row *row)
{
    static int (*const restorers[LEASE_NSTATES])(
        struct restore *, struct vault_ref *, const struct lease_row *) = {restore_intent, restore_open,
                                                                           restore_releasing, restore_lapsed};
    struct vault_ref *ref;

    if (!makes_sense(r->leases, row)) {
        r->odd++;
        log_warn("lease_odd", "lease=%s vault=%s user=%s", row->id, row->vault, row->user);
        return 0;
    }
    ref = vault_ref_of_row(&r->leases->vaults, row->vault, row->url ? row->url : "");
    if (!ref)
        return -ENOMEM;
    lease_tag_learn(&r->leases->tag, row->id);
    lease_tag_learn(&r->leases->tag, row->tag);
    int err = restorers[row->state](r, ref, row);

    return err ? err : rewrite_row(r->leases, ref, row);
}

static int on_row(void *arg, const struct lease_row *stored)
{
    struct lease_row row = *stored;

    row.created_wall_ms = wall_in_range(row.created_wall_ms);
    row.expires_wall_ms = wall_in_range(row.expires_wall_ms);
    row.next_wall_ms = wall_in_range(row.next_wall_ms);
    return restore_row(arg, &row);
}

/* ---- all of them ---- */

static void on_restored(struct deadline *d)
{
    struct leases *ls = CONTAINER_OF(d, struct leases, restored);
    struct lease *lease;

    lease_index_walk(&ls->lease_index, 0);
    while ((lease = lease_index_next(&ls->lease_index)))
        if (lease->state == LEASE_OPEN && lease->end && lease_is_held(lease))
            lease_close_ended(lease, lease->end);
}

static void warn_of_vaults(const struct leases *ls)
{
    for (size_t i = 0; i < ls->vaults.n; i++) {
        const struct vault_ref *ref = ls->vaults.refs[i];

        if (ref->absent)
            vault_ref_warn_absent(ref);
        if (ref->moved_from)
            log_warn(
                "vault_moved", "vault=%s hint=%s", ref->vault->conf->name,
                "leases were made at another url; those that the vault's list shows with our mark are kept, "
                "the others end");
    }
}

int leases_restore(struct leases *ls)
{
    struct restore r = {.leases = ls};
    int err = journal_load(ls->journal, on_row, &r);

    if (err) {
        log_error("leases_not_read", "error=%s", strerror(-err));
        return err;
    }
    warn_of_vaults(ls);
    if (r.open + r.releasing + r.intents + r.lapsed + r.odd)
        log_info("leases_restored", "open=%zu releasing=%zu intents=%zu lapsed=%zu odd=%zu", r.open,
                 r.releasing, r.intents, r.lapsed, r.odd);
    crash_point("restore.done");
    if (r.ended && timer_start(ls->timers, &ls->restored, 0, on_restored))
        return -ENOMEM;
    return reconcile_start(ls->reconcile);
}
