/*
 * inserter.h - rows of one table in statements of several rows.
 *
 *     insert_int(&ins, id);  insert_text(&ins, name);  …  insert_row(&ins);   each row
 *     insert_flush(&ins);                                                    at the end
 *
 * Values come in the order of the table's columns, generated ones left out; texts stay the caller's until the
 * flush. Statements of 1, 2, 4 … rows are prepared when they are first needed, and kept. A text is cut at its
 * column's number of characters; a row with another number of values than the table has is DB_FAILED.
 */
#ifndef JG_REPORTS_STORE_INSERTER_H
#define JG_REPORTS_STORE_INSERTER_H

#include "reports/db/schema.h"

#define INSERTER_SIZES 10 /* 1 to 512 rows */

struct insert_value {
    const char *text; /* NULL: a number, or null */
    union {
        size_t len;
        int64_t number;
    };
    bool null;
};

struct inserter {
    struct db *db;
    const struct schema_table *table;
    unsigned ncolumns, max_rows; /* that are given; of one statement: a power of two */
    int *sizes;                  /* of texts in characters, for each given column; 0 = any */
    struct insert_value *values;
    unsigned rows, at; /* whole rows that wait; values of the next row */
    struct db_stmt *stmts[INSERTER_SIZES];
    bool overflow; /* a row had too many values */
};

enum db_outcome inserter_init(struct inserter *, struct db *, const char *table);
void inserter_free(struct inserter *);  /* its statements are the connection's */
void inserter_clear(struct inserter *); /* drops the rows that wait */

void insert_int(struct inserter *, int64_t);       /* RECORD_NONE = null */
void insert_text(struct inserter *, const char *); /* NULL = null */
void insert_word(struct inserter *, const char *); /* NULL = "" */
enum db_outcome insert_row(struct inserter *);
enum db_outcome insert_flush(struct inserter *);

/* Bytes of a text's first `characters` characters; 0 = of all. Valid UTF-8. */
size_t text_cut(const char *text, int characters);

#endif
