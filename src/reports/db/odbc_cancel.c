/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_cancel.c - ends a running statement from a thread of its own; see odbc_internal.h.
 *
 * The mutex is held while SQLCancel() runs, so a statement that ends meanwhile waits for it: its handle is
 * there as long as the driver uses it, and no cancel is on its way when resume() returns.
 */
#include "base/clock.h"
#include "reports/db/odbc_internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define AGAIN_MS 100

static bool is_over(const struct canceller *c)
{
    uint64_t limit = atomic_load(&c->limit_ms);

    return atomic_load(&c->interrupted) || (limit && clock_now(&clock_system) >= limit);
}

/* Until `ms` have passed, or something has changed. */
static void wait_ms(struct canceller *c, uint64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    (void)sem_clockwait(&c->wake, CLOCK_MONOTONIC, &until);
}

/* Cancels what runs too long; how long to wait before the next look, 0 = until something changes. */
static uint64_t look(struct canceller *c)
{
    uint64_t limit = atomic_load(&c->limit_ms), now = clock_now(&clock_system);

    if (c->running == SQL_NULL_HSTMT)
        return 0;
    if (!is_over(c))
        return limit ? limit - now + 1 : 0;
    (void)SQLCancel(c->running);
    return AGAIN_MS;
}

static void *run(void *arg)
{
    struct canceller *c = arg;

    for (;;) {
        (void)pthread_mutex_lock(&c->mutex);
        bool stop = c->stop;
        uint64_t ms = stop ? 0 : look(c);
        (void)pthread_mutex_unlock(&c->mutex);
        if (stop)
            return NULL;
        if (ms)
            wait_ms(c, ms);
        else
            (void)sem_wait(&c->wake);
    }
}

int canceller_start(struct canceller *c)
{
    sigset_t all, before;

    atomic_init(&c->interrupted, false);
    atomic_init(&c->limit_ms, 0);
    c->running = SQL_NULL_HSTMT;
    c->stop = false;
    if (sem_init(&c->wake, 0, 0))
        return -errno;
    int err = pthread_mutex_init(&c->mutex, NULL);
    if (err) {
        (void)sem_destroy(&c->wake);
        return -err;
    }
    (void)sigfillset(&all); /* signals are the loop's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&c->thread, NULL, run, c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        (void)pthread_mutex_destroy(&c->mutex);
        (void)sem_destroy(&c->wake);
    }
    return -err;
}

void canceller_stop(struct canceller *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    c->stop = true;
    (void)pthread_mutex_unlock(&c->mutex);
    (void)sem_post(&c->wake);
    (void)pthread_join(c->thread, NULL);
    (void)pthread_mutex_destroy(&c->mutex);
    (void)sem_destroy(&c->wake);
}

void canceller_running(struct canceller *c, SQLHSTMT running)
{
    (void)pthread_mutex_lock(&c->mutex);
    c->running = running;
    (void)pthread_mutex_unlock(&c->mutex);
    if (running != SQL_NULL_HSTMT && (atomic_load(&c->interrupted) || atomic_load(&c->limit_ms)))
        (void)sem_post(&c->wake);
}

/* Without the mutex, which is held while a server is asked to cancel. */
void canceller_interrupt(struct canceller *c)
{
    atomic_store(&c->interrupted, true);
    (void)sem_post(&c->wake);
}

void canceller_resume(struct canceller *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    atomic_store(&c->interrupted, false);
    (void)pthread_mutex_unlock(&c->mutex);
}

void canceller_limit(struct canceller *c, unsigned ms)
{
    (void)pthread_mutex_lock(&c->mutex); /* no cancel of the old limit is on its way afterwards */
    atomic_store(&c->limit_ms, ms ? clock_now(&clock_system) + ms : 0);
    (void)pthread_mutex_unlock(&c->mutex);
}

bool canceller_forbids(const struct canceller *c)
{
    return is_over(c);
}
