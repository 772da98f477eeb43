/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approval.c - a vault that gives no secret until an approver has decided, and the state `pend`.
 *
 * With `approval_wait` the request is kept (leases/pending.h), and the check-out is answered when a restart
 * would know it; otherwise it is withdrawn, as what is undone. A check-out that reads through a request that
 * waits already leaves it as it is.
 *
 * In a shared store `pend` first waits for the STEP_OPEN of its lease, and then for the step that ends the
 * lease and keeps the request: where others hold it, these decide, and where another one waits by now, this
 * one is given back.
 */
#include "broker/checkout/checkout.h"

#include "base/container_of.h"
#include "base/text.h"
#include "broker/leases/request_identity.h"
#include "stores/store_rows.h"

#include <errno.h>

/* For the answer; and for the record, by which a store that was rebuilt finds it: its mark is the lease id.
 */
static void note(struct checkout *co, const char *mark, const char *url, const char *name, int64_t expires_ms)
{
    (void)text_copy(co->lease_id, sizeof(co->lease_id), mark);
    co->kept_url = url;
    co->kept_expires_wall_ms = expires_ms;
    co->fault.vault_request_id = request_key_number(name);
    fault_set_detail(&co->fault, "the request waits for its approver; check out again when it is approved");
}

static void note_kept(struct checkout *co, const struct vault_request *kept)
{
    note(co, kept->asker->id, vault_request_url(kept), vault_request_name(kept), kept->expires_wall_ms);
}

/* As the store has shown it. */
static void note_row(struct checkout *co)
{
    const struct request_row *row = co->shared->request;

    if (row)
        note(co, row->mark, row->url, row->name, row->expires_wall_ms);
}

static bool is_wait_set(const struct checkout *co)
{
    return co->lease && co->lease->state == LEASE_SETTLED && co->request->origin == ORIGIN_OURS &&
           co->vault->conf->approval_wait_ms;
}

static enum co_state wait_shared(struct checkout *co)
{
    if (is_wait_set(co))
        return CO_PEND;
    co->fault = co->call.fault;
    if (co->request->state == VR_PENDING)
        note_kept(co, co->request);
    else if (co->shared->is_claim)
        note_row(co);
    return CO_REPLY;
}

enum co_state co_wait_for_approval(struct checkout *co)
{
    struct vault_request *request = co->request;

    if (co->shared)
        return wait_shared(co);
    struct vault_request *other =
        request->state == VR_PENDING
            ? request
            : pending_find(co->op.broker->leases, co->session, co->credential_id, co->vault);

    co->fault = co->call.fault;
    if (other)
        note_kept(co, other);
    if (other || !is_wait_set(co) || vault_request_holders(request) != 1 ||
        !pending_keep(request, co->lease, co->vault->conf->approval_wait_ms))
        return CO_REPLY;
    journal_unwait(&co->written);
    co->request = NULL;
    co->lease = NULL;
    note_kept(co, request);
    return CO_PEND;
}

/* ---- pend ---- */

static void on_written(struct journal_wait *w, int err)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, written);

    (void)err; /* a store that cannot write is not waited for */
    co_resume(co);
}

static void on_kept(struct shared_wait *w, const struct shared_outcome *outcome)
{
    struct co_shared *s = CONTAINER_OF(w, struct co_shared, kept);
    const struct request_row *now = outcome->word == SHARED_APPLIED ? outcome->step->now : NULL;
    struct checkout *co = s->checkout;

    s->is_decided = true;
    co->fault = co->call.fault;
    co_drop_rows(co);
    s->request = now && now->state == REQUEST_PENDING ? request_row_copy(now) : NULL;
    note_row(co);
    if (outcome->word == SHARED_FENCED)
        (void)co_store_failed(co, -EIO);
    co_resume(co);
}

static int keep_shared(struct checkout *co)
{
    struct co_shared *s = co->shared;

    if (co->row_err == ROW_ON_ITS_WAY)
        return CO_WAIT;
    s->kept.done = on_kept;
    if (!shared_keep(co->lease, co->request, co->vault->conf->approval_wait_ms, &s->kept))
        return -ENOMEM;
    co->lease = NULL;
    co->request = NULL;
    return CO_WAIT;
}

static int pend_enter(struct checkout *co)
{
    if (co->shared)
        return keep_shared(co);
    int waits = journal_await_all(leases_journal(co->op.broker->leases), &co->written, on_written);

    return waits == 1 ? CO_WAIT : CO_NOW;
}

static enum co_state pend_resume(struct checkout *co, int err)
{
    if (err < 0)
        return co_fail_start(co, err);
    return co->shared && !co->shared->is_decided ? CO_PEND : CO_REPLY;
}

static bool pend_drop(struct checkout *co)
{
    journal_unwait(&co->written);
    if (co->shared)
        shared_unwait(&co->shared->kept); /* the step is followed */
    return true;
}

const struct co_step co_pend_step = {"pend", pend_enter, pend_resume, pend_drop};
