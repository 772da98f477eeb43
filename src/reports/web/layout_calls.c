/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout_calls.c - GET, PUT and DELETE of /api/layout: one row of jg_layout for each user.
 *
 * Reading goes to the readers. Writing has a connection of its own, whose commits are on disk when they
 * return: an arrangement cannot be fetched again as a session can. The collector's writer is not asked, so
 * that the page works without one. Each of the two takes the database's lock for a few milliseconds, and
 * waits for the other's (db_params.busy_ms).
 *
 * Revisions count up and never go back: a DELETE leaves the row, without a document.
 */
#include "base/text.h"
#include "reports/web/layout.h"
#include "reports/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- on the thread ---- */

/* Fills in revision and document of the user; without a row revision 0. */
static enum db_outcome read_row(struct web_request *r, struct db *db)
{
    const struct db_ops *ops = db->ops;
    struct db_stmt *s = NULL;
    enum db_outcome outcome =
        ops->prepare(db, "SELECT \"revision\", \"document\" FROM \"jg_layout\" WHERE \"user_name\" = ?", &s);
    const char *document;

    r->layout.revision = 0;
    r->layout.found = false;
    free(r->layout.document);
    r->layout.document = NULL;
    if (outcome != DB_OK)
        return outcome;
    ops->bind_text(s, 1, r->name, strlen(r->name));
    outcome = ops->step(s);
    if (outcome == DB_ROW) {
        r->layout.found = true;
        r->layout.revision = ops->column_int(s, 0);
        document = ops->column_text(s, 1, NULL);
        r->layout.document = document && *document ? strdup(document) : NULL;
        outcome = document && *document && !r->layout.document ? DB_NO_MEMORY : DB_OK;
    }
    ops->finalize(s);
    return outcome;
}

static enum db_outcome write_row(struct web_request *r, struct db *db, const char *document, size_t n)
{
    const struct db_ops *ops = db->ops;
    struct db_stmt *s = NULL;
    enum db_outcome outcome = ops->prepare(
        db,
        r->layout.found
            ? "UPDATE \"jg_layout\" SET \"revision\" = ?, \"document\" = ? WHERE \"user_name\" = ?"
            : "INSERT INTO \"jg_layout\" (\"revision\", \"document\", \"user_name\") VALUES (?, ?, ?)",
        &s);

    if (outcome != DB_OK)
        return outcome;
    ops->bind_int(s, 1, r->layout.revision + 1);
    ops->bind_text(s, 2, document, n);
    ops->bind_text(s, 3, r->name, strlen(r->name));
    outcome = db_run(db, s);
    ops->finalize(s);
    return outcome;
}

/* `body` has the tiles; empty = back to the default. */
static enum db_outcome change(struct web_request *r, struct db *db)
{
    enum db_outcome outcome = db->ops->begin(db, true);

    if (outcome != DB_OK)
        return outcome;
    outcome = read_row(r, db);
    r->layout.conflict = r->layout.expected >= 0 && r->layout.expected != r->layout.revision;
    if (outcome == DB_OK && !r->layout.conflict)
        outcome = write_row(r, db, r->body.len ? r->body.data : "", r->body.len);
    if (outcome == DB_OK && !r->layout.conflict)
        return db->ops->commit(db);
    db->ops->rollback(db);
    return outcome;
}

/* ---- on the loop ---- */

static void answer(struct web_request *r, int64_t revision, const char *tiles, size_t n)
{
    struct buf defaults = BUF_INIT(LAYOUT_MAX);
    struct buf document = BUF_INIT(2 * LAYOUT_MAX);
    struct jsonw w = jsonw_start(&document);

    if (!n)
        layout_default(&defaults);
    jsonw_object(&w, NULL);
    jsonw_int(&w, "revision", revision);
    jsonw_raw(&w, "tiles", n ? tiles : defaults.data, n ? n : defaults.len);
    jsonw_end(&w);
    document.failed = document.failed || defaults.failed;
    (void)buf_printf(&r->headers, "ETag: \"%lld\"\r\n", (long long)revision);
    buf_free(&defaults);
    buf_free(&r->body);
    r->body = document;
    web_json(r, 200);
}

static bool went_well(struct web_request *r)
{
    took_add(&r->web->counts.statements[COUNT_LAYOUT], r->job.took_us);
    if (r->job.outcome == DB_OK)
        return true;
    web_fail_database(r, r->job.outcome);
    return false;
}

static void read_asked(struct web_request *r)
{
    const char *tiles = r->layout.document;

    if (went_well(r))
        answer(r, r->layout.revision, tiles, tiles ? strlen(tiles) : 0);
}

static void change_asked(struct web_request *r)
{
    struct problem p;
    struct note n;
    struct buf tiles = BUF_INIT(LAYOUT_MAX);

    if (!went_well(r))
        return;
    if (r->layout.conflict) {
        problem_set(&p, PROBLEM_CONFLICT, "the dashboard has revision %lld by now",
                    (long long)r->layout.revision);
        web_fail(r, &p);
        return;
    }
    note_begin(&n, r, "layout_saved");
    note_number(&n, "revision", r->layout.revision + 1);
    note_write(&n);
    buf_move(&tiles, &r->body);
    answer(r, r->layout.revision + 1, tiles.data, tiles.len);
    buf_free(&tiles);
}

void layout_get_start(struct web_request *r)
{
    r->ask = read_row;
    r->asked = read_asked;
    web_ask(r, r->web->pages, r->web->conf->reports.query_timeout_ms);
}

/* If-Match is required of a PUT: without it the last of two tabs would win. */
static bool read_match(struct web_request *r, bool required)
{
    const char *match = http_header(r->req, "If-Match");

    r->layout.expected = -1;
    if (!match && !required)
        return true;
    if (match && http_header_count(r->req, "If-Match") == 1 && layout_match(match, &r->layout.expected))
        return true;
    web_fail_with(r, PROBLEM_INVALID_REQUEST, "If-Match must be the revision that was read, as \"3\"");
    return false;
}

static void ask_change(struct web_request *r)
{
    r->ask = change;
    r->asked = change_asked;
    web_ask(r, r->web->layouts, r->web->conf->reports.query_timeout_ms);
}

void layout_put_start(struct web_request *r)
{
    const char *why;

    if (!read_match(r, true))
        return;
    why = layout_read(r->req->body, r->req->body_len, &r->body);
    if (why)
        web_fail_with(r, PROBLEM_INVALID_REQUEST, why);
    else
        ask_change(r);
}

void layout_delete_start(struct web_request *r)
{
    if (read_match(r, false))
        ask_change(r);
}
