/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_values.c - the values of records: from a row, and as they are written; see feed_internal.h.
 */
#include "reports/query/feed_internal.h"

#include <string.h>

void feed_cell_read(struct feed_batch *b, struct db *db, struct db_stmt *stmt, int n, bool text,
                    struct feed_cell *cell)
{
    *cell = (struct feed_cell){.null = db->ops->column_is_null(stmt, n), .at = b->texts.len};
    if (cell->null)
        return;
    if (!text) {
        cell->number = db->ops->column_int(stmt, n);
        return;
    }
    const char *bytes = db->ops->column_text(stmt, n, &cell->len);
    if (!bytes || buf_append(&b->texts, bytes, cell->len))
        *cell = (struct feed_cell){.null = true};
}

const struct feed_cell *feed_cell(const struct feed_batch *b, const struct feed_record *r, const char *column)
{
    static const struct feed_cell none = {.null = true};

    for (size_t i = 0; i < b->layout->ncolumns; i++)
        if (strcmp(b->layout->columns[i].name, column) == 0)
            return &r->cells[i];
    return &none;
}

const char *feed_text(const struct feed_batch *b, const struct feed_cell *cell, char *out, size_t size)
{
    if (cell->null)
        return NULL;
    const char *text = b->texts.data + cell->at;
    size_t n = cell->len < size ? cell->len : feed_fit(text, size - 1);

    memcpy(out, n ? text : "", n);
    out[n] = '\0';
    return out;
}

size_t feed_fit(const char *text, size_t max)
{
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80) /* within a letter */
        max--;
    return max;
}

const char *feed_bytes(const struct feed_batch *b, const struct feed_record *r, const struct feed_cell *cell,
                       size_t *len)
{
    const char *text = cell->len ? b->texts.data + cell->at : "";

    *len = r->shortened && cell->len > FEED_CUT ? feed_fit(text, FEED_CUT) : cell->len;
    return text;
}

/* What a shortened record leaves out is empty, so that a reader finds the same kinds of values. */
const char *feed_json(const struct feed_batch *b, const struct feed_record *r, size_t column, size_t *len)
{
    const struct feed_column *c = &b->layout->columns[column];
    const char *text = "{}";

    *len = 2;
    if (c->kind == FEED_PART && b->layout->source->parts[c->place].shape == SHAPE_ROWS)
        text = "[]";
    if (r->shortened)
        return text;
    if (c->kind == FEED_PART) {
        const struct buf *part = &r->parts[c->place];
        *len = part->len ? part->len : 2;
        return part->len ? part->data : text;
    }
    const struct feed_cell *cell = &r->cells[column];
    if (cell->null || !cell->len)
        return text;
    *len = cell->len;
    return b->texts.data + cell->at;
}
