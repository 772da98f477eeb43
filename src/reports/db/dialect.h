/*
 * dialect.h - the texts in which the engines differ: one row per engine.
 *
 * SQL is written once, with names from schema.h in double quotes (SQL Server: QUOTED_IDENTIFIER is on), and
 * with what stands here where the engines differ. In a text, {} is the place of its argument.
 *
 * Not here: how an engine is called (sqlite.c, odbc.c).
 */
#ifndef JG_REPORTS_DB_DIALECT_H
#define JG_REPORTS_DB_DIALECT_H

#include "base/buf.h"

#include <stdbool.h>

enum db_engine { DB_SQLITE, DB_POSTGRESQL, DB_SQLSERVER, DB_NENGINES };

struct dialect {
    enum db_engine engine;
    const char *name; /* as `[database] type` has it */

    /* Types of columns. */
    const char *id;         /* identity and primary key */
    const char *integer;    /* 64 bit */
    const char *boolean;    /* 0 or 1 */
    const char *text;       /* of any length */
    const char *short_text; /* {} = characters */
    const char *time;       /* generated; {} = the quoted column of Unix seconds */

    /* Tables and indexes; {} = the quoted name. */
    const char *table_begin; /* creates it unless it is there: up to the opening bracket */
    const char *table_end;   /* of a table with an identity */
    const char *primary_key; /* of several columns, up to the opening bracket */
    const char *keyed_end;   /* of a table with such a key */
    const char *add_column;  /* up to the definition */
    const char *index_guard; /* before CREATE INDEX; {} = the name in single quotes */
    const char *if_absent;   /* between INDEX and the name */
    const char *index_drop;  /* up to the name */
    bool drop_names_table;   /* DROP INDEX name ON table */

    /* Statements. */
    const char *identity_on,
        *identity_off;       /* {} = quoted table: around an INSERT with ids; "" = not needed */
    unsigned max_parameters; /* of one statement */
    unsigned max_rows;       /* of one INSERT */
    bool merge;              /* upsert is MERGE, not ON CONFLICT */
    bool wide_indexes;       /* a row of an index has no limit of its own */
    const char *limit;       /* behind ORDER BY; {} = a number or `?` */
    const char *open_writer; /* run once by a connection that writes; {} = milliseconds to wait for a lock */
    const char *open_reader; /* by one that reads */
    const char *write_lock;  /* of a transaction, in its first statement; {} = milliseconds to wait */
    const char *lock_holder; /* its one column names who has the collector's lock */
    const char *collector_unlock;
    const char *name_session;   /* one parameter: a name that lock_holder gives; NULL = the connection's */
    const char *collector_lock; /* its one column is 1 when this connection has it; NULL: a lock of files */
    const char *file;           /* its one column is the database's file, links resolved; NULL: a server's */
    const char *bytes;          /* its one column is the size of the database; NULL: that of its file */
    const char *columns_of;     /* one parameter, a table: a row per column, its name */
    const char *reclaim;        /* gives pages back that retention has freed; NULL = the engine does */

    /* Expressions. */
    const char *month_of; /* {} = Unix seconds: the start of their month (UTC) in Unix seconds */
    const char *bigint;   /* {} = a text of digits, as a number */
    const char *like; /* {} = a text: whether a pattern (`?`, in lower case, escaped with !) fits it, ASCII
                         letters in any case */

    /* For engines that know nothing of how values are spread. */
    const char *join_second; /* join whose second table is read second */
    const char *not_indexed; /* {} = a column: the same, but no index is chosen for it */
};

const struct dialect *dialect_of(enum db_engine);
const struct dialect *dialect_named(const char *name); /* NULL = there is none */

/* Appends a text with its argument in the place of each {}. */
void dialect_write(struct buf *, const char *text, const char *argument);

#endif
