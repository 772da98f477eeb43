/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.c - messages to the service manager.
 *
 * The environment is read once, in notify_new(): NOTIFY_SOCKET says whether there is a manager and where,
 * WATCHDOG_USEC whether and how often to report. One socket is opened at the start and never connected, since
 * the sandbox forbids new Unix sockets and the manager may come back on another one. Sending does not wait: a
 * manager whose queue is full misses a message.
 *
 * Not here: whether the program is ready. The watchdog message says only that the loop runs; /readyz checks
 * the rest.
 */
#include "loop/notify.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

struct notify {
    struct loop *loop;
    struct deadline watchdog;
    uint64_t interval_ms; /* 0 = no watchdog */
    int fd;               /* -1 = there is no manager */
    struct sockaddr_un to;
    socklen_t to_size;
};

static void send_state(const struct notify *n, const char *state)
{
    const struct sockaddr *to = (const struct sockaddr *)&n->to;

    if (n->fd >= 0 && sendto(n->fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL, to, n->to_size) < 0)
        log_warn("notify_failed", "error=%s", strerror(errno));
}

/* A path, or @ and a name in the abstract name space. Any other value counts as none. */
static void find_manager(struct notify *n)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t length = name ? strlen(name) : 0;

    n->fd = -1;
    n->to.sun_family = AF_UNIX;
    if (length < 2 || length >= sizeof(n->to.sun_path) || (*name != '/' && *name != '@'))
        return;
    memcpy(n->to.sun_path, name, length);
    if (*name == '@')
        n->to.sun_path[0] = '\0';
    n->to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        log_warn("notify_failed", "error=%s", strerror(errno));
}

static void on_watchdog(struct deadline *deadline)
{
    struct notify *n = CONTAINER_OF(deadline, struct notify, watchdog);

    send_state(n, "WATCHDOG=1");
    timer_set(loop_timers(n->loop), &n->watchdog, n->interval_ms, on_watchdog);
}

struct notify *notify_new(struct loop *loop)
{
    struct notify *n = calloc(1, sizeof(*n));
    uint64_t usec = 0;

    if (!n)
        return NULL;
    n->loop = loop;
    find_manager(n);
    if (sd_watchdog_enabled(0, &usec) > 0) {
        n->interval_ms = usec / 2000 ? usec / 2000 : 1;
        if (timer_reserve(loop_timers(loop), &n->watchdog)) {
            notify_free(n);
            return NULL;
        }
        timer_set(loop_timers(loop), &n->watchdog, n->interval_ms, on_watchdog);
    }
    return n;
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    timer_unreserve(loop_timers(n->loop), &n->watchdog);
    if (n->fd >= 0)
        (void)close(n->fd);
    free(n);
}

void notify_ready(struct notify *n)
{
    send_state(n, "READY=1");
}

void notify_reloading(struct notify *n)
{
    struct timespec now = {0};
    char state[96];

    clock_gettime(CLOCK_MONOTONIC, &now); /* the manager compares with the same clock */
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    send_state(n, state);
}

void notify_stopping(struct notify *n)
{
    send_state(n, "STOPPING=1");
}
