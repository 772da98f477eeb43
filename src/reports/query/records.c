/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - one page of a grid, and its total.
 *
 * The page is read before the total, and one row more than it shows, so that it knows whether a further page
 * is there. Going back reads against the order and turns the rows round.
 */
#include "base/jsonw.h"
#include "reports/query/query_internal.h"
#include "reports/query/tiles.h"

#include <stdlib.h>

#define ROWS_MAX   200
#define PAGE_BYTES (8 * 1024 * 1024)

struct page {
    const struct query *q;
    struct buf rows; /* JSON objects, one behind the other */
    size_t ends[ROWS_MAX];
    size_t n;
    bool beyond; /* there is a row behind the last one that was read */
    struct record_arena texts;
    struct cursor first, last; /* as they were read */
};

static void write_columns(struct jsonw *w, const struct query *q)
{
    jsonw_array(w, "columns");
    for (size_t i = 0; i < q->ncolumns; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", q->columns[i]->name);
        jsonw_str(w, "title", q->columns[i]->title);
        jsonw_str(w, "type", value_type_names[q->columns[i]->type]);
        jsonw_end(w);
    }
    jsonw_end(w);
}

/* ---- reading ---- */

static enum query_outcome keep_row(struct page *page, struct scan *scan)
{
    struct jsonw w = jsonw_start(&page->rows);

    jsonw_object(&w, NULL);
    for (size_t i = 0; i < page->q->ncolumns; i++)
        value_json(&w, page->q->columns[i]->name, page->q->columns[i], page->q, scan->db, scan->stmt, (int)i,
                   true);
    jsonw_end(&w);
    if (page->rows.failed || (page->n == 0 && scan_position(scan, &page->texts, &page->first)) ||
        scan_position(scan, &page->texts, &page->last))
        return QUERY_NO_MEMORY;
    page->ends[page->n++] = page->rows.len;
    return QUERY_OK;
}

static enum query_outcome read_page(struct db *db, struct page *page)
{
    const struct query *q = page->q;
    struct scan scan;
    enum db_outcome step;
    enum query_outcome outcome = QUERY_OK;

    scan_open(&scan, db, q, q->after || q->before ? &q->cursor : NULL, q->descending != (bool)q->before,
              q->limit + 1);
    while (outcome == QUERY_OK && (step = scan_next(&scan)) != DB_OK) {
        if (step != DB_ROW)
            outcome = query_of(step);
        else if (page->n == (size_t)q->limit)
            page->beyond = true;
        else
            outcome = keep_row(page, &scan);
    }
    scan_close(&scan);
    return outcome;
}

/* ---- the total ---- */

static enum db_outcome count_rows(struct db *db, const struct query *q, int64_t *total)
{
    const struct window window = {q->from, q->to};
    struct sql sql = sql_start(db->dialect, q->ctx->now), where = sql_start(db->dialect, q->ctx->now);
    struct needs needs = {.parent = false};

    where_write(&where, q, &window, &needs);
    sql_str(&sql, "SELECT count(*)");
    from_write(&sql, q, &needs);
    sql_add(&sql, &where);
    enum db_outcome outcome = sql_number(db, &sql, total);
    sql_free(&where);
    sql_free(&sql);
    return outcome;
}

/* *total is -1 where counting takes too long. Tallies count what they can; they are exact. */
static enum query_outcome read_total(struct db *db, const struct query *q, int64_t *total)
{
    enum db_outcome outcome;

    if (db->ops->limit)
        db->ops->limit(db, QUERY_COUNT_MS);
    outcome = tally_can_count(q) ? tally_count(db, q, total) : count_rows(db, q, total);
    if (db->ops->limit)
        db->ops->limit(db, 0);
    if (outcome == DB_INTERRUPTED) {
        *total = -1;
        return QUERY_OK;
    }
    return query_of(outcome);
}

/* ---- writing ---- */

static void write_rows(struct jsonw *w, const struct page *page)
{
    bool back = page->q->before;

    jsonw_array(w, "rows");
    for (size_t i = 0; i < page->n; i++) {
        size_t at = back ? page->n - 1 - i : i, begin = at ? page->ends[at - 1] : 0;
        jsonw_raw(w, NULL, page->rows.data + begin, page->ends[at] - begin);
    }
    jsonw_end(w);
}

static int write_cursor(struct jsonw *w, const char *name, const struct query *q, const struct cursor *at)
{
    struct buf text = BUF_INIT(65536);
    int err = at ? cursor_write(q, at, &text) : 0;

    if (at)
        jsonw_strn(w, name, text.data, text.len);
    else
        jsonw_null(w, name);
    buf_free(&text);
    return err;
}

/* A page that begins behind a row has one before it, and the other way round. Without rows it stands where
 * its cursor does. */
static int write_cursors(struct jsonw *w, const struct page *page)
{
    const struct query *q = page->q;
    const struct cursor *first = page->n ? &page->first : &q->cursor,
                        *last = page->n ? &page->last : &q->cursor;
    const struct cursor *next, *previous;

    if (q->before) {
        next = first;
        previous = page->beyond ? last : NULL;
    } else {
        next = page->beyond ? last : NULL;
        previous = q->after ? first : NULL;
    }
    int err = write_cursor(w, "next", q, next);
    return err ? err : write_cursor(w, "previous", q, previous);
}

static enum query_outcome write_page(struct buf *json, const struct page *page, int64_t total)
{
    struct jsonw w = jsonw_start(json);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "dataset", page->q->dataset->name);
    write_columns(&w, page->q);
    write_rows(&w, page);
    jsonw_int_or_null(&w, "total", total, total < 0);
    int err = write_cursors(&w, page);
    jsonw_end(&w);
    return err || json->failed ? QUERY_NO_MEMORY : QUERY_OK;
}

enum query_outcome query_records(struct db *db, const struct query *q, struct buf *json,
                                 struct query_result *result)
{
    struct page *page = calloc(1, sizeof(*page));
    int64_t total = 0;

    if (!page)
        return QUERY_NO_MEMORY;
    page->q = q;
    page->rows = BUF_INIT(PAGE_BYTES);
    /* One moment for page and total. */
    enum query_outcome outcome = query_of(db->ops->begin(db, false));
    if (outcome == QUERY_OK)
        outcome = read_page(db, page);
    if (outcome == QUERY_OK)
        outcome = read_total(db, q, &total);
    db->ops->rollback(db);
    if (outcome == QUERY_OK)
        outcome = write_page(json, page, total);
    if (result)
        *result = (struct query_result){.rows = (int64_t)page->n};
    record_arena_free(&page->texts);
    buf_free(&page->rows);
    free(page);
    return outcome;
}

enum query_outcome query_columns(const char *dataset, struct buf *json)
{
    const struct dataset *d = dataset_named(dataset);
    struct jsonw w = jsonw_start(json);

    if (!d)
        return QUERY_NOT_FOUND;
    jsonw_object(&w, NULL);
    jsonw_array(&w, "columns");
    for (size_t i = 0; i < d->ncolumns; i++) {
        const struct dataset_column *c = &d->columns[i];
        jsonw_object(&w, NULL);
        jsonw_str(&w, "name", c->name);
        jsonw_str(&w, "title", c->title);
        jsonw_str(&w, "type", value_type_names[c->type]);
        jsonw_bool(&w, "sortable", c->flags & COL_SORT);
        jsonw_bool(&w, "filterable", true);
        jsonw_bool(&w, "default", c->flags & COL_SHOWN);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    return json->failed ? QUERY_NO_MEMORY : QUERY_OK;
}

bool query_dataset_exists(const char *dataset)
{
    return dataset_named(dataset);
}

bool query_zone_exists(const char *time_zone)
{
    return zone_exists(time_zone);
}
