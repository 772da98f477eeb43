/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_watch.c - probes, checks, state and detail of a site; one test for each rule.
 */
#include "test_pra_site.h"

#include <errno.h>
#include <stdio.h>

static struct reply *answers = world.answers;

/* ---- calls ---- */

TEST(a_healthy_site_sees_few_calls)
{
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(HOUR);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_string_equal(view()->detail, "");
    assert_true(view()->calls <= 700);
    assert_true(view()->tokens <= 2);
    assert_in_range(world.n[PRA_CALL_PROBE], 235, 241);
    assert_in_range(world.n[PRA_CALL_INFO], 11, 13);
    assert_in_range(world.n[PRA_CALL_LISTING], 235, 242);
    assert_int_equal(world.n[PRA_CALL_JUMPOINTS], 0);
}

TEST(a_site_is_unknown_until_a_check_has_ended)
{
    answers[PRA_CALL_INFO].hold = true;
    world_open(0);
    live(2 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UNKNOWN);
    assert_true(says("no check has ended yet"));
    assert_null(view()->info);
    assert_int_equal(world.n[PRA_CALL_PROBE], 1);
    answers[PRA_CALL_INFO].hold = false;
    live(SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_string_equal(view()->info->api_version, "1.24.1");
    assert_string_equal(view()->health->version, "24.3.1");
}

TEST(a_reload_checks_at_once_and_takes_the_intervals)
{
    world_open(0);
    live(10 * SECOND);
    world.params.probe_interval_ms = SECOND;
    world.params.check_interval_ms = 2 * SECOND;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    live(500);
    assert_int_equal(world.n[PRA_CALL_INFO], 2);
    world.n[PRA_CALL_PROBE] = 0;
    live(10 * SECOND);
    assert_in_range(world.n[PRA_CALL_PROBE], 9, 11);
    assert_in_range(world.n[PRA_CALL_INFO], 5, 7);
}

/* ---- down ---- */

static const struct outage {
    struct reply reply;
    const char *words;
} outages[] = {
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_NAME}, "the site's name cannot be resolved"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_REFUSED}, "the site refuses the connection"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_TIMEOUT, .takes_ms = 5000},
     "no connection to the site in time"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_ISSUER}, "issuer"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_WRONG_NAME}, "another name"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_EXPIRED}, "not valid at this time"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_NO_TLS}, "no TLS"},
    {{.err = -ETIMEDOUT, .takes_ms = 10000}, "no answer in time"},
    {{.err = -ECONNRESET}, "the connection ended"},
    {{.err = -EPROTO}, "makes no sense"},
    {{.status = 503}, "not available"},
    {{.status = 502}, "status 502"},
    {{.status = 200, .body = "<html>sorry</html>"}, "web page"},
    {{.status = 302}, "redirect"},
};

/* Down within two intervals and what the failing calls took; up again with the next probe, and checked. */
TEST(an_outage_shows_in_time_and_ends_by_itself)
{
    for (size_t i = 0; i < sizeof(outages) / sizeof(outages[0]); i++) {
        struct reply good[PRA_NCALLS];
        size_t checks;

        world_open(0);
        live(50 * SECOND);
        memcpy(good, world.answers, sizeof(good));
        for (int k = 0; k < PRA_NCALLS; k++)
            world.answers[k] = outages[i].reply;
        live_until(PRA_STATE_DOWN, 2 * (15 * SECOND + outages[i].reply.takes_ms) + SECOND);
        assert_true(says(outages[i].words));
        assert_true(says("no valid answer: probe: "));
        live(10 * MINUTE);
        assert_int_equal(view()->state, PRA_STATE_DOWN);
        checks = world.n[PRA_CALL_INFO];
        memcpy(world.answers, good, sizeof(good));
        live_until(PRA_STATE_UP, 2 * MINUTE + 40 * SECOND);
        assert_string_equal(view()->detail, "");
        assert_true(world.n[PRA_CALL_INFO] > checks);
        world_teardown(NULL);
        world_setup(NULL);
    }
}

TEST(one_failure_is_no_outage)
{
    world_open(0);
    live(10 * SECOND);
    answers[PRA_CALL_PROBE].err = -ETIMEDOUT;
    live(10 * SECOND);
    answers[PRA_CALL_PROBE].err = 0;
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

TEST(intervals_double_from_the_second_failure_on)
{
    static const uint64_t apart[] = {1, 2, 4, 8, 8, 8};
    uint64_t last;

    world.params.probe_interval_ms = 2 * SECOND;
    answers[PRA_CALL_PROBE].err = -ETIMEDOUT;
    world_open(0);
    live(100);
    last = world.at[PRA_CALL_PROBE];
    for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
        size_t n = world.n[PRA_CALL_PROBE];
        while (world.n[PRA_CALL_PROBE] == n)
            live(10);
        /* another call may have had the turn just before */
        assert_in_range(world.at[PRA_CALL_PROBE] - last, apart[i] * 2 * SECOND, apart[i] * 2 * SECOND + 400);
        last = world.at[PRA_CALL_PROBE];
    }
    answers[PRA_CALL_PROBE].err = 0;
    live(20 * SECOND);
    last = world.at[PRA_CALL_PROBE];
    live(2 * SECOND);
    assert_int_equal(world.at[PRA_CALL_PROBE] - last, 2 * SECOND);
}

TEST(a_doubled_interval_is_at_most_two_minutes)
{
    size_t n;

    answers[PRA_CALL_PROBE].err = -ETIMEDOUT;
    world.params.probe_interval_ms = 50 * SECOND;
    world_open(0);
    live(10 * MINUTE);
    n = world.n[PRA_CALL_PROBE];
    live(10 * MINUTE);
    assert_in_range(world.n[PRA_CALL_PROBE] - n, 4, 5);
}

TEST(other_calls_keep_a_site_up_and_show_that_probes_fail)
{
    world.oldest_ms = rig.fc.wall;
    answers[PRA_CALL_PROBE].status = 404;
    world_open(0);
    live(5 * MINUTE);
    assert_int_not_equal(view()->state, PRA_STATE_DOWN);
}

/* ---- degraded ---- */

TEST(an_unhealthy_site_is_degraded)
{
    world_open(0);
    live(10 * SECOND);
    answers[PRA_CALL_PROBE].status = 500;
    answers[PRA_CALL_PROBE].body = "disk is full";
    answers[PRA_CALL_HEALTH].body =
        "<check_health><success>0</success><error_message>disk is full</error_message>"
        "</check_health>";
    live(16 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_true(says("the site's probe says unhealthy; the site reports an error: disk is full"));
    answers[PRA_CALL_PROBE].status = 200;
    answers[PRA_CALL_HEALTH].body = HEALTH_OF("none");
    live(16 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

static const struct permission_row {
    const char *list;
    bool terminate, ecm, jumpoints, no_poll;
    size_t missing;
    const char *permission, *feature; /* of the first */
} permission_rows[] = {
    {"<perm_command>deny</perm_command>", false, false, false, false, 1, "perm_command", "watch"},
    {"<perm_command>read_only</perm_command>", true, false, false, false, 1, "perm_command", "kill_switch"},
    {"<perm_command>read_only</perm_command>", false, true, true, false, 0, NULL, NULL},
    {"<perm_command>full_access</perm_command><perm_ecm>0</perm_ecm>", true, true, false, false, 1,
     "perm_ecm", "ecm"},
    {"<perm_configuration>0</perm_configuration>", false, false, true, false, 1, "perm_configuration",
     "jumpoints"},
    {"<perm_configuration>0</perm_configuration>", false, false, false, false, 0, NULL, NULL},
    {"<perm_reporting_support>0</perm_reporting_support>", false, false, false, false, 1,
     "perm_reporting_support", "early_release"},
    {"<perm_reporting_support>0</perm_reporting_support>", false, false, false, true, 0, NULL, NULL},
    {"<perm_reporting>0</perm_reporting>", false, false, false, false, 1, "perm_reporting_support",
     "early_release"},
    {"<perm_reporting>1</perm_reporting>", false, false, false, false, 0, NULL, NULL},
    {"<perm_reporting>0</perm_reporting><perm_reporting_support>1</perm_reporting_support>", false, false,
     false, false, 0, NULL, NULL},
    {"", true, true, true, false, 0, NULL, NULL}, /* nothing is known to be missing */
};

TEST(missing_permissions_are_named_with_their_feature)
{
    static const char *const names[] = {"London"};

    for (size_t i = 0; i < sizeof(permission_rows) / sizeof(permission_rows[0]); i++) {
        const struct permission_row *row = &permission_rows[i];

        set_permissions(row->list);
        answers[PRA_CALL_JUMPOINTS].body = "[{\"name\":\"London\",\"connected\":true}]";
        world.params.terminate = row->terminate;
        world.params.ecm = row->ecm;
        world.params.jumpoints = names;
        world.params.njumpoints = row->jumpoints;
        world.params.poll_interval_ms = row->no_poll ? 0 : 15 * SECOND;
        world_open(0);
        live(5 * SECOND);
        assert_int_equal(view()->nmissing, row->missing);
        assert_int_equal(view()->state, row->missing ? PRA_STATE_DEGRADED : PRA_STATE_UP);
        if (row->missing) {
            assert_string_equal(view()->missing[0].permission, row->permission);
            assert_string_equal(view()->missing[0].feature, row->feature);
            assert_true(says(row->permission));
        }
        world_teardown(NULL);
        world_setup(NULL);
    }
}

TEST(calls_that_are_known_to_be_denied_are_not_made)
{
    static const char *const names[] = {"London"};

    set_permissions("<perm_command>deny</perm_command><perm_configuration>0</perm_configuration>"
                    "<perm_reporting_support>0</perm_reporting_support>");
    world.params.jumpoints = names;
    world.params.njumpoints = 1;
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(20 * MINUTE);
    assert_true(world.n[PRA_CALL_INFO] >= 4); /* this is how a change is found */
    assert_int_equal(world.n[PRA_CALL_HEALTH] + world.n[PRA_CALL_JUMPOINTS] + world.n[PRA_CALL_LISTING], 0);
    set_permissions(ALL_PERMISSIONS);
    live(6 * MINUTE);
    assert_true(world.n[PRA_CALL_HEALTH] > 0 && world.n[PRA_CALL_JUMPOINTS] > 0 &&
                world.n[PRA_CALL_LISTING] > 0);
}

static const struct list_row {
    const char *permissions;
    enum pra_list_verdict password_safe, insights;
} list_rows[] = {
    {ALL_PERMISSIONS "<perm_configuration_vault_acount>1</perm_configuration_vault_acount>"
                     "<perm_reporting_syslog>1</perm_reporting_syslog>",
     PRA_LIST_COMPLETE, PRA_LIST_COMPLETE},
    {ALL_PERMISSIONS, PRA_LIST_COMPLETE, PRA_LIST_UNKNOWN},
    {ALL_PERMISSIONS "<perm_reporting_syslog>0</perm_reporting_syslog>", PRA_LIST_COMPLETE,
     PRA_LIST_INCOMPLETE},
    {"<perm_command>read_only</perm_command>", PRA_LIST_INCOMPLETE, PRA_LIST_UNKNOWN},
    {"", PRA_LIST_UNKNOWN, PRA_LIST_UNKNOWN},
    {"<perm_ecm>0</perm_ecm>", PRA_LIST_INCOMPLETE, PRA_LIST_UNKNOWN},
};

TEST(the_vendors_lists_are_compared)
{
    for (size_t i = 0; i < sizeof(list_rows) / sizeof(list_rows[0]); i++) {
        set_permissions(list_rows[i].permissions);
        world_open(0);
        live(5 * SECOND);
        assert_int_equal(view()->lists[PRA_LIST_PASSWORD_SAFE], list_rows[i].password_safe);
        assert_int_equal(view()->lists[PRA_LIST_INSIGHTS], list_rows[i].insights);
        world_teardown(NULL);
        world_setup(NULL);
    }
}

TEST(a_clock_that_differs_by_over_a_minute_is_named)
{
    static const int seconds[] = {59, 62, -62, -3600};

    for (size_t i = 0; i < 4; i++) {
        world.ahead_s = seconds[i];
        world_open(0);
        live(5 * SECOND);
        assert_true(view()->has_skew);
        assert_in_range(view()->skew_ms + 10000000, seconds[i] * 1000 + 10000000 - 1100,
                        seconds[i] * 1000 + 10000000 + 100);
        assert_int_equal(view()->state, i ? PRA_STATE_DEGRADED : PRA_STATE_UP);
        if (i)
            assert_true(says(seconds[i] > 0 ? "s ahead of the gateway's" : "s behind the gateway's"));
        world_teardown(NULL);
        world_setup(NULL);
    }
}

TEST(skew_is_taken_from_the_middle_of_the_call)
{
    char body[512];

    answers[PRA_CALL_INFO].takes_ms = 8000;
    (void)snprintf(body, sizeof(body), OF_PERMISSIONS(ALL_PERMISSIONS), (long long)(rig.fc.wall / 1000 + 4));
    answers[PRA_CALL_INFO].body = body;
    world_open(0);
    live(10 * SECOND);
    assert_true(view()->has_skew);
    assert_in_range(view()->skew_ms + 2000, 2000 - 1500, 2000 + 500); /* the token came first */
}

TEST(without_a_time_in_the_answer_its_date_header_counts)
{
    answers[PRA_CALL_INFO].body = "<get_api_info/>";
    answers[PRA_CALL_PROBE].date = "Tue, 10 Mar 2026 09:40:00 GMT";
    world_open(0);
    live(SECOND);
    assert_true(view()->has_skew);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_true(says("s ahead of the gateway's"));
    world_teardown(NULL);
    world_setup(NULL);
    answers[PRA_CALL_INFO].body = "<get_api_info/>"; /* its date is that of the middle of the call */
    answers[PRA_CALL_PROBE].date = "Tue, 10 Mar 2026 09:30:04 GMT";
    answers[PRA_CALL_PROBE].takes_ms = 8000;
    world_open(0);
    live(9 * SECOND);
    assert_int_equal(view()->skew_ms, 0);
    world_teardown(NULL);
    world_setup(NULL);
    answers[PRA_CALL_PROBE].date = "Tue, 10 Mar 2026 09:40:00 GMT"; /* get_api_info knows better */
    world_open(0);
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
    world_teardown(NULL);
    world_setup(NULL);
    answers[PRA_CALL_INFO].body = "<get_api_info/>";
    world_open(0);
    live(SECOND);
    assert_false(view()->has_skew);
    assert_int_equal(view()->state, PRA_STATE_UP); /* unknown counts as none */
}

TEST(a_check_that_fails_is_named_and_the_next_one_is_the_retry)
{
    world_open(0);
    live(10 * SECOND);
    answers[PRA_CALL_HEALTH].status = 500;
    live(5 * MINUTE);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_true(says("check_health: an unexpected status 500"));
    assert_int_equal(world.n[PRA_CALL_HEALTH], 2);
    answers[PRA_CALL_HEALTH].status = 200;
    live(5 * MINUTE + 5 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

/* ---- Jumpoints ---- */

TEST(named_jumpoints_must_be_connected)
{
    static const char *const names[] = {"London", "New York", "Paris"};

    world.params.jumpoints = names;
    world.params.njumpoints = 3;
    answers[PRA_CALL_JUMPOINTS].body = "[{\"name\":\"London\",\"connected\":true,\"enabled\":true},"
                                       "{\"name\":\"New York\",\"connected\":false,\"enabled\":true},"
                                       "{\"name\":\"Rome\",\"connected\":false}]";
    world_open(0);
    live(5 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_string_equal(view()->detail, "Jumpoint New York is not connected; Jumpoint Paris does not exist");
    assert_int_equal(view()->njumpoints, 3);
    assert_true(view()->jumpoints[0].found && view()->jumpoints[0].connected);
    answers[PRA_CALL_JUMPOINTS].body =
        "[{\"name\":\"London\",\"connected\":false,\"enabled\":false},"
        "{\"name\":\"New York\",\"connected\":true},{\"name\":\"Paris\",\"connected\":true}]";
    live(5 * MINUTE);
    assert_string_equal(view()->detail, "Jumpoint London is disabled");
    answers[PRA_CALL_JUMPOINTS].status = 500; /* what is known stays */
    live(5 * MINUTE);
    assert_true(says("jumpoints: an unexpected status 500"));
    assert_true(says("Jumpoint London is disabled"));
    world.params.njumpoints = 0;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    live(5 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_int_equal(view()->njumpoints, 0);
}

TEST(all_jumpoints_may_be_named)
{
    world.params.all_jumpoints = true;
    answers[PRA_CALL_JUMPOINTS].body =
        "[{\"name\":\"London\",\"connected\":true},{\"name\":\"Paris\",\"connected\":false},"
        "{\"name\":\"Rome\",\"connected\":false,\"enabled\":false}]";
    world_open(0);
    live(5 * SECOND);
    assert_int_equal(view()->njumpoints, 3);
    assert_string_equal(view()->detail, "Jumpoint Paris is not connected");
}

TEST(all_pages_of_jumpoints_are_read)
{
    static const char *const names[] = {"Paris"};

    world.params.jumpoints = names;
    world.params.njumpoints = 1;
    answers[PRA_CALL_JUMPOINTS].last_page = "3";
    answers[PRA_CALL_JUMPOINTS].body = "[{\"name\":\"London\",\"connected\":true}]";
    answers[PRA_CALL_JUMPOINTS].hold = true;
    world_open(0);
    live(3 * SECOND);
    release("current_page=1");
    live(SECOND);
    release("current_page=2");
    live(SECOND);
    answers[PRA_CALL_JUMPOINTS].body = "[{\"name\":\"Paris\",\"connected\":true}]";
    release("current_page=3");
    live(SECOND);
    assert_int_equal(rig_waiting(), 0);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

TEST(a_reload_between_two_pages_changes_the_next_check)
{
    static const char *const names[] = {"Paris"};

    world.params.jumpoints = names;
    world.params.njumpoints = 1;
    answers[PRA_CALL_JUMPOINTS].last_page = "2";
    answers[PRA_CALL_JUMPOINTS].body =
        "[{\"name\":\"London\",\"connected\":true},{\"name\":\"Rome\",\"connected\":true},"
        "{\"name\":\"Oslo\",\"connected\":true}]";
    answers[PRA_CALL_JUMPOINTS].hold = true;
    world_open(0);
    live(3 * SECOND);
    release("current_page=1");
    live(SECOND);
    world.params.all_jumpoints = true;
    world.params.njumpoints = 0;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    release("current_page=2");
    live(SECOND);
    answers[PRA_CALL_JUMPOINTS].last_page = "1";
    answers[PRA_CALL_JUMPOINTS].hold = false;
    live(SECOND);
    assert_int_equal(view()->njumpoints, 3);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

/* ---- standby ---- */

TEST(in_standby_only_health_is_asked)
{
    world.oldest_ms = rig.fc.wall;
    answers[PRA_CALL_HEALTH].body = HEALTH_OF("backup");
    world_open(0);
    live(5 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_STANDBY);
    assert_true(says("backup of its failover pair"));
    memset(world.n, 0, sizeof(world.n));
    live(20 * MINUTE);
    assert_int_equal(world.n[PRA_CALL_INFO] + world.n[PRA_CALL_LISTING], 0);
    assert_in_range(world.n[PRA_CALL_HEALTH], 75, 81);
    assert_in_range(world.n[PRA_CALL_PROBE], 75, 81);
    answers[PRA_CALL_HEALTH].body = HEALTH_OF("primary");
    live(17 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_int_equal(world.n[PRA_CALL_INFO], 1); /* checked at once */
    live(15 * SECOND);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
    /* The listing after it looks back 15 minutes more. */
    assert_in_range(world.froms[0], rig.fc.wall / 1000 - 120 - 900 - 20 * 60 - 60,
                    rig.fc.wall / 1000 - 120 - 900 - 60);
}

/* ---- refused ---- */

TEST(a_refused_client_shows_and_recovers_by_itself)
{
    world.oldest_ms = rig.fc.wall;
    answers[PRA_CALL_TOKEN] = (struct reply){.status = 401, .body = "{\"error\":\"invalid_client\"}"};
    world_open(0);
    live(MINUTE - SECOND);
    assert_int_equal(view()->state, PRA_STATE_REFUSED);
    assert_string_equal(view()->detail, "token: the site refuses client id or secret (invalid_client)");
    assert_int_equal(world.n[PRA_CALL_TOKEN], 1);
    assert_true(world.n[PRA_CALL_PROBE] >= 4);
    live(29 * MINUTE);
    assert_int_equal(world.n[PRA_CALL_TOKEN], 5);
    assert_int_equal(world.n[PRA_CALL_INFO] + world.n[PRA_CALL_LISTING], 0);
    answers[PRA_CALL_TOKEN] = (struct reply){.type = "application/json"};
    live(16 * MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
}

TEST(another_secret_ends_it_at_once)
{
    struct secret secret = {0};

    answers[PRA_CALL_TOKEN] = (struct reply){.status = 401, .body = "{\"error\":\"invalid_client\"}"};
    world_open(0);
    live(5 * MINUTE);
    assert_int_equal(view()->state, PRA_STATE_REFUSED);
    answers[PRA_CALL_TOKEN] = (struct reply){.type = "application/json"};
    assert_int_equal(secret_set(&secret, "right", 5), 0);
    assert_int_equal(pra_site_reload(world.site, &world.params, &secret), 0);
    assert_int_equal(view()->state, PRA_STATE_UNKNOWN); /* it has not answered with that secret */
    assert_string_equal(view()->detail, "no check has ended yet");
    live(2 * SECOND);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

TEST(a_token_call_that_fails_otherwise_is_tried_again_soon)
{
    answers[PRA_CALL_TOKEN] = (struct reply){.status = 500};
    world_open(0);
    live(4 * SECOND);
    assert_int_equal(world.n[PRA_CALL_TOKEN], 1);
    live(70 * SECOND);
    assert_in_range(world.n[PRA_CALL_TOKEN], 4, 5); /* after 5, 10, 20, 40 s */
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_true(says("token: an unexpected status 500"));
    answers[PRA_CALL_TOKEN] = (struct reply){.type = "application/json"};
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

/* ---- budget of the site ---- */

TEST(few_calls_left_double_the_intervals_and_fewer_stop_them)
{
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(5 * MINUTE);
    answers[PRA_CALL_LISTING].remaining = "900";
    live(MINUTE);
    assert_true(says("intervals are doubled"));
    assert_int_equal(view()->state, PRA_STATE_UP); /* a note, not a fault */
    memset(world.n, 0, sizeof(world.n));
    live(10 * MINUTE);
    assert_in_range(world.n[PRA_CALL_LISTING], 19, 21);
    assert_in_range(world.n[PRA_CALL_PROBE], 38, 41);
    answers[PRA_CALL_LISTING].remaining = "150";
    live(MINUTE);
    memset(world.n, 0, sizeof(world.n));
    live(8 * MINUTE);
    assert_int_equal(world.n[PRA_CALL_LISTING] + world.n[PRA_CALL_INFO], 0);
    assert_true(world.n[PRA_CALL_PROBE] > 30);
    assert_true(says("only probes and terminations"));
    answers[PRA_CALL_LISTING].remaining = NULL;
    answers[PRA_CALL_PROBE].remaining = "5000";
    live(MINUTE);
    assert_true(world.n[PRA_CALL_LISTING] > 0);
    assert_string_equal(view()->detail, "");
}

/* ---- events ---- */

TEST(a_probe_that_fails_while_other_calls_go_well_is_named)
{
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
    answers[PRA_CALL_PROBE] = (struct reply){.status = 404, .body = "not here"};
    live(MINUTE);
    assert_int_equal(view()->state, PRA_STATE_DEGRADED);
    assert_string_equal(view()->detail, "probe: an unexpected status 404");
    answers[PRA_CALL_PROBE] = (struct reply){.type = "text/plain", .body = "ok"};
    live(3 * MINUTE);
    assert_int_equal(view()->state, PRA_STATE_UP);
}

TEST(refused_events_are_named_for_five_minutes)
{
    world_open(0);
    live(5 * SECOND);
    pra_site_event(world.site, PRA_EVENT_END, PRA_EVENT_ACCEPTED);
    pra_site_event(world.site, PRA_EVENT_BEGIN, PRA_EVENT_ACCEPTED);
    assert_string_equal(view()->detail, "");
    pra_site_event(world.site, PRA_EVENT_NONE, PRA_EVENT_REFUSED);
    pra_site_event(world.site, PRA_EVENT_NONE, PRA_EVENT_REFUSED);
    live(5 * MINUTE - SECOND);
    assert_true(says("events were refused"));
    assert_int_equal(view()->state, PRA_STATE_UP);
    live(2 * SECOND);
    assert_string_equal(view()->detail, "");
    assert_int_equal(view()->events[PRA_EVENT_NONE][PRA_EVENT_REFUSED], 2);
    assert_int_equal(view()->events[PRA_EVENT_END][PRA_EVENT_ACCEPTED], 1);
    pra_site_count_ended(world.site, PRA_END_EVENT, 3);
    pra_site_count_ended(world.site, PRA_END_EVENT, 0);
    assert_int_equal(view()->leases_ended[PRA_END_EVENT], 3);
    assert_int_equal(view()->sessions_ended[PRA_END_EVENT], 1);
}

/* ---- view, close ---- */

TEST(ages_are_shown)
{
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(MINUTE);
    answers[PRA_CALL_PROBE].err = answers[PRA_CALL_LISTING].err = -ETIMEDOUT;
    live(10 * MINUTE);
    assert_in_range(view()->last_poll_age_ms, 10 * MINUTE - SECOND, 11 * MINUTE);
    assert_true(view()->has_success && view()->has_poll);
    assert_in_range(view()->cursor_age_ms, 10 * MINUTE - SECOND, 11 * MINUTE);
    assert_true(view()->counts[PRA_CALL_PROBE].outcomes[PRA_OUT_TIMEOUT] > 3);
}

static bool scraped(const char *row)
{
    struct buf page = BUF_INIT(1 << 20);

    metrics_render(&page);
    bool found = strstr(buf_cstr(&page), row) != NULL;
    if (!found)
        print_error("%s is not in\n%s", row, buf_cstr(&page));
    buf_free(&page);
    return found;
}

TEST(metrics_are_there_while_the_site_is)
{
    static const char *const names[] = {"London", "Pa\"ris"};
    struct buf page = BUF_INIT(1 << 20);

    world.params.jumpoints = names;
    world.params.njumpoints = 2;
    answers[PRA_CALL_JUMPOINTS].body = "[{\"name\":\"London\",\"connected\":true}]";
    world_open(0);
    assert_true(scraped("jumpgate_pra_up 0\n"));
    assert_true(scraped("jumpgate_pra_last_success_age_seconds -1\n"));
    assert_true(scraped("jumpgate_pra_cursor_age_seconds -1\n"));
    live(5 * SECOND);
    pra_site_event(world.site, PRA_EVENT_END, PRA_EVENT_MALFORMED);
    pra_site_count_ended(world.site, PRA_END_EVENT, 4);
    assert_true(scraped("jumpgate_pra_up 1\n"));
    assert_true(scraped("jumpgate_pra_calls_total{call=\"get_api_info\",outcome=\"ok\"} 1\n"));
    assert_true(scraped("jumpgate_pra_call_duration_seconds_count{call=\"get_api_info\"} 1\n"));
    assert_true(scraped("jumpgate_pra_tokens_total 1\n"));
    assert_true(scraped("jumpgate_pra_events_total{event=\"end\",outcome=\"malformed\"} 1\n"));
    assert_true(scraped("jumpgate_pra_sessions_ended_total{source=\"event\"} 1\n"));
    assert_true(scraped("jumpgate_pra_early_releases_total{source=\"event\"} 4\n"));
    assert_true(scraped("jumpgate_pra_terminations_total{outcome=\"already_ended\"} 0\n"));
    assert_true(scraped("jumpgate_pra_jumpoint_connected{jumpoint=\"London\"} 1\n"));
    assert_true(scraped("jumpgate_pra_jumpoint_connected{jumpoint=\"Pa\\\"ris\"} 0\n"));
    world.params.njumpoints = 1;
    assert_int_equal(pra_site_reload(world.site, &world.params, NULL), 0);
    metrics_render(&page);
    assert_null(strstr(buf_cstr(&page), "ris"));
    buf_clear(&page);
    world_close();
    metrics_render(&page);
    assert_int_equal(page.len, 0);
    buf_free(&page);
}

TEST(closing_ends_calls_of_every_kind)
{

    for (int k = 0; k < PRA_NCALLS; k++)
        world.answers[k].hold = k != PRA_CALL_TOKEN;
    world.oldest_ms = rig.fc.wall;
    world_open(0);
    live(16 * SECOND);
    assert_true(rig_waiting() >= 2);
    world_close();
    assert_int_equal(rig_waiting(), 0);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_healthy_site_sees_few_calls),
        IN_WORLD(a_site_is_unknown_until_a_check_has_ended),
        IN_WORLD(a_reload_checks_at_once_and_takes_the_intervals),
        IN_WORLD(an_outage_shows_in_time_and_ends_by_itself),
        IN_WORLD(one_failure_is_no_outage),
        IN_WORLD(intervals_double_from_the_second_failure_on),
        IN_WORLD(a_doubled_interval_is_at_most_two_minutes),
        IN_WORLD(other_calls_keep_a_site_up_and_show_that_probes_fail),
        IN_WORLD(an_unhealthy_site_is_degraded),
        IN_WORLD(missing_permissions_are_named_with_their_feature),
        IN_WORLD(calls_that_are_known_to_be_denied_are_not_made),
        IN_WORLD(the_vendors_lists_are_compared),
        IN_WORLD(a_clock_that_differs_by_over_a_minute_is_named),
        IN_WORLD(skew_is_taken_from_the_middle_of_the_call),
        IN_WORLD(without_a_time_in_the_answer_its_date_header_counts),
        IN_WORLD(a_check_that_fails_is_named_and_the_next_one_is_the_retry),
        IN_WORLD(named_jumpoints_must_be_connected),
        IN_WORLD(all_jumpoints_may_be_named),
        IN_WORLD(all_pages_of_jumpoints_are_read),
        IN_WORLD(a_reload_between_two_pages_changes_the_next_check),
        IN_WORLD(in_standby_only_health_is_asked),
        IN_WORLD(a_refused_client_shows_and_recovers_by_itself),
        IN_WORLD(another_secret_ends_it_at_once),
        IN_WORLD(a_token_call_that_fails_otherwise_is_tried_again_soon),
        IN_WORLD(few_calls_left_double_the_intervals_and_fewer_stop_them),
        IN_WORLD(a_probe_that_fails_while_other_calls_go_well_is_named),
        IN_WORLD(refused_events_are_named_for_five_minutes),
        IN_WORLD(ages_are_shown),
        IN_WORLD(metrics_are_there_while_the_site_is),
        IN_WORLD(closing_ends_calls_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
