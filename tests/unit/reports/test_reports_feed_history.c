/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_feed_history.c - readers of the feed while the store changes at random.
 *
 * Sessions of two sites come, change, end and grow old; accounts come, go and are used; syslog comes.
 * Meanwhile readers poll at random moments with random limits. Each must see every record of its sites once
 * per revision that it meets, in the order of seq, and at the end each record as it stands.
 */
#include "check.h"
#include "feed_rig.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NRECORDS 40 /* sessions by their number; accounts by their id; syslog by its row */
#define NSYSLOG  400
#define NSTEPS   120
#define NREADERS (2 * FEED_NDATASETS)

struct seen { /* of one record, by one reader */
    int64_t revision;
    int64_t events; /* of that revision: 0 to events-1 have come */
};

struct reader {
    enum feed_dataset dataset;
    const char *host; /* NULL = all sites */
    struct feed_request request;
    int64_t seq, position; /* of the newest record */
    struct seen seen[NSYSLOG];
};

struct history {
    uint64_t random;
    int64_t now, syslog;
    unsigned variants[NRECORDS];
    struct reader readers[NREADERS];
};

static struct reports_rig rig;
static struct buf page;

static int setup(void **state)
{
    (void)state;
    rig_make(&rig);
    rig.clock = &feed_clock;
    page = feed_buf();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&page);
    rig_remove(&rig);
    return 0;
}

/* xorshift64* */
static unsigned pick(struct history *h, unsigned n)
{
    h->random ^= h->random >> 12;
    h->random ^= h->random << 25;
    h->random ^= h->random >> 27;
    return (unsigned)(h->random * 0x2545f4914f6cdd1dU >> 33) % n;
}

static const char *host_of(int64_t number)
{
    return number % 2 ? RIG_HOST : OTHER_HOST;
}

/* ---- what the store does ---- */

static void put_session(struct history *h)
{
    struct record_arena a = {0};
    int64_t number = pick(h, NRECORDS), start = RIG_T0 + number * 86400;
    enum store_change change;

    if (!h->variants[number] || pick(h, 3))
        h->variants[number] = 1 + pick(h, 20);
    const struct rig_session of = {number, start, pick(h, 2) ? start + 500 : RECORD_NONE, h->variants[number],
                                   0};
    const struct record_session *r = rig_session(&a, &of);
    const struct store_session in = {host_of(number), r, r->end == RECORD_NONE ? STORE_RUNNING : STORE_CLOSED,
                                     -1, h->now};
    feed_ok(&rig, store_session(rig.store, &in, &change));
    record_arena_free(&a);
}

static void put_accounts(struct history *h)
{
    store_round_begin(rig.store, STORE_VAULT_ACCOUNTS, RIG_HOST, h->now);
    for (int64_t id = 1; id < NRECORDS; id += 2) {
        const struct record_vault_account r = {id, "ssh", pick(h, 9) ? "a" : "b", "u", NULL, 1, NULL, 1, 5};

        if (pick(h, 8))
            feed_ok(&rig, store_vault_account(rig.store, &r));
    }
    feed_ok(&rig, store_round_end(rig.store, STORE_VAULT_ACCOUNTS, NULL));
}

static void put_syslog(struct history *h)
{
    const struct record_syslog r = {
        .timestamp = h->now, .event = "login", .line = "line", .ordinal = (uint64_t)h->syslog};

    if (h->syslog + 1 < NSYSLOG)
        feed_ok(&rig, store_syslog(rig.store, host_of(h->syslog++), &r, NULL));
}

static void transaction(struct history *h)
{
    feed_ok(&rig, store_begin(rig.store));
    for (unsigned n = 1 + pick(h, 5); n > 0; n--) {
        switch (pick(h, 6)) {
        case 0: put_accounts(h); break;
        case 1: put_syslog(h); break;
        default: put_session(h);
        }
    }
    if (pick(h, 8) == 0)
        store_rollback(rig.store);
    else
        feed_ok(&rig, store_commit(rig.store));
}

/* ---- what readers see ---- */

static int64_t number_of(const char *line, const char *name)
{
    char key[32];

    (void)snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(line, key);
    assert_non_null(at);
    return strtoll(at + strlen(key), NULL, 10);
}

static bool of_sessions(const struct reader *r)
{
    return r->dataset == FEED_SESSIONS || r->dataset == FEED_EVENTS;
}

static int64_t key_of(const struct reader *r, const char *line)
{
    static const char *const names[] = {[FEED_ACCOUNTS] = "account_id", [FEED_SYSLOG] = "id"};

    if (!of_sessions(r))
        return number_of(line, names[r->dataset]);
    const char *lsid = strstr(line, "\"lsid\":\"");
    assert_non_null(lsid);
    return (int64_t)strtoull(lsid + 8, NULL, 16);
}

/* The record as it stands, in SQL. */
static int64_t stands(const struct reader *r, int64_t key, const char *column)
{
    static const char *const places[] = {
        [FEED_SESSIONS] = "session WHERE lsid = '%032" PRIx64 "'",
        [FEED_EVENTS] = "session WHERE lsid = '%032" PRIx64 "'",
        [FEED_ACCOUNTS] = "jg_vault_account WHERE account_id = %" PRId64,
        [FEED_SYSLOG] = "jg_syslog_event WHERE id = %" PRId64,
    };
    char place[96], sql[160];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(place, sizeof(place), places[r->dataset], key);
#pragma GCC diagnostic pop
    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM %s", column, place);
    return rig_int(&rig, sql);
}

static void retain(struct history *h)
{
    const struct store_keep keep = {.sessions = RIG_T0 + (int64_t)pick(h, NRECORDS) * 86400,
                                    .activity = RECORD_NONE,
                                    .syslog = RECORD_NONE};
    bool more;

    feed_ok(&rig, store_retain(rig.store, &keep, &more));
    for (int i = 0; i < NREADERS; i++) {
        struct reader *r = &h->readers[i];

        for (int64_t key = 0; of_sessions(r) && key < NRECORDS; key++)
            if (!stands(r, key, "count(*)")) /* if it comes again, it begins with revision 1 */
                r->seen[key] = (struct seen){0};
    }
}

static void take(struct reader *r, const char *line)
{
    int64_t seq = number_of(line, "seq"), key = key_of(r, line);
    int64_t position = r->dataset == FEED_EVENTS ? number_of(line, "position") : 0;
    int64_t revision = of_sessions(r) ? number_of(line, "revision") : seq;
    struct seen *s = &r->seen[key];

    assert_true(seq > r->seq || (seq == r->seq && position > r->position));
    r->seq = seq;
    r->position = position;
    assert_int_equal(stands(r, key, "seq"), seq);
    if (r->host)
        assert_non_null(strstr(line, r->host));
    if (r->dataset == FEED_EVENTS && position > 0) {
        assert_int_equal(revision, s->revision);
        assert_int_equal(position, s->events);
    } else {
        assert_true(revision > s->revision);
        s->revision = revision;
    }
    s->events = position + 1;
}

static bool poll(struct history *h, struct reader *r)
{
    struct feed_answer answer;
    int64_t lines = 0;

    r->request.limit = 1 + pick(h, pick(h, 2) ? 5 : 300);
    feed_page_of(&rig, &r->request, r->host ? &r->host : NULL, r->host ? 1 : 0, &page, &answer);
    for (char *line = (char *)buf_cstr(&page), *next; line && *line; line = next) {
        next = strchr(line, '\n');
        assert_non_null(next);
        *next++ = '\0';
        take(r, line);
        lines++;
    }
    assert_int_equal(lines, answer.records);
    assert_true(lines <= r->request.limit);
    assert_true(!answer.more || lines > 0);
    (void)snprintf(r->request.cursor, sizeof(r->request.cursor), "%s", answer.next);
    return answer.more;
}

/* At the end there is nothing of the reader's sites that it has not seen as it stands. */
static void check_reader(struct history *h, struct reader *r)
{
    int64_t last = r->dataset == FEED_SYSLOG ? NSYSLOG : NRECORDS;

    while (poll(h, r))
        ;
    for (int64_t key = 0; key < last; key++) {
        if (!stands(r, key, "count(*)") || (r->host && !stands(r, key, "host_name = '" RIG_HOST "'")))
            continue;
        assert_int_equal(stands(r, key, of_sessions(r) ? "revision" : "seq"), r->seen[key].revision);
        if (r->dataset == FEED_EVENTS)
            assert_int_equal(
                stands(r, key, "(SELECT count(*) FROM session_event WHERE session_id = session.id)"),
                r->seen[key].events);
    }
}

static void run_history(uint64_t seed)
{
    struct history *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    h->random = seed * 0x9e3779b97f4a7c15U + 1;
    h->now = RIG_T0 + 100 * 86400;
    for (int i = 0; i < NREADERS; i++) {
        h->readers[i].dataset = (enum feed_dataset)(i % FEED_NDATASETS);
        h->readers[i].host = i < FEED_NDATASETS ? NULL : RIG_HOST;
        h->readers[i].request = feed_request(h->readers[i].dataset);
        h->readers[i].position = INT64_MAX;
    }
    assert_true(rig_open(&rig, false));
    for (int step = 0; step < NSTEPS; step++) {
        case_label("seed %u, step %d", (unsigned)seed, step);
        feed_wall_ms = 1000 * ++h->now;
        if (pick(h, 30) == 0)
            retain(h);
        else
            transaction(h);
        (void)poll(h, &h->readers[pick(h, NREADERS)]);
        (void)poll(h, &h->readers[pick(h, NREADERS)]);
    }
    for (int i = 0; i < NREADERS; i++) {
        case_label("seed %u, reader %d", (unsigned)seed, i);
        check_reader(h, &h->readers[i]);
    }
    rig_close(&rig);
    free(h);
}

TEST(readers_see_every_record_once_per_revision)
{
    const char *seed = getenv("JG_SEED");

    for (uint64_t i = seed ? strtoull(seed, NULL, 10) : 1, last = seed ? i : 2; i <= last; i++) {
        run_history(i);
        rig_remove(&rig);
        rig_make(&rig);
        rig.clock = &feed_clock;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_see_every_record_once_per_revision, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
