/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - what is read of SQLite's file to find damage; see verify.h.
 *
 * The ends of a table or index are read by two queries in its own order, first and last row. SQLite checks
 * each page that it reads on the way, so a page that is overwritten or absent is an outcome of the query.
 *
 * Not here: the check of a whole file (db->ops->verify).
 */
#include "reports/db/verify.h"

#include "reports/db/schema.h"

#include <string.h>

#define SQL_MAX 1024

static const struct schema_index *find_index(const char *name)
{
    for (size_t i = 0; i < schema_nindexes; i++)
        if (strcmp(schema_indexes[i].name, name) == 0)
            return &schema_indexes[i];
    return NULL;
}

/* By all columns of a list that is separated by blanks: no other index has this order. */
static void write_order(struct buf *sql, const char *columns, bool last)
{
    const char *before = " ORDER BY ";

    for (size_t len; *columns; columns += len + (columns[len] == ' ')) {
        len = strcspn(columns, " ");
        (void)buf_printf(sql, "%s\"%.*s\"%s", before, (int)len, columns, last ? " DESC" : "");
        before = ", ";
    }
    (void)buf_str(sql, " LIMIT 1");
}

/* NOT INDEXED: by the table's own key. */
static void write_table(struct buf *sql, const struct schema_table *t, bool last)
{
    (void)buf_printf(sql, "SELECT 1 FROM \"%s\" NOT INDEXED", t->name);
    write_order(sql, t->key ? t->key : "id", last);
}

static void write_index(struct buf *sql, const struct schema_index *x, bool last)
{
    (void)buf_printf(sql, "SELECT 1 FROM \"%s\" INDEXED BY \"%s\"", x->table, x->name);
    if (x->where)
        (void)buf_printf(sql, " WHERE %s", x->where);
    write_order(sql, x->columns, last);
}

/* Both ends of the table or index of this name; one that is not of this program's schema is left out. */
static enum db_outcome read_ends(struct db *db, const char *name)
{
    const struct schema_table *table = schema_table(name);
    const struct schema_index *index = find_index(name);
    enum db_outcome outcome = DB_OK;
    int64_t unused;

    for (int last = 0; last < 2 && outcome == DB_OK && (table || index); last++) {
        struct buf sql = BUF_INIT(SQL_MAX);

        if (table)
            write_table(&sql, table, last);
        else
            write_index(&sql, index, last);
        const char *text = sql.failed ? NULL : buf_cstr(&sql);
        outcome = text ? db_get_int(db, text, 0, &unused) : db_fail(db, DB_NO_MEMORY, 0, "out of memory");
        buf_free(&sql);
    }
    return outcome;
}

static enum db_outcome read_all_ends(struct db *db)
{
    struct db_stmt *names;
    enum db_outcome outcome =
        db->ops->prepare(db, "SELECT name FROM sqlite_master WHERE rootpage > 0", &names);

    if (outcome != DB_OK)
        return outcome;
    while ((outcome = db->ops->step(names)) == DB_ROW) {
        const char *name = db->ops->column_text(names, 0, NULL);

        outcome = name ? read_ends(db, name) : DB_OK;
        if (outcome != DB_OK)
            break;
    }
    db->ops->finalize(names);
    return outcome;
}

enum db_outcome db_verify_start(struct db *db, uint64_t whole_max)
{
    int64_t size;
    enum db_outcome outcome;

    if (!db->ops->verify)
        return DB_OK;
    outcome =
        db_get_int(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", 0, &size);
    if (outcome == DB_OK)
        outcome = (uint64_t)size <= whole_max ? db->ops->verify(db) : read_all_ends(db);
    return outcome;
}

enum db_outcome db_verify_whole(struct db *db)
{
    return db->ops->verify ? db->ops->verify(db) : DB_OK;
}
