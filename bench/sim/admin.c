/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c - the HTTP side of an admin port; see admin.h.
 */
#include "sim/admin.h"

#include "base/json.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "sim/answer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT ((int64_t)16 << 20)

struct admin {
    const struct admin_route *routes;
    size_t nroutes;
    void *arg;
    struct http_server *http;
    bool closing;
};

void admin_done(struct admin_task *t, int rc)
{
    if (!rc)
        (void)buf_str(&t->out, "{}");
    else
        t->status = rc == -ENOMEM ? 500 : 400;
}

static bool path_matches(const char *pattern, const char *path, int *id)
{
    char digits[12];
    int64_t value;

    for (; *pattern; pattern++) {
        size_t n;
        if (*pattern != '*') {
            if (*pattern != *path++)
                return false;
            continue;
        }
        n = strcspn(path, "/");
        if (!text_copy_n(digits, sizeof(digits), path, n) || !text_int(digits, 0, INT_MAX, &value))
            return false;
        *id = (int)value;
        path += n;
    }
    return *path == '\0';
}

static void run_task(const struct admin *a, struct admin_task *t, const char *method)
{
    t->status = 404;
    for (size_t i = 0; i < a->nroutes; i++) {
        if (!path_matches(a->routes[i].path, t->path, &t->id))
            continue;
        t->status = 405;
        if (strcmp(a->routes[i].method, method) != 0)
            continue;
        t->status = 0;
        a->routes[i].run(t);
        return;
    }
}

/* ---- HTTP ---- */

static void put_problem(struct admin_task *t)
{
    struct jsonw w;

    buf_clear(&t->out);
    w = jsonw_start(&t->out);
    jsonw_object(&w, NULL);
    jsonw_strn(&w, "error", t->why.data ? t->why.data : "", t->why.len);
    jsonw_end(&w);
}

static void on_message(void *arg, struct http_req *req)
{
    struct admin *a = arg;
    struct admin_task t = {.arg = a->arg,
                           .path = req->path,
                           .query = req->query,
                           .out = BUF_INIT(SIM_ANSWER_MAX),
                           .why = BUF_INIT(4096)};
    const char *reason = NULL;

    if (req->body_len)
        t.body = json_parse(req->body, req->body_len, 16, 0, &reason);
    if (reason) {
        t.status = 400;
        (void)buf_str(&t.why, reason);
    } else {
        run_task(a, &t, req->method == HTTP_GET_ ? "GET" : req->method_name);
    }
    if (t.status)
        put_problem(&t);
    http_respond(req, &(struct http_response){.status = t.status ? t.status : 200,
                                              .content_type = "application/json",
                                              .body = &t.out});
    buf_free(&t.out);
    buf_free(&t.why);
    cJSON_Delete(t.body);
}

static int64_t on_head(void *arg, struct http_req *req)
{
    (void)arg;
    (void)req;
    return BODY_LIMIT;
}

static void on_gone(void *arg, struct http_req *req)
{
    (void)arg;
    (void)req;
}

static const char *on_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                             const struct fault *fault, struct buf *body, struct buf *extra_headers)
{
    (void)peer;
    (void)arg;
    (void)req;
    (void)extra_headers;
    (void)buf_printf(body, "{\"error\":\"%d\"}", fault_status(fault));
    return "application/json";
}

struct admin *admin_new(struct loop *loop, const struct admin_route *routes, size_t nroutes, void *arg)
{
    const struct http_server_opts opts = {.max_connections = 256,
                                          .header_timeout_ms = 60000,
                                          .body_timeout_ms = 60000,
                                          .idle_timeout_ms = 600000,
                                          .write_timeout_ms = 60000,
                                          .max_pipelined = 65536};
    struct admin *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->routes = routes;
    a->nroutes = nroutes;
    a->arg = arg;
    a->http = http_server_new(
        loop, &opts,
        &(struct http_app){
            .arg = a, .head = on_head, .message = on_message, .gone = on_gone, .refuse = on_refuse});
    if (!a->http) {
        free(a);
        return NULL;
    }
    return a;
}

struct http_server *admin_http(struct admin *a)
{
    return a->http;
}

static void on_closed(void *arg)
{
    ((struct admin *)arg)->http = NULL;
}

void admin_close(struct admin *a)
{
    if (a->closing)
        return;
    a->closing = true;
    http_server_close(a->http, on_closed, a);
}

void admin_free(struct admin *a)
{
    free(a);
}
