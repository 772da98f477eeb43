/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_context.c - one request from head to response: its id, its response, its end.
 *
 * Every response goes through ctx_finish(), which writes the common header lines, counts, logs one
 * line, cuts the link to the server's request, and frees the context. A response that could not be built (out
 * of memory, longer than RESPONSE_MAX) becomes a 500; its first part is wiped.
 *
 * Order that matters: the link is cut before http_respond(), which may hand the next pipelined request to the
 * router at once.
 */
#include "base/id.h"
#include "base/log.h"
#include "base/person.h"
#include "base/text.h"
#include "base/utf8.h"
#include "handlers/gateway.h"
#include "handlers/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define STATUS_GONE  499 /* counted and logged where the client left */
#define HEADERS_SIZE 512
#define PROBLEM_MAX  8192

void ctx_request_id(const struct http_req *req, char out[REQUEST_ID_MAX + 1])
{
    const char *sent = req ? http_header(req, "X-Request-Id") : NULL;
    char made[ID_SIZE];

    if (sent && http_header_count(req, "X-Request-Id") == 1 && strlen(sent) <= REQUEST_ID_MAX &&
        text_only(sent, ID_LETTERS)) {
        (void)text_copy(out, REQUEST_ID_MAX + 1, sent); /* fits: its length was checked */
        return;
    }
    (void)text_copy(out, REQUEST_ID_MAX + 1, id_new(made) ? "unavailable" : made);
}

static bool only_hex(const char *text, size_t n)
{
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        if (!text[i] || !strchr("0123456789abcdef", text[i]))
            return false;
        zeros += text[i] == '0';
    }
    return zeros < n;
}

/* traceparent of W3C: version-trace-parent-flags; an unknown form counts as none. */
static void read_trace(const struct http_req *req, char out[TRACE_ID_LEN + 1])
{
    const char *t = http_header(req, "traceparent");
    size_t len = t ? strlen(t) : 0;

    out[0] = '\0';
    if (len < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-' || http_header_count(req, "traceparent") != 1)
        return;
    bool version = !strncmp(t, "00", 2)
                       ? len == 55
                       : only_hex(t, 2) && strncmp(t, "ff", 2) != 0 && (len == 55 || t[55] == '-');
    bool flags = !strncmp(t + 53, "00", 2) || only_hex(t + 53, 2);
    if (version && flags && only_hex(t + 3, TRACE_ID_LEN) && only_hex(t + 36, 16))
        (void)text_copy_n(out, TRACE_ID_LEN + 1, t + 3, TRACE_ID_LEN);
}

struct request_context *ctx_new(struct gateway *gw, struct http_req *req)
{
    struct request_context *ctx = malloc(sizeof(*ctx));
    if (!ctx)
        return NULL;
    *ctx = (struct request_context){
        .gateway = gw, .req = req, .started_us = clock_measure_us(), .body = BUF_INIT(RESPONSE_MAX)};
    ctx_request_id(req, ctx->request_id);
    read_trace(req, ctx->trace_id);
    req->app = ctx;
    TAILQ_INSERT_TAIL(&gw->contexts, ctx, link);
    return ctx;
}

void ctx_origin(const struct request_context *ctx, struct session *s)
{
    s->client = ctx->client ? ctx->client->conf->name : NULL;
    s->request_id = ctx->request_id;
    s->trace_id = *ctx->trace_id ? ctx->trace_id : NULL;
    control_peer_set(&ctx->gateway->control_peers, ctx->req->peer, s);
}

static const char *endpoint_of(const struct session *s)
{
    const char *const names[] = {s->hostname, s->computer_name, s->name, s->ip_address, s->application};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i] && *names[i])
            return names[i];
    return "";
}

void ctx_names(struct request_context *ctx, const struct session *s)
{
    person_write(ctx->user, sizeof(ctx->user), s->domain, s->username);
    (void)text_copy_n(ctx->endpoint, sizeof(ctx->endpoint), endpoint_of(s),
                      utf8_fit(endpoint_of(s), sizeof(ctx->endpoint) - 1));
}

/* Cuts the link between context and request, and takes the context out of the counts. */
static struct http_req *ctx_detach(struct request_context *ctx)
{
    struct http_req *req = ctx->req;
    req->app = NULL;
    ctx->req = NULL;
    TAILQ_REMOVE(&ctx->gateway->contexts, ctx, link);
    if (ctx->counted)
        ctx->gateway->inflight--;
    ctx->counted = false;
    return req;
}

bool ctx_may_log(struct request_context *ctx, const struct http_peer *peer)
{
    if (ctx->client || peer->known)
        return true;
    if (ctx->logging == LOGGING_UNDECIDED)
        ctx->logging = stranger_lines_permit(ctx->gateway, peer) ? LOGGING_PERMITTED : LOGGING_DENIED;
    return ctx->logging == LOGGING_PERMITTED;
}

static void log_end(struct request_context *ctx, const struct http_req *req, int status,
                    const struct fault *f, uint64_t took_us)
{
    const char *client = ctx->client ? ctx->client->conf->name : NULL;
    const char *trace = *ctx->trace_id ? ctx->trace_id : NULL;
    enum log_level level = ctx->route->flags & ROUTE_QUIET ? LOG_DEBUG : LOG_INFO;

    if (!log_on(level) || !ctx_may_log(ctx, req->peer))
        return;
    if (!f)
        log_event(level, "request",
                  "request_id=%s operation=%s client=%s status=%d duration_ms=%.1f trace_id=%s",
                  ctx->request_id, ctx->route->operation, client, status, (double)took_us / 1000, trace);
    else
        log_event(
            level, "request",
            "request_id=%s operation=%s client=%s status=%d duration_ms=%.1f trace_id=%s code=%s detail=%s",
            ctx->request_id, ctx->route->operation, client, status, (double)took_us / 1000, trace,
            fault_row(f->code)->code, f->detail);
}

static void list_failure(const struct request_context *ctx, const struct fault *f)
{
    const struct gateway *gw = ctx->gateway;

    last_errors_add(gw->last_errors,
                    &(struct failed_request){.wall_ms = clock_wall(gw->clock),
                                             .request_id = ctx->request_id,
                                             .operation = ctx->route->operation,
                                             .client = ctx->client ? ctx->client->conf->name : NULL,
                                             .user = ctx->user,
                                             .endpoint = ctx->endpoint,
                                             .fault = f});
}

static void count_and_log(struct request_context *ctx, const struct http_req *req, int status,
                          const struct fault *f)
{
    uint64_t took_us = clock_measure_us() - ctx->started_us;
    gateway_count(ctx->gateway, ctx->route, status, took_us);
    if (f)
        list_failure(ctx, f);
    log_end(ctx, req, status, f, took_us);
}

static void ctx_free(struct request_context *ctx)
{
    buf_free(&ctx->body);
    if (ctx->left)
        ctx->left(ctx->termination);
    free(ctx->target);
    free(ctx);
}

/* Body and headers are given to the server; frees the context. */
static void ctx_finish(struct request_context *ctx, struct http_response *response, const struct fault *f)
{
    struct http_req *req = ctx_detach(ctx);
    count_and_log(ctx, req, response->status, f);
    http_respond(req, response);
    ctx_free(ctx);
}

static void end_without_response(struct request_context *ctx, int status, const struct fault *f)
{
    struct op *op = ctx->op;

    ctx->op = NULL;
    count_and_log(ctx, ctx_detach(ctx), status, f);
    ctx_free(ctx);
    if (op)
        broker_leave(op);
}

void ctx_gone(struct request_context *ctx)
{
    end_without_response(ctx, STATUS_GONE, NULL);
}

void ctx_refused(struct request_context *ctx, const struct fault *f)
{
    end_without_response(ctx, fault_status(f), f);
}

/* All lines together fit: the id is the longest, and limited. */
static size_t add_text(char headers[HEADERS_SIZE], size_t at, const char *text)
{
    (void)text_copy(headers + at, HEADERS_SIZE - at, text);
    return at + strlen(headers + at);
}

static void ctx_respond(struct request_context *ctx, int status, const char *type)
{
    char headers[HEADERS_SIZE];
    size_t n = add_text(headers, 0, "X-Request-Id: ");

    n = add_text(headers, n, ctx->request_id);
    n = add_text(headers, n, "\r\n");
    if (ctx->body.secret)
        (void)add_text(headers, n, "Cache-Control: no-store\r\n");
    ctx_finish(ctx,
               &(struct http_response){.status = status,
                                       .content_type = type,
                                       .body = &ctx->body,
                                       .headers = headers,
                                       .close = ctx->close_after},
               NULL);
}

static void respond_with_body(struct request_context *ctx, int status, const char *type)
{
    struct fault f;

    if (!ctx->body.failed) {
        ctx_respond(ctx, status, type);
        return;
    }
    fault_set(&f, FAULT_INTERNAL, "the answer could not be built: out of memory, or longer than %u bytes",
              RESPONSE_MAX);
    ctx_fail(ctx, &f);
}

void ctx_text(struct request_context *ctx, const char *content_type)
{
    respond_with_body(ctx, 200, content_type);
}

struct jsonw *ctx_object(struct request_context *ctx)
{
    buf_free(&ctx->body);
    ctx->json = jsonw_start(&ctx->body);
    jsonw_object(&ctx->json, NULL);
    return &ctx->json;
}

struct jsonw *ctx_secret_object(struct request_context *ctx)
{
    buf_free(&ctx->body);
    ctx->body = BUF_SECRET(RESPONSE_MAX);
    return ctx_object(ctx);
}

void ctx_json(struct request_context *ctx, int status)
{
    if (ctx->json.depth)
        jsonw_end(&ctx->json);
    respond_with_body(ctx, status, "application/json");
}

void ctx_empty(struct request_context *ctx)
{
    ctx_respond(ctx, 204, NULL);
}

static const char *allowed_methods(const struct route *route)
{
    return route->method == HTTP_POST_ ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
}

/* A client without a length may still send a body, which must not be read as a request: 411 closes the
 * connection. */
void ctx_fail(struct request_context *ctx, const struct fault *f)
{
    char headers[HEADERS_SIZE], retry[40] = "";
    int status = fault_status(f);
    unsigned after_s = problem_retry_after(f);

    if (after_s)
        snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", after_s);
    snprintf(headers, sizeof(headers), "X-Request-Id: %s\r\n%s%s%s", ctx->request_id, retry,
             status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
             status == 405 ? allowed_methods(ctx->route) : "");
    buf_free(&ctx->body);
    ctx->body = BUF_INIT(f->whole_detail ? RESPONSE_MAX : PROBLEM_MAX);
    problem_write(&ctx->body, f, ctx->request_id);
    ctx_finish(ctx,
               &(struct http_response){.status = status,
                                       .content_type = ctx->body.failed ? NULL : PROBLEM_TYPE,
                                       .body = ctx->body.failed ? NULL : &ctx->body,
                                       .headers = headers,
                                       .close = ctx->close_after || f->code == FAULT_LENGTH_REQUIRED},
               f);
}

void ctx_give_up(struct request_context *ctx)
{
    struct op *op = ctx->op;
    struct fault f;

    ctx->op = NULL;
    fault_set(&f, FAULT_DRAINING,
              "the gateway is shutting down and drain_timeout is over; the operation was given up");
    ctx_fail(ctx, &f);
    if (op)
        broker_leave(op);
}

bool ctx_succeeded(struct request_context *ctx, const struct fault *f)
{
    ctx->op = NULL;
    if (f)
        ctx_fail(ctx, f);
    return !f;
}

void ctx_wait(struct request_context *ctx, struct op *op)
{
    struct fault f;
    ctx->op = op;
    if (op)
        return;
    fault_set(&f, FAULT_INTERNAL, "out of memory");
    ctx_fail(ctx, &f);
}
