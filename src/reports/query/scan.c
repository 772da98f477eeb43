/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - rows of a dataset in the grid's order, from the beginning or behind a position.
 *
 * The order is by the sorted column, then by the dataset's own keys, all in one direction, so a row has one
 * place whatever is written beside it. Rows without a value of the sorted column come first upwards, last
 * downwards, on every engine: they are a statement of their own, a segment, and so each statement can follow
 * an index.
 */
#include "reports/query/query_internal.h"

#include <string.h>

enum { SEGMENT_FIRST, SEGMENT_SECOND, SEGMENT_END };

size_t scan_keys(const struct query *q, struct dataset_key keys[KEYS_MAX])
{
    size_t n = 0;

    keys[n++] = (struct dataset_key){q->sort->expression, q->sort->type == VALUE_TEXT};
    for (size_t i = 0; i < q->dataset->norder; i++)
        if (q->dataset->order[i].expression != q->sort->expression &&
            strcmp(q->dataset->order[i].expression, q->sort->expression) != 0)
            keys[n++] = q->dataset->order[i];
    return n;
}

void scan_open(struct scan *scan, struct db *db, const struct query *q, const struct cursor *behind,
               bool descending, int64_t limit)
{
    *scan = (struct scan){.db = db,
                          .query = q,
                          .behind = behind,
                          .descending = descending,
                          .left = limit,
                          .sql = {.dialect = db->dialect}};
}

void scan_close(struct scan *scan)
{
    if (scan->stmt)
        scan->db->ops->finalize(scan->stmt);
    scan->stmt = NULL;
    sql_free(&scan->sql);
}

static void write_key_value(struct sql *sql, const struct cursor_key *key)
{
    if (key->is_text)
        sql_text(sql, key->text);
    else
        sql_int(sql, key->number);
}

static void write_compared(struct sql *sql, const struct dataset_key *key, const char *op,
                           const struct cursor_key *value)
{
    sql_str(sql, key->expression);
    sql_str(sql, op);
    write_key_value(sql, value);
}

/* (a <= ? AND (a < ? OR (b <= ? AND (b < ? OR c < ?)))): an index can follow the first comparison. */
static void write_behind(struct sql *sql, const struct dataset_key *keys, const struct cursor_key *values,
                         size_t n, bool descending)
{
    const char *beyond = descending ? " < " : " > ", *from = descending ? " <= " : " >= ";
    size_t i = 0;

    for (; i + 1 < n; i++) {
        sql_str(sql, "(");
        write_compared(sql, &keys[i], from, &values[i]);
        sql_str(sql, " AND (");
        write_compared(sql, &keys[i], beyond, &values[i]);
        sql_str(sql, " OR ");
    }
    write_compared(sql, &keys[i], beyond, &values[i]);
    for (; i > 0; i--)
        sql_str(sql, "))");
}

static void write_order(struct sql *sql, const struct dataset_key *keys, size_t n, bool descending)
{
    sql_str(sql, " ORDER BY ");
    for (size_t i = 0; i < n; i++) {
        sql_str(sql, i ? ", " : "");
        sql_str(sql, keys[i].expression);
        sql_str(sql, descending ? " DESC" : "");
    }
}

static void write_select(struct sql *sql, const struct query *q, const struct dataset_key *keys, size_t nkeys,
                         struct needs *needs)
{
    sql_str(sql, "SELECT ");
    for (size_t i = 0; i < q->ncolumns; i++) {
        sql_expression(sql, q->columns[i]->expression);
        sql_str(sql, ", ");
        needs->parent |= q->columns[i]->flags & COL_PARENT;
    }
    for (size_t i = 0; i < nkeys; i++) {
        sql_str(sql, i ? ", " : "");
        sql_str(sql, keys[i].expression);
    }
}

#define WIDE (45 * 86400)

/* Over a wide range the first rows in another order are soon found by the order's index, while the time's
 * would give all rows of the range to be sorted. */
static bool by_order(const struct query *q)
{
    bool wide = q->from == ALWAYS_FROM || q->to == ALWAYS_TO || q->to - q->from > WIDE;

    return wide && q->dataset->time && strcmp(q->sort->expression, q->dataset->time) != 0;
}

/* ---- a jump group in another order ----
 *
 * A group of many sessions is read in the order asked for until the page is full, one of few by its own index
 * and then sorted. With another filter the first could go through all sessions in vain. Servers have
 * statistics of their own. */

#define GROUP_FEW 1000

static bool may_choose(const struct query *q, const struct dialect *d)
{
    const struct text_list *lists[] = {&q->user, &q->endpoint};

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (lists[i]->n || lists[i]->empty)
            return false;
    return strcmp(d->not_indexed, "{}") != 0 && by_order(q) && !q->dataset->parent && q->dataset->group &&
           strcmp(q->dataset->group, q->sort->expression) != 0 && q->group.n && !q->nfilters;
}

static enum db_outcome decide(struct scan *scan)
{
    const struct query *q = scan->query;
    struct sql sql = sql_start(scan->db->dialect, q->ctx->now);
    enum db_outcome outcome = DB_OK;
    int64_t n = 0;

    if (may_choose(q, scan->db->dialect)) {
        sql_str(&sql, "SELECT count(*) FROM (SELECT 1 FROM ");
        sql_str(&sql, q->dataset->table);
        sql_str(&sql, " WHERE ");
        where_list(&sql, q->dataset->group, &q->group, false);
        sql_limit(&sql, GROUP_FEW);
        sql_str(&sql, ") c");
        outcome = sql_number(scan->db, &sql, &n);
    }
    sql_free(&sql);
    scan->group_last = n == GROUP_FEW;
    scan->decided = outcome == DB_OK;
    return outcome;
}

/* One segment: rows with a value of the first key, or those without. */
static void write_segment(struct scan *scan, bool null, const struct cursor *behind)
{
    const struct query *q = scan->query;
    const struct window window = {q->from, q->to};
    struct sql *sql = &scan->sql, where = sql_start(scan->db->dialect, q->ctx->now);
    struct dataset_key keys[KEYS_MAX];
    size_t nkeys = scan_keys(q, keys), skip = null ? 1 : 0;
    struct needs needs = {.time_last = by_order(q), .group_last = scan->group_last};

    *sql = sql_start(scan->db->dialect, q->ctx->now);
    write_select(sql, q, keys, nkeys, &needs);
    where_write(&where, q, &window, &needs);
    bool any = where.text.len > 0;
    if (!(q->sort->flags & COL_FULL)) {
        where_and(&where, &any);
        sql_str(&where, keys[0].expression);
        sql_str(&where, null ? " IS NULL" : " IS NOT NULL");
    }
    if (behind) {
        where_and(&where, &any);
        write_behind(&where, keys + skip, behind->keys + skip, nkeys - skip, scan->descending);
    }
    from_write(sql, q, &needs);
    sql_add(sql, &where);
    write_order(sql, keys + skip, nkeys - skip, scan->descending);
    if (scan->left != INT64_MAX)
        sql_limit(sql, scan->left);
    sql_free(&where);
}

/* Whether there is a statement for this segment; *behind is the position within it. */
static bool has_segment(const struct scan *scan, bool null, const struct cursor **behind)
{
    bool full = scan->query->sort->flags & COL_FULL;

    *behind = NULL;
    if (null && full)
        return false;
    if (!scan->behind)
        return true;
    bool at_null = scan->behind->keys[0].null;
    if (at_null == null)
        *behind = scan->behind;
    /* The position lies in the other segment: before all of this one, or behind it. */
    return at_null == null || scan->segment == SEGMENT_SECOND;
}

static enum db_outcome open_segment(struct scan *scan)
{
    enum db_outcome outcome = scan->decided ? DB_OK : decide(scan);

    if (outcome != DB_OK)
        return outcome;
    for (; scan->segment < SEGMENT_END; scan->segment++) {
        const struct cursor *behind;
        bool null = (scan->segment == SEGMENT_FIRST) != scan->descending;
        if (!has_segment(scan, null, &behind))
            continue;
        write_segment(scan, null, behind);
        return sql_prepare(scan->db, &scan->sql, &scan->stmt);
    }
    return DB_OK;
}

enum db_outcome scan_next(struct scan *scan)
{
    enum db_outcome outcome = DB_OK;

    while (scan->left > 0 && scan->segment < SEGMENT_END) {
        if (!scan->stmt)
            outcome = open_segment(scan);
        if (outcome != DB_OK || !scan->stmt)
            return outcome;
        outcome = scan->db->ops->step(scan->stmt);
        if (outcome == DB_ROW && scan->left != INT64_MAX)
            scan->left--;
        if (outcome != DB_OK)
            return outcome;
        scan_close(scan);
        scan->segment++;
    }
    return outcome;
}

int scan_position(const struct scan *scan, struct record_arena *arena, struct cursor *at)
{
    const struct db_ops *ops = scan->db->ops;
    struct dataset_key keys[KEYS_MAX];

    at->n = scan_keys(scan->query, keys);
    for (size_t i = 0; i < at->n; i++) {
        int column = (int)(scan->query->ncolumns + i);
        struct cursor_key *key = &at->keys[i];
        *key = (struct cursor_key){.null = ops->column_is_null(scan->stmt, column), .is_text = keys[i].text};
        if (key->null)
            continue;
        if (!key->is_text) {
            key->number = ops->column_int(scan->stmt, column);
            continue;
        }
        size_t len;
        const char *text = ops->column_text(scan->stmt, column, &len);
        key->text = text ? record_text(arena, text, len) : NULL;
        if (!key->text)
            return -1;
    }
    return 0;
}
