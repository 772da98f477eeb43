/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_thread.c - the thread that writes the audit trail.
 *
 *   wait --> take a batch --> check the file --> room? --yes--> lines, one write, one fdatasync --> report
 *                                                 |
 *                                                 +--no: records that need not be kept are refused; the
 *                                                        others go into the reserve, behind an audit_failing
 *
 * Records that could not be written and must be kept return to the head of the queue, in order. While writing
 * fails the thread tries again every retry_ms, also with an empty queue, so that it notices when the disk
 * takes lines again; the first line then is audit_gap, which says what was lost and what came late.
 *
 * All signals are blocked here: a file that reaches its size limit must be an error, not the end.
 */
#include "audit/audit_thread.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (1024 * 1024)
#define LINE_EXTRA  256
#define OWN_MEMBERS 1024
#define AGAIN_BYTES BATCH_BYTES /* room that a full disk must have before it counts as good again */

struct batch {
    struct audit_entries entries;
    size_t n, bytes;
    size_t left; /* in the queue behind it */
    uint64_t lost;
    int64_t lost_from_ms;
    bool rotate, stop;
};

/* ---- taking ---- */

static bool has_work(const struct audit_writer *w)
{
    return w->stop || w->rotate || (!STAILQ_EMPTY(&w->queue) && !w->failing);
}

/* While writing fails the next attempt keeps its time, however many records are added meanwhile. */
static void wait_for_work(struct audit_writer *w)
{
    uint64_t until = uv_hrtime() + w->opts.retry_ms * 1000000, now;

    while (!has_work(w)) {
        if (!w->failing)
            uv_cond_wait(&w->wake, &w->lock);
        else if ((now = uv_hrtime()) >= until)
            return;
        else
            (void)uv_cond_timedwait(&w->wake, &w->lock, until - now);
    }
}

static void take_batch(struct audit_writer *w, struct batch *b)
{
    struct audit_entry *e;

    *b = (struct batch){
        .lost = w->lost, .lost_from_ms = w->lost_from_ms, .rotate = w->rotate, .stop = w->stop};
    STAILQ_INIT(&b->entries);
    w->lost = 0;
    w->rotate = false;
    while ((e = STAILQ_FIRST(&w->queue)) && b->bytes < BATCH_BYTES) {
        STAILQ_REMOVE_HEAD(&w->queue, link);
        if (e->cancelled) {
            e->err = -ECANCELED;
            STAILQ_INSERT_TAIL(&w->written, e, link);
            w->queued--;
            continue;
        }
        STAILQ_INSERT_TAIL(&b->entries, e, link);
        b->n++;
        b->bytes += e->n + LINE_EXTRA;
    }
    b->left = w->queued - b->n;
}

/* ---- the trail's own records ---- */

static int add_failing(struct buf *lines, struct audit_link *at, int err)
{
    struct buf b = BUF_INIT(OWN_MEMBERS);
    struct jsonw j = jsonw_start(&b);

    jsonw_object(&j, NULL);
    jsonw_str(&j, "event", "audit_failing");
    jsonw_str(&j, "error", strerror(-err));
    jsonw_end(&j);
    return audit_line_write_own(lines, at, &b);
}

static int add_gap(struct audit_writer *w, const struct batch *batch, struct buf *lines,
                   struct audit_link *at)
{
    struct buf b = BUF_INIT(OWN_MEMBERS);
    struct jsonw j = jsonw_start(&b);
    char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
    int64_t since = w->failing ? w->failing_from_ms : batch->lost_from_ms;

    jsonw_object(&j, NULL);
    jsonw_str(&j, "event", "audit_gap");
    jsonw_str(&j, "error", w->failing ? strerror(-w->failing) : "too many records were waiting");
    jsonw_int(&j, "lost", (int64_t)batch->lost);
    jsonw_int(&j, "delayed", (int64_t)(batch->n + batch->left));
    jsonw_str(&j, "from", clock_rfc3339_ms(since, from));
    jsonw_str(&j, "to", clock_rfc3339_ms(clock_wall(&clock_system), to));
    jsonw_end(&j);
    return audit_line_write_own(lines, at, &b);
}

/* ---- writing ---- */

/* `room` is the error that keeps the disk from taking more than the reserve; 0 = none. */
static int build_lines(struct audit_writer *w, struct batch *b, int room, struct buf *lines,
                       struct audit_link *at)
{
    struct audit_entry *e;
    int err = 0;

    if (room && !w->failing)
        err = add_failing(lines, at, room);
    else if (!room && (w->failing || b->lost))
        err = add_gap(w, b, lines, at);
    STAILQ_FOREACH(e, &b->entries, link)
    {
        if (err)
            break;
        e->err = room && !(e->flags & AUDIT_KEEP) ? room : 0;
        if (!e->err)
            err = audit_line_write(lines, at, e->wall_ms, e->members, e->n);
    }
    return err;
}

/* 0 = the lines are on disk; *room says whether it has space for more. */
static int commit_batch(struct audit_writer *w, struct batch *b, int *room)
{
    struct buf lines = BUF_INIT(BATCH_BYTES + 4 * AUDIT_LINE_MAX);
    int err = b->rotate ? audit_file_rotate(&w->file) : audit_file_check(&w->file);

    *room = err ? 0 : audit_file_room(&w->file, b->bytes + (w->failing ? AGAIN_BYTES : 2 * OWN_MEMBERS));
    struct audit_link at = w->file.head.last;
    if (!err) /* all of it at once: growing would copy and wipe what is there, time and again */
        err = buf_reserve(&lines, b->bytes + 2 * OWN_MEMBERS);
    if (!err)
        err = build_lines(w, b, *room, &lines, &at);
    if (!err && lines.len)
        err = audit_file_append(&w->file, &lines, &at);
    if (!err)
        audit_syslog_send(&w->syslog, lines.data, lines.len);
    buf_free(&lines);
    return err;
}

/* ---- reporting ---- */

/* What must be kept and is not on disk goes back in front; the rest is done with. */
static void give_back(struct audit_writer *w, struct batch *b, int err)
{
    struct audit_entries kept = STAILQ_HEAD_INITIALIZER(kept);
    struct audit_entry *e;

    while ((e = STAILQ_FIRST(&b->entries))) {
        STAILQ_REMOVE_HEAD(&b->entries, link);
        if (err && e->flags & AUDIT_KEEP) {
            STAILQ_INSERT_TAIL(&kept, e, link);
            continue;
        }
        if (!err) /* none that is to be kept is before it */
            w->report.state.settled = e->number;
        e->err = err ? err : e->err;
        w->report.state.records += !e->err;
        w->queued--;
        STAILQ_INSERT_TAIL(&w->written, e, link);
    }
    STAILQ_CONCAT(&kept, &w->queue);
    STAILQ_CONCAT(&w->queue, &kept);
    if (err && b->lost) { /* still to be recorded */
        w->lost_from_ms = b->lost_from_ms;
        w->lost += b->lost;
    }
}

static void note_outcome(struct audit_writer *w, int err, uint64_t took_us)
{
    struct audit_report *r = &w->report;

    if (err && !w->failing)
        w->failing_from_ms = clock_wall(&clock_system);
    w->failing = err;
    r->state.failures += err != 0;
    r->err = err;
    r->state.seq = w->file.head.last.seq;
    r->state.breaks = w->file.breaks;
    (void)text_copy(r->last_break, sizeof(r->last_break), w->file.last_break);
    r->state.sink_sent = w->syslog.sent;
    r->state.sink_dropped = w->syslog.dropped;
    r->state.last_commit_us = took_us;
}

/* Under the lock: may the thread end? What still cannot be written at the end is lost. */
static bool is_over(const struct audit_writer *w, const struct batch *b, int err)
{
    return b->stop && (err || STAILQ_EMPTY(&w->queue));
}

static bool one_round(struct audit_writer *w)
{
    struct batch b;
    int room;

    uv_mutex_lock(&w->lock);
    wait_for_work(w);
    take_batch(w, &b);
    uv_mutex_unlock(&w->lock);

    uint64_t from = clock_measure_us();
    int err = commit_batch(w, &b, &room);
    uint64_t took_us = clock_measure_us() - from;

    uv_mutex_lock(&w->lock);
    give_back(w, &b, err);
    note_outcome(w, err ? err : room, took_us);
    bool over = is_over(w, &b, err);
    w->ended = over;
    w->round_over |= err || STAILQ_EMPTY(&w->queue);
    if (!w->abandoned)
        (void)uv_async_send(&w->async);
    bool go_on = !over && !w->abandoned;
    uv_mutex_unlock(&w->lock);
    return go_on;
}

void audit_thread_run(void *writer)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (one_round(writer))
        ;
}
