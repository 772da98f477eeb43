/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - one request from head to answer: its id, its answer, its end.
 *
 * Every answer leaves through finish(): one place that writes the common header lines, counts, logs one line,
 * cuts the link to the server's request, and frees the ask. An answer that could not be built (out of memory,
 * longer than ANSWER_MAX) becomes a 500; the half of it that exists is wiped.
 *
 * Order that matters: the link is cut before http_respond(), which may hand the next pipelined request to the
 * router at once.
 */
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/gateway.h"
#include "handlers/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define STATUS_GONE  499 /* counted and logged where the client did not wait */
#define HEADERS_SIZE 512
#define PROBLEM_MAX  8192

void ask_request_id(const struct http_req *req, char out[REQUEST_ID_MAX + 1])
{
    const char *sent = req ? http_header(req, "X-Request-Id") : NULL;
    char made[ID_SIZE];

    if (sent && http_header_count(req, "X-Request-Id") == 1 && strlen(sent) <= REQUEST_ID_MAX &&
        text_only(sent, ID_LETTERS)) {
        (void)text_copy(out, REQUEST_ID_MAX + 1, sent); /* fits: its length was asked */
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

/* traceparent of W3C: version-trace-parent-flags; a form we do not know is no trace. */
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

struct ask *ask_new(struct gateway *gw, struct http_req *req)
{
    struct ask *ask = malloc(sizeof(*ask));
    if (!ask)
        return NULL;
    *ask = (struct ask){.gateway = gw, .req = req, .started_us = clock_measure_us()};
    ask_request_id(req, ask->request_id);
    read_trace(req, ask->trace_id);
    req->app = ask;
    TAILQ_INSERT_TAIL(&gw->asks, ask, link);
    return ask;
}

void ask_origin(const struct ask *ask, struct session *s)
{
    s->client = ask->client ? ask->client->conf->name : NULL;
    s->request_id = ask->request_id;
    s->trace_id = *ask->trace_id ? ask->trace_id : NULL;
}

/* Cuts the ask off its request and takes it out of the count. */
static struct http_req *detach(struct ask *ask)
{
    struct http_req *req = ask->req;
    req->app = NULL;
    ask->req = NULL;
    TAILQ_REMOVE(&ask->gateway->asks, ask, link);
    if (ask->counted)
        ask->gateway->inflight--;
    ask->counted = false;
    return req;
}

bool ask_may_log(struct ask *ask, const struct http_peer *peer)
{
    if (ask->client || peer->known)
        return true;
    if (ask->lines == LINES_UNASKED)
        ask->lines = stranger_lines_permit(ask->gateway, peer) ? LINES_GRANTED : LINES_DENIED;
    return ask->lines == LINES_GRANTED;
}

static void log_end(struct ask *ask, const struct http_req *req, int status, const struct fault *f,
                    uint64_t took_us)
{
    const char *client = ask->client ? ask->client->conf->name : NULL;
    const char *trace = *ask->trace_id ? ask->trace_id : NULL;
    enum log_level level = ask->route->flags & ROUTE_QUIET ? LOG_DEBUG : LOG_INFO;

    if (!log_on(level) || !ask_may_log(ask, req->peer))
        return;
    if (!f)
        log_event(level, "request",
                  "request_id=%s operation=%s client=%s status=%d duration_ms=%.1f trace_id=%s",
                  ask->request_id, ask->route->operation, client, status, (double)took_us / 1000, trace);
    else
        log_event(
            level, "request",
            "request_id=%s operation=%s client=%s status=%d duration_ms=%.1f trace_id=%s code=%s detail=%s",
            ask->request_id, ask->route->operation, client, status, (double)took_us / 1000, trace,
            fault_row(f->code)->code, f->detail);
}

static void count_and_log(struct ask *ask, const struct http_req *req, int status, const struct fault *f)
{
    uint64_t took_us = clock_measure_us() - ask->started_us;
    gateway_count(ask->gateway, ask->route, status, took_us);
    log_end(ask, req, status, f, took_us);
}

static void ask_free(struct ask *ask)
{
    free(ask->target);
    free(ask);
}

/* Body and headers are given to the server; frees the ask. */
static void finish(struct ask *ask, struct http_answer *answer, const struct fault *f)
{
    struct http_req *req = detach(ask);
    count_and_log(ask, req, answer->status, f);
    http_respond(req, answer);
    ask_free(ask);
}

static void end_without_answer(struct ask *ask, int status, const struct fault *f)
{
    struct op *op = ask->op;

    ask->op = NULL;
    count_and_log(ask, detach(ask), status, f);
    ask_free(ask);
    if (op)
        broker_leave(op);
}

void ask_gone(struct ask *ask)
{
    end_without_answer(ask, STATUS_GONE, NULL);
}

void ask_refused(struct ask *ask, const struct fault *f)
{
    end_without_answer(ask, fault_status(f), f);
}

/* The longest of all lines together is the id, which is short: they fit. */
static size_t add(char headers[HEADERS_SIZE], size_t at, const char *text)
{
    (void)text_copy(headers + at, HEADERS_SIZE - at, text);
    return at + strlen(headers + at);
}

static void respond(struct ask *ask, int status, const char *type, struct buf *body, unsigned flags)
{
    char headers[HEADERS_SIZE];
    size_t n = add(headers, 0, "X-Request-Id: ");

    n = add(headers, n, ask->request_id);
    n = add(headers, n, "\r\n");
    if (flags & ANSWER_SECRET)
        (void)add(headers, n, "Cache-Control: no-store\r\n");
    finish(ask,
           &(struct http_answer){.status = status, .content_type = type, .body = body, .headers = headers},
           NULL);
    buf_free(body);
}

void ask_text(struct ask *ask, const char *content_type, struct buf *body)
{
    if (!body->failed) {
        respond(ask, 200, content_type, body, 0);
        return;
    }
    struct fault f;
    fault_set(&f, FAULT_INTERNAL, "the answer could not be built: out of memory, or longer than %u bytes",
              ANSWER_MAX);
    buf_free(body);
    ask_fail(ask, &f);
}

void ask_json(struct ask *ask, int status, struct buf *body, unsigned flags)
{
    if (body->failed)
        ask_text(ask, NULL, body);
    else
        respond(ask, status, "application/json", body, flags);
}

void ask_empty(struct ask *ask)
{
    struct buf none = BUF_INIT(0);
    respond(ask, 204, NULL, &none, 0);
}

static const char *allowed_methods(const struct route *route)
{
    return route->method == HTTP_POST_ ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
}

/* Who sends no length may all the same send a body: what follows must not be taken for a request. */
void ask_fail(struct ask *ask, const struct fault *f)
{
    struct buf body = BUF_INIT(PROBLEM_MAX);
    char headers[HEADERS_SIZE], retry[40] = "";
    int status = fault_status(f);
    unsigned after_s = problem_retry_after(f);

    if (after_s)
        snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", after_s);
    snprintf(headers, sizeof(headers), "X-Request-Id: %s\r\n%s%s%s", ask->request_id, retry,
             status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
             status == 405 ? allowed_methods(ask->route) : "");
    problem_write(&body, f, ask->request_id);
    finish(ask,
           &(struct http_answer){.status = status,
                                 .content_type = body.failed ? NULL : PROBLEM_TYPE,
                                 .body = body.failed ? NULL : &body,
                                 .headers = headers,
                                 .close = ask->hang_up || f->code == FAULT_LENGTH_REQUIRED},
           f);
    buf_free(&body);
}

void ask_give_up(struct ask *ask)
{
    struct op *op = ask->op;
    struct fault f;

    ask->op = NULL;
    fault_set(&f, FAULT_DRAINING,
              "the gateway is shutting down and drain_timeout is over; the operation was given up");
    ask_fail(ask, &f);
    if (op)
        broker_leave(op);
}

bool ask_succeeded(struct ask *ask, const struct fault *f)
{
    ask->op = NULL;
    if (f)
        ask_fail(ask, f);
    return !f;
}

void ask_wait(struct ask *ask, struct op *op)
{
    struct fault f;
    ask->op = op;
    if (op)
        return;
    fault_set(&f, FAULT_INTERNAL, "out of memory");
    ask_fail(ask, &f);
}
