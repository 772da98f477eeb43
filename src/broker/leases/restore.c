/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - from the rows of the store back to the lease table, before anything else happens.
 *
 *   vault_request  ASKED      may exist at the vault: it is looked for by its mark
 *                  HELD       with leases and within its time: held again; past it, or without a lease:
 *                             checked in, where it is the gateway's to check in
 *                  RETURNING  checked in, with the attempts made so far and not before the next try is due
 *                  LAPSED     shown until its day is over
 *                  PENDING    waits on for its approver, for what is left of its time
 *                  SPINNING   its spin is made when it is due; one that may have been sent counts as lost
 *   lease          the session's lease again, with the same id and end
 *
 * The rows carry wall clock times. A request gets what is left until its end by the present wall clock, but
 * never more than its whole length: a clock that was set back must not lengthen it. The same holds for the
 * wait for an approver. From here on the monotonic clock counts. A clock set forward ends it early, by no
 * more than it was set.
 *
 * All requests are read before all leases. What a request without leases does is decided when all rows have
 * been read; a lease whose PRA session had ended while its check-out was in flight ends in the first
 * iteration.
 *
 * Check-ins that are due at once are spread over the first milliseconds; the check-in queues do the rest. The
 * row of a request that makes no sense (its mark or its name) is left alone in the store and named in the
 * log. That of a lease is named in the log and removed: also one whose request is not HELD, or not there.
 */
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "broker/leases/shared_steps.h"

#include <errno.h>
#include <string.h>

#define DUE_PER_MS 200

struct restore {
    struct leases *leases;
    size_t open, releasing, asked, lapsed, pending, spinning, odd, due, ended;
};

/* Milliseconds this request has left. In a shared store the beginning is in another gateway's time. */
static uint64_t time_left(const struct leases *ls, const struct vault_ref *ref, const struct request_row *row)
{
    int64_t left = row->expires_wall_ms - leases_wall(ls, ref->vault);
    int64_t began = row->began_wall_ms ? row->began_wall_ms : row->asker.created_wall_ms / 1000 * 1000;
    int64_t length = row->expires_wall_ms - began;

    if (!ls->shared && left > length)
        left = length;
    return left > 0 ? (uint64_t)left : 0;
}

static struct lease *make_lease(struct leases *ls, const char *id, const struct holder *h)
{
    struct session session = {
        .id = h->session, .lsid = *h->lsid ? h->lsid : NULL, .username = h->username, .domain = h->domain};
    const struct lease_args args = {.session = &session,
                                    .credential_id = h->credential,
                                    .id = id,
                                    .system = h->system,
                                    .account = h->account};

    return lease_new(ls, &args, h->created_wall_ms);
}

static bool is_in_doubt(const struct request_row *row)
{
    return strcmp(row->last_error, ROW_IN_DOUBT) == 0;
}

static const char *known_error(const struct request_row *row)
{
    const char *text = is_in_doubt(row) ? "" : row->last_error;

    for (int code = 1; code < FAULT_NCODES; code++)
        if (strcmp(fault_row((enum fault_code)code)->code, text) == 0)
            return fault_row((enum fault_code)code)->code;
    return *text ? "unknown" : NULL;
}

/* ---- vault requests ---- */

/* The section leads to another address than it did: whether it is the same vault is not known. */
static bool is_moved(const struct vault_ref *ref, const struct request_row *row)
{
    return *row->url && strcmp(row->url, ref->url) != 0;
}

/* The same key at another address is another thing: such a row waits for its address. */
static bool is_keyed_row(const struct request_row *row)
{
    return row->handle && *row->handle;
}

static enum request_origin origin_of(const struct vault_ref *ref, const struct request_row *row)
{
    if (row->state == REQUEST_ASKED)
        return ORIGIN_UNKNOWN;
    if (is_keyed_row(row))
        return ORIGIN_OURS;
    if (!*row->name)
        return ORIGIN_NO_REQUEST;
    return row->adopted ? ORIGIN_FOREIGN : is_moved(ref, row) ? ORIGIN_UNKNOWN : ORIGIN_OURS;
}

/* With its asker, which has ended as yet; in state ASKED, held by nothing. NULL = out of memory. */
static struct vault_request *make_request(struct leases *ls, struct vault_ref *ref,
                                          const struct request_row *row)
{
    struct lease *asker = make_lease(ls, row->mark, &row->asker);
    struct vault_request *r = asker ? vault_request_new(ls, ref->vault, row->user, asker) : NULL;

    if (!r) {
        if (asker)
            lease_free(ls, asker);
        return NULL;
    }
    asker->state = LEASE_ENDED;
    r->checkouts = 0;
    r->has_row = true;
    r->origin = (uint8_t)origin_of(ref, row);
    r->ends_ms = clock_now(ls->clock) + time_left(ls, ref, row);
    r->expires_wall_ms = row->expires_wall_ms;
    r->spin = (unsigned)row->spin & 3U;
    if (!ls->shared)
        r->due = row->checkins_due < UINT16_MAX ? (uint16_t)row->checkins_due : 0;
    r->is_adopted = ls->shared != NULL;
    r->is_keyed = r->is_keyed || is_keyed_row(row);
    if (row->began_wall_ms && !request_work_get(r))
        return NULL;
    if (row->began_wall_ms)
        r->work->began_wall_ms = row->began_wall_ms;
    if (is_keyed_row(row) && !(r->handle = strdup(row->handle)))
        return NULL;
    return *row->name && vault_request_set_name(r, row->name) ? NULL : r;
}

/* The end of the wait for an approver: never more than its whole length from now. In a shared store it is in
 * the vault's time, which may not be known as yet. */
static int64_t wait_end(const struct vault_request *r, const struct request_row *row)
{
    int64_t latest = pending_wait_end(r, 0) + row->next_wall_ms - row->asker.created_wall_ms;

    return r->is_adopted || row->next_wall_ms < latest ? row->next_wall_ms : latest;
}

/* Of the check-in, the lapse or the wait that the row has. */
static int make_work(struct vault_request *r, const struct request_row *row)
{
    struct request_work *w = request_work_get(r);
    struct leases *ls = r->vault_ref->leases;

    if (!w)
        return -ENOMEM;
    w->attempts = row->attempts > 0 && row->attempts < INT32_MAX ? (unsigned)row->attempts : 0;
    w->last_error = known_error(row);
    w->spins = row->spins > 0 && row->spins <= SPIN_REPEATS ? (unsigned)row->spins : 0;
    w->is_row_written = row->state == REQUEST_RETURNING;
    w->next_wall_ms = row->state == REQUEST_PENDING ? wait_end(r, row) : row->next_wall_ms;
    int64_t wait = row->next_wall_ms - clock_wall(ls->clock);

    w->delay_ms = ls->shared || wait <= 0 ? 0 : wait > 60000 ? 60000 : (uint64_t)wait;
    return 0;
}

static uint64_t spread_ms(struct restore *r)
{
    return r->due++ / DUE_PER_MS;
}

/* The time in the row of one that waits is no time of a check-in. */
static void hold_again(struct vault_request *r)
{
    if (r->work)
        r->work->delay_ms = 0;
    vault_request_goto(r, VR_HELD);
}

/* Never to be checked in, or to be looked for first. */
static void give_back(struct restore *restore, struct vault_request *r)
{
    if (r->origin == ORIGIN_UNKNOWN) {
        vault_request_recover_later(r);
    } else if (r->origin != ORIGIN_OURS) {
        hold_again(r); /* a row of one that was asked for has no name */
        vault_request_goto(r, vault_request_over(r, END_FORGOTTEN, NULL));
    } else {
        restore->releasing++;
        if (!r->work->delay_ms)
            r->work->delay_ms = spread_ms(restore);
        vault_request_goto(r, VR_RETRY);
    }
}

/* The calls of the process before may still arrive: its check-outs, and, where it was given back, its
 * check-ins. */
static void keyed_restored(struct vault_request *r, enum request_state state)
{
    if (state != REQUEST_SPINNING)
        keyed_doubt_checkout(r);
    if (state == REQUEST_RETURNING)
        keyed_doubt_checkin(r);
}

/* From the state of its row on. */
static void restore_state(struct restore *restore, struct vault_request *r, enum request_state state)
{
    bool waits = state == REQUEST_PENDING && r->origin == ORIGIN_OURS;

    if (r->is_keyed)
        keyed_restored(r, state);
    restore->asked += state == REQUEST_ASKED;
    restore->lapsed += state == REQUEST_LAPSED;
    restore->pending += waits;
    restore->spinning += state == REQUEST_SPINNING;
    if (state == REQUEST_ASKED && r->vault_ref->leases->shared)
        vault_request_recover(r); /* the first look at once */
    else if (state == REQUEST_ASKED)
        vault_request_recover_later(r);
    else if (state == REQUEST_RETURNING)
        give_back(restore, r);
    else if (state == REQUEST_LAPSED)
        vault_request_goto(r, VR_LAPSED);
    else if (waits)
        vault_request_goto(r, VR_PENDING);
    else if (state == REQUEST_SPINNING)
        spin_restored(r, spread_ms(restore));
    else /* leases follow; without one it is given back, as one that waits and is not known whose it is */
        hold_again(r);
}

static bool is_id(const struct leases *ls, const char *id)
{
    return strlen(id) == ID_SIZE - 1 && !lease_by_id(ls, id);
}

static bool makes_sense(const struct leases *ls, const struct request_row *row)
{
    return is_id(ls, row->mark) && *row->vault && *row->user && strlen(row->name) < REQUEST_KEY_SIZE &&
           (*row->name || row->state <= REQUEST_HELD) &&
           (row->state != REQUEST_SPINNING || is_keyed_row(row));
}

/* A row that names its vault otherwise than the configuration does now is written again. */
static int note_move(struct vault_ref *ref, const struct request_row *row)
{
    if (is_moved(ref, row) && !ref->moved_from && !(ref->moved_from = strdup(row->url)))
        return -ENOMEM;
    return 0;
}

static bool is_described_otherwise(const struct vault_ref *ref, const struct request_row *row)
{
    return strcmp(row->url, ref->url) != 0 || strcmp(row->vault, ref->vault->conf->name) != 0;
}

static int restore_request(struct restore *restore, const struct request_row *row)
{
    struct leases *ls = restore->leases;

    if (!makes_sense(ls, row)) {
        restore->odd++;
        log_warn("lease_odd", "lease=%s vault=%s user=%s", row->mark, row->vault, row->user);
        return 0;
    }
    struct vault_ref *ref = vault_ref_of_row(&ls->vaults, row->vault, row->url, is_keyed_row(row));

    if (!ref || note_move(ref, row))
        return -ENOMEM;
    lease_tag_learn(&ls->tag, row->mark);
    struct vault_request *r = make_request(ls, ref, row);

    if (!r || (row->state > REQUEST_HELD && make_work(r, row)))
        return -ENOMEM;
    if (is_in_doubt(row) && r->is_keyed)
        keyed_doubt_checkin(r);
    else if (is_in_doubt(row))
        vault_request_doubt(r);
    restore_state(restore, r, row->state);
    const struct lease *asker = lease_by_id(ls, row->mark); /* it may have ended */

    return asker && is_described_otherwise(ref, row) && vault_request_row_state(asker->request) == row->state
               ? row_edit(asker->request)
               : 0;
}

/* A damaged row may hold any number; no calendar goes further than the year 9999. */
static int64_t wall_in_range(int64_t wall_ms)
{
    const int64_t last = 253402300799999;

    return wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
}

static int on_request(void *arg, const struct request_row *stored)
{
    struct request_row row = *stored;

    row.asker.created_wall_ms = wall_in_range(row.asker.created_wall_ms);
    row.expires_wall_ms = wall_in_range(row.expires_wall_ms);
    row.next_wall_ms = wall_in_range(row.next_wall_ms);
    row.began_wall_ms = wall_in_range(row.began_wall_ms);
    return restore_request(arg, &row);
}

/* ---- leases ---- */

/* The lease of the asker is the asker. */
static struct lease *get_lease(struct leases *ls, const struct vault_request *r, const struct lease_row *row)
{
    struct holder holder = row->holder;

    if (strcmp(row->id, r->asker->id) == 0)
        return r->asker;
    holder.created_wall_ms = wall_in_range(holder.created_wall_ms);
    return make_lease(ls, row->id, &holder);
}

/* Never longer than its whole length, as the request's (time_left()). */
static void restore_end(struct lease *lease, const struct lease_row *row)
{
    const struct leases *ls = lease->request->vault_ref->leases;
    int64_t expires =
        row->expires_wall_ms ? wall_in_range(row->expires_wall_ms) : lease->request->expires_wall_ms;
    int64_t left = expires - leases_wall(ls, vault_request_vault(lease->request));
    int64_t length = expires - lease->created_s * 1000;

    left = left < length ? left : length;
    lease->expires_wall_ms = expires;
    lease->ends_ms = clock_now(ls->clock) + (uint64_t)(left > 0 ? left : 0);
}

static int on_lease(void *arg, const struct lease_row *row)
{
    struct restore *restore = arg;
    struct leases *ls = restore->leases;
    const struct lease *asker = lease_by_id(ls, row->request);
    struct vault_request *r = asker && asker->request->asker == asker ? asker->request : NULL;

    if (!r || r->state != VR_HELD || (strcmp(row->id, row->request) != 0 && !is_id(ls, row->id))) {
        restore->odd++;
        log_warn("lease_odd", "lease=%s user=%s session=%s", row->id, row->holder.username,
                 row->holder.session);
        return ls->shared ? 0 : row_remove_lease(ls, row);
    }
    struct lease *lease = get_lease(ls, r, row);

    if (!lease || (*row->holder.lsid && lease_set_lsid(ls, lease, row->holder.lsid)))
        return -ENOMEM;
    lease_tag_learn(&ls->tag, row->id);
    lease_link(lease, r);
    if (r->is_keyed)
        restore_end(lease, row);
    restore->open++;
    if (row->ended) {
        lease->end = session_end_get(ls, row->ended, row->ended_site);
        restore->ended++;
    }
    return 0;
}

static int on_cursor(void *arg, const struct cursor_row *row)
{
    return sites_keep_cursor(((struct restore *)arg)->leases, row);
}

/* ---- all of them ---- */

/* A process has ended between the steps that made it and the one that gave it a lease; or the store was read
 * by a command that ended its lease. */
static void settle_request(struct restore *restore, struct vault_request *r)
{
    if (SLIST_FIRST(&r->leased)) {
        uint64_t now = clock_now(r->vault_ref->leases->clock);

        if (r->is_keyed) {
            keyed_arm(r);
            return;
        }
        vault_request_set_end(r, r->ends_ms > now ? r->ends_ms : now + spread_ms(restore),
                              r->expires_wall_ms);
    } else if (r->is_keyed) {
        keyed_doubt_checkin(r);
        vault_request_goto(r, VR_SETTLING);
    } else if (request_work_get(r)) {
        if (r->origin == ORIGIN_OURS || r->origin == ORIGIN_UNKNOWN)
            row_return(r, NULL);
        give_back(restore, r);
    }
}

static void settle_requests(struct restore *restore)
{
    struct leases *ls = restore->leases;
    struct lease *lease;

    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls))
        if (lease->request->asker == lease && lease->request->state == VR_HELD)
            settle_request(restore, lease->request);
}

static void on_restored(struct deadline *d)
{
    struct leases *ls = CONTAINER_OF(d, struct leases, restored);
    struct lease *lease;

    for (lease = lease_first(ls, 0); lease; lease = lease_next(ls))
        if (lease->state == LEASE_OPEN && lease->end)
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

/* ---- one of a shared store ---- */

/* Its check-out is in flight, and was so before the gateway was fenced; or the store had it as this gateway's
 * before. */
static void adopt_known(struct vault_request *r, const struct request_row *row)
{
    if (r->state == VR_ASKED || vault_request_is_looked_for(r))
        r->has_row = true;
    else
        shared_follow(r->vault_ref->leases, row->mark, row);
}

/* One that a check-out of this gateway is about to open, or has handed over, stays with the store alone. */
static int adopt_leases(struct restore *restore, struct vault_request *r,
                        const struct lease_row *const *leases, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        const struct lease *known = lease_by_id(restore->leases, leases[i]->id);

        if (!known || (known == r->asker && known->state == LEASE_ENDED))
            err = on_lease(restore, leases[i]);
    }
    return err;
}

/* Out of the table again, for want of memory. */
static int forget_adopted(struct leases *ls, const char *mark)
{
    const struct lease *asker = lease_by_id(ls, mark);

    if (asker && asker->request->asker == asker)
        shared_vanish(asker->request);
    return -ENOMEM;
}

int leases_adopt(struct leases *ls, const struct request_row *row, const struct lease_row *const *leases,
                 size_t n)
{
    struct restore restore = {.leases = ls};
    const struct lease *asker = lease_by_id(ls, row->mark);

    if (asker && asker->request->asker == asker) {
        adopt_known(asker->request, row);
        return 0;
    }
    if (on_request(&restore, row))
        return forget_adopted(ls, row->mark);
    asker = lease_by_id(ls, row->mark); /* it may have ended */
    struct vault_request *r = asker ? asker->request : NULL;

    if (!r || r->state != VR_HELD)
        return 0;
    if (adopt_leases(&restore, r, leases, n) ||
        (restore.ended && timer_start(ls->timers, &ls->restored, 0, on_restored)))
        return forget_adopted(ls, row->mark);
    uint64_t now = clock_now(ls->clock);

    vault_request_hold_for(r, r->ends_ms > now ? r->ends_ms - now : 0);
    return 0;
}

int leases_restore(struct leases *ls)
{
    static const struct store_reader reader = {on_request, on_lease, on_cursor};
    struct restore r = {.leases = ls};

    if (ls->shared) {
        reconcile_start(ls->reconcile);
        return 0;
    }
    int err = journal_load(ls->journal, &reader, &r);

    if (err) {
        log_error("leases_not_read", "error=%s", strerror(-err));
        return err;
    }
    settle_requests(&r);
    warn_of_vaults(ls);
    if (r.open + r.releasing + r.asked + r.lapsed + r.pending + r.spinning + r.odd)
        log_info("leases_restored",
                 "open=%zu releasing=%zu intents=%zu lapsed=%zu pending=%zu spinning=%zu odd=%zu", r.open,
                 r.releasing, r.asked, r.lapsed, r.pending, r.spinning, r.odd);
    crash_point("restore.done");
    if (r.ended && timer_start(ls->timers, &ls->restored, 0, on_restored))
        return -ENOMEM;
    reconcile_start(ls->reconcile);
    return 0;
}
