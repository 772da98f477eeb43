/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_parts.c - what belongs to the records of a batch: people, attributes, counts and data of events, each
 * as one JSON text for each record; see feed_internal.h.
 *
 * A statement per kind reads the rows of all records of the batch. Names of data are the site's, so they are
 * escaped here.
 */
#include "reports/query/feed_internal.h"

#include "base/jsonw.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 1024 /* of a name of data: 256 letters */

/* Rows of people that ocsf has a place for. */
static const struct {
    const char *table, *column;
    enum feed_person person;
    bool text;
} person_columns[] = {
    {"representative", "username", SRC_USERNAME, true}, {"representative", "display_name", SRC_NAME, true},
    {"representative", "rep_id", SRC_ID, false},        {"representative", "public_ip", SRC_IP, true},
    {"representative", "hostname", SRC_HOST, true},     {"customer", "private_ip", DST_IP, true},
    {"customer", "hostname", DST_HOST, true},
};

struct reading { /* of one kind */
    struct feed_batch *batch;
    struct db *db;
    struct db_stmt *stmt;
    const struct feed_part *part;
    size_t number; /* of the part */
    const struct schema_column *columns[32];
    size_t ncolumns;
    struct feed_record *record;    /* of the row before; NULL */
    char name[NAME_MAX_BYTES + 1]; /* of pairs: the row before */
    unsigned same;                 /* rows with this name */
};

static void choose_columns(struct reading *r)
{
    const struct schema_table *t = schema_table(r->part->table);

    if (r->part->shape == SHAPE_COUNTS)
        return;
    for (size_t i = 0; i < t->ncolumns; i++) {
        const struct schema_column *c = &t->columns[i];

        if (c->kind == COLUMN_ID || c->kind == COLUMN_TIME || strcmp(c->name, "session_id") == 0 ||
            strcmp(c->name, "session_event_id") == 0 || feed_is_url(c->name))
            continue;
        if (r->ncolumns < sizeof(r->columns) / sizeof(*r->columns))
            r->columns[r->ncolumns++] = c;
    }
}

/* The same rows once more by a column that has an index; records of one value come together. */
static void write_indexed(const struct reading *r, struct sql *sql)
{
    int64_t before = INT64_MIN;

    (void)buf_printf(&sql->text, ") AND \"%s\" IN (", r->part->indexed);
    for (size_t i = 0; i < r->batch->n; i++) {
        int64_t value = feed_cell(r->batch, &r->batch->records[i], r->part->indexed)->number;

        if (value == before)
            continue;
        sql_str(sql, i ? ", " : "");
        sql_int(sql, value);
        before = value;
    }
}

static void write_select(struct reading *r, struct sql *sql)
{
    const struct feed_part *p = r->part;

    (void)buf_printf(&sql->text, "SELECT \"%s\"", p->key);
    if (p->shape == SHAPE_COUNTS)
        sql_str(sql, ", \"type\", count(*)");
    for (size_t i = 0; i < r->ncolumns; i++)
        (void)buf_printf(&sql->text, ", \"%s\"", r->columns[i]->name);
    (void)buf_printf(&sql->text, " FROM \"%s\" WHERE \"%s\" IN (", p->table, p->key);
    for (size_t i = 0; i < r->batch->n; i++) {
        sql_str(sql, i ? ", " : "");
        sql_int(sql, r->batch->records[i].id);
    }
    if (p->indexed)
        write_indexed(r, sql);
    if (p->shape == SHAPE_COUNTS)
        (void)buf_printf(&sql->text, ") GROUP BY \"%s\", \"type\" ORDER BY \"%s\", \"type\"", p->key, p->key);
    else
        (void)buf_printf(&sql->text, ") ORDER BY \"%s\"%s, \"id\"", p->key,
                         p->shape == SHAPE_PAIRS ? ", \"name\"" : "");
}

/* The row's record. Rows of one come together; NULL: a session that came in between, where a statement sees
 * newer rows than the one before. */
static struct feed_record *find_record(const struct reading *r, int64_t id)
{
    for (size_t i = 0; i < r->batch->n; i++)
        if (r->batch->records[i].id == id)
            return &r->batch->records[i];
    return NULL;
}

/* ---- one row ---- */

static void note_persons(const struct reading *r, struct feed_record *record)
{
    bool owner = true;

    for (size_t i = 0; i < r->ncolumns; i++)
        if (strcmp(r->columns[i]->name, "session_owner") == 0)
            owner = r->db->ops->column_int(r->stmt, (int)i + 1) != 0;
    for (size_t p = 0; owner && p < sizeof(person_columns) / sizeof(*person_columns); p++) {
        if (strcmp(person_columns[p].table, r->part->table) != 0)
            continue;
        for (size_t i = 0; i < r->ncolumns; i++) {
            struct feed_cell *cell = &record->persons[person_columns[p].person];

            if (cell->null && strcmp(r->columns[i]->name, person_columns[p].column) == 0)
                feed_cell_read(r->batch, r->db, r->stmt, (int)i + 1, person_columns[p].text, cell);
        }
    }
}

static void write_value(struct jsonw *w, const char *name, struct reading *r, int n, enum column_kind kind)
{
    size_t len = 0;

    if (r->db->ops->column_is_null(r->stmt, n)) {
        jsonw_null(w, name);
    } else if (kind == COLUMN_TEXT) {
        const char *text = r->db->ops->column_text(r->stmt, n, &len);
        jsonw_strn(w, name, text ? text : "", len);
    } else if (kind == COLUMN_BOOL) {
        jsonw_bool(w, name, r->db->ops->column_int(r->stmt, n) != 0);
    } else {
        jsonw_int(w, name, r->db->ops->column_int(r->stmt, n));
    }
}

static void write_object(struct reading *r, struct buf *out)
{
    struct jsonw w = jsonw_start(out);

    jsonw_object(&w, NULL);
    for (size_t i = 0; i < r->ncolumns; i++)
        write_value(&w, r->columns[i]->name, r, (int)i + 1, r->columns[i]->kind);
    jsonw_end(&w);
}

/* The name of a member: of equal names the second is name.2, and so on. */
static void write_name(struct reading *r, struct buf *out, bool first)
{
    size_t len = 0;
    const char *name = r->db->ops->column_text(r->stmt, 1, &len);
    char text[sizeof(r->name)];

    len = name && len > sizeof(text) - 1 ? feed_fit(name, sizeof(text) - 1) : len;
    memcpy(text, name ? name : "", len);
    text[len] = '\0';
    r->same = !first && strcmp(text, r->name) == 0 ? r->same + 1 : 1;
    memcpy(r->name, text, len + 1);
    (void)buf_char(out, '"');
    jsonw_escape(out, text, len);
    if (r->same > 1)
        (void)buf_printf(out, ".%u", r->same);
    (void)buf_str(out, "\":");
}

static void write_row(struct reading *r, struct feed_record *record)
{
    struct buf *out = &record->parts[r->number];
    bool first = out->len == 0, rows = r->part->shape == SHAPE_ROWS;
    struct jsonw value;

    (void)buf_char(out, !first ? ',' : rows ? '[' : '{');
    if (rows) {
        write_object(r, out);
        note_persons(r, record);
        return;
    }
    write_name(r, out, first);
    value = jsonw_start(out);
    write_value(&value, NULL, r, 2, r->part->shape == SHAPE_COUNTS ? COLUMN_INT : COLUMN_TEXT);
}

/* ---- all rows ---- */

static enum db_outcome read_rows(struct reading *r, bool *over)
{
    enum db_outcome outcome;

    while ((outcome = r->db->ops->step(r->stmt)) == DB_ROW) {
        int64_t id = r->db->ops->column_int(r->stmt, 0);
        struct feed_record *record = r->record && r->record->id == id ? r->record : find_record(r, id);

        r->record = record;
        if (!record)
            continue;
        struct buf *out = &record->parts[r->number];
        size_t before = out->len;
        write_row(r, record);
        r->batch->parts_sum += out->len - before;
        if (out->failed || r->batch->texts.failed || r->batch->parts_sum > FEED_PARTS_SUM) {
            *over = true;
            return DB_OK;
        }
    }
    return outcome;
}

static enum db_outcome read_part(struct feed_batch *b, struct db *db, size_t number, bool *over)
{
    struct reading r = {.batch = b, .db = db, .part = &b->layout->source->parts[number], .number = number};
    struct sql sql = sql_start(db->dialect, 0);

    for (size_t i = 0; i < b->n; i++)
        b->records[i].parts[number] = BUF_INIT(FEED_PART_MAX);
    choose_columns(&r);
    write_select(&r, &sql);
    enum db_outcome outcome = sql_prepare(db, &sql, &r.stmt);
    if (outcome == DB_OK)
        outcome = read_rows(&r, over);
    db->ops->finalize(r.stmt);
    sql_free(&sql);
    for (size_t i = 0; i < b->n; i++) {
        struct buf *out = &b->records[i].parts[number];
        if (out->len)
            (void)buf_char(out, r.part->shape == SHAPE_ROWS ? ']' : '}');
        *over |= out->failed;
    }
    return outcome;
}

enum db_outcome feed_parts_read(struct feed_batch *b, struct db *db, bool *over)
{
    enum db_outcome outcome = DB_OK;

    *over = false;
    for (size_t i = 0; outcome == DB_OK && !*over && i < b->layout->source->nparts; i++)
        outcome = read_part(b, db, i, over);
    return outcome;
}
