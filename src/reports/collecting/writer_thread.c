/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer_thread.c - the writer on a thread of its own; see writer_thread.h.
 *
 *   submitted --worker_go--> queue (the thread's) --> over --> done() of each, on the loop
 *
 * `queue` and `over` belong to the thread from worker_go() to its done(); tasks that come meanwhile wait in
 * `submitted`.
 */
#include "reports/collecting/writer_thread.h"

#include "base/backoff.h"
#include "base/container_of.h"
#include "base/text.h"
#include "loop/worker.h"

#include <stdlib.h>

struct writer_thread {
    struct writer base;
    struct loop *loop;
    struct report_store *store;
    struct worker worker;
    struct deadline wait;  /* until the next try */
    struct deadline drain; /* until what waits is given up */
    struct writer_queue submitted, queue, over;
    bool working, stopping, hurried, closing;
    unsigned failures;
    uint64_t random;
    struct writer_state state;
    char why[WRITER_TEXT_SIZE], shown[WRITER_TEXT_SIZE]; /* why: the thread's */
    enum db_outcome outcome;
    struct store_counts counts;
    uint64_t busy_us; /* the thread's */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static struct writer_thread *thread_of(struct worker *worker)
{
    return CONTAINER_OF(worker, struct writer_thread, worker);
}

static void go(struct writer_thread *w);

/* ---- on the thread ---- */

static void work(struct worker *worker)
{
    struct writer_thread *w = thread_of(worker);
    uint64_t began = clock_measure_us();

    w->outcome = writer_carry_out(w->store, &w->queue, &w->over, w->why);
    store_counts(w->store, &w->counts);
    w->busy_us += clock_measure_us() - began;
}

/* ---- on the loop ---- */

static void finish(struct writer_thread *w, struct writer_task *task)
{
    char *why = task->why;

    task->why = NULL;
    w->state.tasks--;
    w->state.bytes -= task->bytes;
    task->done(task, task->outcome, why);
    free(why);
}

static void finish_all(struct writer_thread *w, struct writer_queue *queue)
{
    struct writer_queue now = STAILQ_HEAD_INITIALIZER(now);
    struct writer_task *task;

    STAILQ_CONCAT(&now, queue);
    while ((task = STAILQ_FIRST(&now))) {
        STAILQ_REMOVE_HEAD(&now, link);
        finish(w, task);
    }
}

static void give_up(struct writer_queue *queue)
{
    struct writer_task *task;

    STAILQ_FOREACH(task, queue, link)
    task->outcome = DB_INTERRUPTED;
}

static void on_closed(struct worker *worker)
{
    struct writer_thread *w = thread_of(worker);

    store_resume(w->store);
    w->stopped(w->stopped_arg);
}

static void close_when_idle(struct writer_thread *w)
{
    if (w->working || w->closing)
        return;
    w->closing = true;
    while (!STAILQ_EMPTY(&w->queue) || !STAILQ_EMPTY(&w->submitted)) {
        STAILQ_CONCAT(&w->queue, &w->submitted);
        give_up(&w->queue);
        finish_all(w, &w->queue);
    }
    timer_stop(loop_timers(w->loop), &w->wait);
    timer_stop(loop_timers(w->loop), &w->drain);
    worker_close(&w->worker, on_closed);
}

static void retry(struct deadline *d)
{
    go(CONTAINER_OF(d, struct writer_thread, wait));
}

static void note_state(struct writer_thread *w, enum db_outcome outcome)
{
    w->state.outcome = outcome;
    text_copy(w->shown, sizeof(w->shown), w->why);
    w->state.why = outcome == DB_OK ? NULL : w->shown;
    w->state.counts = w->counts;
    w->state.busy_us = w->busy_us;
}

/* True: nothing is waited for any more. */
static bool is_over(const struct writer_thread *w)
{
    bool empty = STAILQ_EMPTY(&w->queue) && STAILQ_EMPTY(&w->submitted);

    return w->stopping && !w->working && (w->hurried || w->state.outcome != DB_OK || empty);
}

static void done(struct worker *worker)
{
    struct writer_thread *w = thread_of(worker);
    struct timers *timers = loop_timers(w->loop);

    w->working = false;
    note_state(w, w->outcome);
    w->failures = w->outcome == DB_OK ? 0 : w->failures + 1;
    if (w->failures && !w->stopping &&
        timer_start(timers, &w->wait, backoff_ms(w->failures, &w->random), retry))
        w->failures = 0; /* out of memory: at once */
    finish_all(w, &w->over);
    if (w->base.changed)
        w->base.changed(&w->base, w->base.arg);
    if (is_over(w))
        close_when_idle(w);
    else
        go(w);
}

static void go(struct writer_thread *w)
{
    if (w->working || timer_running(&w->wait))
        return;
    STAILQ_CONCAT(&w->queue, &w->submitted);
    if (STAILQ_EMPTY(&w->queue))
        return;
    w->working = true;
    w->outcome = DB_NO_MEMORY; /* without a thread */
    text_copy(w->why, sizeof(w->why), "the writer's thread cannot be made");
    worker_go(&w->worker);
}

static void submit(struct writer *writer, struct writer_task *task)
{
    struct writer_thread *w = CONTAINER_OF(writer, struct writer_thread, base);

    task->outcome = DB_OK;
    task->why = NULL;
    w->state.tasks++;
    w->state.bytes += task->bytes;
    STAILQ_INSERT_TAIL(&w->submitted, task, link);
    if (!w->stopping)
        go(w);
}

static void state(const struct writer *writer, struct writer_state *out)
{
    *out = CONTAINER_OF(writer, struct writer_thread, base)->state;
}

static const struct writer_ops ops = {.submit = submit, .state = state};

/* ---- life ---- */

struct writer_thread *writer_thread_new(struct loop *loop, struct report_store *store)
{
    struct writer_thread *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->base.ops = &ops;
    w->loop = loop;
    w->store = store;
    w->random = (uintptr_t)w | 1;
    w->worker.work = work;
    w->worker.done = done;
    STAILQ_INIT(&w->submitted);
    STAILQ_INIT(&w->queue);
    STAILQ_INIT(&w->over);
    if (worker_open(loop, &w->worker) == 0)
        return w;
    free(w);
    return NULL;
}

struct writer *writer_thread_writer(struct writer_thread *w)
{
    return &w->base;
}

static void drained(struct deadline *d)
{
    struct writer_thread *w = CONTAINER_OF(d, struct writer_thread, drain);

    w->hurried = true;
    if (w->working)
        store_interrupt(w->store);
    else
        close_when_idle(w);
}

void writer_thread_stop(struct writer_thread *w, uint64_t drain_ms, void (*stopped)(void *arg), void *arg)
{
    w->stopping = true;
    w->stopped = stopped;
    w->stopped_arg = arg;
    timer_stop(loop_timers(w->loop), &w->wait);
    if (w->state.outcome == DB_OK)
        go(w);
    if (is_over(w))
        close_when_idle(w);
    else if (timer_start(loop_timers(w->loop), &w->drain, drain_ms, drained))
        drained(&w->drain);
}

void writer_thread_free(struct writer_thread *w)
{
    free(w);
}
