/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c - values of a column, for lists to choose from.
 *
 * Where an index begins with the column, one value after the other is looked up; some are labels of tallies.
 * Of every other column the newest rows are looked through: the list is a help, not a search.
 */
#include "base/jsonw.h"
#include "reports/query/query_internal.h"

#define VALUES_SHOWN 50
#define NEWEST_ROWS  20000

static const struct {
    const char *dataset, *column, *dim;
} tallied[] = {
    {"sessions", "type", "type"},
    {"events", "type", "event"},
    {"events", "failure_reason", "reason"},
};

struct looking {
    struct query of; /* the query with the dataset that is looked through */
    const struct dataset_column *column;
    const char *pattern; /* NULL = every value */
    struct jsonw *w;
    int64_t n;
};

static void write_condition(struct sql *sql, const struct looking *l, const char *expression,
                            const char *beyond)
{
    sql_expression(sql, expression);
    sql_str(sql, " > ");
    sql_text(sql, beyond);
    if (l->pattern) {
        sql_str(sql, " AND ");
        where_like(sql, expression, l->pattern);
    }
}

/* Writes the first column of each row. */
static enum db_outcome write_values(struct db *db, struct sql *sql, struct looking *l)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = sql_prepare(db, sql, &stmt);

    if (outcome != DB_OK)
        return outcome;
    while ((outcome = db->ops->step(stmt)) == DB_ROW) {
        jsonw_str(l->w, NULL, db->ops->column_text(stmt, 0, NULL));
        l->n++;
    }
    db->ops->finalize(stmt);
    return outcome;
}

static enum db_outcome look_in_tally(struct db *db, struct looking *l, const char *dim)
{
    struct sql sql = sql_start(db->dialect, l->of.ctx->now);
    bool any = true;

    sql_str(&sql, "SELECT DISTINCT \"label\" FROM \"jg_tally\" WHERE \"grain\" = 'm' AND \"dim\" = ");
    sql_text(&sql, dim);
    where_hosts(&sql, &l->of, "\"host_name\"", &any);
    sql_str(&sql, " AND ");
    write_condition(&sql, l, "\"label\"", "");
    sql_str(&sql, " ORDER BY \"label\"");
    sql_limit(&sql, VALUES_SHOWN);
    enum db_outcome outcome = write_values(db, &sql, l);
    sql_free(&sql);
    return outcome;
}

/* The least value beyond one; *value is "" where there is none. */
static enum db_outcome next_value(struct db *db, struct looking *l, const char **value)
{
    const struct dataset *d = l->of.dataset;
    struct sql sql = sql_start(db->dialect, l->of.ctx->now);
    struct db_stmt *stmt;
    bool any = true;

    sql_str(&sql, "SELECT ");
    sql_str(&sql, l->column->expression);
    sql_str(&sql, " FROM ");
    sql_str(&sql, d->table);
    sql_str(&sql, " WHERE ");
    write_condition(&sql, l, l->column->expression, *value);
    where_hosts(&sql, &l->of, d->host, &any);
    sql_str(&sql, " ORDER BY ");
    sql_str(&sql, l->column->expression);
    sql_limit(&sql, 1);
    enum db_outcome outcome = sql_prepare(db, &sql, &stmt);
    if (outcome == DB_OK) {
        outcome = db->ops->step(stmt);
        size_t len = 0;
        const char *text = outcome == DB_ROW ? db->ops->column_text(stmt, 0, &len) : "";
        *value = text ? record_text(&l->of.texts, text, len) : "";
        db->ops->finalize(stmt);
    }
    sql_free(&sql);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome look_up_each(struct db *db, struct looking *l)
{
    const char *value = "";
    enum db_outcome outcome = DB_OK;

    while (l->n < VALUES_SHOWN) {
        outcome = next_value(db, l, &value);
        if (outcome == DB_OK && !value)
            return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
        if (outcome != DB_OK || !*value)
            break;
        jsonw_str(l->w, NULL, value);
        l->n++;
    }
    return outcome;
}

static enum db_outcome look_through_newest(struct db *db, struct looking *l)
{
    const struct dataset *d = l->of.dataset;
    struct sql sql = sql_start(db->dialect, l->of.ctx->now);
    struct needs needs = {.parent =
                              (l->column->flags & COL_PARENT) || (!l->of.all_hosts && d->host_of_parent)};
    bool any = false;

    sql_str(&sql, "SELECT DISTINCT \"value\" FROM (SELECT ");
    sql_expression(&sql, l->column->expression);
    sql_str(&sql, " AS \"value\"");
    from_write(&sql, &l->of, &needs);
    where_hosts(&sql, &l->of, d->host, &any);
    sql_str(&sql, " ORDER BY ");
    sql_str(&sql, d->time ? d->time : d->order[0].expression);
    sql_str(&sql, " DESC");
    sql_limit(&sql, NEWEST_ROWS);
    sql_str(&sql, ") v WHERE ");
    write_condition(&sql, l, "\"value\"", "");
    sql_str(&sql, " ORDER BY \"value\"");
    sql_limit(&sql, VALUES_SHOWN);
    enum db_outcome outcome = write_values(db, &sql, l);
    sql_free(&sql);
    return outcome;
}

static enum db_outcome look(struct db *db, struct looking *l)
{
    if (l->column->type == VALUE_BOOL) {
        jsonw_str(l->w, NULL, "false");
        jsonw_str(l->w, NULL, "true");
    }
    if (l->column->type != VALUE_TEXT)
        return DB_OK;
    for (size_t i = 0; i < sizeof(tallied) / sizeof(*tallied); i++)
        if (strcmp(tallied[i].dataset, l->of.dataset->name) == 0 &&
            strcmp(tallied[i].column, l->column->name) == 0)
            return look_in_tally(db, l, tallied[i].dim);
    return l->column->flags & COL_LED ? look_up_each(db, l) : look_through_newest(db, l);
}

enum query_outcome query_values(struct db *db, const struct query *q, const char *column, struct buf *json,
                                struct query_result *result)
{
    struct jsonw w = jsonw_start(json);
    struct looking l = {.of = *q, .column = dataset_column(q->dataset, column), .w = &w};

    if (!l.column)
        return QUERY_NOT_FOUND;
    l.of.texts = (struct record_arena){.limit = 0};
    /* What a row has of its session is looked for among the sessions. */
    const struct dataset *sessions = dataset_named("sessions");
    const struct dataset_column *there = dataset_column(sessions, column);
    if (l.column->flags & COL_PARENT && there) {
        l.of.dataset = sessions;
        l.column = there;
    }
    jsonw_object(&w, NULL);
    jsonw_array(&w, "values");
    enum db_outcome outcome = db->ops->begin(db, false);
    if (outcome == DB_OK && *q->prefix) {
        l.pattern = like_pattern(&l.of, q->prefix, false);
        outcome = l.pattern ? DB_OK : DB_NO_MEMORY;
    }
    if (outcome == DB_OK)
        outcome = look(db, &l);
    db->ops->rollback(db);
    jsonw_end(&w);
    jsonw_end(&w);
    record_arena_free(&l.of.texts);
    if (result)
        *result = (struct query_result){.rows = l.n};
    return outcome == DB_OK && json->failed ? QUERY_NO_MEMORY : query_of(outcome);
}
