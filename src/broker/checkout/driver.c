/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - what moves a check-out from state to state, and what the states have in common.
 *
 * The table of states belongs to checkout.c; every change of state passes set_state(). A check-out whose
 * client has left, or whose session has ended, goes to `reply` instead of the next state.
 *
 * Not here: what each state does.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/log.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/request_identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REPETITIONS_MORE 2 /* than the one that each check-out has */

static void set_state(struct checkout *co, enum co_state next)
{
    log_debug("checkout_state", "lease=%s from=%s to=%s", co->lease_id, co->steps[co->state]->name,
              co->steps[next]->name);
    co->state = next;
}

void co_goto(struct checkout *co, enum co_state next)
{
    for (;;) {
        if ((co->op.left || co->session_ended) && next != CO_DONE && next != CO_ENDED)
            next = CO_REPLY;
        set_state(co, next);
        if (next == CO_DONE) {
            (void)co->steps[CO_DONE]->enter(co); /* frees it */
            return;
        }
        int err = co->steps[next]->enter(co);

        if (err == CO_WAIT) {
            co_note_wait(co);
            return;
        }
        next = co->steps[next]->resume(co, err);
    }
}

void co_resume(struct checkout *co)
{
    co_goto(co, co->steps[co->state]->resume(co, 0));
}

static void on_deferred(struct deadline *d)
{
    co_resume(CONTAINER_OF(d, struct checkout, defer));
}

int co_defer_for(struct checkout *co, uint64_t ms)
{
    return timer_start(co->op.broker->timers, &co->defer, ms, on_deferred);
}

int co_defer(struct checkout *co)
{
    return co_defer_for(co, 0);
}

void co_answered(struct checkout *co)
{
    if (co->at_vault == CO_VAULT_UNASKED)
        co->at_vault = CO_VAULT_BEGUN;
}

void co_on_call(struct vault_call *call)
{
    struct checkout *co = CONTAINER_OF(call, struct checkout, call);

    co_answered(co);
    co_resume(co);
}

void co_call(struct checkout *co, const char *user)
{
    op_vault_call(&co->op, &co->call, user, co_on_call);
    co->call.begun = co->at_vault != CO_VAULT_UNASKED;
}

void co_call_in_time(struct checkout *co, const char *user)
{
    co_call(co, user);
    co->call.wait_ms = co->call.timeout_ms - co->call.timeout_ms / 4;
}

static bool may_send(struct vault_call *call)
{
    const struct co_shared *s = CONTAINER_OF(call, struct checkout, call)->shared;

    return s->store->ops->may_send(s->store);
}

void co_call_awaited(struct checkout *co, const char *user)
{
    co_call_in_time(co, user);
    co->call.may_send = co->shared ? may_send : NULL;
    co->call.timeout_ms = co->call.wait_ms + co->vault->conf->call_timeout_ms;
}

bool co_admitted(struct checkout *co)
{
    return co->at_vault != CO_VAULT_UNASKED ||
           vault_admit(co->vault, usermap_user(&co->users), op_time_left(&co->op), &co->fault) == 0;
}

bool co_drop_call(struct checkout *co)
{
    co->vault->ops->cancel(co->vault, &co->call);
    return true;
}

/* ---- faults ---- */

enum co_state co_fail(struct checkout *co, enum fault_code code, const char *fmt, ...)
{
    char detail[FAULT_DETAIL_SIZE];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    fault_set(&co->fault, code, "%s", detail);
    return CO_REPLY;
}

enum co_state co_fail_start(struct checkout *co, int err)
{
    if (err == -EAGAIN && fault_is_set(&co->call.fault))
        return co_fail_with(co, &co->call.fault);
    if (err == -EAGAIN)
        return co_fail(co, FAULT_OVERLOADED,
                       "too many vault calls are waiting; raise max_calls or try again");
    if (err == -ESHUTDOWN)
        return co_fail(co, FAULT_DRAINING, "the gateway is stopping");
    return co_fail(co, FAULT_INTERNAL, "out of memory");
}

enum co_state co_fail_with(struct checkout *co, const struct fault *fault)
{
    co->fault = *fault;
    if (!fault_is_set(fault))
        fault_set(&co->fault, FAULT_VAULT_ERROR, "the vault's answer makes no sense");
    return CO_REPLY;
}

enum co_state co_store_failed(struct checkout *co, int err)
{
    if (err == -ENOMEM)
        return co_fail_start(co, err);
    return co_fail(co, FAULT_STORE_UNAVAILABLE,
                   "the lease store cannot be written; the log and /readyz say why. No credential is checked "
                   "out that could be forgotten");
}

enum co_state co_next_user(struct checkout *co, const struct fault *fault)
{
    const char *words = fault->detail;
    char tried[FAULT_DETAIL_SIZE];

    account_list_unref(co->hold);
    co->hold = NULL;
    co->account = NULL;
    co->stage = CO_SECRET_PREFERRED;
    if (usermap_next(&co->users))
        return CO_ACCOUNT;
    usermap_explain(&co->users, co->session, tried, sizeof tried);
    if (*co->users.ended || !*words)
        fault_set(&co->fault, FAULT_VAULT_REFUSED_USER, "%s", tried);
    else
        fault_set(&co->fault, FAULT_VAULT_REFUSED_USER, "%.*s: %.*s", FAULT_DETAIL_SIZE / 2 - 1, tried,
                  FAULT_DETAIL_SIZE / 2 - 4, words);
    co->fault.vault_status = fault->vault_status;
    co->fault.vault_code = fault->vault_code;
    co->fault.second_factor = fault->second_factor;
    return CO_REPLY;
}

/* ---- questions and steps that several states share ---- */

bool co_is_keyed(const struct checkout *co)
{
    return !co->vault->can.keys_are_unique;
}

enum co_state co_intent(const struct checkout *co)
{
    return co_is_keyed(co) ? CO_TURN : CO_INTENT;
}

enum co_state co_fail_held(struct checkout *co, const struct vault_request *r)
{
    char end[CLOCK_RFC3339_SIZE];

    return co_fail(
        co, FAULT_VAULT_CONFLICT,
        "the credential is checked out until %s, and the vault does not give it twice; check it out "
        "again when it is released",
        clock_rfc3339(r->expires_wall_ms, end));
}

enum co_state co_fail_ended(struct checkout *co)
{
    return co_fail(co, FAULT_VAULT_CONFLICT, "the session's lease ended meanwhile; check out again");
}

bool co_is_isa(const struct checkout *co)
{
    return co->account->isa && co->account->kind != KIND_ALIAS;
}

struct lease_args co_lease_args(const struct checkout *co)
{
    return (struct lease_args){.session = co->session,
                               .credential_id = co->credential_id,
                               .id = co->lease_id,
                               .system = co->account->system,
                               .domain = co->account->domain,
                               .account = co->account->account,
                               .end = co->end};
}

int64_t co_expires_wall(const struct checkout *co)
{
    const struct lease *lease =
        co->lease ? co->lease : lease_find(co->op.broker->leases, co->session, co->credential_id);

    return lease && lease->request == co->request ? lease_expires_wall(lease) : co->request->expires_wall_ms;
}

struct lease *co_own_lease(const struct checkout *co)
{
    struct leases *ls = co->op.broker->leases;
    struct lease *lease = lease_find(ls, co->session, co->credential_id);

    if (lease && vault_request_expire(lease->request))
        lease = lease_find(ls, co->session, co->credential_id);
    return lease && vault_request_is_at(lease->request, co->vault) ? lease : NULL;
}

void co_hold(struct checkout *co, struct vault_request *request, bool was_there)
{
    co->request = request;
    if (co->retry != CO_RETRY_SPENT)
        co->retry = was_there ? CO_RETRY_ALLOWED : CO_RETRY_NONE;
}

bool co_claim(struct checkout *co, struct vault_request *request)
{
    vault_request_hold(request);
    co_drop_request(co);
    co_hold(co, request, true);
    co->at_vault = CO_VAULT_BEGUN;
    if (lease_id_new(co->op.broker->leases, co->lease_id)) {
        (void)co_fail(co, FAULT_INTERNAL, "no random numbers");
        return false;
    }
    struct lease_args args = co_lease_args(co);

    co->lease = lease_claim(request, &args);
    if (!co->lease)
        (void)co_fail_start(co, -ENOMEM);
    return co->lease != NULL;
}

int co_make_reason(struct checkout *co, const char *lease_id)
{
    free(co->reason_sent);
    co->reason_sent = reason_text(&(struct reason_parts){.given = co->reason,
                                                         .template = co->vault->conf->reason,
                                                         .session = co->session,
                                                         .lease_id = lease_id});
    return co->reason_sent ? 0 : -ENOMEM;
}

/* A further check-out is counted first. */
enum co_state co_first_fetch(const struct checkout *co)
{
    return co_is_keyed(co) && co->vault->can.secret_with_checkout ? CO_COUNT : co_counted_fetch(co);
}

enum co_state co_counted_fetch(const struct checkout *co)
{
    return co->preferred == CREDENTIAL_SSH_KEY ? CO_KEY : CO_PASSWORD;
}

enum co_state co_next_fetch(const struct checkout *co)
{
    switch (co->stage) {
    case CO_SECRET_PASSPHRASE: return CO_PASSPHRASE;
    case CO_SECRET_COMPLETE: return CO_KEEP;
    default: return co_first_fetch(co);
    }
}

/* The lease of what is withdrawn goes with it, unless the vault request belongs to others by now. */
void co_withdraw(struct checkout *co)
{
    struct vault_request *asked = co->asked;

    if (!asked)
        return;
    if (co->request == asked)
        co->request = NULL;
    if (co->lease && co->lease != asked->asker)
        lease_forget(co->lease);
    co->asked = NULL;
    co->lease = NULL;
    journal_unwait(&co->written);
    asked->asker->state = LEASE_ENDED;
    vault_request_withdraw(asked);
}

bool co_is_claim(const struct checkout *co)
{
    return co->request->state == VR_PENDING || (co->shared && co->shared->is_claim);
}

static void undo(struct checkout *co)
{
    struct vault_request *request = co->request, *asked = co->asked;
    struct lease *settled = co->lease && co->lease->state == LEASE_SETTLED ? co->lease : NULL;
    struct lease *claim = co->lease && !settled && (!asked || co->lease != asked->asker) ? co->lease : NULL;

    journal_unwait(&co->written);
    if (co->shared && settled && co->session_ended)
        settled->state = LEASE_ENDED; /* it ends, whoever else answers with it */
    if (co->shared && co_abandon_open(co))
        request = NULL;
    if (co->shared) {
        co_confirm_end(co);
        co_undo_repeat(co);
    }
    co->request = co->asked = NULL;
    co->lease = NULL;
    if (asked)
        asked->asker->state = LEASE_ENDED;
    if (claim)
        lease_forget(claim);
    if (request && request != asked)
        vault_request_unhold(request, settled);
    if (asked)
        vault_request_unhold(asked, NULL);
}

void co_undo(struct checkout *co)
{
    if (co->shared && co->shared->is_claim)
        co_withdraw(co);
    undo(co);
}

/* ---- a request that has ended at the vault ---- */

bool co_is_over(const struct checkout *co)
{
    const struct lease *own = lease_find(co->op.broker->leases, co->session, co->credential_id);

    if (co->retry == CO_RETRY_SPENT)
        return false;
    return (!co->lease && !*co->ended_lease_id && (!own || own->request != co->request) &&
            co->request->state != VR_ELSEWHERE) ||
           (co->retry == CO_RETRY_ALLOWED && clock_now(co->op.broker->clock) >= co->request->ends_ms);
}

/*
 * A lost sending may have made this very request, and the list may be partial: then what was asked for is
 * recovered, whatever comes of the second attempt.
 */
void co_drop_request(struct checkout *co)
{
    bool stray = co->at_vault == CO_VAULT_STRAY;

    if (co->asked && stray)
        co->asked->gone = false;
    if (co->asked && !stray)
        co_withdraw(co);
    co_undo(co);
}

/*
 * Among several gateways what the table has may be old, and so may what the store has shown: one check-out
 * may find out both.
 */
static enum co_retry next_retry(struct checkout *co)
{
    return co->shared && co->shared->repetitions++ < REPETITIONS_MORE ? CO_RETRY_NONE : CO_RETRY_SPENT;
}

enum co_state co_ask_again(struct checkout *co)
{
    co_drop_request(co);
    if (lease_id_new(co->op.broker->leases, co->lease_id))
        return co_fail(co, FAULT_INTERNAL, "no random numbers");
    co->ended_lease_id[0] = '\0';
    co->retry = next_retry(co);
    co->stage = CO_SECRET_PREFERRED;
    co->at_vault = CO_VAULT_BEGUN;
    secret_clear(&co->secret);
    secret_clear(&co->passphrase);
    return CO_POLICY;
}

enum co_state co_request_dead(struct checkout *co, const struct fault *fault)
{
    struct lease *lease = lease_find(co->op.broker->leases, co->session, co->credential_id);

    /* The vault may be wrong about a request it has just made: it is checked in all the same. */
    if (fault && co->retry != CO_RETRY_ALLOWED)
        return co_fail_with(co, fault);
    co->request->gone = true;
    if (co->retry != CO_RETRY_ALLOWED)
        return co_fail(co, FAULT_VAULT_ERROR,
                       "the vault handed over a request that it does not list as live");
    if (lease && lease->request == co->request)
        lease_close(lease, "gone");
    else if (co->shared)
        co_release_elsewhere(co, "gone");
    return co_ask_again(co);
}
