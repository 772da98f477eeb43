/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers.c - threads that work on the database; see readers.h.
 *
 * The idea: a reader is a worker with a connection. Its thread changes `db` in the step OPEN alone, and the
 * loop looks at it between steps alone, so that reader_cancel() may interrupt a connection in step RUN
 * without a lock.
 *
 * Invariants: a reader without a job is idle. A job waits, or has a reader. `late` runs from reader_submit()
 * to done(), and for a kept job to its release.
 */
#include "reports/web/readers.h"

#include "base/container_of.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVERDUE_MS 1000 /* after the time of a job: the engine has had long enough to end it */

enum step { STEP_IDLE, STEP_OPEN, STEP_RUN, STEP_CLOSE };

struct reader {
    struct worker worker;
    struct readers *pool;
    struct db *db;
    struct reader_job *job;
    enum step step;
    bool lost, interrupted;
    enum db_outcome opened;
    struct db_error error;
};

struct readers {
    struct loop *loop;
    const struct db_ops *ops;
    struct db_params params;
    char *path;
    TAILQ_HEAD(, reader_job) waiting;
    size_t nwaiting;
    enum db_outcome outcome;
    bool closing;
    size_t open; /* readers that are not closed */
    void (*closed)(void *arg);
    void *arg;
    size_t n;
    struct reader reader[];
};

static void serve(struct readers *);

/* ---- on the thread ---- */

static void open_connection(struct reader *r)
{
    const struct readers *pool = r->pool;

    if (r->db)
        pool->ops->close(r->db);
    r->db = NULL;
    r->opened = pool->ops->open(&pool->params, &r->db, &r->error);
}

static void run_job(struct reader *r)
{
    struct reader_job *job = r->job;
    uint64_t from = clock_measure_us();

    job->outcome = job->run(job, r->db);
    job->took_us = clock_measure_us() - from;
    job->why[0] = '\0';
    if (job->outcome != DB_OK)
        (void)snprintf(job->why, sizeof(job->why), "%s", r->db->error.text);
}

static void on_work(struct worker *w)
{
    struct reader *r = CONTAINER_OF(w, struct reader, worker);

    switch (r->step) {
    case STEP_OPEN: open_connection(r); break;
    case STEP_RUN: run_job(r); break;
    case STEP_CLOSE:
        r->pool->ops->close(r->db);
        r->db = NULL;
        break;
    case STEP_IDLE: break;
    }
}

/* ---- on the loop ---- */

static void go(struct reader *r, enum step step)
{
    r->step = step;
    if (step == STEP_OPEN) { /* without a thread nothing overwrites these */
        r->opened = DB_NO_MEMORY;
        r->error = (struct db_error){.outcome = DB_NO_MEMORY, .text = "no thread"};
    } else if (step == STEP_RUN) {
        r->job->outcome = DB_NO_MEMORY;
    }
    worker_go(&r->worker);
}

static void end_job(struct reader_job *job)
{
    struct reader *r = job->reader;

    if (!job->kept || !r) {
        timer_stop(loop_timers(job->pool->loop), &job->late);
        if (r)
            r->job = NULL;
        job->reader = NULL;
    }
    job->done(job);
}

static bool is_lost(enum db_outcome outcome)
{
    return outcome == DB_AWAY || outcome == DB_DAMAGED || outcome == DB_FAILED;
}

/* The database's own answers; a job that was interrupted says nothing about it. */
static void note_outcome(struct readers *pool, enum db_outcome outcome, const char *why)
{
    if (outcome == DB_INTERRUPTED || outcome == pool->outcome)
        return;
    if (outcome != DB_OK)
        log_warn("database_reader", "outcome=%s why=%s", db_outcome_name(outcome), why);
    pool->outcome = outcome;
}

static void after_open(struct reader *r)
{
    struct reader_job *job = r->job;

    r->lost = r->opened != DB_OK;
    note_outcome(r->pool, r->opened, r->error.text);
    if (r->lost) {
        job->outcome = r->opened;
        (void)snprintf(job->why, sizeof(job->why), "%s", r->error.text);
        end_job(job);
    } else if (job->cancelled || job->expired) {
        job->outcome = DB_INTERRUPTED;
        end_job(job);
    } else {
        go(r, STEP_RUN);
    }
}

static void after_run(struct reader *r)
{
    struct reader_job *job = r->job;

    note_outcome(r->pool, job->outcome, job->why);
    r->lost = is_lost(job->outcome);
    if (r->interrupted)
        r->pool->ops->resume(r->db);
    r->interrupted = false;
    end_job(job);
}

static void close_reader(struct reader *r);

static void on_done(struct worker *w)
{
    struct reader *r = CONTAINER_OF(w, struct reader, worker);
    struct readers *pool = r->pool;
    enum step step = r->step;

    r->step = STEP_IDLE;
    if (step == STEP_OPEN)
        after_open(r);
    else if (step == STEP_RUN)
        after_run(r);
    if (pool->closing && r->step == STEP_IDLE && !r->job)
        close_reader(r);
    else
        serve(pool);
}

static struct reader *idle_reader(struct readers *pool)
{
    for (size_t i = 0; i < pool->n; i++)
        if (!pool->reader[i].job && pool->reader[i].step == STEP_IDLE)
            return &pool->reader[i];
    return NULL;
}

static void start(struct reader *r, struct reader_job *job)
{
    r->job = job;
    job->reader = r;
    go(r, r->db && !r->lost ? STEP_RUN : STEP_OPEN);
}

static void serve(struct readers *pool)
{
    struct reader *r;

    while (!pool->closing && !TAILQ_EMPTY(&pool->waiting) && (r = idle_reader(pool))) {
        struct reader_job *job = TAILQ_FIRST(&pool->waiting);

        TAILQ_REMOVE(&pool->waiting, job, link);
        pool->nwaiting--;
        start(r, job);
    }
}

/* Ends a job before its time: at once where nothing runs, else soon. */
static void cut_short(struct reader_job *job)
{
    struct readers *pool = job->pool;
    struct reader *r = job->reader;

    if (!r) {
        TAILQ_REMOVE(&pool->waiting, job, link);
        pool->nwaiting--;
        job->outcome = DB_INTERRUPTED;
        end_job(job);
    } else if (r->step == STEP_RUN) {
        r->interrupted = true;
        pool->ops->interrupt(r->db);
    } else if (r->step == STEP_IDLE) { /* a kept one between two runs */
        job->outcome = DB_INTERRUPTED;
        job->done(job);
    }
}

static bool on_thread(const struct reader_job *job)
{
    return job->reader && (job->reader->step == STEP_OPEN || job->reader->step == STEP_RUN);
}

static void on_overdue(struct deadline *deadline)
{
    struct reader_job *job = CONTAINER_OF(deadline, struct reader_job, late);

    if (on_thread(job))
        job->overdue(job);
}

static void on_late(struct deadline *deadline)
{
    struct reader_job *job = CONTAINER_OF(deadline, struct reader_job, late);

    job->expired = true;
    if (job->overdue && on_thread(job) &&
        timer_start(loop_timers(job->pool->loop), &job->late, OVERDUE_MS, on_overdue))
        log_error("database_reader", "why=%s", "out of memory: an overdue query is not answered");
    cut_short(job);
}

bool reader_submit(struct readers *pool, struct reader_job *job, uint64_t timeout_ms)
{
    if (pool->closing || pool->nwaiting >= READERS_WAITING ||
        timer_start(loop_timers(pool->loop), &job->late, timeout_ms, on_late))
        return false;
    job->pool = pool;
    job->reader = NULL;
    job->expired = job->cancelled = false;
    job->outcome = DB_OK;
    TAILQ_INSERT_TAIL(&pool->waiting, job, link);
    pool->nwaiting++;
    serve(pool);
    return true;
}

bool reader_waits(const struct reader_job *job)
{
    return !job->reader;
}

void reader_again(struct reader_job *job)
{
    go(job->reader, STEP_RUN);
}

void reader_release(struct reader_job *job)
{
    struct readers *pool = job->pool;
    struct reader *r = job->reader;

    if (!r)
        return;
    timer_stop(loop_timers(pool->loop), &job->late);
    r->job = NULL;
    job->reader = NULL;
    if (pool->closing)
        close_reader(r);
    else
        serve(pool);
}

void reader_cancel(struct reader_job *job)
{
    if (!job->pool || job->cancelled || (!job->reader && !timer_running(&job->late)))
        return;
    job->cancelled = true;
    cut_short(job);
}

size_t readers_waiting(const struct readers *pool)
{
    return pool->nwaiting;
}

enum db_outcome readers_outcome(const struct readers *pool)
{
    return pool->outcome;
}

/* ---- life ---- */

static void pool_free(struct readers *pool)
{
    free(pool->path);
    db_login_unref(pool->params.login);
    free(pool);
}

static void on_reader_closed(struct worker *w)
{
    struct readers *pool = CONTAINER_OF(w, struct reader, worker)->pool;
    void (*closed)(void *) = pool->closed;
    void *arg = pool->arg;

    if (--pool->open)
        return;
    pool_free(pool);
    closed(arg);
}

/* The thread closes its connection first. */
static void close_reader(struct reader *r)
{
    if (r->step == STEP_CLOSE)
        return;
    if (r->db) {
        go(r, STEP_CLOSE);
        return;
    }
    r->step = STEP_CLOSE;
    worker_close(&r->worker, on_reader_closed);
}

void readers_close(struct readers *pool, void (*closed)(void *arg), void *arg)
{
    pool->closing = true;
    pool->closed = closed;
    pool->arg = arg;
    while (!TAILQ_EMPTY(&pool->waiting))
        reader_cancel(TAILQ_FIRST(&pool->waiting));
    for (size_t i = 0; i < pool->n; i++) {
        struct reader *r = &pool->reader[i];

        if (r->job)
            reader_cancel(r->job);
        else if (r->step == STEP_IDLE)
            close_reader(r);
    }
}

static bool copy_params(struct readers *pool, const struct db_params *params)
{
    pool->params = *params;
    pool->path = params->path ? strdup(params->path) : NULL;
    pool->params.path = pool->path;
    pool->params.login = db_login_ref(params->login);
    return !params->path || pool->path;
}

struct readers *readers_new(struct loop *loop, const struct db_ops *ops, const struct db_params *params,
                            size_t n)
{
    struct readers *pool = calloc(1, sizeof(*pool) + n * sizeof(pool->reader[0]));

    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->ops = ops;
    TAILQ_INIT(&pool->waiting);
    if (!copy_params(pool, params)) {
        pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        struct reader *r = &pool->reader[i];

        r->pool = pool;
        r->worker.work = on_work;
        r->worker.done = on_done;
        if (worker_open(loop, &r->worker))
            break;
        pool->n++;
        pool->open++;
    }
    if (pool->n)
        return pool;
    pool_free(pool);
    return NULL;
}
