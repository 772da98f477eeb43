/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_events.c - events of a session in the report's order, a page at a time.
 *
 * Events are read first and their data afterwards, since not every engine has two statements under way on one
 * connection. A page ends early when it grows beyond PAGE_BYTES: bodies and values may be long.
 */
#include "base/digest.h"
#include "base/jsonw.h"
#include "base/text.h"
#include "reports/query/session_find.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES   (2 * 1024 * 1024)
#define EVENTS_MAX   200
#define EVENTS_BYTES (PAGE_BYTES + 16 * 1024 * 1024) /* and the event that goes beyond, escaped */
#define DATA_MAX     500                             /* names and values of one event */
#define DIGEST_BYTES 16
#define CURSOR_BYTES (8 + DIGEST_BYTES)

/* clang-format off */
static const struct dataset_column columns[] = {
    {"timestamp", "", VALUE_TIME, 0, "t.\"timestamp_unix\""}, {"type", "", VALUE_TEXT, 0, "t.\"type\""},
    {"performed_by", "", VALUE_TEXT, 0, "t.\"performed_by\""},
    {"performed_by_type", "", VALUE_TEXT, 0, "t.\"performed_by_type\""},
    {"destination", "", VALUE_TEXT, 0, "t.\"destination\""},
    {"destination_type", "", VALUE_TEXT, 0, "t.\"destination_type\""},
    {"filename", "", VALUE_TEXT, 0, "t.\"filename\""}, {"filesize", "", VALUE_NUMBER, 0, "t.\"filesize\""},
    {"body", "", VALUE_TEXT, 0, "t.\"body\""},
};
/* clang-format on */
#define NCOLUMNS (sizeof(columns) / sizeof(*columns))

struct timeline {
    struct db *db;
    const struct query *q;
    struct record_arena texts;
    struct found_session session;
    struct buf events; /* JSON objects without their data */
    size_t ends[EVENTS_MAX], n;
    int64_t ids[EVENTS_MAX], positions[EVENTS_MAX];
    bool more;
};

/* ---- cursors: a position, with a digest of what it belongs to ---- */

static bool cursor_digest(const struct timeline *t, int64_t position, unsigned char digest[DIGEST_SIZE])
{
    struct buf bound = BUF_INIT(65536);

    (void)buf_printf(&bound, "%" PRId64 ",%s,%s,%s", position, t->session.host_name, t->session.lsid,
                     t->q->type ? t->q->type : "*");
    bool done = !bound.failed && digest_sha256(bound.data, bound.len, digest) == 0;
    buf_free(&bound);
    return done;
}

static bool write_cursor(const struct timeline *t, int64_t position, char hex[2 * CURSOR_BYTES + 1])
{
    unsigned char bytes[CURSOR_BYTES], digest[DIGEST_SIZE];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)position >> (56 - 8 * i));
    if (!cursor_digest(t, position, digest))
        return false;
    memcpy(bytes + 8, digest, DIGEST_BYTES);
    text_hex(hex, bytes, sizeof(bytes));
    return true;
}

static bool read_cursor(const struct timeline *t, const char *text, int64_t *position)
{
    unsigned char bytes[CURSOR_BYTES], digest[DIGEST_SIZE];
    uint64_t number = 0;

    if (strlen(text) != 2 * sizeof(bytes) || !text_unhex(bytes, sizeof(bytes), text))
        return false;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    *position = (int64_t)number;
    return cursor_digest(t, *position, digest) && memcmp(digest, bytes + 8, DIGEST_BYTES) == 0;
}

/* ---- reading events ---- */

static void write_statement(struct sql *sql, const struct timeline *t, int64_t behind)
{
    struct text_list types = {.empty = false};
    const char *type = t->q->type;

    sql_str(sql, "SELECT t.\"id\", t.\"position\"");
    for (size_t i = 0; i < NCOLUMNS; i++) {
        sql_str(sql, ", ");
        sql_str(sql, columns[i].expression);
    }
    sql_str(sql, " FROM \"session_event\" t WHERE t.\"session_id\" = ");
    sql_int(sql, t->session.id);
    sql_str(sql, " AND t.\"position\" > ");
    sql_int(sql, behind);
    if (type) {
        types = (struct text_list){.texts = &type, .n = *type ? 1 : 0, .empty = !*type};
        sql_str(sql, " AND ");
        where_list(sql, "t.\"type\"", &types, false);
    }
    sql_str(sql, " ORDER BY t.\"position\"");
    sql_limit(sql, t->q->limit + 1);
}

static void keep_event(struct timeline *t, struct db_stmt *stmt)
{
    struct jsonw w = jsonw_start(&t->events);

    t->ids[t->n] = t->db->ops->column_int(stmt, 0);
    t->positions[t->n] = t->db->ops->column_int(stmt, 1);
    jsonw_object(&w, NULL);
    for (size_t i = 0; i < NCOLUMNS; i++)
        value_json(&w, columns[i].name, &columns[i], t->q, t->db, stmt, 2 + (int)i, false);
    jsonw_end(&w);
    t->ends[t->n++] = t->events.len;
}

static enum db_outcome read_events(struct timeline *t, int64_t behind)
{
    struct sql sql = sql_start(t->db->dialect, t->q->ctx->now);
    struct db_stmt *stmt;

    write_statement(&sql, t, behind);
    enum db_outcome outcome = sql_prepare(t->db, &sql, &stmt);
    if (outcome == DB_OK) {
        while ((outcome = t->db->ops->step(stmt)) == DB_ROW && !t->more && !t->events.failed) {
            if (t->n == (size_t)t->q->limit || (t->n && t->events.len >= PAGE_BYTES))
                t->more = true;
            else
                keep_event(t, stmt);
        }
        t->db->ops->finalize(stmt);
    }
    sql_free(&sql);
    if (t->events.failed)
        return db_fail(t->db, DB_NO_MEMORY, 0, "out of memory");
    return outcome == DB_ROW ? DB_OK : outcome;
}

/* ---- their data ---- */

/* A name that stands twice gets a number, so that the object has each member once. */
static const char *own_name(struct record_arena *arena, const char **names, size_t n, const char *name)
{
    char numbered[320];

    for (int number = 1; number <= (int)n + 1; number++) {
        size_t i = 0;
        (void)snprintf(numbered, sizeof(numbered), number > 1 ? "%.256s (%d)" : "%.256s", name, number);
        while (i < n && strcmp(names[i], numbered) != 0)
            i++;
        if (i == n)
            break;
    }
    return names[n] = record_text(arena, numbered, strlen(numbered));
}

static enum db_outcome write_data(struct timeline *t, struct jsonw *w, int64_t event_id)
{
    const struct db_ops *ops = t->db->ops;
    struct sql sql = sql_start(t->db->dialect, t->q->ctx->now);
    const char *names[DATA_MAX];
    size_t n = 0;
    struct db_stmt *stmt;

    sql_str(&sql, "SELECT \"name\", \"value\" FROM \"session_event_data\" WHERE \"session_event_id\" = ");
    sql_int(&sql, event_id);
    sql_str(&sql, " ORDER BY \"id\"");
    sql_limit(&sql, DATA_MAX);
    enum db_outcome outcome = sql_prepare(t->db, &sql, &stmt);
    jsonw_object(w, NULL);
    if (outcome == DB_OK) {
        while ((outcome = ops->step(stmt)) == DB_ROW && n < DATA_MAX) {
            const char *name = ops->column_text(stmt, 0, NULL);
            name = own_name(&t->texts, names, n, name ? name : "");
            if (!name)
                break;
            n++;
            jsonw_str(w, name, ops->column_text(stmt, 1, NULL));
        }
        ops->finalize(stmt);
    }
    jsonw_end(w);
    sql_free(&sql);
    return outcome == DB_ROW && n < DATA_MAX ? db_fail(t->db, DB_NO_MEMORY, 0, "out of memory")
           : outcome == DB_ROW               ? DB_OK
                                             : outcome;
}

/* An event with its data goes into the object that was kept of it, before its bracket. */
static enum db_outcome write_event(struct timeline *t, size_t i, struct buf *whole)
{
    size_t begin = i ? t->ends[i - 1] : 0;

    buf_clear(whole);
    (void)buf_append(whole, t->events.data + begin, t->ends[i] - begin - 1);
    (void)buf_str(whole, ",\"data\":");
    struct jsonw w = jsonw_start(whole);
    enum db_outcome outcome = write_data(t, &w, t->ids[i]);
    (void)buf_char(whole, '}');
    return outcome == DB_OK && whole->failed ? db_fail(t->db, DB_NO_MEMORY, 0, "out of memory") : outcome;
}

static enum db_outcome write_events(struct timeline *t, struct buf *json)
{
    struct jsonw w = jsonw_start(json);
    struct buf whole = BUF_INIT(DATA_MAX * 1024UL * 1024 + EVENTS_BYTES);
    char next[2 * CURSOR_BYTES + 1];
    enum db_outcome outcome = DB_OK;
    size_t before = json->len, i = 0;

    jsonw_object(&w, NULL);
    jsonw_array(&w, "events");
    for (; outcome == DB_OK && i < t->n && (i == 0 || json->len - before < PAGE_BYTES); i++) {
        outcome = write_event(t, i, &whole);
        if (outcome == DB_OK)
            jsonw_raw(&w, NULL, whole.data, whole.len);
    }
    jsonw_end(&w);
    bool more = t->more || i < t->n;
    if (outcome == DB_OK && more && !write_cursor(t, t->positions[i - 1], next))
        outcome = db_fail(t->db, DB_NO_MEMORY, 0, "out of memory");
    jsonw_str(&w, "next", more ? next : NULL);
    jsonw_end(&w);
    t->n = i;
    buf_free(&whole);
    return outcome;
}

static enum query_outcome answer(struct timeline *t, const char *host_name, const char *lsid,
                                 struct buf *json)
{
    int64_t behind = -1;
    enum query_outcome outcome = session_find(t->db, t->q, host_name, lsid, &t->texts, &t->session);

    if (outcome != QUERY_OK)
        return outcome;
    if (t->q->after && !read_cursor(t, t->q->after, &behind))
        return QUERY_INVALID_CURSOR;
    outcome = query_of(read_events(t, behind));
    return outcome == QUERY_OK ? query_of(write_events(t, json)) : outcome;
}

enum query_outcome query_session_events(struct db *db, const struct query *q, const char *host_name,
                                        const char *lsid, struct buf *json, struct query_result *result)
{
    struct timeline *t = calloc(1, sizeof(*t));

    if (!t)
        return QUERY_NO_MEMORY;
    t->db = db;
    t->q = q;
    t->events = BUF_INIT(EVENTS_BYTES);
    enum query_outcome outcome = query_of(db->ops->begin(db, false));
    if (outcome == QUERY_OK)
        outcome = answer(t, host_name, lsid, json);
    db->ops->rollback(db);
    if (result)
        *result = (struct query_result){.rows = (int64_t)t->n};
    record_arena_free(&t->texts);
    buf_free(&t->events);
    free(t);
    return outcome == QUERY_OK && json->failed ? QUERY_NO_MEMORY : outcome;
}
