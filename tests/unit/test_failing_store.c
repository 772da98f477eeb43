/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_store.c - each call to SQLite, to the system and for memory fails once while the lease store
 * is made, written, read, migrated and made again after damage.
 *
 * A step that was called applied is in the file, and one that was called away is not. A whole file is never
 * called damaged, newer or missing, since --rebuild would move it aside. With nothing failing any more the
 * store opens, and its rows are those that were applied.
 */
#include "base/log.h"
#include "check.h"
#include "failing_calls.h"
#include "stores/sqlite.h"

#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], file[96], why[SQLITE_CHECK_WHY];
static struct loop *loop;

static void begin(void)
{
    /* In memory, where a sync takes no time. */
    (void)snprintf(dir, sizeof dir, "%s/jumpgate-failing-XXXXXX",
                   access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof file, "%s/leases.db", dir);
    loop = loop_new();
    assert_non_null(loop);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void end(void)
{
    assert_int_equal(loop_free(loop), 0);
    assert_int_equal(nftw(dir, remove_one, 4, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- opening and closing ---- */

/* NULL: it says why, and not that the file is damaged unless it is. */
static struct store *try_open(bool is_damaged)
{
    bool rebuilt;

    why[0] = '\0';
    struct store *s = sqlite_store_open(loop, dir, is_damaged, &rebuilt, why);

    if (!s) {
        int err = errno;

        assert_true(*why);
        assert_true(is_damaged || err != EBADMSG);
    }
    return s;
}

/* With nothing failing it opens. */
static struct store *open_store(bool is_damaged)
{
    struct store *s = try_open(is_damaged);

    if (s)
        return s;
    failing_calls_stop();
    s = try_open(is_damaged);
    if (!s)
        fail_msg("%s", why);
    failing_calls_start();
    return s;
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void close_store(struct store *s)
{
    bool closed = false;

    s->ops->close(s, on_closed, &closed);
    while (!closed)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
}

/* ---- steps ---- */

struct given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    enum request_state shown; /* with STORE_OTHERWISE */
};

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct given *g = (struct given *)step;

    assert_false(g->done);
    g->done = true;
    g->outcome = outcome;
    if (step->now)
        g->shown = step->now->state;
    assert_int_equal(step->err != 0, outcome == STORE_AWAY);
}

static const struct holder holder = {.username = "mrivera",
                                     .domain = "ACME",
                                     .session = "pra-1",
                                     .lsid = "",
                                     .credential = "j1.main.l.1.11.0",
                                     .system = "srv01",
                                     .account = "root",
                                     .created_wall_ms = 1000};

static struct store_step step_of(enum store_step_kind kind, const char *mark)
{
    return (struct store_step){.kind = kind,
                               .request = {.mark = mark,
                                           .state = kind == STEP_ASK ? REQUEST_ASKED : REQUEST_HELD,
                                           .vault = "main",
                                           .url = "https://vault.example:443/api",
                                           .user = "ACME\\mrivera",
                                           .name = "9001",
                                           .expires_wall_ms = 2000,
                                           .last_error = "",
                                           .asker = holder},
                               .lease = {.request = mark, .id = mark, .holder = holder, .ended_site = ""},
                               .cursor = {"pra one", 1795895628123},
                               .instead = "",
                               .done = on_done};
}

/* Given again while the store is away, as the journal does. */
static void apply(struct store *s, enum store_step_kind kind, const char *mark)
{
    for (int i = 0; i < 30; i++) {
        struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
        struct given g = {.step = step_of(kind, mark)};

        STAILQ_INSERT_TAIL(&list, &g.step, link);
        assert_int_equal(s->ops->steps(s, &list), 0);
        while (!g.done)
            (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
        assert_int_not_equal(g.outcome, STORE_OTHERWISE);
        if (g.outcome == STORE_APPLIED)
            return;
    }
    fail_msg("the store does not heal");
}

/* The request is not held: it is shown as it is, or the store is away. */
static void contradict(struct store *s, const char *mark)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);
    struct given g = {.step = step_of(STEP_PEND, mark)};

    STAILQ_INSERT_TAIL(&list, &g.step, link);
    g.shown = REQUEST_NSTATES;
    assert_int_equal(s->ops->steps(s, &list), 0);
    while (!g.done)
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE);
    assert_int_not_equal(g.outcome, STORE_APPLIED);
    assert_int_equal(g.shown, g.outcome == STORE_OTHERWISE ? REQUEST_ASKED : REQUEST_NSTATES);
}

/* ---- rows as text ---- */

static char rows[1024];

static int add(const char *kind, const char *a, const char *b, const char *c, int64_t n)
{
    size_t len = strlen(rows);

    (void)snprintf(rows + len, sizeof rows - len, "%s %s %s %s %lld\n", kind, a, b, c, (long long)n);
    return 0;
}

static int add_request(void *arg, const struct request_row *r)
{
    (void)arg;
    return add("request", r->mark, r->user, r->asker.session, (int64_t)r->state);
}

static int add_lease(void *arg, const struct lease_row *l)
{
    (void)arg;
    return add("lease", l->id, l->request, l->holder.username, l->holder.created_wall_ms);
}

static int add_cursor(void *arg, const struct cursor_row *c)
{
    (void)arg;
    return add("cursor", c->site, "", "", c->cursor_ms);
}

static const struct store_reader reader = {add_request, add_lease, add_cursor};

/* Either it cannot be read, or it has these rows. */
static int load(struct store *s, const char *want)
{
    rows[0] = '\0';
    int err = s->ops->load(s, &reader, NULL);

    if (!err)
        assert_string_equal(rows, want);
    return err;
}

static void check_rows(const char *want, const char *tag)
{
    size_t requests;

    failing_calls_stop();
    struct store *s = open_store(false);

    assert_int_equal(load(s, want), 0);
    assert_string_equal(s->ops->tag(s), tag);
    close_store(s);
    assert_int_equal(sqlite_store_check(dir, &requests, why), SQLITE_CHECK_WHOLE);
}

/* ---- scenarios ---- */

#define TAG "abcde"
#define REST                                                                                                 \
    "request one ACME\\mrivera pra-1 1\nrequest two ACME\\mrivera pra-1 0\nlease one one mrivera "           \
    "1000\ncursor pra one   1795895628123\n"

static void fill(struct store *s)
{
    int err = s->ops->set_tag(s, TAG);

    if (err) {
        assert_string_equal(s->ops->tag(s), "");
        failing_calls_stop();
        assert_int_equal(s->ops->set_tag(s, TAG), 0);
        failing_calls_start();
    }
    apply(s, STEP_ASK, "one");
    apply(s, STEP_OPEN, "one");
    apply(s, STEP_ASK, "two");
    contradict(s, "two");
    apply(s, STEP_ASK, "three");
    apply(s, STEP_OPEN, "three");
    apply(s, STEP_CLOSE, "three");
    apply(s, STEP_CURSOR, "");
}

static void written(void)
{
    begin();
    failing_calls_start();
    struct store *s = open_store(false);

    fill(s);
    close_store(s);
    check_rows(REST, TAG);
    end();
}

static void made(void)
{
    begin();
    failing_calls_stop();
    struct store *s = open_store(false);

    fill(s);
    close_store(s);
}

static void opened_again(void)
{
    made();
    failing_calls_start();
    struct store *s = open_store(false);
    const char *tag = s->ops->tag(s);

    assert_string_equal(tag, TAG);
    (void)load(s, REST);
    close_store(s);
    check_rows(REST, TAG);
    end();
}

/* Beside a gateway that has it open. */
static void read_beside(void)
{
    size_t requests;

    made();
    struct store *s = open_store(false);

    failing_calls_start();
    assert_true(sqlite_store_looks_good(dir, why));
    rows[0] = why[0] = '\0';
    int err = sqlite_store_read(dir, &reader, NULL, why);

    if (err)
        assert_true(*why);
    else
        assert_string_equal(rows, REST);
    enum sqlite_check found = sqlite_store_check(dir, &requests, why);

    assert_true(found == SQLITE_CHECK_WHOLE || found == SQLITE_CHECK_UNREADABLE);
    if (found == SQLITE_CHECK_WHOLE)
        assert_int_equal(requests, 2);
    failing_calls_stop();
    close_store(s);
    end();
}

/* ---- a store of an earlier version ---- */

static char older_sql[65536];

static void make_older(void)
{
    FILE *in = fopen("stores/leases-2.sql", "r");
    sqlite3 *db = NULL;

    assert_non_null(in);
    older_sql[fread(older_sql, 1, sizeof older_sql - 1, in)] = '\0';
    (void)fclose(in);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, older_sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* As the first run has read them, in which nothing fails. */
static char migrated_rows[sizeof rows];

static void migrated(void)
{
    begin();
    make_older();
    failing_calls_start();
    rows[0] = '\0';
    if (!sqlite_store_read(dir, &reader, NULL, why) && *migrated_rows)
        assert_string_equal(rows, migrated_rows);
    if (!*migrated_rows)
        (void)snprintf(migrated_rows, sizeof migrated_rows, "%s", rows);
    assert_non_null(strstr(migrated_rows, "lease "));
    struct store *s = open_store(false);

    close_store(s);
    check_rows(migrated_rows, "");
    end();
}

static void rebuilt(void)
{
    begin();
    FILE *garbage = fopen(file, "w");

    assert_non_null(garbage);
    assert_true(fputs("this is no lease store, and long enough to be judged by its head alone: ...........",
                      garbage) > 0);
    assert_int_equal(fclose(garbage), 0);
    failing_calls_start();
    struct store *s = open_store(true);

    fill(s);
    close_store(s);
    check_rows(REST, TAG);
    end();
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(written)
EACH(opened_again)
EACH(read_beside)
EACH(migrated)
EACH(rebuilt)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_written),     cmocka_unit_test(each_call_of_opened_again),
        cmocka_unit_test(each_call_of_read_beside), cmocka_unit_test(each_call_of_migrated),
        cmocka_unit_test(each_call_of_rebuilt),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
