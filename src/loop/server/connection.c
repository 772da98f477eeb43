/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c - the life of one connection: accepted, phases and deadlines, closed.
 *
 * The idea: the row of a phase below names what happens when its time is over (server.c sets the times).
 * Deadlines are set once per entry from outside (conn_settle), so a request that comes and is answered within
 * one read costs one timer change.
 *
 * End: conn_close() with a reason, from anywhere, any number of times; on_closed() frees the memory.
 *
 * Not here: bytes in (conn_read.c) and out (conn_write.c), what they mean (request.c, response.c), which
 * connections are accepted (listener.c).
 */
#include "loop/server/connection.h"

#include "base/container_of.h"
#include "base/log.h"
#include "base/memory/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARN_EVERY_MS 60000 /* many connections must not cause many lines */

static void late_refuse(struct http_conn *c)
{
    response_refuse_with(c, FAULT_INVALID_REQUEST, 408, "The request did not arrive completely in time.");
}

static void late_close(struct http_conn *c);

/* A client that takes a response in pieces slowly has its time again and again. */
static void late_reset(struct http_conn *c)
{
    if (c->in_pieces && pieces_untaken(c) < c->untaken) {
        c->rearm = true;
        return;
    }
    conn_reset(c, "answer not taken in time");
}

static const struct conn_row {
    const char *name;
    const char *why; /* when its time is over */
    void (*late)(struct http_conn *);
} phase_rows[CONN_NPHASES] = {
    [CONN_HANDSHAKE] = {"handshake", "handshake timeout", late_close},
    [CONN_IDLE] = {"idle", "idle timeout", late_close},
    [CONN_HEAD] = {"head", "header timeout", late_refuse},
    [CONN_CERTIFICATE] = {"certificate", "certificate timeout", late_close},
    [CONN_BODY] = {"body", "body timeout", late_refuse},
    [CONN_TRAILERS] = {"trailers", "body timeout", late_refuse},
    [CONN_WORK] = {"work", NULL, NULL},
    [CONN_RESPONSE] = {"answer", "write timeout", late_reset},
    [CONN_PIECES] = {"pieces", NULL, NULL},
    [CONN_PIECE] = {"piece", "write timeout", late_reset},
    [CONN_NEXT] = {"next", NULL, conn_work_pending},
    [CONN_LINGER] = {"linger", "answered", late_close},
    [CONN_CLOSED] = {"closed", NULL, NULL},
};

static void late_close(struct http_conn *c)
{
    conn_close(c, phase_rows[c->phase].why);
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

static void arm_deadline(struct http_conn *c, uint64_t due_ms);

void conn_expire(struct http_conn *c)
{
    if (!phase_rows[c->phase].late)
        return;
    phase_rows[c->phase].late(c);
    conn_settle(c);
}

static void on_deadline(struct deadline *deadline)
{
    struct http_conn *c = CONTAINER_OF(deadline, struct http_conn, deadline);

    if (c->due_ms > server_now(c->server)) { /* it was started for an earlier phase */
        arm_deadline(c, c->due_ms);
        return;
    }
    conn_expire(c);
}

/* A later time leaves the running deadline as it is and is noted: a usual request costs no timer change. */
static void arm_deadline(struct http_conn *c, uint64_t due_ms)
{
    struct timers *timers = loop_timers(c->server->loop);
    uint64_t now = server_now(c->server);

    c->due_ms = due_ms;
    if (due_ms == UINT64_MAX || (timer_running(&c->deadline) && c->deadline.at_ms <= due_ms))
        return;
    if (timer_start(timers, &c->deadline, due_ms > now ? due_ms - now : 0, on_deadline))
        conn_close(c, "out of memory"); /* a connection without a deadline might never end */
}

void conn_settle(struct http_conn *c)
{
    uint64_t delay, now;

    if (c->in_feed)
        return;
    strangers_count_bytes(c);
    if (c->phase == CONN_CLOSED)
        return;
    conn_set_reading(c);
    if (!c->rearm || c->phase == CONN_CLOSED)
        return;
    c->rearm = false;
    if (c->in_pieces)
        c->untaken = pieces_untaken(c);
    delay = c->queue && c->phase == CONN_NEXT ? UINT64_MAX : c->server->timeout_ms[c->phase];
    now = server_now(c->server);
    arm_deadline(c, delay > UINT64_MAX - now ? UINT64_MAX : now + delay);
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
    free(c);
    server_handle_closed(server);
}

/* An idle TLS client gets a close_notify, so that it can distinguish this end from a truncation. It is left
 * out where the socket takes no bytes. */
static void send_close_notify(struct http_conn *c)
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

    return c->place == PLACE_OVER_LIMIT ? &server->nover_limit
           : c->place == PLACE_SEPARATE ? &server->nseparate
                                        : &server->nconns;
}

/* Its descriptor is closed in this iteration: what it counted against is free at once. */
static void release_place(struct http_conn *c)
{
    --*place_count(c);
    read_queue_leave(c);
    request_backlog_leave(c);
    strangers_forget(c);
    if (c->party)
        conn_limits_leave(&c->server->conn_limits, c->party);
    c->party = NULL;
}

/* A certificate that no client section can name: it did not pass the listener's client_ca, or there was none.
 */
static void log_refused_certificate(const struct http_conn *c)
{
    struct http_shown shown;
    const char *error = c->tls && log_on(LOG_INFO) ? tls_refused_certificate(c->tls, &shown) : NULL;

    if (error && strangers_may_log(c))
        log_info("certificate_refused",
                 "listener=%s peer=%s error=%s subject=%s issuer=%s serial=%s fingerprint_sha256=%s",
                 c->peer.listener, c->peer.address, error, shown.subject, shown.issuer, shown.serial,
                 shown.sha256);
}

/* Everything of closing but the handle itself. False if it was closed before. */
static bool begin_close(struct http_conn *c, const char *why)
{
    if (c->phase == CONN_CLOSED)
        return false;
    if (log_on(LOG_DEBUG) && strangers_may_log(c))
        log_debug("connection_end", "listener=%s peer=%s reason=%s phase=%s requests=%u", c->peer.listener,
                  c->peer.address, why, phase_rows[c->phase].name, c->requests);
    log_refused_certificate(c);
    timer_stop(loop_timers(c->server->loop), &c->deadline);
    send_close_notify(c);
    c->phase = CONN_CLOSED;
    release_place(c);
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

/* ---- accepting ---- */

void conn_address(const struct sockaddr *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port =
        ntohs(((const struct sockaddr_in *)address)->sin_port); /* IPv6 has it in the same place */

    uv_ip_name(address, host, sizeof(host));
    snprintf(out, size, address->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port);
}

static void describe_peer(struct http_conn *c, int fd, const struct sockaddr *from)
{
    char host[INET6_ADDRSTRLEN] = "?";
    struct http_peer *peer = &c->peer;

    if (peer->is_unix) {
        struct ucred cred;
        socklen_t size = sizeof(cred);

        snprintf(peer->address, sizeof(peer->address), "unix");
        bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0;
        peer->uid = known ? cred.uid : (uid_t)-1;
        peer->pid = known ? cred.pid : 0;
        snprintf(peer->origin, sizeof(peer->origin), "uid:%u", peer->uid);
        return;
    }
    conn_address(from, peer->address, sizeof(peer->address));
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)from;

        memset(in6.sin6_addr.s6_addr + 8, 0, 8); /* one host may have every address of its network */
        uv_ip6_name(&in6, host, sizeof(host));
        snprintf(peer->origin, sizeof(peer->origin), "%s/64", host);
    } else {
        uv_ip_name(from, peer->origin, sizeof(peer->origin));
    }
    peer->uid = (uid_t)-1;
}

/* 0, or the handle is initialised, only uv_close() may end it, and the descriptor is still the caller's. */
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
    c->server = l->server;
    c->listener = l;
    c->place = place;
    c->peer.listener = l->name;
    c->peer.is_unix = l->is_unix;
    c->req.conn = c;
    c->req.peer = &c->peer;
    c->since_ms = server_now(l->server);
    head_init(&c->head);
    /* With TLS a record that began in an earlier read may add its whole length. */
    c->pending = BUF_SECRET(l->server->opts.max_pipelined + (l->tls ? SERVER_PLAIN : 0));
    return c;
}

/* Over the per-peer limit the socket is closed without a response. */
static bool count_peer(struct http_conn *c)
{
    struct http_server *server = c->server;
    uint64_t now = server_now(server);
    int err;

    if (c->place != PLACE_COUNTED)
        return true;
    err = conn_limits_enter(&server->conn_limits, c->peer.origin,
                            c->peer.is_unix ? 0 : server->opts.max_per_peer, &c->party);
    if (err == -EAGAIN && (!server->peer_warned_ms || now - server->peer_warned_ms >= WARN_EVERY_MS)) {
        server->peer_warned_ms = now;
        log_warn("too_many_connections", "listener=%s peer=%s max_connections_per_peer=%zu", c->peer.listener,
                 c->peer.origin, server->opts.max_per_peer);
    }
    return !err;
}

/* Counts the connection; false if a limit or memory forbids it. */
static bool conn_admit(struct http_conn *c, int fd, const struct sockaddr *from)
{
    describe_peer(c, fd, from);
    if (!count_peer(c))
        return false;
    strangers_enter(c);
    return true;
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
    c->phase = l->tls && place != PLACE_OVER_LIMIT ? CONN_HANDSHAKE : CONN_IDLE;
    c->rearm = true;
    if (open_handle(c, fd)) {
        close(fd);
        conn_close(c, "cannot open");
        return;
    }
    if (place == PLACE_OVER_LIMIT)
        response_refuse_with(c, FAULT_OVERLOADED, 0, "All client connections are in use (max_connections).");
    conn_settle(c);
    conn_read_early(c, fd);
}

bool http_shown_certificate(const struct http_req *req, struct http_shown *shown)
{
    return req->conn && req->conn->tls && tls_shown_certificate(req->conn->tls, shown);
}
