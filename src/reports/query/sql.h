/*
 * sql.h - a statement that is put together: its text, and the values of its parameters in their order.
 *
 * Texts come from tables of this program; every value goes in as a parameter. Texts of values are not copied:
 * they outlive the statement. A failure sticks; sql_prepare() returns it.
 */
#ifndef JG_REPORTS_QUERY_SQL_H
#define JG_REPORTS_QUERY_SQL_H

#include "base/buf.h"
#include "reports/db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql_value {
    const char *text; /* NULL: the number */
    size_t len;
    int64_t number;
};

struct sql {
    const struct dialect *dialect;
    int64_t now; /* what {now} in an expression is */
    struct buf text;
    struct sql_value *values;
    size_t n, room;
    bool failed;
};

struct sql sql_start(const struct dialect *, int64_t now);
void sql_free(struct sql *);

void sql_str(struct sql *, const char *text); /* a text of this program */
/* The same, in which {now} is the time as a parameter, and {first} the engine's limit to one row. */
void sql_expression(struct sql *, const char *text);
void sql_int(struct sql *, int64_t value); /* ? */
void sql_text(struct sql *, const char *value);
void sql_limit(struct sql *, int64_t rows); /* behind ORDER BY */
void sql_add(struct sql *, const struct sql *part);

/* Prepares it and binds the values; the values are read until the statement is reset. */
enum db_outcome sql_prepare(struct db *, struct sql *, struct db_stmt **);
/* Prepares it, makes one step and gives the first column as a number; 0 where it is null. */
enum db_outcome sql_number(struct db *, struct sql *, int64_t *value);

#endif
