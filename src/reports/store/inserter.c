/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inserter.c - rows of one table in statements of several rows; see inserter.h.
 */
#include "reports/store/inserter.h"

#include "reports/records.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MAX (1024 * 1024)

size_t text_cut(const char *text, int characters)
{
    size_t n = strlen(text), at = 0;

    if (characters == 0 || n <= (size_t)characters)
        return n;
    for (int seen = 0; at < n; at++)
        if (((unsigned char)text[at] & 0xc0) != 0x80 && seen++ == characters)
            break;
    return at;
}

static enum db_outcome no_memory(struct inserter *ins)
{
    return db_fail(ins->db, DB_NO_MEMORY, 0, "out of memory");
}

enum db_outcome inserter_init(struct inserter *ins, struct db *db, const char *table)
{
    *ins = (struct inserter){.db = db, .table = schema_table(table), .max_rows = 1};
    ins->sizes = calloc(ins->table->ncolumns, sizeof(*ins->sizes));
    if (!ins->sizes)
        return no_memory(ins);
    for (size_t i = 0; i < ins->table->ncolumns; i++)
        if (ins->table->columns[i].kind != COLUMN_TIME)
            ins->sizes[ins->ncolumns++] = ins->table->columns[i].size;
    const struct dialect *d = db->dialect;
    while (ins->max_rows * 2 <= d->max_rows && ins->max_rows * 2 * ins->ncolumns <= d->max_parameters &&
           ins->max_rows < 1U << (INSERTER_SIZES - 1))
        ins->max_rows *= 2;
    ins->values = calloc((size_t)ins->max_rows * ins->ncolumns, sizeof(*ins->values));
    if (ins->values)
        return DB_OK;
    inserter_free(ins);
    return no_memory(ins);
}

void inserter_free(struct inserter *ins)
{
    free(ins->sizes);
    free(ins->values);
    ins->sizes = NULL;
    ins->values = NULL;
}

void inserter_clear(struct inserter *ins)
{
    ins->rows = ins->at = 0;
    ins->overflow = false;
}

/* The place of the next value; NULL when the row has all it takes. */
static struct insert_value *next_value(struct inserter *ins)
{
    if (ins->at == ins->ncolumns) {
        ins->overflow = true;
        return NULL;
    }
    return &ins->values[(size_t)ins->rows * ins->ncolumns + ins->at++];
}

void insert_int(struct inserter *ins, int64_t number)
{
    struct insert_value *v = next_value(ins);

    if (v)
        *v = (struct insert_value){.number = number, .null = number == RECORD_NONE};
}

void insert_text(struct inserter *ins, const char *text)
{
    struct insert_value *v = next_value(ins);

    if (v)
        *v = (struct insert_value){
            .text = text, .len = text ? text_cut(text, ins->sizes[ins->at - 1]) : 0, .null = !text};
}

void insert_word(struct inserter *ins, const char *text)
{
    insert_text(ins, text ? text : "");
}

static enum db_outcome statement(struct inserter *ins, unsigned size)
{
    struct buf sql = BUF_INIT(SQL_MAX);

    if (ins->stmts[size])
        return DB_OK;
    schema_insert(ins->db->dialect, ins->table, 1U << size, &sql);
    const char *text = sql.failed ? NULL : buf_cstr(&sql);
    enum db_outcome outcome = text ? ins->db->ops->prepare(ins->db, text, &ins->stmts[size]) : no_memory(ins);
    buf_free(&sql);
    return outcome;
}

static void bind_values(struct inserter *ins, struct db_stmt *stmt, const struct insert_value *v, unsigned n)
{
    const struct db_ops *ops = ins->db->ops;

    for (unsigned i = 0; i < n; i++) {
        if (v[i].null)
            ops->bind_null(stmt, (int)i + 1);
        else if (v[i].text)
            ops->bind_text(stmt, (int)i + 1, v[i].text, v[i].len);
        else
            ops->bind_int(stmt, (int)i + 1, v[i].number);
    }
}

enum db_outcome insert_flush(struct inserter *ins)
{
    unsigned row = 0;
    enum db_outcome outcome = DB_OK;

    for (unsigned size = INSERTER_SIZES; outcome == DB_OK && size-- > 0;) {
        while (outcome == DB_OK && ins->rows - row >= 1U << size) {
            outcome = statement(ins, size);
            if (outcome != DB_OK)
                break;
            bind_values(ins, ins->stmts[size], &ins->values[(size_t)row * ins->ncolumns],
                        ins->ncolumns << size);
            outcome = db_run(ins->db, ins->stmts[size]);
            row += 1U << size;
        }
    }
    ins->rows = 0;
    return outcome;
}

enum db_outcome insert_row(struct inserter *ins)
{
    if (ins->overflow || ins->at != ins->ncolumns) {
        ins->overflow = false;
        return db_fail(ins->db, DB_FAILED, 0, "a row of %s has %u values, not %u", ins->table->name, ins->at,
                       ins->ncolumns);
    }
    ins->at = 0;
    return ++ins->rows == ins->max_rows ? insert_flush(ins) : DB_OK;
}
