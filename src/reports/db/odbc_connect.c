/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_connect.c - the connection of the ODBC engine, and running texts on it; see odbc.c.
 */
#include "reports/db/odbc_internal.h"

#include <stdio.h>
#include <string.h>

#define SETUP_SIZE 1024

bool odbc_is_interrupted(struct odbc *o)
{
    if (!canceller_forbids(&o->canceller))
        return false;
    (void)db_fail(&o->db, DB_INTERRUPTED, 0, "interrupted");
    return true;
}

/* ---- running ---- */

void odbc_close_rows(struct odbc_handle *h)
{
    if (h->handle != SQL_NULL_HSTMT && h->open)
        (void)SQLFreeStmt(h->handle, SQL_CLOSE);
    h->open = false;
}

void odbc_release(struct odbc_handle *h)
{
    if (h->handle != SQL_NULL_HSTMT)
        (void)SQLFreeHandle(SQL_HANDLE_STMT, h->handle);
    h->handle = SQL_NULL_HSTMT;
    h->open = h->described = false;
}

SQLRETURN odbc_with_text(SQLHSTMT handle, const char *sql,
                         SQLRETURN (*call)(SQLHSTMT, SQLWCHAR *, SQLINTEGER), bool *no_memory)
{
    struct wide text = {.n = 0};

    *no_memory = !wide_append(&text, sql, strlen(sql));
    SQLRETURN rc = *no_memory ? SQL_ERROR : call(handle, text.units, (SQLINTEGER)text.n);
    wide_free(&text);
    return rc;
}

SQLRETURN odbc_drain(struct odbc *o, SQLHSTMT handle, bool until_rows)
{
    SQLRETURN rc;

    do {
        SQLSMALLINT columns = 0;
        SQLLEN rows = 0;

        rc = SQLNumResultCols(handle, &columns);
        if (!SQL_SUCCEEDED(rc) || (columns > 0 && until_rows))
            return rc;
        if (columns == 0 && SQL_SUCCEEDED(SQLRowCount(handle, &rows)) && rows > 0)
            o->changes = rows;
        rc = SQLMoreResults(handle);
    } while (SQL_SUCCEEDED(rc));
    return rc; /* SQL_NO_DATA: that was all */
}

enum db_outcome odbc_run(struct odbc *o, const char *sql)
{
    enum db_outcome outcome = DB_OK;
    bool no_memory;

    if (o->plain == SQL_NULL_HSTMT && !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, o->dbc, &o->plain))) {
        o->plain = SQL_NULL_HSTMT;
        return odbc_failed(o, SQL_HANDLE_DBC, o->dbc);
    }
    o->changes = 0;
    canceller_running(&o->canceller, o->plain);
    SQLRETURN rc = odbc_with_text(o->plain, sql, SQLExecDirectW, &no_memory);
    if (SQL_SUCCEEDED(rc))
        rc = odbc_drain(o, o->plain, false);
    canceller_running(&o->canceller, SQL_NULL_HSTMT);
    if (!SQL_SUCCEEDED(rc) && rc != SQL_NO_DATA)
        outcome = no_memory ? odbc_no_memory(o) : odbc_failed(o, SQL_HANDLE_STMT, o->plain);
    (void)SQLFreeStmt(o->plain, SQL_CLOSE);
    o->untouched = false;
    o->spoilt |= outcome != DB_OK && o->in_transaction;
    return outcome;
}

/* A text of the dialect with the time to wait for locks; at least 1 ms, since 0 is for ever or not at all. */
enum db_outcome odbc_run_dialect(struct odbc *o, const char *text)
{
    char ms[16];
    struct buf sql = BUF_INIT(SETUP_SIZE);

    if (!text)
        return DB_OK;
    (void)snprintf(ms, sizeof(ms), "%u", o->busy_ms ? o->busy_ms : 1);
    dialect_write(&sql, text, ms);
    const char *whole = sql.failed ? NULL : buf_cstr(&sql);
    enum db_outcome outcome = whole ? odbc_run(o, whole) : odbc_no_memory(o);
    buf_free(&sql);
    return outcome;
}

/* ---- connecting ---- */

void odbc_disconnect(struct odbc *o)
{
    struct odbc_handle *h;

    o->in_transaction = o->spoilt = o->untouched = o->lost = false;
    if (o->dbc == SQL_NULL_HDBC)
        return;
    LIST_FOREACH(h, &o->handles, link)
    odbc_release(h);
    if (o->plain != SQL_NULL_HSTMT)
        (void)SQLFreeHandle(SQL_HANDLE_STMT, o->plain);
    o->plain = SQL_NULL_HSTMT;
    if (o->connected && !SQL_SUCCEEDED(SQLDisconnect(o->dbc))) {
        (void)SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_ROLLBACK); /* it refuses while a transaction is open */
        (void)SQLDisconnect(o->dbc);
    }
    o->connected = false;
    (void)SQLFreeHandle(SQL_HANDLE_DBC, o->dbc);
    o->dbc = SQL_NULL_HDBC;
}

/* What every connection does first. */
static enum db_outcome set_up(struct odbc *o)
{
    const struct dialect *d = o->db.dialect;
    int64_t mine = 1;
    enum db_outcome outcome = odbc_run_dialect(o, o->read_only ? d->open_reader : d->open_writer);

    if (outcome == DB_OK && o->db.collector_lock)
        outcome = db_get_int(&o->db, d->collector_lock, 0, &mine);
    if (outcome == DB_OK && mine != 1)
        outcome =
            db_fail(&o->db, DB_BUSY, 0,
                    "another collector has taken the lock of this database while the connection was lost");
    return outcome;
}

/* The newest text of the login, for the driver. */
static enum db_outcome connect_text(struct odbc *o, struct wide *text)
{
    char *connect = db_login_text(o->login);

    odbc_forget_secrets(o->secrets);
    bool good =
        connect && odbc_find_secrets(connect, o->secrets) && wide_append(text, connect, strlen(connect));
    db_login_wipe(connect);
    return good ? DB_OK : odbc_no_memory(o);
}

static enum db_outcome driver_connect(struct odbc *o)
{
    struct wide text = {.n = 0};
    SQLSMALLINT len;

    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, o->env, &o->dbc))) {
        o->dbc = SQL_NULL_HDBC;
        return odbc_failed(o, SQL_HANDLE_ENV, o->env);
    }
    if (connect_text(o, &text) != DB_OK) {
        wide_free(&text);
        return DB_NO_MEMORY;
    }
    if (o->connect_timeout_s && o->db.dialect->engine == DB_SQLSERVER) /* PostgreSQL's is in the string */
        (void)SQLSetConnectAttr(o->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(SQLULEN)o->connect_timeout_s,
                                SQL_IS_UINTEGER);
    SQLRETURN rc =
        SQLDriverConnectW(o->dbc, NULL, text.units, (SQLSMALLINT)text.n, NULL, 0, &len, SQL_DRIVER_NOPROMPT);
    wide_free(&text);
    if (!SQL_SUCCEEDED(rc)) {
        enum db_outcome outcome = odbc_failed(o, SQL_HANDLE_DBC, o->dbc);
        /* Whatever else it is, there is no connection. */
        return outcome == DB_FAILED ? o->db.error.outcome = DB_AWAY : outcome;
    }
    o->connected = true;
    o->db.connections++;
    return DB_OK;
}

static enum db_outcome connect_now(struct odbc *o)
{
    if (o->connected && !o->lost)
        return DB_OK;
    odbc_disconnect(o);
    enum db_outcome outcome = driver_connect(o);
    if (outcome == DB_OK)
        outcome = set_up(o);
    if (outcome != DB_OK)
        odbc_disconnect(o);
    return outcome;
}

enum db_outcome odbc_ready(struct odbc *o)
{
    if (o->connected && !o->lost)
        return DB_OK;
    if (o->in_transaction)
        return db_fail(&o->db, DB_AWAY, 0, "the connection was lost within the transaction");
    return connect_now(o);
}
