/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - the life of one call, from the broker's operation to its answer; http_vault.h has its states.
 *
 * Invariants: `ends` runs while the call waits or pauses; loop/upstream keeps the time while it is sent.
 * done() is the last step of a call and never runs inside the operation or a cancel. `may_have_happened` =
 * some sending of a call with effects may have had its effect at the vault: unless a later answer settles
 * that, the outcome is VAULT_FAILED with `unknown`.
 *
 * A call that has not been sent by `begin_by_ms` ends unsent (overload.c).
 *
 * Not here: what is sent, when a call may be sent, and what its answer means (the backend).
 */
#include "backends/http_vault/http_vault.h"
#include "base/container_of.h"

#include <errno.h>

uint64_t http_vault_call_time_left(const struct http_vault_call *call)
{
    uint64_t now = clock_now(call->vault->clock);

    return call->ends_ms > now ? call->ends_ms - now : 0;
}

/* ---- the queue ---- */

static void queue(struct http_vault_call *call, bool front)
{
    enum call_class class = call_class_of(call->out->begun || front, call->out->background);

    call->state = VAULT_CALL_WAITING;
    priority_queue_add(&call->user->priority_queue, &call->place, class, NULL, front);
    call->vault->nwaiting[class]++;
}

static void unqueue(struct http_vault_call *call)
{
    priority_queue_remove(&call->user->priority_queue, &call->place);
    call->vault->nwaiting[call->place.class]--;
    call->state = VAULT_CALL_NEW;
}

struct http_vault_call *http_vault_call_first(const struct http_vault_user *user)
{
    struct priority_queue_item *item = priority_queue_peek(&user->priority_queue);

    return item ? CONTAINER_OF(item, struct http_vault_call, place) : NULL;
}

struct http_vault_call *http_vault_call_take(struct http_vault_user *user)
{
    struct priority_queue_item *item = priority_queue_take(&user->priority_queue);
    struct http_vault_call *call = item ? CONTAINER_OF(item, struct http_vault_call, place) : NULL;

    if (!call)
        return NULL;
    user->vault->nwaiting[item->class]--;
    call->state = VAULT_CALL_NEW;
    return call;
}

/* ---- start and end ---- */

/* Removes the call from every list and frees it. Other calls of the user may be sent; no done() is called. */
static void detach(struct http_vault_call *call)
{
    struct http_vault *hv = call->vault;
    struct http_vault_user *user = call->user;
    const struct http_vault_call_hooks *hooks = call->hooks;

    timer_stop(hv->timers, &call->ends);
    timer_stop(hv->timers, &call->pause);
    if (call->state == VAULT_CALL_WAITING)
        unqueue(call);
    if (call->state == VAULT_CALL_SENT)
        http_vault_cancel(hv, &call->http);
    call_free_answer(&call->http);
    TAILQ_REMOVE(&hv->calls, call, link);
    hv->ncalls--;
    call->out->impl = NULL;
    if (user)
        hv->nactive -= !--user->ncalls;
    hooks->end(call);
    if (user)
        hooks->serve(user);
}

/* Where an earlier sending may have had its effect only success is certain: a refusal is about the last
 * sending alone. */
static void settle_outcome(struct http_vault_call *call)
{
    struct vault_call *out = call->out;

    out->repeated = call->may_have_happened;
    if (!call->may_have_happened || out->result == VAULT_GONE)
        return;
    if (out->result == VAULT_OK) {
        out->unknown = out->origin == CHECKOUT_REUSED;
    } else {
        out->result = VAULT_FAILED;
        out->unknown = true;
    }
}

void http_vault_call_finish(struct http_vault_call *call)
{
    struct vault_call *out = call->out;
    struct http_vault *hv = call->vault;
    void (*gone)(struct http_vault *) = call->hooks->gone;

    settle_outcome(call);
    if (out->result == VAULT_FAILED)
        http_vault_count_failure(hv);
    if (out->result != VAULT_OK)
        vault_call_free(out);
    hv->depth++;
    detach(call);
    out->done(out);
    hv->depth--;
    gone(hv);
}

static void on_ended(struct deadline *d)
{
    http_vault_call_finish(CONTAINER_OF(d, struct http_vault_call, ends));
}

/* `ends` runs in every state in which this is called, so that moving it needs no memory. */
static void finish_later(struct http_vault_call *call)
{
    call->state = VAULT_CALL_ENDED;
    if (timer_start(call->vault->timers, &call->ends, 0, on_ended))
        call->ends.fire = on_ended;
}

static bool is_past_begin_by(const struct http_vault_call *call)
{
    return call->begin_by_ms && clock_now(call->vault->clock) >= call->begin_by_ms;
}

static void on_late(struct deadline *d)
{
    struct http_vault_call *call = CONTAINER_OF(d, struct http_vault_call, ends);

    if (is_past_begin_by(call))
        http_vault_expire(call->vault, call->user, call->out);
    else
        http_vault_deadline(call->out);
    http_vault_call_finish(call);
}

void http_vault_call_reset(struct vault_call *out)
{
    out->result = VAULT_FAILED;
    out->status = 0;
    out->unknown = out->withheld = out->repeated = out->holder_is_own = false;
    out->origin = CHECKOUT_NEW;
    out->end_wall_ms = 0;
    out->request_key[0] = '\0';
    out->checkins = 0;
    out->fault = (struct fault){0};
    out->policy = (struct vault_policy){0};
}

static void enlist(struct http_vault_call *call)
{
    struct http_vault *hv = call->vault;

    TAILQ_INSERT_TAIL(&hv->calls, call, link);
    hv->ncalls++;
    if (call->user)
        hv->nactive += !call->user->ncalls++;
    call->out->impl = call;
}

int http_vault_call_start(struct http_vault_call *call)
{
    struct http_vault *hv = call->vault;
    struct vault_call *out = call->out;
    uint64_t time = out->timeout_ms ? out->timeout_ms : hv->vault.conf->call_timeout_ms, wait = out->wait_ms;

    if (hv->closing)
        return -ESHUTDOWN;
    http_vault_call_reset(out);
    call->ends_ms = clock_now(hv->clock) + time;
    call->begin_by_ms = wait ? call->ends_ms - time + wait : 0;
    int err = timer_start(hv->timers, &call->ends, wait && wait < time ? wait : time, on_late);
    if (!err)
        err = http_vault_admit_call(hv, call->user, out);
    if (err) {
        timer_stop(hv->timers, &call->ends);
        return err;
    }
    enlist(call);
    queue(call, false);
    call->hooks->serve(call->user);
    return 0;
}

int http_vault_call_start_ended(struct http_vault_call *call)
{
    struct http_vault *hv = call->vault;

    if (hv->closing)
        return -ESHUTDOWN;
    if (timer_start(hv->timers, &call->ends, 0, on_ended))
        return -ENOMEM;
    call->state = VAULT_CALL_ENDED;
    enlist(call);
    return 0;
}

void http_vault_call_cancel(struct vault *vault, struct vault_call *out)
{
    struct http_vault_call *call = out->impl;
    struct http_vault *hv = CONTAINER_OF(vault, struct http_vault, vault);

    if (!call)
        return;
    void (*gone)(struct http_vault *) = call->hooks->gone;
    detach(call);
    vault_call_free(out);
    gone(hv);
}

/* Every earlier sending was refused by the vault or never left the gateway. */
static bool is_unsent(const struct http_vault_call *call)
{
    if (call->may_have_happened)
        return false;
    return call->state == VAULT_CALL_WAITING || call->state == VAULT_CALL_PAUSED ||
           (call->state == VAULT_CALL_SENT && upstream_unsent(&call->http));
}

bool http_vault_call_withdraw(struct vault *vault, struct vault_call *out)
{
    if (!out->impl || !is_unsent(out->impl))
        return false;
    http_vault_call_cancel(vault, out);
    return true;
}

void http_vault_calls_end_all(struct http_vault *hv)
{
    struct http_vault_call *call;

    while ((call = TAILQ_FIRST(&hv->calls))) {
        call->may_have_happened |=
            call->effects && call->state == VAULT_CALL_SENT && !upstream_unsent(&call->http);
        if (call->state != VAULT_CALL_ENDED)
            http_vault_errno_error(hv, -ESHUTDOWN, call->out);
        http_vault_call_finish(call);
    }
}

/* ---- sending ---- */

static bool may_send(struct call *http)
{
    struct vault_call *out = CONTAINER_OF(http, struct http_vault_call, http)->out;

    return out->may_send(out);
}

static int send_call(struct http_vault_call *call, const struct call *how)
{
    struct http_vault *hv = call->vault;
    uint64_t left = http_vault_call_time_left(call), limit = hv->vault.conf->call_timeout_ms;

    if (!left)
        return -ETIMEDOUT;
    if (!how->target)
        return -ENOMEM;
    call->http = *how;
    call->http.background = call->out->background;
    call->http.begun = call->out->begun;
    call->http.party = &call->user->party;
    call->http.owner = call->user->number;
    call->http.wait_ms = call->begin_by_ms ? call->begin_by_ms - clock_now(hv->clock) : 0;
    call->http.timeout_ms = left < limit ? left : limit;
    call->http.may_send = call->out->may_send ? may_send : NULL;
    return http_vault_send(hv, &call->http);
}

int http_vault_call_send_further(struct http_vault_call *call, const struct call *how)
{
    int err = send_call(call, how);

    if (err)
        return err;
    call->state = VAULT_CALL_SENT;
    timer_stop(call->vault->timers, &call->ends);
    return 0;
}

void http_vault_call_send(struct http_vault_call *call, const struct call *how)
{
    int err = is_past_begin_by(call) ? -EAGAIN : http_vault_call_send_further(call, how);

    if (!err)
        return;
    if (is_past_begin_by(call))
        http_vault_expire(call->vault, call->user, call->out);
    else
        http_vault_errno_error(call->vault, err, call->out);
    finish_later(call);
}

bool http_vault_call_queue(struct http_vault_call *call)
{
    if (timer_start(call->vault->timers, &call->ends, http_vault_call_time_left(call), on_late))
        return false;
    queue(call, true);
    return true;
}

static void on_pause_over(struct deadline *d)
{
    struct http_vault_call *call = CONTAINER_OF(d, struct http_vault_call, pause);

    queue(call, true);
    call->hooks->serve(call->user);
}

bool http_vault_call_pause(struct http_vault_call *call, uint64_t delay_ms)
{
    struct http_vault *hv = call->vault;
    uint64_t delay = http_vault_try_after(hv, call->tries, delay_ms), left = http_vault_call_time_left(call);

    if (call->tries >= hv->vault.conf->retries || left <= delay)
        return false;
    if (timer_start(hv->timers, &call->ends, left, on_late) ||
        timer_start(hv->timers, &call->pause, delay, on_pause_over))
        return false;
    call->tries++;
    call->state = VAULT_CALL_PAUSED;
    return true;
}

void http_vault_calls_fail(struct http_vault_user *user, enum vault_result result, const struct fault *fault,
                           enum http_vault_retry retry, uint64_t delay_ms)
{
    struct http_vault_call *call;

    while ((call = http_vault_call_first(user))) {
        bool again = retry == VAULT_RETRY_ALL || (retry == VAULT_RETRY_TRIED && call->tries);

        unqueue(call);
        call->out->result = result;
        call->out->fault = *fault;
        if (!again || !http_vault_call_pause(call, delay_ms))
            finish_later(call);
    }
}

/* ---- the end of a sending ---- */

enum http_vault_sending http_vault_call_sent(struct http_vault_call *call, bool may_repeat)
{
    struct http_vault *hv = call->vault;
    const struct call *http = &call->http;
    uint64_t delay;

    http_vault_done(hv, http);
    call->out->status = http->err ? 0 : http->status;
    call->state = VAULT_CALL_NEW;
    if (http->err == -EAGAIN) {
        http_vault_expire(hv, call->user, call->out);
        http_vault_call_finish(call);
        return VAULT_SENDING_ENDED;
    }
    call->begin_by_ms = 0;
    if (!http->err)
        return VAULT_SENDING_ANSWERED;
    call->may_have_happened |= call->effects && http->sent;
    http_vault_transport_error(hv, http, call->out);
    if ((may_repeat || !http->sent) && http_vault_is_retryable(hv, http, &delay) &&
        http_vault_call_pause(call, delay)) {
        call_free_answer(&call->http);
        return VAULT_SENDING_PAUSED;
    }
    http_vault_call_finish(call);
    return VAULT_SENDING_ENDED;
}
