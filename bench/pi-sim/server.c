/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - life of the vault's server; see server.h.
 */
#include "pi-sim/server.h"

#include "pi-sim/call.h"
#include "pi-sim/spoil.h"

#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT ((int64_t)1 << 20)

/* ---- what the HTTP server calls ---- */

static int64_t on_head(void *arg, struct http_req *req)
{
    (void)arg;
    if (req->content_length <= BODY_LIMIT)
        return BODY_LIMIT;
    http_respond(req, &(struct http_response){.status = 413, .close = true});
    return -1;
}

static void on_message(void *arg, struct http_req *req)
{
    pi_call_start(arg, req);
}

static void on_gone(void *arg, struct http_req *req)
{
    (void)arg;
    if (req->app)
        pi_call_client_left(req->app);
}

static const char *on_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                             const struct fault *fault, struct buf *body, struct buf *extra_headers)
{
    (void)peer;
    (void)arg;
    (void)req;
    (void)extra_headers;
    (void)buf_printf(body, "<!DOCTYPE html><html><body><h2>Bad Request - %d</h2></body></html>",
                     fault_status(fault));
    return "text/html";
}

/* ---- life ---- */

static struct http_server *make_http(struct server *s)
{
    const struct http_server_opts opts = {.max_connections = 50000,
                                          .header_timeout_ms = 60000,
                                          .body_timeout_ms = 60000,
                                          .idle_timeout_ms = s->http_idle_ms,
                                          .write_timeout_ms = 60000,
                                          .max_pipelined = 65536};
    const struct http_app app = {
        .arg = s, .head = on_head, .message = on_message, .gone = on_gone, .refuse = on_refuse};

    return http_server_new(s->loop, &opts, &app);
}

static int build(struct server *s)
{
    int rc = simtime_init(&s->time, s->loop);

    s->counts = calloc(dispatch_nnames, sizeof(*s->counts));
    if (rc || !s->counts)
        return -1;
    s->vault = vault_new(s->time.timers);
    if (!s->vault)
        return -1;
    s->http = make_http(s);
    return s->http ? 0 : -1;
}

struct server *server_new(struct loop *loop, uint64_t http_idle_ms)
{
    struct server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    s->http_idle_ms = http_idle_ms;
    TAILQ_INIT(&s->calls);
    fault_injection_init(&s->fault_injection, 1, spoil_actions, spoil_nactions);
    if (build(s)) {
        s->closing = true;
        server_free(s);
        return NULL;
    }
    return s;
}

static void on_closed(void *arg)
{
    ((struct server *)arg)->closed = true;
}

void server_close(struct server *s)
{
    struct pi_call *c;

    if (s->closing)
        return;
    s->closing = true;
    simtime_stop(&s->time);
    http_server_close(s->http, on_closed, s);
    while ((c = TAILQ_FIRST(&s->calls)))
        pi_call_drop(c);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    vault_free(s->vault);
    simtime_free(&s->time);
    fault_injection_clear(&s->fault_injection);
    free(s->counts);
    free(s);
}
