/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_access.c - the states `request`, `await` and `lookup`: from asking the vault to holding a vault
 * request.
 *
 * The vault answers with one of
 *
 *   201        a new request: the check-out is its first holder
 *   200        the request id of one that the table holds: one holder more
 *              one that is being given back: `await`, and then asked again
 *              one that the table does not hold: `lookup` reads its reason
 *                a mark of the gateway   made by this check-out, and carried out twice by the transport, or
 *                                        by another one, whose answer is still on its way
 *                none                    the person's own: adopted
 *                not live any more       asked again
 *              one that the table holds under another user or of another account, or that a 201 calls new:
 *                the user's list decides; what it does not prove is not believed, and what was asked for
 *                is recovered
 *   no answer  what was asked for is recovered
 *
 * An answer to a repeat says nothing of the sendings before it: one may arrive when the request has ended,
 * and make another. So the end of a request that was asked for more than once is in doubt for a while
 * (vault_request_doubt()).
 *
 * Once begun the request is never cancelled: it has the vault's own call_timeout, not the caller's deadline.
 * It is not begun at all when the vault's queue would serve it too late for the caller, or when the client
 * has left by then. Until the reason has been read the vault request is ORIGIN_UNKNOWN and ASKED, so that a
 * check-out that ends here loses nothing.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/person.h"
#include "base/text.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/key_due.h"
#include "broker/leases/request_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- request ---- */

/* Reason and times are those of this moment; the row keeps those of `intent`. */
int co_make_request(struct checkout *co)
{
    int err = co_make_reason(co, co->lease_id);

    co->want = (struct checkout_want){.account_key = co->account_key,
                                      .minutes = co->minutes,
                                      .reason = co->reason_sent,
                                      .ticket_system_id = co->ticket_system_id,
                                      .ticket_number = co->ticket_number,
                                      .lease_id = co->lease_id,
                                      .type = co_wanted_type(co)};
    co_call_awaited(co, usermap_user(&co->users)); /* even when the client has left */
    return err;
}

static int request_enter(struct checkout *co)
{
    int err = co_make_request(co);

    if (err)
        return err;
    if (co->vault->can.secret_with_checkout) { /* what an earlier answer has brought is of another request */
        secret_clear(&co->secret);
        co->stage = CO_SECRET_PREFERRED;
        co->want.type = co_wanted_type(co);
    }
    crash_point("checkout.request.before");
    err = co->vault->ops->checkout(co->vault, &co->want, &co->call);
    if (!err)
        crash_point("checkout.request.sent");
    return err;
}

bool co_hold_asked(struct checkout *co, const char *name, enum request_origin origin)
{
    if (*name && vault_request_set_name(co->asked, name)) { /* it is found again when there is memory */
        (void)co_fail(co, FAULT_INTERNAL, "out of memory");
        return false;
    }
    uint64_t length_ms = (uint64_t)co->minutes * co->vault->conf->minute_ms;

    if (co->shared) /* the vault's clock is known by now */
        co->sent_wall_ms = leases_wall(co->op.broker->leases, co->vault) -
                           (int64_t)(clock_now(co->op.broker->clock) - co->sent_ms);
    co->asked->origin = (uint8_t)origin;
    co_hold(co, co->asked, origin == ORIGIN_UNKNOWN);
    vault_request_set_end(co->asked, co->sent_ms + length_ms, co->sent_wall_ms + (int64_t)length_ms);
    return true;
}

enum co_state co_request_refused(struct checkout *co)
{
    struct vault_call *call = &co->call;

    if (call->withheld)
        fault_set(&call->fault, FAULT_STORE_UNAVAILABLE,
                  "the lease store has not answered for too long: nothing is asked of the vault meanwhile");
    if (call->result == VAULT_FAILED && call->unknown)
        return co_fail_with(co, &call->fault); /* it is recovered */
    if (call->result == VAULT_CONFLICT &&
        !co_is_keyed(co)) { /* perhaps with the first copy of a call that came twice */
        co->asked->refused = true;
        return co_fail_with(co, &call->fault);
    }
    co_withdraw(co);
    if (call->withheld && !co_is_keyed(co))
        return CO_PAUSE; /* the store was slow: its word to the next STEP_ASK may be in time */
    if (call->result == VAULT_REFUSED)
        return co_next_user(co, &call->fault);
    return co_fail_with(co, &call->fault);
}

/* A request id of the table: one holder more, or its check-in is awaited. */
static enum co_state hold_known_request(struct checkout *co, struct vault_request *request)
{
    if (request->origin == ORIGIN_UNKNOWN) { /* another check-out is at its lookup; or it is unproven */
        vault_request_hold(request);
        co_hold(co, request, true);
        return CO_LOOKUP;
    }
    request->missed = false;
    if (request->returned) { /* other check-outs have yet to find out */
        co_drop_request(co);
        return CO_PAUSE;
    }
    if (vault_request_is_returning(request)) {
        co_drop_request(co); /* it has another lease's mark: nothing was made for this one, unless late */
        co->awaited = request;
        return CO_AWAIT;
    }
    if (request->state == VR_PENDING && co->shared)
        return co_read_waiting(co, request);
    if (request->state == VR_PENDING) /* a person waits for its approver, also if this check-out fails */
        return co_claim(co, request) ? co_first_fetch(co) : CO_REPLY;
    if (request != co->asked && !co->vault->can.repeatable) {
        co_drop_request(co);
        return co_fail_held(co, request);
    }
    if (request != co->asked)
        vault_request_hold(request);
    co_hold(co, request, true);
    request->gone = false; /* the vault has just named it as live */
    return co_settle(co);
}

/* This user's record of the id that the vault has answered, and of this account. */
static struct vault_request *find_own(const struct checkout *co)
{
    const char *user = usermap_user(&co->users);
    struct vault_request *request = vault_request_known(co->op.broker->leases, co->vault, co->answered, user,
                                                        (struct vault_account){co->vault, co->account_key});

    return request && person_same(request->user, user) ? request : NULL;
}

/*
 * The table may hold the id under another user, of another account, or though the vault calls it new. A
 * number alone never decides whose secret is read: the user's own list does.
 */
static enum co_state hold_answered(struct checkout *co)
{
    bool reused = co->call.origin == CHECKOUT_REUSED;
    enum request_origin origin = reused ? ORIGIN_UNKNOWN : ORIGIN_OURS;
    struct vault_request *own = find_own(co);

    if (co->shared && own && own != co->asked && !reused && own->state == VR_ASKED)
        co->at_vault = CO_VAULT_STRAY; /* another check-out has found what was made for this one */
    if (own && (reused || own->origin == ORIGIN_UNKNOWN) && !(vault_request_is_unproven(own) && !reused))
        return hold_known_request(co, own);
    if (vault_request_find(co->op.broker->leases, co->vault, co->answered)) {
        co->doubtful_origin = origin;
        return CO_LOOKUP;
    }
    if (!co_hold_asked(co, co->answered, origin))
        return CO_REPLY;
    if (origin != ORIGIN_UNKNOWN)
        return co_settle(co);
    return co->shared ? CO_SEARCH : CO_LOOKUP;
}

/* The key was known before: it is what is held from now on. */
static enum co_state keyed_answered(struct checkout *co)
{
    if (co->call.repeated || co->call.unknown)
        keyed_doubt_checkout(co->asked);
    if (co->call.result == VAULT_CONFLICT && !co->call.holder_is_own && co->asked->origin != ORIGIN_OURS)
        co->asked->refused = true; /* nothing of it is the gateway's */
    if (co->call.result != VAULT_OK && !co->call.unknown && !co->call.repeated)
        keyed_uncount(co->asked);
    if (co->call.result != VAULT_OK)
        return co_request_refused(co);
    co->asked->refused = false;
    co->asked->origin = ORIGIN_OURS;
    if (co->call.secret.len)
        co_take_secret(co);
    co_hold(co, co->asked, false);
    return co_settle_keyed(co);
}

static enum co_state request_resume(struct checkout *co, int err)
{
    struct vault_request *request;

    if (err == 0)
        crash_point("checkout.request.answered");
    if (err < 0) {
        keyed_uncount(co->asked);
        co_withdraw(co);
        return co_fail_start(co, err);
    }
    if (co_is_keyed(co))
        return keyed_answered(co);
    if (co->call.repeated)
        vault_request_doubt(co->asked);
    if (co->call.result != VAULT_OK)
        return co_request_refused(co);
    if (co->call.secret.len)
        co_take_secret(co);
    if (co->call.unknown)
        co->at_vault = CO_VAULT_STRAY;
    (void)text_copy(co->answered, sizeof(co->answered), co->call.request_key);
    request = vault_request_find(co->op.broker->leases, co->vault, co->answered);
    if (request)
        (void)vault_request_expire(request);
    return hold_answered(co);
}

static bool request_drop(struct checkout *co)
{
    if (!vault_withdraw(co->vault, &co->call))
        return false;
    keyed_uncount(co->asked);
    co_withdraw(co); /* nothing was sent */
    return true;
}

const struct co_step co_request_step = {"request", request_enter, request_resume, request_drop};

/* ---- await ---- */

/* May be called by await_enter(). One attempt is waited for: the next ones take until the vault's own expiry.
 */
static void on_watched_end(struct vault_request_watch *w, bool ended)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, watch);

    co->awaited_error = ended ? NULL : vault_request_checkin_error(co->awaited);
    co->awaited = NULL;
    (void)co_defer(co); /* without memory its own deadline ends it */
}

static int await_enter(struct checkout *co)
{
    co->watch.on_ended = on_watched_end;
    if (!vault_request_watch(co->awaited, &co->watch))
        return -ENOMEM;
    vault_request_hurry(co->awaited);
    return CO_WAIT;
}

static enum co_state await_resume(struct checkout *co, int err)
{
    if (err < 0)
        return co_fail_start(co, err);
    if (co->awaited_error)
        return co_fail(co, FAULT_VAULT_CONFLICT,
                       "the vault hands over an earlier request, whose check-in has failed (%s) and is "
                       "repeated; check out again later",
                       co->awaited_error);
    if (lease_id_new(co->op.broker->leases, co->lease_id))
        return co_fail(co, FAULT_INTERNAL, "no random numbers");
    co->at_vault = CO_VAULT_BEGUN;
    return CO_INTENT;
}

static bool await_drop(struct checkout *co)
{
    vault_request_unwatch(&co->watch);
    co->awaited = NULL;
    return true;
}

const struct co_step co_await_step = {"await", await_enter, await_resume, await_drop};

/* ---- lookup ---- */

static int lookup_enter(struct checkout *co)
{
    co_call(co, usermap_user(&co->users));
    int err = co->vault->ops->requests(co->vault, &co->call);

    if (!err)
        crash_point("checkout.lookup.sent");
    return err;
}

static const struct active_request *find_row(const struct active_requests *active, const char *name)
{
    for (size_t i = 0; i < active->n; i++)
        if (strcmp(active->rows[i].name, name) == 0)
            return &active->rows[i];
    return NULL;
}

/*
 * The request was there before and keeps its own end, which the vault names by its clock. The end of another
 * gateway's request is that of its row, at all gateways; of one that has waited for its approver there is
 * none as yet.
 */
static void set_end_as_listed(struct checkout *co, const struct active_request *row)
{
    const struct clock *clock = co->op.broker->clock;
    bool has_waited = co_is_claim(co);

    if (co->request->state == VR_ELSEWHERE && !has_waited)
        return;
    int64_t left = skew_left(clock, co->vault, row);

    if (!left && has_waited)
        left = co->minutes * (int64_t)co->vault->conf->minute_ms; /* from its approval on */
    if (left)
        vault_request_set_end(co->request, clock_now(clock) + (uint64_t)left,
                              leases_wall(co->op.broker->leases, co->vault) + left);
    shared_note_end(co->request);
}

/* What was asked for is recovered: its mark finds what the vault has made, if anything. */
static enum co_state not_believed(struct checkout *co)
{
    log_warn("request_not_believed", "vault=%s user=%s lease=%s hint=%s", co->vault->conf->name,
             usermap_user(&co->users), co->lease_id,
             "the vault answered the number of a request that is another user's or another account's");
    return co_fail(
        co, FAULT_VAULT_ERROR,
        "the vault answered with the number of a request that is not this user's for this account");
}

/* The record of this very request, of another section or another spelling of the user. */
static enum co_state join_marked(struct checkout *co, struct vault_request *request)
{
    vault_request_join(request, co->vault);
    if (co->request == co->asked && co->asked)
        vault_request_clear_name(co->asked);
    else if (co->request)
        vault_request_unhold(co->request, NULL);
    co->request = NULL;
    return hold_known_request(co, request);
}

/* The record of the request in this row of the user's own list, by the gateway's mark; of a
 * person's own, by account. */
static struct vault_request *find_listed(const struct checkout *co, const struct active_request *row,
                                         const char *mark)
{
    struct leases *ls = co->op.broker->leases;
    struct vault_request *request = mark ? vault_request_marked(ls, co->vault, row, mark) : NULL;

    if (request)
        return request;
    request =
        vault_request_known(ls, co->vault, row->name, usermap_user(&co->users), row_account(co->vault, row));
    return request && request->origin == ORIGIN_FOREIGN ? request : NULL;
}

/* `row`: what the list has under the doubtful id; NULL = nothing. `mark`: of its reason; NULL = none. */
static enum co_state judge_doubtful(struct checkout *co, const struct active_request *row, const char *mark)
{
    struct vault_request *request;

    if (!row || !vault_account_fits(row_account(co->vault, row), co->credential_id))
        return not_believed(co);
    if (co->doubtful_origin == ORIGIN_OURS)
        request = mark && strcmp(mark, co->lease_id) == 0 ? find_own(co) : NULL;
    else
        request = find_listed(co, row, mark);
    if (!request)
        return not_believed(co);
    if (co->doubtful_origin == ORIGIN_OURS)
        vault_request_prove(request);
    return join_marked(co, request);
}

/* In a shared store a request that waits for its approver is not held: it is its maker's. */
static enum co_state not_approved(struct checkout *co)
{
    co_drop_request(co);
    return co_fail(co, FAULT_APPROVAL_PENDING,
                   "an earlier request waits for its approver; check out again when it is approved");
}

static enum co_state lookup_resume(struct checkout *co, int err)
{
    const struct active_request *row;
    struct vault_request *other;
    char id[ID_SIZE];

    if (err < 0)
        return co_fail_start(co, err);
    if (co->call.result != VAULT_OK)
        return co_fail_with(co, &co->call.fault);
    row = find_row(&co->call.active, co->request ? vault_request_name(co->request) : co->answered);
    bool marked = row && reason_lease_id(row->reason, id);

    if (!co->request)
        return judge_doubtful(co, row, marked ? id : NULL);
    if (row && !vault_account_fits(row_account(co->vault, row), co->credential_id) && co->asked)
        return not_believed(co);
    if (!row || !vault_account_fits(row_account(co->vault, row), co->credential_id))
        return co_request_dead(co, NULL);
    other = marked ? vault_request_marked(co->op.broker->leases, co->vault, row, id) : NULL;
    if (other && other != co->request && co->request == co->asked && co->asked->checkouts > 1)
        return not_believed(co); /* others hold it by that name */
    if (other && other != co->request)
        return co->lease ? join_marked(co, other) : co_request_dead(co, NULL);
    if (co->shared && co->shared->is_known && !co_is_claim(co))
        return row->waits ? not_approved(co) : co_open_found(co);
    if (vault_request_proven(co->request, row))
        vault_request_prove(co->request);
    else if (co->request->origin == ORIGIN_UNKNOWN)
        co->request->origin = ORIGIN_FOREIGN;
    set_end_as_listed(co, row);
    if (co->shared && row->waits)
        return not_approved(co);
    bool is_found = co->shared && !co_is_claim(co);

    if (is_found)
        co->shared->open_first = true;
    if (is_found && co->lease && marked && strcmp(id, co->lease_id) != 0) {
        memcpy(co->shared->maker, id, ID_SIZE);
        return CO_SEARCH;
    }
    return co->lease ? co_settle(co) : co_first_fetch(co);
}

const struct co_step co_lookup_step = {"lookup", lookup_enter, lookup_resume, co_drop_call};
