/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc.c - PostgreSQL and SQL Server behind db.h, through unixODBC.
 *
 * One path for both; where they differ, a text of the dialect differs. Texts go to the driver and come from
 * it as UTF-16, which no locale changes. A connection that is lost is dropped with the driver's part of all
 * statements, and is made again when it is next needed outside of a transaction: begin() runs once more what
 * a server that has restarted meanwhile refused.
 *
 * Each write transaction takes the writer's lock of the dialect first, so that two programs that count
 * (collector, recount) write one after the other. The collector's lock belongs to the connection: one that is
 * made again takes it again, and is given up if another has it (DB_BUSY).
 *
 * Invariants: no error text holds a password. A statement is known to the canceller while it runs. A
 * transaction in which a statement failed is never committed, since some servers answer such a commit with
 * success.
 *
 * Not here: connecting (odbc_connect.c), statements (odbc_stmt.c), diagnoses (odbc_error.c), cancelling
 * (odbc_cancel.c), connection strings (server.c).
 */
#include "reports/db/odbc_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- transactions ---- */

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
    o->in_transaction = o->spoilt = false;
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
    return write ? odbc_run_dialect(o, o->db.dialect->write_lock) : DB_OK;
}

static void odbc_rollback(struct db *db)
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

static enum db_outcome odbc_begin(struct db *db, bool write)
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

static enum db_outcome odbc_commit(struct db *db)
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

static enum db_outcome odbc_exec(struct db *db, const char *sql)
{
    struct odbc *o = odbc_of(db);

    if (odbc_is_interrupted(o))
        return DB_INTERRUPTED;
    enum db_outcome outcome = odbc_ready(o);
    if (outcome == DB_OK)
        outcome = odbc_run(o, sql);
    o->spoilt |= outcome != DB_OK && o->in_transaction;
    return outcome;
}

/* ---- opening ---- */

static void odbc_close(struct db *db)
{
    if (!db)
        return;
    struct odbc *o = odbc_of(db);
    odbc_rollback(db);
    odbc_finalize_all(o);
    canceller_stop(&o->canceller);
    odbc_disconnect(o);
    if (o->env != SQL_NULL_HENV)
        (void)SQLFreeHandle(SQL_HANDLE_ENV, o->env);
    for (int i = 0; i < 2; i++) {
        if (o->secrets[i])
            explicit_bzero(o->secrets[i], strlen(o->secrets[i]));
        free(o->secrets[i]);
    }
    if (o->connect)
        explicit_bzero(o->connect, strlen(o->connect));
    free(o->connect);
    free(o);
}

static enum db_outcome make_environment(struct odbc *o)
{
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &o->env))) {
        o->env = SQL_NULL_HENV;
        return odbc_no_memory(o);
    }
    if (!SQL_SUCCEEDED(SQLSetEnvAttr(o->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0)))
        return odbc_failed(o, SQL_HANDLE_ENV, o->env);
    return DB_OK;
}

static enum db_outcome open_with(const struct db_params *p, struct odbc *o)
{
    o->read_only = p->read_only;
    o->busy_ms = p->busy_ms;
    o->connect_timeout_s = (p->connect_ms + 999) / 1000;
    o->connect = p->connect ? strdup(p->connect) : NULL;
    if (!o->connect || !odbc_find_secrets(o->connect, o->secrets))
        return odbc_no_memory(o);
    enum db_outcome outcome = make_environment(o);
    return outcome == DB_OK ? odbc_ready(o) : outcome;
}

enum db_outcome odbc_open(const struct db_ops *ops, const struct dialect *dialect, const struct db_params *p,
                          struct db **db, struct db_error *error)
{
    struct odbc *o = calloc(1, sizeof(*o));

    *db = NULL;
    if (!o || canceller_start(&o->canceller)) {
        free(o);
        *error = (struct db_error){.outcome = DB_NO_MEMORY, .text = "out of memory"};
        return DB_NO_MEMORY;
    }
    o->db.ops = ops;
    o->db.dialect = dialect;
    o->env = SQL_NULL_HENV;
    o->dbc = SQL_NULL_HDBC;
    o->plain = SQL_NULL_HSTMT;
    LIST_INIT(&o->handles);
    enum db_outcome outcome = open_with(p, o);
    if (outcome != DB_OK) {
        *error = o->db.error;
        odbc_close(&o->db);
        return outcome;
    }
    *db = &o->db;
    return DB_OK;
}

static enum db_outcome open_postgresql(const struct db_params *p, struct db **db, struct db_error *error)
{
    return odbc_open(&db_postgresql, dialect_of(DB_POSTGRESQL), p, db, error);
}

static enum db_outcome open_sqlserver(const struct db_params *p, struct db **db, struct db_error *error)
{
    return odbc_open(&db_sqlserver, dialect_of(DB_SQLSERVER), p, db, error);
}

static int64_t odbc_changes(struct db *db)
{
    return odbc_of(db)->changes;
}

static void odbc_interrupt(struct db *db)
{
    canceller_interrupt(&odbc_of(db)->canceller);
}

static void odbc_resume(struct db *db)
{
    canceller_resume(&odbc_of(db)->canceller);
}

static void odbc_limit(struct db *db, unsigned ms)
{
    canceller_limit(&odbc_of(db)->canceller, ms);
}

#define ODBC_OPS(engine, opens)                                                                              \
    {                                                                                                        \
        .name = engine, .open = opens, .close = odbc_close, .begin = odbc_begin, .commit = odbc_commit,      \
        .rollback = odbc_rollback, .exec = odbc_exec, .prepare = odbc_prepare, .finalize = odbc_finalize,    \
        .bind_int = odbc_bind_int, .bind_text = odbc_bind_text, .bind_null = odbc_bind_null,                 \
        .step = odbc_step, .reset = odbc_reset, .column_is_null = odbc_column_is_null,                       \
        .column_int = odbc_column_int, .column_text = odbc_column_text, .changes = odbc_changes,             \
        .interrupt = odbc_interrupt, .resume = odbc_resume, .limit = odbc_limit,                             \
    }

const struct db_ops db_postgresql = ODBC_OPS("postgresql", open_postgresql);
const struct db_ops db_sqlserver = ODBC_OPS("sqlserver", open_sqlserver);
