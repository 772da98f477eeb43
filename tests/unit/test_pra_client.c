/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_client.c - single calls to a PRA site: requests, token, budget, order, cancelling, closing.
 */
#include "test_pra_rig.h"

#include <errno.h>
#include <stdio.h>

static const char info[] = "<get_api_info><api_version>1.24.1</api_version></get_api_info>";

/* A call of this kind is sent, with a token if it needs one, and waits for its answer. */
static struct call *sent(struct rig_ask *a, enum pra_call_kind kind)
{
    size_t before = rig_waiting();

    ask(a, kind);
    if (rig_find("/oauth2/token"))
        rig_grant();
    rig_run(1000); /* its turn */
    assert_int_equal(rig_waiting(), before + 1);
    return rig_call(before);
}

/* ---- requests ---- */

static const struct request {
    enum pra_call_kind kind;
    const char *method, *target, *body, *header;
} requests[] = {
    {PRA_CALL_PROBE, "GET", "/check_health", "", "Accept: */*\r\nConnection: close\r\n"},
    {PRA_CALL_INFO, "GET", "/api/command?action=get_api_info", "", "Authorization: Bearer t0ken1\r\n"},
    {PRA_CALL_HEALTH, "GET", "/api/command?action=check_health", "", "Connection: close\r\n"},
    {PRA_CALL_JUMPOINTS, "GET", "/api/config/v1/jumpoint?per_page=100&current_page=1", "",
     "Accept: application/json\r\n"},
    {PRA_CALL_LISTING, "GET",
     "/api/reporting?generate_report=AccessSessionListing&end_time=1773131400&duration=0", "",
     "Connection: close\r\n"},
    {PRA_CALL_SESSION, "GET", "/api/reporting?generate_report=AccessSession&lsid=" RIG_LSID, "",
     "Connection: close\r\n"},
    {PRA_CALL_TERMINATE, "POST", "/api/command", "action=terminate_session&lsid=" RIG_LSID,
     "Content-Type: application/x-www-form-urlencoded\r\n"},
};

TEST(requests_are_written_as_the_site_wants_them)
{
    rig_open();
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        static struct rig_ask a;

        struct call *call = sent(&a, requests[i].kind);
        if (requests[i].kind == PRA_CALL_LISTING)
            assert_non_null(strstr(rig.last_target, "AccessSessionListing&end_time=17731"));
        else
            assert_string_equal(rig.last_target, requests[i].target);
        assert_string_equal(rig.last_method, requests[i].method);
        assert_string_equal(rig.last_body, requests[i].body);
        assert_non_null(strstr(rig.last_headers, requests[i].header));
        assert_non_null(strstr(rig.last_headers, "Connection: close\r\n"));
        assert_null(strstr(rig.last_target, "t0ken"));
        assert_int_equal(!strstr(rig.last_headers, "Bearer"), requests[i].kind == PRA_CALL_PROBE);
        assert_int_equal(call->timeout_ms, i == 4 || i == 5 ? 30000 : 10000);
        bool xml = strstr(rig.last_target, "/api/command") || strstr(rig.last_target, "/api/reporting");
        assert_int_equal(call->max_answer < rig.params.max_answer, !xml); /* XML is parsed as it comes */
        pra_client_cancel(&a.call);
    }
    assert_int_equal(rig.tokens, 1);
}

TEST(the_token_call_shows_id_and_secret_in_one_header)
{
    static struct rig_ask a;

    rig_open();
    ask(&a, PRA_CALL_INFO);
    assert_non_null(rig_find("/oauth2/token"));
    assert_string_equal(rig.last_method, "POST");
    assert_string_equal(rig.last_body, "grant_type=client_credentials");
    /* base64("id-of-the-account:s3cret") */
    assert_non_null(strstr(rig.last_headers, "Authorization: Basic aWQtb2YtdGhlLWFjY291bnQ6czNjcmV0\r\n"));
    assert_null(strstr(rig.last_target, "s3cret"));
    pra_client_cancel(&a.call);
    rig_grant(); /* it goes on, for the next call */
    assert_int_equal(a.done, 0);
}

/* ---- token ---- */

TEST(one_token_serves_all_calls_and_is_shared_while_it_is_asked_for)
{
    static struct rig_ask a, b, c;
    struct pra_client_state now;

    rig_open();
    ask(&a, PRA_CALL_INFO);
    ask(&b, PRA_CALL_HEALTH);
    assert_int_equal(rig_waiting(), 1);
    rig_grant();
    rig_run(1000);
    assert_int_equal(rig_waiting(), 2);
    ask(&c, PRA_CALL_LISTING);
    rig_run(1000);
    assert_int_equal(rig_waiting(), 3);
    pra_client_state(rig.client, &now);
    assert_int_equal(now.tokens, 1);
    assert_int_equal(now.calls, 4);
}

static const struct life {
    const char *answer;
    uint64_t until_ms; /* from here on a call asks for another */
} lives[] = {
    {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3600}", 2880000},
    {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":1799}", 1439200},
    {"{\"access_token\":\"t\",\"token_type\":\"BEARER\"}", 480000},
    {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":0}", 480000},
    {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":86401}", 480000},
    {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":\"soon\"}", 480000},
    {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":1}", 800},
};

TEST(a_token_is_renewed_at_four_fifths_of_its_life)
{
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        static struct rig_ask a, b, c;
        uint64_t granted;

        rig_open();
        ask(&a, PRA_CALL_INFO);
        rig_answer(rig_find("/oauth2/token"), 200, "application/json", lives[i].answer);
        granted = rig.fc.now;
        rig_run(lives[i].until_ms - 1);
        ask(&b, PRA_CALL_HEALTH);
        assert_null(rig_find("/oauth2/token"));
        rig_run(granted + lives[i].until_ms - rig.fc.now);
        ask(&c, PRA_CALL_SESSION);
        rig_run(1000);
        assert_non_null(rig_find("/oauth2/token"));
        rig_again();
    }
}

static const struct bad_token {
    int status;
    const char *type, *answer;
    enum pra_fault fault;
    uint64_t pause_ms, second_pause_ms;
} bad_tokens[] = {
    {401, "application/json", "{\"error\":\"invalid_client\",\"message\":\"no\"}", PRA_CLIENT_REFUSED, 60000,
     120000},
    {200, "application/json", "{\"error\":\"invalid_credentials\"}", PRA_CLIENT_REFUSED, 60000, 120000},
    {500, "application/json", "{\"error\":\"unauthorized_client\"}", PRA_CLIENT_REFUSED, 60000, 120000},
    {200, "application/json", "{\"error\":\"invalid_grant\"}", PRA_CLIENT_REFUSED, 60000, 120000},
    {400, "text/plain", "no", PRA_CLIENT_REFUSED, 60000, 120000},
    {403, "text/html", "<html>no</html>", PRA_CLIENT_REFUSED, 60000, 120000},
    {500, "text/plain", "no", PRA_STATUS, 5000, 10000},
    {503, "text/plain", "no", PRA_UNAVAILABLE, 5000, 10000},
    {404, "text/html", "<html>no</html>", PRA_WEB_PAGE, 5000, 10000},
    {200, "text/html", "<!DOCTYPE html><html></html>", PRA_WEB_PAGE, 5000, 10000},
    {302, NULL, "", PRA_REDIRECT, 5000, 10000},
    {200, "application/json", "", PRA_NONSENSE, 5000, 10000},
    {200, "application/json", "[]", PRA_NONSENSE, 5000, 10000},
    {200, "application/json", "{\"access_token\":\"\"}", PRA_NONSENSE, 5000, 10000},
    {200, "application/json", "{\"access_token\":\"a b\"}", PRA_NONSENSE, 5000, 10000},
    {200, "application/json", "{\"access_token\":\"t\",\"token_type\":\"mac\"}", PRA_NONSENSE, 5000, 10000},
    {200, "text/xml", "{\"access_token\":\"t\"}", PRA_NONSENSE, 5000, 10000},
    {200, "application/json", "{\"error\":\"server_error\"}", PRA_SITE_ERROR, 5000, 10000},
};

/* The first call has the failure; during the pause a call fails at once and nothing is sent. */
static void check_pause(const struct bad_token *bad, uint64_t pause_ms)
{
    static struct rig_ask a, b;
    size_t total = rig.total;

    ask(&a, PRA_CALL_INFO);
    rig_run(0);
    rig_answer(rig_find("/oauth2/token"), bad->status, bad->type, bad->answer);
    rig_run(0);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result.fault, bad->fault);
    assert_int_equal(a.call.result.failed, PRA_CALL_TOKEN);
    assert_int_equal(a.call.result.retry_after_ms, pause_ms);
    assert_false(a.call.result.sent);
    rig_run(pause_ms - 1);
    ask(&b, PRA_CALL_INFO);
    rig_run(0);
    assert_int_equal(b.done, 1);
    assert_int_equal(b.call.result.fault, bad->fault);
    assert_int_equal(rig.total, total + 1);
    rig_run(1);
}

TEST(a_failed_token_call_pauses_all_calls_that_need_a_token)
{
    for (size_t i = 0; i < sizeof(bad_tokens) / sizeof(bad_tokens[0]); i++) {
        struct pra_client_state now;

        rig_open();
        check_pause(&bad_tokens[i], bad_tokens[i].pause_ms);
        pra_client_state(rig.client, &now);
        assert_int_equal(now.refused, bad_tokens[i].fault == PRA_CLIENT_REFUSED);
        rig_run(40000); /* a pause that the site asked for is over */
        check_pause(&bad_tokens[i], bad_tokens[i].second_pause_ms);
        rig_again();
    }
}

TEST(a_wrong_secret_costs_five_token_calls_in_half_an_hour)
{
    uint64_t end;

    rig_open();
    end = rig.fc.now + 30 * 60000;
    while (rig.fc.now < end) {
        static struct rig_ask a;

        ask(&a, PRA_CALL_INFO);
        rig_run(0);
        if (rig_find("/oauth2/token"))
            rig_answer(rig_call(0), 401, "application/json", "{\"error\":\"invalid_client\"}");
        rig_run(0);
        assert_int_equal(a.done, 1);
        if (rig.fc.now < end - 29 * 60000 - 1000)
            assert_int_equal(rig.total, 1);
        rig_run(1000);
    }
    assert_int_equal(rig.total, 5);
}

TEST(another_secret_ends_token_and_pause_at_once)
{
    static struct rig_ask a, b, c;
    struct secret same = {0}, other = {0};

    rig_open();
    ask(&a, PRA_CALL_INFO);
    rig_answer(rig_find("/oauth2/token"), 401, "application/json", "{\"error\":\"invalid_client\"}");
    rig_run(1000);
    assert_int_equal(secret_set(&same, "s3cret", 6), 0);
    assert_int_equal(pra_client_reload(rig.client, &rig.params, &same), 0);
    ask(&b, PRA_CALL_INFO);
    rig_run(0);
    assert_int_equal(b.done, 1); /* the pause goes on */
    assert_int_equal(secret_set(&other, "n3w", 3), 0);
    assert_int_equal(pra_client_reload(rig.client, &rig.params, &other), 0);
    ask(&c, PRA_CALL_INFO);
    rig_run(0);
    assert_non_null(rig_find("/oauth2/token"));
    assert_non_null(strstr(rig.last_headers, "Basic aWQtb2YtdGhlLWFjY291bnQ6bjN3\r\n"));
    rig_grant();
    rig_run(1000);
    rig_xml(rig_find("get_api_info"), info);
    assert_int_equal(c.call.result.fault, PRA_OK);
    /* A token that is there goes, too; and a token call that runs is made again. */
    assert_int_equal(secret_set(&other, "n3wer", 5), 0);
    assert_int_equal(pra_client_reload(rig.client, &rig.params, &other), 0);
    ask(&c, PRA_CALL_INFO);
    rig_run(1000);
    assert_non_null(rig_find("/oauth2/token"));
    assert_int_equal(secret_set(&other, "newest", 6), 0);
    assert_int_equal(pra_client_reload(rig.client, &rig.params, &other), 0);
    rig_run(1000);
    assert_int_equal(rig_waiting(), 1);
    assert_non_null(rig_find("/oauth2/token"));
    rig_grant();
    rig_run(1000);
    assert_non_null(rig_find("get_api_info"));
    pra_call_free(&a.call);
}

/* ---- a refused token ---- */

static void refuse(const char *target)
{
    rig_answer(rig_find(target), 401, "application/json", "{\"error\":\"access_denied\",\"message\":\"no\"}");
    rig_run(1000);
}

TEST(a_refused_token_is_replaced_and_the_call_repeated_once)
{
    static struct rig_ask a;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    refuse("get_api_info");
    assert_int_equal(a.done, 0);
    rig_grant();
    rig_run(1000);
    assert_non_null(rig_find("get_api_info"));
    assert_non_null(strstr(rig.last_headers, "Bearer t0ken2\r\n"));
    rig_xml(rig_call(0), info);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result.fault, PRA_OK);
    assert_int_equal(rig.tokens, 2);
}

TEST(a_token_refused_with_status_200_counts_as_well)
{
    static struct rig_ask a;

    rig_open();
    (void)sent(&a, PRA_CALL_LISTING);
    rig_answer(rig_call(0), 200, "application/json", "{\"error\":\"access_denied\",\"message\":\"no\"}");
    rig_run(1000);
    assert_non_null(rig_find("/oauth2/token"));
}

TEST(calls_that_had_the_old_token_give_up_no_other)
{
    static struct rig_ask a, b;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    (void)sent(&b, PRA_CALL_LISTING);
    refuse("get_api_info");
    rig_grant();
    rig_run(1000);
    refuse("Listing"); /* it was sent with the first token */
    assert_null(rig_find("/oauth2/token"));
    assert_non_null(rig_find("Listing"));
    assert_non_null(strstr(rig.last_headers, "Bearer t0ken2\r\n"));
    assert_int_equal(rig.tokens, 2);
}

TEST(a_second_refusal_makes_no_further_token_for_a_minute)
{
    static struct rig_ask a, b, c;
    uint64_t guarded;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    refuse("get_api_info");
    rig_grant();
    rig_run(1000);
    refuse("get_api_info");
    guarded = rig.fc.now - 1000;
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result.fault, PRA_TOKEN_REFUSED);
    (void)sent(&b, PRA_CALL_LISTING); /* the token at hand stays in use */
    assert_non_null(strstr(rig.last_headers, "Bearer t0ken2\r\n"));
    refuse("Listing");
    assert_int_equal(b.done, 1);
    assert_int_equal(rig_waiting(), 0);
    rig_run(guarded + 60000 - rig.fc.now);
    (void)sent(&c, PRA_CALL_LISTING);
    refuse("Listing");
    assert_non_null(rig_find("/oauth2/token"));
}

TEST(a_success_of_that_call_ends_the_minute)
{
    static struct rig_ask a, b, c;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    refuse("get_api_info");
    rig_grant();
    rig_run(1000);
    refuse("get_api_info");
    (void)sent(&b, PRA_CALL_HEALTH); /* another call's success does not */
    rig_xml(rig_call(0), "<check_health><success>1</success></check_health>");
    (void)sent(&b, PRA_CALL_LISTING);
    refuse("Listing");
    assert_int_equal(b.done, 1);
    (void)sent(&a, PRA_CALL_INFO);
    rig_xml(rig_call(0), info);
    (void)sent(&c, PRA_CALL_LISTING);
    refuse("Listing");
    assert_int_equal(c.done, 0);
    assert_non_null(rig_find("/oauth2/token"));
}

TEST(an_unknown_parameter_of_the_configuration_api_keeps_the_token)
{
    static const char *const bodies[] = {"{\"message\":\"unknown parameter\"}", "{}", "", "<html>x</html>"};
    static struct rig_ask a;

    rig_open();
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        (void)sent(&a, PRA_CALL_JUMPOINTS);
        rig_answer(rig_call(0), 401, "application/json", bodies[i]);
        rig_run(1000);
        assert_int_equal(a.done, 1);
        assert_int_equal(a.call.result.fault, PRA_SITE_ERROR);
        assert_int_equal(rig_waiting(), 0);
    }
    (void)sent(&a, PRA_CALL_JUMPOINTS);
    refuse("jumpoint"); /* with `error` it is the token */
    assert_non_null(rig_find("/oauth2/token"));
}

/* ---- budget ---- */

TEST(calls_keep_their_distance)
{
    static struct rig_ask a[5];
    uint64_t first;

    rig_open();
    for (int i = 0; i < 5; i++)
        ask(&a[i], PRA_CALL_PROBE);
    first = rig.fc.now;
    assert_int_equal(rig_waiting(), 1);
    for (size_t i = 1; i < 5; i++) {
        rig_run(199);
        assert_int_equal(rig_waiting(), i);
        rig_run(1);
        assert_int_equal(rig_waiting(), i + 1);
    }
    assert_int_equal(rig.fc.now, first + 800);
}

TEST(no_hour_has_more_than_three_thousand_calls)
{
    uint64_t sent_at[4000];
    size_t n = 0;

    rig.params.rate_per_s = 10;
    rig_open();
    while (n < 3600) {
        static struct rig_ask a;

        ask(&a, PRA_CALL_PROBE);
        while (!rig_waiting())
            rig_run(100);
        sent_at[n] = rig.fc.now;
        if (n >= 3000)
            assert_true(sent_at[n] - sent_at[n - 3000] >= 3600000);
        n++;
        rig_answer(rig_call(0), 200, "text/plain", "ok");
    }
    assert_true(sent_at[2899] - sent_at[0] < 300000); /* until then only the rate held it */
}

TEST(the_last_of_an_hour_are_for_urgent_calls)
{
    static struct rig_ask a, probe, urgent;

    rig.params.rate_per_s = 10;
    rig_open();
    for (int n = 0; n < PRA_HOUR_MAX - PRA_HOUR_KEPT; n++) {
        ask(&a, PRA_CALL_PROBE);
        rig_run(100);
        rig_answer(rig_call(0), 200, "text/plain", "ok");
    }
    ask(&probe, PRA_CALL_PROBE);
    rig_run(5000);
    assert_int_equal(rig_waiting(), 0);
    ask_urgent(&urgent, PRA_CALL_TERMINATE);
    rig_run(0);
    assert_non_null(rig_find("/oauth2/token"));
    rig_run(3600000); /* the hour is over */
    assert_non_null(rig_find("/check_health"));
}

TEST(an_urgent_call_goes_first)
{
    static struct rig_ask a, b, c, d;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    rig_xml(rig_call(0), info);
    ask(&a, PRA_CALL_LISTING);
    ask(&b, PRA_CALL_HEALTH);
    ask(&c, PRA_CALL_PROBE);
    ask_urgent(&d, PRA_CALL_TERMINATE);
    rig_run(1000);
    assert_int_equal(rig_waiting(), 4);
    (void)rig_call(0);
    assert_non_null(strstr(rig.last_target, "Listing")); /* it had its turn before the others came */
    (void)rig_call(1);
    assert_non_null(strstr(rig.last_body, "terminate_session"));
    (void)rig_call(2);
    assert_string_equal(rig.last_target, "/check_health");
}

static const struct pause {
    int status;
    const char *retry_after;
    uint64_t pause_ms;
} pauses[] = {
    {429, "7", 7000},
    {503, "120", 120000},
    {429, NULL, 30000},
    {503, "soon", 30000},
    {429, "0", 30000},
    {503, "3600", 3600000},
    {503, "999999", 3600000},
    {429, "1000000000000000000000", 3600000},
    {429, "Fri, 31 Dec 9999 23:59:59 GMT", 3600000},
    {429, "Tue, 10 Mar 2026 09:31:00 GMT", 0},
};

TEST(a_pause_holds_background_calls_back)
{
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        static struct rig_ask a, b, p, t;
        uint64_t pause = pauses[i].pause_ms;

        rig_open();
        (void)sent(&a, PRA_CALL_INFO);
        if (!pause) /* a date */
            pause = (uint64_t)(1773135060000 - rig.fc.wall);
        rig_reply(rig_call(0),
                  &(struct rig_answer){.status = pauses[i].status, .retry_after = pauses[i].retry_after});
        assert_int_equal(a.call.result.retry_after_ms, pause);
        ask(&b, PRA_CALL_LISTING);
        rig_run(pause - 1000);
        assert_int_equal(rig_waiting(), 0);
        ask(&p, PRA_CALL_PROBE);
        ask_urgent(&t, PRA_CALL_TERMINATE);
        rig_run(999);
        assert_int_equal(rig_waiting(), 2);
        assert_null(rig_find("Listing"));
        rig_run(1);
        assert_non_null(rig_find("Listing"));
        rig_again();
    }
}

/* Of session reports that ask once: no call waits out a pause that is longer than the round. */
TEST(a_pause_that_is_too_long_ends_the_calls_that_wait_for_it)
{
    static const struct {
        const char *retry_after;
        bool ends;
    } rows[] = {{"120", false}, {"121", true}, {"1000000000000000000000", true}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct rig_ask a, goes, waits, after, t;

        rig.params.pause_waited_ms = 120000;
        rig_open();
        case_label("%s", rows[i].retry_after);
        (void)sent(&a, PRA_CALL_INFO);
        ask(&goes, PRA_CALL_PROBE);
        ask(&waits, PRA_CALL_LISTING); /* for its turn */
        rig_reply(rig_call(0), &(struct rig_answer){.status = 429, .retry_after = rows[i].retry_after});
        ask(&after, PRA_CALL_LISTING);
        ask_urgent(&t, PRA_CALL_TERMINATE);
        rig_run(2000);
        assert_int_equal(waits.done, rows[i].ends);
        assert_int_equal(after.done, rows[i].ends);
        assert_int_equal(t.done, 0); /* urgent calls do not wait for it */
        assert_non_null(rig_find("terminate_session"));
        if (rows[i].ends) {
            assert_int_equal(after.call.result.fault, PRA_RATE_LIMITED);
            assert_true(after.call.result.retry_after_ms > 110000);
            assert_false(after.call.result.sent);
        }
        rig_run(120000);
        assert_int_equal(rig_find("Listing") != NULL, !rows[i].ends);
        rig_again();
    }
}

TEST(a_token_is_not_asked_for_in_a_pause_unless_it_is_urgent)
{
    static struct rig_ask a, b, t;

    rig_open();
    ask(&a, PRA_CALL_PROBE);
    rig_reply(rig_call(0), &(struct rig_answer){.status = 503, .retry_after = "60"});
    ask(&b, PRA_CALL_LISTING);
    rig_run(30000);
    assert_int_equal(rig_waiting(), 0);
    ask_urgent(&t, PRA_CALL_TERMINATE);
    rig_run(0);
    assert_non_null(rig_find("/oauth2/token"));
    rig_grant();
    rig_run(1000);
    assert_non_null(rig_find("terminate_session"));
    assert_int_equal(rig_waiting(), 1);
    rig_run(29000);
    assert_non_null(rig_find("Listing"));
}

TEST(what_is_left_of_the_sites_own_limit_is_respected)
{
    static struct rig_ask a, b, p, t;
    struct pra_client_state now;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    rig_reply(rig_call(0), &(struct rig_answer){.body = info, .remaining = "1000"});
    pra_client_state(rig.client, &now);
    assert_false(now.few_left);
    (void)sent(&a, PRA_CALL_INFO);
    rig_reply(rig_call(0), &(struct rig_answer){.body = info, .remaining = "999"});
    pra_client_state(rig.client, &now);
    assert_true(now.few_left && !now.none_left);
    (void)sent(&a, PRA_CALL_INFO);
    rig_reply(rig_call(0), &(struct rig_answer){.body = info, .remaining = "199"});
    pra_client_state(rig.client, &now);
    assert_true(now.few_left && now.none_left);
    ask(&b, PRA_CALL_LISTING);
    ask(&p, PRA_CALL_PROBE);
    ask_urgent(&t, PRA_CALL_TERMINATE);
    rig_run(60000);
    assert_int_equal(rig_waiting(), 2);
    assert_null(rig_find("Listing"));
    rig_reply(rig_find("/check_health"), &(struct rig_answer){.body = "ok", .remaining = "200"});
    rig_run(1000); /* the next turn finds that it has risen */
    ask(&a, PRA_CALL_PROBE);
    rig_run(1000);
    assert_non_null(rig_find("Listing"));
    /* A number that nothing renews is forgotten. */
    rig_reply(rig_find("/check_health"), &(struct rig_answer){.body = "ok", .remaining = "5"});
    ask(&a, PRA_CALL_HEALTH);
    rig_run(PRA_REMAINING_MS - 1);
    assert_null(rig_find("action=check_health"));
    rig_run(1);
    assert_non_null(rig_find("action=check_health"));
}

/* ---- failures without an answer ---- */

static const struct transport {
    int err;
    enum call_fault fault;
    enum pra_fault want;
    bool sent;
} transports[] = {
    {-ECONNREFUSED, CALL_FAULT_NAME, PRA_NAME_UNKNOWN, false},
    {-ECONNREFUSED, CALL_FAULT_REFUSED, PRA_REFUSED_TCP, false},
    {-ECONNREFUSED, CALL_FAULT_TIMEOUT, PRA_CONNECT_LATE, false},
    {-ECONNREFUSED, CALL_FAULT_ISSUER, PRA_TLS_ISSUER, false},
    {-ECONNREFUSED, CALL_FAULT_WRONG_NAME, PRA_TLS_NAME, false},
    {-ECONNREFUSED, CALL_FAULT_EXPIRED, PRA_TLS_EXPIRED, false},
    {-ECONNREFUSED, CALL_FAULT_NO_TLS, PRA_TLS_NONE, false},
    {-ECONNREFUSED, CALL_FAULT_OTHER, PRA_NO_CONNECTION, false},
    {-ETIMEDOUT, CALL_FAULT_NONE, PRA_TIMEOUT, true},
    {-ECONNRESET, CALL_FAULT_NONE, PRA_LOST, true},
    {-EPROTO, CALL_FAULT_NONE, PRA_NONSENSE, true},
    {-EMSGSIZE, CALL_FAULT_NONE, PRA_TOO_LARGE, true},
    {-ENOMEM, CALL_FAULT_NONE, PRA_NO_MEMORY, true},
};

TEST(each_failure_of_the_connection_has_a_name)
{
    rig_open();
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        static struct rig_ask a;
        char words[PRA_TEXT_SIZE + 100];

        (void)sent(&a, PRA_CALL_INFO);
        rig_fail(rig_call(0), transports[i].err, transports[i].fault);
        assert_int_equal(a.done, 1);
        assert_int_equal(a.call.result.fault, transports[i].want);
        assert_int_equal(a.call.result.sent, transports[i].sent);
        pra_result_words(&a.call.result, words, sizeof(words));
        assert_non_null(strstr(words, "get_api_info: "));
        assert_non_null(strstr(words, "(words about the failure)"));
        assert_int_equal(rig_waiting(), 0); /* nothing is repeated */
    }
    struct pra_call_counts *counts = &pra_client_counts(rig.client)[PRA_CALL_INFO];
    assert_int_equal(counts->outcomes[PRA_OUT_TIMEOUT], 2);
    assert_int_equal(counts->outcomes[PRA_OUT_ERROR], 3);
    assert_int_equal(counts->outcomes[PRA_OUT_UNAVAILABLE], 8);
    assert_true(counts->duration.count[METRIC_BUCKETS] > 0 || counts->duration.sum >= 0);
}

/* ---- life ---- */

TEST(a_cancelled_call_is_never_told)
{
    static struct rig_ask a, b, c, d;

    rig_open();
    ask(&a, PRA_CALL_INFO); /* wants a token */
    pra_client_cancel(&a.call);
    pra_client_cancel(&a.call);
    rig_grant();
    (void)sent(&b, PRA_CALL_INFO); /* sent */
    pra_client_cancel(&b.call);
    assert_int_equal(rig_waiting(), 0);
    ask(&c, PRA_CALL_INFO);
    ask(&d, PRA_CALL_INFO); /* waits for its turn */
    pra_client_cancel(&d.call);
    rig_run(1000);
    assert_int_equal(rig_waiting(), 1);
    assert_int_equal(a.done + b.done + c.done + d.done, 0);
}

TEST(a_call_that_cannot_be_sent_fails_later)
{
    static struct rig_ask a, b;

    rig_open();
    rig.refuse = -ENOMEM;
    ask(&a, PRA_CALL_PROBE);
    rig_run(0);
    assert_int_equal(a.call.result.fault, PRA_NO_MEMORY);
    ask(&b, PRA_CALL_INFO); /* the token call cannot be sent */
    rig_run(0);
    assert_int_equal(b.done, 1);
    assert_int_equal(b.call.result.failed, PRA_CALL_TOKEN);
}

TEST(closing_ends_all_calls)
{
    static struct rig_ask a, b, c;

    rig_open();
    (void)sent(&a, PRA_CALL_INFO);
    ask(&b, PRA_CALL_LISTING);
    ask(&c, PRA_CALL_LISTING);
    rig_again();
    assert_int_equal(a.done, 1);
    assert_int_equal(b.done, 1);
    assert_int_equal(c.done, 1);
    assert_int_equal(c.call.result.fault, PRA_CANCELLED);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, rig_start, rig_stop)
    const struct CMUnitTest tests[] = {
        IN_RIG(requests_are_written_as_the_site_wants_them),
        IN_RIG(the_token_call_shows_id_and_secret_in_one_header),
        IN_RIG(one_token_serves_all_calls_and_is_shared_while_it_is_asked_for),
        IN_RIG(a_token_is_renewed_at_four_fifths_of_its_life),
        IN_RIG(a_failed_token_call_pauses_all_calls_that_need_a_token),
        IN_RIG(a_wrong_secret_costs_five_token_calls_in_half_an_hour),
        IN_RIG(another_secret_ends_token_and_pause_at_once),
        IN_RIG(a_refused_token_is_replaced_and_the_call_repeated_once),
        IN_RIG(a_token_refused_with_status_200_counts_as_well),
        IN_RIG(calls_that_had_the_old_token_give_up_no_other),
        IN_RIG(a_second_refusal_makes_no_further_token_for_a_minute),
        IN_RIG(a_success_of_that_call_ends_the_minute),
        IN_RIG(an_unknown_parameter_of_the_configuration_api_keeps_the_token),
        IN_RIG(calls_keep_their_distance),
        IN_RIG(no_hour_has_more_than_three_thousand_calls),
        IN_RIG(the_last_of_an_hour_are_for_urgent_calls),
        IN_RIG(an_urgent_call_goes_first),
        IN_RIG(a_pause_holds_background_calls_back),
        IN_RIG(a_pause_that_is_too_long_ends_the_calls_that_wait_for_it),
        IN_RIG(a_token_is_not_asked_for_in_a_pause_unless_it_is_urgent),
        IN_RIG(what_is_left_of_the_sites_own_limit_is_respected),
        IN_RIG(each_failure_of_the_connection_has_a_name),
        IN_RIG(a_cancelled_call_is_never_told),
        IN_RIG(a_call_that_cannot_be_sent_fails_later),
        IN_RIG(closing_ends_all_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
