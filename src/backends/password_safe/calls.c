/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - the life of one call, from the broker's operation to its answer.
 *
 *     new --> waiting --> sent --> ended
 *               ^  ^        |
 *               |  |        +--401, once--> waiting (for a fresh session; before the others)
 *               |  +-paused <--lost, 5xx, 408, 429 while tries are left
 *               +--(a list that has another page is sent again on its session)
 *
 * waiting  for a session of the user
 * sent     on a vault session, with loop/upstream
 * paused   until the next try
 * ended    the answer is in `out`; done() follows with the timers
 *
 * Invariants: `session` is set exactly while sent. `ends` runs while waiting or paused; loop/upstream keeps
 * the time while sent. done() is the last step of a call and never runs inside the operation or a cancel.
 * `may_have_happened` = some sending of a call with effects may have had its effect at the vault: unless a
 * later answer settles that, the outcome is VAULT_FAILED with `unknown`.
 *
 * A 401 drops the session and all idle ones of the user, since the vault has most likely lost them together.
 * The call is sent once more on a fresh session; a second 401 fails it. Where a fresh session was refused on
 * its first call, that repetition also carries the Authorization header. If this helps, all later calls to
 * this vault carry it too.
 *
 * A call that has not been sent by `begin_by_ms` ends unsent (overload.c).
 *
 * Not here: the choice of a session (sessions.c), the meaning of answers (parse.c, errors.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_answer(struct call *);
static void on_late(struct deadline *);
static void on_session(struct ps_call *, struct ps_session *);
static void on_no_session(struct ps_call *, bool retry, uint64_t delay_ms);

static uint64_t time_left(const struct ps_call *call)
{
    uint64_t now = clock_now(call->ps->clock);

    return call->ends_ms > now ? call->ends_ms - now : 0;
}

/* ---- start and end ---- */

int ps_call_new(struct ps *ps, const struct ps_op *op, struct vault_call *out, struct ps_call **made)
{
    struct ps_call *call;

    if (ps->closing)
        return -ESHUTDOWN;
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->ps = ps;
    call->op = op;
    call->out = out;
    call->target = BUF_INIT(PS_TARGET_MAX);
    call->body = BUF_INIT(PS_BODY_MAX);
    call->headers = BUF_SECRET(PS_HEADERS_MAX);
    out->result = VAULT_FAILED;
    out->status = 0;
    out->unknown = out->withheld = out->repeated = false;
    out->reused = false;
    out->request_name[0] = '\0';
    out->fault = (struct fault){0};
    out->policy = (struct vault_policy){0};
    *made = call;
    return 0;
}

static void call_free(struct ps_call *call)
{
    buf_free(&call->headers);
    buf_free(&call->target);
    buf_free(&call->body);
    free(call);
}

/* Removes the call from every list and frees it. Other calls of the user may be sent; no done() is called. */
static void call_detach(struct ps_call *call)
{
    struct ps *ps = call->ps;

    timer_stop(ps->timers, &call->ends);
    timer_stop(ps->timers, &call->pause);
    if (call->state == PS_WAITING)
        ps_user_unqueue(call);
    if (call->state == PS_SENT)
        ps_http_cancel(ps, &call->http);
    call_free_answer(&call->http);
    if (call->session)
        ps_session_idle(call->session);
    TAILQ_REMOVE(&ps->calls, call, all);
    ps->ncalls--;
    call->out->impl = NULL;
    if (call->user) {
        ps->nactive -= !--call->user->ncalls;
        ps_user_serve(call->user);
    }
    call_free(call);
}

/* Where an earlier sending may have had its effect only success is certain: a refusal is about the last
 * sending alone. */
static void settle_outcome(struct ps_call *call)
{
    struct vault_call *out = call->out;

    out->repeated = call->may_have_happened;
    if (!call->may_have_happened)
        return;
    if (out->result == VAULT_OK) {
        out->unknown = out->reused; /* the existing request may be what the lost sending made */
    } else if (out->result != VAULT_GONE) {
        out->result = VAULT_FAILED;
        out->unknown = true;
    }
}

/* Ends the call, calls done() and frees the call. */
static void call_finish(struct ps_call *call)
{
    struct vault_call *out = call->out;
    struct ps *ps = call->ps;

    settle_outcome(call);
    if (out->result == VAULT_FAILED)
        ps_count_failure(ps);
    if (out->result != VAULT_OK)
        vault_call_free(out); /* pages of a list that could not be finished */
    ps->depth++;
    call_detach(call);
    out->done(out);
    ps->depth--;
    ps->on_gone(ps);
}

static void on_ended(struct deadline *d)
{
    call_finish(CONTAINER_OF(d, struct ps_call, ends));
}

/* `ends` runs in every state in which this is called, so that moving it needs no memory. */
static void finish_later(struct ps_call *call)
{
    call->state = PS_ENDED;
    if (timer_start(call->ps->timers, &call->ends, 0, on_ended))
        call->ends.fire = on_ended;
}

static void register_call(struct ps_call *call)
{
    TAILQ_INSERT_TAIL(&call->ps->calls, call, all);
    call->ps->ncalls++;
    call->out->impl = call;
}

/* The answer is already in `out`: it is only handed over, later. */
static int start_ended(struct ps_call *call)
{
    if (timer_start(call->ps->timers, &call->ends, 0, on_ended)) {
        call_free(call);
        return -ENOMEM;
    }
    call->state = PS_ENDED;
    register_call(call);
    return 0;
}

static int refuse_name(struct ps_call *call)
{
    call->out->result = VAULT_FAILED; /* the vault was not called: no other candidate may follow */
    fault_set(
        &call->out->fault, FAULT_VAULT_REFUSED_USER,
        "the mapped user name is empty, too long, or holds a character that cannot be sent to the vault "
        "(control character, semicolon, blank at an end); check run_as and the user's name");
    return start_ended(call);
}

int ps_call_start(struct ps_call *call)
{
    struct ps *ps = call->ps;
    const char *name = ps->oauth_user ? ps->oauth_user : call->out->user;
    uint64_t time = call->out->timeout_ms ? call->out->timeout_ms : ps->vault.conf->call_timeout_ms;
    uint64_t wait = call->out->wait_ms;
    int err = call->target.failed || call->body.failed ? -EMSGSIZE : 0;

    if (!err && !ps_user_name_valid(name))
        return refuse_name(call);
    call->ends_ms = clock_now(ps->clock) + time;
    call->begin_by_ms = wait ? call->ends_ms - time + wait : 0;
    if (!err)
        err = timer_start(ps->timers, &call->ends, wait && wait < time ? wait : time, on_late);
    if (!err)
        err = ps_user_get(ps, name, &call->user);
    if (!err)
        err = ps_overload_admit(call);
    if (err) {
        timer_stop(ps->timers, &call->ends);
        if (call->user)
            ps_user_serve(call->user); /* a user made just now is freed again */
        call_free(call);
        return err;
    }
    call->on_session = on_session;
    call->on_no_session = on_no_session;
    register_call(call);
    ps->nactive += !call->user->ncalls++;
    ps_user_queue(call->user, call, false);
    ps_user_serve(call->user);
    return 0;
}

void ps_call_cancel(struct vault *vault, struct vault_call *out)
{
    struct ps_call *call = out->impl;
    struct ps *ps = CONTAINER_OF(vault, struct ps, vault);

    if (!call)
        return;
    call_detach(call);
    vault_call_free(out);
    ps->on_gone(ps);
}

/* Every earlier sending was refused by the vault or never left the gateway. */
static bool is_unsent(const struct ps_call *call)
{
    if (call->may_have_happened)
        return false;
    return call->state == PS_WAITING || call->state == PS_PAUSED ||
           (call->state == PS_SENT && upstream_unsent(&call->http));
}

bool ps_call_withdraw(struct vault *vault, struct vault_call *out)
{
    if (!out->impl || !is_unsent(out->impl))
        return false;
    ps_call_cancel(vault, out);
    return true;
}

void ps_calls_end_all(struct ps *ps)
{
    struct ps_call *call;

    while ((call = TAILQ_FIRST(&ps->calls))) {
        call->may_have_happened |= call->op->effects && call->state == PS_SENT;
        if (call->state != PS_ENDED)
            ps_error_errno(ps, -ESHUTDOWN, call->out);
        call_finish(call);
    }
}

/* ---- sending ---- */

static bool is_past_begin_by(const struct ps_call *call)
{
    return call->begin_by_ms && clock_now(call->ps->clock) >= call->begin_by_ms;
}

static const char *headers_for(struct ps_call *call, const struct ps_session *session)
{
    struct ps *ps = call->ps;

    if (!call->with_header || ps_auth_wants_token(ps))
        return ps_session_headers(&session->headers, call->body.len > 0);
    buf_clear(&call->headers);
    if (ps_auth_header(ps, session->user->name, &call->headers) ||
        buf_str(&call->headers, session->headers.p))
        return NULL;
    return buf_cstr(&call->headers);
}

static bool may_send(struct call *http)
{
    struct ps_call *call = CONTAINER_OF(http, struct ps_call, http);

    return call->out->may_send(call->out);
}

static int send_on(struct ps_call *call, struct ps_session *session)
{
    struct ps *ps = call->ps;
    uint64_t left = time_left(call), limit = ps->vault.conf->call_timeout_ms;
    uint64_t wait = call->begin_by_ms ? call->begin_by_ms - clock_now(ps->clock) : 0;

    call->with_header |= ps->header_always;
    call->http = (struct call){
        .method = call->op->method,
        .target = buf_cstr(&call->target),
        .headers = headers_for(call, session),
        .body = call->body.len ? buf_cstr(&call->body) : NULL,
        .body_len = call->body.len,
        .safe = call->op->repeat,
        .background = call->out->background,
        .begun = call->out->begun,
        .party = &call->user->party,
        .owner = call->user->number,
        .wait_ms = wait,
        .secret = call->op->secret,
        .max_answer = call->op->secret ? PS_SECRET_MAX : 0,
        .timeout_ms = left < limit ? left : limit,
        .may_send = call->out->may_send ? may_send : NULL,
        .done = on_answer,
    };
    if (!left)
        return -ETIMEDOUT;
    if (!call->http.target || !call->http.headers || (call->body.len && !call->http.body))
        return -ENOMEM;
    return ps_http_send(ps, &call->http);
}

static void on_session(struct ps_call *call, struct ps_session *session)
{
    int err = is_past_begin_by(call) ? -EAGAIN : send_on(call, session);

    if (!err) {
        ps_session_take(session, call);
        call->session = session;
        call->state = PS_SENT;
        timer_stop(call->ps->timers, &call->ends);
        return;
    }
    if (is_past_begin_by(call))
        ps_overload_expire(call);
    else
        ps_error_errno(call->ps, err, call->out);
    finish_later(call);
}

static void on_pause_over(struct deadline *d)
{
    struct ps_call *call = CONTAINER_OF(d, struct ps_call, pause);

    ps_user_queue(call->user, call, true);
    ps_user_serve(call->user);
}

/* In [0, below), by xorshift, which is enough for jitter. */
static uint64_t jitter(struct ps *ps, uint64_t below)
{
    ps->random ^= ps->random << 13;
    ps->random ^= ps->random >> 7;
    ps->random ^= ps->random << 17;
    return ps->random % below;
}

/* Sets the call aside for another try; false when no tries or no time are left. */
static bool call_pause(struct ps_call *call, uint64_t delay_ms)
{
    struct ps *ps = call->ps;
    uint64_t step = (uint64_t)PS_RETRY_MIN << (call->tries < 6 ? call->tries : 6);
    uint64_t delay = step / 2 + jitter(ps, step), left = time_left(call);

    if (delay < delay_ms)
        delay = delay_ms;
    if (call->tries >= ps->vault.conf->retries || left <= delay)
        return false;
    if (timer_start(ps->timers, &call->ends, left, on_late) ||
        timer_start(ps->timers, &call->pause, delay, on_pause_over))
        return false;
    call->tries++;
    call->state = PS_PAUSED;
    return true;
}

static void on_no_session(struct ps_call *call, bool retry, uint64_t delay_ms)
{
    if (!retry || !call_pause(call, delay_ms))
        finish_later(call);
}

static void on_late(struct deadline *d)
{
    struct ps_call *call = CONTAINER_OF(d, struct ps_call, ends);

    if (is_past_begin_by(call))
        ps_overload_expire(call);
    else
        ps_error_deadline(call->out);
    call_finish(call);
}

/* ---- answers ---- */

/* The session becomes idle; another call may use it before this one is tried again. */
static void release_session(struct ps_call *call)
{
    struct ps_session *session = call->session;

    call->session = NULL;
    call_free_answer(&call->http);
    ps_session_idle(session);
}

static void try_again_or_finish(struct ps_call *call)
{
    struct ps_user *user = call->user;
    uint64_t delay;

    if (!ps_error_is_retryable(call->ps, &call->http, &delay) || !call_pause(call, delay)) {
        call_finish(call);
        return;
    }
    log_debug("vault_call_again", "vault=%s call=%s status=%d error=%d", call->ps->vault.conf->name,
              call->op->name, call->http.status, call->http.err);
    release_session(call);
    ps_user_serve(user);
}

enum ps_next ps_call_read(struct ps_call *call)
{
    const struct call *http = &call->http;
    bool is_good = http->status >= 200 && http->status < 300;

    call->out->fault = (struct fault){0};
    if (is_good && !ps_is_html(http))
        return call->op->read(call);
    call->may_have_happened |=
        call->op->effects && (http->status == 401 || !ps_is_genuine_refusal(call->op, http));
    if (http->status == 401 && ps_is_genuine_refusal(call->op, http))
        ps_error_session_refused(call->op, http, call->out);
    else
        ps_error_status(call->ps, call->op, http, call->out);
    return call->out->result == VAULT_OK ? ps_parse_nothing(call) : PS_DONE;
}

/* A page may come from a web server that has lost the session, so the session is dropped in any case.
 * The user was signed in, so this is no refusal of the user, and a call with effects may have
 * happened. */
static void session_refused(struct ps_call *call)
{
    struct ps_user *user = call->user;
    bool first_use = !call->session->proved;

    (void)ps_call_read(call);
    ps_session_drop(call->session);
    call->session = NULL;
    ps_user_drop_idle(user);
    call_free_answer(&call->http);
    if (call->replayed || timer_start(call->ps->timers, &call->ends, time_left(call), on_late)) {
        call_finish(call);
        return;
    }
    call->replayed = true;
    call->with_header = first_use;
    ps_user_queue(user, call, true);
    ps_user_serve(user);
}

static void next_page(struct ps_call *call)
{
    int err = call->op->next_page(call);

    call_free_answer(&call->http);
    if (!err)
        err = send_on(call, call->session);
    if (!err) {
        call->state = PS_SENT;
        return;
    }
    ps_error_errno(call->ps, err, call->out);
    call_finish(call);
}

static void remember_header(struct ps_call *call)
{
    if (!call->with_header || call->ps->header_always)
        return;
    call->ps->header_always = true;
    log_info("vault_wants_header", "vault=%s", call->ps->vault.conf->name);
}

static void read_answer(struct ps_call *call)
{
    if (call->http.status < 500 && !ps_is_html(&call->http)) {
        call->session->proved = true;
        remember_header(call);
    }
    if (ps_call_read(call) == PS_MORE)
        next_page(call);
    else
        try_again_or_finish(call);
}

static void on_answer(struct call *http)
{
    struct ps_call *call = CONTAINER_OF(http, struct ps_call, http);

    ps_http_done(call->ps, http);
    ps_latency_observe(call->ps, call->op, http);
    call->out->status = http->err ? 0 : http->status;
    call->state = PS_NEW;
    buf_clear(&call->headers);
    if (http->err == -EAGAIN) {
        ps_overload_expire(call);
        call_finish(call);
        return;
    }
    call->begin_by_ms = 0;
    if (http->err) {
        call->may_have_happened |= call->op->effects && http->sent;
        ps_error_transport(call->ps, http, call->out);
        try_again_or_finish(call);
        return;
    }
    if (!ps_is_html(http))
        ps_session_learn(call->session, &http->cookies);
    if (http->status == 401)
        session_refused(call);
    else
        read_answer(call);
}
