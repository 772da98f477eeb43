/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - life of the site's server and of its listener; see server.h.
 */
#include "pra-sim/server.h"

#include "loop/server/tls.h"
#include "pra-sim/call.h"
#include "pra-sim/spoil.h"
#include "sim/options.h"
#include "sim/strings.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
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
    pra_call_start(arg, req);
}

static void on_gone(void *arg, struct http_req *req)
{
    (void)arg;
    if (req->app)
        pra_call_client_left(req->app);
}

static const char *on_refuse(void *arg, const struct http_peer *peer, const struct http_req *req,
                             const struct fault *fault, struct buf *body, struct buf *extra_headers)
{
    (void)peer;
    (void)arg;
    (void)req;
    (void)extra_headers;
    (void)buf_printf(body, "<!DOCTYPE html><html><body><h1>%d</h1></body></html>", fault_status(fault));
    return dispatch_html;
}

/* ---- the listener ---- */

static struct http_server *make_http(struct server *s)
{
    const struct http_server_opts opts = {.max_connections = 50000,
                                          .header_timeout_ms = 60000,
                                          .body_timeout_ms = 60000,
                                          .idle_timeout_ms = 60000,
                                          .write_timeout_ms = 60000,
                                          .max_pipelined = 65536};
    const struct http_app app = {
        .arg = s, .head = on_head, .message = on_message, .gone = on_gone, .refuse = on_refuse};

    return http_server_new(s->loop, &opts, &app);
}

static struct http_tls_opts tls_opts(const struct server *s)
{
    return (struct http_tls_opts){
        .certificate = s->certificate, .key = s->key, .max_version = s->tls12 ? TLS1_2_VERSION : 0};
}

static void on_shut(void *arg)
{
    struct server *s = arg;

    s->http = NULL;
    s->shutting = false;
    if (s->closing)
        s->closed = true;
    else if (s->reopen && server_open(s))
        (void)fprintf(stderr, "pra-sim: the listener does not open again\n");
}

int server_open(struct server *s)
{
    struct http_tls_opts tls = tls_opts(s);
    char bound[128];
    int rc;

    s->reopen = s->shutting;
    if (s->http)
        return 0;
    s->http = make_http(s);
    if (!s->http)
        return -ENOMEM;
    rc = option_listen(s->http, "api", s->address, s->certificate ? &tls : NULL, bound);
    if (!rc)
        rc = strings_replace(&s->address, bound);
    if (rc)
        server_shut(s);
    return rc;
}

void server_shut(struct server *s)
{
    s->reopen = false;
    if (!s->http || s->shutting)
        return;
    s->shutting = true;
    http_server_close(s->http, on_shut, s);
}

int server_certificate(struct server *s, const char *certificate, const char *key, char why[256])
{
    struct http_tls_opts tls = tls_opts(s);
    struct tls_context *context;

    if (!s->certificate)
        return -EINVAL;
    tls.certificate = certificate;
    tls.key = key;
    context = tls_context_new(&tls, why);
    if (!context)
        return -EINVAL;
    if (strings_replace(&s->certificate, certificate) || strings_replace(&s->key, key)) {
        tls_context_unref(context);
        return -ENOMEM;
    }
    if (!s->http || !http_listener_reload(s->http, "api", context))
        tls_context_unref(context);
    return 0;
}

/* ---- life ---- */

struct server *server_new(struct loop *loop, uint64_t seed)
{
    struct server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    TAILQ_INIT(&s->calls);
    fault_injection_init(&s->fault_injection, seed, spoil_actions, spoil_nactions);
    s->log = calloc(SERVER_LOG, sizeof(*s->log));
    if (simtime_init(&s->time, loop) || !s->log) {
        server_free(s);
        return NULL;
    }
    s->site = site_new(s->time.timers, seed);
    if (!s->site) {
        server_free(s);
        return NULL;
    }
    return s;
}

void server_close(struct server *s)
{
    struct pra_call *c;

    if (s->closing)
        return;
    s->closing = true;
    simtime_stop(&s->time);
    server_shut(s);
    s->closed = s->http == NULL;
    while ((c = TAILQ_FIRST(&s->calls)))
        pra_call_drop(c);
}

void server_free(struct server *s)
{
    if (!s)
        return;
    site_free(s->site);
    if (s->time.timers)
        simtime_free(&s->time);
    fault_injection_clear(&s->fault_injection);
    while (s->ncounts)
        free(s->counts[--s->ncounts]);
    if (s->log)
        server_reset_log(s);
    free(s->log);
    free(s->address);
    free(s->certificate);
    free(s->key);
    free(s);
}
