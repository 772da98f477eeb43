/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strangers.c - connections that have identified no client, and what they may use (docs/http.md).
 *
 * Every connection begins as a stranger's, so at the limit a new one is accepted and another is closed: a
 * client identifies itself with its first request, soon after it connects. A request that has arrived is
 * served before its connection is closed. New connections wait in the kernel's backlog meanwhile
 * (listener.c).
 *
 * What the unfinished requests of all strangers hold has a limit, and the part of it in secret
 * memory another. Over a limit the connection whose bytes began first is closed. Clients' connections have
 * one limit together, in secret memory, which leaves a part of it to the vault's answers.
 *
 * Invariants: a connection is in a list of its peer as long as it is a stranger's, and in `buffering` while
 * it holds bytes. A closed connection is not counted.
 *
 * Not here: reads (read_queue.c), log lines (the application's may_log).
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <inttypes.h>
#include <string.h>

#define LEAST_SHARE   4 /* connections strangers may have however small max_connections is */
#define GRACE_MS      20
#define STANDING_MS   1000  /* a handshake without progress for so long is closed before all others */
#define MANY_MS       100   /* the same for a peer with many strangers */
#define QUEUE_MS      2     /* the wait when every stranger waits to be read */
#define FIRST_FEW     64    /* considered for closing */
#define WARN_EVERY_MS 60000 /* many connections must not cause many lines */

static const char *const reasons[HTTP_NREASONS] = {
    [HTTP_FOR_CONNECTIONS] = "connections", [HTTP_FOR_BYTES] = "bytes"};

void strangers_init(struct http_server *server)
{
    for (size_t i = 0; i < STRANGER_SIZES; i++)
        TAILQ_INIT(&server->strangers.peers[i]);
    TAILQ_INIT(&server->strangers.buffering);
}

void http_strangers(const struct http_server *server, struct http_strangers *out)
{
    const struct strangers *s = &server->strangers;

    *out = (struct http_strangers){.connections = s->n, .bytes = s->bytes};
    memcpy(out->closed, s->closed, sizeof(out->closed));
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
    uint64_t now = server_now(server);
    uint64_t closed = s->closed[HTTP_FOR_CONNECTIONS] + s->closed[HTTP_FOR_BYTES];

    if (s->warned_of && now - s->warned_ms < WARN_EVERY_MS)
        return;
    log_warn("strangers_closed", "reason=%s closed=%" PRIu64 " connections=%zu bytes=%zu", reasons[reason],
             closed - s->warned_of, s->n, s->bytes);
    s->warned_ms = now;
    s->warned_of = closed;
}

/* Its bytes are freed at once, for other connections. */
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

static size_t stranger_limit(const struct http_server *server)
{
    size_t half = server->opts.max_connections / 2;

    return half > LEAST_SHARE ? half : LEAST_SHARE;
}

/* It is being served, or has sent bytes that are not read yet. An insistent connection is not waited for, nor
 * one that does not read its response. */
static bool is_awaited(const struct http_conn *c)
{
    bool answered = c->phase == CONN_RESPONSE && server_now(c->server) - c->since_ms < STANDING_MS;

    return c->req_open || answered || c->may_read ||
           (c->queue && c->queue != &c->server->read_queues[QUEUE_INSISTENT]);
}

/* A search for the connection to close first. */
struct search {
    struct http_server *server;
    unsigned looks;   /* connections and peers it may still look at */
    uint64_t wait_ms; /* until one of the found connections may be closed */
};

/* The first that is not awaited; NULL = none was found. */
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
    uint64_t age = c ? server_now(search->server) - c->stage_ms : 0;

    if (c && age >= time_ms)
        return true;
    if (c && time_ms - age < search->wait_ms)
        search->wait_ms = time_ms - age;
    return false;
}

static size_t strangers_of(const struct conn_peer *peer)
{
    return peer->nsilent + peer->nanswered;
}

static bool has_many(const struct http_server *server, const struct conn_peer *peer)
{
    return strangers_of(peer) * 4 > stranger_limit(server);
}

static struct http_conn *first_of_peer(struct search *search, const struct conn_peer *peer)
{
    struct http_conn *silent = first_idle(search, &peer->silent);
    struct http_conn *answered = first_idle(search, &peer->answered);

    if (is_over(search, answered, STANDING_MS))
        return answered;
    if (is_over(search, silent, GRACE_MS))
        return silent;
    /* Handshakes that make progress stay while their peer has many other connections. */
    if ((!silent || peer->nanswered > peer->nsilent) && has_many(search->server, peer) &&
        is_over(search, answered, MANY_MS))
        return answered;
    return NULL;
}

/* A peer that is passed over goes behind the others of its size. */
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

/* The connection to close first, or NULL and when to look again. */
static struct http_conn *first_closable(struct http_server *server, uint64_t *wait_ms)
{
    struct search search = {.server = server, .looks = FIRST_FEW, .wait_ms = UINT64_MAX};
    struct http_conn *c = NULL;

    for (size_t i = STRANGER_SIZES; i-- > 0 && !c;)
        c = first_of_size(&search, &server->strangers.peers[i]);
    *wait_ms = search.wait_ms == UINT64_MAX ? QUEUE_MS : search.wait_ms;
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

/* None may be closed yet, and one must be: the newest of the peer with most, so that the earlier ones are
 * read in the end. */
static struct http_conn *last_resort(struct http_server *server)
{
    const struct conn_peer *peer = NULL;
    struct http_conn *c;

    for (size_t i = STRANGER_SIZES; i-- > 0 && !peer;)
        peer = TAILQ_FIRST(&server->strangers.peers[i]);
    if (!peer)
        return NULL;
    c = last_silent(peer);
    if (!c)
        c = TAILQ_FIRST(&peer->answered);
    return c ? c : TAILQ_FIRST(&peer->silent);
}

bool strangers_make_room(struct http_server *server)
{
    uint64_t wait_ms;
    struct http_conn *c = first_closable(server, &wait_ms);

    if (!c)
        c = last_resort(server);
    if (c)
        close_for_others(c, HTTP_FOR_CONNECTIONS);
    return c;
}

bool strangers_have_room(struct http_server *server, uint64_t *wait_ms)
{
    bool full = server->nconns >= server->opts.max_connections;

    *wait_ms = UINT64_MAX;
    if (!full && server->strangers.n < stranger_limit(server))
        return true;
    return server->strangers.n && first_closable(server, wait_ms);
}

/* ---- entering and leaving ---- */

static struct conn_peers *peers_like(struct strangers *s, const struct conn_peer *peer)
{
    size_t i = 0;

    for (size_t n = strangers_of(peer); n > 1 && i < STRANGER_SIZES - 1; n /= 2)
        i++;
    return &s->peers[i];
}

/* Puts the connection into the lists, behind the others of its stage, or takes it out. */
static void list_conn(struct http_conn *c, bool in)
{
    struct strangers *s = &c->server->strangers;
    struct conn_peer *peer = c->party;
    struct http_conns *list = c->stage == STAGE_SILENT ? &peer->silent : &peer->answered;
    size_t *n = c->stage == STAGE_SILENT ? &peer->nsilent : &peer->nanswered;
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
    list_conn(c, false);
    c->stage = stage;
    c->stage_ms = server_now(c->server);
    list_conn(c, true);
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
    c->stage_ms = c->since_ms;
    list_conn(c, true);
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
    list_conn(c, false);
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
