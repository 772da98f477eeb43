/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_writer.c - the loop's side of the audit trail: put, wait, deadlines, the end; see audit_writer.h.
 *
 * base/queue/group_commit.h says when a batch begins: at once for an awaited record that is alone, otherwise
 * together with those of the next moment. A record that no caller awaits joins the next batch, or begins one
 * after `unawaited_ms`: the records of a release cost no flush where a check-out follows it.
 *
 * Who touches what: the queue, the list of written entries and the numbers are shared and touched under the
 * lock; an entry in a batch is the thread's; waits, deadlines and logging are the loop's alone. The other
 * side is audit_thread.c.
 *
 * Invariant: a wait leaves its entry in one place (unlink_wait), whether the disk, the deadline or its owner
 * ends it. An entry whose wait has ended and that need not be kept is marked as cancelled; the thread drops
 * it unless it has begun with it.
 */
#include "audit/audit_thread.h"

#include "base/container_of.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct audit_writer *writer_of(struct audit_sink *sink)
{
    return (struct audit_writer *)sink;
}

/* ---- waits ---- */

static void on_late(struct deadline *);

static uint64_t now_ms(const struct audit_writer *w)
{
    return clock_now(w->opts.clock);
}

static void arm_late(struct audit_writer *w)
{
    struct audit_entry *first = TAILQ_FIRST(&w->waiting);
    uint64_t now = now_ms(w);

    if (!first)
        timer_stop(w->opts.timers, &w->late);
    else if (timer_start(w->opts.timers, &w->late, first->until_ms > now ? first->until_ms - now : 0,
                         on_late))
        log_error("audit_deadline", "error=%s", strerror(ENOMEM)); /* the caller's own deadline remains */
}

static struct audit_wait *unlink_wait(struct audit_writer *w, struct audit_entry *e)
{
    struct audit_wait *wait = e->wait;

    if (wait) {
        TAILQ_REMOVE(&w->waiting, e, of_waiting);
        e->wait = NULL;
        wait->entry = NULL;
    }
    return wait;
}

static void cancel_unless_kept(struct audit_writer *w, struct audit_entry *e)
{
    uv_mutex_lock(&w->lock);
    e->cancelled = !(e->flags & AUDIT_KEEP);
    uv_mutex_unlock(&w->lock);
}

/* `done` may put and forget others. */
static void fail_waits(struct audit_writer *w, uint64_t until_ms, int err)
{
    struct audit_entry *e;

    while ((e = TAILQ_FIRST(&w->waiting)) && e->until_ms <= until_ms) {
        struct audit_wait *wait = unlink_wait(w, e);

        cancel_unless_kept(w, e);
        wait->done(wait, err);
    }
}

static void on_late(struct deadline *d)
{
    struct audit_writer *w = CONTAINER_OF(d, struct audit_writer, late);

    if (!w->stalled)
        log_error("audit_stalled", "file=%s waited_ms=%llu hint=%s", w->file.path,
                  (unsigned long long)w->opts.deadline_ms, "the disk does not answer");
    w->stalled = true;
    fail_waits(w, now_ms(w), -ETIMEDOUT);
    arm_late(w);
}

/* ---- what the thread reports ---- */

static void log_changes(struct audit_writer *w, const struct audit_report *r)
{
    if (r->err && !w->reported.err)
        log_error("audit_failed", "file=%s error=%s policy=%s", w->file.path, strerror(-r->err),
                  "see audit_policy");
    if (!r->err && w->reported.err)
        log_info("audit_recovered", "file=%s seq=%llu", w->file.path, (unsigned long long)r->state.seq);
    if (r->state.breaks != w->reported.state.breaks)
        log_error("audit_broken", "file=%s cause=%s hint=%s", w->file.path, r->last_break,
                  "the file was not as it was left; `jumpgate audit verify` says what is missing");
    w->reported = *r;
}

static void finish_written(struct audit_writer *w, struct audit_entries *written)
{
    struct audit_entry *e;

    while ((e = STAILQ_FIRST(written))) {
        STAILQ_REMOVE_HEAD(written, link);
        struct audit_wait *wait = unlink_wait(w, e);
        int err = e->err;

        w->stalled = false;
        free(e);
        if (wait)
            wait->done(wait, err);
    }
    arm_late(w);
}

static void free_entries(struct audit_entries *list)
{
    struct audit_entry *e;

    while ((e = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, link);
        free(e);
    }
}

static void on_async_closed(uv_handle_t *handle)
{
    struct audit_writer *w = handle->data;
    void (*closed)(void *arg) = w->closed;
    void *arg = w->closed_arg;

    if (w->ended) { /* else the thread still uses it, and it is left behind */
        free_entries(&w->queue);
        free_entries(&w->gathering);
        audit_file_close(&w->file);
        audit_syslog_close(&w->syslog);
        uv_mutex_destroy(&w->lock);
        uv_cond_destroy(&w->wake);
        free(w);
    }
    if (closed)
        closed(arg);
}

static void finish_close(struct audit_writer *w)
{
    timer_stop(w->opts.timers, &w->end);
    fail_waits(w, UINT64_MAX, -ESHUTDOWN);
    timer_stop(w->opts.timers, &w->late);
    uv_close((uv_handle_t *)&w->async, on_async_closed);
}

static void on_async(uv_async_t *async)
{
    struct audit_writer *w = async->data;
    struct audit_entries written = STAILQ_HEAD_INITIALIZER(written);
    struct audit_report r;
    bool ended, round_over;

    uv_mutex_lock(&w->lock);
    STAILQ_CONCAT(&written, &w->written);
    r = w->report;
    ended = w->ended;
    round_over = w->round_over;
    w->round_over = false;
    uv_mutex_unlock(&w->lock);
    log_changes(w, &r);
    finish_written(w, &written);
    if (round_over)
        group_commit_done(&w->group_commit);
    if (ended && !uv_is_closing((uv_handle_t *)async)) {
        (void)uv_thread_join(&w->thread);
        finish_close(w);
    }
}

/* ---- as a sink ---- */

static bool is_writable(const struct audit_writer *w, const struct audit_report *r)
{
    return !r->err && !w->stalled;
}

/* Under the lock: may another record come? */
static int check_admission(struct audit_writer *w, const struct audit_wait *wait)
{
    if (w->stop)
        return -ESHUTDOWN;
    if (wait && !is_writable(w, &w->report))
        return -EBUSY;
    if (w->queued < w->opts.max_queued)
        return 0;
    if (!wait) { /* an awaited record is refused; any other becomes part of a gap */
        w->lost_from_ms = w->lost ? w->lost_from_ms : clock_wall(w->opts.clock);
        w->lost++;
        w->report.state.lost++;
    }
    return wait ? -EBUSY : -ENOBUFS;
}

static int admit_entry(struct audit_writer *w, struct audit_entry *e, const struct audit_wait *wait)
{
    uv_mutex_lock(&w->lock);
    int err = check_admission(w, wait);
    w->queued += !err;
    uv_mutex_unlock(&w->lock);
    if (err)
        return err;
    e->number = ++w->taken;
    STAILQ_INSERT_TAIL(&w->gathering, e, link);
    return 0;
}

/* Woken under the lock the thread would run into it at once, and sleep again: two changes of threads. */
static void hand_over(struct audit_writer *w, bool stop)
{
    uv_mutex_lock(&w->lock);
    w->round_over = false;
    w->stop |= stop;
    STAILQ_CONCAT(&w->queue, &w->gathering);
    uv_mutex_unlock(&w->lock);
    uv_cond_signal(&w->wake);
}

static bool on_commit(struct group_commit *g)
{
    struct audit_writer *w = CONTAINER_OF(g, struct audit_writer, group_commit);

    if (STAILQ_EMPTY(&w->gathering))
        return false;
    hand_over(w, false);
    return true;
}

static int writer_put(struct audit_sink *sink, const char *members, size_t n, unsigned flags,
                      struct audit_wait *wait)
{
    struct audit_writer *w = writer_of(sink);

    if (n > AUDIT_MEMBERS_MAX)
        return -EMSGSIZE;
    struct audit_entry *e = malloc(sizeof(*e) + n);
    if (!e)
        return -ENOMEM;
    *e = (struct audit_entry){.wall_ms = clock_wall(w->opts.clock), .flags = flags, .n = n};
    memcpy(e->members, members, n);
    e->wait = wait;
    e->until_ms = now_ms(w) + w->opts.deadline_ms;
    int err = admit_entry(w, e, wait);
    if (err) {
        free(e);
        return err;
    }
    if (wait) { /* the thread does not look at these */
        wait->entry = e;
        TAILQ_INSERT_TAIL(&w->waiting, e, of_waiting);
        if (TAILQ_FIRST(&w->waiting) == e)
            arm_late(w);
    }
    group_commit_add(&w->group_commit, wait != NULL);
    return 0;
}

static void writer_forget(struct audit_sink *sink, struct audit_wait *wait)
{
    if (wait->entry)
        (void)unlink_wait(writer_of(sink), wait->entry);
}

static void writer_state(struct audit_sink *sink, struct audit_state *state)
{
    struct audit_writer *w = writer_of(sink);
    struct audit_report r;

    uv_mutex_lock(&w->lock);
    r = w->report;
    *state = r.state;
    state->queued = w->queued;
    uv_mutex_unlock(&w->lock);
    state->taken = w->taken;
    state->writable = is_writable(w, &r);
    if (r.err)
        (void)snprintf(state->why, sizeof(state->why), "%s", strerror(-r.err));
    else if (w->stalled)
        (void)snprintf(state->why, sizeof(state->why), "the disk does not answer");
}

static const struct audit_sink_ops writer_ops = {
    .put = writer_put, .forget = writer_forget, .state = writer_state};

/* ---- life ---- */

struct audit_sink *audit_writer_sink(struct audit_writer *w)
{
    return &w->sink;
}

static bool start_thread(struct audit_writer *w)
{
    if (uv_mutex_init(&w->lock))
        return false;
    if (uv_cond_init(&w->wake)) {
        uv_mutex_destroy(&w->lock);
        return false;
    }
    if (uv_async_init(w->opts.uv, &w->async, on_async) == 0) {
        w->async.data = w;
        if (uv_thread_create(&w->thread, audit_thread_run, w) == 0)
            return true;
        w->closed = NULL; /* frees the writer as well */
        w->ended = true;
        uv_close((uv_handle_t *)&w->async, on_async_closed);
        return false;
    }
    uv_cond_destroy(&w->wake);
    uv_mutex_destroy(&w->lock);
    audit_file_close(&w->file);
    free(w);
    return false;
}

/* Errors that may pass: a disk may get space or come back. A wrong configuration stays wrong. */
static bool may_pass(int err)
{
    return err == -ENOSPC || err == -EDQUOT || err == -EFBIG || err == -EIO || err == -EROFS ||
           err == -ENOMEM;
}

/* The gateway starts all the same: leases of the run before must be checked in. */
static void note_bad_start(struct audit_writer *w, int err)
{
    struct audit_report r = {.err = err, .state.failures = err != 0};

    if (!err)
        return;
    log_changes(w, &r);
    w->report = r;
    w->failing = err;
    w->failing_from_ms = clock_wall(w->opts.clock);
}

struct audit_writer *audit_writer_open(const struct audit_writer_opts *opts, char why[320])
{
    struct audit_writer *w = calloc(1, sizeof(*w));

    if (!w) {
        (void)snprintf(why, 320, "out of memory");
        return NULL;
    }
    w->sink.ops = &writer_ops;
    w->opts = *opts;
    STAILQ_INIT(&w->queue);
    STAILQ_INIT(&w->written);
    STAILQ_INIT(&w->gathering);
    w->group_commit =
        (struct group_commit){.timers = opts->timers, .commit = on_commit, .delay_ms = opts->unawaited_ms};
    TAILQ_INIT(&w->waiting);
    int err = audit_file_open_group(&w->file, opts->file, opts->head,
                                    opts->has_group ? opts->group : AUDIT_NO_GROUP,
                                    opts->disk ? opts->disk : &audit_disk_system, why);
    if (err && !may_pass(err)) {
        free(w);
        errno = -err;
        return NULL;
    }
    note_bad_start(w, err);
    audit_syslog_open(&w->syslog, opts->syslog, opts->syslog_form);
    w->report.state.seq = w->file.head.last.seq;
    if (!start_thread(w)) {
        (void)snprintf(why, 320, "the audit writer's thread cannot be started");
        errno = EAGAIN;
        return NULL;
    }
    return w;
}

void audit_writer_rotate(struct audit_writer *w)
{
    uv_mutex_lock(&w->lock);
    w->rotate = true;
    uv_mutex_unlock(&w->lock);
    uv_cond_signal(&w->wake);
}

/* The disk has not answered: thread and memory are left to the end of the process. */
static void on_end(struct deadline *d)
{
    struct audit_writer *w = CONTAINER_OF(d, struct audit_writer, end);

    uv_mutex_lock(&w->lock);
    bool ended = w->ended;
    w->abandoned = !ended;
    uv_mutex_unlock(&w->lock);
    if (ended)
        return; /* on_async() follows */
    log_error("audit_abandoned", "file=%s hint=%s", w->file.path,
              "the disk does not answer; records that were waiting are lost");
    finish_close(w);
}

void audit_writer_close(struct audit_writer *w, void (*closed)(void *arg), void *arg)
{
    w->closed = closed;
    w->closed_arg = arg;
    group_commit_stop(&w->group_commit);
    hand_over(w, true);
    if (timer_start(w->opts.timers, &w->end, w->opts.deadline_ms, on_end))
        log_error("audit_deadline", "error=%s", strerror(ENOMEM));
}
