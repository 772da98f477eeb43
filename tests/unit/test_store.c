/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store.c - the SQLite store on a real disk: rows come back, writes are grouped, damage and strangers
 * are refused.
 */
#include "base/buf.h"
#include "base/memory/secret.h"
#include "check.h"
#include "fake_clock.h"
#include "stores/sqlite.h"
#include "stores/sqlite_schema.h"

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
static char why[SQLITE_CHECK_WHY];
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
    struct store_step step; /* first */
    char mark[32];
    char name[24];
    int err;
    bool done;
};

static void on_written(struct store_step *step, enum store_outcome outcome)
{
    struct written *x = (struct written *)step;

    assert_false(x->done);
    x->done = true;
    x->err = outcome == STORE_OTHERWISE ? -ESTALE : step->err;
}

static void give(struct store *s, struct store_step *step)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    STAILQ_INSERT_TAIL(&list, step, link);
    assert_int_equal(s->ops->steps(s, &list), 0);
    assert_true(STAILQ_EMPTY(&list));
}

static struct holder some_holder(void)
{
    return (struct holder){.username = "mrivera",
                           .domain = "ACME",
                           .session = "pra-1",
                           .lsid = "",
                           .credential = "1.safe.l.17.203.0",
                           .system = "",
                           .account = "",
                           .created_wall_ms = 1000};
}

/* The request is about to be asked for. */
static void put(struct store *s, struct written *x, int n)
{
    memset(x, 0, sizeof(*x));
    (void)snprintf(x->mark, sizeof(x->mark), "lease%06d", n);
    (void)snprintf(x->name, sizeof(x->name), "%d", 9000 + n);
    x->step = (struct store_step){.kind = STEP_ASK,
                                  .request = {.mark = x->mark,
                                              .state = REQUEST_ASKED,
                                              .vault = "safe",
                                              .url = "https://safe.example:443/api",
                                              .user = "ACME\\mrivera",
                                              .name = x->name,
                                              .expires_wall_ms = 2000,
                                              .last_error = "",
                                              .asker = some_holder()},
                                  .done = on_written};
    give(s, &x->step);
    assert_false(x->done);
}

static void wait_for(struct written *x)
{
    while (!x->done)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

/* Another step of the same row. */
static void step_on(struct store *s, struct written *x, enum store_step_kind kind)
{
    x->done = false;
    x->step.kind = kind;
    x->step.request.state = REQUEST_HELD;
    x->step.lease =
        (struct lease_row){.request = x->mark, .id = x->mark, .holder = some_holder(), .ended_site = ""};
    x->step.instead = "";
    give(s, &x->step);
    wait_for(x);
    assert_int_equal(x->err, 0);
}

/* Of the last rows that were read. */
static int nrequests, nleases;
static size_t ncursors;
static enum request_state last_state;
static char last_name[32], last_session[64], last_lsid[64], last_site[64], last_names[64];
static enum session_end_source last_ended;

static int count_request(void *arg, const struct request_row *r)
{
    (void)arg;
    nrequests++;
    last_state = r->state;
    (void)snprintf(last_name, sizeof(last_name), "%s", r->name);
    (void)snprintf(last_session, sizeof(last_session), "%s", r->asker.session);
    return 0;
}

static int count_lease(void *arg, const struct lease_row *l)
{
    (void)arg;
    nleases++;
    (void)snprintf(last_lsid, sizeof(last_lsid), "%s", l->holder.lsid);
    (void)snprintf(last_site, sizeof(last_site), "%s", l->ended_site);
    (void)snprintf(last_names, sizeof(last_names), "%s on %s", l->holder.account, l->holder.system);
    last_ended = l->ended;
    return 0;
}

static int count_cursor(void *arg, const struct cursor_row *row)
{
    (void)arg;
    assert_string_equal(row->site, "pra one");
    assert_int_equal(row->cursor_ms, 1795895628123);
    ncursors++;
    return 0;
}

static const struct store_reader counting = {count_request, count_lease, count_cursor};

static int count_rows(struct store *s)
{
    nrequests = nleases = 0;
    ncursors = 0;
    assert_int_equal(s->ops->load(s, &counting, NULL), 0);
    return nrequests;
}

TEST(rows_come_back)
{
    struct store *s = open_store(false, NULL);
    struct written a, b;

    assert_non_null(s);
    assert_int_equal(count_rows(s), 0);
    put(s, &a, 1);
    put(s, &b, 2);
    wait_for(&b);
    assert_int_equal(a.err, 0);
    step_on(s, &a, STEP_CLOSE);
    step_on(s, &b, STEP_OPEN);
    close_store(s);

    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(count_rows(s), 1);
    assert_int_equal(nleases, 1);
    assert_string_equal(last_name, "9002");
    assert_int_equal(last_state, REQUEST_HELD);
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
    assert_true(sqlite_store_read(dir, &counting, NULL, why) < 0);
    assert_non_null(strstr(why, "leases.db"));
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
/* The page of another table: the rows that are read look whole. */
static void spoil_the_probe(void)
{
    static const char noise[24] = "XXXXXXXXXXXXXXXXXXXXXXX";
    sqlite3 *db = NULL;
    sqlite3_stmt *page = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (rootpage - 1) * page_size FROM sqlite_schema,"
                                        " pragma_page_size WHERE name = 'probe'",
                                        -1, &page, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(page), SQLITE_ROW);
    off_t at = sqlite3_column_int64(page, 0);
    assert_int_equal(sqlite3_finalize(page), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
    assert_int_equal(close(fd), 0);
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
static void change_a_row(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}
static void change_a_state(void)
{
    change_a_row("UPDATE vault_request SET state = 64 WHERE mark = (SELECT max(mark) FROM vault_request)");
}
static void change_an_end(void)
{
    change_a_row(
        "INSERT INTO lease SELECT mark, 'x', lsid, 64, '', username, domain, session, credential, system,"
        " account, created_ms, 0 FROM vault_request LIMIT 1");
}

static void change_the_magic(void)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_int_equal(close(fd), 0);
}

/* What `jumpgate check` sees of the file's head. */
TEST(a_look_at_the_file_names_its_fault)
{
    static const struct {
        void (*harm)(void);
        const char *says; /* NULL = nothing */
    } row[] = {
        {NULL, NULL},
        {empty_it, "it is damaged"},
        {change_the_magic, "it is damaged"},
        {garble_it, "it is damaged"},
        {make_it_foreign, "it is not a lease store"},
        {remove_it, "it is missing although a store was made here"},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%zu: %s", i, row[i].says ? row[i].says : "good");
        bool rebuilt = false;
        struct store *s = open_store(true, &rebuilt);
        char words[SQLITE_LOOK_WHY] = "";

        assert_non_null(s);
        close_store(s);
        if (row[i].harm)
            row[i].harm();
        assert_int_equal(sqlite_store_looks_good(dir, words), !row[i].says);
        if (row[i].says)
            assert_non_null(strstr(words, row[i].says));
    }
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
TEST(a_page_that_no_row_needs_is_damage)
{
    harmed(spoil_the_probe);
}
TEST(a_vanished_file_is_damage)
{
    harmed(remove_it);
}
TEST(a_foreign_file_is_damage)
{
    harmed(make_it_foreign);
}

TEST(a_row_that_no_gateway_writes_is_damage)
{
    harmed(change_a_state);
    harmed(change_an_end);
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
    assert_true(sqlite_store_read(dir, &counting, NULL, why) < 0);
    assert_non_null(strstr(why, "it was written by a newer version"));
}

/* ---- stores of earlier versions: they are read as they are, and migrated by a gateway that writes ---- */

/* The store of a fixture, in place of the one that is there. */
static void make_older(const char *fixture, const char *then)
{
    static char sql[65536];
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

static void put_cursor(struct store *s)
{
    struct written x = {
        .step = {.kind = STEP_CURSOR, .cursor = {"pra one", 1795895628123}, .done = on_written}};

    give(s, &x.step);
    wait_for(&x);
    assert_int_equal(x.err, 0);
}

/* All rows as text, sorted: what a request and a lease are, without what no version before has had. */
static struct buf dump;

static int dump_request(void *arg, const struct request_row *r)
{
    (void)arg;
    assert_int_equal(buf_printf(&dump,
                                "request %.6s %d %s user=%s name=%s adopted=%d attempts=%lld error=%s "
                                "session=%s credential=%s\n",
                                r->mark, (int)r->state, *r->url ? r->url : r->vault, r->user, r->name,
                                r->adopted, (long long)r->attempts, r->last_error, r->asker.session,
                                r->asker.credential),
                     0);
    return 0;
}

static int dump_lease(void *arg, const struct lease_row *l)
{
    (void)arg;
    assert_int_equal(buf_printf(&dump, "lease %.6s of %.6s session=%s lsid=%s ended=%d%s on %s\\%s\n", l->id,
                                l->request, l->holder.session, l->holder.lsid, (int)l->ended, l->ended_site,
                                l->holder.system, l->holder.account),
                     0);
    return 0;
}

static int dump_cursor(void *arg, const struct cursor_row *c)
{
    (void)arg;
    assert_int_equal(buf_printf(&dump, "cursor %s %lld\n", c->site, (long long)c->cursor_ms), 0);
    return 0;
}

static const struct store_reader dumping = {dump_request, dump_lease, dump_cursor};

/* The fixture is read as it is by who only reads, and as a migrated file. */
static void is_read_as(const char *want)
{
    dump = BUF_INIT(65536);
    assert_int_equal(sqlite_store_read(dir, &dumping, NULL, why), 0);
    assert_string_equal(buf_cstr(&dump), want);
    dump.len = 0;
    struct store *s = open_store(false, NULL);

    assert_non_null(s);
    assert_int_equal(s->ops->load(s, &dumping, NULL), 0);
    assert_string_equal(buf_cstr(&dump), want);
    buf_free(&dump);
    close_store(s);
}

#define URL_2 "http://127.0.0.1:44159/beyondtrust/api/public/v3"
#define ROWS_2(vault, lsid)                                                                                  \
    "request her45a 1 " vault " user=CORP\\bob name=1002 adopted=0 attempts=0 error= "                       \
    "session=0123456789abcdef0123456789abcdef credential=j1.main.l.20002.20003.0\n"                          \
    "request rajfy0 2 " vault                                                                                \
    " user=CORP\\ann name=1003 adopted=0 attempts=2 error=vault_error session=S-3 "                          \
    "credential=j1.main.l.20004.20005.0\n"                                                                   \
    "request x4fhj1 1 " vault " user=CORP\\ann name=1001 adopted=0 attempts=0 error= session=S-2 "           \
    "credential=j1.main.l.20000.20001.0\n"                                                                   \
    "lease her45a of her45a session=0123456789abcdef0123456789abcdef lsid=" lsid " ended=0 on \\\n"          \
    "lease x4fhj1 of x4fhj1 session=S-2 lsid=" lsid " ended=0 on \\\n"                                       \
    "lease yk50q8 of x4fhj1 session=S-1 lsid=" lsid " ended=0 on \\\n"

TEST(older_files_are_read_and_migrated)
{
    static const struct {
        const char *then, *want;
    } older[] = {
        {"", ROWS_2(URL_2, "")},
        {"ALTER TABLE lease DROP COLUMN url; PRAGMA user_version = 1", ROWS_2("main", "")},
        {"ALTER TABLE lease ADD COLUMN lsid TEXT NOT NULL DEFAULT 'L';"
         "ALTER TABLE lease ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
         "ALTER TABLE lease ADD COLUMN ended_site TEXT NOT NULL DEFAULT '';"
         "CREATE TABLE pra_cursor (site TEXT PRIMARY KEY NOT NULL, cursor_ms INTEGER NOT NULL) WITHOUT "
         "ROWID, STRICT; PRAGMA user_version = 3",
         ROWS_2(URL_2, "L")}};
    struct written x;

    for (size_t i = 0; i < sizeof(older) / sizeof(*older); i++) {
        case_label("schema %s", i == 0 ? "2" : i == 1 ? "1" : "3");
        make_older("stores/leases-2.sql", older[i].then);
        is_read_as(older[i].want);
        struct store *s = open_store(false, NULL);

        assert_non_null(s);
        put(s, &x, 1);
        wait_for(&x);
        assert_int_equal(x.err, 0);
        put_cursor(s);
        close_store(s);
        s = open_store(false, NULL);
        assert_non_null(s);
        assert_int_equal(count_rows(s), 4);
        assert_int_equal(nleases, 3);
        assert_int_equal(ncursors, 1);
        close_store(s);
        assert_int_equal(unlink(file), 0);
    }
}

#define URL_A "http://127.0.0.1:35049/beyondtrust/api/public/v3"
#define URL_B "http://127.0.0.1:38645/beyondtrust/api/public/v3"
#define ASKED(url, mark, state, user, name, rest, who, account)                                              \
    "request " mark " " state " " url " user=CORP\\" user " name=" name " " rest " session=" who             \
    " credential=j1.main.l." account ".0\n"
#define PLAIN              "adopted=0 attempts=0 error="
#define HELD(id, of, rest) "lease " id " of " of " session=" rest "\n"

/* One row per lease: several that name one request become one, and the leases of it. */
TEST(rows_of_leases_become_requests_and_leases)
{
    static const struct {
        const char *label, *fixture, *then, *want;
    } cases[] = {
        {"as it was", "stores/leases-4a.sql", "",
         ASKED(URL_A, "12ympb", "2", "bob", "1004", "adopted=0 attempts=1 error=vault_error", "bob-1",
               "20002.20003") ASKED(URL_A, "mpy4jz", "1", "ann", "1001", PLAIN, "ann-again", "20000.20001")
             ASKED(URL_A, "sx0kg8", "1", "bob", "1005", PLAIN, "bob-8", "20016.20017")
                 ASKED(URL_A, "z7p5fc", "0", "ann", "", PLAIN, "ann-2", "20004.20005")
                     ASKED(URL_A, "z8cefj", "1", "ann", "1003", PLAIN, "ann-1", "20002.20003")
                         HELD("mpy4jz", "mpy4jz", "ann-again lsid= ended=0 on box20000\\root")
                             HELD("nfzhpd", "mpy4jz",
                                  "ann-0 lsid=0123456789abcdef0123456789abcdef ended=0 on box20000\\root")
                                 HELD("sx0kg8", "sx0kg8", "bob-8 lsid= ended=0 on box20016\\root")
                                     HELD("z8cefj", "z8cefj", "ann-1 lsid= ended=0 on box20002\\root")},
        {"a cover beside the open lease; no request at the vault; an intent with a request id; a cursor",
         "stores/leases-4a.sql",
         "UPDATE lease SET state = 2 WHERE session = 'ann-again';"
         "UPDATE lease SET ended = 2, ended_site = 'pra one' WHERE session = 'ann-0';"
         "UPDATE lease SET request_id = 0 WHERE session IN ('bob-8', 'ann-1');"
         "UPDATE lease SET request_id = 1020 WHERE session = 'ann-2';"
         "INSERT INTO pra_cursor VALUES ('pra one', 1795895628123)",
         ASKED(URL_A, "12ympb", "2", "bob", "1004", "adopted=0 attempts=1 error=vault_error", "bob-1",
               "20002.20003") ASKED(URL_A, "nfzhpd", "1", "ann", "1001", PLAIN, "ann-0", "20000.20001")
             ASKED(URL_A, "sx0kg8", "1", "bob", "", PLAIN, "bob-8",
                   "20016.20017") ASKED(URL_A, "z7p5fc", "2", "ann", "1020", PLAIN, "ann-2", "20004.20005")
                 ASKED(URL_A, "z8cefj", "1", "ann", "", PLAIN, "ann-1", "20002.20003")
                     HELD("nfzhpd", "nfzhpd",
                          "ann-0 lsid=0123456789abcdef0123456789abcdef ended=2pra one on box20000\\root")
                         HELD("sx0kg8", "sx0kg8", "bob-8 lsid= ended=0 on box20016\\root")
                             HELD("z8cefj", "z8cefj",
                                  "ann-1 lsid= ended=0 on box20002\\root") "cursor pra one 1795895628123\n"},
        {"two covers, in another order than their ids; one of two adopted", "stores/leases-4b.sql",
         "UPDATE lease SET state = 2, created_ms = created_ms - 1000 * (session = 'ann-again') WHERE "
         "request_id = 1001;"
         "UPDATE lease SET adopted = 1, request_id = 1005, url = '', state = 1 WHERE session = 'carol-4';"
         "UPDATE lease SET url = '' WHERE session = 'bob-8'",
         ASKED(URL_B, "827ecp", "1", "ann", "1008", "adopted=1 attempts=0 error=", "ann-3", "20006.20007")
             ASKED("main", "hc23a9", "1", "bob", "1005", PLAIN, "bob-8", "20016.20017")
                 ASKED(URL_B, "pjqzmh", "2", "ann", "1001", PLAIN, "ann-again", "20000.20001")
                     HELD("827ecp", "827ecp", "ann-3 lsid= ended=0 on box20006\\root")
                         HELD("hc23a9", "hc23a9", "bob-8 lsid= ended=0 on box20016\\root")
                             HELD("nk2xjv", "hc23a9", "carol-4 lsid= ended=0 on box20008\\root")},
        {"one that had lapsed", "stores/leases-4b.sql", "DELETE FROM lease WHERE state <> 3",
         ASKED(URL_B, "nk2xjv", "3", "carol", "1009", "adopted=0 attempts=1 error=vault_error", "carol-4",
               "20008.20009")},
    };

    make_older("stores/leases-6.sql", "");
    is_read_as(cases[0].want);
    is_read_as(cases[0].want);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].label);
        make_older(cases[i].fixture, cases[i].then);
        is_read_as(cases[i].want);
        is_read_as(cases[i].want); /* migrated once */
        assert_int_equal(unlink(file), 0);
    }
}

static unsigned nhandles, nends;

static int see_handle(void *arg, const struct request_row *r)
{
    (void)arg;
    assert_string_equal(r->handle, strcmp(r->name, "k1") == 0 ? "h1" : "");
    assert_int_equal(r->checkins_due, *r->handle ? 3 : 0);
    nhandles += *r->handle != 0;
    return 0;
}

static int see_end(void *arg, const struct lease_row *l)
{
    (void)arg;
    assert_true(l->expires_wall_ms == (strcmp(l->id, "l1") == 0 ? 12345 : 0));
    nends += l->expires_wall_ms != 0;
    return 0;
}

static void apply(struct store *s, struct written *x)
{
    x->step.done = on_written;
    give(s, &x->step);
    wait_for(x);
    assert_int_equal(x->err, 0);
}

/* Rows of the schema before have none; what is put then comes back, whatever later steps say of it. How many
 * check-ins are due is as the last step says. */
TEST(a_request_has_a_handle_and_a_lease_an_end_of_its_own)
{
    static const struct store_reader seeing = {see_handle, see_end, NULL};
    struct holder who = {.username = "ann",
                         .domain = "",
                         .session = "s",
                         .lsid = "",
                         .credential = "c",
                         .system = "",
                         .account = ""};
    struct request_row row = {.mark = "m1",
                              .owner = "",
                              .vault = "main",
                              .url = "",
                              .user = "gateway",
                              .name = "k1",
                              .handle = "h1",
                              .checkins_due = 1,
                              .last_error = "",
                              .asker = who};
    struct written ask = {.step = {.kind = STEP_ASK, .request = row, .lease = {.id = ""}}};
    struct written open = {
        .step = {
            .kind = STEP_OPEN,
            .request = row,
            .instead = "",
            .lease = {
                .request = "m1", .id = "l1", .holder = who, .ended_site = "", .expires_wall_ms = 12345}}};
    struct written edit = {.step = {.kind = STEP_EDIT, .request = row, .lease = {.id = ""}}};
    struct store *s;

    make_older("stores/leases-6.sql", "");
    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(s->ops->load(s, &seeing, NULL), 0);
    assert_int_equal(nhandles + nends, 0);
    apply(s, &ask);
    open.step.request.state = REQUEST_HELD;
    open.step.request.handle = "";
    apply(s, &open);
    edit.step.request.state = REQUEST_HELD;
    edit.step.request.checkins_due = 3;
    apply(s, &edit);
    close_store(s);
    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(s->ops->load(s, &seeing, NULL), 0);
    assert_int_equal(nhandles, 1);
    assert_int_equal(nends, 1);
    close_store(s);
    assert_int_equal(unlink(file), 0);
}

static unsigned nused;

static int see_spin(void *arg, const struct request_row *r)
{
    bool was_handed_out = *r->handle && r->state != REQUEST_ASKED;

    (void)arg;
    assert_int_equal(r->spin, was_handed_out ? SPIN_USED : SPIN_UNUSED);
    assert_int_equal(r->spins + r->began_wall_ms, 0);
    nused += was_handed_out;
    return 0;
}

/* What was held or was being given back then may have been handed out. */
TEST(an_older_row_may_have_been_handed_out_where_its_key_comes_again)
{
    static const struct store_reader seeing = {see_spin, NULL, NULL};

    make_older("stores/leases-7.sql", "");
    for (int i = 0; i < 2; i++) {
        struct store *s = open_store(false, NULL);

        assert_non_null(s);
        nused = 0;
        assert_int_equal(s->ops->load(s, &seeing, NULL), 0);
        assert_int_equal(nused, 2);
        close_store(s);
    }
    assert_int_equal(unlink(file), 0);
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
TEST(lsid_end_names_and_cursor_come_back)
{
    struct store *s = open_store(false, NULL);
    struct written x, first = {.step = {.kind = STEP_CURSOR, .cursor = {"pra one", 1}, .done = on_written}};

    assert_non_null(s);
    put(s, &x, 1);
    wait_for(&x);
    x.done = false;
    x.step.kind = STEP_OPEN;
    x.step.request.state = REQUEST_HELD;
    x.step.instead = "";
    x.step.lease = (struct lease_row){.request = x.mark,
                                      .id = "other",
                                      .holder = some_holder(),
                                      .ended = SESSION_END_TERMINATE,
                                      .ended_site = "pra one"};
    x.step.lease.holder.lsid = "{01234567-89ab-cdef-0123-456789ABCDEF}";
    x.step.lease.holder.system = "web01";
    x.step.lease.holder.account = "CORP\\root";
    give(s, &x.step);
    give(s, &first.step);
    wait_for(&first);
    put_cursor(s); /* after the first */
    close_store(s);
    s = open_store(false, NULL);
    assert_non_null(s);
    assert_int_equal(count_rows(s), 1);
    assert_string_equal(last_lsid, "{01234567-89ab-cdef-0123-456789ABCDEF}");
    assert_string_equal(last_site, "pra one");
    assert_string_equal(last_names, "CORP\\root on web01");
    assert_int_equal(last_ended, SESSION_END_TERMINATE);
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
    put(s, &many[1], 1001);
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

/* Without a step to write the store finds out by itself that it can. */
TEST(a_store_that_cannot_write_looks_every_second)
{
    struct fake_clock clock;
    struct written a;
    struct store_state st;

    assert_int_equal(loop_free(loop), 0);
    fake_clock_init(&clock);
    loop = loop_new_clock(&clock.clock);
    struct store *s = open_store(false, NULL);

    assert_non_null(s);
    no_threads = true;
    put(s, &a, 1);
    wait_for(&a);
    assert_int_equal(a.err, -EAGAIN);
    for (int second = 0; second < 3; second++) {
        no_threads = second < 2;
        s->ops->state(s, &st);
        assert_false(st.writable);
        fake_clock_advance(&clock, 1000);
        for (int i = 0; i < 20 || (second == 2 && !st.writable); i++) {
            (void)loop_iterate(loop);
            s->ops->state(s, &st);
        }
        assert_int_equal(st.commits, second == 2);
    }
    assert_string_equal(st.why, "");
    assert_int_equal(count_rows(s), 0);
    close_store(s);
}

TEST(a_store_that_closes_takes_no_steps)
{
    struct store *s = open_store(false, NULL);
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct written a, late = {.step = {.kind = STEP_CURSOR, .cursor = {"pra one", 1}, .done = on_written}};

    assert_non_null(s);
    put(s, &a, 1);
    closed = false;
    s->ops->close(s, on_closed, NULL);
    STAILQ_INSERT_TAIL(&list, &late.step, link);
    assert_int_equal(s->ops->steps(s, &list), -ESHUTDOWN);
    while (!closed)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
    assert_true(a.done && !a.err && !late.done);
}

TEST(a_directory_without_a_store_is_no_damage)
{
    struct store_move move = {.state = MOVE_GONE};
    size_t requests = 9;

    assert_int_equal(sqlite_store_check(dir, &requests, why), SQLITE_CHECK_ABSENT);
    assert_int_equal(requests, 0);
    assert_false(sqlite_store_moved(dir, &move));
    assert_int_equal(move.state, MOVE_NONE);
    assert_true(sqlite_store_looks_good(dir, why));
}

/* Made, of so many letters, below the test's. */
static void make_long(char *path, size_t n)
{
    size_t len = strlen(dir);

    (void)snprintf(path, n + 1, "%s", dir);
    while (len < n) {
        size_t part = n - len > 202 ? 200 : n - len - 1;

        path[len] = '/';
        memset(path + len + 1, 'd', part);
        len += part + 1;
        path[len] = '\0';
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

TEST(a_name_that_is_too_long_is_refused)
{
    static const struct {
        size_t n;
        const char *says;
    } row[] = {{4056, "File name too long"}, {4070, "the name of the state directory is too long"}};

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char path[4096];
        bool rebuilt;
        struct store_move move;

        case_label("%zu letters", row[i].n);
        make_long(path, row[i].n);
        assert_null(sqlite_store_open(loop, path, true, &rebuilt, why));
        assert_int_equal(errno, ENAMETOOLONG);
        assert_non_null(strstr(why, row[i].says));
        assert_true(sqlite_store_looks_good(path, why)); /* its opening says so */
        assert_false(sqlite_store_moved(path, &move));
        (void)teardown(NULL);
        (void)setup(NULL);
    }
}

TEST(a_result_of_sqlite_is_an_errno)
{
    static const struct {
        int rc, err;
    } row[] = {
        {SQLITE_OK, 0},
        {SQLITE_ROW, 0},
        {SQLITE_DONE, 0},
        {SQLITE_FULL, -ENOSPC},
        {SQLITE_NOMEM, -ENOMEM},
        {SQLITE_BUSY, -EBUSY},
        {SQLITE_LOCKED_SHAREDCACHE, -EBUSY},
        {SQLITE_READONLY_DBMOVED, -EROFS},
        {SQLITE_PERM, -EROFS},
        {SQLITE_CANTOPEN_ISDIR, -ENOENT},
        {SQLITE_CORRUPT_VTAB, -EUCLEAN},
        {SQLITE_NOTADB, -EUCLEAN},
        {SQLITE_ERROR, -EUCLEAN},
        {SQLITE_IOERR_FSYNC, -EIO},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%d", row[i].rc);
        assert_int_equal(sqlite_errno(row[i].rc), row[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_writes_share_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_completes_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_per_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_look_at_the_file_names_its_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_are_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_that_no_row_needs_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vanished_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_no_gateway_writes_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_file_is_never_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(older_files_are_read_and_migrated, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_leases_become_requests_and_leases, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_row_may_have_been_handed_out_where_its_key_comes_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_has_a_handle_and_a_lease_an_end_of_its_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_tag_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(lsid_end_names_and_cursor_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_fails_the_write_and_heals, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_thread_writes_fail_and_heal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_cannot_write_looks_every_second, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_closes_takes_no_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_without_a_store_is_no_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_too_long_is_refused, setup, teardown),
        cmocka_unit_test(a_result_of_sqlite_is_an_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
