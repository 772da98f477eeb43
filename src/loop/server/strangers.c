/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strangers.c - connections that have shown no client, and what they may use.
 *
 * The rule: every byte, line and turn that a stranger causes draws on a budget that authenticated work and
 * the control socket do not share. Turns are in read_queue.c, log lines belong to the application (may_log);
 * here are connections and bytes.
 *
 * Connections: strangers have half of max_connections. Everybody begins as a stranger, so the next one is let
 * in, and the one that came first is closed: a client shows itself with its first request, soon after it
 * connects, and who stays a stranger for long is hardly one. A full house closes a stranger for anybody. Each
 * has a moment (GRACE_MS) to say something, and what it has said is heard before it is closed; who knocks
 * meanwhile waits in the kernel, where what he has to say arrives with him.
 *
 * Bytes: what the unfinished requests of all strangers hold has a limit, and the part of it that lies in
 * secret memory another. Over it the connection that began to hold first is closed. Clients' connections have
 * only a limit for all of them together in secret memory, so that they leave a part of it to the vault's
 * answers.
 *
 * Invariants: a connection is in `all` as long as it is a stranger, and in `holders` while it holds bytes.
 * Nothing of a connection is counted here once it is closed.
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <inttypes.h>

#define LEAST_SHARE   4 /* connections: of less there are no halves */
#define GRACE_MS      20
#define LINE_MS       2     /* where all wait to be heard: until some of them have been */
#define FIRST_FEW     64    /* looked at for one to close */
#define WARN_EVERY_MS 60000 /* a flood of connections must not become a flood of lines */

static const char *const reasons[HTTP_NREASONS] = {
    [HTTP_FOR_ROOM] = "connections", [HTTP_FOR_BYTES] = "bytes"};

void strangers_init(struct http_server *server)
{
    TAILQ_INIT(&server->strangers.all);
    TAILQ_INIT(&server->strangers.holders);
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

static void warn(struct http_server *server, enum http_reason reason)
{
    struct strangers *s = &server->strangers;
    uint64_t now = clock_now(loop_clock(server->loop));
    uint64_t closed = s->closed[HTTP_FOR_ROOM] + s->closed[HTTP_FOR_BYTES];

    if (s->warned_of && now - s->warned_ms < WARN_EVERY_MS)
        return;
    log_warn("strangers_closed", "reason=%s closed=%" PRIu64 " connections=%zu bytes=%zu", reasons[reason],
             closed - s->warned_of, s->n, s->bytes);
    s->warned_ms = now;
    s->warned_of = closed;
}

/* Its bytes go at once: they are why it is closed, or others need them. */
static void close_for(struct http_conn *c, enum http_reason reason)
{
    struct http_server *server = c->server;

    server->strangers.closed[reason]++;
    warn(server, reason);
    conn_close(c, reason == HTTP_FOR_ROOM ? "its place is needed" : "its bytes are too many");
    conn_clear_request(c);
    buf_free(&c->pending);
}

/* It is being served, or has said something that is not heard yet. Who never stops is not waited for. */
static bool is_awaited(const struct http_conn *c)
{
    return c->req_open || c->phase == CONN_RESPONSE || c->called ||
           (c->queue && c->queue != &c->server->read_queues[QUEUE_INSISTENT]);
}

/* The one that came first and is not awaited; NULL = none of the first few. */
static struct http_conn *first_to_go(const struct http_server *server)
{
    struct http_conn *c = TAILQ_FIRST(&server->strangers.all);

    for (int i = 0; c && i < FIRST_FEW && is_awaited(c); i++)
        c = TAILQ_NEXT(c, stranger_link);
    return c && !is_awaited(c) ? c : NULL;
}

bool strangers_make_room(struct http_server *server)
{
    struct http_conn *c = first_to_go(server);

    if (!c)
        c = TAILQ_FIRST(&server->strangers.all);
    if (c)
        close_for(c, HTTP_FOR_ROOM);
    return c;
}

/* ---- who is one ---- */

static size_t share(const struct http_server *server)
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
    if (!full && server->strangers.n < share(server))
        return true;
    if (!server->strangers.n)
        return false;
    c = first_to_go(server);
    age = c ? clock_now(loop_clock(server->loop)) - c->since_ms : 0;
    if (age >= GRACE_MS)
        return true;
    *wait_ms = c ? GRACE_MS - age : LINE_MS;
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
    if (c->peer.known || c->place != PLACE_INSIDE)
        return;
    while (s->n >= share(c->server) && strangers_make_room(c->server))
        ;
    c->stranger = true;
    s->n++;
    TAILQ_INSERT_TAIL(&s->all, c, stranger_link);
}

void strangers_meet(struct http_conn *c)
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

void strangers_leave(struct http_conn *c)
{
    struct strangers *s = &c->server->strangers;

    if (!c->stranger)
        return;
    if (c->holder)
        TAILQ_REMOVE(&s->holders, c, holder_link);
    s->bytes -= c->held;
    s->secret -= c->held_secret; /* what lies in secret memory is now a client's */
    s->n--;
    TAILQ_REMOVE(&s->all, c, stranger_link);
    c->held = 0;
    c->stranger = c->holder = c->called = false;
    read_queue_leave(c);
}

void strangers_forget(struct http_conn *c)
{
    strangers_leave(c);
    c->server->secret -= c->held_secret;
    c->held_secret = 0;
}

static size_t or_default(size_t limit, size_t fallback)
{
    return limit ? limit : fallback;
}

static bool too_much(const struct http_server *server)
{
    const struct http_server_opts *o = &server->opts;

    return server->strangers.bytes > or_default(o->max_stranger_bytes, HTTP_STRANGER_BYTES) ||
           server->strangers.secret > or_default(o->max_stranger_secret, HTTP_STRANGER_SECRET);
}

/* Its place among the holders is where it began to hold: bytes that come later do not make it younger. */
static void weigh_stranger(struct http_conn *c, size_t bytes, size_t secret)
{
    struct strangers *s = &c->server->strangers;
    bool holds = bytes + secret > 0;

    s->bytes += bytes + secret - c->held;
    s->secret += secret - c->held_secret;
    c->server->secret += secret - c->held_secret;
    c->held = bytes + secret;
    c->held_secret = secret;
    if (holds && !c->holder)
        TAILQ_INSERT_TAIL(&s->holders, c, holder_link);
    else if (!holds && c->holder)
        TAILQ_REMOVE(&s->holders, c, holder_link);
    c->holder = holds;
    while (too_much(c->server) && !TAILQ_EMPTY(&s->holders))
        close_for(TAILQ_FIRST(&s->holders), HTTP_FOR_BYTES);
}

void strangers_weigh(struct http_conn *c)
{
    struct http_server *server = c->server;
    size_t secret = c->pending.cap + c->head.shown.cap;

    if (c->phase == CONN_CLOSED)
        return;
    if (c->stranger) {
        weigh_stranger(c, c->head.text.cap + c->body.cap, secret);
        return;
    }
    server->secret += secret - c->held_secret;
    c->held_secret = secret;
    if (secret && server->opts.max_secret && server->secret > server->opts.max_secret)
        conn_close(c, "secret memory for clients is used up");
}
