/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_cancel.c - ends a running statement from a thread of its own; see odbc_internal.h.
 *
 * The mutex is held while SQLCancel() runs, so a statement that ends meanwhile waits for it: its handle is
 * there as long as the driver uses it, and no cancel is on its way when resume() returns.
 */
#include "reports/db/odbc_internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define AGAIN_NS 100000000L

static void wait_a_little(struct canceller *c)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += AGAIN_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)sem_clockwait(&c->wake, CLOCK_MONOTONIC, &until);
}

static void *run(void *arg)
{
    struct canceller *c = arg;

    for (;;) {
        (void)pthread_mutex_lock(&c->mutex);
        bool stop = c->stop, again = c->running != SQL_NULL_HSTMT && atomic_load(&c->interrupted);
        if (again)
            (void)SQLCancel(c->running);
        (void)pthread_mutex_unlock(&c->mutex);
        if (stop)
            return NULL;
        if (again)
            wait_a_little(c);
        else
            (void)sem_wait(&c->wake);
    }
}

int canceller_start(struct canceller *c)
{
    sigset_t all, before;

    atomic_init(&c->interrupted, false);
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
    if (running != SQL_NULL_HSTMT && atomic_load(&c->interrupted))
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
