/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile_series.c - sessions over time, by buckets of the query's zone.
 *
 * A bucket is counted from jg_slot, which has sums of 15 minutes by site, and at its ends from rows: borders
 * of some zones lie within 15 minutes. With any filter but the site's it is counted from rows alone.
 */
#include "base/jsonw.h"
#include "reports/query/tiles.h"

#include <stdio.h>

#define DAY         86400
#define SLOT        900
#define BUCKETS_MAX 1200 /* a hundred years of months */

static const struct {
    int64_t upto; /* seconds of a range by its clock */
    enum zone_unit unit;
    const char *name;
} buckets[] = {{3 * DAY, ZONE_HOUR, "hour"},
               {93 * DAY, ZONE_DAY, "day"},
               {731 * DAY, ZONE_WEEK, "week"},
               {INT64_MAX, ZONE_MONTH, "month"}};

/* ---- counting ---- */

static enum db_outcome count_rows(struct db *db, const struct query *q, int64_t from, int64_t to, int64_t *n)
{
    const struct window window = {from, to};
    struct sql sql = sql_start(db->dialect, q->ctx->now);
    struct needs needs = {.parent = false};
    enum db_outcome outcome = DB_OK;

    *n = 0;
    if (from < to) {
        sql_str(&sql, "SELECT count(*)");
        from_write(&sql, q, &needs);
        where_write(&sql, q, &window, &needs);
        outcome = sql_number(db, &sql, n);
    }
    sql_free(&sql);
    return outcome;
}

static enum db_outcome count_slots(struct db *db, const struct query *q, int64_t from, int64_t to, int64_t *n)
{
    struct sql sql = sql_start(db->dialect, q->ctx->now);
    bool any = true;

    sql_str(&sql, "SELECT ");
    dialect_write(&sql.text, sql.dialect->bigint, "coalesce(sum(\"sessions\"), 0)");
    sql_str(&sql, " FROM \"jg_slot\" WHERE \"slot\" >= ");
    sql_int(&sql, from);
    sql_str(&sql, " AND \"slot\" < ");
    sql_int(&sql, to);
    where_hosts(&sql, q, "\"host_name\"", &any);
    enum db_outcome outcome = sql_number(db, &sql, n);
    sql_free(&sql);
    return outcome;
}

static int64_t floor_of(int64_t n, int64_t of)
{
    int64_t rest = n % of;

    return n - (rest < 0 ? rest + of : rest);
}

static bool from_slots(const struct query *q)
{
    return !q->group.n && !q->group.empty && !q->user.n && !q->user.empty && !q->endpoint.n &&
           !q->endpoint.empty;
}

static enum db_outcome count_bucket(struct db *db, const struct query *q, const struct window *w, int64_t *n)
{
    int64_t first = floor_of(w->from + SLOT - 1, SLOT), last = floor_of(w->to, SLOT), more;

    if (!from_slots(q) || first >= last)
        return count_rows(db, q, w->from, w->to, n);
    enum db_outcome outcome = count_slots(db, q, first, last, n);
    if (outcome == DB_OK)
        outcome = count_rows(db, q, w->from, first, &more);
    if (outcome != DB_OK)
        return outcome;
    *n += more;
    outcome = count_rows(db, q, last, w->to, &more);
    *n += more;
    return outcome;
}

/* ---- the range ---- */

/* Where a range without an end begins and ends: at the sessions that there are. */
static enum db_outcome find_ends(struct db *db, const struct query *q, struct window *w)
{
    const struct window always = {ALWAYS_FROM, ALWAYS_TO};
    enum db_outcome outcome = DB_OK;

    for (int end = 0; end < 2 && outcome == DB_OK; end++) {
        struct sql sql = sql_start(db->dialect, q->ctx->now);
        struct needs needs = {.parent = false};
        sql_str(&sql, end ? "SELECT max(s.\"start_unix\")" : "SELECT min(s.\"start_unix\")");
        from_write(&sql, q, &needs);
        where_write(&sql, q, &always, &needs);
        outcome = sql_number(db, &sql, end ? &w->to : &w->from);
        sql_free(&sql);
    }
    w->to = w->to > q->ctx->now ? w->to + 1 : q->ctx->now + 1;
    if (w->from == 0 || w->from > q->ctx->now)
        w->from = zone_border(q->zone, q->ctx->now, ZONE_DAY, 0);
    return outcome;
}

static size_t bucket_for(const struct query *q, const struct window *w)
{
    int64_t length = w->to - 1 + zone_offset(q->zone, w->to) - w->from - zone_offset(q->zone, w->from);
    size_t i = 0;

    while (length > buckets[i].upto)
        i++;
    return i;
}

/* ---- writing ---- */

/* "2026-11-28 14:00", "2026-11-28", "2026-11"; with the offset where the clock shows this hour twice. */
static void write_label(const struct query *q, int64_t when, enum zone_unit unit, char *label, size_t size)
{
    char text[ZONE_TEXT_SIZE];
    int64_t begin = unit == ZONE_HOUR ? when : zone_border(q->zone, when, unit, 0);
    int letters = unit == ZONE_MONTH ? 7 : 10;

    (void)zone_text(q->zone, begin, text);
    if (unit != ZONE_HOUR) {
        (void)snprintf(label, size, "%.*s", letters, text);
        return;
    }
    bool twice = zone_offset(q->zone, begin - 3600) > zone_offset(q->zone, begin) ||
                 zone_offset(q->zone, begin) > zone_offset(q->zone, begin + 3600);
    (void)snprintf(label, size, "%.10s %.2s:00%s", text, text + 11, twice ? text + 19 : "");
}

static int write_item(struct jsonw *w, const struct query *q, const struct window *bucket,
                      enum zone_unit unit, int64_t n)
{
    char label[64];
    struct buf link = BUF_INIT(65536);

    write_label(q, bucket->from, unit, label, sizeof(label));
    link_begin(&link, q, q->dataset, bucket, 0);
    jsonw_object(w, NULL);
    jsonw_str(w, "label", label);
    jsonw_int(w, "value", n);
    json_time(w, "from", q, bucket->from);
    json_time(w, "to", q, bucket->to);
    jsonw_strn(w, "href", link.data, link.len);
    jsonw_end(w);
    bool failed = link.failed;
    buf_free(&link);
    return failed ? -1 : 0;
}

enum query_outcome series_write(struct db *db, const struct query *q, struct jsonw *w, int64_t *total)
{
    struct window range = {q->from, q->to}, bucket;
    enum db_outcome outcome = DB_OK;
    int64_t n;

    *total = 0;
    if (q->range == RANGE_ALL)
        outcome = find_ends(db, q, &range);
    if (outcome != DB_OK)
        return query_of(outcome);
    size_t kind = bucket_for(q, &range);
    jsonw_str(w, "bucket", buckets[kind].name);
    jsonw_array(w, "items");
    int count = 0;
    for (bucket.from = range.from; bucket.from < range.to; bucket.from = bucket.to, count++) {
        bucket.to = zone_next(q->zone, bucket.from, buckets[kind].unit);
        if (bucket.to > range.to || count == BUCKETS_MAX)
            bucket.to = range.to;
        outcome = count_bucket(db, q, &bucket, &n);
        if (outcome != DB_OK)
            return query_of(outcome);
        if (write_item(w, q, &bucket, buckets[kind].unit, n))
            return QUERY_NO_MEMORY;
        *total += n;
    }
    jsonw_end(w);
    return QUERY_OK;
}
