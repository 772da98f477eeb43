/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights.c - what a login may do with the tables; see schema.h.
 *
 * The server is not asked for its list of rights, which each engine has in another form: what the program
 * does later is tried, on no row, and undone. An engine examines rights before it looks for rows.
 */
#include "reports/db/schema.h"

#define SQL_MAX (256 * 1024)

static enum db_outcome run(struct db *db, struct buf *sql)
{
    const char *text = sql->failed ? NULL : buf_cstr(sql);
    enum db_outcome outcome = text ? db->ops->exec(db, text) : db_fail(db, DB_NO_MEMORY, 0, "out of memory");

    buf_free(sql);
    return outcome;
}

/* A column that is given with a new row and may be changed afterwards. */
static const char *plain_column(const struct schema_table *t)
{
    for (size_t i = 0; i < t->ncolumns; i++)
        if (t->columns[i].kind != COLUMN_ID && t->columns[i].kind != COLUMN_TIME)
            return t->columns[i].name;
    return t->columns[0].name;
}

static enum db_outcome try_writing(struct db *db, const struct schema_table *t)
{
    const char *column = plain_column(t);
    struct buf sql = BUF_INIT(SQL_MAX);

    (void)buf_printf(&sql, "INSERT INTO \"%s\" (\"%s\") SELECT \"%s\" FROM \"%s\" WHERE 1 = 0; ", t->name,
                     column, column, t->name);
    (void)buf_printf(&sql, "UPDATE \"%s\" SET \"%s\" = \"%s\" WHERE 1 = 0; ", t->name, column, column);
    (void)buf_printf(&sql, "DELETE FROM \"%s\" WHERE 1 = 0", t->name);
    return run(db, &sql);
}

/* The DDL is harmless where it has been done, and needs the same rights. */
static enum db_outcome try_all(struct db *db)
{
    enum db_outcome outcome = DB_OK;

    for (int version = 1; outcome == DB_OK && version <= SCHEMA_VERSION; version++) {
        struct buf ddl = BUF_INIT(SQL_MAX);

        schema_ddl_version(db->dialect, version, &ddl);
        outcome = run(db, &ddl);
    }
    for (size_t i = 0; outcome == DB_OK && i < schema_ntables; i++)
        outcome = try_writing(db, &schema_tables[i]);
    return outcome;
}

enum db_outcome schema_may_write(struct db *db)
{
    enum db_outcome outcome = db->ops->begin(db, true);

    if (outcome != DB_OK)
        return outcome;
    outcome = try_all(db);
    db->ops->rollback(db);
    return outcome;
}

enum db_outcome schema_may_read(struct db *db)
{
    enum db_outcome outcome = DB_OK;

    for (size_t i = 0; outcome == DB_OK && i < schema_ntables; i++) {
        struct buf sql = BUF_INIT(SQL_MAX);

        (void)buf_printf(&sql, "SELECT 1 FROM \"%s\" WHERE 1 = 0", schema_tables[i].name);
        outcome = run(db, &sql);
    }
    return outcome;
}
