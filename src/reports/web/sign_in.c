/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign_in.c - POST /api/sign-in and /api/sign-out.
 *
 * A password costs 16 MiB and a good part of a second: one is checked at a time, on a thread of its own,
 * SIGN_INS_WAIT may wait, and more are refused. A user that does not exist costs the same, and so does one
 * whose certificate is not shown: an answer does not say which it was.
 *
 * Whether the pair of user and network is locked out is looked at before the password is checked and after:
 * of many attempts at once no more count than of many one after the other.
 *
 * The password is in secret memory while it waits, and in the thread's hands alone while it is checked.
 */
#include "base/container_of.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "reports/conf/password.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

#define BODY_DEPTH 4

struct sign_in {
    STAILQ_ENTRY(sign_in) link;
    struct web_request *request; /* NULL = its client has left */
    char *user;
    struct secret password;
    char text[PASSWORD_TEXT_SIZE]; /* of the user, or of none */
    bool real;                     /* the user exists, and may sign in with a password */
    bool matches;                  /* the thread's result */
};

static void sign_in_free(struct sign_in *s)
{
    secret_clear(&s->password);
    free(s->user);
    wipe(s, sizeof(*s));
    free(s);
}

static void next(struct web *web);

/* ---- answers ---- */

static void audit(struct web_request *r, const char *event, const char *user)
{
    struct note n;

    note_begin(&n, r, event);
    if (!r->name[0])
        note_text(&n, "user", user);
    note_text(&n, "method", "password");
    note_write(&n);
}

static void fail_locked_out(struct web_request *r, const char *user, unsigned wait_s)
{
    struct problem p;

    r->web->counts.sign_ins[SIGN_IN_LOCKED_OUT]++;
    audit(r, "locked_out", user);
    problem_set(&p, PROBLEM_LOCKED_OUT, "too many attempts; try again in %u minutes", (wait_s + 59) / 60);
    p.retry_after_s = wait_s;
    web_fail(r, &p);
}

static void fail(struct web_request *r, const char *user)
{
    struct web *web = r->web;

    web->counts.sign_ins[SIGN_IN_FAILED]++;
    audit(r, "sign_in_failed", user);
    if (lock_out_failed(&web->lock_out, user, r->network))
        log_warn("sign_in_locked_out", "request_id=%s peer=%s", r->id, r->network);
    web_fail_with(r, PROBLEM_UNAUTHENTICATED, "user name or password is wrong");
}

static void succeed(struct web_request *r, const struct reports_user *u)
{
    struct web *web = r->web;
    struct web_session *session = web_session_new(&web->sessions, u->name, r->new_cookie);

    if (!session) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    lock_out_succeeded(&web->lock_out, u->name, r->network);
    (void)text_copy(r->name, sizeof(r->name), u->name);
    http_known(r->req);
    web->counts.sign_ins[SIGN_IN_OK]++;
    audit(r, "sign_in", u->name);
    web_empty(r);
}

/* The user is looked for again: a reload may have come meanwhile. */
static void decide(struct web_request *r, const struct sign_in *s)
{
    const struct reports_user *u = user_find(r->web, s->user);
    unsigned wait_s = lock_out_wait(&r->web->lock_out, s->user, r->network);

    r->working = false;
    r->left = NULL;
    r->sign_in = NULL;
    if (wait_s)
        fail_locked_out(r, s->user, wait_s);
    else if (s->real && s->matches && u && u->password && strcmp(u->password, s->text) == 0 &&
             user_shows_certificate(u, r->req->peer))
        succeed(r, u);
    else
        fail(r, s->user);
}

/* ---- the thread ---- */

static void on_work(struct worker *w)
{
    struct web *web = CONTAINER_OF(w, struct web, scrypt);
    struct sign_in *s = web->checking;

    s->matches = password_matches(s->text, s->password.p, s->password.len);
}

static void on_done(struct worker *w)
{
    struct web *web = CONTAINER_OF(w, struct web, scrypt);
    struct sign_in *s = web->checking;

    web->checking = NULL;
    if (s->request)
        decide(s->request, s);
    sign_in_free(s);
    next(web);
}

static void on_worker_closed(struct worker *w);

static void next(struct web *web)
{
    struct sign_in *s = STAILQ_FIRST(&web->sign_ins);

    if (web->checking)
        return;
    if (web->closing && web->scrypt_open) {
        web->scrypt_open = false;
        worker_close(&web->scrypt, on_worker_closed);
    } else if (s && !web->closing) {
        STAILQ_REMOVE_HEAD(&web->sign_ins, link);
        web->nsign_ins--;
        web->checking = s;
        worker_go(&web->scrypt);
    }
}

/* ---- the call ---- */

static struct sign_in *sign_in_new(struct web_request *r, const char *user, const char *password)
{
    const struct reports_user *u = user_find(r->web, user);
    struct sign_in *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->request = r;
    s->real = u && u->password;
    s->user = strdup(user);
    if (!s->user || secret_set(&s->password, password, strlen(password)) ||
        !text_copy(s->text, sizeof(s->text), s->real ? u->password : password_of_no_user)) {
        sign_in_free(s);
        return NULL;
    }
    return s;
}

/* Its client has left: it is not checked, or what comes of it is not answered. */
static void on_left(struct web_request *r)
{
    struct web *web = r->web;
    struct sign_in *s = r->sign_in;

    r->sign_in = NULL;
    r->left = NULL;
    r->working = false;
    s->request = NULL;
    if (s != web->checking) {
        STAILQ_REMOVE(&web->sign_ins, s, sign_in, link);
        web->nsign_ins--;
        sign_in_free(s);
    }
    web_request_rest(r);
}

static void enqueue(struct web_request *r, const char *user, const char *password)
{
    struct web *web = r->web;
    struct sign_in *s;

    if (web->nsign_ins >= SIGN_INS_WAIT) {
        web->counts.sign_ins[SIGN_IN_REFUSED]++;
        web_fail_with(r, PROBLEM_OVERLOADED, "too many wait to sign in; try again");
        return;
    }
    s = sign_in_new(r, user, password);
    if (!s) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    r->sign_in = s;
    r->left = on_left;
    r->working = true;
    STAILQ_INSERT_TAIL(&web->sign_ins, s, link);
    web->nsign_ins++;
    next(web);
}

static bool is_text(const cJSON *value, size_t max)
{
    return cJSON_IsString(value) && strlen(value->valuestring) <= max;
}

/* `user` and `password` once each, and nothing else. Says the names of members, and never a value. */
static bool read_members(const cJSON *body, const char **user, const char **password, struct problem *p)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, body)
    {
        bool is_user = strcmp(member->string, "user") == 0;
        const char **to = is_user ? user : password;

        if (!is_user && strcmp(member->string, "password") != 0)
            problem_set(p, PROBLEM_INVALID_REQUEST, "the member `%.64s` is not known here", member->string);
        else if (*to)
            problem_set(p, PROBLEM_INVALID_REQUEST, "the member `%s` is there twice", member->string);
        else if (!is_text(member, is_user ? CONF_NAME_MAX - 1 : PASSWORD_MAX))
            problem_set(p, PROBLEM_INVALID_REQUEST, "the member `%s` must be a text of at most %d bytes",
                        member->string, is_user ? CONF_NAME_MAX - 1 : PASSWORD_MAX);
        else
            *to = member->valuestring;
        if (p->code)
            return false;
    }
    if (!*user || !*password)
        problem_set(p, PROBLEM_INVALID_REQUEST, "the member `%s` is missing", *user ? "password" : "user");
    return *user && *password;
}

/* The tree is in secret memory. NULL and why not. */
static cJSON *read_body(const struct web_request *r, const char **user, const char **password,
                        struct problem *p)
{
    const char *why = NULL;
    cJSON *body =
        json_parse(r->req->body, r->req->body_len, BODY_DEPTH, JSON_SECRET | JSON_DUPLICATES_OK, &why);

    if (cJSON_IsObject(body)) {
        if (read_members(body, user, password, p))
            return body;
    } else {
        problem_set(p, PROBLEM_INVALID_REQUEST,
                    "the body must be a JSON object of two texts, `user` and `password`%s%s", why ? ": " : "",
                    why ? why : "");
    }
    cJSON_Delete(body);
    return NULL;
}

static void check(struct web_request *r, const char *user, const char *password)
{
    struct problem p;
    unsigned wait_s = lock_out_take(&r->web->lock_out, r->network);

    if (wait_s) {
        r->web->counts.sign_ins[SIGN_IN_REFUSED]++;
        problem_set(&p, PROBLEM_RATE_LIMITED, "too many attempts to sign in from this network");
        p.retry_after_s = wait_s;
        web_fail(r, &p);
        return;
    }
    wait_s = lock_out_wait(&r->web->lock_out, user, r->network);
    if (wait_s)
        fail_locked_out(r, user, wait_s);
    else
        enqueue(r, user, password);
}

void sign_in_start(struct web_request *r)
{
    const char *user = NULL, *password = NULL;
    struct problem p = {.code = PROBLEM_NONE};
    cJSON *body = read_body(r, &user, &password, &p);

    if (body)
        check(r, user, password);
    else
        web_fail(r, &p);
    cJSON_Delete(body);
}

void sign_out_start(struct web_request *r)
{
    struct web_session *session = web_request_session(r);
    struct note n;

    if (session) {
        exports_end(r->web, r->name, r->session);
        web_session_drop(&r->web->sessions, session);
    }
    note_begin(&n, r, "sign_out");
    note_write(&n);
    r->drop_cookie = true;
    web_empty(r);
}

/* ---- life ---- */

int sign_in_open(struct web *web)
{
    int err;

    STAILQ_INIT(&web->sign_ins);
    web->scrypt.work = on_work;
    web->scrypt.done = on_done;
    err = worker_open(web->loop, &web->scrypt);
    web->scrypt_open = !err;
    return err;
}

static void on_worker_closed(struct worker *w)
{
    struct web *web = CONTAINER_OF(w, struct web, scrypt);

    web->scrypt_closed(web);
}

/* Requests that wait have gone: their connections are closed before. */
void sign_in_close(struct web *web, void (*closed)(void *web))
{
    web->scrypt_closed = closed;
    next(web);
}
