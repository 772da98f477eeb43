/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store.c - the SQLite store on a real disk: rows come back, writes are grouped, damage and strangers
 * are refused.
 */
#include "base/memory/secret.h"
#include "check.h"
#include "stores/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], file[96];
static struct loop *loop;
static char why[320];
static bool no_threads;

/* In the place of libuv's: a system that gives no thread. */
int uv_thread_create(uv_thread_t *thread, void (*entry)(void *arg), void *arg)
{
    static const uv_thread_options_t plain = {.flags = UV_THREAD_NO_FLAGS};

    return no_threads ? UV_EAGAIN : uv_thread_create_ex(thread, &plain, entry, arg);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/leases.db", dir);
    loop = loop_new();
    assert_non_null(loop);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    assert_int_equal(loop_free(loop), 0);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct store *open_store(bool rebuild, bool *rebuilt)
{
    bool unused;

    why[0] = '\0';
    return sqlite_store_open(loop, dir, rebuild, rebuilt ? rebuilt : &unused, why);
}

static bool closed;
static void on_closed(void *arg)
{
    (void)arg;
    closed = true;
}

static void close_store(struct store *s)
{
    closed = false;
    s->ops->close(s, on_closed, NULL);
    while (!closed)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

struct written {
    struct store_write w;
    char id[32];
    char request[24];
    int err;
    bool done;
};

static void on_written(struct store_write *w, int err)
{
    struct written *x = (struct written *)w;

    assert_false(x->done);
    x->done = true;
    x->err = err;
}

static void give(struct store *s, struct store_write *w)
{
    struct store_writes list = STAILQ_HEAD_INITIALIZER(list);

    STAILQ_INSERT_TAIL(&list, w, link);
    assert_int_equal(s->ops->write(s, &list), 0);
    assert_true(STAILQ_EMPTY(&list));
}

static void put(struct store *s, struct written *x, int n)
{
    memset(x, 0, sizeof(*x));
    (void)snprintf(x->id, sizeof(x->id), "lease%06d", n);
    (void)snprintf(x->request, sizeof(x->request), "%d", 9000 + n);
    x->w.row = (struct lease_row){
        .id = x->id,
        .state = LEASE_OPEN,
        .vault = "safe",
        .url = "https://safe.example:443/api",
        .user = "ACME\\mrivera",
        .username = "mrivera",
        .domain = "ACME",
        .session = "pra-1",
        .credential = "1.safe.l.17.203.0",
        .tag = x->id,
        .system_id = 17,
        .account_id = 203,
        .request = x->request,
        .created_wall_ms = 1000,
        .expires_wall_ms = 2000,
        .last_error = "",
        .lsid = "",
        .ended_site = "",
        .system = "",
        .account = "",
    };
    x->w.done = on_written;
    give(s, &x->w);
    assert_false(x->done);
}

static void wait_for(struct written *x)
{
    while (!x->done)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static int nrows;
static struct lease_row last_row; /* its texts are gone */
static long last_request;
static char last_session[64];
static int count_row(void *arg, const struct lease_row *r)
{
    (void)arg;
    nrows++;
    last_row = *r;
    last_request = strtol(r->request, NULL, 10);
    (void)snprintf(last_session, sizeof(last_session), "%s", r->session);
    return 0;
}

static int count_rows(struct store *s)
{
    nrows = 0;
    assert_int_equal(s->ops->load(s, count_row, NULL), 0);
    return nrows;
}

TEST(rows_come_back)
{
    struct store *s = open_store(false, NULL);
    struct written a, b, gone = {.w = {.remove = true, .done = on_written}};

    assert_non_null(s);
    assert_int_equal(count_rows(s), 0);
    put(s, &a, 1);
    put(s, &b, 2);
    wait_for(&b);
    assert_int_equal(a.err, 0);
    gone.w.row.id = a.id;
    give(s, &gone.w);
    wait_for(&gone);
    close_store(s);

    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(count_rows(s), 1);
    assert_int_equal(last_request, 9002);
    assert_int_equal(last_row.state, LEASE_OPEN);
    assert_string_equal(last_session, "pra-1");
    close_store(s);
}

TEST(waiting_writes_share_a_commit)
{
    struct store *s = open_store(false, NULL);
    struct written *many = calloc(500, sizeof(*many));
    struct store_state st;

    assert_non_null(s);
    assert_non_null(many);
    for (int i = 0; i < 500; i++)
        put(s, &many[i], i);
    wait_for(&many[499]);
    s->ops->state(s, &st);
    assert_true(st.commits <= 3); /* the first alone, the rest together */
    assert_int_equal(st.queued, 0);
    assert_int_equal(count_rows(s), 500);
    close_store(s);
    free(many);
}

TEST(closing_completes_what_is_queued)
{
    struct store *s = open_store(false, NULL);
    struct written a, b;

    assert_non_null(s);
    put(s, &a, 1);
    put(s, &b, 2);
    close_store(s);
    assert_true(a.done && b.done && !a.err && !b.err);
}

TEST(files_are_private)
{
    struct stat st;
    struct store *s = open_store(false, NULL);

    assert_non_null(s);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    close_store(s);
}

TEST(one_process_per_directory)
{
    struct store *s = open_store(false, NULL);

    assert_non_null(s);
    assert_null(open_store(false, NULL));
    assert_non_null(strstr(why, "in use by another jumpgate"));
    close_store(s);
}

static void write_file(const char *bytes, size_t n)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    (void)close(fd);
}

/* A store with rows, then whatever `harm` does to its file. */
static void harmed(void (*harm)(void))
{
    struct store *s = open_store(false, NULL);
    struct written many[200];
    bool rebuilt = false;

    assert_non_null(s);
    for (int i = 0; i < 200; i++)
        put(s, &many[i], i);
    wait_for(&many[199]);
    close_store(s);
    harm();
    assert_null(open_store(false, NULL));
    assert_non_null(strstr(why, "leases.db"));
    assert_non_null(strstr(why, "--rebuild"));
    s = open_store(true, &rebuilt);
    assert_non_null(s);
    assert_true(rebuilt);
    assert_int_equal(count_rows(s), 0);
    close_store(s);
    s = open_store(false, NULL);
    assert_non_null(s);
    close_store(s);
}

static void empty_it(void)
{
    write_file("", 0);
}
static void cut_it(void)
{
    assert_int_equal(truncate(file, 5000), 0);
}
static void zero_it(void)
{
    static const char zeros[40000];
    write_file(zeros, sizeof(zeros));
}
static void garble_it(void)
{
    static char noise[40000];
    unsigned seed = 3;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)rand_r(&seed);
    write_file(noise, sizeof(noise));
}
static void remove_it(void)
{
    assert_int_equal(unlink(file), 0);
}
static void make_it_foreign(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(unlink(file), 0);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

TEST(an_empty_file_is_damage)
{
    harmed(empty_it);
}
TEST(a_cut_file_is_damage)
{
    harmed(cut_it);
}
TEST(zeros_are_damage)
{
    harmed(zero_it);
}
TEST(garbage_is_damage)
{
    harmed(garble_it);
}
TEST(a_vanished_file_is_damage)
{
    harmed(remove_it);
}
TEST(a_foreign_file_is_damage)
{
    harmed(make_it_foreign);
}

TEST(a_newer_file_is_never_touched)
{
    struct store *s = open_store(false, NULL);
    sqlite3 *db = NULL;

    assert_non_null(s);
    close_store(s);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_null(open_store(false, NULL));
    assert_non_null(strstr(why, "newer version (schema 99, this one knows "));
    assert_non_null(strstr(why, "); install that version again"));
    assert_null(open_store(true, NULL));
}

/* Of earlier versions: they are read as they are, and migrated by a gateway that writes. */
static const char *kept; /* what the last row kept */
static size_t nodd;      /* rows that are not as the fixture has them */

static int note_kept(void *arg, const struct lease_row *row)
{
    (void)arg;
    kept = *row->lsid ? "lsid" : *row->url ? "url" : "neither";
    nrows++;
    nodd += row->ended != SESSION_END_NONE || *row->ended_site || strtol(row->request, NULL, 10) < 1001 ||
            strtol(row->request, NULL, 10) > 1003 || row->created_wall_ms != 1795895628000 ||
            *row->session == '\0' || row->attempts != (strcmp(row->session, "S-3") == 0 ? 2 : 0);
    return 0;
}

static void read_kept(const char *what, int rows)
{
    nrows = 0;
    assert_int_equal(sqlite_store_read(dir, note_kept, NULL, why), 0);
    assert_string_equal(kept, what);
    assert_int_equal(nrows, rows);
    assert_int_equal(nodd, 0);
}

/* The store of a fixture, in place of the one that is there. */
static void make_older(const char *fixture, const char *then)
{
    char sql[8192];
    FILE *in = fopen(fixture, "r");
    sqlite3 *db = NULL;

    assert_non_null(in);
    size_t n = fread(sql, 1, sizeof(sql) - 1, in);

    (void)fclose(in);
    assert_in_range(n, 1, sizeof(sql) - 2);
    sql[n] = '\0';
    (void)unlink(file);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, then, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static size_t ncursors;

static int count_cursor(void *arg, const struct cursor_row *row)
{
    (void)arg;
    assert_string_equal(row->site, "pra one");
    assert_int_equal(row->cursor_ms, 1795895628123);
    ncursors++;
    return 0;
}

static void put_cursor(struct store *s)
{
    struct written x = {.w = {.cursor = {"pra one", 1795895628123}, .done = on_written}};

    give(s, &x.w);
    wait_for(&x);
    assert_int_equal(x.err, 0);
}

TEST(older_files_are_read_and_migrated)
{
    static const struct {
        const char *then, *kept;
    } older[] = {{"", "url"},
                 {"ALTER TABLE lease DROP COLUMN url; PRAGMA user_version = 1", "neither"},
                 {"ALTER TABLE lease ADD COLUMN lsid TEXT NOT NULL DEFAULT '';"
                  "ALTER TABLE lease ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
                  "ALTER TABLE lease ADD COLUMN ended_site TEXT NOT NULL DEFAULT '';"
                  "CREATE TABLE pra_cursor (site TEXT PRIMARY KEY NOT NULL, cursor_ms INTEGER NOT NULL) "
                  "WITHOUT ROWID, "
                  "STRICT; PRAGMA user_version = 3",
                  "url"}};
    struct written x;

    for (size_t i = 0; i < sizeof(older) / sizeof(*older); i++) {
        make_older("stores/leases-2.sql", older[i].then);
        read_kept(older[i].kept, 4);
        struct store *s = open_store(false, NULL);

        assert_non_null(s);
        read_kept(older[i].kept, 4);
        assert_int_equal(s->ops->load_cursors(s, count_cursor, NULL), 0);
        assert_int_equal(ncursors, 0);
        put(s, &x, 1);
        wait_for(&x);
        assert_int_equal(x.err, 0);
        assert_int_equal(count_rows(s), 5);
        put_cursor(s);
        close_store(s);
        s = open_store(false, NULL);
        assert_non_null(s);
        assert_int_equal(count_rows(s), 5);
        assert_int_equal(s->ops->load_cursors(s, count_cursor, NULL), 0);
        assert_int_equal(ncursors, 1);
        ncursors = 0;
        close_store(s);
        assert_int_equal(unlink(file), 0);
    }
}

/* Of a new store as of an older one, until it is set. */
TEST(the_tag_is_kept)
{
    for (int older = 0; older < 2; older++) {
        if (older)
            make_older("stores/leases-2.sql", "");
        struct store *s = open_store(false, NULL);

        assert_non_null(s);
        assert_string_equal(s->ops->tag(s), "");
        assert_int_equal(s->ops->set_tag(s, "ab0yz"), 0);
        assert_string_equal(s->ops->tag(s), "ab0yz");
        close_store(s);
        s = open_store(false, NULL);
        assert_non_null(s);
        assert_string_equal(s->ops->tag(s), "ab0yz");
        close_store(s);
        assert_int_equal(unlink(file), 0);
    }
}

/* What a row says of its PRA session, and a cursor that moves. */
static char row_lsid[64], row_site[64], row_names[64];
static enum session_end_source row_ended;

static int keep_session(void *arg, const struct lease_row *row)
{
    (void)arg;
    (void)snprintf(row_lsid, sizeof(row_lsid), "%s", row->lsid);
    (void)snprintf(row_site, sizeof(row_site), "%s", row->ended_site);
    (void)snprintf(row_names, sizeof(row_names), "%s on %s", row->account, row->system);
    row_ended = row->ended;
    return 0;
}

TEST(lsid_end_names_and_cursor_come_back)
{
    struct store *s = open_store(false, NULL);
    struct written x, again = {.w = {.cursor = {"pra one", 1}, .done = on_written}};

    assert_non_null(s);
    put(s, &x, 1);
    wait_for(&x);
    x.done = false;
    x.w.row.lsid = "{01234567-89ab-cdef-0123-456789ABCDEF}";
    x.w.row.ended = SESSION_END_TERMINATE;
    x.w.row.ended_site = "pra one";
    x.w.row.system = "web01";
    x.w.row.account = "CORP\\root";
    give(s, &x.w);
    give(s, &again.w);
    wait_for(&again);
    put_cursor(s); /* in place of the first */
    close_store(s);
    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(s->ops->load(s, keep_session, NULL), 0);
    assert_string_equal(row_lsid, "{01234567-89ab-cdef-0123-456789ABCDEF}");
    assert_string_equal(row_site, "pra one");
    assert_string_equal(row_names, "CORP\\root on web01");
    assert_int_equal(row_ended, SESSION_END_TERMINATE);
    ncursors = 0;
    assert_int_equal(s->ops->load_cursors(s, count_cursor, NULL), 0);
    assert_int_equal(ncursors, 1);
    close_store(s);
}

TEST(a_full_disk_fails_the_write_and_heals)
{
    struct store *s = open_store(false, NULL);
    struct rlimit old, tight;
    struct written *many = calloc(300, sizeof(*many));
    struct store_state st;

    assert_non_null(s);
    assert_non_null(many);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){.rlim_cur = 20000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    put(s, &many[0], 0); /* alone in its commit: fits */
    for (int i = 1; i < 300; i++)
        put(s, &many[i], i);
    wait_for(&many[299]);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_not_equal(many[299].err, 0);
    s->ops->state(s, &st);
    assert_false(st.writable);
    put(s, &many[1], 1);
    wait_for(&many[1]);
    assert_int_equal(many[1].err, 0);
    s->ops->state(s, &st);
    assert_true(st.writable);
    assert_true(count_rows(s) <= 2);
    close_store(s);
    free(many);
}

/* Said as any other failure, never from within write(), and over when there are threads again. */
TEST(without_a_thread_writes_fail_and_heal)
{
    struct store *s = open_store(false, NULL);
    struct written a, b;
    struct store_state st;

    assert_non_null(s);
    no_threads = true;
    put(s, &a, 1);
    put(s, &b, 2);
    wait_for(&b);
    no_threads = false;
    assert_int_equal(a.err, -EAGAIN);
    assert_int_equal(b.err, -EAGAIN);
    s->ops->state(s, &st);
    assert_false(st.writable);
    put(s, &a, 1);
    wait_for(&a);
    assert_int_equal(a.err, 0);
    s->ops->state(s, &st);
    assert_true(st.writable);
    assert_int_equal(count_rows(s), 1);
    close_store(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_writes_share_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_completes_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_per_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_are_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vanished_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_file_is_never_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(older_files_are_read_and_migrated, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tag_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(lsid_end_names_and_cursor_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_fails_the_write_and_heals, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_thread_writes_fail_and_heal, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
