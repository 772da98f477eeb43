/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_odbc.c - the ODBC engine by another driver, that of SQLite, with faults in its answers: a
 * connection that is lost in the middle, a commit of unknown outcome, SQL Server's numbers.
 *
 * The linker puts the functions of this file between the engine and the driver manager.
 */
#include "db_check.h"
#include "reports/db/odbc_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], connect_text[160];
static struct db_error error;

/* ---- faults ---- */

enum fault { FAULT_NONE, FAULT_BEFORE, FAULT_AFTER };
static enum fault end_tran, fetch;
static bool faulty; /* the last call failed by a fault: the diagnosis is ours */

SQLRETURN __real_SQLEndTran(SQLSMALLINT, SQLHANDLE, SQLSMALLINT);
SQLRETURN __wrap_SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT how);
SQLRETURN __wrap_SQLEndTran(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT how)
{
    enum fault fault = how == SQL_COMMIT ? end_tran : FAULT_NONE;

    if (fault == FAULT_AFTER)
        (void)__real_SQLEndTran(type, handle, how);
    faulty = fault != FAULT_NONE;
    return faulty ? SQL_ERROR : __real_SQLEndTran(type, handle, how);
}

SQLRETURN __real_SQLFetch(SQLHSTMT);
SQLRETURN __wrap_SQLFetch(SQLHSTMT handle);
SQLRETURN __wrap_SQLFetch(SQLHSTMT handle)
{
    faulty = fetch != FAULT_NONE;
    return faulty ? SQL_ERROR : __real_SQLFetch(handle);
}

SQLRETURN __real_SQLGetDiagRecW(SQLSMALLINT, SQLHANDLE, SQLSMALLINT, SQLWCHAR *, SQLINTEGER *, SQLWCHAR *,
                                SQLSMALLINT, SQLSMALLINT *);
SQLRETURN __wrap_SQLGetDiagRecW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT n, SQLWCHAR *state,
                                SQLINTEGER *native, SQLWCHAR *text, SQLSMALLINT size, SQLSMALLINT *len);
SQLRETURN __wrap_SQLGetDiagRecW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT n, SQLWCHAR *state,
                                SQLINTEGER *native, SQLWCHAR *text, SQLSMALLINT size, SQLSMALLINT *len)
{
    static const char lost[] = "08S01", said[] = "[Driver]lost while secret}word was in use";

    if (!faulty)
        return __real_SQLGetDiagRecW(type, handle, n, state, native, text, size, len);
    faulty = false;
    for (size_t i = 0; i < sizeof(lost); i++)
        state[i] = (SQLWCHAR)lost[i];
    for (size_t i = 0; i < sizeof(said); i++)
        text[i] = (SQLWCHAR)said[i];
    *native = 26;
    *len = sizeof(said) - 1;
    return SQL_SUCCESS;
}

/* ---- */

static int setup(void **state)
{
    (void)state;
    end_tran = fetch = FAULT_NONE;
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-odbc-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(connect_text, sizeof(connect_text), "Driver={SQLite3};Database=%s/db;PWD={secret}}word};",
                   dir);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct db *open_db(void)
{
    const struct db_params params = {.login = db_login_new(connect_text)};
    struct db *db;

    assert_non_null(params.login);
    (void)odbc_open(&db_postgresql, dialect_of(DB_SQLITE), &params, &db, &error);
    db_login_unref(params.login);
    if (!db)
        fail_msg("%s", error.text);
    return db;
}

TEST(a_commit_of_unknown_outcome_is_away_and_the_next_connection_knows)
{
    struct db *db = open_db();

    assert_int_equal(db->ops->exec(db, "CREATE TABLE t (a INTEGER)"), DB_OK);
    for (enum fault fault = FAULT_BEFORE; fault <= FAULT_AFTER; fault++) {
        int64_t before = get_int(db, "SELECT count(*) FROM t");
        uint64_t connections = db->connections;

        assert_int_equal(db->ops->begin(db, true), DB_OK);
        assert_int_equal(db->ops->exec(db, "INSERT INTO t VALUES (1)"), DB_OK);
        end_tran = fault;
        assert_int_equal(db->ops->commit(db), DB_AWAY);
        end_tran = FAULT_NONE;
        assert_non_null(strstr(db->error.text, "lost while *** was in use (08S01)"));
        assert_int_equal(get_int(db, "SELECT count(*) FROM t"), before + (fault == FAULT_AFTER));
        assert_int_equal(db->connections, connections + 1);
    }
    db->ops->close(db);
}

TEST(a_connection_lost_between_rows_ends_them)
{
    struct db *db = open_db();
    struct db_stmt *stmt;

    assert_int_equal(db->ops->prepare(db, "SELECT 1 UNION ALL SELECT 2", &stmt), DB_OK);
    assert_int_equal(db->ops->step(stmt), DB_ROW);
    fetch = FAULT_BEFORE;
    assert_int_equal(db->ops->step(stmt), DB_AWAY);
    fetch = FAULT_NONE;
    assert_int_equal(db->ops->step(stmt), DB_ROW); /* on a new connection, from the first */
    assert_int_equal(db->ops->column_int(stmt, 0), 1);
    assert_int_equal(db->connections, 2);
    db->ops->reset(stmt);
    /* Within a transaction nothing goes on. */
    assert_int_equal(db->ops->begin(db, false), DB_OK);
    fetch = FAULT_BEFORE;
    assert_int_equal(db->ops->step(stmt), DB_AWAY);
    fetch = FAULT_NONE;
    assert_int_equal(db->ops->step(stmt), DB_AWAY);
    assert_int_equal(db->ops->commit(db), DB_AWAY);
    assert_int_equal(get_int(db, "SELECT 7"), 7);
    db->ops->close(db);
}

TEST(states_and_numbers_have_outcomes)
{
    assert_int_equal(odbc_outcome(DB_SQLSERVER, "42000", 1205), DB_BUSY);
    assert_int_equal(odbc_outcome(DB_SQLSERVER, "42000", 9002), DB_FULL);
    assert_int_equal(odbc_outcome(DB_SQLSERVER, "23000", 2627), DB_CONSTRAINT);
    assert_int_equal(odbc_outcome(DB_POSTGRESQL, "42000", 1205), DB_FAILED);
    assert_int_equal(odbc_outcome(DB_POSTGRESQL, "57014", 0), DB_INTERRUPTED);
    assert_int_equal(odbc_outcome(DB_POSTGRESQL, "57P01", 0), DB_AWAY);
    assert_int_equal(odbc_outcome(DB_POSTGRESQL, "53100", 0), DB_FULL);
    assert_int_equal(odbc_outcome(DB_POSTGRESQL, "53200", 0), DB_AWAY);
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_commit_of_unknown_outcome_is_away_and_the_next_connection_knows),
        RUN(a_connection_lost_between_rows_ends_them),
        RUN(states_and_numbers_have_outcomes),
    };

    if (access("/usr/lib/x86_64-linux-gnu/odbc/libsqlite3odbc.so", R_OK) && !getenv("CI")) {
        (void)puts("skipped: the ODBC driver of SQLite is not installed (scripts/install-dependencies)");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
