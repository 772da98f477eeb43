/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.c - the embedded lease store: group commit on a thread of its own.
 *
 * Lists of steps queue on the loop. One job at a time takes all that wait, applies them in one transaction
 * and commits with fsync; steps that come meanwhile are for the next job. So the loop never waits for the
 * disk. The journal decides how many steps share a commit.
 *
 *     steps() -> waiting --job--> batch -> BEGIN ask open close COMMIT -> done(APPLIED or OTHERWISE) for each
 *                                                \-- any failure --> ROLLBACK -> done(AWAY) for each
 *
 * After a failure the store reports it (writable = false) and probes once a second with a write of its own
 * until one succeeds; nothing else may write until then, so that the probe's deadline has a place among the
 * timers. Only the running job touches the database; only the loop's thread touches the queues.
 *
 * Not here: SQL (sqlite_rows.c), the file itself (sqlite_schema.c), its place (sqlite_open.c).
 */
#include "stores/sqlite.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "loop/worker.h"
#include "stores/sqlite_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_EVERY_MS 1000

struct sqlite_store {
    struct store store; /* first */
    struct loop *loop;
    struct sqlite_file file;
    int lock;
    struct worker worker;
    bool running;
    struct store_steps waiting, batch;
    enum store_outcome *outcomes; /* of the batch; NULL = no memory for them */
    struct deadline probe;
    bool probing; /* the running job is a probe */
    int err;      /* of the running job */
    uint64_t job_us;
    struct store_state state;
    char tag[ID_TAG_SIZE];
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void start_job(struct sqlite_store *);

/* ---- on the worker's thread ---- */

/* 0, or -errno and nothing of the batch has happened. */
static int apply_batch(struct sqlite_store *s)
{
    size_t n = 0;
    struct store_step *step;
    int err = sqlite_file_run(&s->file, SQL_BEGIN);

    STAILQ_FOREACH(step, &s->batch, link)
    if (err || (err = sqlite_file_step(&s->file, step, &s->outcomes[n++])))
        break;
    if (!err && s->probing)
        err = sqlite_file_run(&s->file, SQL_PROBE);
    crash_point("store.before_commit");
    if (!err)
        err = sqlite_file_run(&s->file, SQL_COMMIT);
    if (err) /* also what is left of the batch before, where this has failed */
        (void)sqlite_file_run(&s->file, SQL_ROLLBACK);
    crash_point("store.after_commit");
    return err;
}

static struct sqlite_store *store_of(struct worker *worker)
{
    return CONTAINER_OF(worker, struct sqlite_store, worker);
}

static void on_work(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    uint64_t from = clock_measure_us();

    s->err = s->outcomes ? apply_batch(s) : -ENOMEM;
    s->job_us = clock_measure_us() - from;
}

/* ---- on the loop ---- */

static void on_probe(struct deadline *d)
{
    struct sqlite_store *s = CONTAINER_OF(d, struct sqlite_store, probe);

    s->probing = true;
    if (!s->running)
        start_job(s);
}

static void note_outcome(struct sqlite_store *s, int err)
{
    if (err && s->state.writable)
        log_error("store_failed", "error=%s hint=%s", strerror(-err),
                  "no new check-outs until it can write again");
    if (!err && !s->state.writable)
        log_info("store_recovered", "commits=%" PRIu64, s->state.commits);
    s->state.writable = !err;
    (void)snprintf(s->state.why, sizeof(s->state.why), "%s", err ? strerror(-err) : "");
    if (err && !s->closing)
        timer_set(loop_timers(s->loop), &s->probe, PROBE_EVERY_MS, on_probe);
}

static void on_worker_closed(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;

    sqlite_file_close(&s->file);
    (void)close(s->lock);
    free(s);
    if (closed)
        closed(arg);
}

static void finish_close(struct sqlite_store *s)
{
    timer_unreserve(loop_timers(s->loop), &s->probe);
    worker_close(&s->worker, on_worker_closed);
}

/* Calls `done` of each step. It may give steps again: they join the waiting queue. */
static void finish_batch(struct sqlite_store *s, int err)
{
    struct store_steps batch = STAILQ_HEAD_INITIALIZER(batch);
    struct store_step *step;
    size_t n = 0;

    STAILQ_CONCAT(&batch, &s->batch);
    while ((step = STAILQ_FIRST(&batch))) {
        enum store_outcome outcome = err ? STORE_AWAY : s->outcomes[n++];
        struct request_row *now = step->now;

        STAILQ_REMOVE_HEAD(&batch, link);
        s->state.queued--;
        s->state.steps += !err;
        step->err = err;
        step->now = err ? NULL : now; /* what was read belongs to a transaction that was taken back */
        step->done(step, outcome);
        free(now);
    }
    free(s->outcomes);
    s->outcomes = NULL;
}

static void on_done(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    int err = s->err;

    s->probing = false;
    s->state.commits += !err;
    s->state.last_commit_us = s->job_us;
    note_outcome(s, err);
    finish_batch(s, err); /* `running` is still set, so no job starts meanwhile */
    s->running = false;
    if (!STAILQ_EMPTY(&s->waiting))
        start_job(s);
    else if (s->closing)
        finish_close(s);
}

static void start_job(struct sqlite_store *s)
{
    const struct store_step *step;
    size_t n = 1; /* a probe has none */

    STAILQ_CONCAT(&s->batch, &s->waiting);
    STAILQ_FOREACH(step, &s->batch, link)
    n++;
    s->outcomes = calloc(n, sizeof(*s->outcomes));
    s->running = true;
    s->err = -EAGAIN; /* unless there is a thread */
    worker_go(&s->worker);
}

static struct sqlite_store *sqlite_of(struct store *store)
{
    return CONTAINER_OF(store, struct sqlite_store, store);
}

static int sqlite_steps(struct store *store, struct store_steps *steps)
{
    struct sqlite_store *s = sqlite_of(store);
    struct store_step *step;

    if (s->closing)
        return -ESHUTDOWN;
    STAILQ_FOREACH(step, steps, link)
    {
        step->now = NULL;
        s->state.queued++;
    }
    STAILQ_CONCAT(&s->waiting, steps);
    if (!s->running)
        start_job(s);
    return 0;
}

static int sqlite_load(struct store *store, const struct store_reader *reader, void *arg)
{
    return sqlite_file_load(sqlite_of(store)->file.db, reader, arg);
}

static const char *sqlite_tag(const struct store *store)
{
    return ((const struct sqlite_store *)store)->tag;
}

static int sqlite_set_tag(struct store *store, const char tag[ID_TAG_SIZE])
{
    struct sqlite_store *s = sqlite_of(store);
    int err = sqlite_file_set_tag(s->file.db, tag);

    if (!err)
        (void)snprintf(s->tag, sizeof(s->tag), "%s", tag);
    return err;
}

static void sqlite_state(const struct store *store, struct store_state *state)
{
    *state = ((const struct sqlite_store *)store)->state;
}

static void sqlite_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct sqlite_store *s = sqlite_of(store);

    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    if (!s->running)
        finish_close(s);
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .load = sqlite_load,
    .tag = sqlite_tag,
    .set_tag = sqlite_set_tag,
    .steps = sqlite_steps,
    .state = sqlite_state,
    .close = sqlite_close,
};

/* ---- opening ---- */

static int open_worker(struct sqlite_store *s, char why[320])
{
    s->worker.work = on_work;
    s->worker.done = on_done;
    int err = timer_reserve(loop_timers(s->loop), &s->probe);

    if (!err)
        err = worker_open(s->loop, &s->worker);
    if (!err)
        return 0;
    timer_unreserve(loop_timers(s->loop), &s->probe);
    (void)snprintf(why, 320, "cannot start the lease store's thread: %.80s", strerror(-err));
    sqlite_file_close(&s->file);
    return err;
}

/* What the file says of the store as a whole. */
static int read_head(struct sqlite_store *s, const char *state_dir, char why[320])
{
    struct store_move move;
    int err = sqlite_file_tag(s->file.db, s->tag);

    if (!err)
        err = sqlite_file_move(s->file.db, &move);
    if (err) {
        (void)snprintf(why, 320, "cannot read the tag in %.200s: %.80s", state_dir, strerror(-err));
    } else if (move.state == MOVE_GONE) {
        (void)snprintf(
            why, 320,
            "the leases in %.90s were moved to %.120s; set `type` as it is there, or move them back "
            "(jumpgate store copy)",
            state_dir, move.peer);
        err = -EBADMSG;
    }
    if (err)
        sqlite_file_close(&s->file);
    return err;
}

struct store *sqlite_store_open(struct loop *loop, const char *state_dir, bool rebuild, bool *rebuilt,
                                char why[320])
{
    struct sqlite_store *s = calloc(1, sizeof(*s));

    *rebuilt = false;
    if (!s) {
        (void)snprintf(why, 320, "out of memory");
        return NULL;
    }
    s->store.ops = &sqlite_ops;
    s->loop = loop;
    s->state.writable = true;
    STAILQ_INIT(&s->waiting);
    STAILQ_INIT(&s->batch);
    int err = sqlite_file_take(&s->file, &s->lock, state_dir, rebuild, rebuilt, why);

    if (err) {
        free(s);
        errno = -err;
        return NULL;
    }
    err = read_head(s, state_dir, why);
    if (!err)
        err = open_worker(s, why);
    if (err) {
        (void)close(s->lock);
        free(s);
        errno = -err;
        return NULL;
    }
    return &s->store;
}
