/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_auth.c - sign-in by key and by token, second factor, sign-out, tokens.
 *
 * A sign-in needs a key, an active registration, a permitted source address, an enabled user in a group that
 * has the registration, and the password and second factor where wanted. Every failure is the same empty 401,
 * so that a client learns nothing from it; only the second factor has its prompt in a header.
 *
 * A sign-in with a usable cookie keeps that session and overwrites its identity (setting 18).
 */
#include "passwordsafe-sim/calls.h"

#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/psauth.h"
#include "passwordsafe-sim/sessions.h"

#include <string.h>
#include <strings.h>

static bool user_may_use_key(struct dispatch *d, struct model_user *u)
{
    const struct access *access;

    if (!u || !u->enabled || u->quarantined)
        return false;
    access = access_of(d->model, u);
    return access && access->registration;
}

static bool registration_ok(const struct dispatch *d, const struct psauth *a)
{
    const struct model_settings *s = &d->model->settings;

    if (s->require_certificate && !d->call->certificate)
        return false;
    if (!s->registration_active || !secret_equal(&s->api_key, a->key, strlen(a->key)))
        return false;
    return !s->allow_from || (d->call->peer && strcmp(s->allow_from, d->call->peer) == 0);
}

static bool password_ok(const struct dispatch *d, const struct model_user *u, const struct psauth *a)
{
    if (!d->model->settings.require_password)
        return true;
    return a->password && u->password.p && secret_equal(&u->password, a->password, strlen(a->password));
}

/* The user of a valid header, or NULL. */
static struct model_user *user_of_header(struct dispatch *d, const struct psauth *a)
{
    struct model_user *u = model_user_named(d->model, a->run_as);

    if (!registration_ok(d, a) || !user_may_use_key(d, u) || u->application || !password_ok(d, u, a))
        return NULL;
    return u;
}

bool calls_header_is(struct dispatch *d, const struct model_user *user)
{
    struct psauth a;
    bool same;

    if (user->application)
        return true;
    if (psauth_read(&a, d->call->authorization, d->model->settings.settings.value[SETTING_PASSWORD_END] != 0))
        return false;
    same = user_of_header(d, &a) == user;
    psauth_clear(&a);
    return same;
}

static void put_cookies(struct dispatch *d, const struct session *s)
{
    static const char attributes[] = "; path=/; secure; HttpOnly; SameSite=None\r\n";
    struct buf *h = &d->answer->headers;

    (void)buf_printf(h, "Set-Cookie: ASP.NET_SessionId=%s%s", s->cookie, attributes);
    if (d->model->settings.verification_cookie)
        (void)buf_printf(h, "Set-Cookie: __RequestVerificationToken=v%s; path=/; secure; HttpOnly\r\n",
                         s->cookie);
}

/* The session to sign in to: the one the cookie named, or a new one whose cookie goes into the answer. */
static struct session *session_for(struct dispatch *d, struct model_user *u)
{
    struct session *s = d->session;

    if (s && d->model->settings.settings.value[SETTING_KEEP_ID]) {
        sessions_close(d->model, s);
        s = d->session = NULL;
    }
    if (s)
        return s;
    s = sessions_open(d->model, u);
    if (s)
        put_cookies(d, s);
    return s;
}

static void put_user(struct dispatch *d, const struct model_user *u)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "UserId", u->id);
    jsonw_str(&w, "SID", u->sid);
    jsonw_str(&w, "EmailAddress", u->email);
    jsonw_str(&w, "UserName", u->name);
    jsonw_str(&w, "Name", u->display);
    jsonw_end(&w);
}

static void challenge(struct dispatch *d, struct model_user *u)
{
    struct session *s;

    (void)buf_str(&d->answer->headers, "WWW-Authenticate-2FA: Enter your one-time code\r\n");
    s = session_for(d, u);
    if (s) {
        s->user = NULL;
        s->challenged = u;
    }
    answer_empty(d, 401);
}

static void enter(struct dispatch *d, struct model_user *u, uint64_t token_end)
{
    struct session *s = session_for(d, u);

    if (!s) {
        answer_empty(d, 500);
        return;
    }
    s->user = u;
    s->challenged = NULL;
    s->token_end_ms = token_end;
    put_user(d, u);
}

static bool wants_challenge(const struct dispatch *d, const struct model_user *u, const struct psauth *a)
{
    if (!d->model->settings.require_mfa || !u->mfa.p)
        return false;
    if (!d->session || d->session->challenged != u || !a->challenge)
        return true;
    return !secret_equal(&u->mfa, a->challenge, strlen(a->challenge));
}

static void sign_in_by_key(struct dispatch *d)
{
    struct psauth a;
    struct model_user *u = NULL;

    if (psauth_read(&a, d->call->authorization,
                    d->model->settings.settings.value[SETTING_PASSWORD_END] != 0) == 0)
        u = user_of_header(d, &a);
    if (!u)
        answer_empty(d, 401);
    else if (wants_challenge(d, u, &a))
        challenge(d, u);
    else
        enter(d, u, 0);
    psauth_clear(&a);
}

void calls_sign_in(struct dispatch *d)
{
    const char *header = d->call->authorization;
    const struct token *t;

    if (!header || strncasecmp(header, "Bearer ", 7) != 0) {
        sign_in_by_key(d);
        return;
    }
    t = sessions_token(d->model, header + 7);
    if (t && user_may_use_key(d, t->user))
        enter(d, t->user, t->end_ms);
    else
        answer_empty(d, 401);
}

void calls_sign_out(struct dispatch *d)
{
    bool had = d->session && d->user;

    if (d->session) {
        sessions_close(d->model, d->session);
        d->session = NULL;
        d->user = NULL;
    }
    if (had || !d->model->settings.settings.value[SETTING_SIGNOUT])
        answer_empty(d, 200);
    else
        answer_unauthenticated(d);
}

/* ---- tokens ---- */

static void token_error(struct dispatch *d, int status, const char *error)
{
    struct jsonw w = answer_json(d, status);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "error", error);
    jsonw_end(&w);
}

static void put_token(struct dispatch *d, const struct oauth_client *c)
{
    const struct token *t = sessions_issue(d->model, c);
    struct jsonw w;

    if (!t) {
        answer_empty(d, 500);
        return;
    }
    w = answer_json(d, 200);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "access_token", t->text);
    jsonw_int(&w, "expires_in", (int64_t)d->model->settings.token_minutes * 60);
    jsonw_str(&w, "token_type", "Bearer");
    jsonw_str(&w, "scope", "publicapi");
    jsonw_end(&w);
}

static void token_by_form(struct dispatch *d, const struct params *form)
{
    const char *grant = params_get(form, "grant_type"), *id = params_get(form, "client_id");
    const char *secret = params_get(form, "client_secret");
    const struct oauth_client *c = id ? sessions_client(d->model, id) : NULL;

    if (!grant || strcmp(grant, "client_credentials") != 0)
        token_error(d, 400, "unsupported_grant_type");
    else if (!c || !secret || !secret_equal(&c->secret, secret, strlen(secret)))
        token_error(d, 401, "invalid_client");
    else
        put_token(d, c);
}

void calls_token(struct dispatch *d)
{
    struct params form;

    if (body_kind_of(d->call->content_type) != BODY_FORM) {
        answer_message(d, 415, "The request entity's media type is not supported for this resource.");
        return;
    }
    if (params_read(&form, d->call->body, d->call->body_len)) {
        token_error(d, 400, "invalid_request");
        return;
    }
    token_by_form(d, &form);
    params_free(&form);
}
