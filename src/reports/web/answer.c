/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer.c - one request's life, and its answer.
 *
 * Every answer goes through finish(), which writes the headers that all have, counts, logs one line, cuts the
 * link to the server's request and lets the request rest. The line has no query and no value of one.
 *
 * Order that matters: the link is cut before http_respond(), which may hand the next pipelined request to the
 * router at once.
 */
#include "base/id.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

#define ID_LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define STATUS_GONE  499
#define HEADERS_SIZE 8192
#define PROBLEM_MAX  8192
#define COOKIE       "__Host-jumpgate"
#define LINES_PER_S  5
#define LINES_BURST  300

const char web_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

bool web_may_log(void *arg, const struct http_peer *peer)
{
    struct web *web = arg;

    return peer->known ||
           token_bucket_take(&web->stranger_lines, LINES_PER_S, LINES_BURST, clock_now(web->clock)) == 0;
}

void web_request_id(const struct http_req *req, char out[WEB_ID_MAX + 1])
{
    const char *sent = req ? http_header(req, "X-Request-Id") : NULL;
    char made[ID_SIZE];

    if (sent && http_header_count(req, "X-Request-Id") == 1 && strlen(sent) <= WEB_ID_MAX &&
        text_only(sent, ID_LETTERS))
        (void)text_copy(out, WEB_ID_MAX + 1, sent);
    else
        (void)text_copy(out, WEB_ID_MAX + 1, id_new(made) ? "unavailable" : made);
}

/* A digest of what is asked for, of which a page that asks again has the same. */
static uint64_t address_of(const struct http_req *req)
{
    unsigned char digest[DIGEST_SIZE];
    struct buf text = BUF_INIT(2 * HTTP_MAX_TARGET);
    uint64_t address = 0;

    (void)buf_str(&text, req->path);
    (void)buf_char(&text, '?');
    (void)buf_str(&text, req->query ? req->query : "");
    if (!text.failed && digest_sha256(text.data, text.len, digest) == 0)
        memcpy(&address, digest, sizeof(address));
    buf_free(&text);
    return address;
}

struct web_request *web_request_new(struct web *web, struct http_req *req)
{
    struct web_request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->web = web;
    r->req = req;
    r->started_us = clock_measure_us();
    r->body = BUF_INIT(WEB_JSON_MAX);
    r->headers = BUF_INIT(HEADERS_SIZE);
    web_request_id(req, r->id);
    (void)text_copy(r->peer, sizeof(r->peer), req->peer->address);
    (void)text_copy(r->network, sizeof(r->network), req->peer->origin);
    r->address = address_of(req);
    req->app = r;
    TAILQ_INSERT_TAIL(&web->requests, r, link);
    return r;
}

struct web_session *web_request_session(const struct web_request *r)
{
    struct web_session *session = NULL;

    if (r->has_session)
        HASH_FIND(hh, r->web->sessions.by_key, r->session, DIGEST_SIZE, session);
    return session;
}

void web_request_rest(struct web_request *r)
{
    if (r->req || r->working || r->waiting)
        return;
    free(r->segment[0]);
    free(r->segment[1]);
    free(r->query);
    free(r->layout.document);
    query_free(r->parsed);
    view_free(r->view);
    buf_free(&r->body);
    buf_free(&r->headers);
    wipe(r, sizeof(*r));
    free(r);
}

static void count(struct web_request *r, int status, uint64_t took_us)
{
    struct request_count *c = &r->web->counts.requests[r->route - r->web->routes];

    c->by_status[status >= 200 && status < 600 && status != STATUS_GONE ? status / 100 : 0]++;
    took_add(&c->took, took_us);
}

static void log_end(struct web_request *r, const struct http_peer *peer, int status, const char *code,
                    uint64_t took_us)
{
    enum log_level level = r->route->flags & ROUTE_QUIET ? LOG_DEBUG : LOG_INFO;

    if (!log_on(level) || (!r->name[0] && !web_may_log(r->web, peer)))
        return;
    log_event(level, "request", "request_id=%s operation=%s user=%s status=%d duration_ms=%.1f code=%s",
              r->id, r->route->operation, r->name[0] ? r->name : NULL, status, (double)took_us / 1000, code);
}

/* Counts and logs, and cuts the link to the server's request, which is returned. */
static struct http_req *detach(struct web_request *r, int status, const char *code)
{
    struct http_req *req = r->req;
    uint64_t took_us = clock_measure_us() - r->started_us;

    count(r, status, took_us);
    log_end(r, req->peer, status, code, took_us);
    TAILQ_REMOVE(&r->web->requests, r, link);
    req->app = NULL;
    r->req = NULL;
    return req;
}

static void write_cookie(struct web_request *r)
{
    if (r->new_cookie[0])
        (void)buf_printf(&r->headers,
                         "Set-Cookie: " COOKIE "=%s; Secure; HttpOnly; SameSite=Strict; Path=/\r\n",
                         r->new_cookie);
    else if (r->drop_cookie)
        (void)buf_str(&r->headers,
                      "Set-Cookie: " COOKIE "=; Max-Age=0; Secure; HttpOnly; SameSite=Strict; Path=/\r\n");
    wipe(r->new_cookie, sizeof(r->new_cookie));
}

static void common_headers(struct web_request *r, const char *cache)
{
    (void)buf_str(&r->headers, web_headers);
    (void)buf_printf(&r->headers, "Cache-Control: %s\r\nX-Request-Id: %s\r\n", cache, r->id);
    write_cookie(r);
}

static void finish(struct web_request *r, struct buf *body, int status, const char *type, const char *cache,
                   const char *code)
{
    struct http_response response = {.status = status, .content_type = type, .body = body};
    struct http_req *req;

    common_headers(r, cache);
    response.headers = buf_cstr(&r->headers);
    if (body->failed || r->headers.failed || !response.headers) {
        buf_free(body);
        response = (struct http_response){.status = 500, .headers = web_headers, .close = true};
        log_error("answer_failed", "request_id=%s operation=%s", r->id, r->route->operation);
    }
    req = detach(r, response.status, code);
    http_respond(req, &response);
    web_request_rest(r);
}

void web_send(struct web_request *r, int status, const char *type, const char *cache)
{
    finish(r, &r->body, status, type, cache, NULL);
}

void web_json(struct web_request *r, int status)
{
    finish(r, &r->body, status, "application/json", "no-store", NULL);
}

void web_empty(struct web_request *r)
{
    buf_free(&r->body);
    finish(r, &r->body, 204, NULL, "no-store", NULL);
}

void web_redirect(struct web_request *r, const char *to)
{
    (void)buf_printf(&r->headers, "Location: %s\r\n", to);
    finish(r, &r->body, 303, NULL, "no-store", NULL);
}

/* A body of its own: while a thread works for the request, r->body is the thread's. */
void web_fail(struct web_request *r, const struct problem *p)
{
    unsigned after_s = problem_retry(p);
    struct buf body = BUF_INIT(PROBLEM_MAX);

    if (after_s)
        (void)buf_printf(&r->headers, "Retry-After: %u\r\n", after_s);
    if (p->code == PROBLEM_UNAUTHENTICATED && r->route->access == ACCESS_READER)
        (void)buf_str(&r->headers, "WWW-Authenticate: Bearer\r\n");
    problem_body(&body, p, r->id);
    finish(r, &body, problem_row(p->code)->status, WEB_PROBLEM_TYPE, "no-store", problem_row(p->code)->code);
}

void web_fail_with(struct web_request *r, enum problem_code code, const char *detail)
{
    struct problem p;

    problem_set(&p, code, "%s", detail);
    web_fail(r, &p);
}

bool web_begin(struct web_request *r, const char *type)
{
    struct http_response response = {.status = 200, .content_type = type};

    r->begun = true;
    if (r->req->method == HTTP_HEAD_) { /* as every other answer: nothing follows */
        struct http_req *req;

        common_headers(r, "no-store");
        response.headers = buf_cstr(&r->headers);
        req = detach(r, 200, NULL);
        (void)http_begin(req, &response);
        return false;
    }
    common_headers(r, "no-store");
    response.headers = buf_cstr(&r->headers);
    if (r->headers.failed || !response.headers) {
        web_end(r, false);
        return false;
    }
    return http_begin(r->req, &response);
}

void web_end(struct web_request *r, bool whole)
{
    struct http_req *req = detach(r, whole ? 200 : 500, whole ? NULL : "broken");

    if (whole)
        http_end(req);
    else
        http_abort(req, NULL, 0, true);
    web_request_rest(r);
}

struct jsonw *web_object(struct web_request *r, struct jsonw *w)
{
    buf_clear(&r->body);
    *w = jsonw_start(&r->body);
    jsonw_object(w, NULL);
    return w;
}

/* Of a request that is answered, or whose client has left. */
static void end_work(struct web_request *r)
{
    if (r->waiting) {
        r->web->audit->ops->forget(r->web->audit, &r->wait);
        r->waiting = false;
    }
    if (r->left)
        r->left(r);
    else
        web_request_rest(r);
}

void web_request_gone(struct web_request *r)
{
    (void)detach(r, STATUS_GONE, "gone");
    end_work(r);
}

/* What works for it keeps it beyond its answer. */
void web_request_give_up(struct web_request *r)
{
    bool works = r->working || r->waiting;

    if (r->begun)
        web_end(r, false);
    else
        web_fail_with(r, PROBLEM_DRAINING, "jumpgate-reports is shutting down; try again");
    if (works)
        end_work(r);
}
