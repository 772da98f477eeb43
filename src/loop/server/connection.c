/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c - the life of one connection: phases, deadlines, reading, writing, closing.
 *
 * The idea: a phase says what is awaited, and its row below how long that may take and what happens when it
 * takes longer. Deadlines are set once per entry from outside (conn_settle), so a request that comes and is
 * answered within one read costs one timer change.
 *
 * Reading goes on while a request is in work, because only a reader notices that its client left. What comes
 * early is kept up to max_pipelined bytes, then reading stops until the answer. An end of file while a
 * request is unanswered means that the client left, also when it only shut its write side.
 *
 * Ends: conn_close() with a reason, from anywhere, any number of times; the memory goes in on_closed(). After
 * an answer that closes, the write side is shut first and what still comes is discarded for a while: closing
 * a socket with unread bytes would reset it, and the client might lose the answer. shutdown(2) is called
 * directly, since at that point libuv has nothing of this connection left to write.
 *
 * Not here: what the bytes mean (request.c), what an answer looks like (response.c), who is accepted
 * (listener.c).
 */
#include "loop/server/connection.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "loop/server/conn_limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_MAGIC 0x636f6e6eU
/* A refused upload is read on for this long, so that its sender looks at the answer before it fails to write.
 */
#define LINGER_BYTES  (1024 * 1024)
#define STRANGER_READ 4096  /* bytes: a usual request; what comes ahead of it lies in secret memory */
#define WARN_EVERY_MS 60000 /* a flood of connections must not become a flood of lines */

static void late_refuse(struct http_conn *c)
{
    response_refuse_with(c, FAULT_INVALID_REQUEST, 408, "The request did not arrive completely in time.");
}

static void late_close(struct http_conn *c);

static void late_reset(struct http_conn *c)
{
    conn_reset(c, "answer not taken in time");
}

static const struct conn_row {
    const char *name;
    const char *why; /* when its time is over */
    void (*late)(struct http_conn *);
} rows[CONN_NPHASES] = {
    [CONN_HANDSHAKE] = {"handshake", "handshake timeout", late_close},
    [CONN_IDLE] = {"idle", "idle timeout", late_close},
    [CONN_HEAD] = {"head", "header timeout", late_refuse},
    [CONN_CERTIFICATE] = {"certificate", "certificate timeout", late_close},
    [CONN_BODY] = {"body", "body timeout", late_refuse},
    [CONN_TRAILERS] = {"trailers", "body timeout", late_refuse},
    [CONN_WORK] = {"work", NULL, NULL},
    [CONN_RESPONSE] = {"answer", "write timeout", late_reset},
    [CONN_NEXT] = {"next", NULL, conn_work_pending},
    [CONN_LINGER] = {"linger", "answered", late_close},
    [CONN_CLOSED] = {"closed", NULL, NULL},
};

static void late_close(struct http_conn *c)
{
    conn_close(c, rows[c->phase].why);
}

void conn_goto(struct http_conn *c, enum conn_phase phase)
{
    /* Chunked bodies end in TRAILERS: the body's deadline goes on. */
    if (!(c->phase == CONN_BODY && phase == CONN_TRAILERS))
        c->rearm = true;
    c->phase = phase;
    if (phase == CONN_NEXT && c->stranger)
        read_queue_join(c);
}

static void await_until(struct http_conn *c, uint64_t due_ms);

static void on_deadline(struct deadline *deadline)
{
    struct http_conn *c = CONTAINER_OF(deadline, struct http_conn, deadline);

    if (c->magic != CONN_MAGIC)
        return;
    if (c->due_ms > clock_now(loop_clock(c->server->loop))) { /* the phase it was started for is over */
        await_until(c, c->due_ms);
        return;
    }
    if (!rows[c->phase].late)
        return;
    rows[c->phase].late(c);
    conn_settle(c);
}

/* What is due later leaves the running deadline as it is: a request then costs none, only a note. */
static void await_until(struct http_conn *c, uint64_t due_ms)
{
    struct timers *timers = loop_timers(c->server->loop);
    uint64_t now = clock_now(loop_clock(c->server->loop));

    c->due_ms = due_ms;
    if (due_ms == UINT64_MAX || (timer_running(&c->deadline) && c->deadline.at_ms <= due_ms))
        return;
    if (timer_start(timers, &c->deadline, due_ms > now ? due_ms - now : 0, on_deadline))
        conn_close(c, "out of memory"); /* a connection without a deadline could stay for ever */
}

static void set_reading(struct http_conn *c);

void conn_settle(struct http_conn *c)
{
    uint64_t delay, now;

    if (c->in_feed)
        return;
    strangers_weigh(c);
    if (c->phase == CONN_CLOSED)
        return;
    set_reading(c);
    if (!c->rearm || c->phase == CONN_CLOSED)
        return;
    c->rearm = false;
    delay = c->queue && c->phase == CONN_NEXT ? UINT64_MAX : c->server->timeout_ms[c->phase];
    now = clock_now(loop_clock(c->server->loop));
    await_until(c, delay > UINT64_MAX - now ? UINT64_MAX : now + delay);
}

void conn_clear_request(struct http_conn *c)
{
    head_free(&c->head);
    buf_free(&c->body);
    c->req.path = c->req.query = c->req.body = NULL;
    c->req.headers = NULL;
    c->req.nheaders = 0;
}

void conn_request_over(struct http_conn *c)
{
    c->req_open = false;
    c->server->busy--;
    request_backlog_leave(c);
}

void conn_drop_request(struct http_conn *c)
{
    if (!c->req_open)
        return;
    conn_request_over(c);
    c->server->app.gone(c->server->app.arg, &c->req);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *c = handle->data;
    struct http_server *server = c->server;

    TAILQ_REMOVE(&server->conns, c, link);
    conn_clear_request(c);
    buf_free(&c->pending);
    tls_free(c->tls);
    c->magic = 0;
    free(c);
    server_handle_closed(server);
}

/* An idle TLS client is told that this end is no accident; whether that still fits does not matter. */
static void say_goodbye(struct http_conn *c)
{
    struct buf out = BUF_INIT(4096);
    uv_buf_t iov;

    if (!c->tls || c->phase != CONN_IDLE || c->writes)
        return;
    tls_shutdown(c->tls);
    if (tls_output(c->tls, &out) == 0 && out.len) {
        iov = uv_buf_init(out.data, (unsigned)out.len);
        (void)uv_try_write(&c->u.stream, &iov, 1);
    }
    buf_free(&out);
}

static size_t *place_count(struct http_conn *c)
{
    struct http_server *server = c->server;

    return c->place == PLACE_OVER    ? &server->nover
           : c->place == PLACE_APART ? &server->napart
                                     : &server->nconns;
}

static void leave_peer(struct http_conn *c)
{
    if (c->party)
        conn_limits_leave(c->server->conn_limits, c->party);
    c->party = NULL;
}

/* Its descriptor is closed in this turn: what it counted for is free at once. */
static void give_up_place(struct http_conn *c)
{
    --*place_count(c);
    read_queue_leave(c);
    request_backlog_leave(c);
    strangers_forget(c);
    leave_peer(c);
}

/* Everything of closing but the handle itself. False if it was closed before. */
static bool begin_close(struct http_conn *c, const char *why)
{
    if (c->phase == CONN_CLOSED)
        return false;
    if (log_on(LOG_DEBUG) && strangers_may_log(c))
        log_debug("connection_end", "listener=%s peer=%s reason=%s phase=%s requests=%u", c->peer.listener,
                  c->peer.address, why, rows[c->phase].name, c->requests);
    timer_stop(loop_timers(c->server->loop), &c->deadline);
    say_goodbye(c);
    c->phase = CONN_CLOSED;
    give_up_place(c);
    conn_drop_request(c);
    return true;
}

void conn_close(struct http_conn *c, const char *why)
{
    if (begin_close(c, why))
        uv_close(&c->u.handle, on_closed);
}

void conn_reset(struct http_conn *c, const char *why)
{
    if (!begin_close(c, why))
        return;
    if (c->u.handle.type != UV_TCP || uv_tcp_close_reset(&c->u.tcp, on_closed))
        uv_close(&c->u.handle, on_closed);
}

void conn_distrust(struct http_conn *c)
{
    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER)
        return;
    c->untrusted = true;
    if (c->phase == CONN_RESPONSE && c->ending == ENDING_KEEP)
        c->ending = ENDING_POLITE;
    else if (c->phase != CONN_RESPONSE && !c->req_open)
        conn_close(c, "the client's certificate is not trusted any more");
}

/* ---- reading ---- */

static bool takes_input(const struct http_conn *c)
{
    return c->phase == CONN_IDLE || c->phase == CONN_HEAD || c->phase == CONN_BODY ||
           c->phase == CONN_TRAILERS;
}

static void keep(struct http_conn *c, const char *bytes, size_t n)
{
    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER || c->ending != ENDING_KEEP)
        return;
    if (buf_append(&c->pending, bytes, n))
        conn_close(c, "too many bytes ahead of the answer");
    else if (c->phase == CONN_IDLE) /* it has had its heads of this turn */
        conn_goto(c, CONN_NEXT);
}

static void take_plain(struct http_conn *c, const char *bytes, size_t n)
{
    size_t used = 0;

    if (c->phase == CONN_LINGER) {
        c->discarded += n;
        if (c->discarded > LINGER_BYTES)
            conn_close(c, "answered, client went on sending");
        return;
    }
    if (takes_input(c) && c->pending.len == 0)
        used = request_feed(c, bytes, n);
    if (used < n)
        keep(c, bytes + used, n - used);
}

void conn_work_pending(struct http_conn *c)
{
    struct buf bytes = BUF_SECRET(c->pending.max);
    size_t used;

    if (c->phase == CONN_NEXT)
        conn_goto(c, CONN_IDLE);
    buf_move(&bytes, &c->pending);
    c->pending.max = bytes.max;
    if (bytes.len) {
        used = request_feed(c, bytes.data, bytes.len);
        if (used < bytes.len)
            keep(c, bytes.data + used, bytes.len - used);
    }
    buf_free(&bytes);
    if (c->eof && c->phase != CONN_NEXT && c->phase != CONN_RESPONSE && c->phase != CONN_LINGER)
        conn_close(c, "client closed");
}

static void client_ended(struct http_conn *c, const char *why)
{
    if ((c->phase == CONN_RESPONSE && c->writes) || c->phase == CONN_NEXT) {
        c->eof = true; /* it has its answer coming */
        uv_read_stop(&c->u.stream);
        c->reading = false;
        return;
    }
    conn_close(c, why);
}

static void peer_names(struct http_conn *c)
{
    c->peer.nsans = tls_peer_sans(c->tls, &c->peer.sans);
    c->peer.certificate = tls_has_peer_certificate(c->tls);
    strangers_meet(c);
}

/* After each delivery of ciphertext: did the handshake, first or late, end? */
static void tls_progress(struct http_conn *c)
{
    if (c->phase == CONN_HANDSHAKE && tls_answers(c->tls))
        strangers_advance(c, STAGE_HELLO);
    if (c->phase == CONN_HANDSHAKE && tls_established(c->tls)) {
        strangers_advance(c, STAGE_ESTABLISHED);
        peer_names(c);
        conn_goto(c, CONN_IDLE);
    }
    if (c->phase == CONN_CERTIFICATE && tls_asked_done(c->tls)) {
        peer_names(c);
        request_late_certificate(c);
        if (takes_input(c) && c->pending.len)
            conn_work_pending(c);
    }
}

static void take_cipher(struct http_conn *c, const char *bytes, size_t n)
{
    struct http_server *server = c->server;
    ssize_t got = 0;
    int err;

    if (c->phase == CONN_LINGER) {
        take_plain(c, bytes, n);
        return;
    }
    err = tls_feed(c->tls, bytes, n);
    tls_progress(c);
    while (!err && c->phase != CONN_CLOSED && c->phase != CONN_LINGER) {
        got = tls_read(c->tls, server->plain, sizeof(server->plain));
        if (got <= 0)
            break;
        take_plain(c, server->plain, (size_t)got);
        wipe(server->plain, (size_t)got);
    }
    if (c->phase != CONN_CLOSED && c->phase != CONN_LINGER)
        tls_progress(c);
    /* A ticket leaves with the answer to the request that came behind the handshake; an alert at once. */
    if (c->phase != CONN_WORK || got < 0 || !tls_can_wait(c->tls))
        conn_flush_tls(c);
    tls_rest(c->tls);
    if (err || (got < 0 && got != -ECONNRESET))
        conn_close(c, tls_why(c->tls));
    else if (got == -ECONNRESET && c->phase != CONN_LINGER)
        client_ended(c, "client closed");
}

/* What is read may all have to be kept, so no more is read at once than that; nothing where on_read() is to
 * put a stranger into its line. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *c = handle->data;
    size_t limit = c->server->opts.max_pipelined;
    size_t room = limit > c->pending.len ? limit - c->pending.len : 1;

    (void)suggested;
    if (c->phase == CONN_LINGER || room > SERVER_READ)
        room = SERVER_READ;
    if (c->stranger && c->phase != CONN_HANDSHAKE && room > STRANGER_READ)
        room = STRANGER_READ;
    if (!read_queue_may_read(c))
        room = 0;
    *out = uv_buf_init(c->server->read, (unsigned)room);
}

/* A TLS connection is made with the first bytes of its client: who says nothing costs none. */
static bool has_tls(struct http_conn *c)
{
    if (c->phase == CONN_HANDSHAKE && !c->tls)
        c->tls = tls_new(c->listener->tls);
    return c->phase != CONN_HANDSHAKE || c->tls;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct http_conn *c = stream->data;

    if (c->magic != CONN_MAGIC || c->phase == CONN_CLOSED || nread == 0)
        return;
    if (nread == UV_ENOBUFS && buf->len == 0) {
        read_queue_join(c);
    } else if (nread > 0 && !has_tls(c)) {
        conn_close(c, "out of memory");
    } else if (nread < 0) {
        client_ended(c, nread == UV_EOF ? "client closed" : uv_err_name((int)nread));
    } else {
        if (c->tls)
            take_cipher(c, buf->base, (size_t)nread);
        else
            take_plain(c, buf->base, (size_t)nread);
        wipe(buf->base, (size_t)nread);
    }
    conn_settle(c);
}

static void set_reading(struct http_conn *c)
{
    bool want =
        c->pending.len < c->server->opts.max_pipelined && !c->eof && !c->queue && c->phase != CONN_NEXT;

    if (want == c->reading)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop(&c->u.stream);
    else if (uv_read_start(&c->u.stream, on_alloc, on_read))
        conn_close(c, "cannot read");
}

/* ---- accepting ---- */

static void describe_peer(struct http_conn *c, int fd, const struct sockaddr *from)
{
    char host[INET6_ADDRSTRLEN] = "?";
    struct http_peer *peer = &c->peer;

    if (peer->is_unix) {
        struct ucred cred;
        socklen_t size = sizeof(cred);

        snprintf(peer->address, sizeof(peer->address), "unix");
        peer->uid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) ? (uid_t)-1 : cred.uid;
        snprintf(peer->origin, sizeof(peer->origin), "uid:%u", peer->uid);
        return;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)from;

        uv_ip6_name(&in6, host, sizeof(host));
        snprintf(peer->address, sizeof(peer->address), "[%s]:%u", host, ntohs(in6.sin6_port));
        memset(in6.sin6_addr.s6_addr + 8, 0, 8); /* one host may use every address of its network */
        uv_ip6_name(&in6, host, sizeof(host));
        snprintf(peer->origin, sizeof(peer->origin), "%s/64", host);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        uv_ip4_name(in, host, sizeof(host));
        snprintf(peer->address, sizeof(peer->address), "%s:%u", host, ntohs(in->sin_port));
        snprintf(peer->origin, sizeof(peer->origin), "%s", host);
    }
    peer->uid = (uid_t)-1;
}

/* 0, or the handle is initialised and only uv_close() may end it; the descriptor is then still the caller's.
 */
static int open_handle(struct http_conn *c, int fd)
{
    uv_loop_t *loop = loop_uv(c->server->loop);
    int err;

    if (c->peer.is_unix) {
        uv_pipe_init(loop, &c->u.pipe, 0);
        err = uv_pipe_open(&c->u.pipe, fd);
    } else {
        uv_tcp_init(loop, &c->u.tcp);
        err = uv_tcp_open(&c->u.tcp, fd); /* TCP_NODELAY is inherited from the listener */
    }
    c->u.handle.data = c;
    return err;
}

static struct http_conn *conn_new(struct listener *l, enum conn_place place)
{
    struct http_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->magic = CONN_MAGIC;
    c->server = l->server;
    c->listener = l;
    c->place = place;
    c->peer.listener = l->name;
    c->peer.is_unix = l->is_unix;
    c->req.conn = c;
    c->req.peer = &c->peer;
    c->since_ms = clock_now(loop_clock(l->server->loop));
    head_init(&c->head);
    /* With TLS a record whose first part came earlier may add its whole length. */
    c->pending = BUF_SECRET(l->server->opts.max_pipelined + (l->tls ? SERVER_PLAIN : 0));
    return c;
}

/* Who has too many connections hears nothing: an answer would cost more than it is worth to him. */
static bool count_peer(struct http_conn *c)
{
    struct http_server *server = c->server;
    uint64_t now = clock_now(loop_clock(server->loop));
    int err;

    if (c->place != PLACE_INSIDE)
        return true;
    err = conn_limits_enter(server->conn_limits, c->peer.origin,
                            c->peer.is_unix ? 0 : server->opts.max_per_peer, &c->party);
    if (err == -EAGAIN && (!server->peer_warned_ms || now - server->peer_warned_ms >= WARN_EVERY_MS)) {
        server->peer_warned_ms = now;
        log_warn("too_many_connections", "listener=%s peer=%s max_connections_per_peer=%zu", c->peer.listener,
                 c->peer.origin, server->opts.max_per_peer);
    }
    return !err;
}

/* Admits it to the counts; false if it may not or cannot stay. */
static bool conn_admit(struct http_conn *c, int fd, const struct sockaddr *from)
{
    describe_peer(c, fd, from);
    if (!count_peer(c))
        return false;
    strangers_enter(c);
    return true;
}

/* By the time a busy loop accepts a client, the client has asked: it need not wait for another turn. */
static void read_early(struct http_conn *c, int fd)
{
    uv_buf_t room;
    ssize_t n;

    if (!c->reading || c->phase == CONN_CLOSED)
        return;
    on_alloc(&c->u.handle, 0, &room);
    if (!room.len) { /* who has asked joins the line at once: others may be closed for room */
        if (recv(fd, c->server->read, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
            read_queue_join(c);
        wipe(c->server->read, 1);
        conn_settle(c);
        return;
    }
    n = recv(fd, room.base, room.len, MSG_DONTWAIT);
    if (n > 0) /* an end or an error is left to libuv */
        on_read(&c->u.stream, n, &room);
}

void conn_accept(struct listener *l, int fd, const struct sockaddr *from, enum conn_place place)
{
    struct http_server *server = l->server;
    struct http_conn *c = conn_new(l, place);

    if (!c || !conn_admit(c, fd, from)) {
        close(fd);
        free(c);
        return;
    }
    ++*place_count(c);
    server->handles++;
    TAILQ_INSERT_TAIL(&server->conns, c, link);
    c->phase = l->tls && place != PLACE_OVER ? CONN_HANDSHAKE : CONN_IDLE;
    c->rearm = true;
    if (open_handle(c, fd)) {
        close(fd);
        conn_close(c, "cannot open");
        return;
    }
    if (place == PLACE_OVER)
        response_refuse_with(c, FAULT_OVERLOADED, 0, "All client connections are in use (max_connections).");
    conn_settle(c);
    read_early(c, fd);
}
