/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c - the table of routes, and the router.
 *
 *   head:     row by path (404) and method (405) -> admission_head() -> the body is taken
 *   message:  JSON -> the session, the row's read() and read_target() -> admission_start()
 *             -> the row's start(), which answers now or later
 *   gone:     broker_leave()
 *
 * To add an operation: a row here, a file with its read() and start(), its lines in docs/api.md and
 * docs/openapi.yaml. Permission, limits, session and metrics follow from the row.
 *
 * Paths are compared as sent, without decoding and merging of slashes, so that a proxy in front and the
 * gateway see the same path. Only a segment `{id}` is decoded, by its row. A query is ignored where the row
 * does not read one.
 */
#include "base/json.h"
#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/problem.h"
#include "handlers/session_json.h"
#include "handlers/url_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct route routes[] = {
    /* path                       method      permission      flags                       operation           session           read                  start                   read_target */
    { "/v1/capabilities",         HTTP_GET_,  PERMIT_BROKER,  0,                          "capabilities",     0,                NULL,                 capabilities_start,     NULL },
    { "/v1/health",               HTTP_GET_,  PERMIT_BROKER,  ROUTE_ALWAYS | ROUTE_QUIET, "health",           0,                NULL,                 health_start,           NULL },
    { "/v1/credentials/find",     HTTP_POST_, PERMIT_BROKER,  0,                          "find",             SESSION_ENDPOINT, NULL,                 find_start,             NULL },
    { "/v1/credentials/checkout", HTTP_POST_, PERMIT_BROKER,  0,                          "checkout",         SESSION_ID,       checkout_read,        checkout_start,         NULL },
    { "/v1/credentials/release",  HTTP_POST_, PERMIT_BROKER,  0,                          "release",          SESSION_ID,       release_read,         release_start,          NULL },
    { "/v1/endpoints/find",       HTTP_POST_, PERMIT_BROKER,  0,                          "endpoints",        SESSION_USER,     endpoints_read,       endpoints_start,        NULL },
    { "/v1/sessions/start",       HTTP_POST_, PERMIT_BROKER,  0,                          "session_start",    0,                NULL,                 session_start_start,    NULL },
    { "/v1/sessions/started",     HTTP_POST_, PERMIT_BROKER,  0,                          "session_started",  SESSION_ID,       session_started_read, session_started_start,  NULL },
    { "/v1/sessions/complete",    HTTP_POST_, PERMIT_BROKER,  0,                          "session_complete", SESSION_ID,       NULL,                 session_complete_start, NULL },
    { "/v1/leases",               HTTP_GET_,  PERMIT_OPERATE, ROUTE_ALWAYS,               "leases",           0,                NULL,                 leases_start,           leases_read_target },
    { "/v1/leases/{id}/release",  HTTP_POST_, PERMIT_OPERATE, ROUTE_NO_BODY,              "lease_release",    0,                lease_release_read,   lease_release_start,    lease_release_read_target },
    { "/v1/credentials/{id}/checkin", HTTP_POST_, PERMIT_OPERATE, ROUTE_NO_BODY,           "credential_checkin", 0,              NULL,                 credential_checkin_start, credential_checkin_read_target },
    { "/v1/cluster/reconcile",    HTTP_POST_, PERMIT_OPERATE, ROUTE_NO_BODY,              "reconcile",        0,                cluster_reconcile_read, cluster_reconcile_start, NULL },
    { "/v1/cluster/record",       HTTP_POST_, PERMIT_OPERATE, ROUTE_ALWAYS,               "cluster_record",   0,                cluster_record_read,  cluster_record_start,   NULL },
    { "/v1/explain/{request_id}", HTTP_GET_,  PERMIT_OPERATE, ROUTE_ALWAYS,               "explain",          0,                NULL,                 explain_start,          explain_read_target },
    { "/v1/configuration",        HTTP_GET_,  PERMIT_OPERATE, ROUTE_ALWAYS,               "configuration",    0,                NULL,                 configuration_start,    NULL },
    { "/v1/reload",               HTTP_POST_, PERMIT_OPERATE, ROUTE_ALWAYS | ROUTE_NO_BODY, "reload",         0,                NULL,                 reload_start,           NULL },
    { "/v1/events/pra",           HTTP_POST_, 0,              ROUTE_ALWAYS | ROUTE_FORM | ROUTE_EVENTS, "pra_event", 0,        NULL,                 pra_events_start,       NULL },
    { "/livez",                   HTTP_GET_,  0,              ROUTE_ALWAYS | ROUTE_QUIET | ROUTE_EVENTS, "livez",            0,                NULL,                 livez_start,            NULL },
    { "/readyz",                  HTTP_GET_,  0,              ROUTE_ALWAYS | ROUTE_QUIET, "readyz",           0,                NULL,                 readyz_start,           NULL },
    { "/status",                  HTTP_GET_,  PERMIT_OBSERVE, ROUTE_ALWAYS | ROUTE_QUIET, "status",           0,                NULL,                 status_start,           NULL },
    { "/metrics",                 HTTP_GET_,  PERMIT_OBSERVE, ROUTE_ALWAYS | ROUTE_QUIET, "metrics",          0,                NULL,                 metrics_start,          NULL },
    { NULL,                       HTTP_GET_,  0,              0,                          "unknown",          0,                NULL,                 NULL,                   NULL },
};
/* clang-format on */

size_t routes_count(void)
{
    return sizeof(routes) / sizeof(routes[0]);
}

static const struct route *find_route(const char *path)
{
    const struct route *r = routes;
    while (r->path && !url_target_fits(r->path, path))
        r++;
    return r;
}

/* A listener with `routes = events` serves some rows only, and events are there only when configured. */
static bool is_served(const struct gateway *gw, const struct http_peer *peer, const struct route *route)
{
    if (route->flags & ROUTE_FORM && !pra_events_served(gw))
        return false;
    for (size_t i = 0; i < gw->conf->nlisteners; i++)
        if (gw->conf->listeners[i].routes == ROUTES_EVENTS &&
            strcmp(gw->conf->listeners[i].name, peer->listener) == 0)
            return route->flags & ROUTE_EVENTS;
    return true;
}

static bool method_fits(const struct route *route, enum http_method method)
{
    return method == route->method || (method == HTTP_HEAD_ && route->method == HTTP_GET_);
}

static bool check_route(const struct request_context *ctx, struct fault *f)
{
    if (!ctx->route->path) {
        fault_set(f, FAULT_NOT_FOUND, "there is no such path; paths are compared exactly as sent");
        return false;
    }
    if (method_fits(ctx->route, ctx->req->method))
        return true;
    fault_set(f, FAULT_METHOD_NOT_ALLOWED, "this path answers %s only",
              ctx->route->method == HTTP_POST_ ? "POST" : "GET and HEAD");
    return false;
}

/* Without memory for the context the response has no body. */
static int64_t respond_without_context(struct http_req *req)
{
    http_respond(req, &(struct http_response){.status = 500, .headers = "X-Request-Id: unavailable\r\n"});
    return -1;
}

/* On a route for any caller, a token still identifies the connection's client. */
static void recognise_client(const struct gateway *gw, const struct http_req *req)
{
    struct client *client;

    if (!req->peer->known && http_header(req, "Authorization") &&
        clients_find(gw->clients, req, &client) == 0 && client)
        http_known(req);
}

static int64_t on_head(void *arg, struct http_req *req)
{
    struct gateway *gw = arg;
    struct request_context *ctx = ctx_new(gw, req);
    struct fault f;

    if (!ctx)
        return respond_without_context(req);
    ctx->route = find_route(req->path);
    if (!is_served(gw, req->peer, ctx->route))
        ctx->route = &routes[routes_count() - 1];
    req->urgent = ctx->route->flags & ROUTE_ALWAYS;
    if (!ctx->route->permit)
        recognise_client(gw, req);
    if (!check_route(ctx, &f)) {
        ctx_fail(ctx, &f);
        return -1;
    }
    if (ctx->route->flags & ROUTE_FORM)
        return pra_events_head(ctx);
    if (admission_head(ctx, &f))
        return (int64_t)gw->conf->gateway.max_body;
    ctx_fail(ctx, &f);
    return -1;
}

/* The body as a tree: *out stays NULL for rows without one. */
static bool parse_body(const struct request_context *ctx, cJSON **out, struct fault *f)
{
    const struct http_req *req = ctx->req;
    struct json_outcome read;

    if (ctx->route->method != HTTP_POST_ || ctx->route->flags & ROUTE_FORM ||
        (!req->body_len && ctx->route->flags & ROUTE_NO_BODY))
        return true;
    if (!req->body_len) {
        fault_set(f, FAULT_INVALID_REQUEST, "the body is empty; a JSON object is required");
        return false;
    }
    *out = json_read(req->body, req->body_len, READ_DEPTH, 0, &read);
    if (ctx->route->flags & ROUTE_NO_BODY && cJSON_IsNull(*out)) {
        cJSON_Delete(*out);
        *out = NULL;
        return true;
    }
    if (read.err == -ENOMEM)
        fault_set(f, FAULT_OVERLOADED, "out of memory: the body was not read; nothing was done");
    else if (!*out)
        fault_set(f, FAULT_INVALID_REQUEST, "the body is not acceptable JSON: %s", read.why);
    else if (!cJSON_IsObject(*out))
        fault_set(f, FAULT_INVALID_REQUEST, "the body must be a JSON object");
    else
        return true;
    return false;
}

bool route_read(const struct route *route, const cJSON *body, union route_args *args, struct fault *f)
{
    return (!route->session || session_read(body, route->session, &args->by.session, f)) &&
           (!route->read || route->read(body, args, f));
}

static bool read_body(struct request_context *ctx, const cJSON *body, union route_args *args, struct fault *f)
{
    if (!route_read(ctx->route, body, args, f))
        return false;
    if (ctx->route->session)
        ctx_names(ctx, &args->by.session);
    return true;
}

static void start_route(struct request_context *ctx, union route_args *args)
{
    if (ctx->route->session) {
        args->by.timeout_ms = ctx->timeout_ms;
        ctx_origin(ctx, &args->by.session);
    }
    ctx->route->start(ctx, args);
}

static void on_message(void *arg, struct http_req *req)
{
    struct gateway *gw = arg;
    struct request_context *ctx = req->app;
    const struct route *route = ctx->route;
    union route_args args;
    cJSON *body = NULL;
    struct fault f;
    /* A refused body counts against its client's rate as well. */
    bool limited = ctx->client && !(route->flags & ROUTE_ALWAYS);
    unsigned wait_s = limited ? clients_take(gw->clients, ctx->client) : 0;

    memset(&args, 0, sizeof(args)); /* the whole union: a member that is not read is absent */
    if (parse_body(ctx, &body, &f) && read_body(ctx, body, &args, &f) &&
        (!route->read_target || route->read_target(ctx, &args, &f)) && admission_start(ctx, wait_s, &f))
        start_route(ctx, &args);
    else
        ctx_fail(ctx, &f);
    cJSON_Delete(body);
}

static void on_gone(void *arg, struct http_req *req)
{
    (void)arg;
    if (req->app)
        ctx_gone(req->app);
}

/* A request that the server refuses before the application has seen its head. */
static void count_refusal(struct gateway *gw, const struct http_peer *peer, const struct fault *f,
                          const char *id)
{
    const struct route *row = &routes[routes_count() - 1];

    gateway_count(gw, row, fault_status(f), 0);
    last_errors_add(gw->last_errors, &(struct failed_request){.wall_ms = clock_wall(gw->clock),
                                                              .request_id = id,
                                                              .operation = row->operation,
                                                              .user = "",
                                                              .endpoint = "",
                                                              .fault = f});
    if (log_on(LOG_INFO) && (peer->known || stranger_lines_permit(gw, peer)))
        log_info("request_refused", "request_id=%s status=%d code=%s detail=%s", id, fault_status(f),
                 fault_row(f->code)->code, f->detail);
}

/* The server's own refusals have the form of every other error. They free the context, if there is one. */
static const char *on_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                             const struct fault *f, struct buf *body, struct buf *headers)
{
    struct request_context *ctx = req ? req->app : NULL;
    char id[REQUEST_ID_MAX + 1];
    unsigned after_s = problem_retry_after(f);

    if (ctx)
        memcpy(id, ctx->request_id, sizeof(id));
    else
        ctx_request_id(req, id);
    (void)buf_printf(headers, "X-Request-Id: %s\r\n", id);
    if (after_s)
        (void)buf_printf(headers, "Retry-After: %u\r\n", after_s);
    problem_write(body, f, id);
    if (ctx)
        ctx_refused(ctx, f);
    else
        count_refusal(arg, peer, f, id);
    return PROBLEM_TYPE;
}

static bool on_knows(void *arg, const struct http_peer *peer)
{
    const struct gateway *gw = arg;

    return clients_know(gw->clients, peer);
}

static bool on_may_log(void *arg, const struct http_peer *peer)
{
    return stranger_lines_permit(arg, peer);
}

struct gateway *gateway_new(const struct gateway_opts *opts)
{
    struct gateway *gw = calloc(1, sizeof(*gw));
    if (!gw)
        return NULL;
    gw->loop = opts->loop;
    gw->clock = loop_clock(opts->loop);
    gw->conf = opts->conf;
    gw->broker = opts->broker;
    gw->site = opts->site;
    gw->vaults = opts->vaults;
    gw->nvaults = opts->nvaults;
    gw->store = opts->store;
    gw->audit = opts->audit;
    gw->started_ms = clock_now(gw->clock);
    gw->started_wall_ms = clock_wall(gw->clock);
    gw->app = (struct http_app){.arg = gw,
                                .head = on_head,
                                .message = on_message,
                                .gone = on_gone,
                                .refuse = on_refuse,
                                .knows = on_knows,
                                .may_log = on_may_log};
    stranger_lines_init(&gw->stranger_lines, loop_timers(opts->loop));
    pra_events_init(&gw->events, loop_timers(opts->loop), opts->audit);
    TAILQ_INIT(&gw->terminations);
    TAILQ_INIT(&gw->contexts);
    control_peers_init(&gw->control_peers);
    gw->clients = clients_new(opts->conf, gw->clock);
    gw->auth_failures = auth_failures_new(gw->clock);
    gw->last_errors = last_errors_new(opts->conf->gateway.last_errors);
    gw->requests = request_metrics_new(routes, routes_count());
    gw->metrics = gateway_metrics_new(gw);
    if (gw->clients && gw->auth_failures && gw->last_errors && gw->requests && gw->metrics)
        return gw;
    gateway_free(gw);
    return NULL;
}

void gateway_free(struct gateway *gw)
{
    if (!gw)
        return;
    stranger_lines_end(&gw->stranger_lines);
    pra_events_end(&gw->events);
    gateway_metrics_free(gw->metrics);
    request_metrics_free(gw->requests);
    clients_free(gw->clients);
    auth_failures_free(gw->auth_failures);
    last_errors_free(gw->last_errors);
    free(gw);
}

struct clients *gateway_prepare(struct gateway *gw, const struct conf *next)
{
    return clients_new(next, gw->clock);
}

struct clients *gateway_reload(struct gateway *gw, struct clients *next)
{
    struct clients *before = gw->clients;

    clients_inherit(next, before);
    gw->clients = next;
    return before;
}

const struct http_app *gateway_app(struct gateway *gw)
{
    return &gw->app;
}

void gateway_set_server(struct gateway *gw, struct http_server *server)
{
    gw->server = server;
}

void gateway_drain(struct gateway *gw)
{
    gw->draining = true;
}

void gateway_give_up(struct gateway *gw)
{
    /* A response may begin a waiting request, which is then refused as well. */
    while (!TAILQ_EMPTY(&gw->contexts))
        ctx_give_up(TAILQ_FIRST(&gw->contexts));
}
