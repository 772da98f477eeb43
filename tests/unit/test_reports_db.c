/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_db.c - SQLite behind the table of operations: outcomes, read-only connections, interrupting;
 * the schema's texts against golden files; migrations.
 *
 * With JG_WRITE_GOLDEN=1 the golden files and docs/reports-sql.md are written instead of compared.
 */
#include "db_check.h"
#include "reports/db/lock.h"
#include "reports/db/schema.h"
#include "reports/db/server.h"
#include "reports/db/verify.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static char dir[64], path[96];
static struct db_error error;

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-reports-db-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/reports.db", dir);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct db *open_db(bool read_only)
{
    const struct db_params params = {.path = path, .read_only = read_only, .busy_ms = 0};
    struct db *db;

    (void)db_sqlite.open(&params, &db, &error);
    return db;
}

/* ---- operations ---- */

TEST(values_come_back_as_they_were_bound)
{
    struct db *db = open_db(false);
    struct db_stmt *put, *get;
    size_t len;

    exec_ok(db, "CREATE TABLE t (a INTEGER, b TEXT, c TEXT)");
    assert_int_equal(db->ops->prepare(db, "INSERT INTO t VALUES (?, ?, ?)", &put), DB_OK);
    db->ops->bind_int(put, 1, INT64_MIN + 1);
    db->ops->bind_text(put, 2, "'); DROP TABLE t; --", 20);
    db->ops->bind_null(put, 3);
    assert_int_equal(db_run(db, put), DB_OK);
    assert_int_equal(db->ops->changes(db), 1);
    assert_int_equal(db->ops->prepare(db, "SELECT a, b, c FROM t", &get), DB_OK);
    assert_int_equal(db->ops->step(get), DB_ROW);
    assert_true(db->ops->column_int(get, 0) == INT64_MIN + 1);
    assert_string_equal(db->ops->column_text(get, 1, &len), "'); DROP TABLE t; --");
    assert_int_equal(len, 20);
    assert_true(db->ops->column_is_null(get, 2));
    assert_null(db->ops->column_text(get, 2, NULL));
    assert_int_equal(db->ops->step(get), DB_OK);
    db->ops->finalize(get);
    db->ops->close(db);
}

TEST(failures_have_outcomes_and_the_engines_text)
{
    struct db *db = open_db(false);
    struct db_stmt *stmt;

    exec_ok(db, "CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    assert_int_equal(db->ops->exec(db, "INSERT INTO t VALUES (1)"), DB_CONSTRAINT);
    assert_non_null(strstr(db->error.text, "UNIQUE constraint failed: t.a"));
    assert_int_equal(db->ops->prepare(db, "SELECT absent", &stmt), DB_FAILED);
    assert_null(stmt);
    if (!strstr(db->error.text, "no such column"))
        fail_msg("%s", db->error.text);
    assert_int_equal(db->ops->prepare(db, "SELECT ?", &stmt), DB_OK);
    db->ops->bind_int(stmt, 2, 1); /* there is no second */
    assert_int_equal(db->ops->step(stmt), DB_FAILED);
    exec_ok(db, "PRAGMA max_page_count = 20; CREATE TABLE big (a BLOB)");
    assert_int_equal(db->ops->exec(db, "INSERT INTO big VALUES (zeroblob(1000000))"), DB_FULL);
    db->ops->close(db);
}

TEST(a_second_writer_is_busy_and_a_reader_is_not)
{
    struct db *a = open_db(false), *b = open_db(false), *reader;

    exec_ok(a, "CREATE TABLE t (a INTEGER)");
    reader = open_db(true);
    assert_int_equal(a->ops->begin(a, true), DB_OK);
    exec_ok(a, "INSERT INTO t VALUES (1)");
    assert_int_equal(b->ops->begin(b, true), DB_BUSY);
    assert_int_equal(get_int(reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(a->ops->commit(a), DB_OK);
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

TEST(a_file_that_is_moved_or_removed_takes_no_more_writes)
{
    struct db *db = open_db(false);
    char elsewhere[128];

    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
    exec_ok(db, "CREATE TABLE t (a INTEGER)");
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    exec_ok(db, "INSERT INTO t VALUES (1)");
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(db->ops->commit(db), DB_AWAY);
    if (!strstr(db->error.text, path) || !strstr(db->error.text, "moved or removed"))
        fail_msg("%s", db->error.text);
    assert_int_equal(db->ops->begin(db, true), DB_AWAY);
    FILE *other = fopen(path, "w");
    assert_non_null(other);
    assert_int_equal(fclose(other), 0);
    assert_int_equal(db->ops->begin(db, true), DB_AWAY); /* another file has the name */
    assert_int_equal(rename(elsewhere, path), 0);
    assert_int_equal(get_int(db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    assert_int_equal(db->ops->commit(db), DB_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(db->ops->begin(db, true), DB_AWAY);
    assert_int_equal(db->ops->begin(db, false), DB_OK);
    assert_int_equal(db->ops->commit(db), DB_OK);
    db->ops->close(db);
}

TEST(a_reader_can_do_nothing_but_select)
{
    static const char *const refused[] = {
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 2",
        "DELETE FROM t",
        "CREATE TABLE u (a)",
        "CREATE TEMP TABLE u (a)",
        "DROP TABLE t",
        "ATTACH '/tmp/jumpgate-other.db' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO '/tmp/jumpgate-copy.db'",
        "SELECT load_extension('x')",
        "ANALYZE",
    };
    struct db *writer = open_db(false), *reader;

    exec_ok(writer, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (7)");
    reader = open_db(true);
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        case_label("%s", refused[i]);
        enum db_outcome outcome = reader->ops->exec(reader, refused[i]);
        assert_true(outcome == DB_REFUSED || (outcome == DB_FAILED && strstr(refused[i], "load_extension")));
    }
    assert_int_equal(reader->ops->begin(reader, false), DB_OK);
    assert_int_equal(get_int(reader,
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                             "7) SELECT max(i) FROM n JOIN t ON t.a = n.i"),
                     7);
    assert_int_equal(reader->ops->commit(reader), DB_OK);
    reader->ops->close(reader);
    writer->ops->close(writer);
}

TEST(a_file_that_cannot_be_used_is_named_with_what_to_do)
{
    FILE *file;

    assert_null(open_db(true)); /* there is none, and a reader makes none */
    assert_int_equal(error.outcome, DB_AWAY);
    assert_non_null(strstr(error.text, path));
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        assert_true(fputs("this is no database\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_null(open_db(false));
    assert_int_equal(error.outcome, DB_DAMAGED);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "collect --once --since"));
}

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
    static const char endless[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    struct db *db = open_db(false);
    struct db_stmt *stmt;
    pthread_t thread;

    exec_ok(db, "CREATE TABLE t (a INTEGER)");
    assert_int_equal(db->ops->prepare(db, endless, &stmt), DB_OK);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_later, db), 0);
    assert_int_equal(db->ops->step(stmt), DB_INTERRUPTED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    db->ops->reset(stmt);
    assert_int_equal(db->ops->step(stmt), DB_INTERRUPTED);
    db->ops->reset(stmt);
    assert_int_equal(db->ops->begin(db, true), DB_INTERRUPTED);
    db->ops->resume(db);
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    exec_ok(db, "INSERT INTO t VALUES (1)");
    db->ops->interrupt(db); /* a rollback is made nevertheless */
    db->ops->rollback(db);
    db->ops->resume(db);
    assert_int_equal(get_int(db, "SELECT count(*) FROM t"), 0);
    db->ops->close(db);
}

TEST(a_wait_for_a_lock_can_be_interrupted)
{
    const struct db_params params = {.path = path, .busy_ms = 600000};
    struct db *other = open_db(false), *db;
    pthread_t thread;

    assert_int_equal(db_sqlite.open(&params, &db, &error), DB_OK);
    assert_int_equal(other->ops->begin(other, true), DB_OK);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_later, db), 0);
    enum db_outcome outcome = db->ops->begin(db, true);
    assert_true(outcome == DB_BUSY ||
                outcome == DB_INTERRUPTED); /* the second, if it comes before the wait */
    assert_int_equal(pthread_join(thread, NULL), 0);
    other->ops->rollback(other);
    db->ops->resume(db);
    assert_int_equal(db->ops->begin(db, true), DB_OK);
    db->ops->close(db);
    other->ops->close(other);
}

TEST(a_writers_file_has_wal_and_incremental_vacuum)
{
    struct db *db = open_db(false);

    exec_ok(db, "CREATE TABLE t (a INTEGER)");
    assert_int_equal(get_int(db, "PRAGMA page_size"), 8192);
    assert_int_equal(get_int(db, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(get_int(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    assert_int_equal(get_int(db, "PRAGMA synchronous"), 1);
    db->ops->close(db);
    const struct db_params params = {.path = path, .full_sync = true};
    assert_int_equal(db_sqlite.open(&params, &db, &error), DB_OK);
    assert_int_equal(get_int(db, "PRAGMA synchronous"), 2);
    db->ops->close(db);
}

/* An index on all events would not fit into memory. */
TEST(sorting_goes_to_files_beside_the_database)
{
    struct db *writer = open_db(false);

    assert_int_equal(get_int(writer, "PRAGMA temp_store"), 1);
    assert_non_null(sqlite3_temp_directory);
    assert_memory_equal(sqlite3_temp_directory, dir, strlen("/tmp/jumpgate-reports-db-"));
    writer->ops->close(writer);
}

/* ---- the collector's lock ---- */

static void *write_name(void *arg)
{
    const int *fd = arg;

    (void)usleep(50000);
    assert_int_equal(write(*fd, "reports run, ", 13), 13);
    (void)usleep(50000);
    assert_int_equal(write(*fd, "host-a\n", 7), 7);
    return NULL;
}

TEST(a_name_that_is_being_written_is_waited_for)
{
    struct db *a = open_db(false);
    struct db_lock *lock;
    char file[128];
    pthread_t thread;

    (void)snprintf(file, sizeof(file), "%s/state.lock", dir);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_name, &fd), 0);
    assert_int_equal(db_lock_take(a, file, "b", &lock), DB_BUSY);
    assert_string_equal(a->error.text, "another collector works on this database: reports run, host-a");
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(fd);
    a->ops->close(a);
}

TEST(collectors_of_two_state_directories_exclude_each_other_on_one_file)
{
    struct db *a = open_db(false), *b;
    struct db_lock *lock, *other;
    char file[2][128], link[128];

    for (int i = 0; i < 2; i++)
        (void)snprintf(file[i], sizeof(file[i]), "%s/state-%d.lock", dir, i);
    (void)snprintf(link, sizeof(link), "%s/link.db", dir);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(db_sqlite.open(&(struct db_params){.path = link}, &b, &error), DB_OK);
    assert_int_equal(db_lock_take(a, file[0], "reports run, host-a, process 17", &lock), DB_OK);
    assert_int_equal(db_lock_take(b, file[1], "b", &other), DB_BUSY);
    assert_null(other);
    assert_string_equal(b->error.text,
                        "another collector works on this database: reports run, host-a, process 17");
    assert_int_equal(db_lock_take(b, file[0], "b", &other), DB_BUSY);
    db_lock_release(lock);
    assert_int_equal(db_lock_take(b, file[1], "b", &other), DB_OK);
    assert_int_equal(db_lock_take(a, file[1], "a", &lock), DB_BUSY);
    db_lock_release(other);
    assert_int_equal(db_lock_take(a, file[1], "a", &lock), DB_OK); /* a refused one has left no lock */
    db_lock_release(lock);
    a->ops->close(a);
    b->ops->close(b);
}

/* ---- texts of the schema ---- */

static void compare_file(const char *name, const struct buf *text)
{
    bool write = getenv("JG_WRITE_GOLDEN");
    FILE *file = fopen(name, write ? "w" : "r");
    char *golden = calloc(1, text->len + 2);

    if (!file)
        fail_msg("%s cannot be opened", name);
    assert_non_null(golden);
    if (write) {
        assert_int_equal(fwrite(text->data, 1, text->len, file), text->len);
    } else {
        size_t n = fread(golden, 1, text->len + 1, file);
        if (n != text->len || memcmp(golden, text->data, n) != 0)
            fail_msg("%s is not what the tables say; JG_WRITE_GOLDEN=1 writes it", name);
    }
    assert_int_equal(fclose(file), 0);
    free(golden);
}

TEST(golden_files_hold_the_ddl_of_each_engine)
{
    for (int i = 0; i < DB_NENGINES; i++) {
        struct buf ddl = BUF_INIT(1024 * 1024);
        char name[64];

        (void)snprintf(name, sizeof(name), "reports/schema-%s.sql", dialect_of((enum db_engine)i)->name);
        schema_ddl(dialect_of((enum db_engine)i), &ddl);
        assert_false(ddl.failed);
        compare_file(name, &ddl);
        buf_free(&ddl);
    }
    assert_ptr_equal(dialect_named("postgresql"), dialect_of(DB_POSTGRESQL));
    assert_null(dialect_named("oracle"));
}

TEST(golden_file_of_statements)
{
    struct buf text = BUF_INIT(1024 * 1024);

    for (int i = 0; i < DB_NENGINES; i++) {
        const struct dialect *d = dialect_of((enum db_engine)i);

        (void)buf_printf(&text, "-- %s\n", d->name);
        schema_insert(d, schema_table("session_event_data"), 2, &text);
        (void)buf_str(&text, ";\n");
        schema_upsert(d, schema_table("jg_tally"), schema_table("jg_tally")->key, UPSERT_ADD, &text);
        (void)buf_str(&text, "\n");
        schema_upsert(d, schema_table("jg_cursor"), "host_name source", UPSERT_REPLACE, &text);
        (void)buf_str(&text, "\n");
        schema_upsert(d, schema_table("team"), "digest", UPSERT_NOTHING, &text);
        (void)buf_str(&text, "\n");
        dialect_write(&text, d->month_of, "\"start_unix\"");
        (void)buf_str(&text, "\n");
        const char *const of_connections[] = {d->open_writer,    d->open_reader,      d->write_lock,
                                              d->collector_lock, d->collector_unlock, d->lock_holder,
                                              d->name_session};
        for (size_t j = 0; j < sizeof(of_connections) / sizeof(*of_connections); j++) {
            dialect_write(&text, of_connections[j] ? of_connections[j] : "-- not needed", "200");
            (void)buf_str(&text, "\n");
        }
    }
    assert_false(text.failed);
    compare_file("reports/statements.sql", &text);
    buf_free(&text);
}

/* ---- connection strings ---- */

TEST(connection_strings_keep_their_rules)
{
    static const struct {
        struct db_server server;
        const char *part; /* of the string, or of the refusal */
        bool refused;
    } cases[] = {
        {{.engine = DB_POSTGRESQL, .server = "db", .user = "u", .password = "a}b;c"},
         "Driver={PostgreSQL "
         "Unicode};Servername=db;Port=5432;Database=BGSessions;Username=u;Password={a}}b;c};"
         "SSLmode=verify-full;pqopt={sslrootcert=",
         false},
        {{.engine = DB_SQLSERVER, .server = "db", .user = "u", .password = "a}b", .read_only = true},
         "Driver={FreeTDS};Server={db};Port=1433;Database={BGSessions};UID={u};PWD={a}}b};TDS_Version=7.4;"
         "ClientCharset=UTF-8;Encryption=require;APP=jumpgate-reports;ApplicationIntent=ReadOnly;",
         false},
        {{.engine = DB_SQLSERVER, .driver = "ODBC Driver 18 for SQL Server", .server = "db"},
         "Server={db,1433};Database={BGSessions};UID={};PWD={};Encrypt=yes;TrustServerCertificate=no;",
         false},
        {{.engine = DB_POSTGRESQL, .server = "127.0.0.1", .options = "SSLmode=disable"},
         "SSLmode=disable;",
         false},
        {{.engine = DB_POSTGRESQL, .server = "/run/postgresql", .options = "sslmode=disable"},
         "=disable;",
         false},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "x=1; sslmode = disable"}, "sslmode", true},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "pqopt={sslmode=disable}"}, "pqopt", true},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "pqopt={hostaddr=192.0.2.7}"}, "pqopt", true},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "pqopt={password=x}"}, "password_file", true},
        {{.engine = DB_POSTGRESQL, .server = "127.0.0.1", .options = "Servername=db;SSLmode=disable"},
         "Servername",
         true},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "PWD=x"}, "PWD", true},
        {{.engine = DB_POSTGRESQL, .server = "db", .options = "nonsense"}, "key=value", true},
        {{.engine = DB_POSTGRESQL, .server = "db;Port=1"}, "server", true},
        {{.engine = DB_SQLSERVER, .server = "db", .options = "Encryption=off"}, "Encryption", true},
        {{.engine = DB_SQLSERVER, .server = "db", .options = "TrustServerCertificate=yes"},
         "TrustServer",
         true},
        {{.engine = DB_SQLSERVER, .driver = "ODBC Driver 18 for SQL Server", .ca_file = "/x"},
         "ca_file",
         true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf text = BUF_INIT(DB_CONNECT_MAX);

        case_label("%zu %s", i, cases[i].part);
        enum db_outcome outcome = db_server_connect(&cases[i].server, &text, &error);
        assert_int_equal(outcome, cases[i].refused ? DB_REFUSED : DB_OK);
        const char *said = cases[i].refused ? error.text : buf_cstr(&text);
        if (!strstr(said, cases[i].part))
            fail_msg("%s", said);
        buf_free(&text);
    }
}

TEST(the_document_is_written_from_the_tables)
{
    struct buf page = BUF_INIT(1024 * 1024);

    schema_document(&page);
    assert_false(page.failed);
    compare_file("../../docs/reports-sql.md", &page);
    buf_free(&page);
}

TEST(every_index_names_columns_that_its_table_has)
{
    for (size_t i = 0; i < schema_nindexes; i++) {
        const struct schema_index *x = &schema_indexes[i];
        const struct schema_table *t = schema_table(x->table);
        char names[256], *save = NULL;

        case_label("%s", x->name);
        assert_non_null(t);
        (void)snprintf(names, sizeof(names), "%s", x->columns);
        for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
            size_t c = 0;
            while (c < t->ncolumns && strcmp(t->columns[c].name, name) != 0)
                c++;
            assert_true(c < t->ncolumns);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(x->name, schema_indexes[j].name);
    }
}

/* ---- migrations ---- */

TEST(the_documents_queries_run)
{
    struct buf page = BUF_INIT(1024 * 1024);
    struct db *db = open_db(false);

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    schema_document(&page);
    const char *text = buf_cstr(&page), *from = strstr(text, "```sql\n"),
               *to = from ? strstr(from + 7, "```") : NULL;

    assert_non_null(to);
    char *queries = strndup(from + 7, (size_t)(to - from) - 7);
    assert_non_null(queries);
    exec_ok(db, queries);
    free(queries);
    buf_free(&page);
    db->ops->close(db);
}

TEST(a_migration_is_made_once)
{
    struct db *db = open_db(false);
    struct buf said = BUF_INIT(4096);
    struct schema_state now;

    assert_int_equal(schema_check(db), DB_REFUSED);
    assert_non_null(strstr(db->error.text, "reports migrate"));
    assert_int_equal(schema_migrate(db, 1000, true, true, &said), DB_OK); /* dry run */
    assert_string_equal(buf_cstr(&said), "version 1 is to be applied\n");
    assert_int_equal(get_int(db, "SELECT count(*) FROM sqlite_master"), 0);
    buf_clear(&said);
    assert_int_equal(schema_migrate(db, 1000, true, false, &said), DB_OK);
    assert_string_equal(buf_cstr(&said), "version 1 applied\n");
    buf_clear(&said);
    assert_int_equal(schema_migrate(db, 2000, true, false, &said), DB_OK);
    assert_int_equal(said.len, 0);
    assert_int_equal(schema_check(db), DB_OK);
    assert_int_equal(schema_state(db, &now), DB_OK);
    assert_int_equal(now.version, SCHEMA_VERSION);
    assert_true(now.event_indexes);
    assert_int_equal(get_int(db, "SELECT applied_at FROM jg_schema"), 1000);
    assert_int_equal(get_int(db, "SELECT count(*) FROM jg_counter"), 1);
    buf_free(&said);
    db->ops->close(db);
}

TEST(every_index_of_the_table_is_made)
{
    struct db *db = open_db(false);
    char sql[160];

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    for (size_t i = 0; i < schema_nindexes; i++) {
        case_label("%s", schema_indexes[i].name);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = '%s'",
                       schema_indexes[i].name);
        assert_int_equal(get_int(db, sql), 1);
    }
    db->ops->close(db);
}

static int64_t count_indexes(struct db *db)
{
    return get_int(db, "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL");
}

static int64_t of_kind(enum index_kind kind)
{
    int64_t n = 0;

    for (size_t i = 0; i < schema_nindexes; i++)
        n += schema_indexes[i].kind == kind;
    return n;
}

TEST(the_vendors_indexes_are_made_and_dropped_as_asked)
{
    struct db *db = open_db(false);
    struct schema_state now;
    int64_t all = (int64_t)schema_nindexes;

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    assert_int_equal(count_indexes(db), all);
    for (int i = 0; i < 2; i++) { /* the same once more changes nothing */
        assert_int_equal(schema_vendor_indexes(db, true, false), DB_OK);
        assert_int_equal(count_indexes(db), all - of_kind(INDEX_VENDOR_EVENT));
        assert_int_equal(schema_state(db, &now), DB_OK);
        assert_false(now.event_indexes);
    }
    assert_int_equal(schema_vendor_indexes(db, false, true), DB_OK);
    assert_int_equal(count_indexes(db), all - of_kind(INDEX_VENDOR_EVENT) - of_kind(INDEX_VENDOR));
    assert_int_equal(schema_vendor_indexes(db, true, true), DB_OK);
    assert_int_equal(count_indexes(db), all);
    assert_int_equal(schema_state(db, &now), DB_OK);
    assert_true(now.event_indexes);
    db->ops->close(db);
}

TEST(a_newer_schema_and_another_builds_are_refused)
{
    struct db *db = open_db(false);

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    exec_ok(db, "UPDATE jg_schema SET digest = 'other'");
    assert_int_equal(schema_check(db), DB_REFUSED);
    assert_non_null(strstr(db->error.text, "another build"));
    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_REFUSED);
    exec_ok(db, "UPDATE jg_schema SET version = 999");
    assert_int_equal(schema_check(db), DB_REFUSED);
    assert_non_null(strstr(db->error.text, "newer"));
    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_REFUSED);
    assert_non_null(strstr(db->error.text, "999"));
    db->ops->close(db);
}

TEST(a_foreign_database_is_refused_with_what_differs)
{
    struct db *db = open_db(false);
    struct buf said = BUF_INIT(64 * 1024);

    exec_ok(db, "CREATE TABLE session (id INTEGER PRIMARY KEY, lsid TEXT, favourite_colour TEXT);"
                "CREATE TABLE unrelated (a INTEGER)");
    assert_int_equal(schema_check(db), DB_REFUSED);
    assert_non_null(strstr(db->error.text, "jg_schema"));
    assert_int_equal(schema_migrate(db, 1000, true, false, &said), DB_REFUSED);
    const char *text = buf_cstr(&said);
    assert_non_null(strstr(text, "table session: column favourite_colour is not one of ours\n"));
    assert_non_null(strstr(text, "table session: column start_unix is absent\n"));
    assert_null(strstr(text, "lsid"));
    assert_null(strstr(text, "unrelated"));
    assert_int_equal(get_int(db, "SELECT count(*) FROM sqlite_master"), 2);
    buf_free(&said);
    db->ops->close(db);
}

/* ---- damage ---- */

#define PAGE 8192

/* Writes zeros over a page, counted from 1, or puts back what was there. */
static void swap_page(int64_t number, char kept[PAGE], bool damage)
{
    static const char zeros[PAGE];
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, (number - 1) * PAGE, SEEK_SET), 0);
    if (damage) {
        assert_int_equal(fread(kept, PAGE, 1, file), 1);
        assert_int_equal(fseek(file, (number - 1) * PAGE, SEEK_SET), 0);
    }
    assert_int_equal(fwrite(damage ? zeros : kept, PAGE, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* What a start says about a file of which this page is damaged. */
static enum db_outcome start_without_page(int64_t number, uint64_t whole_max, char text[DB_TEXT_SIZE])
{
    char kept[PAGE];
    enum db_outcome outcome;

    swap_page(number, kept, true);
    struct db *db = open_db(false);
    outcome = db ? db_verify_start(db, whole_max) : error.outcome;
    (void)snprintf(text, DB_TEXT_SIZE, "%s", db ? db->error.text : error.text);
    db_sqlite.close(db);
    swap_page(number, kept, false);
    return outcome;
}

TEST(a_start_reads_the_ends_of_every_table_and_index)
{
    struct db *db = open_db(false);
    char sql[160], text[DB_TEXT_SIZE];
    int64_t roots[128];
    size_t n = 0;

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    assert_int_equal(db_verify_start(db, 0), DB_OK);
    assert_int_equal(db_verify_start(db, UINT64_MAX), DB_OK);
    for (size_t i = 0; i < schema_ntables + schema_nindexes; i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name = '%s'",
                       i < schema_ntables ? schema_tables[i].name : schema_indexes[i - schema_ntables].name);
        roots[n++] = get_int(db, sql);
    }
    db->ops->close(db);
    for (size_t i = 0; i < n; i++) {
        case_label("%s",
                   i < schema_ntables ? schema_tables[i].name : schema_indexes[i - schema_ntables].name);
        assert_int_equal(start_without_page(roots[i], 0, text), DB_DAMAGED);
        assert_non_null(strstr(text, path));
        assert_non_null(strstr(text, "collect --once --since"));
    }
}

TEST(a_small_file_is_verified_whole)
{
    struct db *db = open_db(false);
    char text[DB_TEXT_SIZE];
    int64_t leaf;

    assert_int_equal(schema_migrate(db, 1000, true, false, NULL), DB_OK);
    exec_ok(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                "INSERT INTO jg_commit (\"at\", seq) SELECT i, i FROM n");
    leaf = get_int(db, "SELECT pageno FROM dbstat WHERE name = 'jg_commit' AND path = '/003/'");
    assert_true(leaf > 1);
    db->ops->close(db);
    assert_int_equal(start_without_page(leaf, UINT64_MAX, text), DB_DAMAGED);
    assert_non_null(strstr(text, path));
    assert_non_null(strstr(text, "collect --once --since"));
    assert_int_equal(start_without_page(leaf, 8 * PAGE, text), DB_OK); /* a larger file: only the ends */
}

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(values_come_back_as_they_were_bound),
        RUN(failures_have_outcomes_and_the_engines_text),
        RUN(a_second_writer_is_busy_and_a_reader_is_not),
        RUN(a_file_that_is_moved_or_removed_takes_no_more_writes),
        RUN(a_reader_can_do_nothing_but_select),
        RUN(a_file_that_cannot_be_used_is_named_with_what_to_do),
        RUN(another_thread_interrupts_what_runs_and_what_comes),
        RUN(a_wait_for_a_lock_can_be_interrupted),
        RUN(a_writers_file_has_wal_and_incremental_vacuum),
        RUN(sorting_goes_to_files_beside_the_database),
        RUN(a_name_that_is_being_written_is_waited_for),
        RUN(collectors_of_two_state_directories_exclude_each_other_on_one_file),
        RUN(golden_files_hold_the_ddl_of_each_engine),
        RUN(golden_file_of_statements),
        RUN(connection_strings_keep_their_rules),
        RUN(the_document_is_written_from_the_tables),
        RUN(every_index_names_columns_that_its_table_has),
        RUN(the_documents_queries_run),
        RUN(a_migration_is_made_once),
        RUN(every_index_of_the_table_is_made),
        RUN(the_vendors_indexes_are_made_and_dropped_as_asked),
        RUN(a_newer_schema_and_another_builds_are_refused),
        RUN(a_foreign_database_is_refused_with_what_differs),
        RUN(a_start_reads_the_ends_of_every_table_and_index),
        RUN(a_small_file_is_verified_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
