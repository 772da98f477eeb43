/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - vault users, their vault sessions, and the calls that wait for a session.
 *
 * Two spellings of a name that differ in ASCII case alone are one user (base/person.h). A vault session
 * belongs to one user for all its life and serves one call at a time; a user has up to sessions_per_user of
 * them. Calls wait in the order of base/queue/priority_queue.h. At most one sign-in of a user is under way;
 * another follows while calls still wait and the limit is not reached.
 *
 * Life of a session: sign-in -> idle <-> busy -> signed out after session_idle, or dropped on a 401. After a
 * 401 no session that was signed in before it serves another call: the call is sent again on a fresh one.
 * Life of a user:    first call -> (sessions, calls, sign-in) -> freed as soon as it has none of them, or,
 * after a failed sign-in, PS_FORGET_AFTER later. The number of users is bounded.
 *
 * ps_user_serve() is the one place that matches sessions with calls. It is the last step of every change and
 * may free the user. A waiting call is sent on the first idle session, or fails; neither calls the caller of
 * the operation.
 *
 * Not here: the exchange of a sign-in (signin.c), what becomes of a call (calls.c).
 */
#include "backends/password_safe/internal.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/person.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_sweep(struct deadline *);

static void sweep_arm(struct ps *ps)
{
    const struct ps_session *session = TAILQ_FIRST(&ps->idle);
    const struct ps_user *user = TAILQ_FIRST(&ps->quiet);
    uint64_t now = clock_now(ps->http.clock), at = UINT64_MAX;

    if (session)
        at = session->idle_since_ms + ps->http.vault.conf->session_idle_ms;
    if (user && user->quiet_since_ms + PS_FORGET_AFTER < at)
        at = user->quiet_since_ms + PS_FORGET_AFTER;
    if (at == UINT64_MAX || ps->http.closing)
        timer_stop(ps->http.timers, &ps->sweep);
    else
        timer_set(ps->http.timers, &ps->sweep, at > now ? at - now : 0, on_sweep);
}

/* The sweep must not come later than `at`. */
static void sweep_by(struct ps *ps, uint64_t at)
{
    if (!timer_running(&ps->sweep) || at < ps->sweep.at_ms)
        sweep_arm(ps);
}

/* ---- users ---- */

static void user_wake(struct ps_user *user)
{
    if (user->quiet)
        TAILQ_REMOVE(&user->ps->quiet, user, quiet_link);
    user->quiet = false;
}

static void user_free(struct ps_user *user)
{
    struct ps *ps = user->ps;

    user_wake(user);
    signin_leave(&user->http);
    HASH_DEL(ps->users, user);
    ps->nusers--;
    free(user);
}

/* Frees a user without sessions, calls and sign-in, or keeps it for the memory of a failed sign-in. */
static void user_rest(struct ps_user *user)
{
    if (user->nsessions || user->http.ncalls || user->signin)
        return;
    if ((!user->http.refusals && !user->http.failures.in_a_row) || user->ps->http.closing) {
        user_free(user);
        return;
    }
    if (user->quiet)
        return;
    user->quiet = true;
    user->quiet_since_ms = clock_now(user->ps->http.clock);
    TAILQ_INSERT_TAIL(&user->ps->quiet, user, quiet_link);
    sweep_by(user->ps, user->quiet_since_ms + PS_FORGET_AFTER);
}

static struct ps_user *user_new(struct ps *ps, const char *name)
{
    size_t n = strlen(name) + 1;
    struct ps_user *user = calloc(1, sizeof(*user) + 2 * n);

    if (!user)
        return NULL;
    user->ps = ps;
    user->http.vault = &ps->http;
    memcpy(user->name, name, n);
    (void)person_key(user->name + n, name);
    TAILQ_INIT(&user->idle);
    priority_queue_init(&user->http.priority_queue, ps->http.clock);
    HASH_ADD_KEYPTR(hh, ps->users, user->name + n, n, user);
    if (user->unhashed) {
        free(user);
        return NULL;
    }
    user->http.number = ++ps->http.last_number;
    ps->nusers++;
    return user;
}

struct ps_user *ps_user_find(const struct ps *ps, const char *name)
{
    char key[PS_USER_NAME_MAX + 1];
    struct ps_user *user = NULL;

    if (!memccpy(key, name, '\0', sizeof(key)))
        return NULL; /* longer than any user's */
    size_t n = (size_t)(person_key(key, key) - key);
    HASH_FIND(hh, ps->users, key, n, user);
    return user;
}

int ps_user_get(struct ps *ps, const char *name, struct ps_user **out)
{
    struct ps_user *user = ps_user_find(ps, name);

    if (!user) {
        if (ps->nusers >= PS_USERS_MAX && !TAILQ_EMPTY(&ps->quiet))
            user_free(TAILQ_FIRST(&ps->quiet));
        if (ps->nusers >= PS_USERS_MAX)
            return -EAGAIN;
        user = user_new(ps, name);
        if (!user)
            return -ENOMEM;
    }
    user_wake(user);
    *out = user;
    return 0;
}

static bool wants_session(const struct ps_user *user, uint64_t now)
{
    if (!http_vault_call_first(&user->http) || user->signin || now < user->http.refused_until_ms)
        return false;
    if (user->nsessions >= user->ps->http.vault.conf->sessions_per_user)
        return false;
    return !user->nsessions || now >= user->extra_after_ms;
}

/* ---- new sessions ---- */

#define HEADERS_BEFORE_JAR PS_CONTENT_TYPE PS_ACCEPT "Cookie: "

static int headers_build(const struct buf *jar, struct secret *out)
{
    struct buf text = BUF_SECRET(PS_HEADERS_MAX);
    int err;

    (void)buf_str(&text, jar->len ? HEADERS_BEFORE_JAR : PS_CONTENT_TYPE PS_ACCEPT);
    if (jar->len) {
        (void)buf_append(&text, jar->data, jar->len);
        (void)buf_str(&text, "\r\n");
    }
    err = text.failed ? -ENOMEM : secret_set(out, text.data, text.len);
    buf_free(&text);
    return err;
}

static void session_free(struct ps_session *session)
{
    session->user->nsessions--;
    session->user->ps->nsessions--;
    secret_clear(&session->headers);
    free(session);
}

static void sign_out(struct ps_session *session)
{
    ps_signout(session->user->ps, session->user->http.number, &session->headers);
    session_free(session);
}

void ps_session_idle(struct ps_session *session)
{
    struct ps *ps = session->user->ps;

    session->call = NULL;
    if (session->losses != session->user->losses) {
        sign_out(session);
        return;
    }
    session->idle_since_ms = clock_now(ps->http.clock);
    TAILQ_INSERT_HEAD(&session->user->idle, session, link);
    TAILQ_INSERT_TAIL(&ps->idle, session, old);
    sweep_by(ps, session->idle_since_ms + ps->http.vault.conf->session_idle_ms);
}

static int session_add(struct ps_user *user, const struct buf *jar)
{
    struct ps_session *session = calloc(1, sizeof(*session));

    if (!session)
        return -ENOMEM;
    session->user = user;
    session->losses = user->losses;
    if (headers_build(jar, &session->headers)) {
        free(session);
        return -ENOMEM;
    }
    user->nsessions++;
    user->ps->nsessions++;
    ps_session_idle(session);
    return 0;
}

/* While other sessions serve the waiting calls, a failed sign-in concerns none of them. */
static void sign_in_failed(struct ps_user *user, const struct vault_call *failure, bool retry,
                           uint64_t delay_ms)
{
    user->extra_after_ms = clock_now(user->ps->http.clock) + PS_EXTRA_AFTER;
    if (!user->nsessions)
        http_vault_calls_fail(&user->http, failure->result, &failure->fault,
                              retry ? VAULT_RETRY_ALL : VAULT_RETRY_NONE, delay_ms);
}

static void sign_in_unsent(struct ps_user *user, int err)
{
    struct vault_call failure = {0};

    http_vault_errno_error(&user->ps->http, err, &failure);
    sign_in_failed(user, &failure, err == -EAGAIN, 0);
}

static void on_signed_in(struct ps_user *user, const struct ps_signin_outcome *outcome)
{
    struct ps *ps = user->ps;
    struct http_vault_user *next;
    int err = 0;

    if (outcome->kind == PS_SIGNIN_FAILED)
        sign_in_failed(user, &outcome->failure, outcome->retry, outcome->delay_ms);
    if (outcome->kind == PS_SIGNIN_SESSION)
        err = session_add(user, outcome->jar);
    if (err) {
        sign_in_unsent(user, err);
    } else if (outcome->kind == PS_SIGNIN_SESSION) {
        user->http.refusals = 0;
        user->ps->http.sign_ins++;
        signin_answered(&user->http);
    }
    ps_user_serve(user);
    while ((next = signin_next(&ps->http)))
        ps_user_serve(CONTAINER_OF(next, struct ps_user, http));
}

static void sign_in(struct ps_user *user)
{
    int err = ps_signin_start(user, on_signed_in);

    if (err)
        sign_in_unsent(user, err);
}

/* While sign-ins fail, new calls fail at once; calls that have been tried before have further tries. */
static void want_session(struct ps_user *user)
{
    struct fault why;
    uint64_t delay_ms;

    switch (signin_permit(&user->http, &why, &delay_ms)) {
    case SIGNIN_NOW: sign_in(user); break;
    case SIGNIN_LATER: signin_wait(&user->http); break;
    case SIGNIN_DENIED:
        if (!user->nsessions)
            http_vault_calls_fail(&user->http, VAULT_FAILED, &why, VAULT_RETRY_TRIED, delay_ms);
        break;
    }
}

void ps_user_serve(struct ps_user *user)
{
    uint64_t now = clock_now(user->ps->http.clock);
    struct http_vault_call *call;

    if (!user->ps->http.closing) {
        while (!TAILQ_EMPTY(&user->idle) && (call = http_vault_call_take(&user->http)))
            call->hooks->send(call);
        if (!user->nsessions && !user->signin && now < user->http.refused_until_ms)
            http_vault_calls_fail(&user->http, VAULT_REFUSED, &user->http.last_fault, VAULT_RETRY_NONE, 0);
        else if (wants_session(user, now))
            want_session(user);
    }
    user_rest(user);
}

/* ---- sessions ---- */

void ps_session_take(struct ps_session *session, struct ps_call *call)
{
    TAILQ_REMOVE(&session->user->idle, session, link);
    TAILQ_REMOVE(&session->user->ps->idle, session, old);
    session->call = call;
}

static void idle_sign_out(struct ps_session *session)
{
    TAILQ_REMOVE(&session->user->idle, session, link);
    TAILQ_REMOVE(&session->user->ps->idle, session, old);
    sign_out(session);
}

static void sign_out_idle(struct ps_user *user)
{
    struct ps_session *session;

    /* The analyser does not follow the list's head through TAILQ_REMOVE and reports the freed session. */
    while ((session = TAILQ_FIRST(&user->idle)))
        idle_sign_out(session); /* NOLINT(clang-analyzer-unix.Malloc) */
}

void ps_session_lost(struct ps_session *session)
{
    struct ps_user *user = session->user;

    session_free(session);
    user->losses++;
    sign_out_idle(user);
}

void ps_session_learn(struct ps_session *session, const struct buf *set_cookies)
{
    struct buf jar = BUF_SECRET(PS_HEADERS_MAX / 2);
    struct secret headers = {0};
    size_t around = strlen(HEADERS_BEFORE_JAR "\r\n"), whole = session->headers.len;
    size_t old_len = whole > around ? whole - around : 0; /* the vault may have removed all of them */
    const char *old = old_len ? session->headers.p + strlen(HEADERS_BEFORE_JAR) : NULL;

    if (!set_cookies->len)
        return;
    if (!ps_cookies_merge(old, old_len, set_cookies, http_vault_clock_wall(&session->user->ps->http), &jar) &&
        !headers_build(&jar, &headers))
        secret_move(&session->headers, &headers);
    buf_free(&jar);
}

static void on_sweep(struct deadline *d)
{
    struct ps *ps = CONTAINER_OF(d, struct ps, sweep);
    uint64_t now = clock_now(ps->http.clock);
    struct ps_session *session;
    struct ps_user *user;

    while ((session = TAILQ_FIRST(&ps->idle)) &&
           /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): see sign_out_idle() */
           now >= session->idle_since_ms + ps->http.vault.conf->session_idle_ms) {
        user = session->user;
        idle_sign_out(session);
        user_rest(user);
    }
    while ((user = TAILQ_FIRST(&ps->quiet)) && now >= user->quiet_since_ms + PS_FORGET_AFTER)
        user_free(user);
    sweep_arm(ps);
}

void ps_sessions_end_all(struct ps *ps)
{
    struct ps_user *user, *next;

    timer_unreserve(ps->http.timers, &ps->sweep);
    HASH_ITER(hh, ps->users, user, next)
    {
        ps_signin_cancel(user);
        sign_out_idle(user);
        user_rest(user);
    }
}
