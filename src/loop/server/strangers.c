/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strangers.c - connections that have shown no client, and what they may use.
 *
 * The rule: every byte, line and turn that a stranger causes draws on a budget that authenticated work and
 * the control socket do not share. Turns are in read_queue.c, log lines belong to the application (may_log);
 * here are connections and bytes.
 *
 * Connections: strangers have half of max_connections. Everybody begins as a stranger, so the next one is let
 * in, and another one is closed: a client shows itself with its first request, soon after it connects, and
 * who stays a stranger for long is hardly one. A full house closes a stranger for anybody. The place is taken
 * from the peer that has most of them, or about as many. Of its connections those go first whose handshake
 * has stood still for STANDING_MS, then those that have not come as far as a handshake, then the others. Each
 * has a moment to say something (GRACE_MS), what it has said is heard before it is closed, and a client that
 * is far away has the time of a few round trips once its ClientHello is answered (STANDING_MS), again once
 * its handshake has ended; the handshakes of a peer with many strangers have less (CROWD_MS). Who knocks
 * meanwhile waits in the kernel, where what he has to say arrives with him (listener.c).
 *
 * Bytes: what the unfinished requests of all strangers hold has a limit, and the part of it that lies in
 * secret memory another. Over it the connection that began to hold first is closed. Clients' connections have
 * only a limit for all of them together in secret memory, so that they leave a part of it to the vault's
 * answers.
 *
 * Invariants: a connection is in a list of its peer as long as it is a stranger, and in `holders` while it
 * holds bytes. Nothing of a connection is counted here once it is closed.
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <inttypes.h>

#define LEAST_SHARE   4 /* connections: of less there are no halves */
#define GRACE_MS      20
#define STANDING_MS   1000  /* of a handshake since it went on; then it goes before all others */
#define CROWD_MS      100   /* the same for a peer with many strangers */
#define LINE_MS       2     /* where all wait to be heard: until some of them have been */
#define FIRST_FEW     64    /* looked at for one to close */
#define WARN_EVERY_MS 60000 /* a flood of connections must not become a flood of lines */

static const char *const reasons[HTTP_NREASONS] = {
    [HTTP_FOR_ROOM] = "connections", [HTTP_FOR_BYTES] = "bytes"};

void strangers_init(struct http_server *server)
{
    for (size_t i = 0; i < STRANGER_SIZES; i++)
        TAILQ_INIT(&server->strangers.peers[i]);
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

static uint64_t now_ms(const struct http_server *server)
{
    return clock_now(loop_clock(server->loop));
}

static size_t share(const struct http_server *server)
{
    size_t half = server->opts.max_connections / 2;

    return half > LEAST_SHARE ? half : LEAST_SHARE;
}

/* It is being served, or has said something that is not heard yet. Who never stops, and who does not take its
 * answer, is not waited for. */
static bool is_awaited(const struct http_conn *c)
{
    bool answered = c->phase == CONN_RESPONSE && now_ms(c->server) - c->since_ms < STANDING_MS;

    return c->req_open || answered || c->called ||
           (c->queue && c->queue != &c->server->read_queues[QUEUE_INSISTENT]);
}

/* A search for the connection whose place is needed least. */
struct search {
    struct http_server *server;
    unsigned looks;   /* that are left */
    uint64_t wait_ms; /* until one of those that were found may go */
};

/* The first of them that is not awaited; NULL = none was found. */
static struct http_conn *first_idle(struct search *search, const struct http_conns *list)
{
    struct http_conn *c = TAILQ_FIRST(list);

    while (c && is_awaited(c)) {
        if (!search->looks)
            return NULL;
        search->looks--;
        c = TAILQ_NEXT(c, stranger_link);
    }
    return c;
}

static bool is_over(struct search *search, const struct http_conn *c, uint64_t time_ms)
{
    uint64_t age = c ? now_ms(search->server) - c->stage_ms : 0;

    if (c && age >= time_ms)
        return true;
    if (c && time_ms - age < search->wait_ms)
        search->wait_ms = time_ms - age;
    return false;
}

static size_t strangers_of(const struct conn_peer *peer)
{
    return peer->nsilent + peer->nheard;
}

static bool is_crowd(const struct http_server *server, const struct conn_peer *peer)
{
    return strangers_of(peer) * 4 > share(server);
}

static struct http_conn *first_of_peer(struct search *search, const struct conn_peer *peer)
{
    struct http_conn *silent = first_idle(search, &peer->silent);
    struct http_conn *heard = first_idle(search, &peer->heard);

    if (is_over(search, heard, STANDING_MS))
        return heard;
    if (is_over(search, silent, GRACE_MS))
        return silent;
    /* Handshakes that go on stay while there are many others of their peer. */
    if ((!silent || peer->nheard > peer->nsilent) && is_crowd(search->server, peer) &&
        is_over(search, heard, CROWD_MS))
        return heard;
    return NULL;
}

/* Whoever is passed over stands behind the others of its size next time. */
static struct http_conn *first_of_size(struct search *search, struct conn_peers *peers)
{
    struct conn_peer *peer, *last = TAILQ_LAST(peers, conn_peers);
    struct http_conn *c;

    while ((peer = TAILQ_FIRST(peers)) && search->looks) {
        search->looks--;
        c = first_of_peer(search, peer);
        if (c)
            return c;
        TAILQ_REMOVE(peers, peer, link);
        TAILQ_INSERT_TAIL(peers, peer, link);
        if (peer == last)
            break;
    }
    return NULL;
}

/* The one whose place is needed least, or NULL and when to look again. */
static struct http_conn *first_to_go(struct http_server *server, uint64_t *wait_ms)
{
    struct search search = {.server = server, .looks = FIRST_FEW, .wait_ms = UINT64_MAX};
    struct http_conn *c = NULL;

    for (size_t i = STRANGER_SIZES; i-- > 0 && !c;)
        c = first_of_size(&search, &server->strangers.peers[i]);
    *wait_ms = search.wait_ms == UINT64_MAX ? LINE_MS : search.wait_ms;
    return c;
}

/* The last one that is not awaited, or else not being served; NULL = none was found. */
static struct http_conn *last_silent(const struct conn_peer *peer)
{
    struct http_conn *c = TAILQ_LAST(&peer->silent, http_conns), *unserved = NULL;

    for (unsigned i = 0; c && i < FIRST_FEW; i++, c = TAILQ_PREV(c, http_conns, stranger_link)) {
        if (!is_awaited(c))
            return c;
        if (!unserved && !c->req_open)
            unserved = c;
    }
    return unserved;
}

/* None may go, and one must: of the peer with most the one that came last, so that those before it are heard
 * in the end. */
static struct http_conn *one_to_go(struct http_server *server)
{
    const struct conn_peer *peer = NULL;
    struct http_conn *c;

    for (size_t i = STRANGER_SIZES; i-- > 0 && !peer;)
        peer = TAILQ_FIRST(&server->strangers.peers[i]);
    if (!peer)
        return NULL;
    c = last_silent(peer);
    if (!c)
        c = TAILQ_FIRST(&peer->heard);
    return c ? c : TAILQ_FIRST(&peer->silent);
}

bool strangers_make_room(struct http_server *server)
{
    uint64_t wait_ms;
    struct http_conn *c = first_to_go(server, &wait_ms);

    if (!c)
        c = one_to_go(server);
    if (c)
        close_for(c, HTTP_FOR_ROOM);
    return c;
}

bool strangers_have_room(struct http_server *server, uint64_t *wait_ms)
{
    bool full = server->nconns >= server->opts.max_connections;

    *wait_ms = UINT64_MAX;
    if (!full && server->strangers.n < share(server))
        return true;
    return server->strangers.n && first_to_go(server, wait_ms);
}

/* ---- who is one ---- */

static struct conn_peers *peers_like(struct strangers *s, const struct conn_peer *peer)
{
    size_t i = 0;

    for (size_t n = strangers_of(peer); n > 1 && i < STRANGER_SIZES - 1; n /= 2)
        i++;
    return &s->peers[i];
}

/* Takes the connection out of the lists, or puts it in: behind the others that have come as far. */
static void count(struct http_conn *c, bool in)
{
    struct strangers *s = &c->server->strangers;
    struct conn_peer *peer = c->party;
    struct http_conns *list = c->stage == STAGE_SILENT ? &peer->silent : &peer->heard;
    size_t *n = c->stage == STAGE_SILENT ? &peer->nsilent : &peer->nheard;
    struct conn_peers *before = strangers_of(peer) ? peers_like(s, peer) : NULL, *after;

    if (in) {
        TAILQ_INSERT_TAIL(list, c, stranger_link);
        ++*n;
    } else {
        TAILQ_REMOVE(list, c, stranger_link);
        --*n;
    }
    after = strangers_of(peer) ? peers_like(s, peer) : NULL;
    if (before == after)
        return;
    if (before)
        TAILQ_REMOVE(before, peer, link);
    if (after)
        TAILQ_INSERT_TAIL(after, peer, link);
}

void strangers_advance(struct http_conn *c, enum stranger_stage stage)
{
    if (!c->stranger || stage <= c->stage)
        return;
    count(c, false);
    c->stage = stage;
    c->stage_ms = now_ms(c->server);
    count(c, true);
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
    c->stage_ms = c->since_ms;
    count(c, true);
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
    count(c, false);
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
