/* SPDX-License-Identifier: Apache-2.0 */
/*
 * direct_access.c - the states `isa` and `seek`: direct access, where the secret comes before the request.
 *
 *   intent -> isa -> seek --found--> settled: a vault request like any other
 *              ^      |
 *              |      +--none--> held for its time (ORIGIN_NO_REQUEST): there is nothing to check in
 *              +--none, and a key: its passphrase is still to be asked for
 *
 * An account with ISA access gives its secret at once, and the vault makes a request of it, or keeps none; it
 * returns no request id. So the user's live requests are read afterwards, and of those with the mark in
 * the reason (or of the account, where the mark was cut) the newest is held. Others with the mark come of
 * further calls of this check-out (another type of credential, a call carried out twice): they are
 * checked in.
 *
 * Until that list has been read the vault request stays ASKED, so whatever fails after the first call, the
 * recovery finds it. The passphrase of a key is read through the request where there is one.
 *
 * Where the vault keeps no request a repeat has nothing to read through. It passes the same states again, and
 * if there is still no request its answer is the lease that the session has.
 *
 * The call has side effects: once begun it is never cancelled, and has the vault's own call_timeout.
 */
#include "broker/checkout/checkout.h"

#include "base/crash_point.h"
#include "broker/leases/reconcile.h"
#include "broker/leases/request_identity.h"

#include <errno.h>

/* ---- isa ---- */

static int isa_enter(struct checkout *co)
{
    int err = co_make_request(co);

    if (err)
        return err;
    crash_point("checkout.isa.before");
    co->want.direct = true;
    err = co->vault->ops->checkout(co->vault, &co->want, &co->call);
    if (!err)
        crash_point("checkout.isa.sent");
    return err;
}

/* After a call that came through there may be a request, which is recovered. */
static enum co_state isa_refused(struct checkout *co)
{
    return co->at_vault == CO_VAULT_STRAY ? co_fail_with(co, &co->call.fault) : co_request_refused(co);
}

static enum co_state isa_absent(struct checkout *co)
{
    enum co_state next;

    if (co_wanted_type(co) == CREDENTIAL_PASSPHRASE) {
        co->stage = CO_SECRET_COMPLETE;
        return CO_SEEK;
    }
    if (co->stage == CO_SECRET_OTHER && co->call.result == VAULT_BAD)
        return isa_refused(co); /* the vault's own message says more */
    next = co_try_other(co, CO_ISA);
    if (next != CO_ISA && co->at_vault != CO_VAULT_STRAY)
        co_withdraw(co);
    return next;
}

static enum co_state isa_resume(struct checkout *co, int err)
{
    if (err < 0) {
        if (co->at_vault != CO_VAULT_STRAY)
            co_withdraw(co);
        return co_fail_start(co, err);
    }
    crash_point("checkout.isa.answered");
    if (co->call.repeated)
        vault_request_doubt(co->asked);
    if (co->call.result == VAULT_OK)
        co->at_vault = CO_VAULT_STRAY;
    if (co_is_absent(&co->call))
        return isa_absent(co);
    if (co->call.result != VAULT_OK)
        return isa_refused(co);
    co_take_secret(co);
    return CO_SEEK;
}

static bool isa_drop(struct checkout *co)
{
    if (!vault_withdraw(co->vault, &co->call))
        return false;
    if (co->at_vault != CO_VAULT_STRAY) /* otherwise an earlier call may have left a request */
        co_withdraw(co);
    return true;
}

const struct co_step co_isa_step = {"isa", isa_enter, isa_resume, isa_drop};

/* ---- seek ---- */

static int seek_enter(struct checkout *co)
{
    co_call(co, usermap_user(&co->users));
    int err = co->vault->ops->requests(co->vault, &co->call);

    if (!err)
        crash_point("checkout.seek.sent");
    return err;
}

/* This check-out's by its mark, and not in the table yet. */
static bool is_made(const struct checkout *co, const struct active_request *row)
{
    return vault_request_matches(co->asked, row) &&
           !vault_request_known(co->op.broker->leases, co->vault, row->name, usermap_user(&co->users),
                                row_account(co->vault, row));
}

static const struct active_request *find_newest(const struct checkout *co)
{
    const struct active_requests *active = &co->call.active;
    const struct active_request *newest = NULL;

    for (size_t i = 0; i < active->n; i++)
        if (is_made(co, &active->rows[i]))
            newest = &active->rows[i];
    return newest;
}

static enum co_state hold_found(struct checkout *co, const char *name)
{
    const struct active_requests *active = &co->call.active;

    if (!co_hold_asked(co, name, ORIGIN_OURS))
        return CO_REPLY;
    for (size_t i = 0; i < active->n; i++)
        if (is_made(co, &active->rows[i]))
            reconcile_stray(co->op.broker->leases, co->vault, usermap_user(&co->users), &active->rows[i],
                            co->lease_id);
    return co_settle(co);
}

static enum co_state hold_none(struct checkout *co)
{
    struct lease *own = co_own_lease(co);

    if (!own || own->request->origin != ORIGIN_NO_REQUEST)
        return co_hold_asked(co, "", ORIGIN_NO_REQUEST) ? co_settle(co) : CO_REPLY;
    co_withdraw(co);
    vault_request_hold(own->request);
    co_hold(co, own->request, true);
    return CO_KEEP;
}

static enum co_state seek_resume(struct checkout *co, int err)
{
    const struct active_request *row;

    if (err < 0)
        return co_fail_start(co, err);
    if (co->call.result != VAULT_OK)
        return co_fail_with(co, &co->call.fault);
    crash_point("checkout.seek.answered");
    row = find_newest(co);
    if (row)
        return hold_found(co, row->name);
    return co->stage == CO_SECRET_PASSPHRASE ? CO_ISA : hold_none(co);
}

const struct co_step co_seek_step = {"seek", seek_enter, seek_resume, co_drop_call};
