/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_uv.c - libuv without a kernel; see the header.
 *
 * The order of one iteration is libuv's: prepare, reads, asyncs, close callbacks. Timers are only noted: the
 * clock of a world moves outside of the loop, and loop_iterate() fires what is due by it. A write is taken as
 * a whole and at once. Descriptors are numbers that no kernel has, so the system calls of src/loop/server/ on
 * them fail, and the gateway goes the way it goes for libuv alone.
 */
#include "virtual_uv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/queue.h>

#define FIRST_FD (1 << 20)

/* In uv_handle_t.u.reserved[0]. */
struct handle {
    TAILQ_ENTRY(handle) link;
    uv_handle_t *uv;
    bool active, closing;
    uv_prepare_cb prepare;
    uv_async_cb async;
    bool sent; /* of an async */
    struct virtual_socket *socket;
};

/* In uv_loop_t.internal_fields. */
struct inside {
    TAILQ_HEAD(handles, handle) handles, closing;
    struct virtual_socket *offered;
    int next_fd;
};

static struct inside *inside_of(const uv_loop_t *loop)
{
    return loop->internal_fields;
}

static struct handle *handle_of(const uv_handle_t *uv)
{
    return uv->u.reserved[0];
}

/* ---- the loop ---- */

int uv_loop_init(uv_loop_t *loop)
{
    struct inside *in = calloc(1, sizeof *in);

    if (!in)
        return UV_ENOMEM;
    *loop = (uv_loop_t){.internal_fields = in};
    TAILQ_INIT(&in->handles);
    TAILQ_INIT(&in->closing);
    in->next_fd = FIRST_FD;
    return 0;
}

int uv_loop_configure(uv_loop_t *loop, uv_loop_option option, ...)
{
    (void)loop;
    (void)option;
    return 0;
}

int uv_loop_close(uv_loop_t *loop)
{
    struct inside *in = inside_of(loop);

    if (!TAILQ_EMPTY(&in->handles) || !TAILQ_EMPTY(&in->closing))
        return UV_EBUSY;
    free(in);
    return 0;
}

static void run_prepare(struct inside *in)
{
    struct handle *h, *next;

    for (h = TAILQ_FIRST(&in->handles); h; h = next) {
        next = TAILQ_NEXT(h, link);
        if (h->prepare)
            h->prepare((uv_prepare_t *)h->uv);
    }
}

static bool is_readable(const struct virtual_socket *s)
{
    return s && s->stream && s->reading && (s->in.len || s->eof || s->lost);
}

static void take_from_socket(struct virtual_socket *s, size_t n)
{
    memmove(s->in.data, s->in.data + n, s->in.len - n);
    s->in.len -= n;
}

static void read_once(struct virtual_socket *s)
{
    uv_stream_t *stream = s->stream;
    uv_buf_t room = {0};

    stream->alloc_cb((uv_handle_t *)stream, 65536, &room);
    if (!room.len) {
        stream->read_cb(stream, UV_ENOBUFS, &room);
        return;
    }
    size_t n = s->in.len < room.len ? s->in.len : room.len;
    if (!n) {
        stream->read_cb(stream, s->lost ? UV_ECONNRESET : UV_EOF, &room);
        return;
    }
    memcpy(room.base, s->in.data, n);
    take_from_socket(s, n);
    stream->read_cb(stream, (ssize_t)n, &room);
}

static void run_reads(struct inside *in)
{
    struct handle *h, *next;

    for (h = TAILQ_FIRST(&in->handles); h; h = next) {
        next = TAILQ_NEXT(h, link);
        if (is_readable(h->socket))
            read_once(h->socket);
    }
}

static void run_asyncs(struct inside *in)
{
    struct handle *h, *next;

    for (h = TAILQ_FIRST(&in->handles); h; h = next) {
        next = TAILQ_NEXT(h, link);
        if (!h->sent || h->closing)
            continue;
        h->sent = false;
        h->async((uv_async_t *)h->uv);
    }
}

static void run_closing(struct inside *in)
{
    struct handles now = TAILQ_HEAD_INITIALIZER(now);
    struct handle *h;

    TAILQ_CONCAT(&now, &in->closing, link);
    while ((h = TAILQ_FIRST(&now))) {
        uv_handle_t *uv = h->uv;

        TAILQ_REMOVE(&now, h, link);
        free(h);
        uv->u.reserved[0] = NULL;
        if (uv->close_cb)
            uv->close_cb(uv);
    }
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    struct inside *in = inside_of(loop);

    if (mode != UV_RUN_NOWAIT)
        abort(); /* a world never blocks */
    run_prepare(in);
    run_reads(in);
    run_asyncs(in);
    run_closing(in);
    return uv_loop_alive(loop);
}

void uv_stop(uv_loop_t *loop)
{
    (void)loop;
}

int uv_loop_alive(const uv_loop_t *loop)
{
    return virtual_uv_pending(loop);
}

bool virtual_uv_pending(const uv_loop_t *loop)
{
    const struct inside *in = inside_of(loop);
    const struct handle *h;

    if (!TAILQ_EMPTY(&in->closing))
        return true;
    TAILQ_FOREACH(h, &in->handles, link)
    if (h->sent || is_readable(h->socket))
        return true;
    return false;
}

/* libuv's own time measures the length of an iteration: it has none. uv_hrtime() is in virtual_threads.c. */
uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return 0;
}

void uv_update_time(uv_loop_t *loop)
{
    (void)loop;
}

uint64_t uv_metrics_idle_time(uv_loop_t *loop)
{
    (void)loop;
    return 0;
}

/* ---- handles ---- */

static int handle_init(uv_loop_t *loop, uv_handle_t *uv, uv_handle_type type)
{
    struct inside *in = inside_of(loop);
    struct handle *h = calloc(1, sizeof *h);

    if (!h)
        return UV_ENOMEM;
    h->uv = uv;
    uv->loop = loop;
    uv->type = type;
    uv->close_cb = NULL;
    uv->u.reserved[0] = h;
    TAILQ_INSERT_TAIL(&in->handles, h, link);
    return 0;
}

void uv_ref(uv_handle_t *uv)
{
    (void)uv;
}

void uv_unref(uv_handle_t *uv)
{
    (void)uv;
}

int uv_is_active(const uv_handle_t *uv)
{
    return handle_of(uv)->active;
}

static void detach_socket(struct handle *h, bool reset)
{
    struct virtual_socket *s = h->socket;

    h->socket = NULL;
    if (!s)
        return;
    s->stream = NULL;
    s->closed(s, reset);
}

static void close_handle(uv_handle_t *uv, uv_close_cb done, bool reset)
{
    struct inside *in = inside_of(uv->loop);
    struct handle *h = handle_of(uv);

    if (h->closing)
        abort();
    h->closing = true;
    h->active = false;
    uv->close_cb = done;
    TAILQ_REMOVE(&in->handles, h, link);
    TAILQ_INSERT_TAIL(&in->closing, h, link);
    detach_socket(h, reset);
}

void uv_close(uv_handle_t *uv, uv_close_cb done)
{
    close_handle(uv, done, false);
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    return handle_init(loop, (uv_handle_t *)timer, UV_TIMER);
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb fire, uint64_t delay, uint64_t repeat)
{
    (void)fire;
    (void)delay;
    (void)repeat;
    handle_of((uv_handle_t *)timer)->active = true;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    handle_of((uv_handle_t *)timer)->active = false;
    return 0;
}

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *prepare)
{
    return handle_init(loop, (uv_handle_t *)prepare, UV_PREPARE);
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb fn)
{
    struct handle *h = handle_of((uv_handle_t *)prepare);

    h->prepare = fn;
    h->active = true;
    return 0;
}

int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb fn)
{
    int err = handle_init(loop, (uv_handle_t *)async, UV_ASYNC);

    if (err)
        return err;
    handle_of((uv_handle_t *)async)->async = fn;
    handle_of((uv_handle_t *)async)->active = true;
    return 0;
}

int uv_async_send(uv_async_t *async)
{
    handle_of((uv_handle_t *)async)->sent = true;
    return 0;
}

int uv_is_closing(const uv_handle_t *uv)
{
    return handle_of(uv)->closing;
}

/* A poll that reports nothing: who has the descriptor's other end calls its owner. */
int uv_poll_init(uv_loop_t *loop, uv_poll_t *poll, int fd)
{
    (void)fd;
    return handle_init(loop, (uv_handle_t *)poll, UV_POLL);
}

/* ---- sockets ---- */

void virtual_uv_offer(uv_loop_t *loop, struct virtual_socket *s)
{
    struct inside *in = inside_of(loop);

    s->fd = in->next_fd++;
    in->offered = s;
}

void virtual_uv_forget(uv_loop_t *loop, struct virtual_socket *s)
{
    struct inside *in = inside_of(loop);

    if (in->offered == s)
        in->offered = NULL;
    if (s->stream)
        handle_of((uv_handle_t *)s->stream)->socket = NULL;
    s->stream = NULL;
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    return handle_init(loop, (uv_handle_t *)tcp, UV_TCP);
}

int uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t fd)
{
    struct inside *in = inside_of(tcp->loop);

    if (!in->offered || in->offered->fd != fd)
        return UV_EBADF;
    in->offered->stream = (uv_stream_t *)tcp;
    handle_of((uv_handle_t *)tcp)->socket = in->offered;
    in->offered = NULL;
    return 0;
}

int uv_tcp_close_reset(uv_tcp_t *tcp, uv_close_cb done)
{
    close_handle((uv_handle_t *)tcp, done, true);
    return 0;
}

static struct virtual_socket *socket_of(const uv_stream_t *stream)
{
    return handle_of((const uv_handle_t *)stream)->socket;
}

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc, uv_read_cb fn)
{
    struct virtual_socket *s = socket_of(stream);

    stream->alloc_cb = alloc;
    stream->read_cb = fn;
    if (s)
        s->reading = true;
    return 0;
}

int uv_read_stop(uv_stream_t *stream)
{
    struct virtual_socket *s = socket_of(stream);

    if (s)
        s->reading = false;
    return 0;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t part[], unsigned n)
{
    struct virtual_socket *s = socket_of(stream);
    size_t all = 0;

    if (!s || s->lost)
        return UV_EPIPE;
    for (unsigned i = 0; i < n; i++) {
        s->sent(s, part[i].base, part[i].len);
        all += part[i].len;
    }
    return (int)all;
}

/* The kernel's end of the connection is not there: what is asked of it fails. */
int uv_fileno(const uv_handle_t *uv, uv_os_fd_t *fd)
{
    (void)uv;
    (void)fd;
    return UV_EBADF;
}
