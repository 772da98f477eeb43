/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - the socket of a connection; see link.h.
 *
 * What is to be sent gathers in `next` while `wire` is being written; one write is under way at a time. A
 * link counts as open (load->open) until its handle has closed.
 */
#include "load/link_inside.h"

#include "base/text.h"
#include "load/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX 65536

static char read_buffer[65536];

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct load *load = link->load;

    link_tls_free(link);
    buf_free(&link->next);
    buf_free(&link->wire);
    free(link);
    load_closed(load);
}

/* What is left to say is tried once: the other side learns of the end in any case. */
static void say_goodbye(struct link *link)
{
    link_tls_end(link);
    if (link->ssl && !link->writing && link->next.len) {
        uv_buf_t bytes = uv_buf_init(link->next.data, (unsigned)link->next.len);
        (void)uv_try_write(&link->at.stream, &bytes, 1);
    }
}

void link_close(struct link *link)
{
    if (!link || link->closing)
        return;
    say_goodbye(link);
    link->closing = true;
    link->session = NULL;
    uv_close(&link->at.handle, on_closed);
}

static void lose(struct link *link, const char *why)
{
    const struct link_app *app = link->app;
    void *arg = link->arg;

    if (link->closing)
        return;
    link_close(link);
    app->on_lost(arg, why);
}

/* ---- writing --------------------------------------------------------------------------------------------
 */

static int flush(struct link *);

static void on_written(uv_write_t *req, int status)
{
    struct link *link = req->data;

    link->writing = false;
    buf_clear(&link->wire);
    if (link->closing)
        return;
    if (!status)
        status = flush(link);
    if (status)
        lose(link, uv_strerror(status));
}

static int flush(struct link *link)
{
    struct buf written = link->wire;

    if (link->writing || link->next.len == 0 || link->closing)
        return 0;
    link->wire = link->next;
    link->next = written;
    uv_buf_t bytes = uv_buf_init(link->wire.data, (unsigned)link->wire.len);
    link->write.data = link;
    int err = uv_write(&link->write, &link->at.stream, &bytes, 1, on_written);
    link->writing = !err;
    return err;
}

int link_send(struct link *link, const char *bytes, size_t n)
{
    int err = link->ssl ? link_tls_write(link, bytes, n) : buf_append(&link->next, bytes, n);

    return err ? err : flush(link);
}

/* ---- reading --------------------------------------------------------------------------------------------
 */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    (void)handle;
    (void)size;
    *buf = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct link *link = stream->data;
    int err = 0;

    if (n == 0 || link->closing)
        return;
    if (n < 0) {
        lose(link, uv_strerror((int)n));
        return;
    }
    if (link->ssl)
        err = link_tls_feed(link, buf->base, (size_t)n);
    else
        link->app->on_data(link->arg, buf->base, (size_t)n);
    if (!err)
        err = flush(link);
    if (err)
        lose(link, err == -EPROTO ? "TLS" : uv_strerror(err));
}

/* ---- the beginning --------------------------------------------------------------------------------------
 */

static void on_connected(uv_connect_t *req, int status)
{
    struct link *link = req->data;

    if (link->closing)
        return;
    if (!status)
        status = uv_read_start(&link->at.stream, on_alloc, on_read);
    if (!status && link->at.handle.type == UV_TCP)
        status = uv_tcp_nodelay(&link->at.tcp, 1);
    if (!status && link->ssl) {
        status = link_tls_handshake(link);
        if (!status)
            status = flush(link);
    }
    if (status)
        lose(link, uv_strerror(status));
    else if (!link->ssl)
        link->app->on_ready(link->arg);
}

static int init_handle(struct link *link)
{
    uv_loop_t *loop = &link->load->loop;

    return link->load->to.path[0] ? uv_pipe_init(loop, &link->at.pipe, 0) : uv_tcp_init(loop, &link->at.tcp);
}

static int begin(struct link *link)
{
    const struct link_to *to = &link->load->to;
    int err = to->tls ? link_tls_attach(link, to) : 0;

    if (err)
        return err;
    link->connect.data = link;
    if (!to->path[0])
        return uv_tcp_connect(&link->connect, &link->at.tcp, (const struct sockaddr *)&to->address,
                              on_connected);
    uv_pipe_connect(&link->connect, &link->at.pipe, to->path, on_connected);
    return 0;
}

struct link *link_open(struct load *load, const struct link_app *app, void *arg, SSL_SESSION **session)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    *link = (struct link){.load = load,
                          .app = app,
                          .arg = arg,
                          .session = session,
                          .next = BUF_INIT(OUT_MAX),
                          .wire = BUF_INIT(OUT_MAX)};
    if (init_handle(link)) {
        free(link);
        return NULL;
    }
    link->at.handle.data = link;
    load->open++;
    if (begin(link) == 0)
        return link;
    link_close(link);
    return NULL;
}

bool link_resumed(const struct link *link)
{
    return link->ssl && SSL_session_reused(link->ssl);
}

bool link_parse(struct link_to *to, const char *text)
{
    int64_t port;
    const char *colon = strrchr(text, ':');

    if (strncmp(text, "unix:", 5) == 0)
        return text_copy_n(to->host, sizeof(to->host), "localhost", 9) && text[5] &&
               text_copy_n(to->path, sizeof(to->path), text + 5, strlen(text + 5));
    if (!colon || !text_int(colon + 1, 1, 65535, &port))
        return false;
    if (text[0] == '[' && colon > text + 2)
        return text_copy_n(to->host, sizeof(to->host), text + 1, (size_t)(colon - text) - 2) &&
               uv_ip6_addr(to->host, (int)port, (struct sockaddr_in6 *)&to->address) == 0;
    return text_copy_n(to->host, sizeof(to->host), text, (size_t)(colon - text)) &&
           uv_ip4_addr(to->host, (int)port, (struct sockaddr_in *)&to->address) == 0;
}
