/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql.c - a statement that is put together; see sql.h.
 */
#include "reports/query/sql.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MAX    (256 * 1024) /* bytes of a statement: far more than the limits of a query allow */
#define FIRST_ROOM 32

struct sql sql_start(const struct dialect *dialect, int64_t now)
{
    return (struct sql){.dialect = dialect, .now = now, .text = BUF_INIT(SQL_MAX)};
}

void sql_free(struct sql *sql)
{
    buf_free(&sql->text);
    free(sql->values);
    sql->values = NULL;
    sql->n = sql->room = 0;
}

void sql_str(struct sql *sql, const char *text)
{
    (void)buf_str(&sql->text, text);
}

static void add_value(struct sql *sql, const struct sql_value *value)
{
    if (sql->n == sql->room) {
        size_t room = sql->room ? sql->room * 2 : FIRST_ROOM;
        struct sql_value *more = realloc(sql->values, room * sizeof(*more));
        if (!more) {
            sql->failed = true;
            return;
        }
        sql->values = more;
        sql->room = room;
    }
    sql->values[sql->n++] = *value;
}

void sql_int(struct sql *sql, int64_t value)
{
    sql_str(sql, "?");
    add_value(sql, &(struct sql_value){.number = value});
}

void sql_text(struct sql *sql, const char *value)
{
    sql_str(sql, "?");
    add_value(sql, &(struct sql_value){.text = value, .len = strlen(value)});
}

void sql_limit(struct sql *sql, int64_t rows)
{
    dialect_write(&sql->text, sql->dialect->limit, "?");
    add_value(sql, &(struct sql_value){.number = rows});
}

void sql_expression(struct sql *sql, const char *text)
{
    const char *place;

    while ((place = strchr(text, '{'))) {
        (void)buf_append(&sql->text, text, (size_t)(place - text));
        if (strncmp(place, "{now}", 5) == 0)
            sql_int(sql, sql->now);
        else
            dialect_write(&sql->text, sql->dialect->limit, "1");
        text = strchr(place, '}') + 1;
    }
    sql_str(sql, text);
}

void sql_add(struct sql *sql, const struct sql *part)
{
    (void)buf_append(&sql->text, part->text.data, part->text.len);
    for (size_t i = 0; i < part->n; i++)
        add_value(sql, &part->values[i]);
    sql->failed |= part->failed || part->text.failed;
}

enum db_outcome sql_prepare(struct db *db, struct sql *sql, struct db_stmt **stmt)
{
    const char *text = buf_cstr(&sql->text);

    *stmt = NULL;
    if (!text || sql->failed || sql->text.failed)
        return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
    if (sql->n > sql->dialect->max_parameters)
        return db_fail(db, DB_FAILED, 0, "a statement of %zu parameters", sql->n);
    enum db_outcome outcome = db->ops->prepare(db, text, stmt);
    if (outcome != DB_OK)
        return outcome;
    for (size_t i = 0; i < sql->n; i++) {
        const struct sql_value *v = &sql->values[i];
        if (v->text)
            db->ops->bind_text(*stmt, (int)i + 1, v->text, v->len);
        else
            db->ops->bind_int(*stmt, (int)i + 1, v->number);
    }
    return DB_OK;
}

enum db_outcome sql_number(struct db *db, struct sql *sql, int64_t *value)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = sql_prepare(db, sql, &stmt);

    *value = 0;
    if (outcome != DB_OK)
        return outcome;
    outcome = db->ops->step(stmt);
    if (outcome == DB_ROW) {
        *value = db->ops->column_int(stmt, 0);
        outcome = DB_OK;
    }
    db->ops->finalize(stmt);
    return outcome;
}
