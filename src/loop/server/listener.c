/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.c - sockets that accept: TCP over IPv4 and IPv6, Unix sockets.
 *
 * The idea: the socket is made with plain system calls and watched with a uv_poll_t, and accept4() is called
 * here. When descriptors run out, libuv's own accepting closes waiting clients or calls back without end;
 * here accepting pauses for PAUSE_MS, logs that once, and goes on.
 *
 * When no stranger may be accepted (strangers.c), a listener is not watched and waits in a list; afterwards
 * the listeners of the list alternate, one connection each.
 *
 * Unix sockets: an existing file is removed only if it is a socket on which no process listens. Mode and
 * owner are set between bind and listen, before a client can connect. On close the file is removed if it is
 * still the one that was made.
 *
 * A socket that the service manager passed is neither bound nor removed here, and its file keeps mode and
 * owner; passed_socket.c checks it.
 *
 * Life: http_listen -> accepting <-> paused -> listener_close. The struct is freed with the server; its TLS
 * context may be replaced by a newer one (http_listener_reload).
 */
#include "base/container_of.h"
#include "base/log.h"
#include "loop/server/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG         4096 /* a connect over it is repeated by the peer's kernel after a second */
#define ACCEPT_BATCH    128  /* per iteration, so that many new connections do not delay the open ones */
#define MAX_WAITING     1024 /* strangers that wait: in the kernel, and accepted to be read */
#define PAUSE_MS        100  /* when descriptors or memory run out */
#define FULL_ITERATIONS 2    /* a new connection waits this long for others to be closed */
#define MAX_OVER        64   /* connections being answered 503 */
#define WHY_SIZE        256

static int listen_failed(char why[WHY_SIZE], const struct http_listen_opts *opts, const char *what, int err)
{
    snprintf(why, WHY_SIZE, "listener %s: %s %s: %s", opts->name, what, opts->host, strerror(err));
    return -err;
}

/* ---- accepting ---- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct deadline *deadline)
{
    struct listener *l = CONTAINER_OF(deadline, struct listener, pause);

    if (l->open && uv_poll_start(&l->poll, UV_READABLE, on_readable))
        log_error("accept_stopped", "listener=%s", l->name);
}

static void pause_for(struct listener *l, uint64_t ms)
{
    uv_poll_stop(&l->poll);
    if (timer_start(loop_timers(l->server->loop), &l->pause, ms, on_pause_over))
        on_pause_over(&l->pause); /* without a timer: accept again at once */
}

static void pause_accepting(struct listener *l, int err)
{
    if (!l->exhausted) /* once, not ten times a second */
        log_warn("accept_paused", "listener=%s error=%s pause_ms=%d", l->name, strerror(err), PAUSE_MS);
    l->exhausted = true;
    pause_for(l, PAUSE_MS);
}

static void place_connection(struct listener *l, int fd, const struct sockaddr *from)
{
    struct http_server *server = l->server;

    if (l->separate && server->nseparate < HTTP_MAX_SEPARATE) {
        conn_accept(l, fd, from, PLACE_SEPARATE);
    } else if (!l->separate &&
               (server->nconns < server->opts.max_connections || strangers_make_room(server))) {
        conn_accept(l, fd, from, PLACE_COUNTED);
    } else if (l->tls || server->nover_limit >= MAX_OVER) {
        close(fd);
    } else {
        conn_accept(l, fd, from, PLACE_OVER_LIMIT);
    }
}

/* How many connections wait in the kernel to be accepted: a listening socket has the number in `unacked`. */
static unsigned waiting_in_kernel(const struct listener *l)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    memset(&info, 0, sizeof(info));
    return getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_unacked;
}

static size_t waiting_accepted(const struct listener *l)
{
    return l->server->read_queues[l->tls ? QUEUE_HANDSHAKES : QUEUE_STRANGERS].conns.n;
}

/*
 * Strangers that have just connected have GRACE_MS before one of them is closed; a new connection waits in
 * the kernel, unless so many wait that the last one would wait for long. A Unix socket's clients are
 * identified when they are accepted.
 */
static bool must_wait(const struct listener *l, uint64_t *wait_ms)
{
    return !l->is_unix && !strangers_have_room(l->server, wait_ms) && *wait_ms != UINT64_MAX &&
           waiting_in_kernel(l) + waiting_accepted(l) <= MAX_WAITING;
}

/*
 * A connection that the client has closed counts until its end is read: in this iteration, or in the next one
 * if the end arrives in this one. A new connection is not refused for that.
 */
static bool connections_may_be_closing(struct listener *l)
{
    const struct http_server *server = l->server;
    bool full = !l->separate && !server->strangers.n && server->nconns >= server->opts.max_connections;

    l->full_iterations = full ? l->full_iterations + 1 : 0;
    return full && l->full_iterations <= FULL_ITERATIONS;
}

enum accepted { ACCEPTED, ACCEPT_NONE, ACCEPT_LATER, ACCEPT_NO_ROOM };

/* LATER: the loop or the pause calls it again. NO_ROOM: to be called after *wait_ms. */
static enum accepted accept_one(struct listener *l, uint64_t *wait_ms)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof(from);
    int fd, err;

    if (connections_may_be_closing(l))
        return ACCEPT_LATER;
    if (must_wait(l, wait_ms))
        return ACCEPT_NO_ROOM;
    fd = accept4(l->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    err = errno;
    if (fd >= 0) {
        l->exhausted = false;
        place_connection(l, fd, (struct sockaddr *)&from);
    } else if (err == EAGAIN || err == EWOULDBLOCK) {
        l->full_iterations = 0;
        return ACCEPT_NONE;
    } else if ((err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM) &&
               !strangers_make_room(l->server)) {
        pause_accepting(l, err);
        return ACCEPT_LATER;
    } /* any other error ends that one connection before it was accepted */
    return ACCEPTED;
}

/* ---- listeners whose strangers wait ---- */

static void leave_waiting(struct listener *l)
{
    if (l->is_waiting)
        TAILQ_REMOVE(&l->server->waiting, l, waiting_link);
    l->is_waiting = false;
}

static void join_waiting(struct listener *l)
{
    uv_poll_stop(&l->poll);
    TAILQ_INSERT_TAIL(&l->server->waiting, l, waiting_link);
    l->is_waiting = true;
}

/* The listener accepts as soon as a connection arrives. */
static void watch_again(struct listener *l)
{
    leave_waiting(l);
    if (!timer_running(&l->pause))
        on_pause_over(&l->pause);
}

static void on_accept_waiting(struct deadline *deadline);

static void accept_waiting_in(struct http_server *server, uint64_t ms)
{
    if (timer_start(loop_timers(server->loop), &server->accept_waiting, ms, on_accept_waiting) == 0)
        return;
    while (!TAILQ_EMPTY(&server->waiting)) /* without a timer: accept again at once */
        watch_again(TAILQ_FIRST(&server->waiting));
}

static void on_accept_waiting(struct deadline *deadline)
{
    struct http_server *server = CONTAINER_OF(deadline, struct http_server, accept_waiting);
    struct listener *l;
    uint64_t wait_ms = 0;

    for (int i = 0; i < ACCEPT_BATCH && (l = TAILQ_FIRST(&server->waiting)); i++) {
        enum accepted done = accept_one(l, &wait_ms);

        if (done == ACCEPT_NO_ROOM)
            break;
        leave_waiting(l);
        if (done == ACCEPTED && l->open)
            join_waiting(l);
        else if (l->open)
            watch_again(l);
        wait_ms = 0;
    }
    if (!TAILQ_EMPTY(&server->waiting))
        accept_waiting_in(server, wait_ms);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    enum accepted done = ACCEPTED;
    uint64_t wait_ms = 0;

    (void)events;
    if (status < 0)
        return;
    if (!l->is_unix && !TAILQ_EMPTY(&l->server->waiting)) { /* it does not pass those that wait */
        join_waiting(l);
        return;
    }
    for (int i = 0; i < ACCEPT_BATCH && l->open && done == ACCEPTED; i++)
        done = accept_one(l, &wait_ms);
    if (done != ACCEPT_NO_ROOM)
        return;
    join_waiting(l);
    accept_waiting_in(l->server, wait_ms);
}

/* ---- TCP ---- */

static int bind_tcp(const struct http_listen_opts *opts, int *out, char why[WHY_SIZE])
{
    struct sockaddr_storage ss;
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
    socklen_t len = sizeof(*in);
    int on = 1;
    int fd;

    memset(&ss, 0, sizeof(ss));
    if (uv_ip4_addr(opts->host, opts->port, in)) {
        if (uv_ip6_addr(opts->host, opts->port, in6))
            return listen_failed(why, opts, "not a numeric address:", EINVAL);
        len = sizeof(*in6);
    }
    fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return listen_failed(why, opts, "cannot open a socket for", errno);
    /* What is accepted inherits TCP_NODELAY: one call for all instead of one for each. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        (ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
        bind(fd, (struct sockaddr *)&ss, len)) {
        int err = listen_failed(why, opts, "cannot bind to", errno);

        close(fd);
        return err;
    }
    *out = fd;
    return 0;
}

/* ---- Unix sockets ---- */

/* 0 if no file has that name now. */
static int remove_stale(const struct sockaddr_un *un)
{
    struct stat st;
    int fd, err;

    if (lstat(un->sun_path, &st))
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    err = connect(fd, (const struct sockaddr *)un, sizeof(*un)) ? errno : 0;
    close(fd);
    if (err != ECONNREFUSED)
        return EADDRINUSE; /* a process listens, perhaps with a full backlog */
    return unlink(un->sun_path) ? errno : 0;
}

/* Name or number of a user or group; NULL = (unsigned)-1, which leaves it as it is. */
static int id_of(const char *text, bool is_group, unsigned *out)
{
    const struct passwd *pw = text && !is_group ? getpwnam(text) : NULL;
    const struct group *gr = text && is_group ? getgrnam(text) : NULL;
    char *end = NULL;

    *out = (unsigned)-1;
    if (pw || gr)
        *out = pw ? pw->pw_uid : gr->gr_gid;
    else if (text)
        *out = (unsigned)strtoul(text, &end, 10);
    return end && (!*text || *end) ? ENOENT : 0;
}

static int set_access(const struct http_listen_opts *opts, char why[WHY_SIZE])
{
    unsigned uid, gid;

    if (id_of(opts->unix_owner, false, &uid))
        return listen_failed(why, opts, "unknown owner for", ENOENT);
    if (id_of(opts->unix_group, true, &gid))
        return listen_failed(why, opts, "unknown group for", ENOENT);
    if (chmod(opts->host, (mode_t)opts->unix_mode & 0777))
        return listen_failed(why, opts, "cannot set the mode of", errno);
    if ((opts->unix_owner || opts->unix_group) && chown(opts->host, uid, gid))
        return listen_failed(why, opts, "cannot set the owner of", errno);
    return 0;
}

static int bind_unix(struct listener *l, const struct http_listen_opts *opts, char why[WHY_SIZE])
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat st;
    int err;

    if (strlen(opts->host) >= sizeof(un.sun_path))
        return listen_failed(why, opts, "cannot bind to", ENAMETOOLONG);
    memcpy(un.sun_path, opts->host, strlen(opts->host) + 1);
    err = remove_stale(&un);
    if (err)
        return listen_failed(why, opts, "in the way:", err);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return listen_failed(why, opts, "cannot open a socket for", errno);
    if (bind(l->fd, (struct sockaddr *)&un, sizeof(un)))
        return listen_failed(why, opts, "cannot bind to", errno);
    l->path = strdup(opts->host);
    if (!l->path || lstat(opts->host, &st)) {
        unlink(opts->host);
        return listen_failed(why, opts, "cannot bind to", ENOMEM);
    }
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return set_access(opts, why);
}

static void remove_file(const struct listener *l)
{
    struct stat st;

    if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
}

/* ---- life ---- */

void listener_free(struct listener *l)
{
    tls_context_unref(l->tls);
    free(l->name);
    free(l->path);
    free(l);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    server_handle_closed(l->server);
}

void listener_close(struct listener *l)
{
    if (!l->open)
        return;
    l->open = false;
    leave_waiting(l);
    timer_stop(loop_timers(l->server->loop), &l->pause);
    uv_close((uv_handle_t *)&l->poll, on_listener_closed);
    remove_file(l);
    close(l->fd);
    l->fd = -1;
}

/* Socket and TLS are there: begins to accept. Afterwards the listener is the server's. */
static int start_accepting(struct listener *l, const struct http_listen_opts *opts, char why[WHY_SIZE])
{
    struct http_server *server = l->server;
    int err;

    if (!l->passed && listen(l->fd, BACKLOG))
        return listen_failed(why, opts, "cannot listen on", errno);
    err = uv_poll_init(loop_uv(server->loop), &l->poll, l->fd);
    if (err)
        return listen_failed(why, opts, "cannot watch", -err);
    l->poll.data = l;
    l->open = true;
    server->handles++;
    SLIST_INSERT_HEAD(&server->listeners, l, link);
    err = uv_poll_start(&l->poll, UV_READABLE, on_readable);
    if (err) {
        listener_close(l);
        return listen_failed(why, opts, "cannot watch", -err);
    }
    return 0;
}

static struct listener *listener_new(struct http_server *server, const struct http_listen_opts *opts)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->server = server;
    l->fd = opts->passed_fd ? opts->passed_fd : -1;
    l->is_unix = opts->is_unix;
    l->separate = opts->separate;
    l->passed = opts->passed_fd != 0;
    l->ask_late = opts->tls && opts->tls->ask_late;
    l->name = strdup(opts->name);
    if (!l->name) {
        free(l);
        return NULL;
    }
    return l;
}

static int open_listener(struct listener *l, const struct http_listen_opts *opts, char why[WHY_SIZE])
{
    int err;

    if (opts->tls) {
        l->tls = tls_context_new(opts->tls, why);
        if (!l->tls)
            return -EINVAL;
        if (server_rotate(l->server))
            return listen_failed(why, opts, "cannot listen on", ENOMEM);
    }
    if (l->passed)
        err = passed_socket_check(opts, why);
    else
        err = opts->is_unix ? bind_unix(l, opts, why) : bind_tcp(opts, &l->fd, why);
    return err ? err : start_accepting(l, opts, why);
}

int http_listen(struct http_server *server, const struct http_listen_opts *opts, char address[128],
                char why[WHY_SIZE])
{
    struct listener *l = listener_new(server, opts);
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    int err;

    if (!l) {
        if (opts->passed_fd)
            close(opts->passed_fd);
        return listen_failed(why, opts, "cannot listen on", ENOMEM);
    }
    err = open_listener(l, opts, why);
    if (err) {
        if (SLIST_FIRST(&server->listeners) == l)
            return err; /* the server has it, closed */
        if (l->fd >= 0)
            close(l->fd);
        remove_file(l);
        listener_free(l);
        return err;
    }
    (void)getsockname(l->fd, (struct sockaddr *)&bound, &size);
    if (opts->is_unix)
        snprintf(address, 128, "unix:%s", opts->host);
    else
        conn_address((struct sockaddr *)&bound, address, 128);
    return 0;
}
