/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - a thread for work that blocks; see worker.h.
 *
 * Why not libuv's pool: it wakes its thread while it holds the pool's lock, which the thread needs first. On
 * one core that costs two needless thread switches each time. Here there is no lock: the loop fills in the
 * work and posts `wanted`; the thread does it and wakes the loop. Only one of the two uses the data at a
 * time.
 *
 * All signals are blocked on the thread: the loop handles them, and a file that reaches its size limit
 * (SIGXFSZ) is an error and does not end the process.
 */
#include "loop/worker.h"

#include <signal.h>

static void thread_main(void *arg)
{
    struct worker *w = arg;
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (;;) {
        uv_sem_wait(&w->wanted);
        if (w->ending)
            return;
        w->work(w);
        (void)uv_async_send(&w->async); /* fails only on what is no async handle */
    }
}

static void on_async(uv_async_t *async)
{
    struct worker *w = async->data;

    w->done(w);
}

int worker_open(struct loop *loop, struct worker *w)
{
    int err = uv_sem_init(&w->wanted, 0);

    if (err)
        return err;
    err = uv_async_init(loop_uv(loop), &w->async, on_async);
    if (err) {
        uv_sem_destroy(&w->wanted);
        return err;
    }
    w->async.data = w;
    w->started = w->ending = false;
    return 0;
}

void worker_go(struct worker *w)
{
    if (!w->started)
        w->started = uv_thread_create(&w->thread, thread_main, w) == 0;
    if (w->started)
        uv_sem_post(&w->wanted);
    else
        (void)uv_async_send(&w->async);
}

static void on_async_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;

    uv_sem_destroy(&w->wanted);
    w->closed(w);
}

void worker_close(struct worker *w, void (*closed)(struct worker *))
{
    w->closed = closed;
    w->ending = true;
    if (w->started) {
        uv_sem_post(&w->wanted);
        (void)uv_thread_join(&w->thread); /* it waits for work: the join is short */
    }
    uv_close((uv_handle_t *)&w->async, on_async_closed);
}
