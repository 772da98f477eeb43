/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signin.c - one sign-in of one user, and the sign-out of a session.
 *
 *     start --> token (OAuth, when there is none) --> SignAppin --> session | refused | failed
 *
 * A sign-in belongs to the user, not to a call: it continues when the calls that wanted it are gone, and its
 * session then serves the next call. It is sent without cookies: a sign-in with an old cookie would turn an
 * existing session over to another identity. The answer decides between three outcomes:
 *
 *   session   200 with a cookie and the JSON object about the user
 *   refused   401 or 403 (and 400 to a token request) that is no HTML page: a fact about this user or this
 *             registration, which is remembered while the next sign-in waits
 *   failed    everything else says nothing about the user; http_vault/signin_backoff.c decides when the next
 * may begin
 *
 * The function given to ps_signin_start() gets the outcome once, unless the sign-in is cancelled. Texts with
 * key, password or token are wiped as soon as the answer is here.
 *
 * Not here: the waiting calls, and whether another session is wanted (sessions.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_token(struct call *);
static void on_sign_in_answer(struct call *);

static void signin_wipe(struct ps_signin *signin)
{
    buf_free(&signin->headers);
    buf_free(&signin->body);
}

static void signin_free(struct ps_signin *signin)
{
    signin->user->signin = NULL;
    signin->user->ps->http.signin_backoff.under_way--;
    signin_wipe(signin);
    call_free_answer(&signin->http);
    free(signin);
}

static int signin_send(struct ps_signin *signin, const char *path, void (*done)(struct call *))
{
    struct ps *ps = signin->user->ps;
    const struct http_vault_call *first = http_vault_call_first(&signin->user->http);

    signin->http = (struct call){
        .method = "POST",
        .target = path,
        .headers = buf_cstr(&signin->headers),
        .body = signin->body.len ? buf_cstr(&signin->body) : NULL,
        .body_len = signin->body.len,
        .safe = true,
        .secret = true,
        .max_answer = PS_SECRET_MAX,
        .background = first && first->out->background,
        .begun = !signin->user->nsessions, /* the call that waits for it has been admitted */
        .party = &signin->user->http.party,
        .owner = signin->user->http.number,
        .timeout_ms = ps->http.vault.conf->call_timeout_ms,
        .done = done,
    };
    if (!signin->http.headers || (signin->body.len && !signin->http.body))
        return -ENOMEM;
    return http_vault_send(&ps->http, &signin->http);
}

static int send_token_form(struct ps_signin *signin)
{
    struct ps *ps = signin->user->ps;

    if (buf_str(&signin->headers, "Content-Type: application/x-www-form-urlencoded\r\n" PS_ACCEPT) ||
        ps_auth_token_form(ps, &signin->body))
        return -ENOMEM;
    signin->fresh_token = true;
    return signin_send(signin, ps->path_token, on_token);
}

static int send_sign_in(struct ps_signin *signin)
{
    struct ps *ps = signin->user->ps;

    signin_wipe(signin);
    if (ps_auth_header(ps, signin->user->name, &signin->headers) ||
        buf_str(&signin->headers, PS_CONTENT_TYPE PS_ACCEPT))
        return -ENOMEM;
    return signin_send(signin, ps->path_signin, on_sign_in_answer);
}

int ps_signin_start(struct ps_user *user, ps_on_signed_in *done)
{
    struct ps_signin *signin = calloc(1, sizeof(*signin));
    int err;

    if (!signin)
        return -ENOMEM;
    signin->user = user;
    signin->done = done;
    signin->headers = BUF_SECRET(PS_HEADERS_MAX);
    signin->body = BUF_SECRET(PS_BODY_MAX);
    user->signin = signin;
    user->ps->http.signin_backoff.under_way++;
    err = ps_auth_wants_token(user->ps) ? send_token_form(signin) : send_sign_in(signin);
    if (err)
        signin_free(signin);
    return err;
}

void ps_signin_cancel(struct ps_user *user)
{
    if (!user->signin)
        return;
    http_vault_cancel(&user->ps->http, &user->signin->http);
    signin_free(user->signin);
}

/* Frees the sign-in, then calls `done` with its outcome, which may free the user. */
static void signin_end(struct ps_signin *signin, const struct ps_signin_outcome *outcome)
{
    struct ps_user *user = signin->user;
    ps_on_signed_in *done = signin->done;

    signin_free(signin);
    done(user, outcome);
}

static void end_refused(struct ps_signin *signin)
{
    struct ps_user *user = signin->user;
    struct ps *ps = user->ps;
    const struct call *http = &signin->http;
    bool wants_factor = *http->value[CALL_2FA];
    uint64_t delay =
        signin_refused(&user->http, wants_factor ? PS_REFUSED_MAX : PS_REFUSED_MIN, PS_REFUSED_MAX);

    ps_error_refused(&user->http.last_fault, http);
    user->http.last_fault.foreign =
        !ps->oauth_user && ps_is_foreign_refusal(http); /* OAuth has its own forms */
    ps_auth_token_forget(ps);
    log_warn("vault_sign_in_refused", "vault=%s user=%s status=%d second_factor=%s pause_ms=%llu",
             ps->http.vault.conf->name, user->name, http->status, wants_factor ? "yes" : "no",
             (unsigned long long)delay);
    signin_end(signin, &(struct ps_signin_outcome){.kind = PS_SIGNIN_REFUSED});
}

static void end_failed(struct ps_signin *signin, const char *unreadable)
{
    struct ps_user *user = signin->user;
    struct ps *ps = user->ps;
    const struct call *http = &signin->http;
    struct ps_signin_outcome outcome = {.kind = PS_SIGNIN_FAILED};
    uint64_t asked_ms = 0, pause;

    outcome.retry = !unreadable && http_vault_is_retryable(&ps->http, http, &asked_ms);
    if (unreadable)
        http_vault_unreadable(&outcome.failure, http, unreadable);
    else if (http->err)
        http_vault_transport_error(&ps->http, http, &outcome.failure);
    else
        ps_error_status(ps, &ps_operations[PS_SIGN_IN], http, &outcome.failure);
    pause = signin_failed(&user->http, &outcome.failure.fault);
    outcome.delay_ms = asked_ms > pause ? asked_ms : pause;
    if (!http->err) /* reachability.c logs once that the vault is not reachable */
        log_warn("vault_sign_in_failed", "vault=%s user=%s status=%d pause_ms=%llu why=%s",
                 ps->http.vault.conf->name, user->name, http->status, (unsigned long long)pause,
                 outcome.failure.fault.detail);
    signin_end(signin, &outcome);
}

static void end_unsent(struct ps_signin *signin, int err)
{
    struct ps_signin_outcome outcome = {.kind = PS_SIGNIN_FAILED, .retry = err == -EAGAIN};

    http_vault_errno_error(&signin->user->ps->http, err, &outcome.failure);
    signin_end(signin, &outcome);
}

static void end_session(struct ps_signin *signin)
{
    struct ps *ps = signin->user->ps;
    struct buf jar = BUF_SECRET(PS_HEADERS_MAX / 2);
    int err;

    if (!ps_is_signin_success(&signin->http)) {
        end_failed(signin, http_vault_is_page(&signin->http)
                               ? "an HTML page instead of the vault's answer to the sign-in"
                               : "the answer to the sign-in is not the vault's JSON object");
        return;
    }
    err = ps_cookies_merge(NULL, 0, &signin->http.cookies, http_vault_clock_wall(&ps->http), &jar);
    if (err)
        end_failed(signin, "sign-in cookies are too large");
    else if (!jar.len)
        end_failed(signin, "sign-in succeeded without a session cookie");
    else
        signin_end(signin, &(struct ps_signin_outcome){.kind = PS_SIGNIN_SESSION, .jar = &jar});
    buf_free(&jar);
}

static void on_token(struct call *http)
{
    struct ps_signin *signin = CONTAINER_OF(http, struct ps_signin, http);
    int err;

    http_vault_done(&signin->user->ps->http, http);
    signin_wipe(signin);
    if (ps_is_signin_refusal(http) || (!http->err && http->status == 400 && !http_vault_is_page(http))) {
        end_refused(signin);
        return;
    }
    if (http->err || http->status != 200) {
        end_failed(signin, NULL);
        return;
    }
    if (http_vault_is_page(http) || ps_auth_token_keep(signin->user->ps, http)) {
        end_failed(signin, "the token answer holds no usable access_token");
        return;
    }
    call_free_answer(http);
    err = send_sign_in(signin);
    if (err)
        end_unsent(signin, err);
}

static void on_sign_in_answer(struct call *http)
{
    struct ps_signin *signin = CONTAINER_OF(http, struct ps_signin, http);
    struct ps *ps = signin->user->ps;
    int err = 0;

    http_vault_done(&ps->http, http);
    ps_latency_observe(ps, &ps_operations[PS_SIGN_IN], http);
    signin_wipe(signin);
    if (ps_is_signin_refusal(http) && http->status == 401 && ps->oauth_user && !signin->fresh_token) {
        call_free_answer(http);
        ps_auth_token_forget(ps);
        err = send_token_form(signin);
        if (err)
            end_unsent(signin, err);
    } else if (ps_is_signin_refusal(http)) {
        end_refused(signin);
    } else if (http->err || http->status != 200) {
        end_failed(signin, NULL);
    } else {
        end_session(signin);
    }
}

static void on_signed_out(struct call *http)
{
    struct ps_signout *out = CONTAINER_OF(http, struct ps_signout, http);
    struct ps *ps = out->ps;

    http_vault_done(&ps->http, http);
    call_free_answer(http);
    TAILQ_REMOVE(&ps->signouts, out, link);
    secret_clear(&out->headers);
    free(out);
    ps->on_gone(ps);
}

void ps_signout(struct ps *ps, uint64_t owner, struct secret *headers)
{
    struct ps_signout *out = calloc(1, sizeof(*out));

    if (!out) {
        secret_clear(headers);
        return;
    }
    out->ps = ps;
    secret_move(&out->headers, headers);
    out->http = (struct call){
        .method = "POST",
        .target = ps->path_signout,
        .headers = ps_session_headers(&out->headers, false),
        .safe = true,
        .background = true,
        .owner = owner,
        .timeout_ms = ps->http.vault.conf->call_timeout_ms,
        .done = on_signed_out,
    };
    if (http_vault_send(&ps->http, &out->http)) {
        secret_clear(&out->headers);
        free(out);
        return;
    }
    TAILQ_INSERT_TAIL(&ps->signouts, out, link);
}
