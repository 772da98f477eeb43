/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_collect.c - the collector against a site that answers as the test says: what is collected, in
 * which order, what a state is, and what becomes of every kind of answer.
 */
#include "check.h"
#include "collect_rig.h"

#include "reports/collect/decide.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE 60
#define HOUR   3600
#define DAY    86400

static struct collect_rig rig;

static int setup(void **state)
{
    (void)state;
    collect_rig_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    collect_rig_end(&rig);
    return 0;
}

static int64_t count(const char *table)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    return rig_int(&rig.store, sql);
}

static const struct collect_source_state *source_of(enum collect_source which)
{
    return &collect_rig_site(&rig)->sources[which];
}

/* ---- what is collected ---- */

TEST(a_month_is_collected_whole)
{
    collect_rig_month(&rig, 240, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    assert_string_equal(collect_rig_word(&rig), "Connected");
    assert_int_equal(source_of(COLLECT_BACKFILL)->activity, COLLECT_UNUSED);
    collect_rig_stop(&rig);
}

TEST(sessions_begin_run_and_end_while_it_collects)
{
    int64_t now = collect_rig_now(&rig);

    collect_rig_month(&rig, 50, 29);
    for (int i = 0; i < 40; i++)
        (void)collect_rig_add(&rig, now + i * 200, now + i * 200 + 90 + i * 100);
    collect_rig_start(&rig);
    for (int i = 0; i < 30; i++) {
        collect_rig_run(&rig, 7 * MINUTE);
        assert_int_equal(rig_differences(&rig.store), 0);
    }
    collect_rig_run(&rig, 61);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(today_is_there_while_the_backfill_runs)
{
    int64_t now = collect_rig_now(&rig);

    for (int i = 0; i < 2000; i++)
        (void)collect_rig_add(&rig, now - 20 * DAY - i * 250, now - 20 * DAY - i * 250 + 50);
    collect_rig_start(&rig);
    /* A step at a time: the backfill is far from its end. */
    for (int i = 0; i < 30; i++) {
        (void)timers_run(rig.timers);
        (void)collect_rig_answer(&rig);
        (void)collect_rig_write(&rig);
    }
    struct made *today = collect_rig_add(&rig, collect_rig_now(&rig) + 1, collect_rig_now(&rig) + 20);
    int64_t number = today->number;
    fake_clock_advance(&rig.clock, 61000);
    for (int i = 0;
         i < 40 && rig_int(&rig.store, "SELECT count(*) FROM \"session\" WHERE \"lseq\" = 2001") == 0; i++) {
        (void)timers_run(rig.timers);
        (void)collect_rig_answer(&rig);
        (void)collect_rig_write(&rig);
    }
    assert_int_equal(number, 2001);
    assert_int_equal(rig_int(&rig.store, "SELECT count(*) FROM \"session\" WHERE \"lseq\" = 2001"), 1);
    assert_true(count("\"session\"") < 1800);
    assert_int_not_equal(collect_rig_site(&rig)->missing_from, RECORD_NONE);
    collect_rig_run(&rig, 10 * MINUTE);
    collect_rig_check(&rig);
    assert_int_equal(collect_rig_site(&rig)->missing_from, RECORD_NONE);
    collect_rig_stop(&rig);
}

TEST(days_without_a_collector_are_made_good)
{
    collect_rig_month(&rig, 60, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    collect_rig_stop(&rig);
    int64_t now = collect_rig_now(&rig);
    for (int i = 0; i < 100; i++)
        collect_rig_add(&rig, now + i * HOUR, now + i * HOUR + 300 + i * 10)->abnormal = i % 9 == 3;
    fake_clock_advance(&rig.clock, (uint64_t)5 * DAY * 1000);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(sessions_that_are_listed_late_are_found_by_the_sweep)
{
    rig.params.settings.poll_interval = rig.params.settings.running_interval = 10 * MINUTE;
    int64_t now = collect_rig_now(&rig);

    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    struct made *late = collect_rig_add(&rig, now + 100, now + 200);
    late->listed_at = now + 40 * HOUR;
    late = collect_rig_add(&rig, now + 150, now + 250); /* and one that has no end */
    late->listed_at = now + 40 * HOUR;
    late->abnormal = true;
    collect_rig_run(&rig, 46 * HOUR);
    assert_int_equal(count("\"session\""), 0);
    collect_rig_run(&rig, DAY + HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(a_session_that_changes_after_its_end_is_read_again)
{
    int64_t now = collect_rig_now(&rig);

    (void)collect_rig_add(&rig, now - 600, now - 60);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 2 * MINUTE);
    assert_int_equal(rig_int(&rig.store, "SELECT \"revision\" FROM \"session\""), 1);
    rig.made[0].variant = 2;
    collect_rig_run(&rig, 31 * MINUTE);
    assert_int_equal(rig_int(&rig.store, "SELECT \"revision\" FROM \"session\""), 2);
    rig.made[0].variant = 3;
    collect_rig_run(&rig, DAY);
    assert_int_equal(rig_int(&rig.store, "SELECT \"revision\" FROM \"session\""), 3);
    assert_int_equal(count("\"jg_todo\""), 0);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(nothing_older_than_keep_is_fetched_and_what_grows_old_goes)
{
    int64_t now = collect_rig_now(&rig);

    rig.params.settings.keep = 10 * DAY;
    rig.params.settings.poll_interval = rig.params.settings.running_interval = 10 * MINUTE;
    for (int i = 0; i < 20; i++)
        (void)collect_rig_add(&rig, now - i * DAY - HOUR, now - i * DAY - 1800);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    assert_int_equal(count("\"session\""), 10);
    collect_rig_run(&rig, 2 * DAY);
    assert_int_equal(count("\"session\""), 8);
    assert_int_equal(rig_differences(&rig.store), 0);
    collect_rig_stop(&rig);
}

/* Our clock alone steps ahead, and the site's does not. */
static void step_ahead(int64_t seconds)
{
    rig.clock.wall += seconds * 1000;
    rig.skew -= seconds;
}

TEST(a_clock_that_is_ahead_deletes_nothing)
{
    collect_rig_month(&rig, 30, 20);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    assert_int_equal(count("\"session\""), 30);
    /* While the site is away nothing says that the clock is wrong. */
    for (int i = 0; i < REPORT_NASKS; i++) {
        rig.fault[i] = REPORT_UNREACHABLE;
        rig.faults[i] = -1;
    }
    step_ahead(500 * DAY);
    collect_rig_run(&rig, 3 * HOUR);
    assert_int_equal(count("\"session\""), 30);
    /* Nor after a start at which the site does not answer. */
    collect_rig_stop(&rig);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 3 * HOUR);
    assert_int_equal(count("\"session\""), 30);
    for (int i = 0; i < REPORT_NASKS; i++)
        rig.fault[i] = REPORT_OK;
    collect_rig_run(&rig, 3 * HOUR);
    assert_int_equal(count("\"session\""), 30);
    assert_int_equal(rig_differences(&rig.store), 0);
    /* Set back, it deletes within the hour what is old. */
    step_ahead(-500 * DAY);
    fake_clock_advance(&rig.clock, (uint64_t)390 * DAY * 1000);
    collect_rig_run(&rig, 2 * HOUR);
    assert_in_range(count("\"session\""), 1, 29);
    collect_rig_stop(&rig);
}

TEST(windows_adapt_to_the_number_of_rows)
{
    struct windows w;

    windows_init(&w);
    assert_int_equal(w.width, DAY);
    for (int i = 0; i < 3; i++)
        windows_answered(&w, 10);
    assert_int_equal(w.width, 2 * DAY);
    for (int i = 0; i < 30; i++)
        windows_answered(&w, WINDOW_FEW - 1);
    assert_int_equal(w.width, WINDOW_MOST);
    windows_answered(&w, WINDOW_MANY + 1);
    assert_int_equal(w.width, WINDOW_MOST / 2);
    windows_answered(&w, WINDOW_FEW);
    windows_answered(&w, 1);
    windows_answered(&w, 1);
    assert_int_equal(w.width, WINDOW_MOST / 2); /* three in a row */
    for (int i = 0; i < 40; i++)
        windows_failed(&w);
    assert_int_equal(w.width, WINDOW_LEAST);
}

TEST(a_list_that_times_out_is_asked_for_in_smaller_windows)
{
    rig.slow_lists = 25;
    collect_rig_month(&rig, 500, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 3 * HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

/* ---- states ---- */

TEST(a_running_session_that_is_not_active_becomes_abnormal)
{
    int64_t now = collect_rig_now(&rig);
    struct made *m = collect_rig_add(&rig, now - 600, now + 600);

    m->abnormal = true;
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\""), "running");
    collect_rig_run(&rig, 14 * MINUTE); /* not active for nine minutes */
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\""), "running");
    collect_rig_run(&rig, 10 * MINUTE);
    collect_rig_check(&rig);
    /* An end after all. */
    rig.made[0].abnormal = false;
    rig.made[0].end = collect_rig_now(&rig) + 1;
    collect_rig_run(&rig, 2 * MINUTE);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(without_the_command_api_age_decides)
{
    int64_t now = collect_rig_now(&rig);

    rig.command = REPORT_GRANT_NO;
    rig.params.settings.poll_interval = rig.params.settings.running_interval = 5 * MINUTE;
    collect_rig_add(&rig, now - 600, now + 600)->abnormal = true;
    collect_rig_start(&rig);
    collect_rig_run(&rig, 23 * HOUR);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\""), "running");
    assert_int_equal(rig.asked[REPORT_ASK_ATTRIBUTES], 0);
    collect_rig_run(&rig, 2 * HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(an_lsid_that_the_site_knows_no_more)
{
    int64_t now = collect_rig_now(&rig);

    (void)collect_rig_add(&rig, now - 600, NEVER);
    (void)collect_rig_add(&rig, now - 500, now - 400);
    collect_rig_add(&rig, now - 500, now - 450)->gone = true; /* never stored */
    collect_rig_start(&rig);
    collect_rig_run(&rig, 2 * MINUTE);
    assert_int_equal(count("\"session\""), 2);
    assert_int_equal(collect_rig_site(&rig)->dropped, 1);
    rig.made[0].gone = true;
    collect_rig_run(&rig, 2 * MINUTE);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\" WHERE \"lseq\" = 1"),
                        "abnormal");
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\" WHERE \"lseq\" = 2"),
                        "closed");
    assert_int_equal(rig_differences(&rig.store), 0);
    collect_rig_stop(&rig);
}

TEST(states_of_a_report)
{
    struct record_event end = {.type = "Session End"};
    struct record_session s = {.start = 1000, .end = RECORD_NONE};
    struct session_view v = {.now = 1000 + DAY - 1, .running_max = DAY, .why = WHY_RUNNING};

    assert_int_equal(decide_state(&s, &v), STORE_RUNNING);
    v.command_denied = true;
    assert_int_equal(decide_state(&s, &v), STORE_RUNNING);
    v.now++;
    assert_int_equal(decide_state(&s, &v), STORE_ABNORMAL);
    v.command_denied = false;
    assert_int_equal(decide_state(&s, &v), STORE_RUNNING);
    v.why = WHY_INACTIVE;
    assert_int_equal(decide_state(&s, &v), STORE_ABNORMAL);
    v.why = WHY_LISTED;
    s.events = &end;
    s.nevents = 1;
    assert_int_equal(decide_state(&s, &v), STORE_ABNORMAL);
    s.end = 2000;
    assert_int_equal(decide_state(&s, &v), STORE_CLOSED);
}

/* ---- answers that are no sessions ---- */

TEST(a_session_that_breaks_answers_waits_and_the_others_do_not)
{
    collect_rig_month(&rig, 300, 29);
    rig.made[150].poison = true;
    collect_rig_start(&rig);
    collect_rig_run(&rig, 3 * MINUTE);
    assert_int_equal(count("\"session\""), 299);
    collect_rig_run(&rig, 30 * MINUTE);
    assert_int_equal(collect_rig_site(&rig)->failed, 1);
    assert_int_equal(rig_int(&rig.store, "SELECT \"tries\" FROM \"jg_todo\" WHERE \"error\" IS NOT NULL"), 5);
    uint64_t asked = rig.asked[REPORT_ASK_SESSIONS];
    rig.params.settings.poll_interval = rig.params.settings.running_interval = 10 * MINUTE;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, 20 * HOUR);
    assert_int_equal(rig_int(&rig.store, "SELECT \"tries\" FROM \"jg_todo\" WHERE \"error\" IS NOT NULL"), 5);
    assert_true(rig.asked[REPORT_ASK_SESSIONS] - asked < 40); /* rechecks, none of it */
    assert_string_equal(collect_rig_word(&rig), "Connected");
    rig.made[150].poison = false;
    collect_rig_run(&rig, 5 * HOUR);
    collect_rig_check(&rig);
    assert_int_equal(collect_rig_site(&rig)->failed, 0);
    collect_rig_stop(&rig);
}

/* Every end of a call, for every question: the source waits, says why, and all is there when it is over. */
TEST(every_kind_of_failure_is_got_over)
{
    static const struct {
        enum report_end end;
        const char *word; /* after twenty minutes of it */
    } cases[] = {
        {REPORT_CREDENTIALS, "Action Required credentials"},
        {REPORT_DENIED, "Action Required permission perm_of_it"},
        {REPORT_RATE_LIMITED, "Action Required unreachable"},
        {REPORT_API_DISABLED, "Action Required api_disabled"},
        {REPORT_TLS, "Action Required tls"},
        {REPORT_UNREACHABLE, "Action Required unreachable"},
        {REPORT_TIMEOUT, "Action Required unreachable"},
        {REPORT_BROKEN, "Action Required unreachable"},
        {REPORT_TOO_LARGE, "Action Required format"},
        {REPORT_FORMAT, "Action Required format"},
        {REPORT_WEB_PAGE, "Action Required format"},
        {REPORT_SITE_ERROR, "Action Required format"},
        {REPORT_NO_MEMORY, "Action Required unreachable"},
    };
    static const enum report_ask asks[] = {REPORT_ASK_LISTING, REPORT_ASK_SESSIONS};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t k = 0; k < sizeof(asks) / sizeof(*asks); k++) {
            case_label("%s of %d", report_end_name(cases[i].end), (int)asks[k]);
            rig.params.settings.poll_interval = rig.params.settings.running_interval = 4 * MINUTE;
            collect_rig_month(&rig, 30, 20);
            collect_rig_start(&rig);
            collect_rig_settle(&rig);
            int64_t now = collect_rig_now(&rig);
            for (int s = 0; s < 10; s++)
                (void)collect_rig_add(&rig, now + s * 100, now + s * 100 + 50);
            rig.fault[asks[k]] = cases[i].end;
            rig.faults[asks[k]] = -1;
            collect_rig_run(&rig, 20 * MINUTE);
            assert_string_equal(collect_rig_word(&rig), cases[i].word);
            uint64_t before = rig.asked[asks[k]];
            collect_rig_run(&rig, 30 * MINUTE);
            assert_true(rig.asked[asks[k]] - before < 130); /* it waits in between */
            rig.faults[asks[k]] = 0;
            rig.fault[asks[k]] = REPORT_OK;
            collect_rig_run(&rig, 2 * HOUR);
            assert_string_equal(collect_rig_word(&rig), "Connected");
            collect_rig_check(&rig);
            collect_rig_stop(&rig);
            collect_rig_end(&rig);
            collect_rig_init(&rig);
        }
}

TEST(one_broken_answer_keeps_what_was_complete)
{
    collect_rig_month(&rig, 100, 20);
    rig.fault[REPORT_ASK_SESSIONS] = REPORT_BROKEN;
    rig.faults[REPORT_ASK_SESSIONS] = 1;
    collect_rig_start(&rig);
    while (rig.faults[REPORT_ASK_SESSIONS]) {
        (void)timers_run(rig.timers);
        (void)collect_rig_answer(&rig);
        (void)collect_rig_write(&rig);
    }
    while (collect_rig_write(&rig))
        ;
    int64_t kept = count("\"session\"");
    assert_in_range(kept, 1, 99);
    collect_rig_run(&rig, MINUTE);
    assert_int_equal(count("\"session\""), 100);
    collect_rig_stop(&rig);
}

TEST(a_limit_is_waited_for_as_long_as_the_site_says)
{
    collect_rig_start(&rig);
    collect_rig_run(&rig, 61);
    rig.fault[REPORT_ASK_LISTING] = REPORT_RATE_LIMITED;
    rig.faults[REPORT_ASK_LISTING] = -1;
    rig.retry_after_ms = 1800 * 1000;
    collect_rig_run(&rig, 2 * MINUTE);
    uint64_t asked = rig.asked[REPORT_ASK_LISTING];
    collect_rig_run(&rig, 27 * MINUTE);
    assert_int_equal(rig.asked[REPORT_ASK_LISTING], asked);
    collect_rig_stop(&rig);
}

TEST(a_clock_that_is_wrong)
{
    rig.skew = 7200;
    collect_rig_month(&rig, 30, 20);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    assert_string_equal(collect_rig_word(&rig), "Action Required clock");
    assert_int_equal((collect_rig_site(&rig)->skew_ms + 500) / 1000, 7200);
    rig.skew = 0;
    collect_rig_run(&rig, HOUR);
    assert_string_equal(collect_rig_word(&rig), "Connected");
    collect_rig_stop(&rig);
}

/* The cursor of `closed` is ahead of the site then, and its polls ask for what is to come. What ends
 * meanwhile is found by its start, by `running`; where it does not reach so far, by the sweep of another day.
 */
TEST(a_clock_that_is_set_back_hides_no_session)
{
    static const struct {
        int64_t back, off, starts, ends; /* seconds; off: no collector runs so long after */
        int64_t found;                   /* within so many */
    } rows[] = {
        {2 * HOUR, 0, 10, 50, 2 * MINUTE},   {30 * MINUTE, 0, 10, 50, 2 * MINUTE},
        {5 * DAY, 0, 10, 50, 2 * MINUTE},    {2 * HOUR, HOUR, 10, 50, 2 * MINUTE},
        {5 * DAY, HOUR, 10, 50, 2 * MINUTE}, {5 * DAY, 2 * DAY, 10, 50, 10 * MINUTE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("back %lld off %lld", (long long)rows[i].back, (long long)rows[i].off);
        rig.params.settings.poll_interval = 10 * MINUTE; /* rarely */
        rig.skew = rows[i].back;
        collect_rig_start(&rig);
        collect_rig_run(&rig, HOUR + 1);
        if (rows[i].off)
            collect_rig_stop(&rig);
        rig.skew = 0;
        (void)collect_rig_add(&rig, collect_rig_now(&rig) + rows[i].starts,
                              collect_rig_now(&rig) + rows[i].ends);
        if (rows[i].off) {
            fake_clock_advance(&rig.clock, (uint64_t)rows[i].off * 1000);
            collect_rig_start(&rig);
        } else {
            collect_rig_run(&rig, rows[i].ends);
        }
        collect_rig_run(&rig, rows[i].found);
        assert_int_equal(count("\"session\" WHERE \"state\" = 'closed'"), 1);
        collect_rig_check(&rig);
        collect_rig_stop(&rig);
        collect_rig_end(&rig);
        collect_rig_init(&rig);
    }
}

TEST(the_date_header_serves_where_the_account_may_not_ask)
{
    rig.skew = -3600;
    rig.no_time = true;
    collect_rig_month(&rig, 30, 20);
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    assert_in_range(-collect_rig_site(&rig)->skew_ms, 3598000, 3602000);
    collect_rig_stop(&rig);
}

TEST(back_off_doubles_to_ten_minutes)
{
    uint64_t random = 7;

    for (unsigned n = 1; n < 20; n++) {
        uint64_t most = n < 8 ? 5000u << (n - 1) : 600000, ms = decide_backoff_ms(n, &random);
        most = most < 600000 ? most : 600000;
        assert_in_range(ms, most - most / 4, most);
    }
    assert_int_equal(decide_session_wait(5, &random), DAY);
    assert_in_range(decide_session_wait(1, &random), 3, 5);
}

TEST(refused_credentials_make_the_site_off_after_a_week)
{
    rig.params.settings.poll_interval = rig.params.settings.running_interval = HOUR;
    rig.retry_after_ms = HOUR * 1000; /* of the client, which makes them rarer itself */
    collect_rig_start(&rig);
    collect_rig_run(&rig, 61);
    for (int i = 0; i < REPORT_NASKS; i++) {
        rig.fault[i] = REPORT_CREDENTIALS;
        rig.faults[i] = -1;
    }
    collect_rig_run(&rig, 6 * DAY);
    assert_string_equal(collect_rig_word(&rig), "Action Required credentials");
    collect_rig_stop(&rig);
    collect_rig_start(&rig); /* a restart does not make it younger */
    collect_rig_run(&rig, 2 * DAY);
    assert_string_equal(collect_rig_word(&rig), "Off credentials");
    uint64_t lists = rig.asked[REPORT_ASK_LISTING], asked = rig.asked[REPORT_ASK_INFO];
    collect_rig_run(&rig, 3 * DAY);
    assert_int_equal(rig.asked[REPORT_ASK_INFO] - asked, 3);
    assert_int_equal(rig.asked[REPORT_ASK_LISTING], lists);
    for (int i = 0; i < REPORT_NASKS; i++)
        rig.faults[i] = 0;
    collect_rig_run(&rig, DAY + HOUR);
    assert_string_equal(collect_rig_word(&rig), "Connected");
    collect_rig_stop(&rig);
}

static void is_not_connected(struct collect_rig *r)
{
    assert_string_not_equal(collect_rig_word(r), "Connected");
}

/* A source of the site fails so; `wanted` is the word. Neither start, restart nor reload shows another one.
 */
static void word_stands(enum report_end end, const char *wanted)
{
    rig.site.fetch = COLLECT_FETCH_SESSIONS | COLLECT_FETCH_VAULT;
    rig.fault[REPORT_ASK_VAULT] = end;
    rig.faults[REPORT_ASK_VAULT] = -1;
    collect_rig_start(&rig);
    rig.stepped = end == REPORT_DENIED ? is_not_connected : NULL;
    collect_rig_run(&rig, 3 * HOUR);
    rig.stepped = is_not_connected;
    assert_string_equal(collect_rig_word(&rig), wanted);
    int64_t since = collect_rig_site(&rig)->since;
    for (int i = 0; i < 2; i++) {
        collect_rig_stop(&rig);
        collect_rig_start(&rig);
        collect_rig_run(&rig, HOUR);
        assert_string_equal(collect_rig_word(&rig), wanted);
        assert_int_equal(collect_rig_site(&rig)->since, since);
    }
    rig.site.batch = 7;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, HOUR);
    assert_int_equal(collect_rig_site(&rig)->since, since);
    rig.site.enabled = false;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    assert_string_equal(collect_rig_word(&rig), "Off");
    rig.site.enabled = true;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, 2 * HOUR);
    assert_string_equal(collect_rig_word(&rig), wanted);
    rig.stepped = NULL;
    rig.faults[REPORT_ASK_VAULT] = 0;
    rig.fault[REPORT_ASK_VAULT] = REPORT_OK;
    collect_rig_run(&rig, HOUR);
    assert_string_equal(collect_rig_word(&rig), "Connected");
    collect_rig_stop(&rig);
}

TEST(a_missing_permission_is_never_shown_as_connected)
{
    word_stands(REPORT_DENIED, "Action Required permission perm_of_it");
}

TEST(a_source_that_goes_on_failing_is_not_connected_after_a_restart)
{
    word_stands(REPORT_FORMAT, "Action Required format");
}

/* Sweep, recheck and backfill end rounds in which nothing is to be asked. */
TEST(a_site_that_never_answered_is_not_connected)
{
    for (int ask = 0; ask < REPORT_NASKS; ask++) {
        rig.fault[ask] = REPORT_UNREACHABLE;
        rig.faults[ask] = -1;
    }
    rig.stepped = is_not_connected;
    collect_rig_start(&rig);
    collect_rig_run(&rig, HOUR);
    assert_string_equal(collect_rig_word(&rig), "Action Required unreachable");
    assert_int_equal(collect_rig_site(&rig)->last_success, RECORD_NONE);
    collect_rig_stop(&rig);
}

/* ---- the database ---- */

TEST(a_database_that_is_away_loses_nothing)
{
    collect_rig_month(&rig, 400, 20);
    collect_rig_start(&rig);
    for (int i = 0; i < 40; i++) {
        (void)timers_run(rig.timers);
        (void)collect_rig_answer(&rig);
        (void)collect_rig_write(&rig);
    }
    rig.away = DB_FULL;
    collect_rig_run(&rig, HOUR);
    assert_int_equal(collect_state(rig.collector)->database.outcome, DB_FULL);
    uint64_t asked = rig.asked[REPORT_ASK_LISTING] + rig.asked[REPORT_ASK_SESSIONS];
    collect_rig_run(&rig, 2 * HOUR);
    assert_int_equal(rig.asked[REPORT_ASK_LISTING] + rig.asked[REPORT_ASK_SESSIONS], asked); /* it pauses */
    rig.away = DB_OK;
    collect_rig_run(&rig, 2 * HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(reading_stops_while_too_much_waits_for_the_writer)
{
    collect_rig_month(&rig, 2000, 20);
    rig.site.batch = 500;
    collect_rig_start(&rig);
    /* The writer does nothing but what is needed to go on. */
    for (int i = 0; i < 4000; i++) {
        (void)timers_run(rig.timers);
        if (!collect_rig_answer(&rig))
            (void)collect_rig_write(&rig);
    }
    /* One answer of the rig's comes in one piece. */
    assert_true(rig.waiting_max < (uint64_t)9 * 1024 * 1024);
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

/* A process that ends after any number of transactions; another goes on. */
TEST(nothing_is_lost_or_doubled_whenever_it_dies)
{
    for (uint64_t n = 1; n < 40; n += n < 14 ? 1 : 5) {
        case_label("after %llu transactions", (unsigned long long)n);
        collect_rig_month(&rig, 150, 20);
        (void)collect_rig_add(&rig, collect_rig_now(&rig) - 300, NEVER);
        rig.dies_at = n;
        collect_rig_start(&rig);
        collect_rig_settle(&rig);
        collect_rig_crash(&rig);
        collect_rig_start(&rig);
        collect_rig_run(&rig, HOUR);
        collect_rig_check(&rig);
        assert_int_equal(
            rig_int(&rig.store, "SELECT max(\"revision\") FROM \"session\" WHERE \"state\" = 'closed'"), 1);
        collect_rig_stop(&rig);
        collect_rig_end(&rig);
        collect_rig_init(&rig);
    }
}

/* ---- other sources ---- */

TEST(activity_syslog_and_inventory)
{
    rig.site.fetch =
        COLLECT_FETCH_TEAM | COLLECT_FETCH_VAULT | COLLECT_FETCH_SYSLOG | COLLECT_FETCH_INVENTORY;
    rig.teams = 100 * 24 * 6;
    rig.accounts = 250;
    rig.items = 30;
    strcpy(rig.archive, "a");
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    assert_int_equal(rig.asked[REPORT_ASK_LISTING], 0);
    int64_t teams = count("\"team\"");
    assert_in_range(teams, 30 * 144 - 1, 30 * 144);
    assert_int_equal(count("\"jg_vault_activity\""), teams);
    assert_int_equal(count("\"jg_vault_account\""), 250);
    assert_int_equal(count("\"jg_jump_item\""), 30);
    assert_int_equal(count("\"jg_syslog_event\""), 1);
    rig.accounts = 249;
    strcpy(rig.archive, "b");
    collect_rig_run(&rig, HOUR);
    assert_int_equal(count("\"jg_vault_account\" WHERE \"gone_at\" IS NOT NULL"), 1);
    assert_int_equal(count("\"jg_syslog_event\""), 2);
    assert_string_equal(source_of(COLLECT_SYSLOG)->cursor, "b");
    assert_string_equal(collect_rig_word(&rig), "Connected");
    collect_rig_stop(&rig);
}

TEST(an_inventory_that_breaks_makes_nothing_gone)
{
    rig.site.fetch = COLLECT_FETCH_INVENTORY;
    rig.accounts = 250;
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    rig.accounts = 10;
    rig.fault[REPORT_ASK_PAGE] = REPORT_TIMEOUT;
    rig.faults[REPORT_ASK_PAGE] = -1;
    collect_rig_run(&rig, HOUR);
    assert_int_equal(count("\"jg_vault_account\" WHERE \"gone_at\" IS NOT NULL"), 0);
    rig.faults[REPORT_ASK_PAGE] = 0;
    collect_rig_run(&rig, HOUR);
    assert_int_equal(count("\"jg_vault_account\" WHERE \"gone_at\" IS NOT NULL"), 240);
    collect_rig_stop(&rig);
}

/* ---- the inventory and what follows from it ---- */

#define ALL_ITEMS  33 /* one of each group and endpoint of rig_session() */
#define REMOTE_RDP "\"session\" WHERE \"jump_item_type\" = 'remote-rdp'"

/* Sessions that `migrate --recount --dry-run` finds. */
static int64_t underived(void)
{
    int64_t after = 0, some = 0, all = 0;

    do {
        assert_int_equal(store_rederive(rig.store.store, NULL, collect_rig_now(&rig), true, &after, &some),
                         DB_OK);
        all += some;
    } while (after);
    return all;
}

TEST(an_inventory_that_changed_gives_stored_sessions_their_types)
{
    rig.site.fetch = COLLECT_FETCH_SESSIONS | COLLECT_FETCH_INVENTORY;
    collect_rig_month(&rig, 600, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    assert_int_equal(count(REMOTE_RDP), 0);
    rig.items = ALL_ITEMS;
    collect_rig_run(&rig, 16 * MINUTE);
    int64_t all = count(REMOTE_RDP);
    assert_in_range(all, 100, 599);
    assert_int_equal(underived(), 0);
    rig.items = 11; /* the others are gone */
    collect_rig_run(&rig, 16 * MINUTE);
    assert_in_range(count(REMOTE_RDP), 1, all - 1);
    assert_int_equal(underived(), 0);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(an_inventory_that_changed_is_of_its_own_site)
{
    rig.site.fetch = COLLECT_FETCH_SESSIONS | COLLECT_FETCH_INVENTORY;
    collect_rig_month(&rig, 60, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    rig_exec(&rig.store, "UPDATE \"session\" SET \"host_name\" = 'other.example.com', \"user_name\" = 'as it "
                         "is' WHERE \"id\" <= 30");
    rig.items = ALL_ITEMS;
    collect_rig_run(&rig, 16 * MINUTE);
    assert_in_range(count(REMOTE_RDP), 5, 30);
    assert_int_equal(count("\"session\" WHERE \"user_name\" = 'as it is'"), 30);
    collect_rig_stop(&rig);
}

/* A round that ends between two steps of a chain: what the chain passed already is derived again. */
TEST(an_inventory_that_changes_while_a_chain_runs)
{
    rig.site.fetch = COLLECT_FETCH_SESSIONS | COLLECT_FETCH_INVENTORY;
    collect_rig_month(&rig, 1100, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    rig.items = 20;
    fake_clock_advance(&rig.clock, (uint64_t)16 * MINUTE * 1000);
    for (int i = 0; count(REMOTE_RDP) == 0; i++) {
        assert_true(i < 10000);
        (void)timers_run(rig.timers);
        if (!collect_rig_answer(&rig))
            (void)collect_rig_write(&rig);
    }
    assert_true(underived() > 0);
    rig.items = ALL_ITEMS;
    fake_clock_advance(&rig.clock, (uint64_t)16 * MINUTE * 1000);
    do
        (void)timers_run(rig.timers);
    while (collect_rig_answer(&rig)); /* the round waits behind the second step of three */
    collect_rig_settle(&rig);
    assert_int_equal(underived(), 0);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(types_follow_the_inventory_whenever_it_dies)
{
    for (uint64_t n = 1; n < 9; n++) {
        case_label("after %llu transactions", (unsigned long long)n);
        rig.site.fetch = COLLECT_FETCH_SESSIONS | COLLECT_FETCH_INVENTORY;
        collect_rig_month(&rig, 60, 20);
        collect_rig_start(&rig);
        collect_rig_run(&rig, MINUTE);
        rig.items = ALL_ITEMS;
        rig.dies_at = rig.transactions + n;
        collect_rig_run(&rig, 16 * MINUTE);
        collect_rig_crash(&rig);
        collect_rig_start(&rig);
        collect_rig_run(&rig, 16 * MINUTE);
        assert_int_equal(underived(), 0);
        assert_true(count(REMOTE_RDP) > 0);
        collect_rig_stop(&rig);
        collect_rig_end(&rig);
        collect_rig_init(&rig);
    }
}

/* ---- once ---- */

TEST(one_round_is_complete_and_ends)
{
    unsigned complete, failed;

    rig.params.once = true;
    rig.site.fetch = ~0u;
    rig.accounts = 10;
    strcpy(rig.archive, "a");
    collect_rig_month(&rig, 300, 29);
    for (int round = 0; round < 2; round++) {
        rig.items = round ? ALL_ITEMS : 5;
        collect_rig_start(&rig);
        collect_rig_settle(&rig);
        assert_true(rig.finished);
        collect_results(rig.collector, &complete, &failed);
        assert_int_equal(failed, 0);
        assert_int_equal(complete, COLLECT_NSOURCES - 1); /* recheck is part of fetch */
        assert_int_equal(count("\"session\""), 300);
        assert_int_equal(underived(), 0);
        collect_rig_stop(&rig);
        fake_clock_advance(&rig.clock, HOURS(1));
    }
    collect_rig_check(&rig); /* those without an end were not active an hour ago */
}

TEST(a_round_ends_although_a_source_fails)
{
    unsigned complete, failed;

    rig.params.once = true;
    collect_rig_month(&rig, 30, 29);
    rig.made[3].poison = true;
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    assert_true(rig.finished);
    collect_results(rig.collector, &complete, &failed);
    assert_int_equal(failed, 1);
    assert_int_equal(count("\"session\""), 29);
    collect_rig_stop(&rig);
    rig.fault[REPORT_ASK_LISTING] = REPORT_UNREACHABLE;
    rig.faults[REPORT_ASK_LISTING] = -1;
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    assert_true(rig.finished);
    collect_results(rig.collector, &complete, &failed);
    assert_true(failed >= 3 && complete >= 1);
    collect_rig_stop(&rig);
}

TEST(since_and_until_move_the_borders)
{
    int64_t now = collect_rig_now(&rig);

    for (int i = 0; i < 90; i++)
        (void)collect_rig_add(&rig, now - i * DAY - HOUR, now - i * DAY - 1800);
    rig.params.once = true;
    rig.params.until = now - 5 * DAY;
    collect_rig_start(&rig);
    collect_rig_settle(&rig);
    assert_int_equal(count("\"session\""), 30);
    collect_rig_stop(&rig);
    rig.params.until = RECORD_NONE;
    rig.params.since = now - 60 * DAY;
    collect_rig_start(&rig);
    collect_rig_settle(&rig);
    assert_true(rig.finished);
    assert_int_equal(count("\"session\""), 60);
    collect_rig_stop(&rig);
}

/* ---- working hours, reload ---- */

TEST(other_working_hours_are_applied_to_what_is_stored)
{
    collect_rig_month(&rig, 200, 29);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    int64_t outside = count("\"session\" WHERE \"outside_hours\" = 1");
    assert_in_range(outside, 50, 199);
    rig.site.working_hours = "mon-sun 00:00-24:00";
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, MINUTE);
    assert_int_equal(count("\"session\" WHERE \"outside_hours\" = 1"), 0);
    assert_int_equal(rig_differences(&rig.store), 0);
    collect_rig_stop(&rig);
    rig.site.working_hours = "mon-fri 07:00-19:00"; /* and with a restart */
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    assert_int_equal(count("\"session\" WHERE \"outside_hours\" = 1"), outside);
    assert_int_equal(rig_differences(&rig.store), 0);
    collect_rig_stop(&rig);
}

TEST(a_site_goes_and_comes_back)
{
    collect_rig_month(&rig, 20, 20);
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    rig.params.nsites = 0;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    assert_null(rig.calls);
    collect_rig_run(&rig, HOUR);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"jg_site\""), "Off");
    assert_int_equal(count("\"session\""), 20);
    rig.params.nsites = 1;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, HOUR);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"jg_site\""), "Connected");
    collect_rig_check(&rig);
    rig.site.enabled = false;
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
    collect_rig_run(&rig, MINUTE);
    assert_string_equal(collect_rig_word(&rig), "Off");
    collect_rig_stop(&rig);
    rig.params.nsites = 0; /* gone with a restart */
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"jg_site\""), "Off");
    collect_rig_stop(&rig);
}

/* A session that runs, at a site that is not asked for sessions any more: how it is left is in `leave`. */
static void runs_at_a_site_that_is_left(void (*leave)(void))
{
    int64_t now = collect_rig_now(&rig);

    collect_rig_add(&rig, now - 600, NEVER);
    collect_rig_add(&rig, now - 7200, now - 3600);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    leave();
    collect_rig_run(&rig, 22 * HOUR);
    assert_int_equal(count("\"session\" WHERE \"state\" = 'running'"), 1);
    collect_rig_run(&rig, 3 * HOUR);
    assert_int_equal(count("\"session\" WHERE \"state\" = 'abnormal'"), 1);
    assert_int_equal(count("\"session\" WHERE \"state\" = 'closed'"), 1);
    assert_int_equal(rig_differences(&rig.store), 0);
}

static void reload_ok(void)
{
    assert_int_equal(collect_reload(rig.collector, &rig.params), 0);
}

static void disable(void)
{
    rig.site.enabled = false;
    reload_ok();
}

static void fetch_no_sessions(void)
{
    rig.site.fetch = COLLECT_FETCH_TEAM;
    reload_ok();
}

static void remove_site(void)
{
    rig.params.nsites = 0;
    reload_ok();
}

static void remove_site_by_a_restart(void)
{
    collect_rig_stop(&rig);
    rig.params.nsites = 0;
    collect_rig_start(&rig);
}

TEST(a_session_that_runs_ends_with_its_disabled_site)
{
    runs_at_a_site_that_is_left(disable);
    /* It has an end when the site is asked again. */
    rig.made[0].end = collect_rig_now(&rig) + 1;
    collect_rig_run(&rig, MINUTE);
    rig.site.enabled = true;
    reload_ok();
    collect_rig_run(&rig, HOUR);
    collect_rig_check(&rig);
    collect_rig_stop(&rig);
}

TEST(a_session_that_runs_ends_where_sessions_are_not_fetched)
{
    runs_at_a_site_that_is_left(fetch_no_sessions);
    collect_rig_stop(&rig);
}

TEST(a_session_that_runs_ends_with_its_removed_site)
{
    runs_at_a_site_that_is_left(remove_site);
    collect_rig_stop(&rig);
}

TEST(a_session_that_runs_ends_with_a_site_that_a_restart_removed)
{
    runs_at_a_site_that_is_left(remove_site_by_a_restart);
    collect_rig_stop(&rig);
}

TEST(a_round_of_some_sites_leaves_the_others)
{
    int64_t now = collect_rig_now(&rig);

    collect_rig_add(&rig, now - 600, NEVER);
    collect_rig_start(&rig);
    collect_rig_run(&rig, 5 * MINUTE);
    collect_rig_stop(&rig);
    fake_clock_advance(&rig.clock, UINT64_C(30) * HOUR * 1000);
    rig.params.nsites = 0;
    rig.params.once = rig.params.partial = true;
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    assert_true(rig.finished);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\""), "running");
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"jg_site\""), "Connected");
    collect_rig_stop(&rig);
    rig.params.partial = false; /* a round of all sites, of which this one is none */
    collect_rig_start(&rig);
    collect_rig_run(&rig, MINUTE);
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"session\""), "abnormal");
    assert_string_equal(rig_text(&rig.store, "SELECT \"state\" FROM \"jg_site\""), "Off");
    collect_rig_stop(&rig);
}

/* ---- indexes ---- */

TEST(event_indexes_are_away_while_a_large_backlog_is_worked_off)
{
    static const char vendor[] = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = "
                                 "'session_event' AND name LIKE "
                                 "'session_event\\_\\_%' ESCAPE '\\'";
    int64_t now = collect_rig_now(&rig), all;

    (void)collect_rig_add(&rig, now - 10 * DAY, now - 9 * DAY);
    rig.fault[REPORT_ASK_SESSIONS] = REPORT_UNREACHABLE;
    rig.faults[REPORT_ASK_SESSIONS] = -1;
    assert_true(rig_open(&rig.store, true));
    all = rig_int(&rig.store, vendor);
    assert_true(all > 0);
    rig_exec(&rig.store,
             "INSERT INTO \"jg_todo\" (\"host_name\", \"lsid\", \"why\", \"tries\", \"next_at\") WITH "
             "RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 50001) SELECT '" RIG_HOST
             "', printf('f%031x', x), 'backfill', 0, 1 FROM n");
    collect_rig_start(&rig);
    collect_rig_run(&rig, 10 * MINUTE);
    assert_true(collect_rig_site(&rig)->todo > 50000);
    assert_true(rig_int(&rig.store, vendor) < all);
    assert_false(collect_state(rig.collector)->indexes);
    rig_exec(&rig.store, "DELETE FROM \"jg_todo\" WHERE \"lsid\" LIKE 'f%'");
    rig.faults[REPORT_ASK_SESSIONS] = 0;
    collect_rig_run(&rig, 20 * MINUTE);
    assert_int_equal(rig_int(&rig.store, vendor), all);
    assert_true(collect_state(rig.collector)->indexes);
    collect_rig_stop(&rig);
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_month_is_collected_whole),
        WITH_RIG(sessions_begin_run_and_end_while_it_collects),
        WITH_RIG(today_is_there_while_the_backfill_runs),
        WITH_RIG(days_without_a_collector_are_made_good),
        WITH_RIG(sessions_that_are_listed_late_are_found_by_the_sweep),
        WITH_RIG(a_session_that_changes_after_its_end_is_read_again),
        WITH_RIG(nothing_older_than_keep_is_fetched_and_what_grows_old_goes),
        WITH_RIG(a_clock_that_is_ahead_deletes_nothing),
        cmocka_unit_test(windows_adapt_to_the_number_of_rows),
        WITH_RIG(a_list_that_times_out_is_asked_for_in_smaller_windows),
        WITH_RIG(a_running_session_that_is_not_active_becomes_abnormal),
        WITH_RIG(without_the_command_api_age_decides),
        WITH_RIG(an_lsid_that_the_site_knows_no_more),
        cmocka_unit_test(states_of_a_report),
        WITH_RIG(a_session_that_breaks_answers_waits_and_the_others_do_not),
        WITH_RIG(every_kind_of_failure_is_got_over),
        WITH_RIG(one_broken_answer_keeps_what_was_complete),
        WITH_RIG(a_limit_is_waited_for_as_long_as_the_site_says),
        WITH_RIG(a_clock_that_is_wrong),
        WITH_RIG(a_clock_that_is_set_back_hides_no_session),
        WITH_RIG(the_date_header_serves_where_the_account_may_not_ask),
        cmocka_unit_test(back_off_doubles_to_ten_minutes),
        WITH_RIG(refused_credentials_make_the_site_off_after_a_week),
        WITH_RIG(a_missing_permission_is_never_shown_as_connected),
        WITH_RIG(a_source_that_goes_on_failing_is_not_connected_after_a_restart),
        WITH_RIG(a_site_that_never_answered_is_not_connected),
        WITH_RIG(a_database_that_is_away_loses_nothing),
        WITH_RIG(reading_stops_while_too_much_waits_for_the_writer),
        WITH_RIG(nothing_is_lost_or_doubled_whenever_it_dies),
        WITH_RIG(activity_syslog_and_inventory),
        WITH_RIG(an_inventory_that_breaks_makes_nothing_gone),
        WITH_RIG(an_inventory_that_changed_gives_stored_sessions_their_types),
        WITH_RIG(an_inventory_that_changed_is_of_its_own_site),
        WITH_RIG(an_inventory_that_changes_while_a_chain_runs),
        WITH_RIG(types_follow_the_inventory_whenever_it_dies),
        WITH_RIG(one_round_is_complete_and_ends),
        WITH_RIG(a_round_ends_although_a_source_fails),
        WITH_RIG(since_and_until_move_the_borders),
        WITH_RIG(other_working_hours_are_applied_to_what_is_stored),
        WITH_RIG(a_site_goes_and_comes_back),
        WITH_RIG(a_session_that_runs_ends_with_its_disabled_site),
        WITH_RIG(a_session_that_runs_ends_where_sessions_are_not_fetched),
        WITH_RIG(a_session_that_runs_ends_with_its_removed_site),
        WITH_RIG(a_session_that_runs_ends_with_a_site_that_a_restart_removed),
        WITH_RIG(a_round_of_some_sites_leaves_the_others),
        WITH_RIG(event_indexes_are_away_while_a_large_backlog_is_worked_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
