/* SPDX-License-Identifier: Apache-2.0 */
/*
 * who.c - who asks: the cookie of a session, a client certificate, or the token of a [reader]; and may they.
 *
 * A session names a user; what the user may is read from the configuration with each request. A user whose
 * section names a certificate and a password must show both: the certificate with every request.
 *
 * Everything compared here is compared as a digest, or in constant time.
 */
#include "base/memory/secret.h"
#include "base/text.h"
#include "reports/web/web_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE "__Host-jumpgate="

bool who_knows(void *web, const struct http_peer *peer)
{
    (void)web;
    return peer->certificate;
}

/* ---- sessions ---- */

/* The value of the one cookie of that name; a second one, or a second Cookie line, is a forgery. */
static bool read_cookie(const struct http_req *req, char out[SESSION_TOKEN + 1])
{
    const char *at = http_header(req, "Cookie");
    size_t n = 0;

    if (!at || http_header_count(req, "Cookie") != 1)
        return false;
    for (; *at; at += strcspn(at, ";"), at += strspn(at, "; ")) {
        size_t len = strcspn(at, ";");

        if (strncmp(at, COOKIE, sizeof(COOKIE) - 1) != 0)
            continue;
        len -= sizeof(COOKIE) - 1;
        if (n++ || len != SESSION_TOKEN)
            return false;
        memcpy(out, at + sizeof(COOKIE) - 1, len);
        out[len] = '\0';
    }
    return n == 1;
}

/* Fills in who it is; the session counts as used. */
static void adopt(struct web_request *r, const struct reports_user *u, const struct web_session *session)
{
    (void)text_copy(r->name, sizeof(r->name), u->name);
    r->allow = u->allow;
    (void)text_copy(r->csrf, sizeof(r->csrf), session->csrf);
    memcpy(r->session, session->key, sizeof(r->session));
    r->has_session = true;
    http_known(r->req);
}

static bool by_cookie(struct web_request *r)
{
    char cookie[SESSION_TOKEN + 1];
    struct web_session *session =
        read_cookie(r->req, cookie) ? web_session_find(&r->web->sessions, cookie) : NULL;
    const struct reports_user *u = session ? user_find(r->web, session->user) : NULL;

    wipe(cookie, sizeof(cookie));
    if (!u || !user_shows_certificate(u, r->req->peer))
        return false;
    adopt(r, u, session);
    return true;
}

/* A user whose section names a certificate and no password is signed in by showing it. */
static bool by_certificate(struct web_request *r)
{
    const struct reports_conf *conf = r->web->conf;
    struct note note;

    if (r->req->method != HTTP_GET_ && r->req->method != HTTP_HEAD_)
        return false;
    for (size_t i = 0; i < conf->nusers; i++) {
        const struct reports_user *u = &conf->users[i];
        struct web_session *session;

        if (!u->enabled || u->password || !u->certificate_san || !user_shows_certificate(u, r->req->peer))
            continue;
        session = web_session_new(&r->web->sessions, u->name, r->new_cookie);
        if (!session)
            return false;
        adopt(r, u, session);
        r->web->counts.sign_ins[SIGN_IN_OK]++;
        note_begin(&note, r, "sign_in");
        note_text(&note, "method", "certificate");
        note_write(&note);
        return true;
    }
    return false;
}

bool who_same_origin(const struct web_request *r)
{
    const char *origin = http_header(r->req, "Origin"), *site = http_header(r->req, "Sec-Fetch-Site");

    if (origin && (http_header_count(r->req, "Origin") != 1 || !text_equal_nocase(origin, r->web->origin)))
        return false;
    return !site || (http_header_count(r->req, "Sec-Fetch-Site") == 1 && strcmp(site, "same-origin") == 0);
}

static bool has_csrf(const struct web_request *r)
{
    const char *shown = http_header(r->req, "X-Jumpgate-Csrf");

    return shown && http_header_count(r->req, "X-Jumpgate-Csrf") == 1 && strlen(shown) == SESSION_TOKEN &&
           bytes_equal(shown, r->csrf, SESSION_TOKEN);
}

static bool changes(const struct web_request *r)
{
    return r->req->method != HTTP_GET_ && r->req->method != HTTP_HEAD_;
}

static bool user_may(struct web_request *r, struct problem *p, bool *redirect)
{
    if (!by_cookie(r) && !by_certificate(r)) {
        problem_set(p, PROBLEM_UNAUTHENTICATED, "sign in first");
        *redirect = r->route->access == ACCESS_PAGE;
        return false;
    }
    if (changes(r) && (!has_csrf(r) || !who_same_origin(r))) {
        problem_set(p, PROBLEM_CSRF,
                    "X-Jumpgate-Csrf must be the token of /api/me, and the origin `public_url` of [web]");
        return false;
    }
    if (r->route->permit & ~r->allow) {
        problem_set(p, PROBLEM_FORBIDDEN, "the user's `allow` does not include this");
        return false;
    }
    return true;
}

/* ---- readers ---- */

/* The token of the one `Authorization: Bearer TOKEN` line. */
static const char *bearer_token(const struct http_req *req)
{
    static const char scheme[] = "Bearer ";
    const char *value = http_header(req, "Authorization");

    if (!value || http_header_count(req, "Authorization") != 1 ||
        !text_equal_nocase_n(value, strnlen(value, sizeof(scheme) - 1), scheme, sizeof(scheme) - 1))
        return NULL;
    value += sizeof(scheme) - 1;
    value += strspn(value, " ");
    return *value ? value : NULL;
}

static const struct reports_reader *find_reader(const struct web_request *r, size_t *at)
{
    const struct reports_conf *conf = r->web->conf;
    const char *token = bearer_token(r->req);
    const struct reports_reader *found = NULL;
    unsigned char hash[DIGEST_SIZE];

    if (!token || digest_sha256(token, strlen(token), hash))
        return NULL;
    for (size_t i = 0; i < conf->nreaders; i++)
        for (size_t k = 0; k < conf->readers[i].token.n; k++)
            if (bytes_equal(hash, conf->readers[i].token.sha256[k], DIGEST_SIZE) && !found) {
                found = &conf->readers[i];
                *at = i;
            }
    wipe(hash, sizeof(hash));
    return found;
}

static unsigned take_rate(struct web *web, size_t at, double per_s)
{
    if (per_s <= 0 || at >= web->nreaders)
        return 0;
    return token_bucket_take(&web->readers[at].bucket, per_s, fmax(per_s, 1), clock_now(web->clock));
}

static bool reader_may(struct web_request *r, struct problem *p)
{
    size_t at = 0;
    const struct reports_reader *reader = find_reader(r, &at);
    unsigned wait_s;

    if (!reader) {
        problem_set(p, PROBLEM_UNAUTHENTICATED,
                    "send the token of a [reader] section: Authorization: Bearer");
        return false;
    }
    (void)text_copy(r->name, sizeof(r->name), reader->name);
    http_known(r->req);
    if (r->route->permit & ~reader->allow) {
        problem_set(p, PROBLEM_FORBIDDEN, "the reader's `allow` does not include this");
        return false;
    }
    wait_s = take_rate(r->web, at, reader->rate_per_s);
    if (!wait_s)
        return true;
    problem_set(p, PROBLEM_RATE_LIMITED, "reader %s is over its rate of %.6g/s", reader->name,
                reader->rate_per_s);
    p->retry_after_s = wait_s;
    return false;
}

int who_readers(struct web *web, const struct reports_conf *conf)
{
    struct reader_state *states = calloc(conf->nreaders + 1, sizeof(*states));

    if (!states)
        return -1;
    for (size_t i = 0; i < conf->nreaders; i++) {
        const struct reports_reader *now = &conf->readers[i];

        (void)text_copy(states[i].name, sizeof(states[i].name), now->name);
        states[i].bucket = (struct token_bucket){fmax(now->rate_per_s, 1), clock_now(web->clock)};
        for (size_t k = 0; k < web->nreaders; k++)
            if (strcmp(web->readers[k].name, now->name) == 0)
                states[i].bucket = web->readers[k].bucket;
    }
    free(web->readers);
    web->readers = states;
    web->nreaders = conf->nreaders;
    return 0;
}

/* ---- paths that there are not ---- */

/* Only a user learns that there is no such path: signed out it is answered as one that there is. */
static bool unknown_may(struct web_request *r, struct problem *p, bool *redirect)
{
    bool call = strncmp(r->req->path, "/api/", 5) == 0;
    bool other = strncmp(r->req->path, "/feed/", 6) == 0 || strncmp(r->req->path, "/assets/", 8) == 0;

    if (by_cookie(r) || by_certificate(r) || other || (!call && changes(r)))
        return true;
    problem_set(p, PROBLEM_UNAUTHENTICATED, "sign in first");
    *redirect = !call;
    return false;
}

bool who_may(struct web_request *r, struct problem *p, bool *redirect)
{
    switch (r->route->access) {
    case ACCESS_PAGE:
    case ACCESS_USER: return user_may(r, p, redirect);
    case ACCESS_READER: return reader_may(r, p);
    case ACCESS_ANYONE:
        if (!changes(r) || who_same_origin(r))
            return true;
        problem_set(p, PROBLEM_CSRF, "the request does not come from the origin `public_url` of [web]");
        return false;
    case ACCESS_NONE: break;
    }
    return unknown_may(r, p, redirect);
}
