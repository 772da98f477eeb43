/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_poll.c - which sessions have ended: the time of each listing, the cursor, rows, failures.
 */
#include "test_pra_site.h"

#include <errno.h>
#include <stdio.h>

static struct reply *answers = world.answers;

#define ROW(lsid) "<session_summary lsid=\"" lsid "\"/>"

static long long now_s(void)
{
    return rig.fc.wall / 1000;
}

/* A lease with a key was created so many seconds ago. */
static void key_of_age(long long age_s)
{
    world.oldest_ms = rig.fc.wall - age_s * 1000;
}

/* ---- the time of a listing ---- */

TEST(the_first_listing_looks_back_to_the_oldest_lease)
{
    key_of_age(600);
    world_open(0);
    live(5 * SECOND);
    assert_int_equal(world.n[PRA_CALL_LISTING], 1);
    assert_in_range(world.from_s, world.oldest_ms / 1000 - 121, world.oldest_ms / 1000 - 119);
    assert_int_equal(world.duration_s, 0);
    live(15 * SECOND);
    assert_int_equal(world.n[PRA_CALL_LISTING], 2); /* the cursor is later than the lease */
    assert_in_range(world.from_s, now_s() - 120 - 22, now_s() - 120 - 12);
}

TEST(a_listing_looks_back_behind_the_saved_cursor)
{
    key_of_age(7200);
    world_open(rig.fc.wall - 3600 * 1000);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() - 3600 - 120 - 6, now_s() - 3600 - 120);
}

TEST(a_lease_younger_than_the_cursor_limits_the_look_back)
{
    key_of_age(300);
    world_open(rig.fc.wall - 3600 * 1000);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() - 300 - 120 - 6, now_s() - 300 - 120);
}

TEST(a_gap_is_made_good_as_far_as_catch_up)
{
    key_of_age(100 * 3600);
    world.params.catch_up_ms = 2 * HOUR;
    world_open(rig.fc.wall - 50 * 3600 * 1000LL);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() - 7200 - 6, now_s() - 7200 + 1);
    assert_int_equal(world.duration_s, 0);
}

/* 20 hours: three windows of six hours and a last one up to now, at once; the cursor is saved once. */
TEST(a_long_gap_is_asked_for_in_windows)
{
    long long from = now_s() - 20 * 3600 - 120;

    key_of_age(20 * 3600);
    world_open(0);
    live(10 * SECOND);
    assert_int_equal(world.n[PRA_CALL_LISTING], 4);
    for (int i = 0; i < 4; i++) {
        assert_in_range(world.froms[i], from + i * (21600 - 120) - 1, from + i * (21600 - 120) + 1);
        assert_int_equal(world.durations[i], i < 3 ? 21600 : 0);
    }
    assert_int_equal(world.saves, 1);
    assert_in_range(world.saved_ms / 1000, now_s() - 10, now_s());
}

TEST(a_window_that_fails_keeps_what_was_reached)
{
    long long from = now_s() - 20 * 3600 - 120;

    key_of_age(20 * 3600);
    answers[PRA_CALL_LISTING].hold = true;
    world_open(0);
    live(3 * SECOND);
    release("Listing");
    live(SECOND);
    answers[PRA_CALL_LISTING].status = 500;
    release("Listing");
    live(SECOND);
    assert_int_equal(world.saves, 1);
    assert_in_range(world.saved_ms / 1000, from + 21599, from + 21601);
    answers[PRA_CALL_LISTING].status = 200;
    answers[PRA_CALL_LISTING].hold = false;
    live(16 * SECOND);
    assert_in_range(world.froms[2], from + 21599 - 120, from + 21601 - 120); /* and on from there */
    assert_int_equal(world.n[PRA_CALL_LISTING], 5);
    assert_int_equal(world.saves, 2);
}

TEST(an_overlap_longer_than_a_window_still_comes_to_an_end)
{
    key_of_age(23 * 3600);
    world.params.poll_overlap_ms = 10 * HOUR;
    world_open(0);
    live(MINUTE);
    assert_true(world.n[PRA_CALL_LISTING] < 20);
    assert_true(world.saves > 0);
    assert_int_equal(world.durations[0], 21600);
}

TEST(all_times_are_those_of_the_site)
{
    world.ahead_s = 1000;
    key_of_age(600);
    world_open(0);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() + 1000 - 600 - 120 - 7, now_s() + 1000 - 600 - 120);
    assert_in_range(view()->cursor_ms / 1000, now_s() + 1000 - 7, now_s() + 1000);
    assert_int_equal(world.saved_ms, view()->cursor_ms);
}

TEST(a_cursor_in_the_future_counts_as_now)
{
    key_of_age(600);
    world_open(rig.fc.wall + 100 * 3600 * 1000LL);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() - 120 - 6, now_s() - 120);
    assert_in_range(world.saved_ms / 1000, now_s() - 6, now_s());
}

TEST(a_failover_makes_the_next_listing_look_back_further)
{
    key_of_age(7200);
    world_open(0);
    live(5 * MINUTE - 10 * SECOND);
    answers[PRA_CALL_HEALTH].body =
        "<h><appliance id=\"a2\">pra</appliance><success>1</success><failover_role>none</failover_role></h>";
    answers[PRA_CALL_LISTING].status = 500; /* it holds until one has succeeded */
    live(30 * SECOND);
    assert_in_range(world.from_s, now_s() - 120 - 900 - 60, now_s() - 120 - 900);
    answers[PRA_CALL_LISTING].status = 200;
    world.n[PRA_CALL_LISTING] = 0;
    live(2 * MINUTE);
    assert_in_range(world.froms[0], now_s() - 120 - 900 - 240, now_s() - 120 - 900);
    assert_true(world.froms[1] > world.froms[0] + 900);
    assert_in_range(world.from_s, now_s() - 120 - 32, now_s() - 120);
}

TEST(leases_that_came_from_elsewhere_are_looked_back_to_once)
{
    world_open(0);
    live(20 * SECOND);
    assert_int_equal(world.n[PRA_CALL_LISTING], 0);
    key_of_age(8 * 3600);
    live(16 * SECOND);
    assert_int_equal(world.n[PRA_CALL_LISTING], 2); /* no part between is left out */
    assert_in_range(world.froms[0], now_s() - 8 * 3600 - 120 - 20, now_s() - 8 * 3600 - 120);
    assert_int_equal(world.froms[1], world.froms[0] + 21600 - 120);
    live(15 * SECOND);
    assert_in_range(world.from_s, now_s() - 120 - 22, now_s() - 120 - 12);
}

TEST(the_cursor_does_not_go_back_with_a_look_back)
{
    int64_t cursor;

    world_open(0);
    live(20 * SECOND);
    cursor = view()->cursor_ms;
    key_of_age(9 * 3600);
    answers[PRA_CALL_LISTING].hold = true;
    live(16 * SECOND);
    release("Listing");
    live(SECOND);
    assert_int_equal(view()->cursor_ms, cursor);
    answers[PRA_CALL_LISTING].status = 500;
    release("Listing");
    live(SECOND);
    assert_int_equal(world.saved_ms, cursor);
    answers[PRA_CALL_LISTING] = (struct reply){.type = "text/xml", .body = NO_SESSIONS};
    world.n[PRA_CALL_LISTING] = 0;
    live(MINUTE);
    assert_in_range(world.froms[0], now_s() - 9 * 3600 - 120 - 120, now_s() - 9 * 3600 - 120); /* once more */
}

/* ---- when nothing is asked ---- */

TEST(without_a_key_nothing_is_asked_and_the_cursor_moves)
{
    world_open(rig.fc.wall - 5 * 3600 * 1000);
    live(HOUR);
    assert_int_equal(world.n[PRA_CALL_LISTING], 0);
    assert_int_equal(world.saves, 0);
    assert_in_range(view()->cursor_ms / 1000, now_s() - 16, now_s());
    key_of_age(0);
    live(16 * SECOND);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
    assert_in_range(world.from_s, now_s() - 120 - 33, now_s() - 120);
}

TEST(polling_may_be_off)
{
    key_of_age(600);
    world.params.poll_interval_ms = 0;
    world_open(0);
    live(HOUR);
    assert_int_equal(world.n[PRA_CALL_LISTING], 0);
    world.params.poll_interval_ms = 15 * SECOND;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    live(16 * SECOND);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
    world.params.poll_interval_ms = 0;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    world.n[PRA_CALL_LISTING] = 0;
    live(HOUR);
    assert_int_equal(world.n[PRA_CALL_LISTING], 0);
}

TEST(the_first_listing_goes_out_within_the_interval)
{
    key_of_age(600);
    answers[PRA_CALL_INFO].hold = true; /* whatever the check does */
    world_open(0);
    live(15 * SECOND + 500);
    assert_int_equal(world.n[PRA_CALL_LISTING], 1);
}

/* ---- rows ---- */

TEST(rows_are_passed_on_before_the_cursor_is_saved)
{
    key_of_age(600);
    answers[PRA_CALL_LISTING].body =
        "<session_summary_list>" ROW(RIG_LSID) "<session_summary lsid=\"x\"/>" ROW(
            "00112233-4455-6677-8899-AABBCCDDEEFF") "</session_summary_list>";
    world_open(0);
    live(5 * SECOND);
    assert_int_equal(world.nended, 2);
    assert_string_equal(world.ended[0], RIG_LSID);
    assert_string_equal(world.ended[1], RIG_LSID2);
    assert_int_equal(world.by_source[PRA_END_POLL], 2);
    assert_int_equal(view()->leases_ended[PRA_END_POLL], 2);
    assert_int_equal(view()->rows_skipped, 1);
    assert_int_equal(world.saves, 1);
    world.leases = 0; /* they are known no more */
    live(15 * SECOND);
    assert_int_equal(world.nended, 4);
    assert_int_equal(view()->leases_ended[PRA_END_POLL], 2);
    assert_int_equal(view()->sessions_ended[PRA_END_POLL], 2);
}

TEST(a_large_listing_is_passed_on_in_several_iterations)
{
    struct buf body = BUF_INIT(1 << 20);
    size_t n = 5000, iterations = 0, last = 0;

    (void)buf_str(&body, "<session_summary_list>");
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(&body, "<session_summary lsid=\"%032zx\" has_recording=\"0\"/>", i);
    (void)buf_str(&body, "</session_summary_list>");
    key_of_age(600);
    rig.piece = 32768;
    world.leases = 0;
    answers[PRA_CALL_LISTING].body = buf_cstr(&body);
    answers[PRA_CALL_LISTING].hold = true;
    world_open(0);
    live(3 * SECOND);
    release("Listing");
    while (world.nended < n) {
        assert_int_equal(world.saves, 0); /* not before the last row */
        (void)timers_run(rig.timers);
        assert_true(world.nended - last <= 512);
        last = world.nended;
        iterations++;
    }
    assert_true(iterations >= 9);
    live(0);
    assert_int_equal(world.saves, 1);
    /* Sessions with leases have more to do. */
    world.leases = 1;
    last = world.nended;
    live(15 * SECOND);
    release("Listing");
    (void)timers_run(rig.timers);
    assert_in_range(world.nended - last, 1, 40);
    buf_free(&body);
}

/* ---- failures ---- */

static const struct failure {
    struct reply reply;
    bool denied;
    const char *words;
} failures[] = {
    {{.err = -ETIMEDOUT}, false, "reports fail: session_listing: no answer in time"},
    {{.err = -ECONNRESET}, false, "reports fail"},
    {{.err = -EMSGSIZE}, false, "larger than allowed"},
    {{.status = 500}, false, "status 500"},
    {{.body = "<html/>"}, false, "web page"},
    {{.body = "<session_summary_list>" ROW(RIG_LSID)}, false, "not well-formed"},
    {{.body = "<session_list>" ROW(RIG_LSID) "</session_list>"}, false, "another kind"},
    {{.type = "text/html", .body = "<session_summary_list>" ROW(RIG_LSID) "</session_summary_list>"},
     false,
     "web page"},
    {{.body = "<error>no permission</error>"},
     true,
     "reports are denied: session_listing: the site answers with an error"},
    {{.body = "<session_summary_list>" ROW(RIG_LSID) "<error>bad</error></session_summary_list>"},
     true,
     "(bad)"},
    {{.status = 403, .body = "<error>no</error>"}, true, "reports are denied"},
    /* rows, and there are none */
    {{.body = "<session_summary_list>" ROW(RIG_LSID) "<error>No rows found</error></session_summary_list>"},
     true,
     "No rows found"},
    {{.body = "<session_summary_list><error>No rows found</error>" ROW(RIG_LSID) "</session_summary_list>"},
     true,
     "No rows found"},
    {{.body = "<session_summary_list><error>No rows found</error><error>disk</error></session_summary_list>"},
     true,
     "disk"},
};

/* Nothing ends, the cursor stays, the state says why; and it comes back by itself. */
TEST(a_failed_listing_proves_nothing)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        int64_t cursor;

        key_of_age(600);
        world_open(0);
        live(5 * SECOND);
        cursor = view()->cursor_ms;
        answers[PRA_CALL_LISTING] = failures[i].reply;
        live(20 * SECOND);
        assert_int_equal(view()->state, PRA_STATE_DEGRADED);
        assert_true(says(failures[i].words));
        assert_int_equal(view()->cursor_ms, cursor);
        assert_int_equal(world.saves, 1);
        assert_int_equal(world.nended, 0);
        world.n[PRA_CALL_LISTING] = 0;
        live(4 * MINUTE);
        if (failures[i].denied)
            assert_int_equal(world.n[PRA_CALL_LISTING], 0);
        else
            assert_in_range(world.n[PRA_CALL_LISTING], 2, 5); /* 15, 30, 60, 120 s */
        live(2 * MINUTE);
        assert_true(world.n[PRA_CALL_LISTING] > 0);
        answers[PRA_CALL_LISTING] = (struct reply){.type = "text/xml", .body = NO_SESSIONS};
        live(5 * MINUTE + 10 * SECOND);
        assert_int_equal(view()->state, PRA_STATE_UP);
        assert_true(view()->cursor_ms > cursor);
        world_teardown(NULL);
        world_setup(NULL);
    }
}

/* The check has asked for the token, and no other may be asked for yet: a listing would fail of itself. */
TEST(no_listing_is_begun_while_no_token_may_be_asked_for)
{
    key_of_age(600);
    answers[PRA_CALL_TOKEN] = (struct reply){.status = 500};
    world_open(0);
    live(2 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_true(says("token: an unexpected status 500"));
    assert_false(says("reports fail"));
    answers[PRA_CALL_TOKEN] = (struct reply){.type = "application/json"};
    live_until(PRA_STATE_UP, 10 * SECOND);
    live(20 * SECOND);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
}

TEST(no_rows_is_an_answer)
{
    key_of_age(600);
    answers[PRA_CALL_LISTING].body = "<error>No sessions were found.</error>";
    world_open(0);
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_in_range(view()->cursor_ms / 1000, now_s() - 20, now_s());
    assert_true(world.saves >= 3);
    assert_true(view()->counts[PRA_CALL_LISTING].outcomes[PRA_OUT_NO_ROWS] >= 3);
}

TEST(what_failed_is_forgotten_when_the_last_lease_has_gone)
{
    key_of_age(600);
    answers[PRA_CALL_LISTING].body = "<error>bad</error>";
    world_open(0);
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    world.oldest_ms = 0;
    live(6 * MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

/* The row is of a time before the cursor moves: what comes later is not lost. */
TEST(the_cursor_is_the_time_at_which_the_call_was_begun)
{
    long long begun;

    key_of_age(600);
    answers[PRA_CALL_LISTING].takes_ms = 20 * SECOND;
    world_open(0);
    live(2 * SECOND);
    begun = now_s();
    live(25 * SECOND);
    assert_in_range(world.saved_ms / 1000, begun - 3, begun);
}

/* A listing of 2000 rows, and time until the first ones have been passed on. */
static void pass_some_rows(struct buf *body)
{
    (void)buf_str(body, "<session_summary_list>");
    for (int i = 0; i < 2000; i++)
        (void)buf_str(body, ROW(RIG_LSID));
    (void)buf_str(body, "</session_summary_list>");
    key_of_age(600);
    rig.piece = 32768;
    answers[PRA_CALL_LISTING].body = buf_cstr(body);
    answers[PRA_CALL_LISTING].hold = true;
    world_open(0);
    live(3 * SECOND);
    release("Listing");
    (void)timers_run(rig.timers);
    assert_true(world.nended > 0 && world.nended < 2000);
}

TEST(stopping_in_the_middle_passes_the_other_rows_on_and_calls_no_more)
{
    struct buf body = BUF_INIT(1 << 20);

    pass_some_rows(&body);
    pra_site_stop(world.site);
    memset(world.n, 0, sizeof(world.n));
    live(10 * MINUTE);
    assert_int_equal(world.nended, 2000);
    assert_int_equal(world.saves, 1);
    for (int kind = 0; kind < PRA_NCALLS; kind++)
        assert_int_equal(world.n[kind], 0);
    buf_free(&body);
}

TEST(stopping_between_two_listings_asks_for_no_more)
{
    key_of_age(600);
    world_open(0);
    live(5 * SECOND);
    pra_site_stop(world.site);
    memset(world.n, 0, sizeof(world.n));
    assert_int_equal(timers_count(rig.timers), 0);
    live(10 * MINUTE);
    assert_int_equal(world.n[PRA_CALL_LISTING], 0);
}

TEST(stopping_ends_a_listing_without_its_answer)
{
    key_of_age(600);
    world_open(0);
    live(5 * SECOND);
    int64_t cursor = view()->cursor_ms;
    size_t saves = world.saves;

    answers[PRA_CALL_LISTING].hold = true;
    live(20 * SECOND);
    assert_int_equal(rig_waiting(), 1);
    pra_site_stop(world.site);
    assert_int_equal(rig_waiting(), 0);
    live(MINUTE);
    assert_int_equal(view()->cursor_ms, cursor);
    assert_int_equal(world.saves, saves);
    assert_int_equal(world.nended, 0);
}

TEST(closing_in_the_middle_saves_nothing)
{
    struct buf body = BUF_INIT(1 << 20);

    pass_some_rows(&body);
    world_close();
    assert_int_equal(world.saves, 0);
    buf_free(&body);
}

/* ---- clocks that are set, and a site that names a wrong time ---- */

/* The first of these listings that asks for what ended `ago_s` before now; -1 = none does. */
static int first_that_covers(long long ago_s)
{
    for (size_t i = 0; i < world.n[PRA_CALL_LISTING] && i < 64; i++)
        if (world.froms[i] <= now_s() + world.ahead_s - ago_s)
            return (int)i;
    return -1;
}

/* For one check, the site names a time that is an hour late. A session ends between, and is not lost. */
TEST(what_ends_while_the_site_names_a_wrong_time_is_found)
{
    for (int h = -1; h <= 1; h += 2) {
        key_of_age(600);
        world_open(0);
        live(4 * MINUTE);
        world.ahead_s = h * 3600;
        live(2 * MINUTE); /* the check at 5 minutes sees it */
        world.ahead_s = 0;
        live(2 * MINUTE);
        world.n[PRA_CALL_LISTING] = 0;
        live(3 * MINUTE); /* the check at 10 minutes */
        assert_in_range(view()->skew_ms + 1000, 0, 2000);
        assert_true(first_that_covers(6 * 60) >= 0);
        world.n[PRA_CALL_LISTING] = 0;
        live(MINUTE);
        assert_int_equal(first_that_covers(6 * 60), -1); /* once */
        world_teardown(NULL);
        world_setup(NULL);
    }
}

/* The gateway's clock is set; get_api_info shows it, minutes later. */
TEST(what_ends_while_a_step_of_the_clock_is_unknown_is_found)
{
    for (int h = -1; h <= 1; h += 2) {
        key_of_age(600);
        world_open(0);
        live(6 * MINUTE);
        rig.fc.wall += h * 3600 * 1000;
        world.ahead_s = -h * 3600;
        live(3 * MINUTE); /* polls by the wrong time */
        world.n[PRA_CALL_LISTING] = 0;
        live(2 * MINUTE);
        assert_true(first_that_covers(5 * 60 + 30) >= 0);
        if (h > 0) /* no further back than the last measurement; polls by a late clock have gone further */
            assert_int_equal(first_that_covers(14 * 60), -1);
        world_teardown(NULL);
        world_setup(NULL);
    }
}

/* The Date of any answer shows the step at once. */
TEST(a_step_of_the_clock_is_seen_by_the_date_of_an_answer)
{
    key_of_age(600);
    world.dated = true;
    world_open(0);
    live(10 * SECOND);
    assert_int_equal(world.n[PRA_CALL_INFO], 1);
    rig.fc.wall += 3600 * 1000;
    world.ahead_s = -3600;
    live(16 * SECOND);
    assert_int_equal(world.n[PRA_CALL_INFO], 2);
    assert_in_range(view()->skew_ms + 3600 * 1000 + 1000, 0, 2000);
}

/* It was measured before the step: what it will say of the clocks is old. */
TEST(a_step_of_the_clock_during_a_check_makes_another)
{
    key_of_age(600);
    world.dated = true;
    world.params.client.call_timeout_ms = 5 * MINUTE;
    answers[PRA_CALL_HEALTH].hold = true;
    world_open(0);
    live(30 * SECOND);
    rig.fc.wall += 3600 * 1000;
    world.ahead_s = -3600;
    live(30 * SECOND);
    assert_int_equal(world.n[PRA_CALL_INFO], 1);
    answers[PRA_CALL_HEALTH].hold = false;
    live(10 * SECOND);
    assert_int_equal(world.n[PRA_CALL_INFO], 2);
    assert_in_range(view()->skew_ms + 3600 * 1000 + 1000, 0, 2000);
}

/* Behind one name there may be servers whose clocks differ. */
TEST(dates_that_differ_all_the_time_do_not_make_checks_all_the_time)
{
    static const char *const dates[] = {"Tue, 10 Mar 2026 09:40:00 GMT", "Tue, 10 Mar 2026 12:40:00 GMT"};

    key_of_age(600);
    world_open(0);
    for (size_t i = 0; i < 60; i++) {
        for (int kind = 0; kind < PRA_NCALLS; kind++)
            answers[kind].date = dates[i % 2];
        live(5 * SECOND);
    }
    assert_in_range(world.n[PRA_CALL_INFO], 2, 8);
}

/* Its creation is later than now: the clock was set back, so it limits nothing. */
TEST(a_lease_of_the_future_does_not_limit_the_look_back)
{
    key_of_age(-1800);
    world_open(rig.fc.wall - 300 * 1000);
    live(5 * SECOND);
    assert_in_range(world.from_s, now_s() - 300 - 120 - 6, now_s() - 300 - 120);
    live(MINUTE);
    assert_in_range(world.from_s, now_s() - 120 - 22, now_s() - 120);
}

/* Half of a slow call's time is how wrong the skew may be. */
TEST(the_cursor_is_not_later_than_the_clock_is_known)
{
    key_of_age(600);
    answers[PRA_CALL_INFO].takes_ms = 8 * SECOND;
    world_open(0);
    live(10 * SECOND);
    assert_in_range(world.saved_ms, rig.fc.wall - 6000, rig.fc.wall - 1500); /* when it was sent */
}

/* ---- what is asked for while a listing is on its way ---- */

TEST(a_failover_during_a_listing_makes_the_next_one_look_back_further)
{
    key_of_age(7200);
    world_open(0);
    live(5 * MINUTE - 20 * SECOND);
    answers[PRA_CALL_HEALTH].body = HEALTH_OF("primary");
    answers[PRA_CALL_LISTING].hold = true; /* it was sent to the old one */
    live(25 * SECOND);
    release("Listing");
    answers[PRA_CALL_LISTING].hold = false;
    world.n[PRA_CALL_LISTING] = 0;
    live(16 * SECOND);
    assert_in_range(world.froms[0], now_s() - 120 - 900 - 60, now_s() - 120 - 900);
}

TEST(reloads_do_not_put_off_a_listing)
{
    key_of_age(600);
    world_open(0);
    live(5 * SECOND);
    world.n[PRA_CALL_LISTING] = 0;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
        live(SECOND);
    }
    assert_in_range(world.n[PRA_CALL_LISTING], 3, 5);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(the_first_listing_looks_back_to_the_oldest_lease),
        IN_WORLD(a_listing_looks_back_behind_the_saved_cursor),
        IN_WORLD(a_lease_younger_than_the_cursor_limits_the_look_back),
        IN_WORLD(a_gap_is_made_good_as_far_as_catch_up),
        IN_WORLD(a_long_gap_is_asked_for_in_windows),
        IN_WORLD(a_window_that_fails_keeps_what_was_reached),
        IN_WORLD(an_overlap_longer_than_a_window_still_comes_to_an_end),
        IN_WORLD(all_times_are_those_of_the_site),
        IN_WORLD(a_cursor_in_the_future_counts_as_now),
        IN_WORLD(a_failover_makes_the_next_listing_look_back_further),
        IN_WORLD(leases_that_came_from_elsewhere_are_looked_back_to_once),
        IN_WORLD(the_cursor_does_not_go_back_with_a_look_back),
        IN_WORLD(without_a_key_nothing_is_asked_and_the_cursor_moves),
        IN_WORLD(polling_may_be_off),
        IN_WORLD(the_first_listing_goes_out_within_the_interval),
        IN_WORLD(rows_are_passed_on_before_the_cursor_is_saved),
        IN_WORLD(a_large_listing_is_passed_on_in_several_iterations),
        IN_WORLD(a_failed_listing_proves_nothing),
        IN_WORLD(no_listing_is_begun_while_no_token_may_be_asked_for),
        IN_WORLD(no_rows_is_an_answer),
        IN_WORLD(what_failed_is_forgotten_when_the_last_lease_has_gone),
        IN_WORLD(the_cursor_is_the_time_at_which_the_call_was_begun),
        IN_WORLD(stopping_in_the_middle_passes_the_other_rows_on_and_calls_no_more),
        IN_WORLD(stopping_between_two_listings_asks_for_no_more),
        IN_WORLD(stopping_ends_a_listing_without_its_answer),
        IN_WORLD(closing_in_the_middle_saves_nothing),
        IN_WORLD(what_ends_while_the_site_names_a_wrong_time_is_found),
        IN_WORLD(what_ends_while_a_step_of_the_clock_is_unknown_is_found),
        IN_WORLD(a_step_of_the_clock_is_seen_by_the_date_of_an_answer),
        IN_WORLD(a_step_of_the_clock_during_a_check_makes_another),
        IN_WORLD(dates_that_differ_all_the_time_do_not_make_checks_all_the_time),
        IN_WORLD(a_lease_of_the_future_does_not_limit_the_look_back),
        IN_WORLD(the_cursor_is_not_later_than_the_clock_is_known),
        IN_WORLD(a_failover_during_a_listing_makes_the_next_one_look_back_further),
        IN_WORLD(reloads_do_not_put_off_a_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
