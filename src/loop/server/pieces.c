/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.c - a response in pieces: its head, its chunks, and when the next may come.
 *
 * The idea: a piece is sent as any other bytes are. What the socket does not take waits in libuv's queue,
 * whose size decides: while it has room for one more piece of the largest size, http_piece() is true.
 * Otherwise the application waits for drained(), which is called when the socket has taken a piece and at
 * most half of the limit waits.
 *
 * A full socket accepts bytes again only when much of its buffer, perhaps megabytes, has gone. So when
 * write_timeout_ms is over, the bytes decide that the client has acknowledged: one that has taken some since
 * has its time again, until the last bytes of the response are with the socket.
 *
 * The line end behind a chunk is sent in front of the next one, so that no piece is copied.
 *
 * Invariants: the request is open from http_begin() to http_end(). In phase PIECES nothing waits for the
 * socket; in phase PIECE something does, and each piece that the socket takes starts write_timeout_ms again.
 */
#include "loop/server/connection.h"

#include "base/log.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define OVERHEAD 4096 /* of one piece: chunk, TLS records */
#define HEAD_MAX 16384

static size_t waiting(const struct http_conn *c)
{
    return uv_stream_get_write_queue_size(&c->u.stream);
}

size_t pieces_untaken(const struct http_conn *c)
{
    uv_os_fd_t fd;
    int in_socket;

    if (uv_fileno(&c->u.handle, &fd) || ioctl(fd, SIOCOUTQ, &in_socket))
        in_socket = 0;
    return waiting(c) + (size_t)in_socket;
}

static bool has_room(const struct http_conn *c)
{
    return waiting(c) + HTTP_PIECE_MAX + OVERHEAD <= HTTP_PIECES_WAIT;
}

/* After something was sent: may the application go on? */
static bool sent(struct http_conn *c)
{
    if (c->phase != CONN_CLOSED)
        conn_goto(c, c->writes ? CONN_PIECE : CONN_PIECES);
    c->full = c->phase != CONN_CLOSED && !has_room(c);
    conn_settle(c);
    return c->phase != CONN_CLOSED && !c->full;
}

/* Sends the last bytes of the response, and the request is over. */
static void finish(struct http_conn *c, struct buf *last)
{
    conn_request_over(c);
    c->ending = c->close_after || c->server->last_answers || c->untrusted ? ENDING_POLITE : ENDING_KEEP;
    conn_clear_request(c);
    conn_goto(c, CONN_RESPONSE);
    if (last->failed)
        conn_close(c, "out of memory");
    else
        conn_send(c, last, &BUF_INIT(0));
    conn_settle(c);
}

bool http_begin(struct http_req *req, const struct http_response *response)
{
    struct http_conn *c = req->conn;
    struct buf head = BUF_INIT(HEAD_MAX);
    bool wanted = req->method != HTTP_HEAD_;

    if (!c->req_open)
        return false;
    c->close_after = response->close || response_closes(c) || (c->minor0 && wanted);
    c->first_piece = c->in_pieces = true;
    (void)response_head(c, response, c->close_after, true, &head);
    if (!wanted || head.failed) {
        finish(c, &head);
    } else {
        conn_send(c, &head, &BUF_INIT(0));
        (void)sent(c);
    }
    buf_free(&head);
    return wanted && c->phase != CONN_CLOSED;
}

/* The line end of the chunk before, and the size of this one. */
static void write_chunk(struct http_conn *c, size_t size, struct buf *line)
{
    if (c->minor0)
        return;
    (void)buf_printf(line, "%s%zx\r\n", c->first_piece ? "" : "\r\n", size);
    c->first_piece = false;
}

bool http_piece(struct http_req *req, struct buf *piece)
{
    struct http_conn *c = req->conn;
    struct buf line = BUF_INIT(64);
    struct buf bytes = BUF_INIT(0);

    if (!c->req_open) {
        buf_free(piece);
        return false;
    }
    if (!piece->len) /* a chunk of no bytes would end the response */
        return !c->full;
    if (piece->len > HTTP_PIECE_MAX || !has_room(c)) {
        log_error("piece_refused", "listener=%s bytes=%zu waiting=%zu", c->peer.listener, piece->len,
                  waiting(c));
        buf_free(piece);
        conn_reset(c, "piece out of turn");
        return false;
    }
    write_chunk(c, piece->len, &line);
    buf_move(&bytes, piece);
    if (line.failed)
        conn_close(c, "out of memory");
    else
        conn_send(c, &line, &bytes);
    buf_free(&line);
    buf_free(&bytes);
    return sent(c);
}

void http_end(struct http_req *req)
{
    struct http_conn *c = req->conn;
    struct buf last = BUF_INIT(64);

    if (!c->req_open)
        return;
    if (!c->minor0)
        (void)buf_printf(&last, "%s0\r\n\r\n", c->first_piece ? "" : "\r\n");
    finish(c, &last);
    buf_free(&last);
}

void pieces_written(struct http_conn *c)
{
    bool goes_on = c->full && waiting(c) <= HTTP_PIECES_WAIT / 2 && has_room(c);

    conn_goto(c, c->writes ? CONN_PIECE : CONN_PIECES);
    if (!goes_on)
        return;
    c->full = false;
    c->server->app.drained(c->server->app.arg, &c->req);
}
