/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - GET /api/export/DATASET.csv and .ndjson: the whole filtered set, in pieces.
 *
 *   OPEN on the reader's thread -> the first piece -> audit record -> head, piece -> NEXT -> piece … -> end
 *                                              any failure, client gone, time over -> CLOSE -> rest
 *
 * An export has a reader of a pool of its own, so that it delays no page, and keeps it, with one read
 * transaction, until it is closed. The thread makes the next piece when the socket has room for it.
 *
 * A user has EXPORTS_PER_USER at most, so that one user does not take the whole pool. An export ends with its
 * session when that is signed out, or its user changed by a reload; not when the session's time is over.
 *
 * Two records: `export_begun` before the first byte, `exported` with rows and whether it was complete at the
 * end. A failure before the first byte is a problem; later it breaks the connection.
 *
 * Invariants: the job is kept, and an export is in one place at a time. Where a client leaves while bytes go
 * to the socket, the function on the stack sees that r->req is gone, and on_left() does nothing.
 */
#include "base/container_of.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

enum step { STEP_OPEN, STEP_NEXT, STEP_CLOSE };

enum place {
    AT_THREAD, /* or on the way to it: done() comes */
    AT_RECORD, /* waits for its audit record */
    AT_SOCKET, /* on the stack */
    AT_PAUSE   /* the socket has no room: drained() comes */
};

struct export
{
    struct query_export *rows; /* the thread's while it works */
    enum step step;
    enum place place;
    bool more;     /* there is a further piece */
    bool recorded; /* its begin is, and not its end */
    char dataset[64];
    int64_t count;
    struct buf piece;
};

/* ---- on the thread ---- */

static enum db_outcome make_piece(struct web_request *r, struct db *db)
{
    struct export *e = r->export;
    enum query_outcome outcome = query_export_next(e->rows, &e->piece, &e->more);

    e->count = query_export_rows(e->rows);
    return web_judge(r, db, outcome);
}

static enum db_outcome on_run(struct reader_job *job, struct db *db)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);
    struct export *e = r->export;
    enum db_outcome outcome;

    switch (e->step) {
    case STEP_OPEN:
        outcome = web_judge(r, db, query_export_open(db, r->parsed, r->format, &e->rows));
        return outcome != DB_OK || r->outcome != QUERY_OK ? outcome : make_piece(r, db);
    case STEP_NEXT: return make_piece(r, db);
    case STEP_CLOSE: break;
    }
    query_export_close(e->rows);
    e->rows = NULL;
    return DB_OK;
}

/* ---- on the loop ---- */

static void run(struct web_request *r, enum step step)
{
    r->export->step = step;
    r->export->place = AT_THREAD;
    reader_again(&r->job);
}

static void record(struct web_request *r, struct note *n, const char *event)
{
    note_begin(n, r, event);
    note_text(n, "dataset", r->export->dataset);
    note_text(n, "format", r->format == QUERY_CSV ? "csv" : "ndjson");
    note_text(n, "filters", r->query);
}

static void record_end(struct web_request *r, bool complete)
{
    struct note n;

    r->export->recorded = false;
    record(r, &n, "exported");
    note_number(&n, "rows", r->export->count);
    note_bool(&n, "complete", complete);
    note_write(&n);
    r->web->counts.exports += complete;
    r->web->counts.exports_broken += !complete;
}

/* The thread closes the rows; then nothing is left of the export. The request is answered, or gone. */
static void close_rows(struct web_request *r)
{
    struct export *e = r->export;

    if (e->recorded)
        record_end(r, false);
    if (e->rows) {
        run(r, STEP_CLOSE);
        return;
    }
    reader_release(&r->job);
    r->working = false;
    r->export = NULL;
    buf_free(&e->piece);
    free(e);
    web_request_rest(r);
}

static bool went_well(const struct web_request *r)
{
    return r->job.outcome == DB_OK && r->outcome == QUERY_OK && !r->job.expired && !r->job.cancelled;
}

/* The request stays until close_rows(), whatever answers it. */
static void give_up(struct web_request *r)
{
    if (r->req && r->begun)
        web_end(r, false);
    else if (r->req && r->job.cancelled)
        web_fail_with(r, PROBLEM_UNAUTHENTICATED, "the session has ended");
    else if (r->req && r->job.expired)
        web_fail_database(r, DB_INTERRUPTED);
    else if (r->req && web_asked_well(r))
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
    close_rows(r);
}

static void go_on(struct web_request *r)
{
    if (r->export->more) {
        run(r, STEP_NEXT);
        return;
    }
    record_end(r, true);
    web_end(r, true);
    close_rows(r);
}

static void send_piece(struct web_request *r)
{
    struct export *e = r->export;
    bool room = true;

    e->place = AT_SOCKET;
    while (room && r->req && e->piece.len) {
        struct buf part = BUF_INIT(HTTP_PIECE_MAX);
        size_t n = e->piece.len < HTTP_PIECE_MAX ? e->piece.len : HTTP_PIECE_MAX;

        if (buf_append(&part, e->piece.data, n)) {
            give_up(r);
            return;
        }
        buf_consume(&e->piece, n);
        room = http_piece(r->req, &part);
        buf_free(&part);
    }
    if (!r->req)
        close_rows(r);
    else if (room)
        go_on(r);
    else
        e->place = AT_PAUSE;
}

static void begin(struct web_request *r)
{
    struct export *e = r->export;
    char name[64];

    e->recorded = true;
    if (!went_well(r)) { /* its time was over meanwhile */
        give_up(r);
        return;
    }
    query_export_name(r->parsed, r->format, name);
    (void)buf_printf(&r->headers, "Content-Disposition: attachment; filename=\"%s\"\r\n", name);
    e->place = AT_SOCKET;
    if (web_begin(r, r->format == QUERY_CSV ? "text/csv; charset=utf-8" : "application/x-ndjson"))
        send_piece(r);
    else
        close_rows(r);
}

static void record_begin(struct web_request *r)
{
    struct note n;

    r->export->place = AT_RECORD;
    record(r, &n, "export_begun");
    note_await(&n, begin);
}

/* Also without a run, when time is over or the web ends. */
static void on_done(struct reader_job *job)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);
    struct export *e = r->export;

    if (e->place == AT_RECORD) /* begin() looks */
        return;
    if (e->step == STEP_CLOSE || !r->req)
        close_rows(r);
    else if (!went_well(r))
        give_up(r);
    else if (e->step == STEP_OPEN)
        record_begin(r);
    else
        send_piece(r);
}

/* The thread does not come back; on_done() ends what is left. */
static void on_overdue(struct reader_job *job)
{
    struct web_request *r = CONTAINER_OF(job, struct web_request, job);

    if (r->req && r->begun)
        web_end(r, false);
    else if (r->req)
        web_fail_database(r, DB_INTERRUPTED);
}

static void on_drained(struct web_request *r)
{
    if (r->export && r->export->place == AT_PAUSE)
        send_piece(r);
}

static void on_left(struct web_request *r)
{
    switch (r->export->place) {
    case AT_THREAD: reader_cancel(&r->job); break;
    case AT_RECORD:
    case AT_PAUSE: close_rows(r); break;
    case AT_SOCKET: break;
    }
}

/* "sessions.csv" */
static bool read_file(struct web_request *r, char dataset[64])
{
    const char *dot = strrchr(r->segment[0], '.');
    size_t n = dot ? (size_t)(dot - r->segment[0]) : 0;

    if (!dot || n >= 64)
        return false;
    memcpy(dataset, r->segment[0], n);
    dataset[n] = '\0';
    r->format = strcmp(dot, ".csv") == 0 ? QUERY_CSV : QUERY_NDJSON;
    return (strcmp(dot, ".csv") == 0 || strcmp(dot, ".ndjson") == 0) && query_dataset_exists(dataset);
}

static void start(struct web_request *r, const char *dataset)
{
    struct export *e = calloc(1, sizeof(*e));

    if (!e) {
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    e->piece = BUF_INIT(WEB_JSON_MAX);
    memcpy(e->dataset, dataset, sizeof(e->dataset));
    e->place = AT_THREAD;
    r->export = e;
    r->left = on_left;
    r->drained = on_drained;
    r->working = true;
    r->job = (struct reader_job){.run = on_run, .done = on_done, .overdue = on_overdue, .kept = true};
    if (reader_submit(r->web->exports, &r->job, r->web->conf->reports.export_timeout_ms))
        return;
    r->export = NULL;
    r->left = r->drained = NULL;
    r->working = false;
    free(e);
    web_fail_with(r, PROBLEM_OVERLOADED, "too many exports wait for the database; try again");
}

static size_t exports_of(const struct web *web, const char *user)
{
    const struct web_request *r;
    size_t n = 0;

    TAILQ_FOREACH(r, &web->requests, link)
    n += r->export && strcmp(r->name, user) == 0;
    return n;
}

/* An export that is on the way to its record, or to its client, ends there. */
void exports_end(struct web *web, const char *user, const unsigned char *session)
{
    struct web_request *r, *next;

    for (r = TAILQ_FIRST(&web->requests); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (r->export && strcmp(r->name, user) == 0 &&
            (!session || (r->has_session && memcmp(r->session, session, DIGEST_SIZE) == 0)))
            reader_cancel(&r->job);
    }
}

void exports_refuse_waiting(struct web *web)
{
    struct web_request *r, *next;

    for (r = TAILQ_FIRST(&web->requests); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (r->export && reader_waits(&r->job))
            web_request_give_up(r);
    }
}

void export_start(struct web_request *r)
{
    char dataset[64];
    struct query_error error = {0};

    if (!read_file(r, dataset)) {
        web_fail_with(r, PROBLEM_NOT_FOUND, "there is no such export");
        return;
    }
    if (!notes_possible(r->web)) {
        web_fail_with(r, PROBLEM_AUDIT_UNAVAILABLE,
                      "the audit trail cannot be written, and audit_policy is strict");
        return;
    }
    if (exports_of(r->web, r->name) >= EXPORTS_PER_USER) {
        struct problem p;

        problem_set(&p, PROBLEM_OVERLOADED,
                    "this user has %d exports at work or waiting; try again when one of them has ended",
                    EXPORTS_PER_USER);
        web_fail(r, &p);
        return;
    }
    r->has_range = true;
    r->view = view_new(r->web, r);
    if (!r->view)
        web_fail_with(r, PROBLEM_INTERNAL, "out of memory");
    else if (web_query_parsed(
                 r, query_parse(QUERY_EXPORT, dataset, r->query, view_context(r->view), &r->parsed, &error),
                 &error))
        start(r, dataset);
}
