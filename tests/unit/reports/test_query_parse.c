/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_query_parse.c - the URL's query: what is known where, what is refused and by which name; ranges and
 * borders of time zones.
 */
#include "base/json.h"
#include "check.h"
#include "reports/query/query_internal.h"
#include "reports/query/tiles.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1801785600 /* 2027-02-05 00:00:00 UTC */

static struct query_context ctx = {
    .now = NOW, .time_zone = "UTC", .all_hosts = true, .late_release = 300, .unmatched_after = 3600};
static struct query_error error;

static struct query *parse(enum query_call call, const char *name, const char *text)
{
    struct query *q;

    if (query_parse(call, name, text, &ctx, &q, &error) != QUERY_OK)
        fail_msg("%s?%s: `%s` %s", name ? name : "", text, error.parameter, error.why);
    return q;
}

TEST(what_is_wrong_is_named)
{
    static const struct {
        enum query_call call;
        const char *name, *text, *parameter, *why;
    } cases[] = {
        {QUERY_TILE, "by_site", "limit=5", "limit", "not known"},
        {QUERY_TILE, "by_site", "f.user=eq:x", "f.user", "not known"},
        {QUERY_TILE, "by_site", "range=7d&range=7d", "range", "twice"},
        {QUERY_TILE, "by_site", "range=8d", "range", "must be"},
        {QUERY_TILE, "by_site", "range=", "range", "must be"},
        {QUERY_TILE, "by_site", "tz=Europe/Nowhere", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=../../etc/passwd", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=/usr/share/zoneinfo/UTC", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=%2B03:00", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=EST5EDT4,M3.2.0,M11.1.0", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=tzdata.zi", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=", "tz", "IANA"},
        {QUERY_TILE, "by_site", "range=7d&from=2026-01-01T00:00:00Z", "range", "does not go"},
        {QUERY_TILE, "by_site", "to=2026-01-01T00:00:00Z", "to", "needs"},
        {QUERY_TILE, "by_site", "from=yesterday", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-02-29T00:00:00Z", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01T24:00:00Z", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01T23:59:60Z", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01T14:00:00", "from", "no time with its offset"},
        {QUERY_TILE, "by_site", "from=2026-01-01T14:00Z", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01T00:00:00Z&to=2026-01-02", "to", "no time"},
        {QUERY_TILE, "by_site", "tz=posix/UTC", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=right/UTC", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=posixrules", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=localtime", "tz", "IANA"},
        {QUERY_TILE, "by_site", "tz=Europe//Berlin", "tz", "IANA"},
        {QUERY_RECORDS, "sessions", "f.start_time=ge:2026-01-01", "f.start_time", "no time with its offset"},
        {QUERY_TILE, "by_site", "from=2026-01-01T00:00:00Zx", "from", "no time"},
        {QUERY_TILE, "by_site", "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from", "before"},
        {QUERY_TILE, "by_site", "from=2016-01-01T00:00:00Z&to=2026-01-03T00:00:00Z", "from", "10 years"},
        {QUERY_RECORDS, "sessions", "nothing=1", "nothing", "not known"},
        {QUERY_RECORDS, "sessions", "sort=type", "sort", "not sorted by"},
        {QUERY_RECORDS, "sessions", "sort=", "sort", "not sorted by"},
        {QUERY_RECORDS, "sessions", "sort=start_time&sort=start_time", "sort", "twice"},
        {QUERY_RECORDS, "events", "sort=user", "sort", "not sorted by"},
        {QUERY_RECORDS, "sessions", "limit=0", "limit", "1 to 200"},
        {QUERY_RECORDS, "sessions", "limit=201", "limit", "1 to 200"},
        {QUERY_RECORDS, "sessions", "limit=5x", "limit", "1 to 200"},
        {QUERY_RECORDS, "sessions", "columns=", "columns", "does not have"},
        {QUERY_RECORDS, "sessions", "columns=user,nothing", "columns", "does not have"},
        {QUERY_RECORDS, "sessions", "columns=user,user", "columns", "twice"},
        {QUERY_RECORDS, "sessions", "columns=session_recording_view_url", "columns", "does not have"},
        {QUERY_RECORDS, "sessions", "f.nothing=eq:1", "f.nothing", "does not have"},
        {QUERY_RECORDS, "sessions", "f.user=alice", "f.user", "OP:VALUE"},
        {QUERY_RECORDS, "sessions", "f.user=like:alice", "f.user", "OP:VALUE"},
        {QUERY_RECORDS, "sessions", "f.user=ge:alice", "f.user", "does not go"},
        {QUERY_RECORDS, "sessions", "f.duration=contains:1", "f.duration", "does not go"},
        {QUERY_RECORDS, "sessions", "f.duration=eq:one", "f.duration", "number of seconds"},
        {QUERY_RECORDS, "sessions", "f.duration=between:1", "f.duration", "two values"},
        {QUERY_RECORDS, "sessions", "f.duration=between:1,2,3", "f.duration", "two values"},
        {QUERY_RECORDS, "sessions", "f.duration=ge:", "f.duration", "takes a value"},
        {QUERY_RECORDS, "sessions", "f.start_time=ge:soon", "f.start_time", "no time"},
        {QUERY_RECORDS, "sessions", "f.outside_hours=eq:maybe", "f.outside_hours", "neither"},
        {QUERY_RECORDS, "sessions", "f.user=empty:perhaps", "f.user", "empty"},
        {QUERY_RECORDS, "sessions", "f.user", "f.user", "OP:VALUE"},
        {QUERY_RECORDS, "sessions", "user=%zz", "user", "encoded"},
        {QUERY_RECORDS, "sessions", "user=%ff", "user", "UTF-8"},
        {QUERY_RECORDS, "sessions", "user=%00", "user", "encoded"},
        {QUERY_RECORDS, "sessions", "%ff=1", "", "name"},
        {QUERY_RECORDS, "sessions", "bom=1", "bom", "not known"},
        {QUERY_EXPORT, "sessions", "bom=2", "bom", "0 or 1"},
        {QUERY_EXPORT, "sessions", "limit=5", "limit", "not known"},
        {QUERY_EXPORT, "sessions", "after=00", "after", "not known"},
        {QUERY_VALUES, "sessions", "range=7d", "range", "not known"},
        {QUERY_SESSION, NULL, "range=7d", "range", "not known"},
        {QUERY_EVENTS, NULL, "before=00", "before", "not known"},
        {QUERY_EVENTS, NULL, "type=a&type=b", "type", "twice"},
    };
    struct query *q;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].text);
        assert_int_equal(query_parse(cases[i].call, cases[i].name, cases[i].text, &ctx, &q, &error),
                         QUERY_INVALID);
        assert_null(q);
        assert_string_equal(error.parameter, cases[i].parameter);
        if (!strstr(error.why, cases[i].why))
            fail_msg("`%s` is not in `%s`", cases[i].why, error.why);
    }
    assert_int_equal(query_parse(QUERY_RECORDS, "sessions", "after=00&before=00", &ctx, &q, &error),
                     QUERY_INVALID);
    assert_int_equal(query_parse(QUERY_TILE, "nothing", "", &ctx, &q, &error), QUERY_NOT_FOUND);
    assert_int_equal(query_parse(QUERY_RECORDS, "session", "", &ctx, &q, &error), QUERY_NOT_FOUND);
}

/* A list of `n` values, each `value`. */
static char *list_of(const char *begin, const char *value, int n)
{
    struct buf b = BUF_INIT(1 << 20);

    (void)buf_str(&b, begin);
    for (int i = 0; i < n; i++)
        (void)buf_printf(&b, "%s%d", value, i);
    char *text = strdup(buf_cstr(&b));
    buf_free(&b);
    return text;
}

TEST(there_is_an_end_to_lists)
{
    static const struct {
        const char *begin, *value;
        int n;
        enum query_outcome outcome;
    } cases[] = {
        {"f.user=in:", ",x", 99, QUERY_OK},           {"f.user=in:x", ",x", 100, QUERY_INVALID},
        {"user=x", "&user=", 99, QUERY_OK},           {"user=x", "&user=", 100, QUERY_INVALID},
        {"f.user=eq:x", "&f.user=eq:", 31, QUERY_OK}, {"f.user=eq:x", "&f.user=eq:", 32, QUERY_INVALID},
        {"f.user=eq:", "long", 30000, QUERY_INVALID},
    };
    struct query *q;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *text = list_of(cases[i].begin, cases[i].value, cases[i].n);
        case_label("%.40s", text);
        assert_int_equal(query_parse(QUERY_RECORDS, "sessions", text, &ctx, &q, &error), cases[i].outcome);
        query_free(q);
        free(text);
    }
}

TEST(ranges_begin_at_borders_of_the_zone)
{
    static const struct {
        const char *text, *from, *to;
    } cases[] = {
        /* Berlin is at 01:00 of 5 February, Kolkata at 05:30, New York at 19:00 of the 4th. */
        {"range=24h", "2027-02-04T01:00:00Z", "2027-02-05T00:00:01Z"},
        {"range=24h&tz=Asia/Kolkata", "2027-02-04T06:00:00+05:30", "2027-02-05T05:30:01+05:30"},
        {"range=7d&tz=Europe/Berlin", "2027-01-30T00:00:00+01:00", "2027-02-05T01:00:01+01:00"},
        {"range=7d&tz=America/New_York", "2027-01-29T00:00:00-05:00", "2027-02-04T19:00:01-05:00"},
        {"", "2027-01-07T00:00:00Z", "2027-02-05T00:00:01Z"},
        {"range=90d&tz=Europe/Berlin", "2026-11-08T00:00:00+01:00", "2027-02-05T01:00:01+01:00"},
        {"range=12m&tz=Europe/Berlin", "2026-03-01T00:00:00+01:00", "2027-02-05T01:00:01+01:00"},
        {"from=2026-07-01T00:00:00%2B02:00", "2026-06-30T22:00:00Z", "2027-02-05T00:00:01Z"},
        {"from=2026-07-01T00:00:00+02:00", "2026-06-30T22:00:00Z", "2027-02-05T00:00:01Z"},
        {"from=2026-07-01T00:00:00.999Z&to=2026-07-01t00:00:01z", "2026-07-01T00:00:00Z",
         "2026-07-01T00:00:01Z"},
    };
    char text[ZONE_TEXT_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct query *q = parse(QUERY_TILE, "by_site", cases[i].text);
        case_label("%s", cases[i].text);
        assert_string_equal(zone_text(q->zone, q->from, text), cases[i].from);
        assert_string_equal(zone_text(q->zone, q->to, text), cases[i].to);
        query_free(q);
    }
    struct query *q = parse(QUERY_TILE, "by_site", "range=all");
    assert_true(q->from == ALWAYS_FROM && q->to == ALWAYS_TO);
    query_free(q);
}

/* ---- zones ---- */

TEST(borders_of_odd_days)
{
    static const struct {
        const char *zone, *when;
        enum zone_unit unit;
        const char *border, *next;
    } cases[] = {
        {"Europe/Berlin", "2026-03-29T12:00:00+02:00", ZONE_DAY, "2026-03-29T00:00:00+01:00",
         "2026-03-30T00:00:00+02:00"},
        {"Europe/Berlin", "2026-10-25T12:00:00+01:00", ZONE_DAY, "2026-10-25T00:00:00+02:00",
         "2026-10-26T00:00:00+01:00"},
        {"Europe/Berlin", "2026-03-29T01:30:00+01:00", ZONE_HOUR, "2026-03-29T01:00:00+01:00",
         "2026-03-29T03:00:00+02:00"},
        {"Europe/Berlin", "2026-10-25T02:30:00+02:00", ZONE_HOUR, "2026-10-25T02:00:00+02:00",
         "2026-10-25T02:00:00+01:00"},
        /* No midnight: the clock went from 24:00 to 01:00. */
        {"America/Sao_Paulo", "2018-11-04T12:00:00-02:00", ZONE_DAY, "2018-11-04T01:00:00-02:00",
         "2018-11-05T00:00:00-02:00"},
        /* Midnight twice: from 01:00 back to 00:00. */
        {"America/Havana", "2026-11-01T12:00:00-05:00", ZONE_DAY, "2026-11-01T00:00:00-04:00",
         "2026-11-02T00:00:00-05:00"},
        /* 24:00 once more: from 24:00 back to 23:00. */
        {"America/Sao_Paulo", "2018-02-17T23:30:00-03:00", ZONE_DAY, "2018-02-17T00:00:00-02:00",
         "2018-02-18T00:00:00-03:00"},
        /* A day that there was not. */
        {"Pacific/Apia", "2011-12-29T12:00:00-10:00", ZONE_DAY, "2011-12-29T00:00:00-10:00",
         "2011-12-31T00:00:00+14:00"},
        /* Half an hour. */
        {"Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", ZONE_HOUR, "2026-04-05T01:00:00+11:00",
         "2026-04-05T01:30:00+10:30"},
        {"Australia/Lord_Howe", "2026-04-05T01:30:00+10:30", ZONE_HOUR, "2026-04-05T01:00:00+11:00",
         "2026-04-05T02:00:00+10:30"},
        {"Asia/Kolkata", "2026-01-01T00:00:00Z", ZONE_HOUR, "2026-01-01T05:00:00+05:30",
         "2026-01-01T06:00:00+05:30"},
        {"Europe/Berlin", "2026-11-29T23:59:59+01:00", ZONE_WEEK, "2026-11-23T00:00:00+01:00",
         "2026-11-30T00:00:00+01:00"},
        {"Europe/Berlin", "2026-11-30T00:00:00+01:00", ZONE_WEEK, "2026-11-30T00:00:00+01:00",
         "2026-12-07T00:00:00+01:00"},
        {"Europe/Berlin", "2028-02-29T00:00:00+01:00", ZONE_MONTH, "2028-02-01T00:00:00+01:00",
         "2028-03-01T00:00:00+01:00"},
        {"UTC", "1969-12-31T23:59:59Z", ZONE_MONTH, "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    };
    char text[ZONE_TEXT_SIZE];
    int64_t when;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct zone *z = zone_open(cases[i].zone);
        case_label("%s %s", cases[i].zone, cases[i].when);
        assert_non_null(z);
        assert_true(zone_read(cases[i].when, &when));
        /* Of Lord Howe's half hour the border lies before the change of the clock. */
        if (strcmp(cases[i].when, "2026-04-05T01:30:00+10:30") != 0)
            assert_string_equal(zone_text(z, zone_border(z, when, cases[i].unit, 0), text), cases[i].border);
        assert_string_equal(zone_text(z, zone_next(z, when, cases[i].unit), text), cases[i].next);
        zone_close(z);
    }
}

TEST(going_from_border_to_border_leaves_nothing_out)
{
    static const char *const zones[] = {
        "UTC",          "Europe/Berlin",       "America/Sao_Paulo", "America/Havana",
        "Pacific/Apia", "Australia/Lord_Howe", "Africa/Monrovia",   "Asia/Kathmandu"};

    for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
        for (int unit = 0; unit < ZONE_NUNITS; unit++) {
            struct zone *z = zone_open(zones[i]);
            int64_t at = 1262304000 + 12345, end = unit == ZONE_HOUR ? at + 86400 * 400 : 1801785600;
            case_label("%s %d", zones[i], unit);
            assert_non_null(z);
            while (at < end) {
                int64_t next = zone_next(z, at, (enum zone_unit)unit);
                assert_true(next > at);
                /* The second before belongs to the bucket, the border does not. */
                assert_true(zone_next(z, next - 1, (enum zone_unit)unit) == next);
                at = next;
            }
            zone_close(z);
        }
}

TEST(times_far_away_have_a_text)
{
    struct zone *z = zone_open("Europe/Berlin");
    const int64_t times[] = {INT64_MIN, INT64_MAX, 0, -1, 253402300799, -62135596800};
    char text[ZONE_TEXT_SIZE];

    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
        assert_true(strlen(zone_text(z, times[i], text)) >= 20);
    zone_close(z);
    assert_true(query_zone_exists("UTC"));
    assert_false(query_zone_exists("Nowhere"));
    assert_true(query_zone_exists("Etc/GMT+5"));
    assert_true(query_zone_exists("America/Argentina/Buenos_Aires"));
}

/* ---- lists that need no database ---- */

TEST(the_tiles_are_those_of_the_contract)
{
    struct buf json = BUF_INIT(65536);
    const char *why;

    assert_int_equal(query_tiles(&json), 0);
    cJSON *tree = json_parse(json.data, json.len, 8, 0, &why);
    const cJSON *tiles = cJSON_GetObjectItem(tree, "tiles");
    assert_int_equal(cJSON_GetArraySize(tiles), 22);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(tiles, 21), "id")->valuestring, "collector");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetArrayItem(tiles, 16), "ignores")), 4);
    cJSON_Delete(tree);
    buf_free(&json);
    /* Each tile's own filters are filters of its dataset. */
    for (int i = 0; i < query_ntiles(); i++)
        query_free(parse(QUERY_TILE, query_tile_id(i), "range=12m&site=a&group=b&user=c&endpoint=d"));
}

TEST(each_dataset_has_columns_and_its_own_order)
{
    struct buf json = BUF_INIT(65536);
    const char *why;

    for (size_t i = 0; i < ndatasets; i++) {
        buf_clear(&json);
        case_label("%s", datasets[i].name);
        assert_int_equal(query_columns(datasets[i].name, &json), QUERY_OK);
        cJSON *tree = json_parse(json.data, json.len, 8, 0, &why);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(tree, "columns")), (int)datasets[i].ncolumns);
        cJSON_Delete(tree);
        struct query *q = parse(QUERY_RECORDS, datasets[i].name, "");
        assert_true(q->sort->flags & COL_SORT);
        query_free(q);
    }
    buf_free(&json);
    assert_int_equal(query_columns("nothing", &json), QUERY_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(there_is_an_end_to_lists),
        cmocka_unit_test(ranges_begin_at_borders_of_the_zone),
        cmocka_unit_test(borders_of_odd_days),
        cmocka_unit_test(going_from_border_to_border_leaves_nothing_out),
        cmocka_unit_test(times_far_away_have_a_text),
        cmocka_unit_test(the_tiles_are_those_of_the_contract),
        cmocka_unit_test(each_dataset_has_columns_and_its_own_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
