/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_read.c - bytes of a client arrive: decrypted, handed to the request parser, or kept for later.
 *
 * Reading continues while a request is in work, because a closed connection is noticed only by reading. Bytes
 * of later requests are kept, up to max_pipelined; then reading stops until the response is sent. An end of
 * file while a request is unanswered means that the client left, also when it shut only its write side.
 *
 * Invariants: the two read buffers are the server's, shared by all connections, and wiped after each read.
 * on_alloc() never offers more space than `pending` can still keep.
 *
 * Not here: what the bytes mean (request.c), when a stranger is read (read_queue.c).
 */
#include "loop/server/connection.h"

#include "base/memory/secret.h"

#include <sys/socket.h>

/* The sender of a refused upload looks at the response only when it has written: this much is read and
 * discarded. */
#define LINGER_BYTES  (1024 * 1024)
#define STRANGER_READ 4096 /* bytes of a usual request; what comes ahead of it is in secret memory */

static bool takes_input(const struct http_conn *c)
{
    return c->phase == CONN_IDLE || c->phase == CONN_HEAD || c->phase == CONN_BODY ||
           c->phase == CONN_TRAILERS;
}

static void keep_bytes(struct http_conn *c, const char *bytes, size_t n)
{
    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER || c->ending != ENDING_KEEP)
        return;
    if (buf_append(&c->pending, bytes, n))
        conn_close(c, "too many bytes ahead of the response");
    else if (c->phase == CONN_IDLE) /* it has had its heads of this iteration */
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
        keep_bytes(c, bytes + used, n - used);
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
            keep_bytes(c, bytes.data + used, bytes.len - used);
    }
    buf_free(&bytes);
    if (c->eof && !c->input_shut && c->phase != CONN_NEXT && c->phase != CONN_RESPONSE &&
        c->phase != CONN_LINGER)
        conn_close(c, "client closed");
}

static void client_ended(struct http_conn *c, const char *why)
{
    if ((c->phase == CONN_RESPONSE && c->writes) || c->phase == CONN_NEXT ||
        (c->phase == CONN_WORK && c->input_shut)) {
        c->eof = true; /* its response is pending */
        uv_read_stop(&c->u.stream);
        c->reading = false;
        return;
    }
    conn_close(c, why);
}

/* Without all of its names, a client would be refused, or taken for another, as long as it stays. */
static bool peer_names(struct http_conn *c)
{
    if (tls_read_peer(c->tls, &c->peer)) {
        conn_close(c, "out of memory");
        return false;
    }
    strangers_check_certificate(c);
    return true;
}

/* After each delivery of ciphertext: did the handshake, first or late, end? */
static void tls_progress(struct http_conn *c)
{
    if (c->phase == CONN_HANDSHAKE && tls_answers(c->tls))
        strangers_advance(c, STAGE_HELLO);
    if (c->phase == CONN_HANDSHAKE && tls_established(c->tls)) {
        strangers_advance(c, STAGE_ESTABLISHED);
        if (peer_names(c))
            conn_goto(c, CONN_IDLE);
    }
    if (c->phase == CONN_CERTIFICATE && tls_asked_done(c->tls) && peer_names(c)) {
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
    /* A ticket leaves with the response to the request that followed the handshake; an alert at once. */
    if (c->phase != CONN_WORK || got < 0 || !tls_can_wait(c->tls))
        conn_flush_tls(c);
    tls_rest(c->tls);
    if (err || (got < 0 && got != -ECONNRESET))
        conn_close(c, tls_why(c->tls));
    else if (got == -ECONNRESET && c->phase != CONN_LINGER)
        client_ended(c, "client closed");
}

/* All that is read may have to be kept, so no more is read at once than `pending` can keep. A size of 0 makes
 * libuv call on_read() with UV_ENOBUFS, which puts a stranger into its read queue. */
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

/* The TLS object is made with the client's first bytes: a connection that sends none costs none. */
static bool has_tls(struct http_conn *c)
{
    if (c->phase == CONN_HANDSHAKE && !c->tls)
        c->tls = tls_new(c->listener->tls);
    return c->phase != CONN_HANDSHAKE || c->tls;
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct http_conn *c = stream->data;

    if (c->phase == CONN_CLOSED || nread == 0)
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

void conn_set_reading(struct http_conn *c)
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

/* When a busy loop accepts a connection, its request has often arrived: it is read in this iteration. */
void conn_read_early(struct http_conn *c, int fd)
{
    uv_buf_t room;
    ssize_t n;

    if (!c->reading || c->phase == CONN_CLOSED)
        return;
    on_alloc(&c->u.handle, 0, &room);
    if (!room.len) { /* with bytes to read it joins its queue at once; without, it may be closed */
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
