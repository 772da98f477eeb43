/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_history.c - tallies after any history, and a store that is killed at each crash point.
 *
 * Random histories: sessions come, come again, change, run, are closed abnormally and end after all, get
 * other working hours, grow old and go; transactions of several of these are committed or rolled back. After
 * every few steps tallies and slots are held against a recount, and the rows against what the test knows.
 *
 * Crash points: a process is killed at the n-th pass of each, for every n; another goes on. Nothing is lost,
 * and nothing is there twice.
 */
#include "check.h"
#include "reports_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct reports_rig rig;

static int setup(void **state)
{
    (void)state;
    rig_make(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_remove(&rig);
    return 0;
}

static void ok(enum db_outcome outcome)
{
    if (outcome != DB_OK)
        fail_msg("%s: %s", db_outcome_name(outcome), store_error(rig.store)->text);
}

/* ---- random histories ---- */

#define NSESSIONS 40
#define NSTEPS    200

struct known { /* what the test knows of a session; variant 0 = not stored */
    unsigned variant;
    enum store_state state;
    int64_t start, end, revision;
};

struct history {
    uint64_t random;
    int64_t now;
    struct known sessions[NSESSIONS], committed[NSESSIONS];
    struct working_hours *hours[3];
};

/* xorshift64* */
static unsigned pick(struct history *h, unsigned n)
{
    h->random ^= h->random >> 12;
    h->random ^= h->random << 25;
    h->random ^= h->random >> 27;
    return (unsigned)(h->random * 0x2545f4914f6cdd1dU >> 33) % n;
}

static void put(struct history *h, int64_t number)
{
    struct record_arena arena = {0};
    struct known *k = &h->sessions[number];
    const struct record_session *r =
        rig_session(&arena, &(struct rig_session){number, k->start, k->end, k->variant, 0});
    const struct store_session in = {RIG_HOST, r, k->state, -1, h->now};
    enum store_change change;

    ok(store_session(rig.store, &in, &change));
    k->revision += change != STORE_SAME;
    record_arena_free(&arena);
}

/* A state by which the next answer of the site differs from the one before. */
static void change(struct history *h, int64_t number)
{
    struct known *k = &h->sessions[number];

    if (!k->variant) { /* within 100 days, so in several months */
        k->start = RIG_T0 + (int64_t)pick(h, 100 * 86400);
        k->end = RECORD_NONE;
        k->state = STORE_RUNNING;
        k->revision = 0;
    }
    k->variant = 1 + pick(h, 20);
    if (pick(h, 3) == 0) {
        k->end = k->start + (int64_t)pick(h, 40000);
        k->state = STORE_CLOSED;
    } else if (k->end == RECORD_NONE) {
        k->state = pick(h, 2) ? STORE_ABNORMAL : STORE_RUNNING;
    }
    put(h, number);
}

static void abnormal(struct history *h, int64_t number)
{
    struct known *k = &h->sessions[number];
    char lsid[40];
    bool found;

    (void)snprintf(lsid, sizeof(lsid), "%032x", (unsigned)number);
    ok(store_session_state(rig.store, RIG_HOST, lsid, STORE_ABNORMAL, h->now, &found));
    assert_int_equal(found, k->variant != 0);
    if (found && k->state != STORE_ABNORMAL) {
        k->state = STORE_ABNORMAL;
        k->revision++;
    }
}

static void transaction(struct history *h)
{
    ok(store_begin(rig.store));
    for (unsigned n = 1 + pick(h, 6); n > 0; n--) {
        int64_t number = pick(h, NSESSIONS);

        switch (pick(h, 4)) {
        case 0:
            if (h->sessions[number].variant)
                put(h, number); /* the same again */
            break;
        case 1: abnormal(h, number); break;
        default: change(h, number);
        }
    }
    if (pick(h, 8) == 0) {
        store_rollback(rig.store);
        memcpy(h->sessions, h->committed, sizeof(h->sessions));
    } else {
        ok(store_commit(rig.store));
    }
    memcpy(h->committed, h->sessions, sizeof(h->sessions));
}

static void retain(struct history *h)
{
    const struct store_keep keep = {
        .sessions = RIG_T0 + (int64_t)pick(h, 60 * 86400), .activity = RECORD_NONE, .syslog = RECORD_NONE};
    bool more;

    ok(store_retain(rig.store, &keep, &more));
    assert_false(more);
    for (int i = 0; i < NSESSIONS; i++) {
        struct known *k = &h->sessions[i];
        if (k->variant && (k->end == RECORD_NONE ? k->start : k->end) < keep.sessions)
            *k = (struct known){0};
    }
    memcpy(h->committed, h->sessions, sizeof(h->sessions));
}

/* Other working hours: revisions move where the derived column differs, so they are read again. */
static void other_hours(struct history *h)
{
    int64_t after = 0, changed;

    assert_int_equal(store_set_hours(rig.store, RIG_HOST, h->hours[pick(h, 3)]), 0);
    do
        ok(store_rederive(rig.store, NULL, h->now, false, &after, &changed));
    while (after);
    for (int i = 0; i < NSESSIONS; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof(sql), "SELECT revision FROM session WHERE lsid = '%032x'", (unsigned)i);
        if (h->sessions[i].variant)
            h->sessions[i].revision = rig_int(&rig, sql);
    }
    memcpy(h->committed, h->sessions, sizeof(h->sessions));
}

static void check_history(struct history *h)
{
    int64_t stored = 0, seconds = 0, abnormals = 0, revisions = 0;

    for (int i = 0; i < NSESSIONS; i++) {
        const struct known *k = &h->sessions[i];
        stored += k->variant != 0;
        revisions += k->revision;
        seconds += k->variant && k->end != RECORD_NONE ? k->end - k->start : 0;
        abnormals += k->variant && k->state == STORE_ABNORMAL;
    }
    assert_int_equal(rig_differences(&rig), 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), stored);
    assert_int_equal(rig_int(&rig, "SELECT coalesce(sum(revision), 0) FROM session"), revisions);
    assert_int_equal(
        rig_int(&rig, "SELECT coalesce(sum(n), 0) FROM jg_tally WHERE dim = 'all' AND grain = 'd'"), stored);
    assert_int_equal(rig_int(&rig, "SELECT coalesce(sum(seconds), 0) FROM jg_tally WHERE dim = 'user'"),
                     seconds);
    assert_int_equal(rig_int(&rig, "SELECT coalesce(sum(abnormal), 0) FROM jg_slot"), abnormals);
    assert_int_equal(
        rig_int(&rig, "SELECT coalesce(sum(n), 0) FROM jg_tally WHERE dim = 'event' AND grain = 'm'"),
        rig_int(&rig, "SELECT count(*) FROM session_event"));
    assert_int_equal(rig_int(&rig,
                             "SELECT count(*) FROM session_event_data WHERE session_event_id NOT IN (SELECT "
                             "id FROM session_event)"),
                     0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) - count(DISTINCT seq) FROM session"), 0);
    assert_true(rig_int(&rig, "SELECT coalesce(max(seq), 0) FROM session") <=
                rig_int(&rig, "SELECT seq FROM jg_counter"));
}

static void run_history(uint64_t seed)
{
    static const char *const hours[] = {"mon-fri 07:00-19:00", "sat-sun 00:00-24:00", "mon-sun 22:00-06:00"};
    struct history h = {.random = seed * 0x9e3779b97f4a7c15U + 1, .now = RIG_T0};
    char why[128];

    for (int i = 0; i < 3; i++) {
        h.hours[i] = working_hours_new("Europe/Berlin", hours[i], why, sizeof(why));
        assert_non_null(h.hours[i]);
    }
    assert_true(rig_open(&rig, seed % 2));
    for (int step = 0; step < NSTEPS; step++) {
        case_label("seed %u, step %d", (unsigned)seed, step);
        h.now++;
        switch (pick(&h, 40)) {
        case 0: retain(&h); break;
        case 1: other_hours(&h); break;
        case 2:
            rig_close(&rig);
            assert_true(rig_open(&rig, seed % 2));
            break;
        default: transaction(&h);
        }
        if (step % 10 == 0 || step == NSTEPS - 1)
            check_history(&h);
    }
    rig_close(&rig);
    for (int i = 0; i < 3; i++)
        working_hours_free(h.hours[i]);
}

TEST(tallies_equal_a_recount_after_any_history)
{
    const char *seed = getenv("JG_SEED");

    if (seed) {
        run_history(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= RIG_SEEDS; i++) {
        run_history(i);
        rig_remove(&rig);
        rig_make(&rig);
    }
}

/* ---- crash points ---- */

#ifdef JG_CRASH_POINTS

#define BATCHES 3
#define BATCH   4

static int note_lsid(void *arg, const struct store_todo *t)
{
    int64_t *numbers = arg;

    numbers[++numbers[0]] = (int64_t)strtoull(t->lsid, NULL, 16);
    return 0;
}

/* What a collector does: listings into todo rows with their cursor, then each session with its todo row.
 * Goes on where the one before has ended. */
static void collect(void)
{
    char position[STORE_POSITION_SIZE];

    assert_true(rig_open(&rig, true));
    ok(store_get_cursor(rig.store, RIG_HOST, "closed", position));
    for (int batch = (int)strtol(position, NULL, 10); batch <= BATCHES; batch++) {
        int64_t numbers[BATCH + 1] = {0};
        enum store_change change;

        ok(store_todo_due(rig.store, RIG_HOST, 100, BATCH, note_lsid, numbers));
        for (int64_t i = 1; i <= numbers[0]; i++) {
            struct record_arena arena = {0};
            int64_t start = RIG_T0 + numbers[i] * 1000;
            const struct record_session *r =
                rig_session(&arena, &(struct rig_session){numbers[i], start, start + 500, 1, 0});
            const struct store_session in = {RIG_HOST, r, STORE_CLOSED, -1, 50};

            ok(store_begin(rig.store));
            ok(store_session(rig.store, &in, &change));
            ok(store_todo_done(rig.store, RIG_HOST, r->lsid));
            ok(store_commit(rig.store));
            record_arena_free(&arena);
        }
        if (batch == BATCHES)
            break;
        ok(store_begin(rig.store));
        for (int i = 0; i < BATCH; i++) {
            char lsid[40];
            (void)snprintf(lsid, sizeof(lsid), "%032x", (unsigned)(batch * BATCH + i));
            ok(store_todo_add(rig.store, RIG_HOST, lsid, "listed", 10, NULL));
        }
        (void)snprintf(position, sizeof(position), "%d", batch + 1);
        ok(store_set_cursor(rig.store, RIG_HOST, "closed", position, 1));
        ok(store_commit(rig.store));
    }
    const struct store_keep keep = {
        .sessions = RIG_T0 + 3000, .activity = RECORD_NONE, .syslog = RECORD_NONE};
    bool more;
    ok(store_retain(rig.store, &keep, &more));
    ok(store_event_indexes(rig.store, false));
    ok(store_event_indexes(rig.store, true));
    rig_close(&rig);
}

/* In a process of its own. True: it was killed. */
static bool collect_until(const char *point, int pass)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        char where[80];
        (void)snprintf(where, sizeof(where), "%s:%d", point, pass);
        if (setenv("JG_KILL_AT", where, 1))
            _exit(2);
        collect();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void check_collected(void)
{
    int64_t kept = BATCHES * BATCH - 3, events = 0;

    for (int64_t number = 3; number < BATCHES * BATCH; number++)
        events += 3 + (number + 1) % 9;
    assert_true(rig_open(&rig, true));
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session"), kept);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session WHERE revision <> 1"), 0);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM session_event"), events);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM representative"), 2 * kept);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_todo"), 0);
    assert_int_equal(rig_int(&rig, "SELECT seq FROM jg_counter"), BATCHES * BATCH);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_counter"), 1);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM jg_schema WHERE event_indexes = 1"), 1);
    assert_int_equal(rig_int(&rig, "SELECT count(*) FROM " RIG_INDEXES " LIKE '%\\_ndx' ESCAPE '\\'"), 10);
    assert_int_equal(rig_differences(&rig), 0);
    rig_close(&rig);
}

TEST(killed_at_any_crash_point_nothing_is_lost_or_doubled)
{
    static const struct {
        const char *name;
        int passes; /* that there are at least */
    } points[] = {
        {"reports.store.before_commit", BATCHES * BATCH + BATCHES + 1},
        {"reports.store.after_commit", BATCHES * BATCH + BATCHES + 1},
        {"reports.migrate.before_commit", 1},
        {"reports.migrate.after_commit", 1},
        {"reports.migrate.index", 10},
    };

    for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
        int pass = 1;
        bool killed;

        do {
            case_label("%s:%d", points[i].name, pass);
            killed = collect_until(points[i].name, pass);
            collect();
            check_collected();
            rig_remove(&rig);
            rig_make(&rig);
            pass += killed ? RIG_STRIDE : 0;
        } while (killed);
        assert_true(pass > points[i].passes);
    }
}

#else
TEST(killed_at_any_crash_point_nothing_is_lost_or_doubled)
{
    skip();
}
#endif

#define RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(tallies_equal_a_recount_after_any_history),
        RUN(killed_at_any_crash_point_nothing_is_lost_or_doubled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
