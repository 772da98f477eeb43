/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_postgresql.c - the ODBC engine on a real PostgreSQL with TLS: signing in, texts of any length,
 * outcomes, readers, interrupting, locks, a server that dies, schemas of others.
 */
#include "db_check.h"
#include "postgres_rig.h"
#include "reports/db/lock.h"
#include "reports/db/schema.h"
#include "reports_rig.h"
#include "tls_files.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Everything that a connection string could take for its own. */
#define PASSWORD     "p}a{s;s%41+w\\o'r\"d =\xc3\xa4"
#define PASSWORD_SQL "p}a{s;s%41+w\\o''r\"d =\xc3\xa4"

static struct db_error error;

static int begin(void **state)
{
    if (tls_files_setup(state))
        return -1;
    postgres_rig_start(true);
    postgres_rig_exec("CREATE ROLE writer LOGIN PASSWORD '" PASSWORD_SQL "';"
                      "CREATE ROLE reader LOGIN PASSWORD 'reader''s'");
    return 0;
}

static int end(void **state)
{
    postgres_rig_end();
    return tls_files_teardown(state);
}

static int setup(void **state)
{
    (void)state;
    postgres_rig_clear();
    return 0;
}

static struct db *open_server(const struct db_server *server)
{
    const struct db_params params = {.login = postgres_rig_login(server),
                                     .read_only = server->read_only,
                                     .busy_ms = 200,
                                     .connect_ms = 5000};
    struct db *db;

    error = (struct db_error){.outcome = DB_OK};
    (void)db_postgresql.open(&params, &db, &error);
    return db;
}

static struct db *open_db(bool read_only)
{
    struct db_server server = postgres_rig_server();

    server.read_only = read_only;
    struct db *db = open_server(&server);
    if (!db)
        fail_msg("%s", error.text);
    return db;
}

/* ---- signing in ---- */

/* By TCP, where a password and TLS are needed. */
static struct db_server by_tcp(char ca[TLS_FILES_PATH])
{
    return (struct db_server){.engine = DB_POSTGRESQL,
                              .server = "127.0.0.1",
                              .port = postgres_rig_port(),
                              .user = "writer",
                              .password = PASSWORD,
                              .ca_file = tls_file("ca", ".crt", ca),
                              .connect_timeout_ms = 5000};
}

TEST(a_password_with_every_special_character_signs_in_over_tls)
{
    char ca[TLS_FILES_PATH];
    const struct db_server server = by_tcp(ca);
    struct db *db = open_server(&server);

    if (!db)
        fail_msg("%s", error.text);
    assert_int_equal(
        get_int(db, "SELECT CASE WHEN ssl THEN 1 ELSE 0 END FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
        1);
    db->ops->close(db);
}

TEST(a_server_that_cannot_prove_itself_is_not_talked_to)
{
    char ca[TLS_FILES_PATH];
    struct db_server server = by_tcp(ca);

    server.server = "localhost"; /* the certificate is for another name */
    assert_null(open_server(&server));
    assert_int_equal(error.outcome, DB_AWAY);
    assert_non_null(strstr(error.text, "certificate"));
    server = by_tcp(ca);
    server.ca_file = NULL; /* the system's authorities have not signed it */
    assert_null(open_server(&server));
    assert_int_equal(error.outcome, DB_AWAY);
    assert_non_null(strstr(error.text, "certificate"));
    server = by_tcp(ca);
    server.options = "SSLmode=disable"; /* allowed here, and the server refuses */
    assert_null(open_server(&server));
    assert_non_null(strstr(error.text, "no encryption"));
}

TEST(refusals_name_their_reason_and_no_secret)
{
    char ca[TLS_FILES_PATH];
    struct db_server server = by_tcp(ca);

    server.password = "wr}ong;" PASSWORD;
    assert_null(open_server(&server));
    assert_int_equal(error.outcome, DB_AWAY); /* the driver has one state for all that fails here */
    assert_non_null(strstr(error.text, "password authentication failed for user \"writer\""));
    assert_null(strstr(error.text, PASSWORD));
    server = by_tcp(ca);
    server.database = "no such";
    assert_null(open_server(&server));
    assert_int_equal(error.outcome, DB_AWAY);
    assert_non_null(strstr(error.text, "does not exist"));
    server = by_tcp(ca);
    server.port = 1;
    assert_null(open_server(&server));
    assert_int_equal(error.outcome, DB_AWAY);
    assert_null(strstr(error.text, PASSWORD));
}

/* ---- values ---- */

static void round_trip(struct db *db, const char *text, size_t len)
{
    struct db_stmt *put, *get;
    size_t got;

    exec_ok(db, "DELETE FROM t");
    assert_int_equal(db->ops->prepare(db, "INSERT INTO t (a, b, c) VALUES (?, ?, ?)", &put), DB_OK);
    db->ops->bind_int(put, 1, INT64_MIN + 1);
    db->ops->bind_text(put, 2, text, len);
    db->ops->bind_null(put, 3);
    if (db_run(db, put) != DB_OK)
        fail_msg("%s", db->error.text);
    assert_int_equal(db->ops->changes(db), 1);
    assert_int_equal(db->ops->prepare(db, "SELECT a, b, c, length(b) FROM t", &get), DB_OK);
    assert_int_equal(db->ops->step(get), DB_ROW);
    assert_true(db->ops->column_int(get, 0) == INT64_MIN + 1);
    assert_string_equal(db->ops->column_text(get, 0, NULL), "-9223372036854775807");
    const char *back = db->ops->column_text(get, 1, &got);
    assert_int_equal(got, len);
    assert_memory_equal(back, text, len);
    assert_true(db->ops->column_is_null(get, 2));
    assert_null(db->ops->column_text(get, 2, NULL));
    assert_int_equal(db->ops->column_int(get, 2), 0);
    assert_int_equal(db->ops->step(get), DB_OK);
    db->ops->finalize(get);
    db->ops->finalize(put);
}

TEST(texts_of_any_length_come_back_as_they_were)
{
    static const char letters[] =
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"; /* 1 to 4 bytes, a surrogate pair */
    static const size_t lengths[] = {0, 1, 255, 2046, 2047, 2048, 2049, 4000, 8190, 8191, 300000};
    struct db *db = open_db(false);

    exec_ok(db, "CREATE TABLE t (a bigint, b text, c text)");
    round_trip(db, "'); DROP TABLE t; -- \\ \" ? {} \r\n\t", 32);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        for (size_t phase = 0; phase < 3; phase++) { /* a piece may end within a pair */
            size_t n = lengths[i] * 3, at = 0;
            char *text = malloc(n + sizeof(letters));

            assert_non_null(text);
            case_label("%zu letters, phase %zu", lengths[i], phase);
            for (size_t k = 0; k < lengths[i]; k++) {
                static const unsigned starts[] = {0, 1, 3, 6, 10};
                unsigned which = k < phase ? 0 : 3 - (unsigned)(k % 2);
                memcpy(text + at, letters + starts[which], starts[which + 1] - starts[which]);
                at += starts[which + 1] - starts[which];
                if (at + 4 > n)
                    break;
            }
            round_trip(db, text, at);
            free(text);
        }
    }
    db->ops->close(db);
}

TEST(a_reader_is_told_the_size)
{
    struct db *db = open_db(true);
    int64_t bytes = 0;

    assert_int_equal(db_get_int(db, db->dialect->bytes, 0, &bytes), DB_OK);
    assert_true(bytes > 1000000);
    db->ops->close(db);
}

TEST(a_nul_is_refused)
{
    struct db *db = open_db(false);
    struct db_stmt *put;

    exec_ok(db, "CREATE TABLE t (a text)");
    assert_int_equal(db->ops->prepare(db, "INSERT INTO t VALUES (?)", &put), DB_OK);
    db->ops->bind_text(put, 1, "a\0b", 3);
    assert_int_equal(db->ops->step(put), DB_CONSTRAINT);
    db->ops->reset(put);
    db->ops->bind_text(put, 1, "ab", 2);
    assert_int_equal(db_run(db, put), DB_OK);
    assert_int_equal(get_int(db, "SELECT count(*) FROM t WHERE a = 'ab'"), 1);
    db->ops->close(db);
}

TEST(failures_have_outcomes_and_the_servers_text)
{
    static const struct {
        const char *sql, *text;
        enum db_outcome outcome;
    } cases[] = {
        {"INSERT INTO t VALUES (1)", "duplicate key", DB_CONSTRAINT},
        {"INSERT INTO t VALUES (NULL)", "null value", DB_CONSTRAINT},
        {"SELECT 1 / 0", "division by zero", DB_CONSTRAINT},
        {"SELECT absent", "column \"absent\" does not exist", DB_FAILED},
        {"CREATE TABLE u (a int); SELECT absent", "absent", DB_FAILED},
        {"SELEC", "syntax error", DB_FAILED},
        {"DO $$ BEGIN RAISE disk_full; END $$", "disk_full", DB_FULL},
        {"DO $$ BEGIN RAISE data_corrupted; END $$", "data_corrupted", DB_DAMAGED},
        {"DO $$ BEGIN RAISE deadlock_detected; END $$", "deadlock_detected", DB_BUSY},
        {"DO $$ BEGIN RAISE too_many_connections; END $$", "too_many_connections", DB_AWAY},
    };
    struct db *db = open_db(false);
    struct db_stmt *stmt;

    exec_ok(db, "CREATE TABLE t (a integer PRIMARY KEY); INSERT INTO t VALUES (1)");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].sql);
        assert_int_equal(db->ops->exec(db, cases[i].sql), cases[i].outcome);
        if (!strstr(db->error.text, cases[i].text))
            fail_msg("%s", db->error.text);
        if (strchr(cases[i].sql, '$') || strchr(cases[i].sql, ';'))
            continue;
        assert_int_equal(db->ops->prepare(db, cases[i].sql, &stmt), DB_OK);
        assert_int_equal(db->ops->step(stmt), cases[i].outcome);
        db->ops->finalize(stmt);
    }
    assert_int_equal(db->ops->prepare(db, "SELECT ?", &stmt), DB_OK);
    assert_int_equal(db->ops->step(stmt), DB_FAILED); /* without its value */
    db->ops->bind_int(stmt, 2, 1);                    /* there is no second */
    assert_int_equal(db->ops->step(stmt), DB_FAILED);
    db->ops->close(db);
}

TEST(a_transaction_with_a_failure_is_not_committed)
{
    struct db *db = open_db(false);

    exec_ok(db, "CREATE TABLE t (a integer PRIMARY KEY)");
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    exec_ok(db, "INSERT INTO t VALUES (1)");
    assert_int_equal(db->ops->exec(db, "INSERT INTO t VALUES (1)"), DB_CONSTRAINT);
    assert_int_equal(db->ops->commit(db), DB_FAILED);
    assert_int_equal(get_int(db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    exec_ok(db, "INSERT INTO t VALUES (2)");
    assert_int_equal(db->ops->commit(db), DB_OK);
    assert_int_equal(get_int(db, "SELECT count(*) FROM t"), 1);
    db->ops->close(db);
}

/* ---- beside each other ---- */

TEST(a_second_writer_is_busy_and_a_reader_sees_one_state)
{
    struct db *a = open_db(false), *b = open_db(false), *reader = open_db(true);

    exec_ok(a, "CREATE TABLE t (a integer)");
    assert_int_equal(a->ops->begin(a, true), DB_OK);
    exec_ok(a, "INSERT INTO t VALUES (1)");
    assert_int_equal(b->ops->begin(b, true), DB_BUSY);
    assert_int_equal(reader->ops->begin(reader, false), DB_OK);
    assert_int_equal(get_int(reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(a->ops->commit(a), DB_OK);
    assert_int_equal(get_int(reader, "SELECT count(*) FROM t"), 0); /* one transaction, one state */
    assert_int_equal(reader->ops->commit(reader), DB_OK);
    assert_int_equal(get_int(reader, "SELECT count(*) FROM t"), 1);
    assert_int_equal(b->ops->begin(b, true), DB_OK);
    exec_ok(b, "INSERT INTO t VALUES (2)");
    b->ops->rollback(b);
    b->ops->rollback(b);
    assert_int_equal(get_int(reader, "SELECT count(*) FROM t"), 1);
    reader->ops->close(reader);
    a->ops->close(a);
    b->ops->close(b);
}

TEST(a_reader_can_do_nothing_but_select)
{
    static const char *const refused[] = {
        "INSERT INTO t VALUES (1)", "UPDATE t SET a = 2", "DELETE FROM t",
        "CREATE TABLE u (a int)",   "DROP TABLE t",       "TRUNCATE t",
        "ALTER TABLE t ADD b int",  "CREATE ROLE x",
    };
    struct db *writer = open_db(false);
    struct db *reader = open_db(true);

    exec_ok(writer, "CREATE TABLE t (a integer); INSERT INTO t VALUES (7)");
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        case_label("%s", refused[i]);
        assert_int_equal(reader->ops->exec(reader, refused[i]), DB_REFUSED);
    }
    assert_int_equal(get_int(reader, "SELECT a FROM t"), 7);
    reader->ops->close(reader);
    writer->ops->close(writer);
}

TEST(a_login_without_rights_is_refused)
{
    char ca[TLS_FILES_PATH];
    struct db_server server = by_tcp(ca);
    struct db *writer = open_db(false);

    exec_ok(writer, "CREATE TABLE t (a integer); INSERT INTO t VALUES (7)");
    server.user = "reader";
    server.password = "reader's";
    struct db *reader = open_server(&server);
    if (!reader)
        fail_msg("%s", error.text);
    assert_int_equal(reader->ops->exec(reader, "CREATE TABLE public.u (a int)"), DB_REFUSED);
    reader->ops->close(reader);
    writer->ops->close(writer);
}

TEST(a_large_result_comes_in_parts_and_may_be_left)
{
    struct db *reader = open_db(true);
    struct db_stmt *stmt;

    assert_int_equal(
        reader->ops->prepare(reader, "SELECT i, 'row ' || i FROM generate_series(1, ?) i ORDER BY i", &stmt),
        DB_OK);
    for (int64_t n = 0; n <= 5000; n += 2500) {
        int64_t seen = 0;
        enum db_outcome outcome;

        reader->ops->bind_int(stmt, 1, n);
        while ((outcome = reader->ops->step(stmt)) == DB_ROW)
            assert_int_equal(reader->ops->column_int(stmt, 0), ++seen);
        assert_int_equal(outcome, DB_OK);
        assert_int_equal(seen, n);
        assert_int_equal(reader->ops->step(stmt), n ? DB_ROW : DB_OK); /* it begins once more */
        reader->ops->reset(stmt);
    }
    assert_int_equal(get_int(reader, "SELECT 5"), 5);
    reader->ops->close(reader);
}

/* ---- interrupting ---- */

static void *interrupt_later(void *arg)
{
    struct db *db = arg;
    const struct timespec pause = {.tv_nsec = 20000000};

    (void)nanosleep(&pause, NULL);
    db->ops->interrupt(db);
    return NULL;
}

TEST(another_thread_interrupts_what_runs_and_what_comes)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        struct db *db = open_db(read_only);
        struct db_stmt *stmt;
        pthread_t thread;

        assert_int_equal(db->ops->prepare(db, "SELECT count(*) FROM generate_series(1, 1000000000) a", &stmt),
                         DB_OK);
        assert_int_equal(pthread_create(&thread, NULL, interrupt_later, db), 0);
        assert_int_equal(db->ops->step(stmt), DB_INTERRUPTED);
        assert_int_equal(pthread_join(thread, NULL), 0);
        db->ops->reset(stmt);
        assert_int_equal(db->ops->step(stmt), DB_INTERRUPTED);
        assert_int_equal(db->ops->begin(db, false), DB_INTERRUPTED);
        db->ops->resume(db);
        for (int i = 0; i < 50; i++) { /* no cancel comes late */
            assert_int_equal(get_int(db, "SELECT 1"), 1);
            assert_int_equal(db->ops->begin(db, false), DB_OK);
            db->ops->interrupt(db); /* a rollback is made nevertheless */
            db->ops->rollback(db);
            db->ops->resume(db);
        }
        db->ops->close(db);
    }
}

/* ---- the collector's lock ---- */

TEST(one_collector_at_a_time_and_the_other_is_named)
{
    struct db *a = open_db(false), *b = open_db(false);
    struct db_lock *lock, *other;

    assert_int_equal(db_lock_take(a, NULL, "reports run on host-a, process 17", &lock), DB_OK);
    assert_int_equal(db_lock_take(b, NULL, "b", &other), DB_BUSY);
    assert_null(other);
    if (!strstr(b->error.text, "reports run on host-a, process 17"))
        fail_msg("%s", b->error.text);
    db_lock_release(lock);
    assert_int_equal(db_lock_take(b, NULL, "b", &other), DB_OK);
    b->ops->close(b); /* the lock ends with the connection */
    free(other);
    enum db_outcome taken = DB_BUSY;
    for (int i = 0; i < 500 && taken == DB_BUSY; i++) { /* the server ends it in its own time */
        taken = db_lock_take(a, NULL, "a", &lock);
        (void)nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    assert_int_equal(taken, DB_OK);
    db_lock_release(lock);
    a->ops->close(a);
}

TEST(a_store_holds_the_lock_and_takes_it_again)
{
    struct reports_rig rig;
    struct store_params params;
    struct db_error why;

    rig_make(&rig);
    params = rig_params(&rig, false);
    params.holder = "the first";
    rig.store = store_open(&params, RIG_T0, &rig.error);
    assert_non_null(rig.store);
    params.holder = "the second";
    assert_null(store_open(&params, RIG_T0, &why));
    assert_int_equal(why.outcome, DB_BUSY);
    assert_non_null(strstr(why.text, "the first"));
    /* The connection is lost, the lock with it; another may take it before it comes back. */
    postgres_rig_exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the first'");
    struct report_store *second = store_open(&params, RIG_T0, &why);
    if (!second)
        fail_msg("%s", why.text);
    assert_int_equal(store_begin(rig.store), DB_BUSY);
    assert_non_null(strstr(store_error(rig.store)->text, "another collector"));
    store_close(second);
    assert_int_equal(store_begin(rig.store), DB_OK);
    store_rollback(rig.store);
    assert_null(store_open(&params, RIG_T0, &why)); /* it has it again */
    assert_int_equal(why.outcome, DB_BUSY);
    rig_remove(&rig);
}

/* ---- a server that goes and comes ---- */

static struct record_session *session(struct record_arena *arena, int64_t number)
{
    return rig_session(arena, &(struct rig_session){.number = number,
                                                    .start = RIG_T0 + number * 1000,
                                                    .end = RIG_T0 + number * 1000 + 600});
}

static enum db_outcome put(struct reports_rig *rig, const struct record_session *r, enum store_change *change)
{
    const struct store_session in = {RIG_HOST, r, STORE_CLOSED, -1, 5000};

    return store_session(rig->store, &in, change);
}

static void put_ok(struct reports_rig *rig, const struct record_session *r, enum store_change expected)
{
    enum store_change change = STORE_SAME;

    if (put(rig, r, &change) != DB_OK)
        fail_msg("%s", store_error(rig->store)->text);
    assert_int_equal(change, expected);
}

TEST(a_server_that_dies_loses_nothing_and_doubles_nothing)
{
    struct reports_rig rig;
    struct record_arena arena = {0};
    enum store_change change;

    rig_make(&rig);
    assert_true(rig_open(&rig, true));
    assert_int_equal(store_begin(rig.store), DB_OK);
    put_ok(&rig, session(&arena, 1), STORE_NEW);
    assert_int_equal(store_commit(rig.store), DB_OK);

    assert_int_equal(store_begin(rig.store), DB_OK);
    put_ok(&rig, session(&arena, 2), STORE_NEW);
    postgres_rig_kill();
    assert_int_equal(put(&rig, session(&arena, 3), &change), DB_AWAY);
    assert_int_equal(store_commit(rig.store), DB_AWAY);
    assert_int_equal(store_begin(rig.store), DB_AWAY); /* still */
    postgres_rig_again();

    assert_int_equal(store_begin(rig.store), DB_OK);
    for (int64_t number = 1; number <= 3; number++)
        put_ok(&rig, session(&arena, number), number == 1 ? STORE_SAME : STORE_NEW);
    assert_int_equal(store_commit(rig.store), DB_OK);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), 3);
    assert_int_equal(rig_int(&rig, "SELECT count(DISTINCT seq) FROM session"), 3);
    assert_int_equal(rig_int(&rig, "SELECT max(seq) FROM session"), store_seq(rig.store));
    assert_int_equal(rig_differences(&rig), 0);
    rig_remove(&rig);
    record_arena_free(&arena);
}

TEST(a_restart_between_transactions_is_not_seen)
{
    struct reports_rig rig;
    struct record_arena arena = {0};
    struct db *reader = open_db(true);
    struct db_stmt *count;

    rig_make(&rig);
    assert_true(rig_open(&rig, true));
    assert_int_equal(reader->ops->prepare(reader, "SELECT count(*) FROM pg_roles WHERE rolname = ?", &count),
                     DB_OK);
    for (int64_t number = 1; number <= 2; number++) {
        assert_int_equal(store_begin(rig.store), DB_OK);
        put_ok(&rig, session(&arena, number), STORE_NEW);
        assert_int_equal(store_commit(rig.store), DB_OK);
        reader->ops->bind_text(count, 1, "rig", 3);
        assert_int_equal(reader->ops->step(count), DB_ROW);
        assert_int_equal(reader->ops->column_int(count, 0), 1);
        reader->ops->reset(count);
        postgres_rig_kill();
        postgres_rig_again();
    }
    assert_int_equal(rig_int(&rig, "SELECT 1"), 1);
    assert_int_equal(rig_differences(&rig), 0);
    rig_remove(&rig);
    reader->ops->close(reader);
    record_arena_free(&arena);
}

/* ---- schemas ---- */

TEST(a_database_of_another_program_is_refused_with_what_differs)
{
    struct reports_rig rig;
    struct buf said = BUF_INIT(65536);
    struct db *db;

    rig_make(&rig);
    db = open_db(false);
    exec_ok(db, "CREATE TABLE session (id bigint, lsid varchar(64), colour text)");
    assert_int_equal(schema_migrate(db, RIG_T0, true, true, &said), DB_REFUSED);
    assert_non_null(strstr(buf_cstr(&said), "table session: column colour is not one of ours"));
    assert_non_null(strstr(buf_cstr(&said), "table session: column start_unix is absent"));
    assert_false(rig_open(&rig, true));
    assert_int_equal(rig.error.outcome, DB_REFUSED);
    buf_free(&said);
    db->ops->close(db);
}

TEST(a_newer_schema_is_refused_and_a_whole_one_is_made_once)
{
    struct reports_rig rig;
    struct schema_state found;

    rig_make(&rig);
    assert_true(rig_open(&rig, true));
    assert_int_equal(schema_state(store_db(rig.store), &found), DB_OK);
    assert_int_equal(found.version, SCHEMA_VERSION);
    assert_true(found.event_indexes);
    rig_close(&rig);
    assert_true(rig_open(&rig, true)); /* nothing to do */
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_schema"), SCHEMA_VERSION);
    rig_exec(&rig,
             "INSERT INTO jg_schema (version, applied_at, digest, event_indexes) VALUES (99, 0, '', 1)");
    rig_close(&rig);
    assert_false(rig_open(&rig, true));
    assert_int_equal(rig.error.outcome, DB_REFUSED);
    assert_non_null(strstr(rig.error.text, "newer"));
}

#define RUN(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_password_with_every_special_character_signs_in_over_tls),
        RUN(a_server_that_cannot_prove_itself_is_not_talked_to),
        RUN(refusals_name_their_reason_and_no_secret),
        RUN(texts_of_any_length_come_back_as_they_were),
        RUN(a_reader_is_told_the_size),
        RUN(a_nul_is_refused),
        RUN(failures_have_outcomes_and_the_servers_text),
        RUN(a_transaction_with_a_failure_is_not_committed),
        RUN(a_second_writer_is_busy_and_a_reader_sees_one_state),
        RUN(a_reader_can_do_nothing_but_select),
        RUN(a_login_without_rights_is_refused),
        RUN(a_large_result_comes_in_parts_and_may_be_left),
        RUN(another_thread_interrupts_what_runs_and_what_comes),
        RUN(one_collector_at_a_time_and_the_other_is_named),
        RUN(a_store_holds_the_lock_and_takes_it_again),
        RUN(a_server_that_dies_loses_nothing_and_doubles_nothing),
        RUN(a_restart_between_transactions_is_not_seen),
        RUN(a_database_of_another_program_is_refused_with_what_differs),
        RUN(a_newer_schema_is_refused_and_a_whole_one_is_made_once),
    };

    /* As under the service manager: no locale, which drivers would ask for. */
    if (setenv("LC_ALL", "C", 1) || !setlocale(LC_ALL, "C") || !postgres_rig_installed())
        return 0;
    return cmocka_run_group_tests(tests, begin, end);
}
