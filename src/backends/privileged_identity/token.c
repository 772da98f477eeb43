/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c - the token that all calls share: sign-in, renewal, pauses, sign-out.
 *
 *     (none) --a call waits--> sign-in --token--> present --token_max_age, session_idle--> signed out
 *        ^                        |                  |
 *        |                        '-refused: pause   '--refused--> dropped, one new sign-in
 *        '-------------------------------------------------------------'
 *
 * One sign-in at a time; all calls that wait share its outcome. It continues when the calls that wanted it
 * are gone. The answer decides between three outcomes:
 *
 *   token     a text of the right form without a sign of failure beside it
 *   refused   401 or 403 that is no page, the service's own refusal, and any other 2xx that is no page: no
 *             sign-in follows for a minute, doubling to half an hour, since identities lock out and this one
 *             is everybody's. Where a second factor is asked for, half an hour at once
 *   failed    everything else; http_vault/signin_backoff.c decides when the next may begin
 *
 * A token that a call was refused with is dropped, and the next sign-in is for all. Where the new token is
 * refused as well before any call has succeeded with it, it stays: one odd credential must not take the
 * identity from everybody.
 *
 * A token that is replaced is signed out when its last call is over. Nothing waits for a sign-out.
 */
#include "backends/privileged_identity/internal.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

#define REFUSED_FIRST_MS 60000U
#define REFUSED_MOST_MS  1800000U
#define ODD_MS           60000U /* so long a refused token makes no further sign-in */

/* ---- the end of a token ---- */

static void on_sweep(struct deadline *);

/* The present token was used just now. */
static void arm_sweep(struct pi *pi)
{
    if (!pi->token->calls)
        timer_set(pi->http.timers, &pi->sweep, pi->http.vault.conf->session_idle_ms, on_sweep);
}

static void signout_free(struct pi_signout *out)
{
    buf_free(&out->body);
    buf_free(&out->headers);
    free(out->target);
    free(out);
}

static void on_signed_out(struct call *http)
{
    struct pi_signout *out = CONTAINER_OF(http, struct pi_signout, http);
    struct pi *pi = out->pi;

    http_vault_done(&pi->http, http);
    pi_latency_observe(pi, PI_SIGN_OUT, http);
    call_free_answer(http);
    TAILQ_REMOVE(&pi->signouts, out, link);
    signout_free(out);
    pi->on_gone(pi);
}

static int send_signout(struct pi_signout *out, const struct pi_token *token)
{
    struct pi *pi = out->pi;
    const struct pi_row *row = &pi->profile->row[PI_SIGN_OUT];
    const char *const value[PI_NPLACES] = {[PI_TOKEN] = token->text.p};
    int err = row->post ? pi_row_body(row, value, &out->body) : 0;

    out->target = pi_target(pi, PI_SIGN_OUT);
    if (!err)
        err = pi_headers(row, token, &out->headers);
    if (err || !out->target)
        return err ? err : -ENOMEM;
    out->http = (struct call){
        .method = row->post ? "POST" : "GET",
        .target = out->target,
        .headers = buf_cstr(&out->headers),
        .body = row->post ? buf_cstr(&out->body) : NULL,
        .body_len = out->body.len,
        .safe = true,
        .background = true,
        .owner = pi->user.number,
        .timeout_ms = pi->http.vault.conf->call_timeout_ms,
        .done = on_signed_out,
    };
    return http_vault_send(&pi->http, &out->http);
}

static void sign_out(struct pi *pi, const struct pi_token *token)
{
    struct pi_signout *out = calloc(1, sizeof(*out));

    if (!out)
        return;
    out->pi = pi;
    out->body = BUF_SECRET(PI_BODY_MAX);
    out->headers = BUF_SECRET(PI_HEADERS_MAX);
    if (send_signout(out, token)) {
        signout_free(out);
        return;
    }
    TAILQ_INSERT_TAIL(&pi->signouts, out, link);
}

/* Frees a token that is not the present one, once its last call is over. */
static void rest(struct pi *pi, struct pi_token *token)
{
    if (token->calls)
        return;
    if (!token->refused && pi_row_usable(pi, PI_SIGN_OUT))
        sign_out(pi, token);
    secret_clear(&token->text);
    free(token);
}

static void retire(struct pi *pi)
{
    struct pi_token *token = pi->token;

    pi->token = NULL;
    rest(pi, token);
}

static void on_sweep(struct deadline *d)
{
    struct pi *pi = CONTAINER_OF(d, struct pi, sweep);

    if (pi->token)
        retire(pi);
}

void pi_token_end_all(struct pi *pi)
{
    timer_unreserve(pi->http.timers, &pi->sweep);
    if (pi->signin.under_way) {
        http_vault_cancel(&pi->http, &pi->signin.http);
        buf_free(&pi->signin.body);
    }
    free(pi->signin.target);
    pi->signin.target = NULL;
    if (pi->token)
        retire(pi);
}

/* ---- sign-in ---- */

static void fail_waiting(struct pi *pi, const struct vault_call *failure, enum http_vault_retry retry,
                         uint64_t delay_ms)
{
    http_vault_calls_fail(&pi->user, failure->result, &failure->fault, retry, delay_ms);
}

static int keep_token(struct pi *pi, struct secret *text)
{
    struct pi_token *token = calloc(1, sizeof(*token));

    if (!token)
        return -ENOMEM;
    secret_move(&token->text, text);
    token->since_ms = clock_now(pi->http.clock);
    pi->token = token;
    arm_sweep(pi);
    return 0;
}

static void end_token(struct pi *pi, struct secret *text)
{
    struct vault_call failure = {.result = VAULT_FAILED};
    int err = keep_token(pi, text);

    if (err) {
        http_vault_errno_error(&pi->http, err, &failure);
        fail_waiting(pi, &failure, VAULT_RETRY_NONE, 0);
        return;
    }
    pi->user.refusals = 0;
    pi->user.refused_until_ms = 0;
    pi->http.sign_ins++;
    signin_answered(&pi->user);
}

static void end_refused(struct pi *pi, const struct pi_answer *a, int status)
{
    bool wants_factor = a->class == PI_CLASS_MFA;
    uint64_t pause =
        signin_refused(&pi->user, wants_factor ? REFUSED_MOST_MS : REFUSED_FIRST_MS, REFUSED_MOST_MS);

    pi->user.last_fault = a->fault;
    log_warn("vault_sign_in_refused", "vault=%s user=%s status=%d second_factor=%s pause_ms=%llu",
             pi->http.vault.conf->name, pi->principal, status, wants_factor ? "yes" : "no",
             (unsigned long long)pause);
}

/* `failure` has result and fault. */
static void end_failed(struct pi *pi, const struct call *http, struct vault_call *failure)
{
    uint64_t asked_ms = 0, pause;
    bool again = http_vault_is_retryable(&pi->http, http, &asked_ms);

    pause = signin_failed(&pi->user, &failure->fault);
    if (!http->err) /* reachability.c logs once that the vault is not reachable */
        log_warn("vault_sign_in_failed", "vault=%s user=%s status=%d pause_ms=%llu why=%s",
                 pi->http.vault.conf->name, pi->principal, http->status, (unsigned long long)pause,
                 failure->fault.detail);
    fail_waiting(pi, failure, again ? VAULT_RETRY_ALL : VAULT_RETRY_NONE,
                 asked_ms > pause ? asked_ms : pause);
}

/* Anything but a token that comes with 2xx is a refusal, whatever it says. */
static bool is_refusal(const struct pi_answer *a, int status)
{
    bool read = a->fault.code != FAULT_INTERNAL;

    return a->result == VAULT_REFUSED || (read && status / 100 == 2 && !a->fault.foreign);
}

static void end_unread(struct pi *pi, const struct call *http, const struct pi_answer *a)
{
    struct vault_call failure = {.result = VAULT_FAILED, .fault = a->fault};

    failure.fault.retry_after_s = http_vault_retry_after_s(&pi->http, http);
    end_failed(pi, http, &failure);
}

static void refuse_odd(struct pi_answer *a)
{
    if (a->result == VAULT_REFUSED)
        return;
    int status = a->fault.vault_status;
    fault_set(&a->fault, FAULT_VAULT_REFUSED_USER,
              "the answer to the sign-in holds no token, so it counts as a refusal: check profile and "
              "login_name");
    a->fault.vault_status = status;
}

static void end_answered(struct pi *pi, const struct call *http)
{
    const struct pi_http answer = pi_http_of(pi, http, &pi->password);
    struct pi_answer a;

    pi_answer_read(pi->profile, PI_SIGN_IN, &answer, &a);
    if (a.result == VAULT_OK) {
        end_token(pi, &a.secret);
    } else if (is_refusal(&a, http->status)) {
        refuse_odd(&a);
        end_refused(pi, &a, http->status);
    } else {
        end_unread(pi, http, &a);
    }
    pi_answer_free(&a);
}

static void on_signed_in(struct call *http)
{
    struct pi *pi = CONTAINER_OF(http, struct pi, signin.http);
    struct vault_call failure = {0};

    http_vault_done(&pi->http, http);
    pi_latency_observe(pi, PI_SIGN_IN, http);
    buf_free(&pi->signin.body);
    pi->signin.under_way = false;
    pi->http.signin_backoff.under_way--;
    if (http->err) {
        http_vault_transport_error(&pi->http, http, &failure);
        end_failed(pi, http, &failure);
    } else {
        end_answered(pi, http);
    }
    call_free_answer(http);
    (void)signin_next(&pi->http);
    pi_serve(&pi->user);
}

static int write_sign_in(struct pi *pi)
{
    const struct conf_vault *conf = pi->http.vault.conf;
    const char *const value[PI_NPLACES] = {
        [PI_USER] = conf->login_name,
        [PI_PASSWORD] = pi->password.p,
        [PI_AUTHENTICATOR] = conf->authenticator,
        [PI_LOGIN_TYPE] = conf->authenticator ? "2" : "1",
    };

    free(pi->signin.target);
    pi->signin.target = pi_target(pi, PI_SIGN_IN);
    pi->signin.body = BUF_SECRET(PI_BODY_MAX);
    return pi->signin.target ? pi_row_body(&pi->profile->row[PI_SIGN_IN], value, &pi->signin.body) : -ENOMEM;
}

static int send_sign_in(struct pi *pi)
{
    const struct http_vault_call *first = http_vault_call_first(&pi->user);
    int err = write_sign_in(pi);

    if (err)
        return err;
    pi->signin.http = (struct call){
        .method = "POST",
        .target = pi->signin.target,
        .headers = PI_HEADERS,
        .body = buf_cstr(&pi->signin.body),
        .body_len = pi->signin.body.len,
        .secret = true,
        .background = first && first->out->background,
        .begun = true, /* the call that waits for it has been admitted */
        .party = &pi->user.party,
        .owner = pi->user.number,
        .timeout_ms = pi->http.vault.conf->call_timeout_ms,
        .done = on_signed_in,
    };
    return pi->signin.http.body ? http_vault_send(&pi->http, &pi->signin.http) : -ENOMEM;
}

static void sign_in(struct pi *pi)
{
    struct vault_call failure = {.result = VAULT_FAILED};
    int err = send_sign_in(pi);

    if (!err) {
        pi->signin.under_way = true;
        pi->http.signin_backoff.under_way++;
        return;
    }
    buf_free(&pi->signin.body);
    http_vault_errno_error(&pi->http, err, &failure);
    fail_waiting(pi, &failure, err == -EAGAIN ? VAULT_RETRY_ALL : VAULT_RETRY_NONE, 0);
}

/* While sign-ins fail, new calls fail at once; calls that have been tried before have further tries. */
static void want_token(struct pi *pi)
{
    struct vault_call why = {.result = VAULT_FAILED};
    uint64_t delay_ms;

    if (pi->signin.under_way)
        return;
    if (clock_now(pi->http.clock) < pi->user.refused_until_ms) {
        http_vault_calls_fail(&pi->user, VAULT_REFUSED, &pi->user.last_fault, VAULT_RETRY_NONE, 0);
        return;
    }
    switch (signin_permit(&pi->user, &why.fault, &delay_ms)) {
    case SIGNIN_NOW: sign_in(pi); break;
    case SIGNIN_LATER: signin_wait(&pi->user); break;
    case SIGNIN_DENIED: fail_waiting(pi, &why, VAULT_RETRY_TRIED, delay_ms); break;
    }
}

void pi_serve(struct http_vault_user *user)
{
    struct pi *pi = CONTAINER_OF(user, struct pi, user);
    uint64_t now = clock_now(pi->http.clock);
    struct http_vault_call *call;

    if (pi->http.closing || !http_vault_call_first(user))
        return;
    if (pi->token && now - pi->token->since_ms >= pi->http.vault.conf->token_max_age_ms)
        retire(pi);
    while (pi->token && (call = http_vault_call_take(user)))
        call->hooks->send(call);
    if (http_vault_call_first(user))
        want_token(pi);
}

void pi_token_pause_over(struct pi *pi)
{
    pi->user.refusals = 0;
    pi->user.refused_until_ms = 0;
    pi->no_renewal_before_ms = 0;
    pi->user.failures = (struct signin_failures){0};
    pi->http.signin_backoff.failures = (struct signin_failures){0};
}

/* ---- calls ---- */

void pi_token_use(struct pi *pi, struct pi_call *call)
{
    call->token = pi->token;
    call->token->calls++;
    timer_stop(pi->http.timers, &pi->sweep);
}

void pi_token_leave(struct pi_call *call)
{
    struct pi *pi = call->pi;
    struct pi_token *token = call->token;

    if (!token)
        return;
    call->token = NULL;
    token->calls--;
    if (token == pi->token)
        arm_sweep(pi);
    else
        rest(pi, token);
}

bool pi_token_refused(struct pi_call *call)
{
    struct pi *pi = call->pi;
    uint64_t now = clock_now(pi->http.clock);
    bool present = call->token == pi->token;

    if (call->replayed || (present && now < pi->no_renewal_before_ms))
        return false;
    call->token->refused = true;
    if (present) {
        pi->token = NULL;
        pi->no_renewal_before_ms = now + ODD_MS;
        log_warn("vault_token_refused", "vault=%s status=%d", pi->http.vault.conf->name,
                 call->call.http.status);
    }
    return true;
}

void pi_token_proved(const struct pi_call *call)
{
    if (call->token == call->pi->token)
        call->pi->no_renewal_before_ms = 0;
}
