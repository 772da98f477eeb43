/*
 * dialect.h - the texts in which the engines differ: one row per engine.
 *
 * SQL is written once, with names from schema.h in double quotes (SQL Server: the connection sets
 * QUOTED_IDENTIFIER) and what stands here where engines differ. A format takes its arguments in the order of
 * its comment.
 */
#ifndef JG_REPORTS_DB_DIALECT_H
#define JG_REPORTS_DB_DIALECT_H

#include <stdbool.h>

enum db_engine { DB_SQLITE, DB_POSTGRESQL, DB_SQLSERVER, DB_NENGINES };

struct dialect {
    enum db_engine engine;
    const char *name; /* as `[database] type` has it */

    /* Types of columns. */
    const char *id;           /* identity and primary key */
    const char *integer;      /* 64 bit */
    const char *boolean;      /* 0 or 1 */
    const char *text;         /* of any length */
    const char *short_text;   /* %d = characters */
    const char *time;         /* generated; %s = quoted column of Unix seconds */
    const char *table_end;    /* behind the closing bracket, of a table with an identity */
    const char *keyed_end;    /* the same, of a table whose primary key has several columns */
    const char *table_begin;  /* %s = name: CREATE TABLE unless it is there, up to the opening bracket */
    const char *add_column;   /* %s = table: ALTER TABLE up to the definition */
    const char *index_begin;  /* %s = "UNIQUE " or "", %s = name, %s = name, %s = table: up to the bracket */
    const char *index_drop;   /* %s = name, %s = table */
    bool partial_unique_null; /* a unique index counts two nulls as equal (SQL Server) */

    /* Statements. */
    const char *identity_on,
        *identity_off;          /* %s = table: around an INSERT that gives ids; NULL = not needed */
    unsigned max_parameters;    /* of one statement */
    unsigned max_rows;          /* of one INSERT */
    const char *limit;          /* %s = number or `?`: behind ORDER BY */
    const char *for_update;     /* behind a SELECT of a row that is written next */
    const char *collector_lock; /* one SELECT; its column is 1 when this connection has it now. NULL: flock */
    const char *columns_of;     /* one parameter, a table: a row per column, its name */
    const char *reclaim;        /* gives freed pages back after retention; NULL = the engine does it itself */
    const char *length;         /* name of the function that counts characters */

    /* Expressions. */
    const char *month_of; /* %s = expression in Unix seconds: start of its month (UTC) in Unix seconds */
};

const struct dialect *dialect_of(enum db_engine);
const struct dialect *dialect_named(const char *name); /* NULL = there is none */

#endif
