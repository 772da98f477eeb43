/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.c - one value of a row as JSON, or as a field of CSV (RFC 4180).
 *
 * A spreadsheet takes a text that begins like a formula for one, so such a text gets an apostrophe before it;
 * numbers and times are no texts and stay as they are.
 */
#include "base/jsonw.h"
#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/query_internal.h"

#include <inttypes.h>
#include <stdio.h>

void json_time(struct jsonw *w, const char *name, const struct query *q, int64_t when)
{
    char text[ZONE_TEXT_SIZE];

    jsonw_str(w, name, when == QUERY_NONE ? NULL : zone_text(q->zone, when, text));
}

/* Bytes of the first CELL_MAX letters. */
static size_t cell_length(const char *text, size_t len)
{
    size_t at = 0, letters = 0;

    while (at < len && letters < CELL_MAX) {
        uint32_t letter;
        at += utf8_letter(text + at, len - at, &letter);
        letters++;
    }
    return at;
}

static void json_text(struct jsonw *w, const char *name, const char *text, size_t len, bool cut)
{
    char cell[4 * CELL_MAX + 4];
    size_t fits = cut && len > CELL_MAX ? cell_length(text, len) : len;

    if (fits == len) {
        jsonw_strn(w, name, text, len);
        return;
    }
    int n = snprintf(cell, sizeof(cell), "%.*s\u2026", (int)fits, text);
    jsonw_strn(w, name, cell, (size_t)n);
}

void value_json(struct jsonw *w, const char *name, const struct dataset_column *column, const struct query *q,
                const struct db *db, struct db_stmt *stmt, int n, bool cut)
{
    size_t len;

    if (db->ops->column_is_null(stmt, n)) {
        jsonw_null(w, name);
    } else if (column->type == VALUE_TEXT) {
        const char *text = db->ops->column_text(stmt, n, &len);
        json_text(w, name, text ? text : "", text ? len : 0, cut);
    } else if (column->type == VALUE_TIME) {
        json_time(w, name, q, db->ops->column_int(stmt, n));
    } else if (column->type == VALUE_BOOL) {
        jsonw_bool(w, name, db->ops->column_int(stmt, n) != 0);
    } else {
        jsonw_int(w, name, db->ops->column_int(stmt, n));
    }
}

/* ---- CSV ---- */

static bool begins_like_formula(const char *text, size_t len)
{
    static const char *const full_width[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};

    if (len && strchr("=+-@\t\r\n", *text))
        return true;
    for (size_t i = 0; i < sizeof(full_width) / sizeof(*full_width); i++)
        if (len >= 3 && memcmp(text, full_width[i], 3) == 0)
            return true;
    return false;
}

void csv_text(struct buf *out, const char *text, size_t len)
{
    bool guard = begins_like_formula(text, len);
    bool quote = guard;

    for (size_t i = 0; i < len && !quote; i++)
        quote = strchr(",\"\r\n", text[i]);
    if (!quote) {
        (void)buf_append(out, text, len);
        return;
    }
    (void)buf_str(out, guard ? "\"'" : "\"");
    while (len) {
        const char *mark = memchr(text, '"', len);
        size_t n = mark ? (size_t)(mark - text) + 1 : len;
        (void)buf_append(out, text, n);
        if (mark)
            (void)buf_char(out, '"');
        text += n;
        len -= n;
    }
    (void)buf_char(out, '"');
}

static void csv_number(struct buf *out, int64_t number)
{
    char text[24], *end;
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    end = text_digits(text, size, 1);
    if (number < 0)
        (void)buf_char(out, '-');
    (void)buf_append(out, text, (size_t)(end - text));
}

void value_csv(struct buf *out, const struct dataset_column *column, const struct query *q,
               const struct db *db, struct db_stmt *stmt, int n)
{
    char time[ZONE_TEXT_SIZE];
    size_t len;

    if (db->ops->column_is_null(stmt, n))
        return;
    if (column->type == VALUE_TEXT) {
        const char *text = db->ops->column_text(stmt, n, &len);
        csv_text(out, text ? text : "", text ? len : 0);
    } else if (column->type == VALUE_TIME) {
        (void)buf_str(out, zone_text(q->zone, db->ops->column_int(stmt, n), time));
    } else if (column->type == VALUE_BOOL) {
        (void)buf_str(out, db->ops->column_int(stmt, n) ? "true" : "false");
    } else {
        csv_number(out, db->ops->column_int(stmt, n));
    }
}
