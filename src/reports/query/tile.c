/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile.c - one tile as JSON: its items with their links, its total, what of it is incomplete.
 *
 * Labels beyond the first TILE_TOP are one item, "Other", whose link leaves the others out. A link has the
 * query's frame, the filters of the tile and the label, so the grid behind it has as many rows as the item
 * says.
 *
 * Items of the tile `collector` are sites: `label` the site, `state` and `reason`, and as `value` and
 * `seconds` the age of its last success, null where there was none.
 */
#include "base/jsonw.h"
#include "reports/query/tiles.h"

#include <stdio.h>

#define LINK_BYTES 65536
#define NO_VALUE   "(none)"

struct writing {
    const struct query *q;
    struct jsonw *w;
    struct record_arena texts;
    const char *top[TILE_TOP]; /* labels that are items of their own */
    size_t ntop;
    int64_t total, other, other_seconds, nothers;
    bool failed;
};

/* ---- links ---- */

static void begin_link(const struct query *q, struct buf *link)
{
    const struct tile *t = q->tile;
    const struct window window = tile_window(q);

    *link = BUF_INIT(LINK_BYTES);
    link_begin(link, q, q->dataset, &window,
               (t->flags & TILE_ALL_TIME ? LINK_ALL_TIME : 0U) |
                   (t->flags & TILE_SITE_ONLY ? LINK_SITE_ONLY : 0U));
    link_filters(link, q, t->filters);
}

static void write_link(struct writing *x, struct buf *link)
{
    jsonw_strn(x->w, "href", link->data, link->len);
    x->failed |= link->failed;
    buf_free(link);
}

static void write_item(struct writing *x, const char *label, int64_t n, int64_t seconds, struct buf *link)
{
    jsonw_object(x->w, NULL);
    jsonw_str(x->w, "label", label);
    jsonw_int(x->w, "value", n);
    if (x->q->tile->flags & TILE_SECONDS)
        jsonw_int(x->w, "seconds", seconds);
    write_link(x, link);
    jsonw_end(x->w);
    x->total += n;
}

/* ---- items by label ---- */

static void write_label(struct writing *x, const char *label, int64_t n, int64_t seconds)
{
    struct buf link;

    begin_link(x->q, &link);
    link_filter(&link, x->q->tile->by, *label ? "eq" : "empty");
    link_value(&link, label);
    write_item(x, *label ? label : NO_VALUE, n, seconds, &link);
}

static void write_other(struct writing *x)
{
    struct buf link;

    begin_link(x->q, &link);
    link_filters(&link, x->q, x->q->tile->all_filters);
    link_filter(&link, x->q->tile->by, "notin");
    for (size_t i = 0; i < x->ntop; i++) {
        (void)buf_str(&link, i ? "," : "");
        link_value(&link, x->top[i]);
    }
    write_item(x, "Other", x->other, x->other_seconds, &link);
}

static enum db_outcome write_labels(struct writing *x, struct db *db, struct counts *c)
{
    const char *label;
    int64_t n, seconds;
    enum db_outcome outcome;

    while ((outcome = counts_next(c, db, &label, &n, &seconds)) == DB_ROW) {
        if (n <= 0)
            continue;
        if (x->ntop == TILE_TOP) {
            x->other += n;
            x->other_seconds += seconds;
            x->nothers++;
            continue;
        }
        x->top[x->ntop] = record_text(&x->texts, label, strlen(label));
        if (!x->top[x->ntop])
            return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
        write_label(x, x->top[x->ntop++], n, seconds);
    }
    if (outcome == DB_OK && x->nothers)
        write_other(x);
    return outcome;
}

/* Items that are always there, in their own order. */
static enum db_outcome write_fixed(struct writing *x, struct db *db, struct counts *c)
{
    const struct tile *t = x->q->tile;
    int64_t numbers[16] = {0}, n, seconds;
    const char *label;
    enum db_outcome outcome;

    while ((outcome = counts_next(c, db, &label, &n, &seconds)) == DB_ROW)
        for (size_t i = 0; i < t->nlabels; i++)
            if (strcmp(t->labels[i].row, label) == 0)
                numbers[i] += n;
    for (size_t i = 0; outcome == DB_OK && i < t->nlabels; i++) {
        struct buf link;
        begin_link(x->q, &link);
        link_filters(&link, x->q, t->labels[i].filter);
        write_item(x, t->labels[i].label, numbers[i], 0, &link);
    }
    return outcome;
}

static enum query_outcome write_grouped(struct writing *x, struct db *db)
{
    const struct window window = tile_window(x->q);
    struct counts c;
    enum db_outcome outcome = counts_open(&c, db, x->q, &window);

    jsonw_null(x->w, "bucket");
    jsonw_array(x->w, "items");
    if (outcome == DB_OK)
        outcome = x->q->tile->labels ? write_fixed(x, db, &c) : write_labels(x, db, &c);
    counts_close(&c, db);
    jsonw_end(x->w);
    return query_of(outcome);
}

/* ---- one number ---- */

static enum query_outcome write_number(struct writing *x, struct db *db)
{
    const struct window window = tile_window(x->q);
    struct sql sql = sql_start(db->dialect, x->q->ctx->now);
    struct needs needs = {.parent = false};
    struct buf link;
    int64_t n;

    sql_str(&sql, "SELECT count(*)");
    from_write(&sql, x->q, &needs);
    where_write(&sql, x->q, &window, &needs);
    enum db_outcome outcome = sql_number(db, &sql, &n);
    sql_free(&sql);
    if (outcome != DB_OK)
        return query_of(outcome);
    jsonw_null(x->w, "bucket");
    jsonw_array(x->w, "items");
    begin_link(x->q, &link);
    write_item(x, x->q->tile->title, n, 0, &link);
    jsonw_end(x->w);
    return QUERY_OK;
}

/* ---- sites ---- */

static bool is_seen(const struct query *q, const char *host)
{
    for (size_t i = 0; i < q->nhosts; i++)
        if (strcmp(q->hosts[i], host) == 0)
            return true;
    return q->all_hosts;
}

static void write_site(struct writing *x, const struct query_site *site)
{
    bool never = site->last_success == QUERY_NONE;
    int64_t age = never ? 0 : x->q->ctx->now - site->last_success;

    age = age < 0 ? 0 : age;
    jsonw_object(x->w, NULL);
    jsonw_str(x->w, "label", site->host_name);
    jsonw_int_or_null(x->w, "value", age, never);
    jsonw_int_or_null(x->w, "seconds", age, never);
    jsonw_str(x->w, "state", site->state);
    jsonw_str(x->w, "reason", site->reason);
    jsonw_str(x->w, "href", x->q->ctx->admin ? "/collector" : NULL);
    jsonw_end(x->w);
    x->total++;
}

static enum query_outcome write_sites(struct writing *x)
{
    const struct query_context *ctx = x->q->ctx;

    jsonw_null(x->w, "bucket");
    jsonw_array(x->w, "items");
    for (size_t i = 0; i < ctx->nsites; i++)
        if (is_seen(x->q, ctx->sites[i].host_name))
            write_site(x, &ctx->sites[i]);
    jsonw_end(x->w);
    return QUERY_OK;
}

/* ---- what is missing ---- */

static void write_missing(struct writing *x, const struct query_site *site, int64_t since, const char *why)
{
    jsonw_object(x->w, NULL);
    jsonw_str(x->w, "site", site->host_name);
    json_time(x->w, "since", x->q, since);
    jsonw_str(x->w, "why", why);
    jsonw_end(x->w);
}

static void write_incomplete(struct writing *x)
{
    const struct query_context *ctx = x->q->ctx;

    jsonw_array(x->w, "incomplete");
    for (size_t i = 0; i < ctx->nsites; i++) {
        const struct query_site *site = &ctx->sites[i];
        char why[320];
        if (!is_seen(x->q, site->host_name))
            continue;
        (void)snprintf(why, sizeof(why), "%s%s%s", site->state, site->reason && *site->reason ? ": " : "",
                       site->reason ? site->reason : "");
        if (strcmp(site->state, "Connected") != 0)
            write_missing(x, site, site->last_success != QUERY_NONE ? site->last_success : site->since, why);
        if (site->missing_from != QUERY_NONE)
            write_missing(x, site, site->missing_from, "backfill");
    }
    jsonw_end(x->w);
}

/* ---- the tile ---- */

static enum query_outcome write_items(struct writing *x, struct db *db)
{
    const struct tile *t = x->q->tile;

    if (!t->dataset)
        return write_sites(x);
    if (t->kind == TILE_SERIES)
        return series_write(db, x->q, x->w, &x->total);
    return t->by ? write_grouped(x, db) : write_number(x, db);
}

/* The grid of all that the tile counts. */
static void write_whole(struct writing *x)
{
    struct buf link;

    if (!x->q->tile->dataset)
        return;
    begin_link(x->q, &link);
    link_filters(&link, x->q, x->q->tile->all_filters);
    write_link(x, &link);
}

static enum query_outcome write_tile(struct writing *x, struct db *db)
{
    const struct query *q = x->q;
    const struct window window = tile_window(q);

    jsonw_object(x->w, NULL);
    jsonw_str(x->w, "id", q->tile->id);
    jsonw_str(x->w, "title", q->tile->title);
    json_time(x->w, "from", q, window.from);
    json_time(x->w, "to", q, window.to == ALWAYS_TO ? QUERY_NONE : window.to);
    char zone[65];
    (void)snprintf(zone, sizeof(zone), "%s", q->zone_name ? q->zone_name : q->ctx->time_zone);
    jsonw_str(x->w, "tz", zone);
    enum query_outcome outcome = write_items(x, db);
    jsonw_int(x->w, "total", x->total);
    jsonw_int(x->w, "other", x->nothers);
    write_whole(x);
    tile_write_ignored(x->w, q->tile);
    jsonw_int(x->w, "age_ms", 0);
    write_incomplete(x);
    jsonw_end(x->w);
    return outcome;
}

enum query_outcome query_tile(struct db *db, const struct query *q, struct buf *json,
                              struct query_result *result)
{
    struct jsonw w = jsonw_start(json);
    struct writing x = {.q = q, .w = &w};
    enum query_outcome outcome = query_of(db->ops->begin(db, false));

    if (outcome == QUERY_OK)
        outcome = write_tile(&x, db);
    db->ops->rollback(db);
    if (result)
        *result = (struct query_result){.rows = x.total};
    record_arena_free(&x.texts);
    return outcome == QUERY_OK && (x.failed || json->failed) ? QUERY_NO_MEMORY : outcome;
}
