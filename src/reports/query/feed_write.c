/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_write.c - a record as a line of JSON or of CSV; see feed_internal.h.
 */
#include "reports/query/feed_internal.h"

#include "base/clock.h"
#include "base/jsonw.h"
#include "reports/query/query_internal.h"

#include <inttypes.h>
#include <string.h>

void feed_write_column(struct jsonw *w, const struct feed_batch *b, const struct feed_record *r,
                       size_t column)
{
    const struct feed_column *c = &b->layout->columns[column];
    const struct feed_cell *cell = &r->cells[column];
    char time[CLOCK_RFC3339_SIZE];
    size_t len;
    const char *text;

    if (c->kind == FEED_PART || c->kind == FEED_JSON) {
        text = feed_json(b, r, column, &len);
        jsonw_raw(w, c->name, text, len);
        return;
    }
    if (cell->null) {
        jsonw_null(w, c->name);
        return;
    }
    switch (c->kind) {
    case FEED_BOOL: jsonw_bool(w, c->name, cell->number != 0); break;
    case FEED_TIME: jsonw_str(w, c->name, clock_rfc3339(cell->number * 1000, time)); break;
    case FEED_TEXT:
        text = feed_bytes(b, r, cell, &len);
        jsonw_strn(w, c->name, text, len);
        break;
    default: jsonw_int(w, c->name, cell->number);
    }
}

void feed_write_ndjson(const struct feed_batch *b, const struct feed_record *r, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    for (size_t i = 0; i < b->layout->ncolumns; i++)
        feed_write_column(&w, b, r, i);
    if (r->shortened)
        jsonw_bool(&w, "shortened", true);
    jsonw_end(&w);
    (void)buf_char(out, '\n');
}

/* ---- CSV ---- */

static void write_cell(const struct feed_batch *b, const struct feed_record *r, size_t column,
                       struct buf *out)
{
    const struct feed_column *c = &b->layout->columns[column];
    const struct feed_cell *cell = &r->cells[column];
    char time[CLOCK_RFC3339_SIZE];
    size_t len;
    const char *text;

    if (c->kind == FEED_PART || c->kind == FEED_JSON) {
        text = feed_json(b, r, column, &len);
        csv_text(out, text, len);
        return;
    }
    if (cell->null)
        return;
    switch (c->kind) {
    case FEED_BOOL: (void)buf_str(out, cell->number ? "true" : "false"); break;
    case FEED_TIME: (void)buf_str(out, clock_rfc3339(cell->number * 1000, time)); break;
    case FEED_TEXT:
        text = feed_bytes(b, r, cell, &len);
        csv_text(out, text, len);
        break;
    default: (void)buf_printf(out, "%" PRId64, cell->number);
    }
}

void feed_write_csv(const struct feed_batch *b, const struct feed_record *r, struct buf *out)
{
    for (size_t i = 0; i < b->layout->ncolumns; i++) {
        if (i)
            (void)buf_char(out, ',');
        write_cell(b, r, i, out);
    }
    (void)buf_str(out, r->shortened ? ",true\r\n" : ",false\r\n");
}

void feed_write_csv_header(const struct feed_layout *l, struct buf *out)
{
    for (size_t i = 0; i < l->ncolumns; i++)
        (void)buf_printf(out, "%s,", l->columns[i].name);
    (void)buf_str(out, "shortened\r\n");
}
