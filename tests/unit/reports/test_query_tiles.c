/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_query_tiles.c - the number of every item of every tile is the total of the grid that its link opens,
 * whatever the filters, the zone and the range; tallies count what rows do.
 */
#include "check.h"
#include "reports/query_rig.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS 800
#ifdef RIG_POSTGRESQL
#define ROUNDS 5 /* the server takes its time */
#else
#define ROUNDS 20
#endif

static struct query_rig rig;

static int setup(void **state)
{
    (void)state;
    query_rig_make(&rig, 7);
    query_rig_sessions(&rig, SESSIONS);
    query_rig_activity(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    query_rig_end(&rig);
    return 0;
}

static int64_t number_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItem(object, name);

    if (!cJSON_IsNumber(member))
        fail_msg("no number `%s`", name);
    return (int64_t)member->valuedouble;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItem(object, name);

    if (!cJSON_IsString(member))
        fail_msg("no text `%s`", name);
    return member->valuestring;
}

static int64_t total_behind(const char *href)
{
    cJSON *grid = query_rig_follow(&rig, href);
    const cJSON *total = cJSON_GetObjectItem(grid, "total");

    if (!cJSON_IsNumber(total))
        fail_msg("%s: no total", href);
    int64_t n = (int64_t)total->valuedouble;
    cJSON_Delete(grid);
    return n;
}

/* A tile with that query: each item against its grid. Returns the tile's total. */
static int64_t check_tile(const char *id, const char *query)
{
    cJSON *tile = query_rig_tile(&rig, id, query);
    const cJSON *item;
    int64_t sum = 0;

    case_label("%s?%s", id, query);
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(tile, "items"))
    {
        const char *href = text_of(item, "href");
        int64_t value = number_of(item, "value"), total = total_behind(href);
        if (value != total)
            fail_msg("%s?%s: %s: %lld, its grid %s has %lld", id, query, text_of(item, "label"),
                     (long long)value, href, (long long)total);
        sum += value;
    }
    assert_int_equal(number_of(tile, "total"), sum);
    assert_int_equal(total_behind(text_of(tile, "href")), sum);
    cJSON_Delete(tile);
    return sum;
}

/* ---- frames ---- */

static const char *any(const char *const *texts, size_t n)
{
    return texts[query_rig_random(&rig, n)];
}
#define ANY(texts) any(texts, sizeof(texts) / sizeof(*(texts)))

static void any_frame(char *text, size_t size)
{
    static const char *const ranges[] = {
        "range=24h",
        "range=7d",
        "range=30d",
        "range=90d",
        "range=12m",
        "range=all",
        "",
        "from=2026-03-28T10:20:30Z&to=2026-03-30T23:00:00Z",
        "from=2026-10-24T00:00:00%2B02:00&to=2026-10-26T12:00:01%2B01:00",
        "from=2026-02-10T00:00:00Z&to=2026-09-20T13:00:00Z",
        "from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z",
        "from=2026-06-17T08:00:00Z&to=2026-06-17T09:30:00Z",
        "from=2025-12-31T23:59:59Z&to=2027-02-05T00:00:01Z",
    };
    static const char *const zones[] = {"",
                                        "&tz=Europe/Berlin",
                                        "&tz=America/New_York",
                                        "&tz=Asia/Kolkata",
                                        "&tz=Australia/Lord_Howe",
                                        "&tz=Asia/Kathmandu",
                                        "&tz=Pacific/Chatham"};
    static const char *const sites[] = {"",
                                        "",
                                        "",
                                        "&site=pra.example.com",
                                        "&site=VENDOR.example.org",
                                        "&site=pra.example.com&site=vendor.example.org",
                                        "&site=none.example"};
    static const char *const jump_groups[] = {"",
                                              "",
                                              "",
                                              "&group=Linux",
                                              "&group=Network,%20core&group=z%5C%5Cz",
                                              "&group=",
                                              "&group=&group=50%25",
                                              "&group=none"};
    static const char *const people[] = {"",
                                         "",
                                         "",
                                         "",
                                         "&user=alice",
                                         "&user=bob&user=carol,%20the%20first",
                                         "&user=",
                                         "&endpoint=srv-1&user=alice",
                                         "&endpoint=&endpoint=db,1"};

    (void)snprintf(text, size, "%s%s%s%s%s", ANY(ranges), ANY(zones), ANY(sites), ANY(jump_groups),
                   ANY(people));
}

TEST(every_number_is_the_total_of_its_grid)
{
    char frame[512];
    int64_t seen = 0;

    for (int round = 0; round < ROUNDS; round++) {
        any_frame(frame, sizeof(frame));
        for (int tile = 0; tile < query_ntiles(); tile++) {
            /* A series has a hundred items: in one round of four. */
            if (strcmp(query_tile_id(tile), "collector") == 0 || (tile == 0 && round % 4))
                continue;
            seen += check_tile(query_tile_id(tile), frame);
        }
    }
    assert_true(seen > 1000);
}

TEST(each_tile_has_something_to_count_and_other_where_labels_are_many)
{
    static const struct {
        const char *tile;
        bool other;
    } cases[] = {{"sessions_over_time", false},
                 {"running_now", false},
                 {"by_site", false},
                 {"by_jump_group", true},
                 {"top_users", true},
                 {"top_endpoints", true},
                 {"by_jumpoint", false},
                 {"by_type", false},
                 {"durations", false},
                 {"injections", false},
                 {"injection_failures", true},
                 {"file_transfers", true},
                 {"event_types", true},
                 {"outside_hours", true},
                 {"abnormal", false},
                 {"vault_activity", false},
                 {"unused_accounts", false},
                 {"config_changes", true},
                 {"checkouts_without_session", true},
                 {"late_releases", true},
                 {"failed_sign_ins", true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_true(check_tile(cases[i].tile, "range=12m") > 0);
        cJSON *tile = query_rig_tile(&rig, cases[i].tile, "range=12m");
        assert_int_equal(number_of(tile, "other") > 0, cases[i].other);
        cJSON_Delete(tile);
    }
}

TEST(tallies_count_what_rows_do)
{
    /* With a user who is all users, the same is counted from rows alone. */
    static const char *const tiles[] = {
        "by_site",     "by_jump_group",      "by_jumpoint",        "by_type",        "durations",
        "event_types", "injections",         "injection_failures", "file_transfers", "outside_hours",
        "abnormal",    "sessions_over_time", "top_users",          "top_endpoints"};
    static const char *const ranges[] = {"from=2026-02-10T03:00:00Z&to=2026-12-20T13:00:00Z",
                                         "from=2026-02-10T03:00:00Z&to=2026-12-20T13:00:00Z&group=Linux"};
    char users[8192] = "&user=", frame[9000];
    const cJSON *row;
    static const char *const names[] = {"alice",
                                        "bob",
                                        "carol,%20the%20first",
                                        "back%5Cslash",
                                        "100%25",
                                        "under_score",
                                        "%3DSUM(A1)",
                                        "J%C3%B6rg",
                                        "eve",
                                        "a%26b%3Dc%2Bd%20%23%3F",
                                        "EXAMPLE%5Cdave",
                                        "mallory",
                                        "trent",
                                        "%22quoted%22",
                                        "tail%5C,comma"};
    cJSON *top = query_rig_tile(&rig, "top_users", "range=all");
    assert_int_equal(number_of(top, "other"), 6); /* of 15 and those without */
    cJSON_Delete(top);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        (void)snprintf(users + strlen(users), sizeof(users) - strlen(users), "&user=%s", names[i]);
    for (size_t k = 0; k < 2 * sizeof(tiles) / sizeof(*tiles); k++) {
        const char *name = tiles[k / 2], *range = ranges[k % 2];
        case_label("%s %s", name, range);
        (void)snprintf(frame, sizeof(frame), "%s%s", range, users);
        cJSON *tallied = query_rig_tile(&rig, name, range), *counted = query_rig_tile(&rig, name, frame);
        const cJSON *a = cJSON_GetObjectItem(tallied, "items"), *b = cJSON_GetObjectItem(counted, "items");
        assert_int_equal(cJSON_GetArraySize(a), cJSON_GetArraySize(b));
        int at = 0;
        cJSON_ArrayForEach(row, a)
        {
            const cJSON *other = cJSON_GetArrayItem(b, at++);
            assert_string_equal(text_of(row, "label"), text_of(other, "label"));
            assert_int_equal(number_of(row, "value"), number_of(other, "value"));
        }
        cJSON_Delete(tallied);
        cJSON_Delete(counted);
    }
}

TEST(events_of_a_grid_are_counted_from_tallies)
{
    static const struct {
        const char *query, *where;
    } cases[] = {
        {"range=all", "1 = 1"},
        {"from=2026-02-10T03:00:00Z&to=2026-12-20T13:00:00Z",
         "\"timestamp_unix\" >= 1770692400 AND \"timestamp_unix\" < 1797771600"},
        {"range=all&f.type=eq:Chat%20Message", "\"type\" = 'Chat Message'"},
        {"range=all&f.type=contains:file", "lower(\"type\") LIKE '%file%'"},
        {"range=all&f.type=notin:Chat%20Message,Session%20Start",
         "coalesce(\"type\", '') NOT IN ('Chat Message', 'Session Start')"},
        {"range=all&f.type=contains:session&f.type=ne:Chat%20Message",
         "lower(\"type\") LIKE '%session%' AND \"type\" <> 'Chat Message'"},
        {"range=all&group=Linux",
         "\"session_id\" IN (SELECT \"id\" FROM \"session\" WHERE \"jump_group_name\" = 'Linux')"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char sql[512];
        case_label("%s", cases[i].query);
        cJSON *grid = query_rig_records(&rig, "events", cases[i].query);
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"session_event\" WHERE %s", cases[i].where);
        assert_true(number_of(grid, "total") > 0);
        assert_int_equal(number_of(grid, "total"), rig_int(&rig.store, sql));
        cJSON_Delete(grid);
    }
}

TEST(hours_of_users_are_sums_of_durations)
{
    cJSON *tile = query_rig_tile(&rig, "top_users", "range=all");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(tile, "items"), 0);
    char sql[256];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT sum(\"duration_seconds\") FROM \"session\" WHERE \"user_name\" = '%s'",
                   text_of(first, "label"));
    assert_int_equal(number_of(first, "seconds"), rig_int(&rig.store, sql));
    cJSON_Delete(tile);
}

TEST(only_sites_that_may_be_seen_count)
{
    static const char *const hosts[] = {RIG_OTHER_HOST};
    int64_t all = check_tile("by_site", "range=all");

    rig.ctx.all_hosts = false;
    rig.ctx.hosts = hosts;
    rig.ctx.nhosts = 1;
    for (int tile = 0; tile < query_ntiles(); tile++)
        if (strcmp(query_tile_id(tile), "collector") != 0)
            (void)check_tile(query_tile_id(tile), "range=12m");
    int64_t one = check_tile("by_site", "range=all");
    int64_t stored =
        rig_int(&rig.store, "SELECT count(*) FROM \"session\" WHERE \"host_name\" = '" RIG_OTHER_HOST "'");
    assert_int_equal(one, stored);
    assert_true(one < all);
    assert_int_equal(check_tile("by_site", "range=all&site=" RIG_HOST), 0);
    assert_int_equal(check_tile("checkouts_without_session", "range=all"), 0);
    rig.ctx.nhosts = 0;
    assert_int_equal(check_tile("by_site", "range=all"), 0);
    assert_int_equal(check_tile("sessions_over_time", "range=7d"), 0);
    cJSON *tile = query_rig_tile(&rig, "collector", "");
    assert_int_equal(number_of(tile, "total"), 0);
    cJSON_Delete(tile);
    rig.ctx.all_hosts = true;
}

TEST(a_series_has_every_bucket_of_its_range)
{
    static const struct {
        const char *query, *bucket, *first, *last;
        int n;
    } cases[] = {
        {"range=24h", "hour", "2027-02-04 01:00", "2027-02-05 00:00", 24},
        {"range=7d", "day", "2027-01-30", "2027-02-05", 7},
        {"range=90d", "day", "2026-11-08", "2027-02-05", 90},
        {"range=12m", "week", "2026-02-23", "2027-02-01", 50},
        {"from=2026-10-25T00:00:00%2B02:00&to=2026-10-26T00:00:00%2B01:00&tz=Europe/Berlin", "hour",
         "2026-10-25 00:00", "2026-10-25 23:00", 25},
        {"from=2026-03-29T00:00:00%2B01:00&to=2026-03-30T00:00:00%2B02:00&tz=Europe/Berlin", "hour",
         "2026-03-29 00:00", "2026-03-29 23:00", 23},
        {"from=2026-03-01T12:00:00Z&to=2026-03-05T00:00:00Z", "day", "2026-03-01", "2026-03-04", 4},
        {"from=2024-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", "month", "2024-01", "2026-12", 36},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].query);
        cJSON *tile = query_rig_tile(&rig, "sessions_over_time", cases[i].query);
        const cJSON *items = cJSON_GetObjectItem(tile, "items"), *item;
        assert_string_equal(text_of(tile, "bucket"), cases[i].bucket);
        assert_int_equal(cJSON_GetArraySize(items), cases[i].n);
        assert_string_equal(text_of(cJSON_GetArrayItem(items, 0), "label"), cases[i].first);
        assert_string_equal(text_of(cJSON_GetArrayItem(items, cases[i].n - 1), "label"), cases[i].last);
        const char *to = text_of(tile, "from");
        cJSON_ArrayForEach(item, items)
        {
            assert_string_equal(text_of(item, "from"), to);
            to = text_of(item, "to");
        }
        assert_string_equal(text_of(tile, "to"), to);
        cJSON_Delete(tile);
    }
}

TEST(a_series_counts_from_its_first_second_to_its_last)
{
    static const struct {
        const char *query;
        int64_t sessions;
    } cases[] = {
        {"from=2025-06-01T10:20:30Z&to=2025-06-01T12:40:50Z", 2},
        {"from=2025-06-01T10:20:31Z&to=2025-06-01T12:40:50Z", 1},
        {"from=2025-06-01T10:20:29Z&to=2025-06-01T12:40:51Z", 4},
        {"from=2025-06-01T10:20:30Z&to=2025-06-01T10:20:31Z", 1},
    };
    const int64_t from = 1748773230, to = 1748781650;

    (void)query_rig_session(&rig, from - 1, "alice");
    (void)query_rig_session(&rig, from, "alice");
    (void)query_rig_session(&rig, to - 1, "alice");
    (void)query_rig_session(&rig, to, "alice");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(check_tile("sessions_over_time", cases[i].query), cases[i].sessions);
}

TEST(the_hour_that_a_clock_shows_twice_has_two_names)
{
    cJSON *tile =
        query_rig_tile(&rig, "sessions_over_time",
                       "from=2026-10-25T00:00:00%2B02:00&to=2026-10-25T06:00:00%2B01:00&tz=Europe/Berlin");
    const cJSON *items = cJSON_GetObjectItem(tile, "items");

    assert_string_equal(text_of(cJSON_GetArrayItem(items, 2), "label"), "2026-10-25 02:00+02:00");
    assert_string_equal(text_of(cJSON_GetArrayItem(items, 3), "label"), "2026-10-25 02:00+01:00");
    assert_string_equal(text_of(cJSON_GetArrayItem(items, 4), "label"), "2026-10-25 03:00");
    cJSON_Delete(tile);
}

TEST(a_tile_says_what_is_incomplete_and_how_the_collector_is)
{
    rig.sites[1].state = "Action Required";
    rig.sites[1].reason = "credentials";
    rig.sites[0].missing_from = RIG_T0;
    cJSON *tile = query_rig_tile(&rig, "by_site", "range=7d");
    const cJSON *incomplete = cJSON_GetObjectItem(tile, "incomplete");
    assert_int_equal(cJSON_GetArraySize(incomplete), 2);
    assert_string_equal(text_of(cJSON_GetArrayItem(incomplete, 0), "why"), "backfill");
    assert_string_equal(text_of(cJSON_GetArrayItem(incomplete, 0), "since"), "2026-01-01T00:00:00Z");
    assert_string_equal(text_of(cJSON_GetArrayItem(incomplete, 1), "why"), "Action Required: credentials");
    cJSON_Delete(tile);
    tile = query_rig_tile(&rig, "collector", "site=" RIG_OTHER_HOST);
    const cJSON *items = cJSON_GetObjectItem(tile, "items"), *item = cJSON_GetArrayItem(items, 0);
    assert_int_equal(cJSON_GetArraySize(items), 1);
    assert_string_equal(text_of(item, "state"), "Action Required");
    assert_int_equal(number_of(item, "seconds"), 30);
    assert_string_equal(text_of(item, "href"), "/collector");
    cJSON_Delete(tile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_the_total_of_its_grid),
        cmocka_unit_test(each_tile_has_something_to_count_and_other_where_labels_are_many),
        cmocka_unit_test(tallies_count_what_rows_do),
        cmocka_unit_test(events_of_a_grid_are_counted_from_tallies),
        cmocka_unit_test(hours_of_users_are_sums_of_durations),
        cmocka_unit_test(only_sites_that_may_be_seen_count),
        cmocka_unit_test(a_series_has_every_bucket_of_its_range),
        cmocka_unit_test(a_series_counts_from_its_first_second_to_its_last),
        cmocka_unit_test(the_hour_that_a_clock_shows_twice_has_two_names),
        cmocka_unit_test(a_tile_says_what_is_incomplete_and_how_the_collector_is),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
