/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_policy.c - the states `account` and `policy`: what is asked for, as which vault user, and what it
 * needs.
 *
 * The account's row is usually known from the find just before; else the system's accounts are listed. Both
 * are asked as the current candidate alone; the next candidate is tried only when the vault itself refuses
 * the candidate's sign-in.
 *
 * The policy is asked only where the check-out has no reason to give, or where the configuration says so:
 * most check-outs need no such call, and direct access (ISA) has no policy. A call that fails does not fail
 * the check-out, since the request will show what is wanted; the failure is remembered as long as an answer,
 * so that a vault without that call is not asked before every check-out. A call that could not be made in
 * time fails the check-out: the request could not be made in time either.
 *
 * In `account`, once it is known what is asked for, the check-out is admitted or refused (vault_admit).
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "broker/identity/request_reason.h"
#include "broker/leases/request_identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- account ---- */

static bool is_same(const struct account *row, const char *account_key)
{
    return row->key && strcmp(row->key, account_key) == 0;
}

/* In the lists of the current candidate alone: another candidate may be shown other accounts. */
static bool find_known(struct checkout *co)
{
    co->account = account_lists_known(co->op.broker->lists, co->vault, usermap_user(&co->users),
                                      co->account_key, &co->hold);
    return co->account != NULL;
}

static void on_list(struct list_wait *w)
{
    co_resume(CONTAINER_OF(w, struct checkout, wait));
}

/* It says what the vault has been configured with, and so begins nothing at the vault. */
static void on_entitled(struct vault_call *call)
{
    co_resume(CONTAINER_OF(call, struct checkout, call));
}

static int ask_entitled(struct checkout *co)
{
    if (!co->entitled)
        co->entitled = entitled_session_new(co->session, co->vault->conf);
    if (!co->entitled)
        return -ENOMEM;
    co_call(co, usermap_user(&co->users));
    co->call.done = on_entitled;
    return co->vault->ops->entitled(co->vault, &co->entitled->asked, co->account_key, &co->call);
}

static int account_enter(struct checkout *co)
{
    struct account_query query;
    int err;

    if (co->vault->ops->entitled)
        return co->account ? CO_NOW : ask_entitled(co);
    if (!usermap_user(&co->users) || find_known(co))
        return CO_NOW;
    err = co->vault->ops->query(co->vault, co->account_key, &query);
    if (err)
        return err;
    co->wait = (struct list_wait){.timeout_ms = op_time_left(&co->op), .done = on_list};
    return account_lists_get(co->op.broker->lists, co->vault, usermap_user(&co->users), &query, &co->wait);
}

/* Whose account it is the vault has said: the row of this key, or why there is none. */
static enum co_state find_account(struct checkout *co)
{
    for (size_t i = 0; co->hold && i < co->hold->n && !co->account; i++)
        if (is_same(&co->hold->rows[i], co->account_key))
            co->account = &co->hold->rows[i];
    if (!co->account)
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "the vault shows %s no such account; find credentials again",
                       usermap_user(&co->users));
    return CO_ACCOUNT;
}

static enum co_state entitlement_read(struct checkout *co)
{
    const struct vault_call *call = &co->call;

    if (call->result == VAULT_DENIED && !fault_is_set(&call->fault))
        return co_fail(co, FAULT_NOT_ENTITLED, "this session may not use this credential");
    if (call->result != VAULT_OK && call->result != VAULT_ABSENT)
        return co_fail_with(co, &call->fault);
    co->hold = co->call.accounts;
    co->call.accounts = NULL;
    return find_account(co);
}

static enum co_state account_read(struct checkout *co)
{
    struct list_wait *w = &co->wait;

    if (co->vault->ops->entitled)
        return entitlement_read(co);

    if (w->source != LIST_FROM_CACHE)
        co_answered(co);
    if (w->result == VAULT_REFUSED)
        return co_next_user(co, &w->fault);
    if (w->result != VAULT_OK && w->result != VAULT_ABSENT)
        return co_fail_with(co, &w->fault);
    co->hold = w->accounts;
    w->accounts = NULL;
    return find_account(co);
}

/* How many minutes to ask for; false = the caller named too many. */
static bool choose_minutes(struct checkout *co)
{
    const int64_t longest = co->account->max_minutes > 0 ? co->account->max_minutes : 525600;
    uint64_t configured = (co->op.broker->conf->gateway.release_duration_ms + 59999) / 60000;

    co->minutes = co->duration_minutes ? co->duration_minutes : configured ? (int64_t)configured : 1;
    if (co->minutes <= longest)
        return true;
    co->minutes = longest;
    return co->duration_minutes == 0;
}

/* One of this person that waits for its approver is asked for its secret first. A store that is shared shows
 * it with the intent (elsewhere.c), by which the end of the session finds the check-out. */
static enum co_state claim_pending(struct checkout *co)
{
    struct vault_request *pending =
        co->shared ? NULL : pending_find(co->op.broker->leases, co->session, co->credential_id, co->vault);

    if (!pending)
        return CO_POLICY;
    return co_claim(co, pending) ? co_first_fetch(co) : CO_REPLY;
}

struct lease *co_readable_lease(const struct checkout *co)
{
    struct lease *lease = co_own_lease(co);

    return lease && lease->request->origin != ORIGIN_NO_REQUEST ? lease : NULL;
}

enum co_state co_read_own(struct checkout *co, struct lease *lease)
{
    if (!co->vault->can.repeatable)
        return co_fail_held(co, lease->request);
    co_share_lsid(co, lease);
    vault_request_hold(lease->request);
    co_hold(co, lease->request, true);
    return vault_request_is_unproven(co->request) ? CO_LOOKUP : co_first_fetch(co);
}

static enum co_state account_resume(struct checkout *co, int err)
{
    struct lease *lease;

    if (err == -EAGAIN && !co->vault->ops->entitled)
        co->call.fault = co->wait.fault;
    if (err < 0)
        return co_fail_start(co, err);
    if (!usermap_user(&co->users))
        return co_next_user(co, &(struct fault){.code = FAULT_VAULT_REFUSED_USER});
    if (!co->account) {
        enum co_state next = account_read(co);

        if (!co->account)
            return next;
    }
    if (!choose_minutes(co))
        return co_fail(co, FAULT_DURATION_TOO_LONG,
                       "this account may be checked out for at most %lld minutes", (long long)co->minutes);
    if (!co_admitted(co))
        return CO_REPLY;
    lease = co_readable_lease(co);
    return lease ? co_read_own(co, lease) : claim_pending(co);
}

static bool account_drop(struct checkout *co)
{
    account_lists_leave(co->op.broker->lists, &co->wait);
    return co_drop_call(co);
}

const struct co_step co_account_step = {"account", account_enter, account_resume, account_drop};

/* ---- policy ---- */

static bool reason_is_empty(const struct checkout *co)
{
    return reason_empty(&(struct reason_parts){.given = co->reason,
                                               .template = co->vault->conf->reason,
                                               .session = co->session,
                                               .lease_id = co->lease_id});
}

static int policy_enter(struct checkout *co)
{
    const char *user = usermap_user(&co->users);

    co->policy_knowledge = POLICY_NOT_ASKED;
    if (!co->vault->ops->policy || co_is_isa(co) || (!reason_is_empty(co) && !co->vault->conf->ask_policy))
        return CO_NOW;
    co->policy_knowledge = account_facts_policy(account_lists_facts(co->op.broker->lists), co->vault, user,
                                                co->account_key, &co->policy);
    if (co->policy_knowledge != POLICY_NOT_ASKED)
        return CO_NOW;
    co_call_in_time(co, user);
    co->call.result = VAULT_FAILED;
    return co->vault->ops->policy(co->vault, co->account_key, co->minutes, &co->call);
}

static enum co_state policy_resume(struct checkout *co, int err)
{
    bool asked = err == 0;

    if ((asked || err == -EAGAIN) && co->call.fault.code == FAULT_OVERLOADED)
        return co_fail_with(co, &co->call.fault); /* not admitted: that says nothing of the policy */
    if (asked && co->call.result == VAULT_REFUSED)
        return co_next_user(co, &co->call.fault);
    if (asked && co->call.result == VAULT_OK) {
        co->policy = co->call.policy;
        co->policy_knowledge = POLICY_KNOWN;
    }
    if (asked && (co->policy_knowledge == POLICY_KNOWN ||
                  op_time_left(&co->op) > 0)) /* not if the caller's deadline cut it short */
        account_facts_learn_policy(account_lists_facts(co->op.broker->lists), co->vault,
                                   usermap_user(&co->users), co->account_key,
                                   co->policy_knowledge == POLICY_KNOWN ? &co->policy : NULL);
    if (co->policy_knowledge != POLICY_KNOWN)
        return co_intent(co);
    if (co->policy.reason && reason_is_empty(co))
        return co_fail(co, FAULT_REASON_REQUIRED,
                       "the access policy wants a reason: send one, or set `reason` of the vault");
    if (co->policy.ticket && !(co->ticket_number && *co->ticket_number))
        return co_fail(co, FAULT_TICKET_REQUIRED, "the access policy wants a ticket: send ticket_number");
    return co_intent(co);
}

const struct co_step co_policy_step = {"policy", policy_enter, policy_resume, co_drop_call};
