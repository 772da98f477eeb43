/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strangers.c - connections that have identified no client, and what they may use.
 *
 * The rule: every byte, log line and read that a stranger causes is taken from a budget that authenticated
 * work and the control socket do not share. Reads are limited by read_queue.c, log lines by the application
 * (may_log), connections and bytes here.
 *
 * Connections: strangers have half of max_connections. Every connection begins as a stranger's, so a new one
 * is accepted and the oldest is closed: a client identifies itself with its first request, soon after it
 * connects. At max_connections a stranger's connection is closed for any new one. Each has GRACE_MS to send a
 * request, and a request that has arrived is served before the connection is closed; new connections wait in
 * the kernel's backlog meanwhile.
 *
 * Bytes: what the unfinished requests of all strangers hold has a limit, and the part of it that lies in
 * secret memory another. Over a limit the connection whose bytes began first is closed. Clients' connections
 * have one limit together, in secret memory, which leaves a part of it to the vault's answers.
 *
 * Invariants: a connection is in `all` as long as it is a stranger's, and in `buffering` while it holds
 * bytes. A closed connection is not counted.
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <inttypes.h>

#define LEAST_SHARE   4 /* connections strangers may have however small max_connections is */
#define GRACE_MS      20
#define QUEUE_MS      2     /* the wait when every stranger waits to be read */
#define FIRST_FEW     64    /* considered for closing */
#define WARN_EVERY_MS 60000 /* many connections must not cause many lines */

static const char *const reasons[HTTP_NREASONS] = {
    [HTTP_FOR_CONNECTIONS] = "connections", [HTTP_FOR_BYTES] = "bytes"};

void strangers_init(struct http_server *server)
{
    TAILQ_INIT(&server->strangers.all);
    TAILQ_INIT(&server->strangers.buffering);
}

void http_strangers(const struct http_server *server, struct http_strangers *out)
{
    const struct strangers *s = &server->strangers;

    *out = (struct http_strangers){.connections = s->n, .bytes = s->bytes};
    for (size_t i = 0; i < HTTP_NREASONS; i++)
        out->closed[i] = s->closed[i];
}

bool strangers_may_log(const struct http_conn *c)
{
    const struct http_app *app = &c->server->app;

    return c->peer.known || !app->may_log || app->may_log(app->arg, &c->peer);
}

/* ---- closing for others ---- */

static void warn_closed(struct http_server *server, enum http_close_reason reason)
{
    struct strangers *s = &server->strangers;
    uint64_t now = clock_now(loop_clock(server->loop));
    uint64_t closed = s->closed[HTTP_FOR_CONNECTIONS] + s->closed[HTTP_FOR_BYTES];

    if (s->warned_of && now - s->warned_ms < WARN_EVERY_MS)
        return;
    log_warn("strangers_closed", "reason=%s closed=%" PRIu64 " connections=%zu bytes=%zu", reasons[reason],
             closed - s->warned_of, s->n, s->bytes);
    s->warned_ms = now;
    s->warned_of = closed;
}

/* Its bytes are freed at once: others need them. */
static void close_for_others(struct http_conn *c, enum http_close_reason reason)
{
    struct http_server *server = c->server;

    server->strangers.closed[reason]++;
    warn_closed(server, reason);
    conn_close(c, reason == HTTP_FOR_CONNECTIONS ? "closed for another connection"
                                                 : "too many bytes of unfinished requests");
    conn_clear_request(c);
    buf_free(&c->pending);
}

/* It is being served, or has sent bytes that are not read yet. An insistent connection is not waited for. */
static bool is_awaited(const struct http_conn *c)
{
    return c->req_open || c->phase == CONN_RESPONSE || c->may_read ||
           (c->queue && c->queue != &c->server->read_queues[QUEUE_INSISTENT]);
}

/* The oldest that is not awaited; NULL = none of the first FIRST_FEW. */
static struct http_conn *first_closable(const struct http_server *server)
{
    struct http_conn *c = TAILQ_FIRST(&server->strangers.all);

    for (int i = 0; c && i < FIRST_FEW && is_awaited(c); i++)
        c = TAILQ_NEXT(c, stranger_link);
    return c && !is_awaited(c) ? c : NULL;
}

bool strangers_make_room(struct http_server *server)
{
    struct http_conn *c = first_closable(server);

    if (!c)
        c = TAILQ_FIRST(&server->strangers.all);
    if (c)
        close_for_others(c, HTTP_FOR_CONNECTIONS);
    return c;
}

/* ---- entering and leaving ---- */

static size_t stranger_limit(const struct http_server *server)
{
    size_t half = server->opts.max_connections / 2;

    return half > LEAST_SHARE ? half : LEAST_SHARE;
}

bool strangers_have_room(struct http_server *server, uint64_t *wait_ms)
{
    bool full = server->nconns >= server->opts.max_connections;
    const struct http_conn *c;
    uint64_t age;

    *wait_ms = UINT64_MAX;
    if (!full && server->strangers.n < stranger_limit(server))
        return true;
    if (!server->strangers.n)
        return false;
    c = first_closable(server);
    age = c ? clock_now(loop_clock(server->loop)) - c->since_ms : 0;
    if (age >= GRACE_MS)
        return true;
    *wait_ms = c ? GRACE_MS - age : QUEUE_MS;
    return false;
}

static bool shows_client(const struct http_conn *c)
{
    const struct http_app *app = &c->server->app;

    return !app->knows || app->knows(app->arg, &c->peer);
}

void strangers_enter(struct http_conn *c)
{
    struct strangers *s = &c->server->strangers;

    c->peer.known = shows_client(c);
    if (c->peer.known || c->place != PLACE_COUNTED)
        return;
    while (s->n >= stranger_limit(c->server) && strangers_make_room(c->server))
        ;
    c->stranger = true;
    s->n++;
    TAILQ_INSERT_TAIL(&s->all, c, stranger_link);
}

static void strangers_leave(struct http_conn *c)
{
    struct strangers *s = &c->server->strangers;

    if (!c->stranger)
        return;
    if (c->buffering)
        TAILQ_REMOVE(&s->buffering, c, buffering_link);
    s->bytes -= c->buffered;
    s->secret -= c->buffered_secret; /* its secret memory now counts as a client's */
    s->n--;
    TAILQ_REMOVE(&s->all, c, stranger_link);
    c->buffered = 0;
    c->stranger = c->buffering = c->may_read = false;
    read_queue_leave(c);
}

void strangers_check_certificate(struct http_conn *c)
{
    if (!c->stranger || !shows_client(c))
        return;
    c->peer.known = true;
    strangers_leave(c);
}

void http_known(const struct http_req *req)
{
    struct http_conn *c = req->conn;

    c->peer.known = true;
    strangers_leave(c);
}

/* ---- bytes ---- */

void strangers_forget(struct http_conn *c)
{
    strangers_leave(c);
    c->server->secret -= c->buffered_secret;
    c->buffered_secret = 0;
}

static size_t or_default(size_t limit, size_t fallback)
{
    return limit ? limit : fallback;
}

static bool over_limit(const struct http_server *server)
{
    const struct http_server_opts *o = &server->opts;

    return server->strangers.bytes > or_default(o->max_stranger_bytes, HTTP_STRANGER_BYTES) ||
           server->strangers.secret > or_default(o->max_stranger_secret, HTTP_STRANGER_SECRET);
}

/* Its position in `buffering` is that of its first byte: later bytes do not move it back. */
static void count_stranger(struct http_conn *c, size_t bytes, size_t secret)
{
    struct strangers *s = &c->server->strangers;
    bool holds = bytes + secret > 0;

    s->bytes += bytes + secret - c->buffered;
    s->secret += secret - c->buffered_secret;
    c->server->secret += secret - c->buffered_secret;
    c->buffered = bytes + secret;
    c->buffered_secret = secret;
    if (holds && !c->buffering)
        TAILQ_INSERT_TAIL(&s->buffering, c, buffering_link);
    else if (!holds && c->buffering)
        TAILQ_REMOVE(&s->buffering, c, buffering_link);
    c->buffering = holds;
    while (over_limit(c->server) && !TAILQ_EMPTY(&s->buffering))
        close_for_others(TAILQ_FIRST(&s->buffering), HTTP_FOR_BYTES);
}

void strangers_count_bytes(struct http_conn *c)
{
    struct http_server *server = c->server;
    size_t secret = c->pending.cap + c->head.shown.cap;

    if (c->phase == CONN_CLOSED)
        return;
    if (c->stranger) {
        count_stranger(c, c->head.text.cap + c->body.cap, secret);
        return;
    }
    server->secret += secret - c->buffered_secret;
    c->buffered_secret = secret;
    if (secret && server->opts.max_secret && server->secret > server->opts.max_secret)
        conn_close(c, "secret memory for clients is used up");
}
