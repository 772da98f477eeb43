/* SPDX-License-Identifier: Apache-2.0 */
/*
 * persist.c - the states `intent`, `count` and `keep`: what must be on disk before the check-out goes on.
 *
 * Before the vault is asked, the row of a vault request says that it may exist under this lease id, for this
 * user. Before the secret is handed over, that row has the request's name and its end, and the lease has a
 * row. So whenever the process ends, the next one finds the request: by its name, or by the mark in its
 * reason.
 *
 * The second step is put in co_settle(), the moment the name is known, and is usually durable by the
 * time the secret has been read. The audit record is begun while it is waited for.
 *
 * A repeat of a session that has its lease already passes neither: the row of that lease is on disk.
 */
#include "base/container_of.h"
#include "broker/checkout/checkout.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/key_due.h"

#include <errno.h>

/* ---- intent ---- */

static void on_written(struct journal_wait *w, int err)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, written);

    co->row_err = err;
    if (co->shared && co->state == CO_INTENT)
        co_note_rows(co, w->step);
    if (co->state == CO_INTENT || co->state == CO_COUNT || co->state == CO_KEEP)
        co_resume(co);
}

/* What journal_put() has returned. CO_NOW, CO_WAIT, or -errno. */
static int await_row(struct checkout *co, int waits)
{
    co->row_err = waits == 1 ? ROW_ON_ITS_WAY : waits;
    return waits == 1 ? CO_WAIT : waits == 0 ? CO_NOW : waits;
}

/* A check-out that has come before its gateway joined has an id without the cluster's tag. */
static int ask(struct checkout *co)
{
    struct leases *ls = co->op.broker->leases;
    uint64_t length_ms = (uint64_t)co->minutes * co->vault->conf->minute_ms;

    if (!lease_id_known(ls, co->lease_id) && lease_id_new(ls, co->lease_id))
        return -EIO;
    struct lease_args args = co_lease_args(co);

    if (co->shared)
        co_begin_asking(co);
    co->lease = lease_ask(ls, &args, co->vault, usermap_user(&co->users));
    if (!co->lease)
        return -ENOMEM;
    co->asked = co->lease->request;
    if (co_is_keyed(co)) {
        char *handle = co->handle;

        co->handle = NULL;
        if (keyed_name(co->asked, co->answered, handle))
            return -ENOMEM;
    }
    co->sent_ms = clock_now(co->op.broker->clock);
    co->sent_wall_ms = leases_wall(ls, co->vault);
    vault_request_set_end(co->asked, co->sent_ms + length_ms, co->sent_wall_ms + (int64_t)length_ms);
    return row_ask_since(co->asked, co->shared ? co->shared->since : 0, &co->written, on_written);
}

/* What it has taken back is another check-out's at the vault from now on. */
static int ask_again(struct checkout *co)
{
    uint64_t length_ms = (uint64_t)co->minutes * co->vault->conf->minute_ms;

    vault_request_set_end(co->asked, co->sent_ms + length_ms, co->sent_wall_ms + (int64_t)length_ms);
    return row_again(co->asked, &co->written, on_written);
}

/* A shared store may be waited for as long as the caller waits. This gateway may have adopted the session's
 * lease since the check-out has looked for one: then the secret is read through that. */
static int intent_enter(struct checkout *co)
{
    if (co->shared && !co->asked && co_readable_lease(co)) {
        co->row_err = 0;
        return CO_NOW;
    }
    if (!co->shared && !journal_writable(leases_journal(co->op.broker->leases)))
        return -EIO;
    return await_row(co, co->asked ? ask_again(co) : ask(co));
}

/* It may have ended in this moment. */
static enum co_state read_adopted(struct checkout *co)
{
    struct lease *lease = co_readable_lease(co);

    return lease ? co_read_own(co, lease) : CO_INTENT;
}

static enum co_state intent_resume(struct checkout *co, int err)
{
    err = err < 0 ? err : co->row_err;
    if (!err && !co->asked)
        return read_adopted(co);
    if (!err)
        return co->shared ? co_ask_vault(co) : co_is_isa(co) ? CO_ISA : CO_REQUEST;
    if (co->asked && co->asked->asker == co->lease)
        co->asked->has_row = false; /* the step has not happened */
    co_withdraw(co);                /* nothing was sent */
    if (!co->shared || err != -ESTALE)
        return co_store_failed(co, err);
    return co_is_finished(co) ? co_session_finished(co) : co_session_has(co);
}

static bool intent_drop(struct checkout *co)
{
    co_withdraw(co); /* nothing was sent */
    return true;
}

const struct co_step co_intent_step = {"intent", intent_enter, intent_resume, intent_drop};

/* ---- count: where each check-out wants a check-in of its own ---- */

static struct vault_request *counted(const struct checkout *co)
{
    return co->asked ? co->asked : co->request;
}

static int count_enter(struct checkout *co)
{
    struct vault_request *r = counted(co);

    co->row_err = 0;
    if (!keyed_count(r))
        return CO_NOW;
    if (!journal_writable(leases_journal(co->op.broker->leases)))
        return -EIO;
    return await_row(co, row_count(r, &co->written, on_written));
}

/* Nothing was sent. */
static void uncount(struct checkout *co)
{
    journal_unwait(&co->written);
    keyed_uncount(counted(co));
    co_withdraw(co);
}

static enum co_state count_resume(struct checkout *co, int err)
{
    err = err < 0 ? err : co->row_err;
    if (!err)
        return co->asked ? CO_REQUEST : co_counted_fetch(co);
    uncount(co);
    return co_store_failed(co, err);
}

static bool count_drop(struct checkout *co)
{
    uncount(co);
    return true;
}

const struct co_step co_count_step = {"count", count_enter, count_resume, count_drop};

/* ---- keep ---- */

enum co_state co_settle(struct checkout *co)
{
    /* The row of what was asked for ends with this step, unless a lost sending may have made it. */
    if (co->asked && co->asked != co->request && co->at_vault == CO_VAULT_STRAY && !co_claim(co, co->request))
        return CO_REPLY;
    if (co->shared)
        return co_open(co);
    int waits = lease_settle(co->lease, co->request, &co->written, on_written);

    co->asked = NULL;
    (void)await_row(co, waits);
    if (waits == -ENOMEM) /* the store has the request as ASKED */
        return co_fail_start(co, waits);
    return co_next_fetch(co);
}

/* As long as was asked for, and no longer than the vault keeps it. */
static void set_end(struct checkout *co, struct lease *lease)
{
    int64_t length = co->minutes * (int64_t)co->vault->conf->minute_ms;
    int64_t latest = keyed_latest_end(lease->request), end = co->sent_wall_ms + length;

    if (co->call.end_wall_ms && co->call.end_wall_ms < latest)
        latest = co->call.end_wall_ms;
    if (end > latest) {
        length = latest > co->sent_wall_ms ? latest - co->sent_wall_ms : 0;
        end = co->sent_wall_ms + length;
    }
    keyed_set_end(lease, co->sent_ms + (uint64_t)length, end);
}

/* Its own lease holds the request from now on. */
enum co_state co_settle_keyed(struct checkout *co)
{
    set_end(co, co->lease);
    return co_settle(co);
}

/* The outcome of a shared store may be that the check-out begins again: its record is begun afterwards. */
static bool is_undecided(const struct checkout *co)
{
    return co->shared && co->lease && co->row_err == ROW_ON_ITS_WAY;
}

/* -ESTALE: what was read has ended meanwhile. */
static int keep_enter(struct checkout *co)
{
    int row = !co->lease || !co->row_err ? CO_NOW : co->row_err == ROW_ON_ITS_WAY ? CO_WAIT : co->row_err;

    if (co_is_over(co))
        return -ESTALE;
    if (row >= 0 && !is_undecided(co))
        co_audit_begin(co);
    return row;
}

static enum co_state keep_resume(struct checkout *co, int err)
{
    if (err == -ESTALE)
        return co_ask_again(co);
    if (err == 0 && co->shared && !co->recorded.done)
        return CO_KEEP; /* its row is durable by now */
    err = err < 0 ? err : co->lease ? co->row_err : 0;
    return err ? co_store_failed(co, err) : CO_AUDIT;
}

static bool keep_drop(struct checkout *co)
{
    journal_unwait(&co->written);
    audit_unwait(co->op.broker->audit, &co->recorded);
    return true;
}

const struct co_step co_keep_step = {"keep", keep_enter, keep_resume, keep_drop};
