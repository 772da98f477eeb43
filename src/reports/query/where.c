/* SPDX-License-Identifier: Apache-2.0 */
/*
 * where.c - a query as a condition in SQL, the same one for tiles, grids, totals and exports.
 *
 * A value that is empty stands for rows without a value, which in the tables are null or "". So `ne` and
 * `notin` take rows without a value in, unless "" is among what they leave out: for every list, `in` and
 * `notin` together give each row once.
 */
#include "reports/query/query_internal.h"

#include <stdio.h>

void where_and(struct sql *sql, bool *any)
{
    sql_str(sql, *any ? " AND " : " WHERE ");
    *any = true;
}

static void write_texts(struct sql *sql, const struct text_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        sql_str(sql, i ? ", " : "");
        sql_text(sql, list->texts[i]);
    }
}

static void write_numbers(struct sql *sql, const struct filter *f)
{
    for (size_t i = 0; i < f->list.n; i++) {
        sql_str(sql, i ? ", " : "");
        sql_int(sql, f->numbers[i]);
    }
}

static bool is_site(const char *expression)
{
    return strstr(expression, "\"host_name\"");
}

/* Sites are few, so that an index that begins with one is of no use. */
static void write_host(struct sql *sql, const char *expression)
{
    dialect_write(&sql->text, sql->dialect->not_indexed, expression);
}

/* expression IN (values), or its opposite; `numbers` are those of a column that is no text. */
static void write_list(struct sql *sql, const char *expression, const struct text_list *list,
                       const struct filter *numbers, bool negated)
{
    bool empty_is_in = list->empty != negated;
    const char *between = "";

    sql_str(sql, "(");
    if (list->n) {
        if (is_site(expression))
            write_host(sql, expression);
        else
            sql_expression(sql, expression);
        sql_str(sql, negated ? " NOT IN (" : " IN (");
        if (numbers)
            write_numbers(sql, numbers);
        else
            write_texts(sql, list);
        sql_str(sql, ")");
        between = negated && !empty_is_in ? " AND " : " OR ";
    }
    if (list->empty && negated) {
        sql_str(sql, between);
        sql_expression(sql, expression);
        sql_str(sql, numbers ? " IS NOT NULL" : " <> ''");
    } else if (empty_is_in) {
        sql_str(sql, between);
        sql_expression(sql, expression);
        sql_str(sql, " IS NULL");
        if (!numbers && !negated) { /* negated: "" is not in the list, so it is in already */
            sql_str(sql, " OR ");
            sql_expression(sql, expression);
            sql_str(sql, " = ''");
        }
    }
    sql_str(sql, ")");
}

void where_list(struct sql *sql, const char *expression, const struct text_list *list, bool negated)
{
    write_list(sql, expression, list, NULL, negated);
}

void where_hosts(struct sql *sql, const struct query *q, const char *expression, bool *any)
{
    if (q->all_hosts)
        return;
    where_and(sql, any);
    if (!q->nhosts) {
        sql_str(sql, "1 = 0");
        return;
    }
    write_host(sql, expression);
    sql_str(sql, " IN (");
    for (size_t i = 0; i < q->nhosts; i++) {
        sql_str(sql, i ? ", " : "");
        sql_text(sql, q->hosts[i]);
    }
    sql_str(sql, ")");
}

void where_like(struct sql *sql, const char *expression, const char *pattern)
{
    const char *like = sql->dialect->like, *place = strstr(like, "{}"), *mark = strchr(like, '?');
    char text[256];

    /* What stands before the expression, between it and the pattern, behind the pattern. */
    (void)snprintf(text, sizeof(text), "%.*s", (int)(place - like), like);
    sql_str(sql, text);
    sql_expression(sql, expression);
    (void)snprintf(text, sizeof(text), "%.*s", (int)(mark - place - 2), place + 2);
    sql_str(sql, text);
    sql_text(sql, pattern);
    sql_str(sql, mark + 1);
}

/* ---- conditions on columns ---- */

static void write_compared(struct sql *sql, const struct filter *f, const char *op, int64_t value)
{
    sql_expression(sql, f->column->expression);
    sql_str(sql, op);
    sql_int(sql, value);
}

/* ---- partial indexes: an engine takes one only where the condition itself stands in the statement ---- */

static bool is_not_closed(const struct filter *f)
{
    for (size_t i = 0; i < f->list.n; i++)
        if (strcmp(f->list.texts[i], "closed") == 0)
            return false;
    return (f->op == OP_EQ || f->op == OP_IN) && !f->list.empty;
}

static bool is_true(const struct filter *f)
{
    return f->op == OP_EQ && f->list.n == 1 && f->numbers[0] == 1;
}

static bool is_above_0(const struct filter *f)
{
    return (f->op == OP_EQ || f->op == OP_GE || f->op == OP_BETWEEN) && f->list.n && f->numbers[0] > 0;
}

static const struct {
    const char *expression, *condition;
    bool (*implied)(const struct filter *);
    bool few; /* sessions are in the index */
} partial[] = {
    {"s.\"state\"", "s.\"state\" <> 'closed' AND ", is_not_closed, .few = true},
    {"s.\"outside_hours\"", "s.\"outside_hours\" = 1 AND ", is_true, .few = false},
    {"s.\"injections_failed\"", "s.\"injections_failed\" > 0 AND ", is_above_0, .few = false},
};
#define NPARTIAL (sizeof(partial) / sizeof(*partial))

static bool is_implied(size_t i, const struct filter *f)
{
    return strcmp(partial[i].expression, f->column->expression) == 0 && partial[i].implied(f);
}

static void write_partial(struct sql *sql, const struct filter *f)
{
    for (size_t i = 0; i < NPARTIAL; i++)
        if (is_implied(i, f))
            sql_str(sql, partial[i].condition);
}

static bool partial_leaves_few(const struct query *q)
{
    for (size_t n = 0; n < q->nfilters; n++)
        for (size_t i = 0; i < NPARTIAL; i++)
            if (partial[i].few && is_implied(i, &q->filters[n]))
                return true;
    return false;
}

static void write_empty(struct sql *sql, const struct filter *f)
{
    const struct text_list none = {.empty = true};

    write_list(sql, f->column->expression, &none, f->column->type == VALUE_TEXT ? NULL : f, f->negated);
}

void where_filter(struct sql *sql, const struct filter *f)
{
    const struct filter *numbers = f->column->type == VALUE_TEXT ? NULL : f;

    switch (f->op) {
    case OP_EQ:
    case OP_IN: write_list(sql, f->column->expression, &f->list, numbers, false); break;
    case OP_NE:
    case OP_NOTIN: write_list(sql, f->column->expression, &f->list, numbers, true); break;
    case OP_CONTAINS:
    case OP_STARTS: where_like(sql, f->column->expression, f->pattern); break;
    case OP_GE: write_compared(sql, f, " >= ", f->numbers[0]); break;
    case OP_LE: write_compared(sql, f, " <= ", f->numbers[0]); break;
    case OP_BETWEEN:
        write_compared(sql, f, " >= ", f->numbers[0]);
        sql_str(sql, " AND ");
        write_compared(sql, f, " <= ", f->numbers[1]);
        break;
    case OP_EMPTY: write_empty(sql, f); break;
    case OP_NOPS: break;
    }
}

/* ---- the whole ---- */

static bool is_given(const struct text_list *list)
{
    return list->n || list->empty;
}

/* The list on an expression that no index is chosen for. */
static void write_unindexed(struct sql *sql, const char *expression, const struct text_list *list)
{
    struct buf text = BUF_INIT(4096);

    dialect_write(&text, sql->dialect->not_indexed, expression);
    const char *unindexed = text.failed ? NULL : buf_cstr(&text);
    if (unindexed)
        where_list(sql, unindexed, list, false);
    sql->text.failed |= !unindexed;
    buf_free(&text);
}

/* A jump group has many sessions: where another index leaves fewer rows, the group's is not to be chosen. */
static bool group_is_last(const struct query *q, const struct needs *needs)
{
    return needs->group_last || q->dataset->parent || partial_leaves_few(q);
}

static void write_frame(struct sql *sql, const struct query *q, bool *any, struct needs *needs)
{
    const struct dataset *d = q->dataset;
    bool group_last = group_is_last(q, needs);
    const struct {
        const char *expression;
        const struct text_list *list;
        bool of_parent, few;
    } rows[] = {
        {d->group, &q->group, true, false},
        {d->user, &q->user, d->user_of_parent, true},
        {d->endpoint, &q->endpoint, true, true},
    };

    where_hosts(sql, q, d->host, any);
    needs->parent |= !q->all_hosts && d->host_of_parent;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!rows[i].expression || !is_given(rows[i].list))
            continue;
        where_and(sql, any);
        if (rows[i].list == &q->group && group_last)
            write_unindexed(sql, rows[i].expression, rows[i].list);
        else
            where_list(sql, rows[i].expression, rows[i].list, false);
        needs->parent |= rows[i].of_parent;
        needs->parent_first |= rows[i].of_parent && rows[i].few;
    }
}

/* Whether it leaves few sessions: a person, an endpoint, one session. */
static bool leaves_few(const struct dataset *d, const struct filter *f)
{
    return f->column->flags & COL_PARENT && (f->op == OP_EQ || f->op == OP_IN) && !f->list.empty &&
           f->column->expression != d->host && f->column->expression != d->group;
}

static void write_time(struct sql *sql, const struct dataset *d, const struct needs *needs)
{
    if (needs->time_last)
        dialect_write(&sql->text, sql->dialect->not_indexed, d->time);
    else
        sql_str(sql, d->time);
}

void where_write(struct sql *sql, const struct query *q, const struct window *window, struct needs *needs)
{
    const struct dataset *d = q->dataset;
    bool any = false;

    if (d->time && window->from != ALWAYS_FROM) {
        where_and(sql, &any);
        write_time(sql, d, needs);
        sql_str(sql, " >= ");
        sql_int(sql, window->from);
    }
    if (d->time && window->to != ALWAYS_TO) {
        where_and(sql, &any);
        write_time(sql, d, needs);
        sql_str(sql, " < ");
        sql_int(sql, window->to);
    }
    write_frame(sql, q, &any, needs);
    for (size_t i = 0; i < q->nfilters; i++) {
        const struct filter *f = &q->filters[i];
        where_and(sql, &any);
        write_partial(sql, f);
        where_filter(sql, f);
        needs->parent |= f->column->flags & COL_PARENT;
        needs->parent_first |= leaves_few(d, f);
    }
}

void from_write(struct sql *sql, const struct query *q, const struct needs *needs)
{
    const struct dataset *d = q->dataset;

    sql_str(sql, " FROM ");
    sql_str(sql, d->table);
    if (!d->parent || !needs->parent)
        return;
    sql_str(sql, d->parent_absent      ? " LEFT JOIN "
                 : needs->parent_first ? " JOIN "
                                       : sql->dialect->join_second);
    sql_str(sql, d->parent);
}
