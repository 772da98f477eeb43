/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.c - routes of the admin port; see admin.h and docs/simulator.md.
 */
#include "passwordsafe-sim/admin.h"

#include "base/json.h"
#include "base/text.h"
#include "passwordsafe-sim/report.h"
#include "passwordsafe-sim/requests.h"
#include "passwordsafe-sim/scenario.h"
#include "passwordsafe-sim/scenario_fields.h"
#include "passwordsafe-sim/sessions.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT ((int64_t)16 << 20)

struct admin {
    struct loop *loop;
    struct server *server;
    struct http_server *http;
    bool closing;
};

struct task { /* one admin call */
    struct server *server;
    const char *path; /* with the id cut off */
    const char *query;
    int id;
    cJSON *body; /* NULL = none */
    struct buf out, why;
    int status; /* 0 = 200 */
};

/* ---- the actions ---- */

static void done(struct task *t, int rc)
{
    if (!rc)
        (void)buf_str(&t->out, "{}");
    else
        t->status = rc == -ENOMEM ? 500 : 400;
}

static void get_state(struct task *t)
{
    struct wire_params p;
    const char *text;
    int64_t finished = 1000;

    if (wire_params_read(&p, t->query, t->query ? strlen(t->query) : 0)) {
        t->status = 400;
        return;
    }
    text = wire_param(&p, "finished");
    if (text && !text_int(text, 0, INT_MAX, &finished))
        t->status = 400;
    wire_params_free(&p);
    if (!t->status)
        report_state(t->server, (size_t)finished, &t->out);
}

static void get_counts(struct task *t)
{
    report_counts(t->server, &t->out);
}

static void delete_counts(struct task *t)
{
    server_reset_counts(t->server);
    done(t, 0);
}

static void get_faults(struct task *t)
{
    fault_injection_report(&t->server->fault_injection, &t->out);
}

static void post_faults(struct task *t)
{
    done(t, t->body ? fault_injection_add(&t->server->fault_injection, t->body, &t->why) : -EINVAL);
}

static void delete_faults(struct task *t)
{
    fault_injection_clear(&t->server->fault_injection);
    done(t, 0);
}

static void post_scenario(struct task *t)
{
    done(t, cJSON_IsObject(t->body) ? scenario_apply(t->server->model, t->body, &t->why) : -EINVAL);
}

static void post_list(struct task *t)
{
    done(t, t->body ? scenario_apply_list(t->server->model, t->path + 1, t->body, &t->why) : -EINVAL);
    server_clock_moved(t->server);
}

static void get_account(struct task *t)
{
    const struct model_account *a = model_account(t->server->model, t->id);

    if (a)
        report_account(t->server, a, &t->out);
    else
        t->status = 404;
}

static void post_latency(struct task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};

    fields_u64(&f, "latency_ms", &t->server->latency_ms);
    fields_u64(&f, "jitter_ms", &t->server->jitter_ms);
    done(t, t->body ? f.rc : -EINVAL);
}

static void post_expire_sessions(struct task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    const char *name = NULL;
    const struct model_user *user = NULL;
    size_t n;

    fields_text(&f, "user", &name);
    if (name)
        user = model_user_named(t->server->model, name);
    if (f.rc || (name && !user)) {
        done(t, -EINVAL);
        return;
    }
    n = sessions_expire(t->server->model, user);
    (void)buf_printf(&t->out, "{\"expired\":%zu}", n);
}

static void post_clock(struct task *t)
{
    struct fields f = {.entry = t->body, .why = &t->why};
    bool frozen = t->server->clock.frozen;
    uint64_t advance = 0;
    int64_t wall = 0;

    fields_bool(&f, "frozen", &frozen);
    fields_u64(&f, "advance_ms", &advance);
    fields_date(&f, "wall", &wall);
    if (f.rc || !t->body) {
        done(t, -EINVAL);
        return;
    }
    simclock_freeze(&t->server->clock, frozen);
    if (wall)
        simclock_set_wall(&t->server->clock, wall);
    simclock_advance(&t->server->clock, advance);
    server_clock_moved(t->server);
    done(t, 0);
}

static struct request *request_of(struct task *t)
{
    struct request *r = requests_find(t->server->model, t->id);

    if (!r || !request_live(r))
        t->status = r ? 409 : 404;
    return t->status ? NULL : r;
}

static void get_request(struct task *t)
{
    const struct request *r = requests_find(t->server->model, t->id);
    struct jsonw w = jsonw_start(&t->out);

    if (r)
        report_request(&w, r);
    else
        t->status = 404;
}

static void approve(struct task *t)
{
    struct request *r = request_of(t);

    if (r)
        done(t, requests_approve(t->server->model, r, NULL));
}

static void end_request(struct task *t, enum request_state how)
{
    struct request *r = request_of(t);

    if (!r)
        return;
    requests_end(t->server->model, r, how);
    done(t, 0);
}

static void deny(struct task *t)
{
    end_request(t, REQUEST_DENIED);
}

static void terminate(struct task *t)
{
    end_request(t, REQUEST_TERMINATED);
}

static void expire(struct task *t)
{
    end_request(t, REQUEST_EXPIRED);
}

static const struct admin_route {
    const char *method, *path; /* `*` stands for a number */
    void (*run)(struct task *);
} admin_routes[] = {
    {"GET", "/state", get_state},
    {"GET", "/counts", get_counts},
    {"DELETE", "/counts", delete_counts},
    {"GET", "/faults", get_faults},
    {"POST", "/faults", post_faults},
    {"DELETE", "/faults", delete_faults},
    {"POST", "/scenario", post_scenario},
    {"POST", "/settings", post_list},
    {"POST", "/policies", post_list},
    {"POST", "/groups", post_list},
    {"POST", "/users", post_list},
    {"POST", "/systems", post_list},
    {"POST", "/accounts", post_list},
    {"POST", "/links", post_list},
    {"POST", "/oauth_clients", post_list},
    {"GET", "/accounts/*", get_account},
    {"POST", "/latency", post_latency},
    {"POST", "/expire-sessions", post_expire_sessions},
    {"POST", "/clock", post_clock},
    {"GET", "/requests/*", get_request},
    {"POST", "/requests/*/approve", approve},
    {"POST", "/requests/*/deny", deny},
    {"POST", "/requests/*/terminate", terminate},
    {"POST", "/requests/*/expire", expire},
};
#define NROUTES (sizeof(admin_routes) / sizeof(admin_routes[0]))

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

static void run_task(struct task *t, const char *method)
{
    t->status = 404;
    for (size_t i = 0; i < NROUTES; i++) {
        if (!path_matches(admin_routes[i].path, t->path, &t->id))
            continue;
        t->status = 405;
        if (strcmp(admin_routes[i].method, method) != 0)
            continue;
        t->status = 0;
        admin_routes[i].run(t);
        return;
    }
}

/* ---- HTTP ---- */

static void put_problem(struct task *t)
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
    struct task t = {.server = a->server,
                     .path = req->path,
                     .query = req->query,
                     .out = BUF_INIT(DISPATCH_ANSWER_MAX),
                     .why = BUF_INIT(4096)};
    const char *reason = NULL;

    if (req->body_len)
        t.body = json_parse(req->body, req->body_len, 16, 0, &reason);
    if (reason) {
        t.status = 400;
        (void)buf_str(&t.why, reason);
    } else {
        run_task(&t, req->method == HTTP_GET_ ? "GET" : req->method_name);
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

struct admin *admin_new(struct loop *loop, struct server *server)
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
    a->loop = loop;
    a->server = server;
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
