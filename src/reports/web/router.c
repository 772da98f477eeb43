/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.c - from the HTTP server's calls to a row of the table of routes.
 *
 *   head:     row by path and method (405) -> who asks (401, 403, 303) -> type of the body (415)
 *   message:  segments of the path are decoded -> the row's start(), which answers now or later; that of an
 *             unknown path answers 404
 *   gone:     what works for the request is ended
 *
 * Paths are compared as sent, segment by segment: `%2F` never separates two, and `//` is no `/`.
 */
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t segment_length(const char *at)
{
    return strcspn(at, "/");
}

/* Does it fit? Where the pattern has `{x}`, `at` and `len` of up to two segments are noted. */
static bool path_fits(const char *pattern, const char *path, const char *at[2], size_t len[2])
{
    unsigned n = 0;

    while (*pattern == '/' && *path == '/') {
        size_t wanted = segment_length(++pattern), shown = segment_length(++path);

        if (*pattern == '{') {
            if (!shown || n == 2)
                return false;
            at[n] = path;
            len[n++] = shown;
        } else if (wanted != shown || memcmp(pattern, path, wanted) != 0) {
            return false;
        }
        pattern += wanted;
        path += shown;
    }
    return !*pattern && !*path;
}

static bool method_fits(const struct web_route *route, enum http_method method)
{
    return route->method == method || (route->method == HTTP_GET_ && method == HTTP_HEAD_);
}

static const char *method_name(enum http_method method)
{
    switch (method) {
    case HTTP_GET_: return "GET, HEAD";
    case HTTP_POST_: return "POST";
    case HTTP_PUT_: return "PUT";
    default: return "DELETE";
    }
}

/* The row of path and method; `allow`: methods of the rows of this path. */
static const struct web_route *find_route(const struct http_req *req, char *allow, size_t size)
{
    const struct web_route *row = web_routes, *found = NULL;
    const char *at[2];
    size_t len[2];

    allow[0] = '\0';
    for (; row->path; row++) {
        if (!path_fits(row->path, req->path, at, len))
            continue;
        if (!found || method_fits(row, req->method))
            found = row;
        (void)strncat(allow, allow[0] ? ", " : "", size - strlen(allow) - 1);
        (void)strncat(allow, method_name(row->method), size - strlen(allow) - 1);
    }
    return found ? found : row;
}

static bool is_json(const struct http_req *req)
{
    static const char type[] = "application/json";
    const char *value = http_header(req, "Content-Type");
    const char *rest;

    if (!value || http_header_count(req, "Content-Type") != 1 ||
        !text_equal_nocase_n(value, strcspn(value, "; \t"), type, sizeof(type) - 1))
        return false;
    rest = value + strcspn(value, "; \t");
    rest += strspn(rest, "; \t");
    return !*rest || text_equal_nocase(rest, "charset=utf-8") || text_equal_nocase(rest, "charset=\"utf-8\"");
}

static bool takes_body(const struct web_route *route)
{
    return route->method == HTTP_POST_ || route->method == HTTP_PUT_;
}

static bool check_head(struct web_request *r, const char *allow, bool *redirect, struct problem *p)
{
    const struct web_route *route = r->route;

    if (route->path && !method_fits(route, r->req->method)) {
        problem_set(p, PROBLEM_METHOD_NOT_ALLOWED, "this path takes %s", allow);
        (void)buf_printf(&r->headers, "Allow: %s\r\n", allow);
        return false;
    }
    if (r->web->draining && !(route->flags & ROUTE_DRAINING)) {
        problem_set(p, PROBLEM_DRAINING, "jumpgate-reports is shutting down; try again");
        return false;
    }
    if (!who_may(r, p, redirect))
        return false;
    if (route->flags & ROUTE_JSON && !is_json(r->req)) {
        problem_set(p, PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                    "Content-Type must be application/json (charset utf-8 or none)");
        return false;
    }
    return true;
}

/* To the sign-in page, which leads back to what was asked for where that is a row's path, so one of our own.
 */
static void redirect_to_sign_in(struct web_request *r)
{
    char target[1500], next[4500], to[4600];
    const struct http_req *req = r->req;

    (void)text_copy(to, sizeof(to), "/sign-in");
    if (r->route->path &&
        snprintf(target, sizeof(target), "%s%s%s", req->path, req->query ? "?" : "",
                 req->query ? req->query : "") < (int)sizeof(target) &&
        strcmp(target, "/") != 0 && text_url_encode(next, sizeof(next), target))
        (void)snprintf(to, sizeof(to), "/sign-in?next=%s", next);
    web_redirect(r, to);
}

static int64_t on_head(void *arg, struct http_req *req)
{
    struct web *web = arg;
    struct web_request *r = web_request_new(web, req);
    struct problem p;
    bool redirect = false;
    char allow[64];

    if (!r) {
        http_respond(req, &(struct http_response){.status = 500, .headers = web_headers, .close = true});
        return -1;
    }
    r->route = find_route(req, allow, sizeof(allow));
    if (check_head(r, allow, &redirect, &p))
        return takes_body(r->route) ? (int64_t)WEB_BODY_MAX : 0;
    if (redirect)
        redirect_to_sign_in(r);
    else
        web_fail(r, &p);
    return -1;
}

static char *decode_segment(const char *at, size_t len)
{
    char *text = strndup(at, len);

    if (text && text_url_decode(text, false) && utf8_valid(text, strlen(text)))
        return text;
    free(text);
    return NULL;
}

static bool read_target(struct web_request *r)
{
    const char *at[2] = {NULL, NULL};
    size_t len[2] = {0, 0};

    if (r->route->path)
        (void)path_fits(r->route->path, r->req->path, at, len);
    for (size_t i = 0; i < 2 && at[i]; i++) {
        r->segment[i] = decode_segment(at[i], len[i]);
        if (!r->segment[i])
            return false;
    }
    if (!r->req->query)
        return true;
    r->query = strdup(r->req->query);
    return r->query;
}

/* The first parameter of a call that takes none; false where there is one, which is answered. */
static bool is_bare(struct web_request *r)
{
    char *name = r->query ? r->query + strspn(r->query, "&") : NULL;
    struct problem p;

    if (!(r->route->flags & ROUTE_BARE) || !name || !*name)
        return true;
    name[strcspn(name, "=&")] = '\0';
    if (text_url_decode(name, true) && utf8_valid(name, strlen(name)))
        problem_set(&p, PROBLEM_INVALID_REQUEST, "the parameter `%s` is not known here", name);
    else
        problem_set(&p, PROBLEM_INVALID_REQUEST, "the query has a name that is not UTF-8 or wrongly encoded");
    web_fail(r, &p);
    return false;
}

static void on_message(void *arg, struct http_req *req)
{
    struct web_request *r = req->app;

    (void)arg;
    if (!read_target(r))
        web_fail_with(r, PROBLEM_INVALID_REQUEST, "the path is not percent-encoded UTF-8");
    else if (is_bare(r))
        r->route->start(r);
}

static void on_gone(void *arg, struct http_req *req)
{
    (void)arg;
    if (req->app)
        web_request_gone(req->app);
}

static void on_drained(void *arg, struct http_req *req)
{
    struct web_request *r = req->app;

    (void)arg;
    if (r && r->drained)
        r->drained(r);
}

/* What the server itself refuses has the form and the headers of every other error. */
static const char *on_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                             const struct fault *f, struct buf *body, struct buf *headers)
{
    struct web *web = arg;
    char id[WEB_ID_MAX + 1];
    unsigned after_s = f->retry_after_s ? f->retry_after_s : fault_row(f->code)->retry_after_s;

    web_request_id(req, id);
    (void)buf_printf(headers, "%sCache-Control: no-store\r\nX-Request-Id: %s\r\n", web_headers, id);
    if (after_s)
        (void)buf_printf(headers, "Retry-After: %u\r\n", after_s);
    problem_body_of_fault(body, f, id);
    if (log_on(LOG_INFO) && web_may_log(web, peer))
        log_info("request_refused", "request_id=%s status=%d code=%s detail=%s", id, fault_status(f),
                 fault_row(f->code)->code, f->detail);
    return WEB_PROBLEM_TYPE;
}

void router_app(struct web *web)
{
    web->routes = web_routes;
    web->nroutes = web_routes_count();
    web->app = (struct http_app){.arg = web,
                                 .head = on_head,
                                 .message = on_message,
                                 .gone = on_gone,
                                 .refuse = on_refuse,
                                 .knows = who_knows,
                                 .may_log = web_may_log,
                                 .drained = on_drained};
}
