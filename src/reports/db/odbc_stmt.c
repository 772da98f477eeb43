/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_stmt.c - statements of the ODBC engine: parameters, running, rows; see odbc.c.
 *
 * A statement keeps its text and its parameters itself, and has the driver prepare it before it first runs
 * on a connection; so it outlives a lost connection. Texts become UTF-16 when it runs. A row is read whole
 * by step(), column after column in pieces, since drivers give columns in their order only once.
 *
 * Invariants: `handle` is of the connection that stands, which drops it (odbc_connect.c).
 */
#include "reports/db/odbc_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_UNITS    2048
#define NVARCHAR_UNITS 4000 /* SQL Server: longer ones are of type nvarchar(max) */
#define NUMBER_SIZE    24

enum value_kind { VALUE_UNSET, VALUE_NULL, VALUE_INT, VALUE_TEXT };

struct value { /* a parameter */
    enum value_kind kind;
    int64_t number;
    const char *text; /* the caller's */
    size_t len, at;   /* at: of the text in `wide` */
    SQLLEN indicator;
};

struct column { /* of the row that is there */
    bool number;
    bool null;
    int64_t value;            /* of a number */
    size_t at, len;           /* of a text in `row` */
    char digits[NUMBER_SIZE]; /* a number, asked for as a text */
};

struct db_stmt {
    struct odbc_handle h; /* first */
    struct odbc *owner;
    char *sql;
    struct value *params;
    unsigned nparams;
    enum db_outcome bind_outcome; /* of the first bind that failed */
    struct wide wide;
    struct column *columns;
    unsigned ncolumns;
    bool select; /* changes nothing */
    struct narrow row;
    struct wide piece;
};

/* ---- life ---- */

/* Places of parameters in a text: question marks outside of quotes. */
static unsigned count_parameters(const char *sql)
{
    unsigned n = 0;
    char quote = 0;

    for (; *sql; sql++) {
        if (quote)
            quote = *sql == quote ? 0 : quote;
        else if (*sql == '\'' || *sql == '"')
            quote = *sql;
        else
            n += *sql == '?';
    }
    return n;
}

enum db_outcome odbc_prepare(struct db *db, const char *sql, struct db_stmt **stmt)
{
    struct odbc *o = odbc_of(db);
    struct db_stmt *new = calloc(1, sizeof(*new));

    *stmt = NULL;
    if (!new)
        return odbc_no_memory(o);
    new->nparams = count_parameters(sql);
    new->select = strncmp(sql, "SELECT", 6) == 0 || strncmp(sql, "WITH", 4) == 0;
    new->sql = strdup(sql);
    new->params = calloc(new->nparams + 1, sizeof(*new->params));
    if (!new->sql || !new->params) {
        free(new->sql);
        free(new->params);
        free(new);
        return odbc_no_memory(o);
    }
    new->owner = o;
    LIST_INSERT_HEAD(&o->handles, &new->h, link);
    *stmt = new;
    return DB_OK;
}

void odbc_finalize(struct db_stmt *s)
{
    if (!s)
        return;
    odbc_release(&s->h);
    LIST_REMOVE(&s->h, link);
    wide_free(&s->wide);
    wide_free(&s->piece);
    free(s->row.bytes);
    free(s->columns);
    free(s->params);
    free(s->sql);
    free(s);
}

void odbc_reset(struct db_stmt *s)
{
    odbc_close_rows(&s->h);
    s->bind_outcome = DB_OK;
}

void odbc_finalize_all(struct odbc *o)
{
    while (!LIST_EMPTY(&o->handles))
        odbc_finalize((struct db_stmt *)(void *)LIST_FIRST(&o->handles));
}

/* ---- parameters ---- */

static struct value *parameter(struct db_stmt *s, int n)
{
    if (n >= 1 && (unsigned)n <= s->nparams)
        return &s->params[n - 1];
    if (s->bind_outcome == DB_OK)
        s->bind_outcome = db_fail(&s->owner->db, DB_FAILED, 0, "the statement has no parameter %d", n);
    return NULL;
}

void odbc_bind_int(struct db_stmt *s, int n, int64_t number)
{
    struct value *v = parameter(s, n);

    if (v)
        *v = (struct value){.kind = VALUE_INT, .number = number};
}

void odbc_bind_null(struct db_stmt *s, int n)
{
    struct value *v = parameter(s, n);

    if (v)
        *v = (struct value){.kind = VALUE_NULL, .indicator = SQL_NULL_DATA};
}

void odbc_bind_text(struct db_stmt *s, int n, const char *text, size_t len)
{
    struct value *v = parameter(s, n);

    if (!text) {
        odbc_bind_null(s, n);
    } else if (v && memchr(text, 0, len)) {
        if (s->bind_outcome == DB_OK)
            s->bind_outcome = db_fail(&s->owner->db, DB_CONSTRAINT, 0, "a text holds a NUL");
    } else if (v) {
        *v = (struct value){.kind = VALUE_TEXT, .text = text, .len = len};
    }
}

/* All texts into one buffer, which moves while it grows: so they are bound afterwards. */
static bool widen(struct db_stmt *s)
{
    s->wide.n = 0;
    for (unsigned i = 0; i < s->nparams; i++) {
        struct value *v = &s->params[i];

        if (v->kind != VALUE_TEXT)
            continue;
        v->at = s->wide.n;
        if (!wide_append(&s->wide, v->text, v->len))
            return false;
        v->indicator = (SQLLEN)((s->wide.n - v->at) * sizeof(SQLWCHAR));
    }
    return wide_reserve(&s->wide, 1); /* an empty text has a place too */
}

static SQLRETURN bind_one(struct db_stmt *s, unsigned i)
{
    struct value *v = &s->params[i];
    SQLUSMALLINT n = (SQLUSMALLINT)(i + 1);

    if (v->kind == VALUE_INT)
        return SQLBindParameter(s->h.handle, n, SQL_PARAM_INPUT, SQL_C_SBIGINT, SQL_BIGINT, 0, 0, &v->number,
                                0, NULL);
    SQLLEN bytes = v->kind == VALUE_TEXT ? v->indicator : 0;
    SQLULEN units = (SQLULEN)bytes / sizeof(SQLWCHAR);
    bool is_long = units > NVARCHAR_UNITS;
    return SQLBindParameter(s->h.handle, n, SQL_PARAM_INPUT, SQL_C_WCHAR,
                            is_long ? SQL_WLONGVARCHAR : SQL_WVARCHAR, is_long ? units : NVARCHAR_UNITS, 0,
                            bytes ? s->wide.units + v->at : s->wide.units, bytes, &v->indicator);
}

static enum db_outcome bind_all(struct db_stmt *s)
{
    if (!widen(s))
        return odbc_no_memory(s->owner);
    for (unsigned i = 0; i < s->nparams; i++) {
        if (s->params[i].kind == VALUE_UNSET)
            return db_fail(&s->owner->db, DB_FAILED, 0, "parameter %u has no value", i + 1);
        if (!SQL_SUCCEEDED(bind_one(s, i)))
            return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
    }
    return DB_OK;
}

/* ---- running ---- */

static enum db_outcome prepare_here(struct db_stmt *s)
{
    struct odbc *o = s->owner;
    bool no_memory;

    if (s->h.handle != SQL_NULL_HSTMT)
        return DB_OK;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &s->h.handle))) {
        s->h.handle = SQL_NULL_HSTMT;
        return odbc_failed(o, SQL_HANDLE_DBC, o->dbc);
    }
    if (SQL_SUCCEEDED(odbc_with_text(s->h.handle, s->sql, SQLPrepareW, &no_memory)))
        return DB_OK;
    enum db_outcome outcome = no_memory ? odbc_no_memory(o) : odbc_failed(o, SQL_HANDLE_STMT, s->h.handle);
    odbc_release(&s->h);
    return outcome;
}

static bool is_number(SQLSMALLINT type)
{
    static const SQLSMALLINT numbers[] = {SQL_BIGINT, SQL_INTEGER, SQL_SMALLINT, SQL_TINYINT, SQL_BIT};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        if (numbers[i] == type)
            return true;
    return false;
}

static enum db_outcome describe(struct db_stmt *s)
{
    SQLSMALLINT n = 0;

    if (s->h.described)
        return DB_OK;
    if (!SQL_SUCCEEDED(SQLNumResultCols(s->h.handle, &n)))
        return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
    struct column *columns = calloc((size_t)n + 1, sizeof(*columns));
    if (!columns)
        return odbc_no_memory(s->owner);
    free(s->columns);
    s->columns = columns;
    s->ncolumns = (unsigned)n;
    for (SQLSMALLINT i = 0; i < n; i++) {
        SQLSMALLINT type, digits, null, len;
        SQLULEN size;
        SQLWCHAR name[2];

        if (!SQL_SUCCEEDED(SQLDescribeColW(s->h.handle, (SQLUSMALLINT)(i + 1), name, 2, &len, &type, &size,
                                           &digits, &null)))
            return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
        columns[i].number = is_number(type);
    }
    s->h.described = true;
    return DB_OK;
}

static enum db_outcome execute(struct db_stmt *s)
{
    struct odbc *o = s->owner;
    enum db_outcome outcome = prepare_here(s);

    if (outcome == DB_OK)
        outcome = bind_all(s);
    if (outcome != DB_OK)
        return outcome;
    o->changes = 0;
    canceller_running(&o->canceller, s->h.handle);
    SQLRETURN rc = SQLExecute(s->h.handle);
    if (SQL_SUCCEEDED(rc))
        rc = odbc_drain(o, s->h.handle, true);
    canceller_running(&o->canceller, SQL_NULL_HSTMT);
    if (rc == SQL_NO_DATA) { /* no rows to give, or none changed */
        (void)SQLFreeStmt(s->h.handle, SQL_CLOSE);
        return DB_OK;
    }
    if (!SQL_SUCCEEDED(rc))
        return odbc_failed(o, SQL_HANDLE_STMT, s->h.handle);
    s->h.open = true;
    return describe(s);
}

/* ---- rows ---- */

static enum db_outcome get_number(struct db_stmt *s, unsigned i)
{
    SQLLEN indicator = 0;
    struct column *c = &s->columns[i];

    if (!SQL_SUCCEEDED(SQLGetData(s->h.handle, (SQLUSMALLINT)(i + 1), SQL_C_SBIGINT, &c->value,
                                  sizeof(c->value), &indicator)))
        return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
    c->null = indicator == SQL_NULL_DATA;
    return DB_OK;
}

/* Reads what fits; SQL_SUCCESS_WITH_INFO: there is more. */
static SQLRETURN get_piece(struct db_stmt *s, unsigned i, SQLLEN *indicator)
{
    struct wide *p = &s->piece;

    SQLRETURN rc = SQLGetData(s->h.handle, (SQLUSMALLINT)(i + 1), SQL_C_WCHAR, p->units + p->n,
                              (SQLLEN)((p->room - p->n) * sizeof(*p->units)), indicator);
    if (!SQL_SUCCEEDED(rc) || *indicator == SQL_NULL_DATA)
        return rc;
    size_t room = p->room - p->n - 1; /* its last unit is a NUL */
    bool more = *indicator == SQL_NO_TOTAL || (size_t)*indicator > room * sizeof(*p->units);
    p->n += more ? room : (size_t)*indicator / sizeof(*p->units);
    return more ? SQL_SUCCESS_WITH_INFO : SQL_SUCCESS;
}

static enum db_outcome get_text(struct db_stmt *s, unsigned i)
{
    struct column *c = &s->columns[i];
    SQLLEN indicator = 0;
    SQLRETURN rc;

    s->piece.n = 0;
    do {
        if (!wide_reserve(&s->piece, PIECE_UNITS))
            return odbc_no_memory(s->owner);
        rc = get_piece(s, i, &indicator);
    } while (rc == SQL_SUCCESS_WITH_INFO);
    c->null = rc == SQL_SUCCESS && indicator == SQL_NULL_DATA;
    if (!SQL_SUCCEEDED(rc) && rc != SQL_NO_DATA)
        return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
    c->at = s->row.n;
    if (!narrow_append(&s->row, s->piece.units, s->piece.n))
        return odbc_no_memory(s->owner);
    c->len = s->row.n - c->at - 1;
    return DB_OK;
}

static enum db_outcome fetch_row(struct db_stmt *s)
{
    SQLRETURN rc = SQLFetch(s->h.handle);
    enum db_outcome outcome = DB_ROW;

    if (rc == SQL_NO_DATA) {
        rc = odbc_drain(s->owner, s->h.handle, false); /* closes the rows; later parts of the text may fail */
        outcome = rc == SQL_NO_DATA || SQL_SUCCEEDED(rc)
                      ? DB_OK
                      : odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
        (void)SQLFreeStmt(s->h.handle, SQL_CLOSE);
        s->h.open = false;
        return outcome;
    }
    if (!SQL_SUCCEEDED(rc))
        return odbc_failed(s->owner, SQL_HANDLE_STMT, s->h.handle);
    s->row.n = 0;
    for (unsigned i = 0; outcome == DB_ROW && i < s->ncolumns; i++) {
        enum db_outcome got = s->columns[i].number ? get_number(s, i) : get_text(s, i);
        outcome = got == DB_OK ? DB_ROW : got;
    }
    return outcome;
}

static enum db_outcome fetch(struct db_stmt *s)
{
    canceller_running(&s->owner->canceller, s->h.handle);
    enum db_outcome outcome = fetch_row(s);
    canceller_running(&s->owner->canceller, SQL_NULL_HSTMT);
    return outcome;
}

/* A statement that failed to find its connection is run once more where nothing can have been changed. */
static enum db_outcome first_step(struct db_stmt *s)
{
    struct odbc *o = s->owner;
    enum db_outcome outcome = odbc_ready(o);
    uint64_t connection = o->db.connections;

    if (outcome == DB_OK)
        outcome = execute(s);
    if (outcome == DB_AWAY && s->select && (!o->in_transaction || o->untouched) &&
        o->db.connections == connection) {
        outcome = o->in_transaction ? odbc_begin_again(o) : odbc_ready(o);
        if (outcome == DB_OK)
            outcome = execute(s);
    }
    o->untouched = false;
    return outcome;
}

enum db_outcome odbc_step(struct db_stmt *s)
{
    struct odbc *o = s->owner;
    enum db_outcome outcome = s->bind_outcome;

    if (outcome == DB_OK && odbc_is_interrupted(o))
        outcome = DB_INTERRUPTED;
    bool first = !s->h.open;
    if (outcome == DB_OK && first)
        outcome = first_step(s);
    if (outcome == DB_OK && s->h.open)
        outcome = fetch(s);
    if (outcome != DB_OK && outcome != DB_ROW) {
        o->spoilt |= o->in_transaction;
        odbc_reset(s);
    }
    return outcome;
}

/* ---- columns ---- */

static struct column *column(struct db_stmt *s, int n)
{
    return s->h.open && n >= 0 && (unsigned)n < s->ncolumns && !s->columns[n].null ? &s->columns[n] : NULL;
}

bool odbc_column_is_null(struct db_stmt *s, int n)
{
    return !column(s, n);
}

int64_t odbc_column_int(struct db_stmt *s, int n)
{
    const struct column *c = column(s, n);

    /* A sum is a decimal number of any size, which drivers give as a text. */
    return !c ? 0 : c->number ? c->value : strtoll(s->row.bytes + c->at, NULL, 10);
}

const char *odbc_column_text(struct db_stmt *s, int n, size_t *len)
{
    struct column *c = column(s, n);
    const char *text = NULL;

    if (c && c->number) {
        (void)snprintf(c->digits, sizeof(c->digits), "%" PRId64, c->value);
        text = c->digits;
    } else if (c) {
        text = s->row.bytes + c->at;
    }
    if (len)
        *len = !c ? 0 : c->number ? strlen(text) : c->len;
    return text;
}
