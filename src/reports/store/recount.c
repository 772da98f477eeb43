/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recount.c - tallies from stored rows: of one session, that is taken out or put back, and of all by SQL.
 *
 * The recount counts in SQL what tally.c counts in C, each in its own way, so that each checks the other.
 * A row of recounts[] is one dimension: its source, its label, which rows count. The recount of a dimension
 * and grain is one SELECT, written into jg_tally or compared with it by EXCEPT.
 */
#include "reports/store/store_internal.h"

#include <stdio.h>

/* ---- one session ---- */

static const char *copy(struct report_store *s, struct db_stmt *stmt, int n, struct record_arena *texts,
                        bool *failed)
{
    size_t len;
    const char *text = s->db->ops->column_text(stmt, n, &len);

    if (!text)
        return NULL;
    text = record_text(texts, text, len);
    *failed |= !text;
    return text;
}

enum db_outcome read_counted(struct report_store *s, int64_t session_id, struct record_arena *texts,
                             struct counted *c)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"host_name\", \"jump_group_name\", \"jumpoint_name\", \"jump_item_type\", \"user_name\", "
           "\"endpoint_name\", \"start_unix\", \"duration_seconds\", \"state\", \"outside_hours\" FROM "
           "\"session\" WHERE \"id\" = ?");
    bool failed = false;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, session_id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    if (outcome == DB_ROW) {
        enum store_state state = store_state_named(get_text(s, stmt, 8));
        *c = (struct counted){.host_name = copy(s, stmt, 0, texts, &failed),
                              .jump_group_name = copy(s, stmt, 1, texts, &failed),
                              .jumpoint_name = copy(s, stmt, 2, texts, &failed),
                              .jump_item_type = copy(s, stmt, 3, texts, &failed),
                              .user_name = copy(s, stmt, 4, texts, &failed),
                              .endpoint_name = copy(s, stmt, 5, texts, &failed),
                              .start = get_int(s, stmt, 6),
                              .duration_seconds = get_int(s, stmt, 7),
                              .closed = state == STORE_CLOSED,
                              .abnormal = state == STORE_ABNORMAL,
                              .outside_hours = s->db->ops->column_int(stmt, 9) != 0};
    }
    s->db->ops->reset(stmt);
    return failed ? store_fail(s, DB_NO_MEMORY, "out of memory") : outcome;
}

static enum db_outcome count_failed_event(struct report_store *s, const struct counted *c, const char *type,
                                          int64_t when, int64_t event_id, int sign)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"value\" FROM \"session_event_data\" WHERE \"session_event_id\" = ? AND " NO_INDEX(
               "\"name\"") " = 'failure_reason' ORDER BY \"id\"");

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, event_id);
    enum db_outcome outcome = s->db->ops->step(stmt);
    const char *reason = outcome == DB_ROW ? get_text(s, stmt, 0) : NULL;
    int err = 0;
    if (outcome == DB_ROW || outcome == DB_OK)
        err = tally_event(&s->tally, c, type, when, reason ? reason : "", sign);
    s->db->ops->reset(stmt);
    if (err)
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome count_events(struct report_store *s, const struct counted *c, int64_t session_id,
                                    int sign)
{
    struct db_stmt *stmt = store_stmt(
        s, "SELECT \"type\", \"timestamp_unix\", \"id\" FROM \"session_event\" WHERE \"session_id\" = ?");
    enum db_outcome outcome, counted = DB_OK;

    if (!stmt)
        return store_failed(s);
    put_int(s, stmt, 1, session_id);
    while (counted == DB_OK && (outcome = s->db->ops->step(stmt)) == DB_ROW) {
        const char *type = get_text(s, stmt, 0);
        int64_t when = get_int(s, stmt, 1), id = get_int(s, stmt, 2);

        if (type && strcmp(type, EVENT_INJECTION_FAILED) == 0)
            counted = count_failed_event(s, c, type, when, id, sign);
        else if (tally_event(&s->tally, c, type, when, NULL, sign))
            counted = store_fail(s, DB_NO_MEMORY, "out of memory");
    }
    s->db->ops->reset(stmt);
    return counted == DB_OK ? outcome : counted;
}

enum db_outcome tally_stored(struct report_store *s, int64_t session_id, int sign)
{
    struct record_arena texts = {0};
    struct counted c;
    enum db_outcome outcome = read_counted(s, session_id, &texts, &c);

    if (outcome == DB_ROW) {
        outcome = tally_session(&s->tally, &c, sign) ? store_fail(s, DB_NO_MEMORY, "out of memory") : DB_OK;
        if (outcome == DB_OK)
            outcome = count_events(s, &c, session_id, sign);
    }
    record_arena_free(&texts);
    return outcome;
}

/* ---- all, by SQL ---- */

#define OF_SESSION "\"session\" s"
#define OF_EVENT   "\"session_event\" e JOIN \"session\" s ON s.\"id\" = e.\"session_id\""
#define OF_REASON                                                                                            \
    OF_EVENT " LEFT JOIN \"session_event_data\" d ON d.\"id\" = (SELECT min(f.\"id\") FROM "                 \
             "\"session_event_data\" f WHERE f.\"session_event_id\" = e.\"id\" AND f.\"name\" = "            \
             "'failure_reason')"
#define DURATION_LABEL                                                                                       \
    "CASE WHEN s.\"duration_seconds\" < 60 THEN '0' WHEN s.\"duration_seconds\" < 300 THEN '60' WHEN "       \
    "s.\"duration_seconds\" < 900 THEN '300' WHEN s.\"duration_seconds\" < 3600 THEN '900' WHEN "            \
    "s.\"duration_seconds\" < 14400 THEN '3600' WHEN s.\"duration_seconds\" < 28800 THEN '14400' ELSE "      \
    "'28800' END"
#define IS_FAILED " WHERE e.\"type\" = '" EVENT_INJECTION_FAILED "'"

static const struct recount {
    enum tally_dim dim;
    const char *from, *label, *where;
    bool of_events;
} recounts[] = {
    {DIM_ALL, OF_SESSION, "''", "", false},
    {DIM_JUMPOINT, OF_SESSION, "coalesce(s.\"jumpoint_name\", '')", "", false},
    {DIM_TYPE, OF_SESSION, "s.\"jump_item_type\"", "", false},
    {DIM_DURATION, OF_SESSION, DURATION_LABEL,
     " WHERE s.\"state\" = 'closed' AND s.\"duration_seconds\" IS NOT NULL", false},
    {DIM_OUTSIDE, OF_SESSION, "coalesce(s.\"user_name\", '')", " WHERE s.\"outside_hours\" = 1", false},
    {DIM_ABNORMAL, OF_SESSION, "''", " WHERE s.\"state\" = 'abnormal'", false},
    {DIM_USER, OF_SESSION, "coalesce(s.\"user_name\", '')", "", false},
    {DIM_ENDPOINT, OF_SESSION, "coalesce(s.\"endpoint_name\", '')", "", false},
    {DIM_SITE_USER, OF_SESSION, "coalesce(s.\"user_name\", '')", "", false},
    {DIM_SITE_ENDPOINT, OF_SESSION, "coalesce(s.\"endpoint_name\", '')", "", false},
    {DIM_EVENT, OF_EVENT, "coalesce(e.\"type\", '')", "", true},
    {DIM_REASON, OF_REASON, "substring(coalesce(d.\"value\", ''), 1, 256)", IS_FAILED, true},
};

/* Start of the time's period of so many seconds, also before 1970. */
static void write_floor(struct buf *b, const char *column, int64_t of)
{
    (void)buf_printf(b, "%s - ((%s %% %lld) + %lld) %% %lld", column, column, (long long)of, (long long)of,
                     (long long)of);
}

/* Sums are bigint on every engine; a sum of nothing is 0. */
static void write_sum(struct report_store *s, struct buf *b, const char *of)
{
    struct buf sum = BUF_INIT(TEXT_MAX);

    (void)buf_printf(&sum, "coalesce(sum(%s), 0)", of);
    const char *text = buf_cstr(&sum);
    if (text)
        dialect_write(b, s->db->dialect->bigint, text);
    b->failed |= !text;
    buf_free(&sum);
}

/* Names of the inner columns: the grouping is on them, so that no expression stands twice. */
static void write_tally_select(struct report_store *s, const struct recount *r, char grain, struct buf *b)
{
    const char *when = r->of_events ? "e.\"timestamp_unix\"" : "s.\"start_unix\"";

    (void)buf_printf(b,
                     "SELECT '%c' AS grain, t.slot, t.host_name, t.jump_group_name, '%s' AS dim, t.label, ",
                     grain, tally_dims[r->dim]);
    write_sum(s, b, "t.one");
    (void)buf_str(b, " AS n, ");
    write_sum(s, b, "t.seconds");
    (void)buf_str(b, " AS seconds FROM (SELECT ");
    if (grain == 'd')
        write_floor(b, when, TALLY_DAY);
    else
        dialect_write(b, s->db->dialect->month_of, when);
    (void)buf_printf(b,
                     " AS slot, s.\"host_name\" AS host_name, %s AS jump_group_name, %s AS label, 1 AS one, "
                     "%s AS seconds FROM %s%s) t GROUP BY t.slot, t.host_name, t.jump_group_name, t.label",
                     tally_over_groups(r->dim) ? "''" : "coalesce(s.\"jump_group_name\", '')", r->label,
                     r->of_events ? "0" : "coalesce(s.\"duration_seconds\", 0)", r->from, r->where);
}

/* One row per session or event and sum, then summed by slot and site. */
static void write_slot_select(struct report_store *s, struct buf *b)
{
    static const char *const sums[SLOT_NSUMS] = {"sessions",      "seconds",    "abnormal",
                                                 "outside_hours", "injections", "injections_failed"};

    (void)buf_str(b, "SELECT t.slot, t.host_name");
    for (int i = 0; i < SLOT_NSUMS; i++) {
        char column[32];
        (void)snprintf(column, sizeof(column), "t.%s", sums[i]);
        (void)buf_str(b, ", ");
        write_sum(s, b, column);
        (void)buf_printf(b, " AS %s", sums[i]);
    }
    (void)buf_str(b, " FROM (SELECT ");
    write_floor(b, "s.\"start_unix\"", TALLY_SLOT);
    (void)buf_str(
        b, " AS slot, s.\"host_name\" AS host_name, 1 AS sessions, coalesce(s.\"duration_seconds\", 0) "
           "AS seconds, CASE WHEN s.\"state\" = 'abnormal' THEN 1 ELSE 0 END AS abnormal, CASE WHEN "
           "s.\"outside_hours\" = 1 THEN 1 ELSE 0 END AS outside_hours, 0 AS injections, 0 AS "
           "injections_failed FROM " OF_SESSION " UNION ALL SELECT ");
    write_floor(b, "e.\"timestamp_unix\"", TALLY_SLOT);
    (void)buf_str(b, ", s.\"host_name\", 0, 0, 0, 0, CASE WHEN e.\"type\" = '" EVENT_INJECTION
                     "' THEN 1 ELSE 0 END, CASE WHEN e.\"type\" = '" EVENT_INJECTION_FAILED
                     "' THEN 1 ELSE 0 END FROM " OF_EVENT " WHERE e.\"type\" IN ('" EVENT_INJECTION
                     "', '" EVENT_INJECTION_FAILED "')) t GROUP BY t.slot, t.host_name");
}

#define TALLY_COLUMNS                                                                                        \
    "\"grain\", \"slot\", \"host_name\", \"jump_group_name\", \"dim\", \"label\", \"n\", \"seconds\""
#define SLOT_COLUMNS                                                                                         \
    "\"slot\", \"host_name\", \"sessions\", \"seconds\", \"abnormal\", \"outside_hours\", \"injections\", "  \
    "\"injections_failed\""

static enum db_outcome run_text(struct report_store *s, struct buf *sql, int64_t *count)
{
    const char *text = sql->failed ? NULL : buf_cstr(sql);

    if (!text)
        return store_fail(s, DB_NO_MEMORY, "out of memory");
    return count ? db_get_int(s->db, text, 0, count) : s->db->ops->exec(s->db, text);
}

/* `select` into a table, or the rows of one that the other does not have, both ways. */
static enum db_outcome apply_select(struct report_store *s, const struct buf *select, const char *table,
                                    const char *columns, const char *where, int64_t *differences)
{
    enum db_outcome outcome = DB_OK;

    for (int way = 0; outcome == DB_OK && way < (differences ? 2 : 1); way++) {
        struct buf sql = BUF_INIT(TEXT_MAX), stored = BUF_INIT(TEXT_MAX);
        int64_t count = 0;

        (void)buf_printf(&stored, "SELECT %s FROM \"%s\"%s", columns, table, where);
        const struct buf *first = way ? &stored : select, *second = way ? select : &stored;
        if (differences)
            (void)buf_printf(&sql,
                             "SELECT count(*) FROM (SELECT * FROM (%.*s) a EXCEPT SELECT * FROM (%.*s) b) c",
                             (int)first->len, first->data, (int)second->len, second->data);
        else
            (void)buf_printf(&sql, "INSERT INTO \"%s\" (%s) %.*s", table, columns, (int)select->len,
                             select->data);
        sql.failed |= select->failed || stored.failed;
        outcome = run_text(s, &sql, differences ? &count : NULL);
        if (differences)
            *differences += count;
        buf_free(&sql);
        buf_free(&stored);
    }
    return outcome;
}

static enum db_outcome recount_dim(struct report_store *s, const struct recount *r, char grain,
                                   int64_t *differences)
{
    struct buf select = BUF_INIT(TEXT_MAX);
    char where[80];

    (void)snprintf(where, sizeof(where), " WHERE \"grain\" = '%c' AND \"dim\" = '%s'", grain,
                   tally_dims[r->dim]);
    write_tally_select(s, r, grain, &select);
    enum db_outcome outcome = apply_select(s, &select, "jg_tally", TALLY_COLUMNS, where, differences);
    buf_free(&select);
    return outcome;
}

static enum db_outcome recount_all(struct report_store *s, int64_t *differences)
{
    struct buf select = BUF_INIT(TEXT_MAX);
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < sizeof(recounts) / sizeof(*recounts); i++) {
        outcome = recount_dim(s, &recounts[i], 'm', differences);
        if (outcome == DB_OK && !tally_by_month_only(recounts[i].dim))
            outcome = recount_dim(s, &recounts[i], 'd', differences);
    }
    write_slot_select(s, &select);
    if (outcome == DB_OK)
        outcome = apply_select(s, &select, "jg_slot", SLOT_COLUMNS, "", differences);
    buf_free(&select);
    return outcome;
}

enum db_outcome store_recount(struct report_store *s, bool dry_run, int64_t *differences)
{
    int64_t found = 0;
    enum db_outcome outcome = store_begin(s);

    if (outcome != DB_OK)
        return outcome;
    if (dry_run || differences)
        outcome = recount_all(s, &found);
    if (outcome == DB_OK && !dry_run)
        outcome = s->db->ops->exec(s->db, "DELETE FROM \"jg_tally\"; DELETE FROM \"jg_slot\"");
    if (outcome == DB_OK && !dry_run)
        outcome = recount_all(s, NULL);
    if (differences)
        *differences = found;
    if (outcome == DB_OK && dry_run) {
        store_rollback(s);
        return DB_OK;
    }
    return store_end(s, outcome);
}
