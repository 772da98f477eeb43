/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - the HTTP server as a whole: start, drain, end, and what an application reads of it.
 *
 * The idea: the server counts the open handles of its listeners and connections. Draining and closing only
 * close handles; the callback of the last closed handle frees the server. So one function frees it, and none
 * of its own functions is then on the stack.
 *
 * Life: http_server_new -> http_listen* -> (http_drain) -> http_server_close -> closed().
 * A drained server without handles waits for http_server_close().
 */
#include "loop/server/server.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "loop/server/connection.h"
#include "loop/server/tls_tickets.h"

#include <stdlib.h>
#include <string.h>

#define LINGER_MS         2000
#define DEFAULT_PIPELINED 16384

static uint64_t or_never(uint64_t ms)
{
    return ms ? ms : UINT64_MAX;
}

static void set_timeouts(struct http_server *server)
{
    const struct http_server_opts *o = &server->opts;
    uint64_t *t = server->timeout_ms;

    t[CONN_HANDSHAKE] = t[CONN_HEAD] = t[CONN_CERTIFICATE] = or_never(o->header_timeout_ms);
    t[CONN_IDLE] = or_never(o->idle_timeout_ms);
    t[CONN_BODY] = t[CONN_TRAILERS] = or_never(o->body_timeout_ms);
    t[CONN_RESPONSE] = t[CONN_PIECE] = or_never(o->write_timeout_ms);
    t[CONN_NEXT] = 0;
    t[CONN_LINGER] = LINGER_MS;
    t[CONN_WORK] = t[CONN_PIECES] = t[CONN_CLOSED] = UINT64_MAX;
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_opts *opts,
                                    const struct http_app *app)
{
    /* The read buffers hold tokens: the server is allocated in secret memory, which is zeroed. */
    struct http_server *server = secret_alloc(sizeof(*server));

    if (!server)
        return NULL;
    server->loop = loop;
    server->opts = *opts;
    server->app = *app;
    if (!server->opts.max_pipelined)
        server->opts.max_pipelined = DEFAULT_PIPELINED;
    TAILQ_INIT(&server->conns);
    fair_queue_init(&server->backlog);
    fair_queue_init(&server->urgent);
    TAILQ_INIT(&server->waiting);
    read_queues_init(server);
    strangers_init(server);
    SLIST_INIT(&server->listeners);
    set_timeouts(server);
    return server;
}

void http_server_limits(struct http_server *server, const struct http_server_opts *opts)
{
    size_t max_pipelined = server->opts.max_pipelined;

    server->opts = *opts;
    server->opts.max_pipelined = max_pipelined; /* buffers were sized by it */
    set_timeouts(server);
}

/* ---- certificates ---- */

static void rotate_later(struct http_server *);

static void on_rotate(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, rotate);
    struct listener *l;

    SLIST_FOREACH(l, &server->listeners, link)
    if (l->tls && tls_context_rotate(l->tls))
        log_error("ticket_keys", "listener=%s error=%s", l->name, "no random numbers: the old keys stay");
    rotate_later(server);
}

static void rotate_later(struct http_server *server)
{
    timer_set(loop_timers(server->loop), &server->rotate, TLS_TICKETS_PERIOD_S * 1000, on_rotate);
}

int server_rotate(struct http_server *server)
{
    if (timer_running(&server->rotate))
        return 0;
    int err = timer_reserve(loop_timers(server->loop), &server->rotate);

    if (!err)
        rotate_later(server);
    return err;
}

/* conn_close() leaves the list as it is. */
static void judge_connections(struct listener *l)
{
    struct tls_trust trust = {.now = l->tls};
    struct http_conn *c;
    size_t ended = 0;

    TAILQ_FOREACH(c, &l->server->conns, link)
    {
        if (c->listener != l || !c->tls || c->phase == CONN_CLOSED || tls_still_trusted(c->tls, &trust))
            continue;
        conn_distrust(c);
        ended++;
    }
    if (ended)
        log_info("connections_distrusted", "listener=%s connections=%zu", l->name, ended);
}

bool http_listener_reload(struct http_server *server, const char *name, struct tls_context *context)
{
    struct listener *l;

    SLIST_FOREACH(l, &server->listeners, link)
    {
        if (!l->tls || strcmp(l->name, name) != 0)
            continue;
        tls_context_unref(l->tls);
        l->tls = context;
        judge_connections(l);
        return true;
    }
    return false;
}

static void server_finish(struct http_server *server)
{
    void (*closed)(void *) = server->closed;
    void *arg = server->closed_arg;

    while (!SLIST_EMPTY(&server->listeners)) {
        struct listener *l = SLIST_FIRST(&server->listeners);

        SLIST_REMOVE_HEAD(&server->listeners, link);
        listener_free(l);
    }
    secret_free(server);
    if (closed)
        closed(arg);
}

void server_handle_closed(struct http_server *server)
{
    server->handles--;
    if (server->closing && server->handles == 0 && !timer_running(&server->end))
        server_finish(server);
}

static void on_end(struct deadline *deadline)
{
    server_finish(CONTAINER_OF(deadline, struct http_server, end));
}

static void close_listeners(struct http_server *server)
{
    struct listener *l;

    SLIST_FOREACH(l, &server->listeners, link) listener_close(l);
}

/* conn_close() leaves the list as it is, so that the walk is safe whatever gone() does. */
void http_drain(struct http_server *server)
{
    struct http_conn *c;

    server->last_answers = true;
    timer_stop(loop_timers(server->loop), &server->hand_over.look);
    close_listeners(server);
    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (c->phase == CONN_IDLE || c->phase == CONN_HANDSHAKE)
            conn_close(c, "server drains");
    }
}

void http_server_close(struct http_server *server, void (*closed)(void *arg), void *arg)
{
    struct http_conn *c;

    if (server->closing)
        return;
    server->closing = server->last_answers = true;
    timer_unreserve(loop_timers(server->loop), &server->hand_over.look);
    timer_unreserve(loop_timers(server->loop), &server->rotate);
    server->closed = closed;
    server->closed_arg = arg;
    close_listeners(server);
    TAILQ_FOREACH(c, &server->conns, link) conn_close(c, "server closes");
    timer_stop(loop_timers(server->loop), &server->begin);
    timer_stop(loop_timers(server->loop), &server->serve_queues);
    timer_stop(loop_timers(server->loop), &server->accept_waiting);
    if (server->handles == 0 && timer_start(loop_timers(server->loop), &server->end, 0, on_end))
        server_finish(server); /* no memory for a deadline; without connections no callback is on the stack */
}

size_t http_connections(const struct http_server *server)
{
    return server->nconns;
}

size_t http_busy(const struct http_server *server)
{
    return server->busy;
}

bool http_sending(const struct http_server *server)
{
    const struct http_conn *c;

    TAILQ_FOREACH(c, &server->conns, link)
    {
        if (c->phase == CONN_RESPONSE)
            return true;
    }
    return false;
}

int64_t http_certificate_end(const struct http_server *server)
{
    const struct listener *l;
    int64_t earliest = 0;

    SLIST_FOREACH(l, &server->listeners, link)
    {
        int64_t end = l->tls ? tls_context_end(l->tls) : 0;

        if (end && (!earliest || end < earliest))
            earliest = end;
    }
    return earliest;
}

size_t http_certificates(const struct http_server *server, struct http_certificate *out, size_t max)
{
    const struct listener *l;
    size_t n = 0;

    SLIST_FOREACH(l, &server->listeners, link)
    {
        int64_t ends[2] = {l->tls ? tls_context_end(l->tls) : 0, l->tls ? tls_context_crl_end(l->tls) : 0};

        for (int i = 0; i < 2; i++)
            if (ends[i] && n < max)
                out[n++] = (struct http_certificate){
                    .kind = i ? "client_crl" : "listener", .name = l->name, .is_crl = i, .end = ends[i]};
    }
    return n;
}
