/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turn.c - the state `turn`, and what differs where a request's key is known before the check-out and comes
 * again (leases/keyed.h): one check-out of a key at a time, of whatever user and session.
 *
 *   policy -> turn --no one has the key------------------------> intent -> request -> keep
 *              | ^ --an earlier check-out may have made it-----> request (the row is there)
 *              | | --it was given back, and its spin is due----> intent -> request -> keep
 *              | | --it is held--------------------------------> password, as a holder more
 *              | +-- it is asked for, or given back: the turn is waited for
 *              +---- the wait would be longer than the caller's, or it is not given twice --> reply
 *
 * Where the secret comes with the check-out, reading it again is a further check-out: it is sent like one,
 * and one whose answer was lost may still take effect (keyed_doubt_checkout()). Its failure is its caller's
 * alone.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/request_identity.h"
#include "broker/leases/spin.h"

#include <errno.h>
#include <stdlib.h>

/* ---- turn ---- */

static void on_changed(struct key_wait *w)
{
    (void)co_defer(CONTAINER_OF(w, struct checkout, key_wait)); /* without memory its own deadline ends it */
}

static struct vault_request *find_record(const struct checkout *co)
{
    return keyed_find(co->op.broker->leases, co->vault, co->answered, usermap_user(&co->users));
}

/* It waits, and would have its turn before its caller's deadline, as far as is known. */
static bool is_to_wait(const struct checkout *co, const struct vault_request *r)
{
    uint64_t wait_ms;

    return keyed_turn(r, &wait_ms) == KEY_WAIT && wait_ms < op_time_left(&co->op);
}

static int turn_enter(struct checkout *co)
{
    int err =
        *co->answered ? 0 : co->vault->ops->identify(co->vault, co->account_key, co->answered, &co->handle);
    struct vault_request *r = err ? NULL : find_record(co);

    if (err)
        co->answered[0] = '\0';
    if (r && !co->has_hurried && vault_request_is_returning(r)) {
        co->has_hurried = true;
        vault_request_hurry(r);
        r = find_record(co);
    }
    if (r)
        spin_recall(r);
    if (err || !r || !is_to_wait(co, r))
        return err ? err : CO_NOW;
    co->key_wait.changed = on_changed;
    return key_wait_join(r, &co->key_wait) ? -ENOMEM : CO_WAIT;
}

/* The lease is a further one of the request. */
static bool claim(struct checkout *co, struct vault_request *r)
{
    struct lease_args args = co_lease_args(co);

    co->sent_ms = clock_now(co->op.broker->clock);
    co->sent_wall_ms = leases_wall(co->op.broker->leases, co->vault);
    co->lease = lease_claim(r, &args);
    if (!co->lease)
        (void)co_fail_start(co, -ENOMEM);
    return co->lease != NULL;
}

static enum co_state join(struct checkout *co, struct vault_request *r)
{
    vault_request_hold(r);
    co_hold(co, r, false);
    return claim(co, r) ? co_first_fetch(co) : CO_REPLY;
}

static enum co_state take_over(struct checkout *co, struct vault_request *r)
{
    keyed_take_over(r);
    co->asked = r;
    return claim(co, r) ? CO_COUNT : CO_REPLY;
}

static enum co_state take_back(struct checkout *co, struct vault_request *r)
{
    spin_take_back(r);
    co->asked = r;
    if (claim(co, r))
        return CO_INTENT;
    co_withdraw(co);
    return CO_REPLY;
}

static enum co_state fail_wait(struct checkout *co, uint64_t wait_ms)
{
    (void)co_fail(co, FAULT_VAULT_UNAVAILABLE,
                  "a call for this credential, whose answer was lost or that has failed, has to end first");
    co->fault.retry_after_s = (unsigned)((wait_ms + 999) / 1000);
    return CO_REPLY;
}

static enum co_state turn_resume(struct checkout *co, int err)
{
    struct vault_request *r;
    uint64_t wait_ms;

    if (err == -EINVAL)
        return co_fail(co, FAULT_CREDENTIAL_NOT_FOUND,
                       "the vault has no such account; find credentials again");
    if (err < 0)
        return co_fail_start(co, err);
    r = find_record(co);
    if (!r)
        return CO_INTENT;
    switch (keyed_turn(r, &wait_ms)) {
    case KEY_JOIN: return join(co, r);
    case KEY_TAKE_OVER: return take_over(co, r);
    case KEY_TAKE_BACK: return take_back(co, r);
    case KEY_REFUSED: return co_fail_held(co, r);
    default: return wait_ms < op_time_left(&co->op) ? CO_TURN : fail_wait(co, wait_ms);
    }
}

/* Where it goes from here stops its deadline, or moves it. */
static bool turn_drop(struct checkout *co)
{
    key_wait_leave(&co->key_wait);
    return true;
}

const struct co_step co_turn_step = {"turn", turn_enter, turn_resume, turn_drop};
