/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - vault users, their vault sessions, and the calls that wait for a session.
 *
 * Two spellings of a name that differ in ASCII case alone are one user (base/person.h). A vault session
 * belongs to one user for all its life and serves one call at a time; a user has up to sessions_per_user of
 * them. Calls wait in the order of base/queue/priority_queue.h. At most one sign-in of a user is under way;
 * another follows while calls still wait and the limit is not reached.
 *
 * Life of a session: sign-in -> idle <-> busy -> signed out after session_idle, or dropped on a 401.
 * Life of a user:    first call -> (sessions, calls, sign-in) -> freed as soon as it has none of them, or,
 * after a failed sign-in, PS_FORGET_AFTER later. The number of users is bounded.
 *
 * ps_user_serve() is the one place that matches sessions with calls. It is the last step of every change and
 * may free the user. A waiting call leaves through its on_session or on_no_session, neither of which calls
 * the caller of the operation.
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
    uint64_t now = clock_now(ps->clock), at = UINT64_MAX;

    if (session)
        at = session->idle_since_ms + ps->vault.conf->session_idle_ms;
    if (user && user->quiet_since_ms + PS_FORGET_AFTER < at)
        at = user->quiet_since_ms + PS_FORGET_AFTER;
    if (at == UINT64_MAX || ps->closing)
        timer_stop(ps->timers, &ps->sweep);
    else if (timer_start(ps->timers, &ps->sweep, at > now ? at - now : 0, on_sweep))
        log_error("vault_sessions", "vault=%s error=%s", ps->vault.conf->name, "out of memory");
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
    ps_backoff_leave(user);
    HASH_DEL(ps->users, user);
    ps->nusers--;
    free(user);
}

/* Frees a user without sessions, calls and sign-in, or keeps it for the memory of a failed sign-in. */
static void user_rest(struct ps_user *user)
{
    if (user->nsessions || user->ncalls || user->signin)
        return;
    if ((!user->refusals && !user->failures.in_a_row) || user->ps->closing) {
        user_free(user);
        return;
    }
    if (user->quiet)
        return;
    user->quiet = true;
    user->quiet_since_ms = clock_now(user->ps->clock);
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
    memcpy(user->name, name, n);
    (void)person_key(user->name + n, name);
    TAILQ_INIT(&user->idle);
    priority_queue_init(&user->priority_queue, ps->clock);
    HASH_ADD_KEYPTR(hh, ps->users, user->name + n, n, user);
    if (user->unhashed) {
        free(user);
        return NULL;
    }
    user->number = ++ps->last_number;
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

void ps_user_queue(struct ps_user *user, struct ps_call *call, bool front)
{
    enum call_class class = call_class_of(call->out->begun || front, call->out->background);

    call->state = PS_WAITING;
    priority_queue_add(&user->priority_queue, &call->place, class, NULL, front);
    user->ps->nwaiting[class]++;
}

void ps_user_unqueue(struct ps_call *call)
{
    priority_queue_remove(&call->user->priority_queue, &call->place);
    call->ps->nwaiting[call->place.class]--;
    call->state = PS_NEW;
}

static struct ps_call *take_waiting(struct ps_user *user)
{
    struct priority_queue_item *item = priority_queue_take(&user->priority_queue);
    struct ps_call *call = item ? CONTAINER_OF(item, struct ps_call, place) : NULL;

    if (!call)
        return NULL;
    user->ps->nwaiting[item->class]--;
    call->state = PS_NEW;
    return call;
}

/* Which of the waiting calls may be tried again. */
enum retry { RETRY_NONE, RETRY_TRIED, RETRY_ALL };

static void fail_waiting(struct ps_user *user, enum vault_result result, const struct fault *fault,
                         enum retry retry, uint64_t delay_ms)
{
    struct ps_call *call;

    while ((call = ps_user_waiting(user))) {
        ps_user_unqueue(call);
        call->out->result = result;
        call->out->fault = *fault;
        call->on_no_session(call, retry == RETRY_ALL || (retry == RETRY_TRIED && call->tries), delay_ms);
    }
}

static bool wants_session(const struct ps_user *user, uint64_t now)
{
    if (!ps_user_waiting(user) || user->signin || now < user->refused_until_ms)
        return false;
    if (user->nsessions >= user->ps->vault.conf->sessions_per_user)
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

void ps_session_idle(struct ps_session *session)
{
    struct ps *ps = session->user->ps;

    session->call = NULL;
    session->idle_since_ms = clock_now(ps->clock);
    TAILQ_INSERT_HEAD(&session->user->idle, session, link);
    TAILQ_INSERT_TAIL(&ps->idle, session, old);
    sweep_by(ps, session->idle_since_ms + ps->vault.conf->session_idle_ms);
}

static int session_add(struct ps_user *user, const struct buf *jar)
{
    struct ps_session *session = calloc(1, sizeof(*session));

    if (!session)
        return -ENOMEM;
    session->user = user;
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
    user->extra_after_ms = clock_now(user->ps->clock) + PS_EXTRA_AFTER;
    if (!user->nsessions)
        fail_waiting(user, failure->result, &failure->fault, retry ? RETRY_ALL : RETRY_NONE, delay_ms);
}

static void sign_in_unsent(struct ps_user *user, int err)
{
    struct vault_call failure = {0};

    ps_error_errno(user->ps, err, &failure);
    sign_in_failed(user, &failure, err == -EAGAIN, 0);
}

static void on_signed_in(struct ps_user *user, const struct ps_signin_outcome *outcome)
{
    struct ps *ps = user->ps;
    int err = 0;

    if (outcome->kind == PS_SIGNIN_FAILED)
        sign_in_failed(user, &outcome->failure, outcome->retry, outcome->delay_ms);
    if (outcome->kind == PS_SIGNIN_SESSION)
        err = session_add(user, outcome->jar);
    if (err) {
        sign_in_unsent(user, err);
    } else if (outcome->kind == PS_SIGNIN_SESSION) {
        user->refusals = 0;
        user->ps->sign_ins++;
        ps_backoff_answered(user);
    }
    ps_user_serve(user);
    while ((user = ps_backoff_next(ps)))
        ps_user_serve(user);
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

    switch (ps_backoff_permit(user, &why, &delay_ms)) {
    case PS_PERMIT_NOW: sign_in(user); break;
    case PS_PERMIT_LATER: ps_backoff_wait(user); break;
    case PS_PERMIT_DENIED:
        if (!user->nsessions)
            fail_waiting(user, VAULT_FAILED, &why, RETRY_TRIED, delay_ms);
        break;
    }
}

void ps_user_serve(struct ps_user *user)
{
    uint64_t now = clock_now(user->ps->clock);
    struct ps_session *session;
    struct ps_call *call;

    if (!user->ps->closing) {
        while ((session = TAILQ_FIRST(&user->idle)) && (call = take_waiting(user)))
            call->on_session(call, session);
        if (!user->nsessions && !user->signin && now < user->refused_until_ms)
            fail_waiting(user, VAULT_REFUSED, &user->last_fault, RETRY_NONE, 0);
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

void ps_session_drop(struct ps_session *session)
{
    session->user->nsessions--;
    session->user->ps->nsessions--;
    secret_clear(&session->headers);
    free(session);
}

static void idle_sign_out(struct ps_session *session)
{
    struct ps *ps = session->user->ps;

    TAILQ_REMOVE(&session->user->idle, session, link);
    TAILQ_REMOVE(&ps->idle, session, old);
    ps_signout(ps, session->user->number, &session->headers);
    ps_session_drop(session);
}

void ps_user_drop_idle(struct ps_user *user)
{
    struct ps_session *session;

    /* The analyser does not follow the list's head through TAILQ_REMOVE and reports the freed session. */
    while ((session = TAILQ_FIRST(&user->idle)))
        idle_sign_out(session); /* NOLINT(clang-analyzer-unix.Malloc) */
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
    if (!ps_cookies_merge(old, old_len, set_cookies, ps_vault_clock_wall(session->user->ps), &jar) &&
        !headers_build(&jar, &headers))
        secret_move(&session->headers, &headers);
    buf_free(&jar);
}

static void on_sweep(struct deadline *d)
{
    struct ps *ps = CONTAINER_OF(d, struct ps, sweep);
    uint64_t now = clock_now(ps->clock);
    struct ps_session *session;
    struct ps_user *user;

    while ((session = TAILQ_FIRST(&ps->idle)) &&
           /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): see ps_user_drop_idle() */
           now >= session->idle_since_ms + ps->vault.conf->session_idle_ms) {
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

    timer_stop(ps->timers, &ps->sweep);
    HASH_ITER(hh, ps->users, user, next)
    {
        ps_signin_cancel(user);
        ps_user_drop_idle(user);
        user_rest(user);
    }
}
