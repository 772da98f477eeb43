/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seed.c - reports-seed: writes a year of sessions (year.h) through the store of session reports, and says
 * how long that took.
 *
 *     reports-seed FILE SESSIONS [LIVE [SEED]]
 *
 * First a backfill of SESSIONS into a new FILE, in transactions of 500, without the vendor's indexes on
 * events; then these indexes; then LIVE further sessions with all indexes, each in a transaction of its own.
 * A line for each: sessions, seconds by the clock, seconds of CPU. Making the sessions is not among them. The
 * year ends at the last full hour.
 */
#include "report-year/year.h"
#include "reports/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 500
#define HOUR  3600

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct measured {
    double wall, cpu;
};

static void begin_measure(struct measured *m)
{
    m->wall -= seconds(CLOCK_MONOTONIC);
    m->cpu -= seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void end_measure(struct measured *m)
{
    m->wall += seconds(CLOCK_MONOTONIC);
    m->cpu += seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void must_ok(struct report_store *s, enum db_outcome outcome)
{
    if (outcome == DB_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", db_outcome_name(outcome), store_error(s)->text);
    exit(1);
}

static struct measured write_sessions(struct report_store *s, const struct year *y, uint64_t from, uint64_t n,
                                      unsigned batch)
{
    static struct year_session sessions[BATCH];
    struct measured m = {0};

    for (uint64_t done = 0; done < n; done += batch) {
        struct record_arena arena = {0};
        unsigned here = n - done < batch ? (unsigned)(n - done) : batch;

        for (unsigned i = 0; i < here; i++) {
            sessions[i] = year_session(y, &arena, from + done + i);
            if (!sessions[i].session) {
                (void)fputs("out of memory\n", stderr);
                exit(1);
            }
        }
        begin_measure(&m);
        must_ok(s, store_begin(s));
        for (unsigned i = 0; i < here; i++) {
            const struct store_session in = {sessions[i].host_name, sessions[i].session,
                                             sessions[i].closed ? STORE_CLOSED : STORE_ABNORMAL, 1, y->end};
            enum store_change change;
            must_ok(s, store_session(s, &in, &change));
        }
        must_ok(s, store_commit(s));
        end_measure(&m);
        record_arena_free(&arena);
    }
    return m;
}

static void report(const char *what, uint64_t n, const struct measured *m)
{
    (void)printf("%s %" PRIu64 " %.3f %.3f\n", what, n, m->wall, m->cpu);
    (void)fflush(stdout);
}

static void put_site(struct report_store *s, const char *host_name, const char *name, int64_t now)
{
    const struct store_site site = {.host_name = host_name,
                                    .name = name,
                                    .state = "Connected",
                                    .since = now - YEAR_SECONDS,
                                    .skew_ms = 0,
                                    .last_success = now,
                                    .enabled = true};

    must_ok(s, store_begin(s));
    must_ok(s, store_put_site(s, &site));
    must_ok(s, store_commit(s));
}

int main(int argc, char **argv)
{
    const struct store_params params = {.ops = &db_sqlite,
                                        .db = {.path = argc > 1 ? argv[1] : "", .cache_kib = 16 * 1024},
                                        .vendor_indexes = true,
                                        .migrate = true};
    struct year y = {.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1,
                     .end = (int64_t)time(NULL) / HOUR * HOUR,
                     .sessions = argc > 2 ? strtoull(argv[2], NULL, 10) : 0};
    uint64_t live = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    struct db_error error;
    struct measured indexes = {0};

    if (y.sessions == 0) {
        (void)fputs("usage: reports-seed FILE SESSIONS [LIVE [SEED]]\n", stderr);
        return 2;
    }
    struct report_store *s = store_open(&params, y.end, &error);
    if (!s) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    put_site(s, "pra-one.example.com", "one", y.end);
    put_site(s, "pra-two.example.com", "two", y.end);
    must_ok(s, store_event_indexes(s, false));
    struct measured backfill = write_sessions(s, &y, 0, y.sessions, BATCH);
    report("backfill", y.sessions, &backfill);
    begin_measure(&indexes);
    must_ok(s, store_event_indexes(s, true));
    end_measure(&indexes);
    report("indexes", y.sessions, &indexes);
    struct measured one = write_sessions(s, &y, y.sessions, live, 1);
    report("live", live, &one);
    int64_t pages, page;
    if (db_get_int(store_db(s), "PRAGMA page_count", 0, &pages) == DB_OK &&
        db_get_int(store_db(s), "PRAGMA page_size", 0, &page) == DB_OK)
        (void)printf("disk %" PRIu64 " %.0f 0\n", y.sessions + live, (double)(pages * page));
    store_close(s);
    return 0;
}
