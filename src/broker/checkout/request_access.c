/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_access.c - the states `request`, `await` and `lookup`: from asking the vault to holding a vault
 * request.
 *
 * The vault answers with one of
 *
 *   201        a new request: ours, the check-out is its first holder
 *   200        the request id of one that the table holds: one holder more
 *              one whose check-in is under way: reopened, or `await` and then asked again
 *              one that the table does not hold: `lookup` reads its reason
 *                one of our lease ids    ours: perhaps our own, carried out twice by the transport, or one
 *                                        whose answer is still on its way to another check-out
 *                none                    the person's own: adopted
 *                not live any more       asked again
 *   no answer  the intent recovers
 *
 * Once begun the request is never cancelled: it has the vault's own call_timeout, not the caller's deadline.
 * It is not begun at all when the vault's queue would serve it too late for the caller, or when the client
 * has left by then. Until the reason has been read the vault request is ORIGIN_UNKNOWN and the intent stays
 * open, so that a check-out that ends here loses nothing.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/clock_skew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- request ---- */

/* Reason and times are those of this moment; the row keeps those of `intent`. */
int co_make_request(struct checkout *co)
{
    free(co->reason_sent);
    co->reason_sent = reason_text(&(struct reason_parts){.given = co->reason,
                                                         .template = co->vault->conf->reason,
                                                         .session = co->session,
                                                         .lease_id = co->lease_id});
    co->args = (struct request_args){.system_id = co->account->system_id,
                                     .account_id = co->account->account_id,
                                     .application_id = co->account->application_id,
                                     .alias_id = co->ref.kind == KIND_ALIAS ? co->account->account_id : 0,
                                     .minutes = co->minutes,
                                     .reason = co->reason_sent,
                                     .ticket_system_id = co->ticket_system_id,
                                     .ticket_number = co->ticket_number};
    return co->reason_sent ? 0 : -ENOMEM;
}

static int request_enter(struct checkout *co)
{
    int err = co_make_request(co);

    if (err)
        return err;
    co_call_awaited(co, usermap_user(&co->users)); /* even when the client has left */
    crash_point("checkout.request.before");
    err = co->vault->ops->request(co->vault, &co->args, &co->call);
    if (!err)
        crash_point("checkout.request.sent");
    return err;
}

void co_set_end_as_asked(struct checkout *co)
{
    uint64_t length_ms = (uint64_t)co->minutes * co->vault->conf->minute_ms;

    vault_request_set_end(co->request, co->sent_ms + length_ms, co->sent_wall_ms + (int64_t)length_ms);
}

enum co_state co_request_refused(struct checkout *co)
{
    struct vault_call *call = &co->call;

    if (call->result == VAULT_FAILED && call->unknown)
        return co_fail_with(co, &call->fault); /* the intent stays, and recovers */
    co_close_intent(co);
    if (call->result == VAULT_REFUSED)
        return co_next_user(co, &call->fault);
    return co_fail_with(co, &call->fault);
}

/* A request id that the table does not hold. */
static enum co_state hold_new_request(struct checkout *co)
{
    bool reused = co->call.reused;
    struct vault_request *request =
        vault_request_new(co->op.broker->leases, co->vault, usermap_user(&co->users), co->call.request_id,
                          reused ? ORIGIN_UNKNOWN : ORIGIN_OURS);

    if (!request) /* the intent stays: it finds the request when there is memory again */
        return co_fail(co, FAULT_INTERNAL, "out of memory");
    co_hold(co, request, reused);
    co_set_end_as_asked(co);
    return reused ? CO_LOOKUP : co_settle(co);
}

/* A request id of the table: one holder more, or its check-in is awaited. */
static enum co_state hold_known_request(struct checkout *co, struct vault_request *request)
{
    if (request->origin ==
        ORIGIN_UNKNOWN) { /* another check-out is at its lookup; it may be ours all the same */
        vault_request_hold(request);
        co_hold(co, request, true);
        return CO_LOOKUP;
    }
    request->missed = false;
    if (request->state == REQUEST_HELD) {
        vault_request_hold(request);
    } else if (!vault_request_reopen(request)) {
        co_close_intent(co); /* it has another lease's mark: this intent has no request */
        co->awaited = request;
        return CO_AWAIT;
    }
    co_hold(co, request, true);
    request->gone = false; /* the vault has just named it as live */
    return co_settle(co);
}

static enum co_state request_resume(struct checkout *co, int err)
{
    struct vault_request *request;

    if (err == 0)
        crash_point("checkout.request.answered");
    if (err < 0) {
        co_close_intent(co);
        return co_fail_start(co, err);
    }
    if (co->call.result != VAULT_OK)
        return co_request_refused(co);
    request = vault_request_find(co->op.broker->leases, co->vault, co->call.request_id);
    if (request && vault_request_expire(request))
        request = vault_request_find(co->op.broker->leases, co->vault, co->call.request_id);
    return request ? hold_known_request(co, request) : hold_new_request(co);
}

static bool request_drop(struct checkout *co)
{
    if (!vault_withdraw(co->vault, &co->call))
        return false;
    co_close_intent(co); /* nothing was sent */
    return true;
}

const struct co_step co_request_step = {"request", request_enter, request_resume, request_drop};

/* ---- await ---- */

static void on_watched_end(struct vault_request_watch *w, bool ended)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, watch);
    struct vault_request *request = co->awaited;

    if (!ended) {
        if (request->state == REQUEST_HELD) /* another check-out was called first, and reopened it */
            vault_request_hold(request);
        else if (!vault_request_reopen(request) && vault_request_watch(request, w))
            return; /* called again after the next attempt */
        if (request->state == REQUEST_HELD)
            co_hold(co, request, true);
    }
    co->awaited = NULL;
    co_resume(co);
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
    return co->request ? co_settle(co) : CO_INTENT;
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

static const struct active_request *find_row(const struct active_requests *active, int64_t request_id)
{
    for (size_t i = 0; i < active->n; i++)
        if (active->rows[i].request_id == request_id)
            return &active->rows[i];
    return NULL;
}

/* The request was there before and keeps its own end, which the vault names by its clock. */
static void set_end_as_listed(struct checkout *co, int64_t vault_wall_ms)
{
    const struct clock *clock = co->op.broker->clock;
    int64_t ends_wall_ms = skew_to_ours(co->vault, vault_wall_ms), left = ends_wall_ms - clock_wall(clock);

    vault_request_set_end(co->request, clock_now(clock) + (uint64_t)(left > 0 ? left : 0), ends_wall_ms);
}

static enum co_state lookup_resume(struct checkout *co, int err)
{
    const struct active_request *row;
    char id[ID_SIZE];

    if (err < 0)
        return co_fail_start(co, err);
    if (co->call.result != VAULT_OK)
        return co_fail_with(co, &co->call.fault);
    row = find_row(&co->call.active, co->request->request_id);
    if (!row)
        return co_request_dead(co, NULL);
    if (reason_lease_id(row->reason, id) && lease_id_known(co->op.broker->leases, id))
        co->request->origin = ORIGIN_OURS;
    else if (co->request->origin == ORIGIN_UNKNOWN)
        co->request->origin = ORIGIN_FOREIGN;
    if (row->expires_wall_ms)
        set_end_as_listed(co, row->expires_wall_ms);
    return co_settle(co);
}

const struct co_step co_lookup_step = {"lookup", lookup_enter, lookup_resume, co_drop_call};
