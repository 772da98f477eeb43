/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_write.c - bytes of a response are sent, and what follows.
 *
 * The idea: first uv_try_write() of head and body in one system call, which is nearly always all. What the
 * socket does not take goes to libuv's queue, in a `struct writing` that owns the bytes until its callback
 * and wipes them there. With TLS both parts become one record and the ciphertext goes the same way.
 *
 * After a response that closes, the write side is shut first and further input is discarded for a while:
 * closing a socket with unread bytes would reset it, and the client might lose the response. shutdown(2) is
 * called directly, since at that point libuv has nothing of this connection left to write.
 *
 * Invariant: `writes` counts what libuv still holds; response_sent() runs once per answer, when it is 0. A
 * callback may come after the connection was closed, with any status; it then only frees its bytes.
 */
#include "loop/server/connection.h"

#include <stdlib.h>
#include <sys/socket.h>

#define RECORD 16384 /* bytes of plaintext in the largest one */

struct writing {
    uv_write_t req;
    struct http_conn *conn; /* outlives it: libuv ends all writes before it reports the handle closed */
    struct buf part[2];
};

static void linger_after_response(struct http_conn *c)
{
    uv_os_fd_t fd;

    if (uv_fileno(&c->u.handle, &fd) || shutdown(fd, SHUT_WR) || c->eof) {
        conn_close(c, "answered");
        return;
    }
    buf_free(&c->pending);
    conn_goto(c, CONN_LINGER);
}

static void response_sent(struct http_conn *c)
{
    c->in_pieces = false;
    switch (c->ending) {
    case ENDING_KEEP:
        if (c->eof && !c->pending.len && !c->in_feed)
            conn_close(c, "client closed");
        else
            conn_goto(c, c->pending.len && !c->in_feed ? CONN_NEXT : CONN_IDLE);
        break;
    case ENDING_POLITE:
    case ENDING_ABRUPT: linger_after_response(c); break;
    case ENDING_RESET: conn_reset(c, "reset on request"); break;
    }
}

static void writing_free(struct writing *w)
{
    buf_free(&w->part[0]);
    buf_free(&w->part[1]);
    free(w);
}

static void on_written(uv_write_t *req, int status)
{
    struct writing *w = req->data;
    struct http_conn *c = w->conn;

    writing_free(w);
    c->writes--;
    if (c->phase == CONN_CLOSED) /* the status says nothing then */
        return;
    if (status)
        conn_close(c, "write failed");
    else if (c->phase == CONN_PIECE)
        pieces_written(c);
    else if (c->writes == 0 && c->phase == CONN_RESPONSE)
        response_sent(c);
    conn_settle(c);
}

/* Queues what uv_try_write() left; `done` bytes are sent already. */
static void write_rest(struct http_conn *c, struct buf *first, struct buf *second, size_t done)
{
    struct writing *w = calloc(1, sizeof(*w));
    uv_buf_t iov[2];
    unsigned n = 0;

    if (!w) {
        conn_close(c, "out of memory");
        return;
    }
    w->conn = c;
    w->req.data = w;
    buf_move(&w->part[0], first);
    buf_move(&w->part[1], second);
    for (size_t i = 0; i < 2; i++) {
        size_t skip = done < w->part[i].len ? done : w->part[i].len;

        done -= skip;
        if (skip < w->part[i].len)
            iov[n++] = uv_buf_init(w->part[i].data + skip, (unsigned)(w->part[i].len - skip));
    }
    if (uv_write(&w->req, &c->u.stream, iov, n, on_written)) {
        writing_free(w);
        conn_close(c, "write failed");
        return;
    }
    c->writes++;
}

static void write_buffers(struct http_conn *c, struct buf *first, struct buf *second)
{
    uv_buf_t iov[2];
    unsigned n = 0;
    int done = 0;

    if (first->len)
        iov[n++] = uv_buf_init(first->data, (unsigned)first->len);
    if (second->len)
        iov[n++] = uv_buf_init(second->data, (unsigned)second->len);
    if (n)
        done = uv_try_write(&c->u.stream, iov, n);
    if (done == UV_EAGAIN)
        done = 0;
    if (done < 0)
        conn_close(c, "write failed");
    else if ((size_t)done < first->len + second->len)
        write_rest(c, first, second, (size_t)done);
    buf_free(first);
    buf_free(second);
}

/* Moves OpenSSL's output to the socket. */
void conn_flush_tls(struct http_conn *c)
{
    struct buf out = BUF_INIT(SIZE_MAX / 4);

    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER)
        return;
    if (tls_output(c->tls, &out))
        conn_close(c, "out of memory");
    else if (out.len)
        write_buffers(c, &out, &BUF_INIT(0));
    buf_free(&out);
}

static void send_tls(struct http_conn *c, struct buf *first, struct buf *second)
{
    size_t room = first->len < RECORD ? RECORD - first->len : 0;
    size_t part = second->len < room ? second->len : room;
    int err;

    /* The first record holds the head and what fits of the body: a short answer is one record, one packet. */
    first->max = RECORD;
    err = buf_append(first, second->data, part);
    if (!err && first->len)
        err = tls_write(c->tls, first->data, first->len);
    if (!err && part < second->len)
        err = tls_write(c->tls, second->data + part, second->len - part);
    if (c->phase == CONN_RESPONSE && c->ending == ENDING_POLITE)
        tls_shutdown(c->tls);
    buf_free(first);
    buf_free(second);
    if (err)
        conn_close(c, "tls write failed");
    else
        conn_flush_tls(c);
    tls_rest(c->tls);
}

void conn_send(struct http_conn *c, struct buf *first, struct buf *second)
{
    if (c->tls)
        send_tls(c, first, second);
    else
        write_buffers(c, first, second);
    if (c->phase == CONN_RESPONSE && c->writes == 0)
        response_sent(c);
}
