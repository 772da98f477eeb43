/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconcile.c - the comparison of the lease table with the vaults' own lists of live requests.
 *
 *   a round (start, every reconcile_every) --> one list per user that holds a vault request
 *
 *   listed, ours, held by the table            nothing follows
 *   listed, ours, not in the table             a stray: it is checked in
 *   held by the table, missing in two lists    the vault has ended it: its leases are closed
 *   held by the table, waits for its approver  its leases were answered to no caller: they are closed
 *
 * The last is left by a process that has ended between the step `open` and the vault's word that the request
 * waits: who reads no secret is not answered.
 *
 * Where the store is shared each list is asked for by one gateway, which compares it with the rows of all
 * (list_share.h).
 *
 * A vault request counts as listed by a row of its id and account. One that is unproven (request_identity.h)
 * counts only by a row with a mark of the gateway, which proves it.
 *
 * Ours is what has a lease id of the gateway in its reason, or a cut mark that fits an open question and its
 * account. A request without one is never touched.
 *
 * Only those vault requests are judged that were HELD before the call was sent, and only when two lists in a
 * row lack them, since a list may be partial. Even then a request of the gateway's own is checked in: a wrong
 * list would leave it without a lease, and a second check-in does no harm.
 *
 * Not here: reading the lists (active_requests.c), when a recovery looks again (recovery.c), the
 * check-in (checkin.c).
 */
#include "broker/leases/reconcile.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"
#include "broker/leases/lease_audit.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_EVERY_MS 70000 /* longer than a suspect is one (shared_strays.h) */
#define WATCHED_FEW    500
#define STRAY_KEPT_MS  (24 * 3600000LL) /* to be checked in for so long, where its end is not known */

struct reconcile {
    struct active_requests_owner owner; /* of the leases' reader */
    struct leases *leases;
    uint64_t every_ms;
    struct deadline periodic;
    struct skew_notes skew;
};

/* ---- one row ---- */

/*
 * Its lease has long ended, or another request of the same lease is held: a POST that was carried out twice.
 * Its record gets a mark of its own, since the one in its reason may be that of another record.
 */
void reconcile_stray(struct leases *ls, struct vault *vault, const char *user,
                     const struct active_request *row, const char *mark)
{
    static const struct session no_session = {.id = "", .username = ""};
    char id[ID_SIZE];
    const struct lease_args args = {.session = &no_session, .credential_id = "", .id = id};
    struct lease *asker = lease_id_new(ls, id) ? NULL : lease_ask(ls, &args, vault, user);

    if (!asker)
        return; /* the next list will have it again */
    struct vault_request *request = asker->request;
    int64_t now = leases_wall(ls, vault);
    int64_t left = skew_left(ls->clock, vault, row);

    left = left ? left : STRAY_KEPT_MS;
    request->expires_wall_ms = now + left;
    request->ends_ms = clock_now(ls->clock) + (uint64_t)left;
    if (vault_request_set_name(request, row->name)) {
        vault_request_withdraw(request);
        return;
    }
    request->origin = ORIGIN_OURS;
    log_warn("stray_request", "user=%s mark=%s", user, mark);
    audit_reconciled(ls->audit, request, "stray_request", mark);
    vault_request_unhold(request, NULL);
}

/* The vault request of a check-out whose own answer is still to come, or of a recovery. */
static bool is_open_question(const struct leases *ls, const char *id)
{
    const struct lease *lease = lease_by_id(ls, id);

    return lease && (lease->request->state == VR_ASKED || vault_request_is_looked_for(lease->request));
}

/* Another gateway may hold it. */
static void found_unknown(struct leases *ls, struct vault *vault, const char *user,
                          const struct active_request *row, const char *mark)
{
    if (list_share_has(ls, vault, row->name))
        return;
    if (ls->shared)
        shared_strays_note(ls, vault, user, row, mark, reconcile_stray);
    else
        reconcile_stray(ls, vault, user, row, mark);
}

static void judge_row(struct active_requests_owner *owner, struct vault *vault, const char *user,
                      const struct active_request *row, struct active_requests_wait *wait)
{
    struct leases *ls = CONTAINER_OF(owner, struct reconcile, owner)->leases;
    struct vault_request *request = vault_request_known(ls, vault, row->name, user, row_account(vault, row));
    char id[ID_SIZE];
    bool marked = reason_lease_id(row->reason, id);

    if (!request && marked)
        request = vault_request_marked(ls, vault, row, id);
    if (request && vault_request_is_unproven(request) && vault_request_proven(request, row))
        vault_request_prove(request);
    if (request && !vault_request_is_unproven(request))
        request->missed = request->gone = false;
    bool is_stray = wait ? !wait->found(wait, row)
                         : !request && marked && lease_id_known(ls, id) && !is_open_question(ls, id);

    if (is_stray && !vault_request_find(ls, vault, row->name)) /* else that one has to end first */
        found_unknown(ls, vault, user, row, marked ? id : "");
}

/* ---- what should be listed ---- */

static void close_gone(struct vault_request *request)
{
    log_warn("request_gone", "user=%s holders=%zu", request->user, vault_request_holders(request));
    audit_reconciled(request->vault_ref->leases->audit, request, "request_gone", NULL);
    request->gone = true;
    vault_request_close_leases(request, "gone");
}

/* As what it is here: of its account and, where that is in doubt, with a mark. */
static bool is_listed(const struct vault_request *request, const struct active_request *row)
{
    return row && vault_request_of_account(request, row_account(vault_request_vault(request), row)) &&
           !vault_request_is_unproven(request);
}

static bool judge_expected(struct active_requests_owner *owner, struct vault *vault, const char *user,
                           const char *name, const struct active_request *row)
{
    struct leases *ls = CONTAINER_OF(owner, struct reconcile, owner)->leases;
    const struct vault_account any = {0};
    struct vault_request *request = vault_request_known(ls, vault, name, user, any);

    if (!request && ls->shared)
        return list_share_judge(ls, vault, name, row);
    if (!request || request->state != VR_HELD)
        return false;
    if (is_listed(request, row)) {
        if (row->waits && !(ls->shared && request->checkouts)) /* else its check-out is about to keep it */
            vault_request_close_leases(request, "unanswered");
        return false;
    }
    if (!request->missed && !request->gone) {
        request->missed = true;
        return true;
    }
    close_gone(request);
    return false;
}

static void on_read(struct active_requests_owner *owner, struct vault *vault)
{
    skew_note(&CONTAINER_OF(owner, struct reconcile, owner)->skew, vault);
}

/* ---- rounds ---- */

static bool is_in_share(const struct vault_request *r)
{
    const struct leases *ls = r->vault_ref->leases;

    return !ls->shared || ls->share.is_unread ||
           list_share_is_mine(ls, vault_request_vault(r)->conf->name, r->user);
}

static bool is_expected(const struct vault_request *request)
{
    return request->state == VR_HELD && !request->is_keyed && request->origin != ORIGIN_NO_REQUEST &&
           !request->vault_ref->absent && is_in_share(request);
}

static void expect_requests(struct leases *ls)
{
    struct vault_request *request, *next;

    HASH_ITER(hh, ls->requests, request, next)
    if (is_expected(request) && active_requests_expect(ls->reader, vault_request_vault(request),
                                                       request->user, vault_request_name(request)))
        request->missed = false;
}

/* While users are watched the next round comes sooner, unless its lists would take longer than that. */
static uint64_t next_round_ms(const struct reconcile *rc, size_t watched)
{
    bool hurries = watched && watched <= WATCHED_FEW && (!rc->every_ms || rc->every_ms > WATCH_EVERY_MS);

    return hurries ? WATCH_EVERY_MS : rc->every_ms;
}

static void on_round(struct deadline *);

static void begin_round(struct leases *ls)
{
    struct reconcile *rc = ls->reconcile;

    expect_requests(ls);
    uint64_t next_ms = next_round_ms(rc, known_users_expect(ls));

    for (size_t i = 0; i < ls->vaults.n; i++)
        if (!ls->vaults.refs[i]->absent)
            skew_note(&rc->skew, ls->vaults.refs[i]->vault);
    log_debug("reconcile_round", "users=%zu requests=%u", active_requests_polls(ls->reader),
              HASH_COUNT(ls->requests));
    active_requests_start(ls->reader);
    if (next_ms)
        timer_set(ls->timers, &rc->periodic, next_ms, on_round);
}

static void on_round(struct deadline *d)
{
    struct leases *ls = CONTAINER_OF(d, struct reconcile, periodic)->leases;

    active_requests_round(ls->reader);
    if (ls->shared && leases_joined(ls))
        list_share_scan(ls, begin_round);
    else
        begin_round(ls);
}

void reconcile_hurry(struct reconcile *rc)
{
    timer_set(rc->leases->timers, &rc->periodic, 0, on_round);
}

struct reconcile *reconcile_new(struct leases *ls, uint64_t every_ms)
{
    struct reconcile *rc = calloc(1, sizeof *rc);

    if (!rc)
        return NULL;
    if (timer_reserve(ls->timers, &rc->periodic)) {
        free(rc);
        return NULL;
    }
    rc->owner = (struct active_requests_owner){.row = judge_row, .expected = judge_expected, .read = on_read};
    rc->leases = ls;
    rc->every_ms = every_ms;
    return rc;
}

struct active_requests_owner *reconcile_owner(struct reconcile *rc)
{
    return &rc->owner;
}

void reconcile_start(struct reconcile *rc)
{
    if (rc->every_ms || rc->leases->leases_by_id || rc->leases->shared)
        reconcile_hurry(rc);
}

void reconcile_free(struct reconcile *rc)
{
    if (!rc)
        return;
    timer_unreserve(rc->leases->timers, &rc->periodic);
    skew_free(&rc->skew);
    free(rc);
}
