/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_pool.c - the memory of calls.
 *
 * A check-out and its release take three calls, and each lives for milliseconds. So up to PS_SPARE_CALLS
 * ended calls are kept for the next ones, wiped, with the memory of their target and body. A call whose texts
 * grew beyond PS_SPARE_TEXTS is not kept, and memory that held the headers of a session never is.
 *
 * Worth its lines: without it a check-out with release takes 5 to 10 % more instructions (`bench/run
 * instructions`), most of them for clearing and wiping fresh memory.
 *
 * Not here: what a call does (calls.c).
 */
#include "backends/password_safe/internal.h"

#include <errno.h>
#include <stdlib.h>

/* A kept call, or a new one. NULL when out of memory. */
static struct ps_call *take_spare(struct ps *ps)
{
    struct ps_call *call = TAILQ_FIRST(&ps->spare);

    if (call) {
        TAILQ_REMOVE(&ps->spare, call, all);
        ps->nspare--;
        return call;
    }
    call = calloc(1, sizeof(*call));
    if (call) {
        call->target = BUF_INIT(PS_TARGET_MAX);
        call->body = BUF_INIT(PS_BODY_MAX);
    }
    return call;
}

int ps_call_new(struct ps *ps, const struct ps_op *op, struct vault_call *out, struct ps_call **made)
{
    struct ps_call *call;

    if (ps->closing)
        return -ESHUTDOWN;
    call = take_spare(ps);
    if (!call)
        return -ENOMEM;
    call->ps = ps;
    call->op = op;
    call->out = out;
    call->headers = BUF_SECRET(PS_HEADERS_MAX);
    out->result = VAULT_FAILED;
    out->status = 0;
    out->unknown = false;
    out->reused = false;
    out->request_id = 0;
    out->fault = (struct fault){0};
    out->policy = (struct vault_policy){0};
    *made = call;
    return 0;
}

static void destroy(struct ps_call *call)
{
    buf_free(&call->target);
    buf_free(&call->body);
    free(call);
}

void ps_call_free(struct ps_call *call)
{
    struct ps *ps = call->ps;

    buf_free(&call->headers);
    if (ps->nspare >= PS_SPARE_CALLS || call->target.cap + call->body.cap > PS_SPARE_TEXTS) {
        destroy(call);
        return;
    }
    buf_clear(&call->target);
    buf_clear(&call->body);
    *call = (struct ps_call){.target = call->target, .body = call->body};
    TAILQ_INSERT_HEAD(&ps->spare, call, all);
    ps->nspare++;
}

void ps_call_pool_free(struct ps *ps)
{
    struct ps_call *call;

    while ((call = TAILQ_FIRST(&ps->spare))) {
        TAILQ_REMOVE(&ps->spare, call, all);
        destroy(call);
    }
}
