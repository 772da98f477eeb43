/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll.c - a thread that asks the gateway; see poll.h.
 *
 * Everything in the struct below `lock` is used with the lock held; no call is made with it. The thread is
 * the only one that asks.
 */
#include "commands/top/poll.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LEASE_ID_SIZE 128

struct top_poll {
    struct top_ask *ask;
    pthread_t thread;
    int event;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* stop, timing or release */
    uint64_t interval_ms, last_ms;
    bool paused, due; /* due = the first sample, or one after a release */
    char release[LEASE_ID_SIZE];
    struct top_news news;
};

static void announce(const struct top_poll *p)
{
    uint64_t one = 1;

    while (write(p->event, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* ---- the thread ---- */

static bool sample_is_due(const struct top_poll *p)
{
    return p->due || (!p->paused && clock_now(&clock_system) >= p->last_ms + p->interval_ms);
}

/* Waits for a change, or until the next sample is due. */
static void wait_for_change(struct top_poll *p)
{
    uint64_t now_ms = clock_now(&clock_system), at_ms = p->last_ms + p->interval_ms;
    struct timespec until;

    if (p->paused || clock_gettime(CLOCK_MONOTONIC, &until)) {
        (void)pthread_cond_wait(&p->changed, &p->lock);
        return;
    }
    uint64_t wait_ms = (at_ms > now_ms ? at_ms - now_ms : 0) + (uint64_t)until.tv_nsec / 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec = (long)(wait_ms % 1000) * 1000000;
    (void)pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

/* Waits until there is something to do. False = the end. */
static bool wait_for_work(struct top_poll *p)
{
    while (!atomic_load(&p->stop) && !*p->release && !sample_is_due(p))
        wait_for_change(p);
    return !atomic_load(&p->stop);
}

static void do_release(struct top_poll *p)
{
    char id[LEASE_ID_SIZE], said[TOP_WHY_SIZE] = "";

    (void)text_copy(id, sizeof(id), p->release);
    p->release[0] = '\0';
    pthread_mutex_unlock(&p->lock);
    top_ask_release(p->ask, id, said);
    pthread_mutex_lock(&p->lock);
    (void)text_copy(p->news.said, sizeof(p->news.said), said);
    p->due = true;
    announce(p);
}

static void do_sample(struct top_poll *p)
{
    char why[TOP_WHY_SIZE] = "";
    int err;

    p->due = false;
    p->last_ms = clock_now(&clock_system);
    pthread_mutex_unlock(&p->lock);
    struct sample *s = top_ask_sample(p->ask, &err, why);
    pthread_mutex_lock(&p->lock);
    if (s) {
        sample_free(p->news.sample);
        p->news.sample = s;
    }
    p->news.is_away = !s;
    (void)text_copy(p->news.away, sizeof(p->news.away), why);
    announce(p);
}

static void *run(void *arg)
{
    struct top_poll *p = arg;

    pthread_mutex_lock(&p->lock);
    while (wait_for_work(p)) {
        if (*p->release)
            do_release(p);
        else
            do_sample(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- its owner ---- */

static int start_thread(struct top_poll *p)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    int err = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!err) {
        err = pthread_create(&p->thread, NULL, run, p);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return err;
}

static int init_locks(struct top_poll *p)
{
    pthread_condattr_t monotonic;
    int err = pthread_condattr_init(&monotonic);

    if (err)
        return err;
    err = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (!err)
        err = pthread_cond_init(&p->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (err)
        return err;
    err = pthread_mutex_init(&p->lock, NULL);
    if (err)
        (void)pthread_cond_destroy(&p->changed);
    return err;
}

static void free_poll(struct top_poll *p)
{
    top_ask_free(p->ask);
    sample_free(p->news.sample);
    if (p->event >= 0)
        (void)close(p->event);
    free(p);
}

struct top_poll *top_poll_start(const char *state_dir, double interval_s)
{
    struct top_poll *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->interval_ms = (uint64_t)(interval_s * 1000);
    p->due = true;
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->ask = top_ask_new(state_dir, &p->stop);
    if (p->event < 0 || !p->ask || init_locks(p)) {
        free_poll(p);
        return NULL;
    }
    if (!start_thread(p))
        return p;
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free_poll(p);
    return NULL;
}

int top_poll_fd(const struct top_poll *p)
{
    return p->event;
}

void top_poll_take(struct top_poll *p, struct top_news *news)
{
    uint64_t count;

    while (read(p->event, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&p->lock);
    *news = p->news;
    p->news.sample = NULL;
    p->news.said[0] = '\0';
    pthread_mutex_unlock(&p->lock);
}

void top_poll_timing(struct top_poll *p, double interval_s, bool paused)
{
    pthread_mutex_lock(&p->lock);
    p->interval_ms = (uint64_t)(interval_s * 1000);
    p->paused = paused;
    (void)pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void top_poll_release(struct top_poll *p, const char *lease_id)
{
    pthread_mutex_lock(&p->lock);
    (void)text_copy(p->release, sizeof(p->release), lease_id);
    (void)pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void top_poll_stop(struct top_poll *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    (void)pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free_poll(p);
}
