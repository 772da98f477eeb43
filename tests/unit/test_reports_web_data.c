/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_web_data.c - answers of the page's server that hold data: their audit records, exports in
 * pieces, layouts of dashboards, time-outs, overload and the end.
 */
#include "web_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON    "Content-Type: application/json\r\n"
#define SESSION "/api/sessions/" RIG_HOST "/00000000000000000000000000000001"

static void start(const char *user)
{
    web_rig_start(&rig);
    browser_open(&b, &rig);
    if (user)
        browser_sign_in_ok(&b, user);
}

/* ---- audit ---- */

TEST(views_are_recorded_before_they_are_answered)
{
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/records/sessions?range=all&f.user=eq:user%203"), 200);
    assert_int_equal(
        web_rig_records(&rig,
                        "\"event\":\"viewed\",\"user\":\"ann\",\"peer\":\"127.0.0.1\",\"request_id\":\""),
        1);
    assert_int_equal(web_rig_records(&rig, "\"dataset\":\"sessions\",\"filters\":\"range=all&f.user=eq:user"
                                           "%203\",\"rows\":6"),
                     1);
    assert_int_equal(browser_get(&b, &a, SESSION), 200);
    assert_int_equal(web_rig_records(&rig, "\"host_name\":\"" RIG_HOST
                                           "\",\"lsid\":\"00000000000000000000000000000001\",\"links\":true"),
                     1);
    assert_int_equal(browser_get(&b, &a, SESSION "/events"), 200);
    assert_int_equal(web_rig_records(&rig, "\"dataset\":\"session_events\""), 1);
    web_rig_forget_records(&rig);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
    assert_int_equal(browser_get(&b, &a, "/api/records/nothing"), 404);
    assert_int_equal(browser_get(&b, &a, "/api/records/sessions?x=1"), 400);
    assert_int_equal(rig.trail.n, 0);

    rig.trail.held = true;
    browser_begin(&b, "GET", "/api/records/sessions", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "viewed") == 1);
    rig_iterate_n(&rig.http, 5);
    client_poll(&b.client);
    assert_int_equal(b.client.len, 0); /* the record is not on disk */
    rig.trail.held = false;
    rig.trail.waits[0]->done(rig.trail.waits[0], 0);
    rig.trail.waits[0] = NULL;
    browser_read(&b, &a);
    assert_int_equal(a.status, 200);
}

static const char *const shown[] = {"/api/records/sessions?range=all", SESSION, SESSION "/events",
                                    "/api/export/sessions.csv?range=all"};

TEST(strict_shows_nothing_that_cannot_be_recorded)
{
    static const char token[] = "Authorization: Bearer feed-token\r\n";

    start("ann");
    rig.trail.down = true;
    for (size_t i = 0; i < 4; i++) {
        case_label("%s", shown[i]);
        assert_int_equal(browser_get(&b, &a, shown[i]), 503);
        assert_true(answer_has(&a, "\"code\":\"audit_unavailable\""));
    }
    assert_int_equal(browser_ask(&b, &a, "GET", "/feed/sessions", token, NULL), 503);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
    assert_int_equal(browser_get(&b, &a, "/readyz"), 503);
    assert_true(answer_has(&a, "audit trail"));
    rig.trail.down = false;
    assert_int_equal(browser_get(&b, &a, "/readyz"), 200);

    rig.trail.held = true; /* it fails after the query was answered */
    for (size_t i = 0; i < 4; i++) {
        case_label("%s", shown[i]);
        browser_begin(&b, "GET", shown[i], NULL, NULL);
        rig_wait_for(&rig.http, rig.trail.waits[0] != NULL);
        rig.trail.waits[0]->done(rig.trail.waits[0], -5);
        rig.trail.waits[0] = NULL;
        browser_read(&b, &a);
        assert_int_equal(a.status, 503);
        assert_false(answer_has(&a, "user 1"));
    }
}

TEST(degraded_shows_it_all_the_same)
{
    rig.conf.reports.audit_policy = REPORTS_AUDIT_DEGRADED;
    start("ann");
    rig.trail.down = true;
    for (size_t i = 0; i < 4; i++) {
        case_label("%s", shown[i]);
        assert_int_equal(browser_get(&b, &a, shown[i]), 200);
    }
    assert_int_equal(web_rig_records(&rig, "\"event\":\"viewed\""), 2); /* they follow */
}

TEST(what_the_page_asks_again_is_no_view_and_nothing_else_is_hidden)
{
    static const char again[] = "X-Jumpgate-Refresh: 1\r\n";
    static const char *const none[] = {"X-Jumpgate-Refresh: 0\r\n", "X-Jumpgate-Refresh: \r\n",
                                       "X-Jumpgate-Refresh: 11\r\n"};
    struct browser other = {0};
    unsigned views;

    start("ann");
    assert_int_equal(browser_ask(&b, &a, "GET", SESSION, again, NULL), 200);
    assert_int_equal(web_rig_records(&rig, "session_viewed"), 1); /* not viewed before: a view */
    assert_int_equal(browser_ask(&b, &a, "GET", SESSION, again, NULL), 200);
    assert_int_equal(web_rig_records(&rig, "session_viewed"), 1);
    assert_int_equal(browser_get(&b, &a, SESSION), 200);
    assert_int_equal(web_rig_records(&rig, "session_viewed"), 2);
    for (views = 2; views < 5; views++) {
        case_label("%s", none[views - 2]);
        assert_int_equal(browser_ask(&b, &a, "GET", SESSION, none[views - 2], NULL), 200);
        assert_int_equal(web_rig_records(&rig, "session_viewed"), views + 1);
    }
    assert_int_equal(browser_ask(&b, &a, "GET", "/api/records/sessions", again, NULL), 200);
    assert_int_equal(browser_ask(&b, &a, "GET", "/api/records/sessions?range=all", again, NULL), 200);
    assert_int_equal(web_rig_records(&rig, "\"event\":\"viewed\""), 2);
    browser_open(&other, &rig);
    browser_sign_in_ok(&other, "bob");
    assert_int_equal(browser_ask(&other, &a, "GET", SESSION, again, NULL), 200);
    assert_int_equal(web_rig_records(&rig, "session_viewed"), ++views);
    browser_sign_in_ok(&other, "ann"); /* another session of the same user */
    assert_int_equal(browser_ask(&other, &a, "GET", SESSION, again, NULL), 200);
    assert_int_equal(web_rig_records(&rig, "session_viewed"), ++views);
    browser_close(&other);
}

TEST(a_client_may_leave_before_its_record_is_written)
{
    start("ann");
    for (size_t i = 0; i < 4; i++) {
        rig.trail.held = true;
        browser_begin(&b, "GET", shown[i], NULL, NULL);
        rig_wait_for(&rig.http, rig.trail.waits[0] != NULL);
        browser_close(&b);
        rig_wait_for(&rig.http, rig.trail.waits[0] == NULL);
        rig.trail.held = false;
        browser_open(&b, &rig);
        assert_int_equal(browser_get(&b, &a, shown[i]), 200);
    }
}

/* ---- exports ---- */

static unsigned lines_of(const struct answer *answer)
{
    unsigned n = 0;

    for (size_t i = 0; i < answer->len; i++)
        n += answer->body[i] == '\n';
    return n;
}

TEST(an_export_is_the_whole_set)
{
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv?range=all"), 200);
    assert_int_equal(lines_of(&a), WEB_SESSIONS + 1);
    assert_string_equal(answer_header(&a, "Content-Type"), "text/csv; charset=utf-8");
    assert_string_equal(answer_header(&a, "Content-Disposition"),
                        "attachment; filename=\"sessions-20260102T000000Z.csv\"");
    assert_non_null(strstr(a.head, "Transfer-Encoding: chunked"));
    assert_int_equal(web_rig_records(&rig, "\"event\":\"export_begun\""), 1);
    assert_int_equal(web_rig_records(&rig, "\"format\":\"csv\",\"filters\":\"range=all\",\"rows\":40,"
                                           "\"complete\":true"),
                     1);
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.ndjson?range=all&f.user=eq:user%203"), 200);
    assert_int_equal(lines_of(&a), 6);
    assert_int_equal(browser_ask(&b, &a, "HEAD", "/api/export/sessions.csv?range=all", NULL, NULL), 200);
    assert_int_equal(browser_get(&b, &a, "/api/me"), 200); /* on the same connection */
}

TEST(a_failure_in_the_middle_of_an_export_breaks_the_connection)
{
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/export/session_events.csv"), 404);
    web_rig_fail_database(2);
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv?range=all"), 503);
    assert_true(answer_has(&a, "database_unavailable"));
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv?range=all"), 200);
    assert_int_equal(lines_of(&a), WEB_SESSIONS + 1);
}

/* Enough events that an export of them is several pieces, and does not fit into the sockets. */
static void store_events(unsigned sessions)
{
    rig.socket_bytes = 65536;
    for (unsigned i = 0; i < sessions; i++) {
        struct record_arena arena = {0};
        struct rig_session of = {
            .number = 1000 + i, .start = RIG_T0 + 3600, .end = RIG_T0 + 7200, .variant = 2, .events = 1000};

        (void)rig_store(&rig.store, rig_session(&arena, &of), STORE_CLOSED, RIG_T0 + 8000);
        record_arena_free(&arena);
    }
}

/* Reads on and counts; true when the last chunk has come, which no head ends like, whatever its last line. */
static bool read_on(size_t *bytes)
{
    static const char end[] = "\r\n0\r\n\r\n";
    static char tail[sizeof(end)]; /* the last bytes, since a read may part them */
    size_t keep = sizeof(end) - 1;

    client_poll(&b.client);
    if (*bytes == 0)
        memset(tail, 0, sizeof(tail));
    for (size_t i = b.client.len > keep ? b.client.len - keep : 0; i < b.client.len; i++) {
        memmove(tail, tail + 1, keep - 1);
        tail[keep - 1] = b.client.in[i];
    }
    *bytes += b.client.len;
    client_forget(&b.client);
    return strcmp(tail, end) == 0;
}

static bool busy(void)
{
    struct browser other = {0};
    bool is_busy;

    browser_open(&other, &rig);
    assert_int_equal(
        browser_ask(&other, &a, "GET", "/metrics", "Authorization: Bearer other-token\r\n", NULL), 200);
    is_busy = answer_has(&a, "jumpgate_reports_exports_total{complete=\"yes\"} 0\n") &&
              answer_has(&a, "jumpgate_reports_exports_total{complete=\"no\"} 0\n");
    browser_close(&other);
    return is_busy;
}

TEST(a_large_export_waits_for_its_reader_and_delays_no_page)
{
    struct browser other = {0};
    size_t bytes = 0;
    bool last = false;

    store_events(12);
    rig.conf.reports.readers = 1;
    start("ann");
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    browser_open(&other, &rig);
    memcpy(other.cookie, b.cookie, sizeof(b.cookie));
    assert_int_equal(browser_get(&other, &a, "/api/records/sessions?range=all"), 200);
    rig_iterate_n(&rig.http, 50);
    assert_true(busy()); /* the socket is full */
    for (int i = 0; i < 200000 && !last; i++)
        last = read_on(&bytes);
    assert_true(last);
    assert_in_range(bytes, 2 << 20, 12 << 20);
    assert_int_equal(web_rig_records(&rig, "\"complete\":true"), 1);
    browser_close(&other);
}

TEST(an_export_ends_with_its_client)
{
    store_events(12);
    start("ann");
    for (int i = 0; i < 2; i++) {
        browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
        rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == (unsigned)i + 1);
        rig_iterate_n(&rig.http, i * 40); /* at its beginning, and with the socket full */
        browser_close(&b);
        rig_wait_for(&rig.http, web_rig_records(&rig, "\"complete\":false") == (unsigned)i + 1);
        browser_open(&b, &rig);
    }
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv?range=all"), 200);
}

static void check_broken(const char *why)
{
    size_t bytes = 0;
    bool last = false;

    for (int i = 0; i < 200000 && !last && !b.client.eof && !b.client.reset; i++)
        last = read_on(&bytes);
    case_label("%s", why);
    assert_false(last);
    rig_wait_for(&rig.http, web_rig_records(&rig, "\"complete\":false") == 1);
    web_rig_forget_records(&rig);
}

TEST(an_export_that_ends_early_is_no_whole_one)
{
    store_events(12);
    start("ann");
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    web_rig_fail_database(5);
    check_broken("the database fails");

    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    rig.conf.web.session_idle_ms = HOURS(2);
    web_rig_advance(&rig, MINUTES(10)); /* export_timeout, and the client has read nothing */
    check_broken("its time is over");
}

static void begin_another(struct browser *other, const char *target)
{
    browser_open(other, &rig);
    memcpy(other->cookie, b.cookie, sizeof(b.cookie));
    browser_begin(other, "GET", target, NULL, NULL);
}

TEST(a_user_has_two_exports_at_once)
{
    static const char target[] = "/api/export/sessions.csv?range=all";
    struct browser waits = {0}, third = {0}, eve = {0};

    rig.conf.reports.readers = 1;
    start("ann");
    browser_open(&eve, &rig);
    browser_sign_in_ok(&eve, "eve");
    web_rig_hold_database(true);
    browser_begin(&b, "GET", target, NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    begin_another(&waits, target);
    rig_iterate_n(&rig.http, 5);
    begin_another(&third, target);
    browser_read(&third, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_header(&a, "Content-Type"), "application/problem+json");
    assert_true(answer_has(&a, "\"code\":\"overloaded\""));
    assert_true(answer_has(&a, "this user has 2 exports"));
    browser_sign_in_ok(&third, "ann"); /* in another session too */
    assert_int_equal(browser_get(&third, &a, target), 503);
    assert_true(answer_has(&a, "this user has 2 exports"));
    browser_begin(&eve, "GET", target, NULL, NULL); /* another user waits behind them */
    rig_iterate_n(&rig.http, 5);
    web_rig_hold_database(false);
    browser_read(&b, &a);
    assert_int_equal(a.status, 200);
    browser_read(&waits, &a);
    assert_int_equal(a.status, 200);
    browser_read(&eve, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(browser_get(&third, &a, target), 200); /* there is room again */
    browser_close(&waits);
    browser_close(&third);
    browser_close(&eve);
}

static void sign_out(void)
{
    struct browser other = {0};

    browser_open(&other, &rig);
    memcpy(other.cookie, b.cookie, sizeof(b.cookie));
    memcpy(other.csrf, b.csrf, sizeof(b.csrf));
    assert_int_equal(browser_change(&other, &a, "POST", "/api/sign-out", NULL, ""), 204);
    browser_close(&other);
}

static void reload_to(const struct reports_conf *conf)
{
    char why[256];
    struct web_next *next = web_prepare(rig.web, conf, why);

    assert_non_null(next);
    web_reload(rig.web, next);
}

/* One export is at its socket, one waits for the only reader. */
static void begin_two(struct browser *waits)
{
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    rig_iterate_n(&rig.http, 40);
    begin_another(waits, "/api/export/sessions.csv?range=all");
    rig_iterate_n(&rig.http, 5);
}

static void check_two_ended(struct browser *waits, const char *why)
{
    check_broken(why);
    browser_read(waits, &a);
    assert_int_equal(a.status, 401);
    assert_true(answer_has(&a, "\"code\":\"unauthenticated\""));
    browser_close(waits);
    browser_close(&b);
    browser_open(&b, &rig);
}

TEST(exports_end_with_their_session)
{
    struct browser waits = {0}, other = {0};
    struct reports_conf next;

    store_events(12);
    rig.conf.reports.readers = 1;
    start("ann");
    begin_two(&waits);
    browser_open(&other, &rig);
    browser_sign_in_ok(&other, "ann");
    assert_int_equal(browser_change(&other, &a, "POST", "/api/sign-out", NULL, ""), 204);
    browser_close(&other);
    rig_iterate_n(&rig.http, 40);
    assert_int_equal(web_rig_records(&rig, "\"complete\":false"), 0); /* another session of the user */
    sign_out();
    check_two_ended(&waits, "signed out");

    browser_sign_in_ok(&b, "ann");
    begin_two(&waits);
    next = rig.conf;
    next.nusers = 0;
    reload_to(&next);
    check_two_ended(&waits, "the user is removed");
    reload_to(&rig.conf);
    browser_sign_in_ok(&b, "ann");
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv?range=all"), 200);
}

/* An export is one request, at its begin: the session that began it ends in time, and the export goes on. */
TEST(an_export_outlives_its_idle_session_and_does_not_prolong_it)
{
    struct browser other = {0};
    size_t bytes = 0;
    bool last = false;

    store_events(12);
    rig.conf.web.session_idle_ms = SECONDS(4);
    start("ann");
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    rig_iterate_n(&rig.http, 40); /* the socket is full */
    web_rig_advance(&rig, SECONDS(4) - 1);
    while (bytes < 1 << 20) /* the export is at work */
        assert_false(read_on(&bytes));
    web_rig_advance(&rig, 1);
    browser_open(&other, &rig);
    memcpy(other.cookie, b.cookie, sizeof(b.cookie));
    assert_int_equal(browser_get(&other, &a, "/api/me"), 401);
    browser_sign_in_ok(&other, "ann"); /* which drops sessions that have ended */
    for (int i = 0; i < 200000 && !last; i++)
        last = read_on(&bytes);
    assert_true(last);
    assert_in_range(bytes, 2 << 20, 12 << 20);
    assert_int_equal(web_rig_records(&rig, "\"complete\":true"), 1);
    browser_close(&other);
}

/* ---- layouts ---- */

TEST(a_layout_is_kept_for_its_user_by_revision)
{
    static const char good[] =
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4,\"height\":2},{\"id\":\"by_site\",\"width\":12,"
        "\"height\":1}]}";
    struct browser other = {0};

    start("bob");
    assert_int_equal(browser_get(&b, &a, "/api/layout"), 200);
    assert_true(answer_has(&a, "{\"revision\":0,\"tiles\":[{\"id\":\"sessions_over_time\","));
    assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", JSON, good), 400); /* no If-Match */
    assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", good), 200);
    assert_true(
        answer_has(&a, "{\"revision\":1,\"tiles\":[{\"id\":\"top_users\",\"width\":4,\"height\":2},"));
    assert_string_equal(answer_header(&a, "ETag"), "\"1\"");
    assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", good), 412);
    assert_true(answer_has(&a, "\"code\":\"conflict\""));
    assert_int_equal(browser_get(&b, &a, "/api/layout"), 200);
    assert_true(answer_has(&a, "\"revision\":1,\"tiles\":[{\"id\":\"top_users\""));
    browser_open(&other, &rig);
    browser_sign_in_ok(&other, "ann");
    assert_int_equal(browser_get(&other, &a, "/api/layout"), 200);
    assert_true(answer_has(&a, "\"revision\":0"));
    browser_close(&other);
    assert_int_equal(browser_change(&b, &a, "DELETE", "/api/layout", NULL, NULL), 200);
    assert_true(answer_has(&a, "{\"revision\":2,\"tiles\":[{\"id\":\"sessions_over_time\","));
    assert_int_equal(web_rig_records(&rig, "\"event\":\"layout_saved\",\"user\":\"bob\""), 2);
}

#define TILE "{\"id\":\"top_users\",\"width\":4,\"height\":1}"

TEST(a_layout_has_known_tiles_once_each)
{
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"tiles\":{}}",
        "{\"tiles\":[1]}",
        "{\"tiles\":[],\"x\":1}",
        "{\"tiles\":[{\"id\":\"nothing\",\"width\":4,\"height\":1}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":5,\"height\":1}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4,\"height\":4}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4,\"height\":0}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4.5,\"height\":1}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":\"4\",\"height\":1}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4}]}",
        "{\"tiles\":[{\"id\":\"top_users\",\"width\":4,\"height\":1,\"x\":1}]}",
        "{\"tiles\":[" TILE "," TILE "]}",
        "{\"tiles\":[[[[[[[[]]]]]]]]}",
    };
    static const char *const matches[] = {
        "0", "\"\"", "W/\"0\"", "*", "\"0\", \"1\"", "\"-1\"", "\"99999999999999999999\""};
    char match[64], *large = malloc(70000);

    start("bob");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i]);
        assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", rows[i]),
                         400);
    }
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        snprintf(match, sizeof(match), JSON "If-Match: %s\r\n", matches[i]);
        case_label("%s", matches[i]);
        assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", match, "{\"tiles\":[]}"), 400);
    }
    assert_non_null(large);
    memset(large, ' ', 69999);
    large[69999] = '\0';
    assert_int_equal(browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", large), 413);
    free(large);
    assert_int_equal(browser_get(&b, &a, "/api/layout"), 200);
    assert_true(answer_has(&a, "\"revision\":0"));
}

TEST(a_layout_waits_for_the_collectors_transaction)
{
    start("bob");
    assert_int_equal(store_begin(rig.store.store), DB_OK);
    browser_begin(&b, "PUT", "/api/layout", "", "");
    browser_read(&b, &a);
    assert_int_equal(a.status, 403);
    char headers[256];
    snprintf(headers, sizeof(headers), "X-Jumpgate-Csrf: %s\r\n" JSON "If-Match: \"0\"\r\n", b.csrf);
    browser_begin(&b, "PUT", "/api/layout", headers, "{\"tiles\":[]}");
    rig_iterate_n(&rig.http, 50);
    assert_int_equal(store_commit(rig.store.store), DB_OK);
    browser_read(&b, &a);
    assert_int_equal(a.status, 200);
}

TEST(a_lock_of_another_program_is_no_slow_query)
{
    static const struct {
        const char *method, *headers, *body;
    } rows[] = {{"PUT", JSON "If-Match: \"0\"\r\n", "{\"tiles\":[]}"}, {"DELETE", "", NULL}};

    rig.busy_ms = MINUTES(10);
    start("bob");
    assert_int_equal(
        browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", "{\"tiles\":[]}"), 200);
    assert_int_equal(store_begin(rig.store.store), DB_OK);
    for (size_t i = 0; i < 2; i++) {
        char headers[256];

        case_label("%s", rows[i].method);
        (void)snprintf(headers, sizeof(headers), "X-Jumpgate-Csrf: %s\r\n%s", b.csrf, rows[i].headers);
        browser_begin(&b, rows[i].method, "/api/layout", headers, rows[i].body);
        rig_iterate_n(&rig.http, 20);
        web_rig_advance(&rig, SECONDS(10));
        browser_read(&b, &a);
        assert_int_equal(a.status, 503);
        assert_true(answer_has(&a, "\"code\":\"database_unavailable\""));
        assert_true(answer_has(&a, "another program holds its lock"));
    }
    assert_int_equal(store_commit(rig.store.store), DB_OK);
    assert_int_equal(browser_change(&b, &a, "DELETE", "/api/layout", NULL, NULL), 200);
}

/* ---- time and load ---- */

/* Sent, and at the database, which takes no interruption. */
static void begin_stopped(const char *method, const char *target, const char *headers, const char *body)
{
    web_rig_hold_database(true);
    browser_begin(&b, method, target, headers, body);
    rig_wait_for(&rig.http, web_rig_database_held() == 1);
}

static void check_stopped(uint64_t timeout, int status, const char *code)
{
    web_rig_advance(&rig, timeout);
    rig_iterate_n(&rig.http, 20);
    assert_int_equal(web_rig_database_held(), 1);
    web_rig_advance(&rig, SECONDS(1));
    browser_read(&b, &a);
    assert_int_equal(a.status, status);
    assert_true(answer_has(&a, code));
    web_rig_hold_database(false);
    rig_wait_for(&rig.http, web_rig_database_held() == 0);
}

TEST(a_database_that_has_stopped_keeps_no_request)
{
    char headers[256];

    rig.conf.reports.readers = 1;
    start("ann");
    web_rig_deafen_database(true);
    begin_stopped("GET", "/api/records/sessions?range=all", NULL, NULL);
    check_stopped(SECONDS(10), 504, "\"code\":\"deadline_exceeded\"");
    assert_int_equal(browser_get(&b, &a, "/api/records/sessions?range=all"), 200);
    (void)snprintf(headers, sizeof(headers), "X-Jumpgate-Csrf: %s\r\n" JSON "If-Match: \"0\"\r\n", b.csrf);
    begin_stopped("PUT", "/api/layout", headers,
                  "{\"tiles\":[{\"id\":\"top_users\",\"width\":3,\"height\":1}]}");
    check_stopped(SECONDS(10), 503, "\"code\":\"database_unavailable\"");
    /* The change that was answered is made nevertheless, with what was sent. */
    assert_int_equal(
        browser_change(&b, &a, "PUT", "/api/layout", JSON "If-Match: \"0\"\r\n", "{\"tiles\":[]}"), 412);
    assert_int_equal(browser_get(&b, &a, "/api/layout"), 200);
    assert_true(answer_has(&a, "\"revision\":1"));
    assert_true(answer_has(&a, "[{\"id\":\"top_users\",\"width\":3,\"height\":1}]"));
    begin_stopped("GET", "/api/export/sessions.csv", NULL, NULL);
    check_stopped(MINUTES(10), 504, "\"code\":\"deadline_exceeded\"");
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.csv"), 200);
}

TEST(a_query_that_takes_too_long_is_interrupted)
{
    start("ann");
    web_rig_hold_database(true);
    browser_begin(&b, "GET", "/api/tiles/top_users?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    web_rig_advance(&rig, SECONDS(10));
    browser_read(&b, &a);
    assert_int_equal(a.status, 504);
    assert_true(answer_has(&a, "\"code\":\"deadline_exceeded\""));
    assert_true(answer_has(&a, "query_timeout; a shorter range"));
    browser_begin(&b, "GET", "/api/layout", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    web_rig_advance(&rig, SECONDS(10));
    browser_read(&b, &a);
    assert_int_equal(a.status, 504);
    assert_true(answer_has(&a, "query_timeout; try again")); /* it has no range */
    browser_begin(&b, "GET", "/api/export/sessions.csv", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    web_rig_advance(&rig, MINUTES(10));
    browser_read(&b, &a);
    assert_int_equal(a.status, 504);
    assert_true(answer_has(&a, "export_timeout; a shorter range"));
    web_rig_hold_database(false);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
    assert_int_equal(browser_get(&b, &a, "/readyz"), 200);
}

TEST(a_query_ends_with_its_client)
{
    rig.conf.reports.readers = 1;
    start("ann");
    web_rig_hold_database(true);
    browser_begin(&b, "GET", "/api/tiles/top_users?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    browser_close(&b);
    rig_wait_for(&rig.http, !web_rig_database_held()); /* interrupted, though it is still held */
    web_rig_hold_database(false);
    browser_open(&b, &rig);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
}

TEST(a_lost_database_is_said_and_found_again)
{
    char away[128];

    rig.conf.reports.readers = 1;
    start("ann");
    snprintf(away, sizeof(away), "%s.away", rig.store.path);
    web_rig_fail_database(1);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 503);
    assert_int_equal(rename(rig.store.path, away), 0);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 503);
    assert_true(answer_has(&a, "\"code\":\"database_unavailable\""));
    assert_non_null(answer_header(&a, "Retry-After"));
    assert_int_equal(browser_get(&b, &a, "/readyz"), 503);
    assert_int_equal(browser_get(&b, &a, "/livez"), 200);
    assert_int_equal(rename(away, rig.store.path), 0);
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
    assert_int_equal(browser_get(&b, &a, "/readyz"), 200);
}

#define MANY (256 + 40)

TEST(too_many_queries_are_refused)
{
    static struct browser many[MANY];
    unsigned refused = 0, interrupted = 0;

    memset(many, 0, sizeof(many));
    rig.conf.reports.readers = 1;
    start("ann");
    web_rig_hold_database(true);
    for (size_t i = 0; i < MANY; i++) {
        char source[32];

        snprintf(source, sizeof(source), "127.0.0.%zu", 2 + i % 3);
        rig.source = source;
        browser_open(&many[i], &rig);
        memcpy(many[i].cookie, b.cookie, sizeof(b.cookie));
        browser_begin(&many[i], "GET", "/api/tiles/running_now", NULL, NULL);
        rig_iterate_n(&rig.http, 1);
    }
    rig.source = NULL;
    web_rig_hold_database(false);
    for (size_t i = 0; i < MANY; i++) {
        browser_read(&many[i], &a);
        refused += a.status == 503 && answer_has(&a, "\"code\":\"overloaded\"");
        interrupted += a.status != 503 && a.status != 200;
        browser_close(&many[i]);
    }
    assert_in_range(refused, 30, 40);
    assert_int_equal(interrupted, 0);
}

/* ---- the end ---- */

static void on_drained(void *arg)
{
    ((struct web_rig *)arg)->drained = true;
}

TEST(draining_lets_answers_end)
{
    start("ann");
    web_rig_hold_database(true);
    browser_begin(&b, "GET", "/api/tiles/top_users?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_database_held());
    web_drain(rig.web, on_drained, &rig);
    rig_iterate_n(&rig.http, 3);
    assert_false(rig.drained);
    web_rig_hold_database(false);
    browser_read(&b, &a);
    assert_int_equal(a.status, 200);
    web_rig_advance(&rig, 100);
    rig_wait_for(&rig.http, rig.drained);
}

static void wait_until_drained(void)
{
    for (int i = 0; i < 100 && !rig.drained; i++)
        web_rig_advance(&rig, 50);
    assert_true(rig.drained);
}

static void check_draining(struct browser *of)
{
    browser_read(of, &a);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_header(&a, "Content-Type"), "application/problem+json");
    assert_true(answer_has(&a, "\"code\":\"draining\""));
    browser_close(of);
}

TEST(draining_refuses_exports_that_wait_and_ends_those_that_do_not)
{
    struct browser waits = {0};
    size_t bytes = 0;
    bool last = false;

    store_events(12);
    rig.conf.reports.readers = 1;
    start("ann");
    begin_two(&waits);
    web_drain(rig.web, on_drained, &rig);
    check_draining(&waits);
    web_rig_advance(&rig, 100);
    assert_false(rig.drained);
    for (int i = 0; i < 200000 && !last; i++)
        last = read_on(&bytes);
    assert_true(last);
    wait_until_drained();
    assert_int_equal(web_rig_records(&rig, "\"complete\":true"), 1);
    assert_int_equal(web_rig_records(&rig, "export_begun"), 1);
}

static void close_when_drained(void *arg)
{
    (void)arg;
    web_rig_close(&rig);
}

/* The process ends the web as soon as it is drained. */
TEST(draining_sends_an_answer_to_its_last_byte)
{
    size_t bytes, wanted;

    store_events(12);
    start(NULL);
    browser_begin(&b, "GET", "/feed/events", "Authorization: Bearer feed-token\r\n", NULL);
    browser_read_head(&b, &a);
    assert_int_equal(a.status, 200);
    bytes = b.client.len;
    wanted = strlen(a.head) + 2 + strtoul(answer_header(&a, "Content-Length"), NULL, 10);
    assert_in_range(wanted, 1 << 19, 5 << 20);
    web_drain(rig.web, close_when_drained, NULL);
    for (int i = 0; i < 5; i++)
        web_rig_advance(&rig, 50);
    client_forget(&b.client);
    for (int i = 0; i < 200000 && !b.client.eof && !b.client.reset; i++) {
        (void)read_on(&bytes);
        rig.http.now++;
    }
    assert_int_equal(bytes, wanted);
}

/* An export is at its socket; one request is at the database, one waits for it, one for its audit record, one
 * for its password. */
TEST(giving_up_answers_whatever_is_open)
{
    static const char *const targets[] = {"/api/records/sessions", "/api/tiles/top_users",
                                          "/api/tiles/by_site"};
    struct browser others[3], signs_in = {0};

    memset(others, 0, sizeof(others));
    store_events(12);
    rig.conf.reports.readers = 1;
    start("ann");
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    browser_read_head(&b, &a);
    assert_int_equal(a.status, 200);
    rig.trail.held = true;
    for (size_t i = 0; i < 3; i++) {
        begin_another(&others[i], targets[i]);
        rig_wait_for(&rig.http, i == 0 ? rig.trail.waits[0] != NULL : i == 2 || web_rig_database_held());
        web_rig_hold_database(true);
    }
    browser_open(&signs_in, &rig);
    browser_begin(&signs_in, "POST", "/api/sign-in", JSON,
                  "{\"user\":\"bob\",\"password\":\"correct horse\"}");
    rig_iterate_n(&rig.http, 1);
    web_drain(rig.web, on_drained, &rig);
    web_rig_advance(&rig, SECONDS(9));
    assert_false(rig.drained);
    web_give_up(rig.web);
    for (size_t i = 0; i < 3; i++)
        check_draining(&others[i]);
    browser_read(&signs_in, &a); /* its password may have been checked by then */
    assert_true(a.status == 204 || (a.status == 503 && answer_has(&a, "\"code\":\"draining\"")));
    browser_close(&signs_in);
    web_rig_hold_database(false);
    check_broken("the export");
    wait_until_drained();
}

TEST(closing_ends_whatever_is_at_work)
{
    struct browser others[4];

    memset(others, 0, sizeof(others));
    store_events(12);
    start("ann");
    browser_begin(&b, "GET", "/api/export/events.ndjson?range=all", NULL, NULL);
    rig_wait_for(&rig.http, web_rig_records(&rig, "export_begun") == 1);
    web_rig_hold_database(true);
    for (size_t i = 0; i < 4; i++) {
        browser_open(&others[i], &rig);
        memcpy(others[i].cookie, b.cookie, sizeof(b.cookie));
        browser_begin(&others[i], i == 3 ? "POST" : "GET", i == 3 ? "/api/sign-in" : "/api/tiles/running_now",
                      i == 3 ? JSON : NULL, i == 3 ? "{\"user\":\"bob\",\"password\":\"x\"}" : NULL);
    }
    rig_wait_for(&rig.http, web_rig_database_held());
    for (size_t i = 0; i < 4; i++)
        browser_close(&others[i]);
    /* the teardown closes the web and finds nothing left */
}

/* ---- assets, metrics ---- */

TEST(files_of_the_page_are_kept_for_ever_and_pages_not_at_all)
{
    char target[256];
    const char *at;

    start("bob");
    assert_int_equal(browser_get(&b, &a, "/"), 200);
    at = strstr(a.body, "/assets/");
    assert_non_null(at);
    snprintf(target, sizeof(target), "%.*s", (int)strcspn(at, "\"' >"), at);
    b.cookie[0] = '\0'; /* the sign-in page needs them */
    assert_int_equal(browser_get(&b, &a, target), 200);
    assert_string_equal(answer_header(&a, "Cache-Control"), "public, max-age=31536000, immutable");
    assert_null(answer_header(&a, "Content-Encoding"));
    assert_string_equal(answer_header(&a, "Vary"), "Accept-Encoding");
    assert_int_equal(browser_ask(&b, &a, "GET", target, "Accept-Encoding: br, gzip\r\n", NULL), 200);
    assert_string_equal(answer_header(&a, "Content-Encoding"), "gzip");
    assert_memory_equal(a.body, "\x1f\x8b", 2);
    assert_int_equal(browser_ask(&b, &a, "GET", target, "Accept-Encoding: gzip;q=0\r\n", NULL), 200);
    assert_null(answer_header(&a, "Content-Encoding"));
    target[10]++; /* another hash */
    assert_int_equal(browser_get(&b, &a, target), 404);
    assert_int_equal(browser_get(&b, &a, "/assets/../index.html"), 404);
    assert_int_equal(browser_get(&b, &a, "/assets/%2e%2e/index.html"), 404);
}

TEST(metrics_name_no_person)
{
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
    assert_int_equal(browser_sign_in(&b, &a, "bob", "wrong"), 401);
    assert_int_equal(browser_ask(&b, &a, "GET", "/metrics", "Authorization: Bearer other-token\r\n", NULL),
                     200);
    assert_true(answer_has(&a, "\njumpgate_reports_sign_ins_total{outcome=\"failed\"} 1\n"));
    assert_true(answer_has(&a, "\njumpgate_reports_tile_seconds_count{tile=\"top_users\"} 1\n"));
    assert_true(answer_has(&a, "\njumpgate_reports_web_sessions 1\n"));
    assert_true(answer_has(&a, "\njumpgate_reports_site_state{site=\"" RIG_HOST "\",state=\"Pending\"} 1\n"));
    assert_true(answer_has(&a, "\njumpgate_reports_audit_writable 1\n"));
    assert_false(answer_has(&a, "ann"));
    assert_false(answer_has(&a, "user "));
}

#define BYTES "\njumpgate_reports_database_bytes "

static bool metrics_have(const char *text)
{
    assert_int_equal(browser_ask(&b, &a, "GET", "/metrics", "Authorization: Bearer other-token\r\n", NULL),
                     200);
    return answer_has(&a, text);
}

/* The size of a server's database is read with the rows of sites, before the tile that is asked for next. */
static void start_server(const char *bytes)
{
    rig.conf.reports.readers = 1;
    web_rig_server(&rig, bytes);
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/tiles/top_users?range=all"), 200);
}

TEST(the_size_of_the_database_is_that_of_its_file)
{
    start("ann");
    assert_true(metrics_have(BYTES));
    assert_false(answer_has(&a, BYTES "0\n"));
}

TEST(the_size_of_the_database_is_what_its_server_says)
{
    start_server("SELECT 4321");
    assert_true(metrics_have(BYTES "4321\n"));
    assert_int_equal(browser_get(&b, &a, "/api/collector"), 200);
    assert_true(answer_has(&a, "\"bytes\":4321"));
}

TEST(a_size_that_may_not_be_asked_for_is_left_out)
{
    rig_exec(&rig.store,
             "INSERT INTO \"jg_site\" (\"host_name\", \"name\", \"state\", \"since\", \"skew_ms\", "
             "\"enabled\") VALUES ('" RIG_HOST "', 'one', 'Connected', 5, 0, 1)");
    start_server("SELECT no_such_function()");
    assert_false(metrics_have(BYTES));
    assert_true(
        answer_has(&a, "\njumpgate_reports_site_state{site=\"" RIG_HOST "\",state=\"Connected\"} 1\n"));
}

/* ---- the collector of another process ---- */

#define SITE(host, name, state)                                                                              \
    "INSERT INTO \"jg_site\" (\"host_name\", \"name\", \"state\", \"since\", \"skew_ms\", "                  \
    "\"last_success\", \"enabled\") "                                                                        \
    "VALUES ('" host "', '" name "', '" state "', 5, 0, 6, 1)"
#define BACKFILL(position)                                                                                   \
    "INSERT INTO \"jg_cursor\" (\"host_name\", \"source\", \"position\", \"updated_at\") VALUES ('" RIG_HOST \
    "', 'backfill', '" position "', 7) ON CONFLICT DO UPDATE SET \"position\" = excluded.\"position\""
#define INCOMPLETE "{\"site\":\"" RIG_HOST "\",\"since\":\"1970-01-01T00:01:40Z\",\"why\":\"backfill\"}"

/* Rows of sites are read every ten seconds. */
static bool tile_has(const char *text)
{
    /* The reader's look that is under way ends first: the time that moves would end it without its rows. */
    assert_int_equal(browser_get(&b, &a, "/api/tiles/by_site?range=all"), 200);
    web_rig_advance(&rig, 10000);
    for (int i = 0; i < 3; i++) /* one reader reads the rows before it answers the last of these */
        assert_int_equal(browser_get(&b, &a, "/api/tiles/by_site?range=all"), 200);
    return answer_has(&a, text);
}

TEST(a_backfill_of_another_process_is_incomplete)
{
    rig_exec(&rig.store, SITE(RIG_HOST, "one", "Connected"));
    rig_exec(&rig.store, BACKFILL("500 1000 100"));
    rig.conf.reports.readers = 1;
    start("ann");
    assert_true(tile_has(INCOMPLETE));
    rig_exec(&rig.store, BACKFILL("1000 1000 100")); /* all is listed, and one session is to be fetched */
    rig_exec(&rig.store,
             "INSERT INTO \"jg_todo\" (\"host_name\", \"lsid\", \"why\", \"tries\", \"next_at\") VALUES "
             "('" RIG_HOST "', 'a', 'backfill', 0, 0), ('" RIG_HOST "', 'b', 'listed', 0, 0)");
    assert_true(tile_has(INCOMPLETE));
    rig_exec(&rig.store, "DELETE FROM \"jg_todo\" WHERE \"why\" = 'backfill'");
    assert_false(tile_has("\"why\":\"backfill\""));
    rig_exec(&rig.store, BACKFILL("100 1000")); /* of a version that wrote no start */
    assert_true(tile_has(INCOMPLETE));
}

TEST(sites_that_are_not_asked_are_off)
{
    rig_exec(&rig.store, SITE(RIG_HOST, "one", "Connected"));
    rig_exec(&rig.store, SITE("gone.example.com", "three", "Connected"));
    rig.sites[1].enabled = false;
    rig.conf.reports.readers = 1;
    start("ann");
    assert_true(tile_has(RIG_HOST));
    assert_int_equal(browser_get(&b, &a, "/api/collector"), 200);
    assert_true(answer_has(&a, "\"host_name\":\"" RIG_HOST "\",\"state\":\"Connected\""));
    assert_true(answer_has(&a, "\"host_name\":\"two.example.com\",\"state\":\"Off\""));
    assert_true(answer_has(&a, "\"host_name\":\"gone.example.com\",\"state\":\"Off\""));
}

TEST(sessions_that_fail_are_listed_with_their_error)
{
    rig_exec(&rig.store, SITE(RIG_HOST, "one", "Connected"));
    rig_exec(&rig.store, "INSERT INTO \"jg_todo\" (\"host_name\", \"lsid\", \"why\", \"tries\", \"next_at\", "
                         "\"error\") VALUES "
                         "('" RIG_HOST "', 'aa', 'listed', 5, 1000, 'cut \"off\"'), ('" RIG_HOST
                         "', 'bb', 'listed', 4, 0, 'once'), "
                         "('gone.example.com', 'cc', 'listed', 9, 500, NULL)");
    start("ann");
    assert_int_equal(browser_get(&b, &a, "/api/collector"), 200);
    assert_true(answer_has(
        &a,
        "\"failed_sessions\":[{\"host_name\":\"gone.example.com\",\"lsid\":\"cc\",\"tries\":9,"
        "\"next_at\":\"1970-01-01T00:08:20Z\",\"error\":null},{\"host_name\":\"" RIG_HOST
        "\",\"lsid\":\"aa\",\"tries\":5,\"next_at\":\"1970-01-01T00:16:40Z\",\"error\":\"cut \\\"off\\\"\"}],"
        "\"gateways\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WEB_TEST(views_are_recorded_before_they_are_answered),
        WEB_TEST(strict_shows_nothing_that_cannot_be_recorded),
        WEB_TEST(degraded_shows_it_all_the_same),
        WEB_TEST(what_the_page_asks_again_is_no_view_and_nothing_else_is_hidden),
        WEB_TEST(a_client_may_leave_before_its_record_is_written),
        WEB_TEST(an_export_is_the_whole_set),
        WEB_TEST(a_failure_in_the_middle_of_an_export_breaks_the_connection),
        WEB_TEST(a_large_export_waits_for_its_reader_and_delays_no_page),
        WEB_TEST(an_export_ends_with_its_client),
        WEB_TEST(an_export_that_ends_early_is_no_whole_one),
        WEB_TEST(a_user_has_two_exports_at_once),
        WEB_TEST(exports_end_with_their_session),
        WEB_TEST(an_export_outlives_its_idle_session_and_does_not_prolong_it),
        WEB_TEST(a_layout_is_kept_for_its_user_by_revision),
        WEB_TEST(a_layout_has_known_tiles_once_each),
        WEB_TEST(a_layout_waits_for_the_collectors_transaction),
        WEB_TEST(a_lock_of_another_program_is_no_slow_query),
        WEB_TEST(a_database_that_has_stopped_keeps_no_request),
        WEB_TEST(a_query_that_takes_too_long_is_interrupted),
        WEB_TEST(a_query_ends_with_its_client),
        WEB_TEST(a_lost_database_is_said_and_found_again),
        WEB_TEST(too_many_queries_are_refused),
        WEB_TEST(draining_lets_answers_end),
        WEB_TEST(draining_refuses_exports_that_wait_and_ends_those_that_do_not),
        WEB_TEST(draining_sends_an_answer_to_its_last_byte),
        WEB_TEST(giving_up_answers_whatever_is_open),
        WEB_TEST(closing_ends_whatever_is_at_work),
        WEB_TEST(files_of_the_page_are_kept_for_ever_and_pages_not_at_all),
        WEB_TEST(metrics_name_no_person),
        WEB_TEST(the_size_of_the_database_is_that_of_its_file),
        WEB_TEST(the_size_of_the_database_is_what_its_server_says),
        WEB_TEST(a_size_that_may_not_be_asked_for_is_left_out),
        WEB_TEST(a_backfill_of_another_process_is_incomplete),
        WEB_TEST(sites_that_are_not_asked_are_off),
        WEB_TEST(sessions_that_fail_are_listed_with_their_error),
    };

    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
