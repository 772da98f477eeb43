/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - how many sessions of 40 events the store of session reports writes into SQLite in a second.
 *
 *     jumpgate-report-store FILE SESSIONS [LIVE]
 *
 * First a backfill of SESSIONS into a new FILE, in transactions of 500, without the vendor's indexes on
 * events; then these indexes; then LIVE sessions with all indexes, each in a transaction of its own. Rates
 * are by the clock and by CPU time of the process; making the sessions is not among them.
 */
#include "reports/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 40
#define BATCH  500
#define NOW    1767225600
#define YEAR   (365 * 86400)

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

static void *must(void *p)
{
    if (!p) {
        (void)fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static uint64_t state = 88172645463325252U;
static unsigned pick(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % n;
}

static const char *numbered(struct record_arena *a, const char *word, unsigned number)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "%s-%u", word, number);

    return (const char *)must((void *)(uintptr_t)record_text(a, text, (size_t)n));
}

static void add_event(struct record_arena *a, struct record_session *r, int i)
{
    static const char *const types[] = {"Session Start",
                                        "Conference Member Added",
                                        "Session Foreground Window Changed",
                                        "Session Mouse Left Clicked",
                                        "Credential Injection Attempt",
                                        "Screen Recording",
                                        "Chat Message",
                                        "Session End"};
    struct record_event *e = must(record_append(a, &r->events, &r->nevents, &r->events_room, sizeof(*e)));

    *e = (struct record_event){.timestamp = r->start + i * 15,
                               .type = types[i == 0            ? 0
                                             : i == EVENTS - 1 ? 7
                                                               : 1 + i % 6],
                               .performed_by = r->primary_rep,
                               .performed_by_type = "representative",
                               .performed_by_gsnumber = 3,
                               .destination = r->primary_customer,
                               .destination_type = "customer",
                               .destination_gsnumber = 2,
                               .filesize = RECORD_NONE};
    struct record_pair *p = must(record_append(a, &e->data, &e->ndata, &e->data_room, sizeof(*p)));
    *p = (struct record_pair){"window_title", numbered(a, "Administrator: Windows PowerShell", pick(1000))};
}

static struct record_session *make_session(struct record_arena *a, uint64_t number)
{
    struct record_session *r = must(record_alloc(a, sizeof(*r)));
    unsigned user = pick(500), group = pick(20) * pick(20) / 20;
    char lsid[33];

    (void)snprintf(lsid, sizeof(lsid), "%016" PRIx64 "%016" PRIx64, number * 0x9e3779b97f4a7c15U, number);
    *r = (struct record_session){
        .lsid = (const char *)must((void *)(uintptr_t)record_text(a, lsid, 32)),
        .type = "support",
        .lseq = (int64_t)number,
        .start = NOW - YEAR + (int64_t)pick(60) + (int64_t)number * 30,
        .duration = "00:10:00",
        .jumpoint_id = 1 + (int64_t)pick(10),
        .jump_group_id = group,
        .jump_group_name = numbered(a, "group", group),
        .jump_group_type = "shared",
        .primary_customer = numbered(a, "endpoint", pick(5000)),
        .primary_rep = numbered(a, "Firstname Lastname", user),
        .recording_view_url =
            "https://pra.example.com/session_download?lsid=l%3D0123456789abcdef%3Bh%3D01234567",
    };
    r->jumpoint_name = numbered(a, "jumpoint", (unsigned)r->jumpoint_id);
    r->end = r->start + 60 + (int64_t)pick(3600);
    struct record_person *p = must(
        record_append(a, &r->representatives, &r->nrepresentatives, &r->representatives_room, sizeof(*p)));
    *p = (struct record_person){.gsnumber = 3,
                                .username = numbered(a, "user", user),
                                .rep_id = user,
                                .display_name = r->primary_rep,
                                .public_ip = "192.0.2.7:51234",
                                .seconds_involved = 600,
                                .session_owner = true};
    p = must(record_append(a, &r->customers, &r->ncustomers, &r->customers_room, sizeof(*p)));
    *p = (struct record_person){
        .gsnumber = 2, .username = r->primary_customer, .hostname = r->primary_customer};
    for (int i = 0; i < EVENTS; i++)
        add_event(a, r, i);
    return r;
}

static void must_ok(struct report_store *s, enum db_outcome outcome)
{
    if (outcome == DB_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", db_outcome_name(outcome), store_error(s)->text);
    exit(1);
}

static struct measured write_sessions(struct report_store *s, uint64_t from, uint64_t n, unsigned batch)
{
    static struct record_session *sessions[BATCH];
    struct measured m = {0};

    for (uint64_t done = 0; done < n; done += batch) {
        struct record_arena arena = {0};
        unsigned here = n - done < batch ? (unsigned)(n - done) : batch;

        for (unsigned i = 0; i < here; i++)
            sessions[i] = make_session(&arena, from + done + i);
        begin_measure(&m);
        must_ok(s, store_begin(s));
        for (unsigned i = 0; i < here; i++) {
            const struct store_session in = {"pra.example.com", sessions[i], STORE_CLOSED, 1, NOW};
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
    (void)printf("%-10s %8" PRIu64 " sessions  %8.2f s  %8.0f/s  CPU %8.2f s  %8.0f/s\n", what, n, m->wall,
                 (double)n / m->wall, m->cpu, (double)n / m->cpu);
}

int main(int argc, char **argv)
{
    const struct store_params params = {.ops = &db_sqlite,
                                        .db = {.path = argc > 1 ? argv[1] : "", .cache_kib = 16 * 1024},
                                        .vendor_indexes = true,
                                        .migrate = true};
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t live = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    struct db_error error;
    struct measured indexes = {0};

    if (n == 0) {
        (void)fputs("usage: jumpgate-report-store FILE SESSIONS [LIVE]\n", stderr);
        return 2;
    }
    struct report_store *s = store_open(&params, NOW, &error);
    if (!s) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    must_ok(s, store_event_indexes(s, false));
    struct measured backfill = write_sessions(s, 1, n, BATCH);
    report("backfill", n, &backfill);
    begin_measure(&indexes);
    must_ok(s, store_event_indexes(s, true));
    end_measure(&indexes);
    (void)printf("%-10s %29.2f s %22.2f s\n", "indexes", indexes.wall, indexes.cpu);
    struct measured one = write_sessions(s, n + 1, live, 1);
    report("live", live, &one);
    int64_t pages, page;
    if (db_get_int(store_db(s), "PRAGMA page_count", 0, &pages) == DB_OK &&
        db_get_int(store_db(s), "PRAGMA page_size", 0, &page) == DB_OK)
        (void)printf("%-10s %.0f bytes per session\n", "disk", (double)(pages * page) / (double)(n + live));
    store_close(s);
    return 0;
}
