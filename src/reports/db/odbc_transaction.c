/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc_transaction.c - begin, commit and rollback of the ODBC engine; see odbc.c.
 */
#include "reports/db/odbc_internal.h"

static enum db_outcome set_autocommit(struct odbc *o, bool on)
{
    SQLULEN value = on ? SQL_AUTOCOMMIT_ON : SQL_AUTOCOMMIT_OFF;

    if (SQL_SUCCEEDED(SQLSetConnectAttr(o->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)value, SQL_IS_UINTEGER)))
        return DB_OK;
    return odbc_failed(o, SQL_HANDLE_DBC, o->dbc);
}

/* The transaction is over, in whatever way. */
static void leave(struct odbc *o)
{
    o->in_transaction = o->spoilt = o->untouched = false;
    if (o->connected && !o->lost && set_autocommit(o, true) != DB_OK)
        o->lost = true;
}

static enum db_outcome begin_here(struct odbc *o, bool write)
{
    enum db_outcome outcome = odbc_ready(o);

    if (outcome == DB_OK)
        outcome = set_autocommit(o, false);
    if (outcome != DB_OK)
        return outcome;
    o->in_transaction = true;
    o->untouched = !write;
    return write ? odbc_run_dialect(o, o->db.dialect->write_lock) : DB_OK;
}

void odbc_rollback(struct db *db)
{
    struct odbc *o = odbc_of(db);
    struct db_error kept = db->error; /* of what failed before, not of the rollback */
    struct odbc_handle *h;

    if (!o->in_transaction)
        return;
    LIST_FOREACH(h, &o->handles, link)
    odbc_close_rows(h);
    if (o->connected && !o->lost && !SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_ROLLBACK)))
        o->lost = true; /* the server rolls back what its connection leaves */
    leave(o);
    db->error = kept;
}

enum db_outcome odbc_begin_again(struct odbc *o)
{
    odbc_rollback(&o->db);
    return begin_here(o, false);
}

enum db_outcome odbc_begin(struct db *db, bool write)
{
    struct odbc *o = odbc_of(db);
    uint64_t connection = db->connections;

    if (odbc_is_interrupted(o))
        return DB_INTERRUPTED;
    enum db_outcome outcome = begin_here(o, write);
    if (outcome == DB_AWAY && db->connections == connection && connection > 0) {
        odbc_rollback(db); /* the connection was old, and nothing has been done on it */
        outcome = begin_here(o, write);
    }
    if (outcome != DB_OK)
        odbc_rollback(db);
    return outcome;
}

enum db_outcome odbc_commit(struct db *db)
{
    struct odbc *o = odbc_of(db);
    struct odbc_handle *h;

    if (!o->in_transaction)
        return db_fail(db, DB_FAILED, 0, "no transaction is open");
    if (o->spoilt || o->lost) {
        if (!o->lost)
            (void)db_fail(db, DB_FAILED, 0, "a statement of the transaction has failed");
        else
            (void)db_fail(db, DB_AWAY, 0, "the connection was lost within the transaction");
        odbc_rollback(db);
        return db->error.outcome;
    }
    LIST_FOREACH(h, &o->handles, link)
    odbc_close_rows(h);
    if (!SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, o->dbc, SQL_COMMIT))) {
        enum db_outcome outcome = odbc_failed(o, SQL_HANDLE_DBC, o->dbc);
        odbc_rollback(db);
        return outcome;
    }
    leave(o);
    return DB_OK;
}
