/* SPDX-License-Identifier: Apache-2.0 */
/*
 * persist.c - the states `intent` and `keep`: what must be on disk before the check-out goes on.
 *
 * Before the vault is asked, a row says that a request may exist under this lease id, for this user. Before
 * the secret is handed over, the row says which request it is and until when it is held. So whenever the
 * process ends, the next one finds the request: by its id, or by the mark in its reason.
 *
 * The second row is put in co_settle(), the moment the request id is known, and is usually durable by the
 * time the secret has been read. The audit record is begun while it is waited for.
 *
 * A repeat of a session that has its lease already passes neither: the row of that lease is on disk.
 */
#include "base/container_of.h"
#include "broker/checkout/checkout.h"

#include <errno.h>

static enum co_state store_failed(struct checkout *co, int err)
{
    if (err == -ENOMEM)
        return co_fail_start(co, err);
    return co_fail(co, FAULT_STORE_UNAVAILABLE,
                   "the lease store cannot be written; the log and /readyz say why. No credential is checked "
                   "out that could be forgotten");
}

/* ---- intent ---- */

static void on_written(struct journal_wait *w, int err)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, written);

    co->store_err = err;
    co_resume(co);
}

/* CO_NOW, CO_WAIT, or -errno. */
static int await_row(struct checkout *co)
{
    int waits = journal_await(leases_journal(co->op.broker->leases), co->lease->id, &co->written, on_written);

    return waits < 0 ? waits : waits ? CO_WAIT : CO_NOW;
}

static int open_intent(struct checkout *co)
{
    struct leases *ls = co->op.broker->leases;
    uint64_t length_ms = (uint64_t)co->minutes * co->vault->conf->minute_ms;

    if (!co->lease)
        co->lease = lease_intend(ls, co->session, co->credential_id, co->lease_id);
    if (!co->lease)
        return -ENOMEM;
    if (co->account)
        lease_set_names(co->lease, co->account->system, co->account->domain ? co->account->domain : "",
                        co->account->account);
    co->lease->end = co->end;
    co->sent_ms = clock_now(co->op.broker->clock);
    co->sent_wall_ms = clock_wall(co->op.broker->clock);
    co->intent = intent_open(ls, co->lease, co->vault, usermap_user(&co->users), "", co->sent_ms + length_ms,
                             co->sent_wall_ms + (int64_t)length_ms);
    return co->intent ? lease_write_row(ls, co->lease) : -ENOMEM;
}

static int intent_enter(struct checkout *co)
{
    co->store_err = 0;
    if (!journal_writable(leases_journal(co->op.broker->leases)))
        return -EIO;
    int err = open_intent(co);

    return err ? err : await_row(co);
}

static enum co_state intent_resume(struct checkout *co, int err)
{
    err = err < 0 ? err : co->store_err;
    if (!err)
        return co_is_isa(co) ? CO_ISA : CO_REQUEST;
    co_close_intent(co); /* nothing was sent */
    return store_failed(co, err);
}

static bool intent_drop(struct checkout *co)
{
    journal_unwait(&co->written);
    co_close_intent(co); /* nothing was sent */
    return true;
}

const struct co_step co_intent_step = {"intent", intent_enter, intent_resume, intent_drop};

/* ---- keep ---- */

enum co_state co_settle(struct checkout *co)
{
    co_close_intent(co);
    if (lease_settle(co->lease, co->request))
        return co_fail_start(co, -ENOMEM);
    switch (co->stage) {
    case CO_SECRET_PASSPHRASE: return CO_PASSPHRASE;
    case CO_SECRET_COMPLETE: return CO_KEEP;
    default: return co_first_fetch(co);
    }
}

/* -ESTALE: what was read has ended meanwhile. */
static int keep_enter(struct checkout *co)
{
    co->store_err = 0;
    if (co_is_over(co))
        return -ESTALE;
    int row = co->lease ? await_row(co) : CO_NOW;

    if (row >= 0)
        co_audit_begin(co);
    return row;
}

static enum co_state keep_resume(struct checkout *co, int err)
{
    if (err == -ESTALE)
        return co_ask_again(co);
    err = err < 0 ? err : co->store_err;
    return err ? store_failed(co, err) : CO_AUDIT;
}

static bool keep_drop(struct checkout *co)
{
    journal_unwait(&co->written);
    audit_unwait(co->op.broker->audit, &co->recorded);
    return true;
}

const struct co_step co_keep_step = {"keep", keep_enter, keep_resume, keep_drop};
