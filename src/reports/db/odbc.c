/* SPDX-License-Identifier: Apache-2.0 */
/*
 * odbc.c - PostgreSQL and SQL Server behind db.h, through unixODBC.
 *
 * One path for both; where they differ, a text of the dialect differs. Texts go to the driver and come from
 * it as UTF-16, which no locale changes. A connection that is lost is dropped with the driver's part of all
 * statements, and is made again when it is next needed outside of a transaction: what a server that has
 * restarted meanwhile refuses is run once more, by begin() of a writer and by a reader's first statement.
 *
 * Each write transaction takes the writer's lock of the dialect first, so that two programs that count
 * (collector, recount) write one after the other. The collector's lock belongs to the connection: one that is
 * made again takes it again, and is given up if another has it (DB_BUSY).
 *
 * Invariants: no error text holds a password. A statement is known to the canceller while it runs. A
 * transaction in which a statement failed is never committed, since some servers answer such a commit with
 * success.
 *
 * Not here: connecting (odbc_connect.c), transactions (odbc_transaction.c), statements (odbc_stmt.c),
 * diagnoses (odbc_error.c), cancelling (odbc_cancel.c), connection strings (server.c).
 */
#include "reports/db/odbc_internal.h"

#include <stdlib.h>
#include <string.h>

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
    odbc_forget_secrets(o->secrets);
    db_login_unref(o->login);
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
    o->login = db_login_ref(p->login);
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
