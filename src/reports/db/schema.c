/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema.c - texts from the table of tables: DDL, INSERT, upsert, the document; see schema.h.
 *
 * Not here: the tables (schema_tables.c), running the texts (migrate.c).
 */
#include "reports/db/schema.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 64

const struct schema_table *schema_table(const char *name)
{
    for (size_t i = 0; i < schema_ntables; i++)
        if (strcmp(schema_tables[i].name, name) == 0)
            return &schema_tables[i];
    return NULL;
}

/* ---- parts of texts ---- */

/* Names in the tables have no quotes. */
static void quoted(struct buf *b, const char *name)
{
    (void)buf_printf(b, "\"%s\"", name);
}

/* The next of names that are separated by blanks; "" = there is none. */
static const char *next_name(const char *names, char name[NAME_SIZE])
{
    size_t n = strcspn(names += strspn(names, " "), " ");

    (void)snprintf(name, NAME_SIZE, "%.*s", (int)n, names);
    return names + n;
}

static bool has_name(const char *names, const char *wanted)
{
    char name[NAME_SIZE];

    for (names = next_name(names, name); *name; names = next_name(names, name))
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

/* "a", "b"; with `before` ahead of each. */
static void name_list(struct buf *b, const char *names, const char *before)
{
    char name[NAME_SIZE];
    const char *comma = "";

    for (names = next_name(names, name); *name; names = next_name(names, name)) {
        (void)buf_printf(b, "%s%s\"%s\"", comma, before, name);
        comma = ", ";
    }
}

static void type_of(const struct dialect *d, const struct schema_column *c, struct buf *b)
{
    char argument[NAME_SIZE] = "";

    if (c->kind == COLUMN_TEXT)
        (void)snprintf(argument, sizeof(argument), "%d", c->size);
    else if (c->kind == COLUMN_TIME)
        (void)snprintf(argument, sizeof(argument), "\"%s\"", c->from);
    const char *text = c->kind == COLUMN_ID     ? d->id
                       : c->kind == COLUMN_INT  ? d->integer
                       : c->kind == COLUMN_BOOL ? d->boolean
                       : c->kind == COLUMN_TIME ? d->time
                       : c->size                ? d->short_text
                                                : d->text;
    dialect_write(b, text, argument);
}

static void definition(const struct dialect *d, const struct schema_column *c, struct buf *b)
{
    quoted(b, c->name);
    (void)buf_char(b, ' ');
    type_of(d, c, b);
    if (c->kind != COLUMN_ID && c->kind != COLUMN_TIME)
        (void)buf_str(b, c->null ? " NULL" : " NOT NULL");
}

/* ---- DDL ---- */

static void create_table(const struct dialect *d, const struct schema_table *t, struct buf *b)
{
    char name[NAME_SIZE];
    const char *comma = "\n    ";

    (void)snprintf(name, sizeof(name), "\"%s\"", t->name);
    dialect_write(b, d->table_begin, name);
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].since > t->since)
            continue;
        (void)buf_str(b, comma);
        definition(d, &t->columns[i], b);
        comma = ",\n    ";
    }
    if (t->key) {
        (void)buf_printf(b, ",\n    %s", d->primary_key);
        name_list(b, t->key, "");
        (void)buf_char(b, ')');
    }
    (void)buf_printf(b, "\n%s;\n", t->key ? d->keyed_end : d->table_end);
}

static void add_columns(const struct dialect *d, const struct schema_table *t, int version, struct buf *b)
{
    char name[NAME_SIZE];

    (void)snprintf(name, sizeof(name), "\"%s\"", t->name);
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].since != version)
            continue;
        dialect_write(b, d->add_column, name);
        definition(d, &t->columns[i], b);
        (void)buf_str(b, ";\n");
    }
}

void schema_ddl_tables(const struct dialect *d, int version, struct buf *b)
{
    for (size_t i = 0; i < schema_ntables; i++) {
        const struct schema_table *t = &schema_tables[i];

        if (t->since == version)
            create_table(d, t, b);
        else if (t->since < version)
            add_columns(d, t, version, b);
    }
}

void schema_ddl_index(const struct dialect *d, const struct schema_index *x, bool drop, struct buf *b)
{
    char name[NAME_SIZE];

    if (drop) {
        (void)buf_printf(b, "%s\"%s\"", d->index_drop, x->name);
        if (d->drop_names_table)
            (void)buf_printf(b, " ON \"%s\"", x->table);
        (void)buf_str(b, ";\n");
        return;
    }
    (void)snprintf(name, sizeof(name), "'%s'", x->name);
    dialect_write(b, d->index_guard, name);
    (void)buf_printf(b, "CREATE %sINDEX %s\"%s\" ON \"%s\" (", x->unique ? "UNIQUE " : "", d->if_absent,
                     x->name, x->table);
    name_list(b, x->columns, "");
    if (x->more && d->wide_indexes) {
        (void)buf_str(b, ", ");
        name_list(b, x->more, "");
    }
    (void)buf_char(b, ')');
    if (x->where)
        (void)buf_printf(b, " WHERE %s", x->where);
    (void)buf_str(b, ";\n");
}

void schema_ddl_version(const struct dialect *d, int version, struct buf *b)
{
    schema_ddl_tables(d, version, b);
    for (size_t i = 0; i < schema_nindexes; i++)
        if (schema_indexes[i].since == version && schema_indexes[i].kind <= INDEX_VENDOR_ALWAYS)
            schema_ddl_index(d, &schema_indexes[i], false, b);
}

void schema_ddl(const struct dialect *d, struct buf *b)
{
    for (int version = 1; version <= SCHEMA_VERSION; version++)
        schema_ddl_tables(d, version, b);
    for (size_t i = 0; i < schema_nindexes; i++)
        schema_ddl_index(d, &schema_indexes[i], false, b);
}

/* ---- statements ---- */

/* Of the columns that are given: name, ?, or an assignment; `skip` = names that are left out. */
static size_t each_column(struct buf *b, const struct schema_table *t, const char *format, const char *skip,
                          bool with_id)
{
    size_t n = 0;

    for (size_t i = 0; i < t->ncolumns; i++) {
        const struct schema_column *c = &t->columns[i];

        if (c->kind == COLUMN_TIME || (c->kind == COLUMN_ID && !with_id) || has_name(skip, c->name))
            continue;
        (void)buf_str(b, n++ ? ", " : "");
        dialect_write(b, format, c->name);
    }
    return n;
}

void schema_insert(const struct dialect *d, const struct schema_table *t, unsigned rows, struct buf *b)
{
    char name[NAME_SIZE];

    (void)snprintf(name, sizeof(name), "\"%s\"", t->name);
    if (!t->key)
        dialect_write(b, d->identity_on, name);
    (void)buf_printf(b, "INSERT INTO %s (", name);
    (void)each_column(b, t, "\"{}\"", "", true);
    (void)buf_str(b, ") VALUES ");
    for (unsigned i = 0; i < rows; i++) {
        (void)buf_str(b, i ? ", (" : "(");
        (void)each_column(b, t, "?", "", true);
        (void)buf_char(b, ')');
    }
    if (!t->key)
        dialect_write(b, d->identity_off, name);
}

static void write_merge(const struct schema_table *t, const char *keys, enum schema_upsert how, struct buf *b)
{
    char name[NAME_SIZE];
    const char *and = "";

    (void)buf_printf(b, "MERGE INTO \"%s\" WITH (HOLDLOCK) AS t USING (VALUES (", t->name);
    (void)each_column(b, t, "?", "", false);
    (void)buf_str(b, ")) AS s (");
    (void)each_column(b, t, "\"{}\"", "", false);
    (void)buf_str(b, ") ON ");
    for (const char *p = next_name(keys, name); *name; p = next_name(p, name)) {
        (void)buf_printf(b, "%st.\"%s\" = s.\"%s\"", and, name, name);
        and = " AND ";
    }
    if (how != UPSERT_NOTHING) {
        (void)buf_str(b, " WHEN MATCHED THEN UPDATE SET ");
        (void)each_column(b, t, how == UPSERT_ADD ? "\"{}\" = t.\"{}\" + s.\"{}\"" : "\"{}\" = s.\"{}\"",
                          keys, false);
    }
    (void)buf_str(b, " WHEN NOT MATCHED THEN INSERT (");
    (void)each_column(b, t, "\"{}\"", "", false);
    (void)buf_str(b, ") VALUES (");
    (void)each_column(b, t, "s.\"{}\"", "", false);
    (void)buf_str(b, ");");
}

static void write_on_conflict(const struct schema_table *t, const char *keys, enum schema_upsert how,
                              struct buf *b)
{
    (void)buf_printf(b, "INSERT INTO \"%s\" AS t (", t->name);
    (void)each_column(b, t, "\"{}\"", "", false);
    (void)buf_str(b, ") VALUES (");
    (void)each_column(b, t, "?", "", false);
    (void)buf_str(b, ") ON CONFLICT (");
    name_list(b, keys, "");
    (void)buf_str(b, how == UPSERT_NOTHING ? ") DO NOTHING" : ") DO UPDATE SET ");
    if (how != UPSERT_NOTHING)
        (void)each_column(
            b, t, how == UPSERT_ADD ? "\"{}\" = t.\"{}\" + excluded.\"{}\"" : "\"{}\" = excluded.\"{}\"",
            keys, false);
}

void schema_upsert(const struct dialect *d, const struct schema_table *t, const char *keys,
                   enum schema_upsert how, struct buf *b)
{
    if (d->merge)
        write_merge(t, keys, how, b);
    else
        write_on_conflict(t, keys, how, b);
}
