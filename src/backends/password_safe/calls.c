/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - a call on its vault session: what is sent, and what its answer leads to. The life of a call is in
 * http_vault/calls.c.
 *
 *     waiting (for a session of the user) --> sent (on that session) --> ended
 *        ^                                      |
 *        +--401, once: for a fresh session------+--(a list that has another page is sent again on its
 * session)
 *
 * Invariant: `session` is set exactly while the call is sent.
 *
 * A 401 drops the session and all idle ones of the user, since the vault has most likely lost them together.
 * The call is sent once more on a fresh session; a second 401 fails it. Where a fresh session was refused on
 * its first call, that repetition also carries the Authorization header. If this helps, all later calls to
 * this vault carry it too.
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

static struct ps_user *user_of(const struct ps_call *call)
{
    return CONTAINER_OF(call->call.user, struct ps_user, http);
}

/* ---- sending ---- */

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

/* Of the texts that the call has; NULL where there was no memory for one. */
static struct call exchange(struct ps_call *call, const struct ps_session *session)
{
    const struct ps_op *op = call->op;
    struct call http = {
        .method = op->method,
        .body = call->body.len ? buf_cstr(&call->body) : NULL,
        .body_len = call->body.len,
        .safe = op->repeat,
        .secret = op->secret,
        .max_answer = op->secret ? PS_SECRET_MAX : 0,
        .done = on_answer,
    };

    call->with_header |= call->ps->header_always;
    http.headers = headers_for(call, session);
    if (http.headers && (!call->body.len || http.body))
        http.target = buf_cstr(&call->target);
    return http;
}

static void send_call(struct http_vault_call *base)
{
    struct ps_call *call = CONTAINER_OF(base, struct ps_call, call);
    struct ps_session *session = TAILQ_FIRST(&user_of(call)->idle);
    const struct call http = exchange(call, session);

    http_vault_call_send(base, &http);
    if (base->state != VAULT_CALL_SENT)
        return;
    ps_session_take(session, call);
    call->session = session;
}

/* ---- life ---- */

static void free_call(struct ps_call *call)
{
    buf_free(&call->headers);
    buf_free(&call->target);
    buf_free(&call->body);
    free(call);
}

static void serve(struct http_vault_user *user)
{
    ps_user_serve(CONTAINER_OF(user, struct ps_user, http));
}

static void end(struct http_vault_call *base)
{
    struct ps_call *call = CONTAINER_OF(base, struct ps_call, call);

    if (call->session)
        ps_session_idle(call->session);
    free_call(call);
}

static void gone(struct http_vault *hv)
{
    struct ps *ps = CONTAINER_OF(hv, struct ps, http);

    ps->on_gone(ps);
}

static const struct http_vault_call_hooks hooks = {
    .serve = serve, .send = send_call, .end = end, .gone = gone};

int ps_call_new(struct ps *ps, const struct ps_op *op, struct vault_call *out, struct ps_call **made)
{
    struct ps_call *call;

    if (ps->http.closing)
        return -ESHUTDOWN;
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->call =
        (struct http_vault_call){.vault = &ps->http, .hooks = &hooks, .out = out, .effects = op->effects};
    call->ps = ps;
    call->op = op;
    call->target = BUF_INIT(PS_TARGET_MAX);
    call->body = BUF_INIT(PS_BODY_MAX);
    call->headers = BUF_SECRET(PS_HEADERS_MAX);
    http_vault_call_reset(out);
    *made = call;
    return 0;
}

/* The vault is not called: no other candidate may follow. */
static int refuse_name(struct ps_call *call)
{
    int err;

    fault_set(
        &call->call.out->fault, FAULT_VAULT_REFUSED_USER,
        "the mapped user name is empty, too long, or holds a character that cannot be sent to the vault "
        "(control character, semicolon, blank at an end); check run_as and the user's name");
    err = http_vault_call_start_ended(&call->call);
    if (err)
        free_call(call);
    return err;
}

/* What the operation has written, which went unlooked at until now. */
static int text_error(const struct buf *text)
{
    if (!text->failed)
        return 0;
    return text->no_memory ? -ENOMEM : -EMSGSIZE;
}

int ps_call_start(struct ps_call *call)
{
    struct ps *ps = call->ps;
    const char *name = ps->oauth_user ? ps->oauth_user : call->call.out->user;
    struct ps_user *user = NULL;
    int err = text_error(&call->target);

    if (!err)
        err = text_error(&call->body);
    if (!err && !ps_user_name_valid(name))
        return refuse_name(call);
    if (!err)
        err = ps_user_get(ps, name, &user);
    if (!err) {
        call->call.user = &user->http;
        err = http_vault_call_start(&call->call);
    }
    if (!err)
        return 0;
    free_call(call);
    if (user)
        ps_user_serve(user); /* a user made just now is freed again */
    return err;
}

/* ---- answers ---- */

/* The session becomes idle; another call may use it before this one is tried again. */
static void release_session(struct ps_call *call)
{
    struct ps_session *session = call->session;

    call->session = NULL;
    ps_session_idle(session);
}

static void log_again(const struct ps_call *call)
{
    log_debug("vault_call_again", "vault=%s call=%s status=%d error=%d", call->ps->http.vault.conf->name,
              call->op->name, call->call.http.status, call->call.http.err);
}

static void try_again_or_finish(struct ps_call *call)
{
    struct ps_user *user = user_of(call);
    uint64_t delay;

    if (!http_vault_is_retryable(&call->ps->http, &call->call.http, &delay) ||
        !http_vault_call_pause(&call->call, delay)) {
        http_vault_call_finish(&call->call);
        return;
    }
    log_again(call);
    call_free_answer(&call->call.http);
    release_session(call);
    ps_user_serve(user);
}

enum ps_next ps_call_read(struct ps_call *call)
{
    const struct call *http = &call->call.http;
    bool is_good = http->status >= 200 && http->status < 300;

    call->call.out->fault = (struct fault){0};
    if (is_good && !http_vault_is_page(http))
        return call->op->read(call);
    call->call.may_have_happened |=
        call->op->effects && (http->status == 401 || !ps_is_genuine_refusal(call->op, http));
    if (http->status == 401 && ps_is_genuine_refusal(call->op, http))
        ps_error_session_refused(call->op, http, call->call.out);
    else
        ps_error_status(call->ps, call->op, http, call->call.out);
    return call->call.out->result == VAULT_OK ? ps_parse_nothing(call) : PS_DONE;
}

/* A page may come from a web server that has lost the session, so the session is dropped in any case.
 * The user was signed in, so this is no refusal of the user, and a call with effects may have
 * happened. */
static void session_refused(struct ps_call *call)
{
    struct ps_user *user = user_of(call);
    bool first_use = !call->session->proved;

    (void)ps_call_read(call);
    ps_session_lost(call->session);
    call->session = NULL;
    call_free_answer(&call->call.http);
    if (call->replayed || !http_vault_call_queue(&call->call)) {
        http_vault_call_finish(&call->call);
        return;
    }
    call->replayed = true;
    call->with_header = first_use;
    ps_user_serve(user);
}

static void next_page(struct ps_call *call)
{
    int err = call->op->next_page(call);

    call_free_answer(&call->call.http);
    if (!err) {
        const struct call http = exchange(call, call->session);

        err = http_vault_call_send_further(&call->call, &http);
    }
    if (!err)
        return;
    http_vault_errno_error(&call->ps->http, err, call->call.out);
    http_vault_call_finish(&call->call);
}

static void remember_header(struct ps_call *call)
{
    if (!call->with_header || call->ps->header_always)
        return;
    call->ps->header_always = true;
    log_info("vault_wants_header", "vault=%s", call->ps->http.vault.conf->name);
}

static void read_answer(struct ps_call *call)
{
    if (call->call.http.status < 500 && !http_vault_is_page(&call->call.http)) {
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
    struct ps_call *call = CONTAINER_OF(http, struct ps_call, call.http);
    struct ps_user *user = user_of(call);

    ps_latency_observe(call->ps, call->op, http);
    buf_clear(&call->headers);
    switch (http_vault_call_sent(&call->call, true)) {
    case VAULT_SENDING_ENDED: return;
    case VAULT_SENDING_PAUSED:
        log_again(call);
        release_session(call);
        ps_user_serve(user);
        return;
    case VAULT_SENDING_ANSWERED: break;
    }
    if (!http_vault_is_page(http))
        ps_session_learn(call->session, &http->cookies);
    if (http->status == 401)
        session_refused(call);
    else
        read_answer(call);
}
