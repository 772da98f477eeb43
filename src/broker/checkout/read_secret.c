/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_secret.c - the states `password`, `key` and `passphrase`: reading the secret of a request that is
 * held.
 *
 * The vault does not say beforehand which type of credential an account has. The preferred type is asked
 * first, the other one if that is absent; vaults report absence as 404, as 400, or as an empty text. A key's
 * passphrase is asked for after the key, and its absence means that the key has none. Each read runs as the
 * user who has asked for the request. That is the current candidate, except for a lease that the session has
 * already: there it is the user of its vault request, which may be an earlier candidate.
 *
 * An account whose password was absent and whose key was there is remembered: later finds say so.
 *
 * A secret is held from here to `reply` and nowhere else.
 */
#include "broker/checkout/checkout.h"

#include "base/crash_point.h"
#include "broker/leases/key_due.h"
#include "broker/leases/request_identity.h"

#include <string.h>

enum credential_type co_wanted_type(const struct checkout *co)
{
    if (co->stage == CO_SECRET_PASSPHRASE)
        return CREDENTIAL_PASSPHRASE;
    return (co->preferred == CREDENTIAL_SSH_KEY) == (co->stage == CO_SECRET_PREFERRED) ? CREDENTIAL_SSH_KEY
                                                                                       : CREDENTIAL_PASSWORD;
}

bool co_is_absent(const struct vault_call *call)
{
    return call->result == VAULT_ABSENT || call->result == VAULT_BAD ||
           (call->result == VAULT_OK && call->secret.len == 0);
}

enum co_state co_try_other(struct checkout *co, enum co_state other)
{
    if (co->stage == CO_SECRET_OTHER)
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "the vault holds neither password nor key for this account");
    co->stage = CO_SECRET_OTHER;
    return other;
}

void co_take_secret(struct checkout *co)
{
    enum credential_type type = co_wanted_type(co);
    bool key = type == CREDENTIAL_SSH_KEY;

    if (type == CREDENTIAL_PASSPHRASE) {
        secret_move(&co->passphrase, &co->call.secret);
        co->stage = CO_SECRET_COMPLETE;
        return;
    }
    secret_move(&co->secret, &co->call.secret);
    co->type = type;
    if (!key || co->stage == CO_SECRET_OTHER)
        account_facts_learn_key(account_lists_facts(co->op.broker->lists), co->vault, co->account_key, key);
    co->stage = key ? CO_SECRET_PASSPHRASE : CO_SECRET_COMPLETE;
}

/* What the vault notes of a further check-out is of whom it is for. */
static int note_reader(struct checkout *co, struct request_ref *ref)
{
    if (!co->vault->can.secret_with_checkout)
        return 0;
    memcpy(co->reader_id, co_lease_id(co), ID_SIZE);
    int err = co_make_reason(co, co->reader_id);

    ref->lease_id = co->reader_id;
    ref->reason = co->reason_sent;
    ref->ticket_number = co->ticket_number;
    return err;
}

static int secret_enter(struct checkout *co)
{
    bool own = co->lease && co->lease->state != LEASE_ASKING;

    const char *user = own ? usermap_user(&co->users) : co->request->user;

    if (co->vault->can.secret_with_checkout)
        co_call_awaited(co, user);
    else
        co_call(co, user);
    if (co->shared && !co->lease)
        co_confirm_begin(co);
    co->call.account_key = co->account_key;
    struct request_ref ref = vault_request_ref(co->request);
    int err = note_reader(co, &ref);

    if (!err)
        err = co->vault->ops->read_secret(co->vault, &ref, co_wanted_type(co), &co->call);

    if (!err)
        crash_point("checkout.secret.sent");
    return err;
}

static void note_denied(struct checkout *co)
{
    co->request->gone = true;
    fault_set_detail(&co->call.fault,
                     "the approver has denied the request; check out again to ask for a new one");
}

/* A claimed request has been approved: its end is in the list. */
static enum co_state after_secret(struct checkout *co)
{
    if (co->lease && co->lease->state == LEASE_ASKING)
        return co_is_keyed(co) ? co_settle_keyed(co) : CO_LOOKUP;
    if (co->stage == CO_SECRET_PASSPHRASE)
        return CO_PASSPHRASE;
    return co->shared && !co->lease ? CO_CONFIRM : CO_KEEP;
}

/* Of a further check-out. */
static void note_outcome(struct checkout *co, int err)
{
    bool lost = err == 0 && (co->call.unknown || co->call.repeated);

    if (lost)
        keyed_doubt_checkout(co->request);
    else if (err < 0 || co->call.result != VAULT_OK)
        keyed_uncount(co->request);
}

static enum co_state secret_resume(struct checkout *co, int err)
{
    enum credential_type type = co_wanted_type(co);
    bool absent = co_is_absent(&co->call);

    if (co_is_keyed(co) && co->vault->can.secret_with_checkout)
        note_outcome(co, err);
    if (err < 0)
        return co_fail_start(co, err);
    if (absent && co->vault->can.secret_with_checkout)
        return co_fail_with(co, &co->call.fault);
    if (absent && type != CREDENTIAL_PASSPHRASE)
        return co_try_other(co, type == CREDENTIAL_PASSWORD ? CO_KEY : CO_PASSWORD);
    if (co->call.result == VAULT_GONE)
        return co_request_dead(co, &co->call.fault);
    if (co->call.result == VAULT_PENDING)
        return co_wait_for_approval(co);
    if (co->call.result == VAULT_DENIED && co_is_claim(co))
        note_denied(co);
    if (!absent && co->call.result != VAULT_OK)
        return co_fail_with(co, &co->call.fault);
    co_take_secret(co);
    if (type == CREDENTIAL_PASSWORD)
        crash_point("checkout.secret.read");
    return after_secret(co);
}

/* A further check-out is awaited once it is sent: no check-in goes before its answer. */
static bool secret_drop(struct checkout *co)
{
    if (!co->vault->can.secret_with_checkout)
        return co_drop_call(co);
    if (!vault_withdraw(co->vault, &co->call))
        return false;
    if (co_is_keyed(co))
        keyed_uncount(co->request);
    return true;
}

const struct co_step co_password_step = {"password", secret_enter, secret_resume, secret_drop};
const struct co_step co_key_step = {"key", secret_enter, secret_resume, secret_drop};
const struct co_step co_passphrase_step = {"passphrase", secret_enter, secret_resume, secret_drop};
