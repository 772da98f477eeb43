/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tile_count.c - rows by label: whole months and days from tallies, what is left of the range from rows.
 *
 *     from   |  day  |  day  |      month      |      month      |  day  |   to
 *       rows    jg_tally 'd'           jg_tally 'm'                 'd'    rows
 *
 * Tallies are by UTC. They know site and jump group, so with any other filter all of the range is counted
 * from rows. One statement adds the parts up.
 */
#include "reports/query/tiles.h"

#define PARTS_MAX 5

enum part_kind { PART_ROWS, PART_DAYS, PART_MONTHS };

struct part {
    enum part_kind kind;
    struct window window;
};

/* ---- which parts ---- */

struct parts {
    struct part parts[PARTS_MAX];
    size_t n;
};

static void add_part(struct parts *p, enum part_kind kind, int64_t from, int64_t to)
{
    if (from < to)
        p->parts[p->n++] = (struct part){kind, {from, to}};
}

static int64_t ceiling(const struct query *q, int64_t when, enum zone_unit unit)
{
    if (when == ALWAYS_FROM)
        return when;
    int64_t border = zone_border(q->utc, when, unit, 0);
    return border == when ? when : zone_next(q->utc, when, unit);
}

static int64_t border_before(const struct query *q, int64_t when, enum zone_unit unit)
{
    return when == ALWAYS_TO ? when : zone_border(q->utc, when, unit, 0);
}

/* Days of it from tallies where there are any. */
static void add_side(struct parts *p, const struct query *q, int64_t from, int64_t to, bool by_day)
{
    if (from >= to)
        return;
    int64_t first = ceiling(q, from, ZONE_DAY), last = border_before(q, to, ZONE_DAY);
    if (!by_day || first >= last) {
        add_part(p, PART_ROWS, from, to);
        return;
    }
    add_part(p, PART_ROWS, from, first);
    add_part(p, PART_DAYS, first, last);
    add_part(p, PART_ROWS, last, to);
}

static void divide(struct parts *p, const struct query *q, const struct window *w, bool by_day)
{
    int64_t first = ceiling(q, w->from, ZONE_MONTH), last = border_before(q, w->to, ZONE_MONTH);

    if (first >= last) {
        add_side(p, q, w->from, w->to, by_day);
        return;
    }
    add_side(p, q, w->from, first, by_day);
    add_part(p, PART_MONTHS, first, last);
    add_side(p, q, last, w->to, by_day);
}

static bool is_given(const struct text_list *list)
{
    return list->n || list->empty;
}

static bool by_person(const struct query *q)
{
    return is_given(&q->user) || is_given(&q->endpoint);
}

/* ---- a part in SQL ---- */

/* What a tally is of, and within which sites, groups and labels. */
static void write_tally_where(struct sql *sql, const struct query *q, const struct part *part,
                              const char *dim)
{
    bool any = false;

    where_and(sql, &any);
    sql_str(sql, "\"grain\" = ");
    sql_text(sql, part->kind == PART_DAYS ? "d" : "m");
    if (part->window.from != ALWAYS_FROM) {
        where_and(sql, &any);
        sql_str(sql, "\"slot\" >= ");
        sql_int(sql, part->window.from);
    }
    if (part->window.to != ALWAYS_TO) {
        where_and(sql, &any);
        sql_str(sql, "\"slot\" < ");
        sql_int(sql, part->window.to);
    }
    where_and(sql, &any);
    sql_str(sql, "\"dim\" = ");
    sql_text(sql, dim);
    where_hosts(sql, q, "\"host_name\"", &any);
    if (is_given(&q->group)) {
        where_and(sql, &any);
        where_list(sql, "\"jump_group_name\"", &q->group, false);
    }
}

/* Filters on the column that the label is of; what else a tile filters by, its dimension is. */
static void write_label_filters(struct sql *sql, const struct query *q, const char *by,
                                const char *dim_column)
{
    for (size_t i = 0; i < q->nfilters; i++) {
        struct filter f = q->filters[i];
        struct dataset_column label = *f.column;
        if (strcmp(label.name, by) != 0 || label.type != VALUE_TEXT)
            continue;
        label.expression = dim_column;
        f.column = &label;
        sql_str(sql, " AND ");
        where_filter(sql, &f);
    }
}

static void write_tally(struct sql *sql, const struct query *q, const struct part *part)
{
    const struct tile *t = q->tile;

    sql_str(sql, "SELECT ");
    sql_str(sql, t->dim_column);
    sql_str(sql, " AS \"label\", sum(\"n\") AS \"n\", sum(\"seconds\") AS \"seconds\" FROM \"jg_tally\"");
    write_tally_where(sql, q, part, t->dim_of_site && !is_given(&q->group) ? t->dim_of_site : t->dim);
    write_label_filters(sql, q, t->by, t->dim_column);
    sql_str(sql, " GROUP BY ");
    sql_str(sql, t->dim_column);
}

/* Engines do not group by every expression, but by every column of a query inside. */
static void write_rows(struct sql *sql, const struct query *q, const struct window *window)
{
    const struct tile *t = q->tile;
    const struct dataset_column *by = dataset_column(q->dataset, t->by);
    struct sql where = sql_start(sql->dialect, sql->now);
    struct needs needs = {.parent = by->flags & COL_PARENT};

    where_write(&where, q, window, &needs);
    sql_str(sql, "SELECT \"label\", count(*) AS \"n\", sum(\"d\") AS \"seconds\" FROM (SELECT ");
    sql_expression(sql, t->by_expression ? t->by_expression : by->expression);
    sql_str(sql, t->flags & TILE_SECONDS ? " AS \"label\", coalesce(s.\"duration_seconds\", 0) AS \"d\""
                                         : " AS \"label\", 0 AS \"d\"");
    from_write(sql, q, &needs);
    sql_add(sql, &where);
    sql_str(sql, ") i GROUP BY \"label\"");
    sql_free(&where);
}

/* ---- the counts ---- */

static void write_number(struct sql *sql, const char *expression)
{
    dialect_write(&sql->text, sql->dialect->bigint, expression);
}

enum db_outcome counts_open(struct counts *c, struct db *db, const struct query *q, const struct window *w)
{
    struct parts p = {.n = 0};

    *c = (struct counts){.sql = sql_start(db->dialect, q->ctx->now)};
    if (q->tile->dim && !by_person(q))
        divide(&p, q, w, q->tile->dim_by_day);
    else
        add_part(&p, PART_ROWS, w->from, w->to);
    sql_str(&c->sql, "SELECT coalesce(\"label\", ''), ");
    write_number(&c->sql, "sum(\"n\")");
    sql_str(&c->sql, " AS \"total\", ");
    write_number(&c->sql, "sum(\"seconds\")");
    sql_str(&c->sql, " FROM (");
    for (size_t i = 0; i < p.n; i++) {
        sql_str(&c->sql, i ? " UNION ALL " : "");
        if (p.parts[i].kind == PART_ROWS)
            write_rows(&c->sql, q, &p.parts[i].window);
        else
            write_tally(&c->sql, q, &p.parts[i]);
    }
    sql_str(&c->sql, ") p GROUP BY coalesce(\"label\", '') ORDER BY \"total\" DESC, 1");
    return sql_prepare(db, &c->sql, &c->stmt);
}

enum db_outcome counts_next(struct counts *c, struct db *db, const char **label, int64_t *n, int64_t *seconds)
{
    enum db_outcome outcome = db->ops->step(c->stmt);

    if (outcome != DB_ROW)
        return outcome;
    const char *text = db->ops->column_text(c->stmt, 0, NULL);
    *label = text ? text : "";
    *n = db->ops->column_int(c->stmt, 1);
    *seconds = db->ops->column_int(c->stmt, 2);
    return outcome;
}

void counts_close(struct counts *c, struct db *db)
{
    if (c->stmt)
        db->ops->finalize(c->stmt);
    sql_free(&c->sql);
    *c = (struct counts){.stmt = NULL};
}

/* ---- all sessions of a window, and all events or those of some types ---- */

static const struct counted_dataset {
    const char *name, *dim, *by; /* third: the one column that may be filtered by */
} counted[] = {
    {"sessions", "all", NULL},
    {"events", "event", "type"},
};

static const struct counted_dataset *counted_named(const char *name)
{
    for (size_t i = 0; i < sizeof(counted) / sizeof(*counted); i++)
        if (strcmp(counted[i].name, name) == 0)
            return &counted[i];
    return NULL;
}

bool tally_can_count(const struct query *q)
{
    const struct counted_dataset *c = counted_named(q->dataset->name);

    if (!c || by_person(q))
        return false;
    for (size_t i = 0; i < q->nfilters; i++)
        if (!c->by || strcmp(q->filters[i].column->name, c->by) != 0)
            return false;
    return true;
}

static void write_count(struct sql *sql, const struct query *q, const struct part *part)
{
    struct sql where = sql_start(sql->dialect, sql->now);
    struct needs needs = {.parent = false};
    const struct counted_dataset *c = counted_named(q->dataset->name);

    if (part->kind == PART_ROWS) {
        where_write(&where, q, &part->window, &needs);
        sql_str(sql, "SELECT count(*) AS \"n\"");
        from_write(sql, q, &needs);
        sql_add(sql, &where);
    } else {
        sql_str(sql, "SELECT sum(\"n\") AS \"n\" FROM \"jg_tally\"");
        write_tally_where(sql, q, part, c->dim);
        if (c->by)
            write_label_filters(sql, q, c->by, "\"label\"");
    }
    sql_free(&where);
}

enum db_outcome tally_count(struct db *db, const struct query *q, int64_t *n)
{
    const struct window window = {q->from, q->to};
    struct sql sql = sql_start(db->dialect, q->ctx->now);
    struct parts p = {.n = 0};

    divide(&p, q, &window, true);
    sql_str(&sql, "SELECT ");
    write_number(&sql, "coalesce(sum(\"n\"), 0)");
    sql_str(&sql, " FROM (");
    for (size_t i = 0; i < p.n; i++) {
        sql_str(&sql, i ? " UNION ALL " : "");
        write_count(&sql, q, &p.parts[i]);
    }
    sql_str(&sql, ") p");
    enum db_outcome outcome = sql_number(db, &sql, n);
    sql_free(&sql);
    return outcome;
}
