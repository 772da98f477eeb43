/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.c - what the service manager is told.
 *
 * The idea: libsystemd does nothing without NOTIFY_SOCKET, so no caller has to ask whether there is a
 * manager. The environment is read once, in notify_new(): WATCHDOG_USEC says whether and how often to report.
 *
 * Not here: the decision that the program is well. The watchdog says that the loop turns, no more; what else
 * can be wrong is the business of /readyz.
 */
#include "loop/notify.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

struct notify {
    struct loop *loop;
    struct deadline watchdog;
    uint64_t interval_ms; /* 0 = no watchdog */
};

static void send_state(const char *state)
{
    int err = sd_notify(0, state);

    if (err < 0)
        log_warn("notify_failed", "error=%s", strerror(-err));
}

static void on_watchdog(struct deadline *deadline)
{
    struct notify *n = (struct notify *)((char *)deadline - offsetof(struct notify, watchdog));

    send_state("WATCHDOG=1");
    if (timer_start(loop_timers(n->loop), &n->watchdog, n->interval_ms, on_watchdog))
        log_error("watchdog_stopped", "reason=%s", "out of memory");
}

struct notify *notify_new(struct loop *loop)
{
    struct notify *n = calloc(1, sizeof(*n));
    uint64_t usec = 0;

    if (!n)
        return NULL;
    n->loop = loop;
    if (sd_watchdog_enabled(0, &usec) > 0) {
        n->interval_ms = usec / 2000 ? usec / 2000 : 1;
        if (timer_start(loop_timers(loop), &n->watchdog, n->interval_ms, on_watchdog)) {
            free(n);
            return NULL;
        }
    }
    return n;
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    timer_stop(loop_timers(n->loop), &n->watchdog);
    free(n);
}

void notify_ready(struct notify *n)
{
    (void)n;
    send_state("READY=1");
}

void notify_reloading(struct notify *n)
{
    struct timespec now = {0};
    char state[96];

    (void)n;
    clock_gettime(CLOCK_MONOTONIC, &now); /* the manager compares with the same clock */
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    send_state(state);
}

void notify_stopping(struct notify *n)
{
    (void)n;
    send_state("STOPPING=1");
}
