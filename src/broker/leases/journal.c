/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - lines on their way to the store.
 *
 * A line is one lease id, or the name of one site, with what the store has yet to write of it. A note is one
 * write with the texts of its row, in one piece, since a write cannot be cancelled and must stay valid until
 * it is done; a note whose journal has ended (line == NULL) frees itself.
 *
 * A failed write is not lost: the line is stuck, keeps the note, and is tried again once a second as soon as
 * the store says that it can write. Its waits are called with the error and decide: a check-out ends, a
 * release goes on. While the store cannot write nothing is handed to it.
 *
 * Not here: what is in a row (lease_row.c), and when it is written (lease_life.c, checkin.c).
 */
#include "broker/leases/journal.h"

#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/queue/group_commit.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_AGAIN_MS 1000
#define CURSOR_MARK  "\1" /* in no lease id */
#define DELAY_MS     25   /* longer than a quick vault needs for a check-in; no operation waits meanwhile */

struct note {
    struct store_write write;
    struct journal_line *line;
    char texts[];
};

struct journal_line {
    UT_hash_handle hh; /* by id */
    struct journal *journal;
    struct note *committing, *next;
    LIST_HEAD(, journal_wait) waits;
    bool is_queued, is_stuck; /* one of them while there is `next` */
    bool is_awaited;          /* queued, and no longer delayed */
    TAILQ_ENTRY(journal_line) link;
    char id[]; /* of a lease; of a site's cursor: CURSOR_MARK and its name */
};

struct journal {
    struct timers *timers;
    struct store *store;
    struct journal_line *lines; /* by id */
    TAILQ_HEAD(line_list, journal_line) queue, stuck;
    size_t nstuck, committing;
    struct group_commit group_commit;
    struct deadline again;
    bool loading;
    bool row_lost; /* for want of memory: the store has an older one, for a while or for good */
};

static bool on_commit(struct group_commit *);

struct journal *journal_new(struct timers *timers, struct store *store)
{
    struct journal *j = calloc(1, sizeof *j);

    if (!j)
        return NULL;
    j->timers = timers;
    j->store = store;
    j->group_commit = (struct group_commit){
        .timers = timers, .commit = on_commit, .delay_ms = DELAY_MS, .delay_alone_ms = DELAY_MS};
    TAILQ_INIT(&j->queue);
    TAILQ_INIT(&j->stuck);
    return j;
}

bool journal_writable(const struct journal *j)
{
    struct store_state state;

    if (!j->store)
        return true;
    j->store->ops->state(j->store, &state);
    return state.writable;
}

bool journal_quiet(const struct journal *j)
{
    return j->committing == 0 && TAILQ_EMPTY(&j->queue);
}

size_t journal_stuck(const struct journal *j)
{
    return j->nstuck;
}

/* ---- where a test may end the process ---- */

static void pass_crash_point(const struct store_write *w, bool durable)
{
    static const char *const before[LEASE_NSTATES] = {"checkout.intent.before", "checkout.open.before",
                                                      "lease.releasing.before", "lease.lapsed.before"};
    static const char *const after[LEASE_NSTATES] = {"checkout.intent.durable", "checkout.open.durable",
                                                     "lease.releasing.durable", "lease.lapsed.durable"};

    if (w->cursor.site)
        crash_point(durable ? "pra.cursor.durable" : "pra.cursor.before");
    else if (w->remove)
        crash_point(durable ? "lease.close.durable" : "lease.close.before");
    else
        crash_point(durable ? after[w->row.state] : before[w->row.state]);
    (void)before;
    (void)after;
    (void)durable;
}

/* ---- lines ---- */

static struct journal_line *line_find(const struct journal *j, const char *id)
{
    struct journal_line *line;

    HASH_FIND(hh, j->lines, id, strlen(id), line);
    return line;
}

static struct journal_line *line_get(struct journal *j, const char *id)
{
    struct journal_line *line = line_find(j, id);

    if (line)
        return line;
    size_t n = strlen(id);

    line = calloc(1, sizeof *line + n + 1);
    if (!line)
        return NULL;
    line->journal = j;
    memcpy(line->id, id, n);
    HASH_ADD_KEYPTR(hh, j->lines, line->id, n, line);
    if (!line->hh.tbl) {
        free(line);
        return NULL;
    }
    return line;
}

static void line_unstick(struct journal_line *line)
{
    if (!line->is_stuck)
        return;
    line->is_stuck = false;
    TAILQ_REMOVE(&line->journal->stuck, line, link);
    line->journal->nstuck--;
}

static void line_dequeue(struct journal_line *line)
{
    if (!line->is_queued)
        return;
    line->is_queued = line->is_awaited = false;
    TAILQ_REMOVE(&line->journal->queue, line, link);
}

/* It keeps its place if it has one. The commit may begin at once. */
static void line_enqueue(struct journal_line *line, bool awaited)
{
    struct journal *j = line->journal;
    bool news = !line->is_queued || (awaited && !line->is_awaited);

    if (!line->is_queued)
        TAILQ_INSERT_TAIL(&j->queue, line, link);
    line->is_queued = true;
    line->is_awaited |= awaited;
    if (news)
        group_commit_add(&j->group_commit, awaited);
}

static void line_free(struct journal_line *line)
{
    struct journal_wait *w;

    while ((w = LIST_FIRST(&line->waits)))
        journal_unwait(w);
    line_unstick(line);
    line_dequeue(line);
    HASH_DEL(line->journal->lines, line);
    free(line->next);
    free(line);
}

static void notify_waits(struct journal_line *line, int err)
{
    LIST_HEAD(, journal_wait) on_ended = LIST_HEAD_INITIALIZER(on_ended);
    struct journal_wait *w;

    while ((w = LIST_FIRST(&line->waits))) {
        LIST_REMOVE(w, link);
        LIST_INSERT_HEAD(&on_ended, w, link);
    }
    while ((w = LIST_FIRST(&on_ended))) {
        journal_unwait(w);
        w->done(w, err);
    }
}

/* ---- writing ---- */

static void on_written(struct store_write *w, int err);

/* All of it, and before anything newer: a row that takes over and the removal of the other stay in one
 * commit. */
static void requeue_stuck(struct journal *j)
{
    struct journal_line *line;

    if (!j->nstuck)
        return;
    while ((line = TAILQ_FIRST(&j->stuck))) {
        line_unstick(line);
        line->is_queued = true;
        TAILQ_INSERT_TAIL(&j->queue, line, link);
    }
    group_commit_add(&j->group_commit, true);
}

static void on_retry(struct deadline *d)
{
    struct journal *j = CONTAINER_OF(d, struct journal, again);

    if (journal_writable(j))
        requeue_stuck(j);
    if (j->nstuck && timer_start(j->timers, &j->again, TRY_AGAIN_MS, on_retry))
        log_error("journal_retry_lost", "error=%s", "out of memory");
}

static void line_stick(struct journal_line *line)
{
    struct journal *j = line->journal;

    if (line->is_stuck)
        return;
    line_dequeue(line);
    line->is_stuck = true;
    TAILQ_INSERT_TAIL(&j->stuck, line, link);
    j->nstuck++;
    if (!j->loading && !timer_running(&j->again) && timer_start(j->timers, &j->again, TRY_AGAIN_MS, on_retry))
        log_error("journal_retry_lost", "error=%s", "out of memory");
}

/* What its queue holds becomes one list for the store. */
static void take_queued(struct journal *j, struct store_writes *list)
{
    struct journal_line *line;

    while ((line = TAILQ_FIRST(&j->queue))) {
        line_dequeue(line);
        line->committing = line->next;
        line->next = NULL;
        line->committing->write.done = on_written;
        line->committing->line = line;
        pass_crash_point(&line->committing->write, false);
        STAILQ_INSERT_TAIL(list, &line->committing->write, link);
        j->committing++;
    }
}

/* The store has taken nothing: it is closing. */
static void stick_refused(struct journal *j, struct store_writes *list)
{
    struct store_write *w;

    while ((w = STAILQ_FIRST(list))) {
        struct journal_line *line = CONTAINER_OF(w, struct note, write)->line;

        STAILQ_REMOVE_HEAD(list, link);
        line->next = line->committing;
        line->committing = NULL;
        j->committing--;
        line_stick(line);
    }
}

static bool on_commit(struct group_commit *g)
{
    struct journal *j = CONTAINER_OF(g, struct journal, group_commit);
    struct store_writes list = STAILQ_HEAD_INITIALIZER(list);

    take_queued(j, &list);
    if (STAILQ_EMPTY(&list))
        return false;
    if (!j->store->ops->write(j->store, &list))
        return true;
    stick_refused(j, &list);
    return false;
}

static void line_written(struct journal_line *line)
{
    if (line->next)
        return; /* in the queue, and the waits are for that one */
    struct journal *j = line->journal;

    /* A wait may put the same row again: the line is out of the table before any is called. */
    HASH_DEL(j->lines, line);
    notify_waits(line, 0);
    free(line);
}

static void line_not_written(struct journal_line *line, struct note *note, int err)
{
    if (line->next)
        free(note);
    else
        line->next = note;
    line_stick(line);
    notify_waits(line, err);
}

/* The store will not write the queued lines now either. */
static void stick_queued(struct journal *j, int err)
{
    struct journal_line *line;

    while ((line = TAILQ_FIRST(&j->queue))) {
        line_stick(line);
        notify_waits(line, err);
    }
}

static void on_written(struct store_write *w, int err)
{
    struct note *note = CONTAINER_OF(w, struct note, write);
    struct journal_line *line = note->line;

    if (!err)
        pass_crash_point(w, true);
    if (!line) { /* the broker has ended before */
        free(note);
        return;
    }
    struct journal *j = line->journal;

    line->committing = NULL;
    j->committing--;
    if (err) {
        line_not_written(line, note, err);
    } else {
        free(note);
        line_written(line);
    }
    if (j->committing)
        return;
    if (err)
        stick_queued(j, err);
    group_commit_done(&j->group_commit);
}

/* ---- notes ---- */

static struct note *note_new(const struct lease_row *row, bool remove)
{
    struct lease_row copy = *row;
    const char **texts[LEASE_ROW_TEXTS];
    size_t size = sizeof(struct note);

    lease_row_texts(&copy, texts);
    for (size_t i = 0; i < LEASE_ROW_TEXTS; i++)
        size += strlen(*texts[i] ? *texts[i] : "") + 1;
    struct note *note = malloc(size);

    if (!note)
        return NULL;
    *note = (struct note){.write = {.remove = remove, .row = copy}};
    lease_row_texts(&note->write.row, texts);
    char *to = note->texts;

    for (size_t i = 0; i < LEASE_ROW_TEXTS; i++) {
        const char *from = *texts[i] ? *texts[i] : "";
        size_t n = strlen(from) + 1;

        memcpy(to, from, n);
        *texts[i] = to;
        to += n;
    }
    return note;
}

static struct note *cursor_note_new(const struct cursor_row *row)
{
    size_t n = strlen(row->site) + 1;
    struct note *note = malloc(sizeof *note + n);

    if (!note)
        return NULL;
    *note = (struct note){.write = {.cursor = {note->texts, row->cursor_ms}}};
    memcpy(note->texts, row->site, n);
    return note;
}

/* A check-out is going to wait for it. The end of a lease is awaited by few, and its row is soon replaced. */
static bool is_urgent(const struct note *note)
{
    return !note->write.remove && !note->write.cursor.site &&
           (note->write.row.state == LEASE_INTENT || note->write.row.state == LEASE_OPEN);
}

/* Takes over the note, which is NULL where there was no memory for it. */
static int put_note(struct journal *j, const char *id, struct note *note)
{
    struct journal_line *line = note ? line_get(j, id) : NULL;

    if (!line) {
        free(note);
        j->row_lost = true;
        return -ENOMEM;
    }
    bool can = !j->loading && journal_writable(j);

    if (can)
        requeue_stuck(j);
    free(line->next);
    line->next = note;
    if (line->is_stuck || (!line->committing && !can))
        line_stick(line);
    else
        line_enqueue(line, is_urgent(note) || !LIST_EMPTY(&line->waits));
    return 0;
}

int journal_put(struct journal *j, const struct lease_row *row)
{
    return j->store ? put_note(j, row->id, note_new(row, false)) : 0;
}

int journal_put_cursor(struct journal *j, const struct cursor_row *row)
{
    size_t n = strlen(row->site) + sizeof CURSOR_MARK;
    char *id = j->store && !j->row_lost ? malloc(n) : NULL;

    if (!id)
        return j->store ? -ENOMEM : 0;
    (void)snprintf(id, n, CURSOR_MARK "%s", row->site);
    int err = put_note(j, id, cursor_note_new(row));

    free(id);
    return err;
}

void journal_remove(struct journal *j, const char *id)
{
    if (j->store && put_note(j, id, note_new(&(struct lease_row){.id = id}, true)))
        log_error("journal_remove_lost", "lease=%s error=%s", id, "out of memory");
}

/* ---- waiting ---- */

int journal_await(struct journal *j, const char *id, struct journal_wait *w,
                  void (*done)(struct journal_wait *, int err))
{
    struct journal_line *line = line_find(j, id);

    if (!line)
        return 0;
    if (line->is_stuck && !line->committing)
        return -EIO;
    w->done = done;
    w->line = line;
    LIST_INSERT_HEAD(&line->waits, w, link);
    if (line->is_queued)
        line_enqueue(line, true);
    return 1;
}

/*
 * All queued lines are the next commit, and one commit is under way at a time: so one line of the later of
 * the two stands for all of them. What is stuck is tried again at once if the store can write.
 */
int journal_await_all(struct journal *j, struct journal_wait *w, void (*done)(struct journal_wait *, int err))
{
    if (j->store && journal_writable(j))
        requeue_stuck(j);
    if (j->nstuck)
        return -EIO;
    const struct journal_line *last = TAILQ_LAST(&j->queue, line_list);

    last = last ? last : j->lines;
    return last ? journal_await(j, last->id, w, done) : 0;
}

void journal_unwait(struct journal_wait *w)
{
    if (!w->line)
        return;
    LIST_REMOVE(w, link);
    w->line = NULL;
}

/* ---- begin and end ---- */

int journal_load(struct journal *j, int (*row)(void *arg, const struct lease_row *), void *arg)
{
    if (!j->store)
        return 0;
    j->loading = true;
    int err = j->store->ops->load(j->store, row, arg);

    j->loading = false;
    if (j->nstuck && timer_start(j->timers, &j->again, 0, on_retry))
        err = err ? err : -ENOMEM;
    return err;
}

int journal_load_cursors(struct journal *j, int (*row)(void *arg, const struct cursor_row *), void *arg)
{
    return j->store ? j->store->ops->load_cursors(j->store, row, arg) : 0;
}

/* The notes that the store has free themselves when they are done. */
static void detach_notes(struct journal *j)
{
    for (struct journal_line *line = j->lines; line; line = line->hh.next) {
        if (line->committing)
            line->committing->line = NULL;
        line->committing = NULL;
    }
}

void journal_free(struct journal *j)
{
    struct journal_line *line, *next;

    if (!j)
        return;
    group_commit_stop(&j->group_commit);
    detach_notes(j);
    if (j->store)
        (void)on_commit(&j->group_commit); /* what is still delayed is written as well */
    detach_notes(j);
    HASH_ITER(hh, j->lines, line, next)
    line_free(line);
    timer_stop(j->timers, &j->again);
    free(j);
}
