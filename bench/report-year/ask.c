/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.c - reports-ask: how long tiles, grids and exports of session reports take on a database file.
 *
 *     reports-ask FILE TIMES
 *
 * Each question of the page's API is parsed and answered on a reader's connection TIMES times, after once
 * that does not count. A line for each: what, the query, median and 95th percentile of milliseconds by the
 * clock, median of milliseconds of CPU, bytes of the answer.
 */
#include "reports/query/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMES_MAX  100
#define ANSWER_MAX (64 * 1024 * 1024)

static const struct query_site sites[] = {
    {"pra-one.example.com", NULL, "Connected", NULL, 0, 0, QUERY_NONE},
    {"pra-two.example.com", NULL, "Connected", NULL, 0, 0, QUERY_NONE},
};
static struct query_context context = {.time_zone = "Europe/Berlin",
                                       .sites = sites,
                                       .nsites = 2,
                                       .all_hosts = true,
                                       .late_release = 300,
                                       .unmatched_after = 3600};

static double ms(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void give_up(const char *what, const char *query, const char *why)
{
    (void)fprintf(stderr, "%s?%s: %s\n", what, query, why);
    exit(1);
}

static struct query *parse(enum query_call call, const char *name, const char *text)
{
    struct query *q;
    struct query_error error;

    if (query_parse(call, name, text, &context, &q, &error) != QUERY_OK)
        give_up(name, text, error.why);
    return q;
}

static enum query_outcome answer(struct db *db, enum query_call call, const struct query *q, struct buf *json)
{
    return call == QUERY_TILE ? query_tile(db, q, json, NULL) : query_records(db, q, json, NULL);
}

static void measure(struct db *db, enum query_call call, const char *name, const char *text, int times)
{
    double wall[TIMES_MAX], cpu[TIMES_MAX];
    struct buf json = BUF_INIT(ANSWER_MAX);

    for (int i = -1; i < times; i++) {
        double w = ms(CLOCK_MONOTONIC), c = ms(CLOCK_PROCESS_CPUTIME_ID);

        buf_clear(&json);
        struct query *q = parse(call, name, text);
        if (answer(db, call, q, &json) != QUERY_OK)
            give_up(name, text, db->error.text);
        query_free(q);
        if (i < 0)
            continue;
        wall[i] = ms(CLOCK_MONOTONIC) - w;
        cpu[i] = ms(CLOCK_PROCESS_CPUTIME_ID) - c;
    }
    qsort(wall, (size_t)times, sizeof(*wall), compare);
    qsort(cpu, (size_t)times, sizeof(*cpu), compare);
    (void)printf("%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%zu\n", call == QUERY_TILE ? "tile" : "grid", name, text,
                 wall[times / 2], wall[times * 95 / 100], cpu[times / 2], json.len);
    (void)fflush(stdout);
    buf_free(&json);
}

/* The cursor of the next page, appended to a query. */
static bool next_page(struct db *db, const char *name, const char *text, char *next, size_t size)
{
    static const char key[] = "\"next\":\"";
    struct buf json = BUF_INIT(ANSWER_MAX);
    struct query *q = parse(QUERY_RECORDS, name, text);

    if (query_records(db, q, &json, NULL) != QUERY_OK)
        give_up(name, text, db->error.text);
    query_free(q);
    const char *whole = buf_cstr(&json), *at = whole ? strstr(whole, key) : NULL;
    if (at)
        (void)snprintf(next, size, "%.*s", (int)strcspn(at + strlen(key), "\""), at + strlen(key));
    buf_free(&json);
    return at;
}

static void measure_grid(struct db *db, const char *name, const char *sort, const char *filter, int times)
{
    char text[4096], base[512], next[2048];

    (void)snprintf(base, sizeof(base), "range=12m&sort=%s%s", sort, filter);
    measure(db, QUERY_RECORDS, name, base, times);
    (void)snprintf(text, sizeof(text), "%s&limit=200", base);
    for (int page = 0; page < 10; page++) {
        if (!next_page(db, name, text, next, sizeof(next)))
            return;
        (void)snprintf(text, sizeof(text), "%s&limit=200&after=%s", base, next);
    }
    measure(db, QUERY_RECORDS, name, text, times);
}

static void measure_export(struct db *db, const char *name)
{
    struct query *q = parse(QUERY_EXPORT, name, "range=12m");
    struct query_export *export;
    struct buf piece = BUF_INIT(ANSWER_MAX);
    double wall = ms(CLOCK_MONOTONIC), cpu = ms(CLOCK_PROCESS_CPUTIME_ID), first = 0;
    bool more = true;
    size_t bytes = 0;

    if (query_export_open(db, q, QUERY_CSV, &export) != QUERY_OK)
        give_up(name, "export", db->error.text);
    while (more) {
        buf_clear(&piece);
        if (query_export_next(export, &piece, &more) != QUERY_OK)
            give_up(name, "export", db->error.text);
        if (!bytes)
            first = ms(CLOCK_MONOTONIC) - wall;
        bytes += piece.len;
    }
    (void)printf("export\t%s\t%lld\t%.2f\t%.2f\t%.2f\t%zu\n", name, (long long)query_export_rows(export),
                 ms(CLOCK_MONOTONIC) - wall, first, ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, bytes);
    query_export_close(export);
    query_free(q);
    buf_free(&piece);
}

int main(int argc, char **argv)
{
    static const char *const ranges[] = {"24h", "30d", "90d", "12m"};
    static const char *const filters[] = {"", "&site=pra-one.example.com&group=group-3"};
    static const char *const sorts[] = {"-start_time", "start_time", "-end_time", "-duration",
                                        "user",        "endpoint",   "jump_group"};
    const struct db_params params = {
        .path = argc > 1 ? argv[1] : "", .read_only = true, .busy_ms = 10000, .cache_kib = 8 * 1024};
    int times = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    struct db_error error;
    struct db *db;
    char text[256];

    if (times < 1 || times > TIMES_MAX) {
        (void)fputs("usage: reports-ask FILE TIMES\n", stderr);
        return 2;
    }
    context.now = (int64_t)time(NULL);
    if (db_sqlite.open(&params, &db, &error) != DB_OK)
        give_up(argv[1], "", error.text);
    for (int tile = 0; tile < query_ntiles(); tile++) {
        for (size_t f = 0; f < 2; f++) {
            for (size_t r = 0; r < sizeof(ranges) / sizeof(*ranges); r++) {
                (void)snprintf(text, sizeof(text), "range=%s%s", ranges[r], filters[f]);
                measure(db, QUERY_TILE, query_tile_id(tile), text, times);
            }
        }
    }
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; i < sizeof(sorts) / sizeof(*sorts); i++)
            measure_grid(db, "sessions", sorts[i], filters[f], times);
    measure_grid(db, "events", "-timestamp", "", times);
    measure_grid(db, "events", "-timestamp", "&f.type=eq:Credential%20Injection%20Attempt", times);
    measure_export(db, "sessions");
    db->ops->close(db);
    return 0;
}
