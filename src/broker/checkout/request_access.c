/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_access.c - the states `request`, `await` and `lookup`: from asking the vault to holding a vault
 * request.
 *
 * What the vault answers is one of
 *   201  a new request: ours, we are its first holder;
 *   200  an id we hold already: one holder more;
 *        an id that is being given back: take it back, or wait for the end of that and ask anew;
 *        an id that is on record under another user or of another account, or that a 201 calls new: the
 *        user's list decides; what it does not prove is not believed, and the intent recovers;
 *        an id we do not hold: look at its reason. One of our lease ids: ours (perhaps our own request,
 * carried out twice by the transport, or one whose answer is still on its way to another check-out). None:
 * the person's own, adopted. Not live any more: ask anew;
 *   no answer: the intent goes recovery.
 *
 * Once begun the request is never cancelled: it has the vault's own call_timeout, not the caller's patience.
 * It is not begun at all when its turn at the vault comes too late for the caller, or when the caller has
 * left by then. While the look at the reason is not done the vault request is UNPROVEN and the intent stays
 * open, so leaving here loses nothing.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/person.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/clock_skew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- request ---- */

/* The words and the times are those of this moment; the row says what it said in `intent`. */
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
    co_call_awaited(co, usermap_user(&co->users)); /* even when nobody is left */
    crash_point("checkout.request.before");
    err = co->vault->ops->request(co->vault, &co->args, &co->call);
    if (!err)
        crash_point("checkout.request.sent");
    return err;
}

void co_close_intent(struct checkout *co)
{
    intent_close(co->intent);
    co->intent = NULL;
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
        return co_fail_with(co, &call->fault); /* the intent stays: it will hunt */
    co_close_intent(co);
    if (call->result == VAULT_REFUSED)
        return co_next_user(co, &call->fault);
    return co_fail_with(co, &call->fault);
}

/* An id nobody here holds. */
static enum co_state hold_new(struct checkout *co)
{
    bool reused = co->call.reused;

    co->old = reused;
    co->request = vault_request_new(co->op.broker->leases, co->vault, usermap_user(&co->users),
                                    co->call.request_id, reused ? ORIGIN_UNKNOWN : ORIGIN_OURS);
    if (!co->request) /* the intent stays: it finds the request when there is memory again */
        return co_fail(co, FAULT_INTERNAL, "out of memory");
    co_set_end_as_asked(co);
    return reused ? CO_LOOKUP : co_settle(co);
}

/* An id we know: hold it as well, or see its check-in through. */
static enum co_state hold_known(struct checkout *co, struct vault_request *request)
{
    co->old = true;
    co->doubtful = 0;
    if (request->origin ==
        ORIGIN_UNKNOWN) { /* another one is at its lookup; it may be our own request all the same */
        co->request = request;
        vault_request_take(request);
        return CO_LOOKUP;
    }
    request->missed = false;
    if (request->state == REQUEST_HELD) {
        vault_request_take(request);
    } else if (!vault_request_reopen(request)) {
        co_close_intent(co); /* it bears another's mark: nothing of ours is there */
        co->awaited = request;
        return CO_AWAIT;
    }
    co->request = request;
    request->gone = false; /* the vault has just named it as live */
    return co_settle(co);
}

static struct vault_account account_asked(const struct checkout *co)
{
    return ref_account(&co->ref);
}

/* This user's record of the id that the vault has answered, and of this account. */
static struct vault_request *find_own(const struct checkout *co, int64_t request_id)
{
    const char *user = usermap_user(&co->users);
    struct vault_request *request =
        vault_request_known(co->op.broker->leases, co->vault, request_id, user, account_asked(co));

    return request && person_same(request->user, user) ? request : NULL;
}

/*
 * An id is on record, but under another user, of another account, or though the vault calls it new. A number
 * alone gives nobody anybody's secret: the user's own list decides.
 */
static enum co_state hold_answered(struct checkout *co)
{
    int64_t id = co->call.request_id;
    struct vault_request *own = find_own(co, id);

    if (own && (co->call.reused || own->origin == ORIGIN_UNKNOWN) &&
        !(vault_request_is_unproven(own) && !co->call.reused))
        return hold_known(co, own);
    if (!vault_request_find(co->op.broker->leases, co->vault, id))
        return hold_new(co);
    co->doubtful = id;
    co->doubtful_new = !co->call.reused;
    return CO_LOOKUP;
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
    co->unsure |= co->call.unknown;
    request = vault_request_find(co->op.broker->leases, co->vault, co->call.request_id);
    if (request)
        (void)vault_request_expire(request);
    return hold_answered(co);
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
        if (request->state == REQUEST_HELD) /* another one was told before us, and took it back */
            vault_request_take(request);
        else if (!vault_request_reopen(request) && vault_request_watch(request, w))
            return; /* the next attempt will tell */
        if (request->state == REQUEST_HELD)
            co->request = request;
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

/* The request was there before us and keeps its own end, which the vault tells by its clock and we by ours.
 */
static void set_end_as_told(struct checkout *co, const struct active_request *row)
{
    const struct clock *clock = co->op.broker->clock;
    int64_t left = skew_left(clock, co->vault, row);

    if (left)
        vault_request_set_end(co->request, clock_now(clock) + (uint64_t)left, clock_wall(clock) + left);
}

/* The intent stays: it finds by its mark what the vault has made, if anything. */
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
    if (co->request)
        vault_request_drop(co->request, NULL);
    co->request = NULL;
    return hold_known(co, request);
}

/* The record of the request in this row of the user's own list, by our mark; of a person's own, by account.
 */
static struct vault_request *find_listed(const struct checkout *co, const struct active_request *row,
                                         const char *mark)
{
    struct leases *ls = co->op.broker->leases;
    struct vault_request *request = mark ? vault_request_marked(ls, row, mark) : NULL;

    if (request)
        return request;
    request = vault_request_known(ls, co->vault, row->request_id, usermap_user(&co->users), row_account(row));
    return request && request->origin == ORIGIN_FOREIGN ? request : NULL;
}

/* `row`: what the list has under the doubtful id; NULL = nothing. `mark`: of its reason; NULL = none. */
static enum co_state judge_doubtful(struct checkout *co, const struct active_request *row, const char *mark)
{
    struct vault_request *request;

    if (!row || !vault_account_fits(row_account(row), co->credential_id))
        return not_believed(co);
    if (co->doubtful_new)
        request = mark && strcmp(mark, co->lease_id) == 0 ? find_own(co, co->doubtful) : NULL;
    else
        request = find_listed(co, row, mark);
    if (!request)
        return not_believed(co);
    if (co->doubtful_new)
        vault_request_prove(request);
    return join_marked(co, request);
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
    row = find_row(&co->call.active, co->request ? co->request->request_id : co->doubtful);
    bool marked = row && reason_lease_id(row->reason, id);

    if (!co->request)
        return judge_doubtful(co, row, marked ? id : NULL);
    if (row && !vault_account_fits(row_account(row), co->credential_id) && co->intent)
        return not_believed(co);
    if (!row || !vault_account_fits(row_account(row), co->credential_id))
        return co_request_dead(co, NULL);
    other = marked ? vault_request_marked(co->op.broker->leases, row, id) : NULL;
    if (other && other != co->request)
        return co->lease ? join_marked(co, other) : co_request_dead(co, NULL);
    if (vault_request_proven(co->request, row))
        vault_request_prove(co->request);
    else if (co->request->origin == ORIGIN_UNKNOWN)
        co->request->origin = ORIGIN_FOREIGN;
    set_end_as_told(co, row);
    return co->lease ? co_settle(co) : co_first_fetch(co);
}

const struct co_step co_lookup_step = {"lookup", lookup_enter, lookup_resume, co_drop_call};

/* ---- a request that turned out dead ---- */

bool co_is_over(const struct checkout *co)
{
    const struct lease *own = lease_find(co->op.broker->leases, co->session, co->credential_id);

    return (!co->lease && (!own || own->request != co->request)) ||
           (co->old && clock_now(co->op.broker->clock) >= vault_request_ends(co->request));
}

enum co_state co_ask_anew(struct checkout *co)
{
    co_close_intent(co);
    if (co->lease)
        lease_unsettle(co->lease); /* its row stays, and will be an intent again */
    vault_request_drop(co->request, NULL);
    co->request = NULL;
    co->anew = true;
    co->absent = co->given = co->phrase_read = false;
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    return CO_POLICY;
}

/*
 * A lost sending may have made this very request, and the list may be partial: the intent stays with its
 * lease and recovers, whatever comes of the second attempt.
 */
static enum co_state ask_beside_the_intent(struct checkout *co)
{
    struct intent *in = co->intent;

    if (id_new(co->lease_id))
        return co_fail(co, FAULT_INTERNAL, "no random numbers");
    co->intent = NULL;
    co->lease = NULL;
    co->unsure = false;
    intent_recover(in);
    return co_ask_anew(co);
}

enum co_state co_request_dead(struct checkout *co, const struct fault *fault)
{
    struct lease *lease = lease_find(co->op.broker->leases, co->session, co->credential_id);

    /* Of a request made a moment ago that is a strange thing to say: it is checked in all the same. */
    if (fault && (!co->old || co->anew))
        return co_fail_with(co, fault);
    vault_request_gone(co->request);
    if (!co->old || co->anew)
        return co_fail(co, FAULT_VAULT_ERROR,
                       "the vault handed over a request that it does not list as live");
    if (lease && lease->request == co->request)
        lease_close(lease, "gone");
    return co->unsure && co->intent ? ask_beside_the_intent(co) : co_ask_anew(co);
}
