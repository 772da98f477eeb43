/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - the whole filtered set of a grid, a piece at a time, out of one read transaction.
 */
#include "base/jsonw.h"
#include "reports/query/query_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct query_export {
    const struct query *q;
    enum query_format format;
    struct scan scan;
    int64_t rows;
    bool begun, ended;
};

enum query_outcome query_export_open(struct db *db, const struct query *q, enum query_format format,
                                     struct query_export **export)
{
    struct query_export *x = calloc(1, sizeof(*x));

    *export = NULL;
    if (!x)
        return QUERY_NO_MEMORY;
    enum query_outcome outcome = query_of(db->ops->begin(db, false));
    if (outcome != QUERY_OK) {
        free(x);
        return outcome;
    }
    x->q = q;
    x->format = format;
    scan_open(&x->scan, db, q, NULL, q->descending, INT64_MAX);
    *export = x;
    return QUERY_OK;
}

void query_export_close(struct query_export *x)
{
    if (!x)
        return;
    scan_close(&x->scan);
    x->scan.db->ops->rollback(x->scan.db);
    free(x);
}

static void write_header(const struct query *q, struct buf *piece)
{
    if (q->bom)
        (void)buf_str(piece, "\xef\xbb\xbf");
    for (size_t i = 0; i < q->ncolumns; i++) {
        (void)buf_str(piece, i ? "," : "");
        (void)buf_str(piece, q->columns[i]->name);
    }
    (void)buf_str(piece, "\r\n");
}

static void write_csv(const struct query_export *x, struct buf *piece)
{
    const struct query *q = x->q;

    size_t before = piece->len;

    for (size_t i = 0; i < q->ncolumns; i++) {
        (void)buf_str(piece, i ? "," : "");
        value_csv(piece, q->columns[i], q, x->scan.db, x->scan.stmt, (int)i);
    }
    /* An empty line is no record for every reader. */
    (void)buf_str(piece, piece->len == before ? "\"\"\r\n" : "\r\n");
}

static void write_ndjson(const struct query_export *x, struct buf *piece)
{
    const struct query *q = x->q;
    struct jsonw w = jsonw_start(piece);

    jsonw_object(&w, NULL);
    for (size_t i = 0; i < q->ncolumns; i++)
        value_json(&w, q->columns[i]->name, q->columns[i], q, x->scan.db, x->scan.stmt, (int)i, false);
    jsonw_end(&w);
    (void)buf_char(piece, '\n');
}

enum query_outcome query_export_next(struct query_export *x, struct buf *piece, bool *more)
{
    size_t before = piece->len;

    if (!x->begun && x->format == QUERY_CSV)
        write_header(x->q, piece);
    x->begun = true;
    while (!x->ended && piece->len - before < QUERY_PIECE) {
        enum db_outcome outcome = scan_next(&x->scan);
        if (outcome == DB_ROW && x->format == QUERY_CSV)
            write_csv(x, piece);
        else if (outcome == DB_ROW)
            write_ndjson(x, piece);
        else if (outcome != DB_OK)
            return query_of(outcome);
        x->rows += outcome == DB_ROW;
        x->ended = outcome == DB_OK;
        if (piece->failed)
            return QUERY_NO_MEMORY;
    }
    *more = !x->ended;
    return QUERY_OK;
}

int64_t query_export_rows(const struct query_export *x)
{
    return x->rows;
}

void query_export_name(const struct query *q, enum query_format format, char name[64])
{
    time_t now = (time_t)q->ctx->now;
    struct tm tm = {0};
    char time[24];

    (void)gmtime_r(&now, &tm);
    if (!strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm))
        time[0] = '\0';
    (void)snprintf(name, 64, "%s-%s.%s", q->dataset->name, time, format == QUERY_CSV ? "csv" : "ndjson");
}
