/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_web.c - signing in, sessions, forged requests, permissions and headers of the page's server:
 * each rule by a request that would pass without it.
 */
#include "web_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "Content-Type: application/json\r\n"

static void start(void)
{
    web_rig_start(&rig);
    browser_open(&b, &rig);
}

/* ---- headers ---- */

static void check_headers(const char *label)
{
    static const char *const lines[] = {
        "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src "
        "'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'\r\n",
        "\r\nStrict-Transport-Security: max-age=31536000\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nCross-Origin-Opener-Policy: same-origin\r\n",
        "\r\nCross-Origin-Resource-Policy: same-origin\r\n",
        "\r\nX-Request-Id: ",
        "\r\nCache-Control: ",
    };

    case_label("%s", label);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(a.head, lines[i]))
            fail_msg("%s lacks %s in %s", label, lines[i], a.head);
}

TEST(every_answer_has_the_headers)
{
    static const struct {
        const char *bytes;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 303},
        {"GET /sign-in HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 303},
        {"GET /api/nothing HTTP/1.1\r\nHost: h\r\n\r\n", 401},
        {"POST /api/nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 401},
        {"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 404},
        {"GET /api/me HTTP/1.1\r\nHost: h\r\n\r\n", 401},
        {"GET /feed/sessions HTTP/1.1\r\nHost: h\r\n\r\n", 401},
        {"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", 401},
        {"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n", 200},
        {"GET /assets/x/app.js HTTP/1.1\r\nHost: h\r\n\r\n", 404},
        {"DELETE /api/me HTTP/1.1\r\nHost: h\r\n\r\n", 405},
        {"POST /api/sign-in HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 415},
        {"POST /api/sign-in HTTP/1.1\r\nHost: h\r\n" JSON "Content-Length: 2\r\n\r\n{}", 400},
        {"POST /api/sign-in HTTP/1.1\r\nHost: h\r\n" JSON "Content-Length: 99999\r\n\r\n", 413},
        {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET /%00 HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    };

    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        browser_send(&b, rows[i].bytes);
        browser_read(&b, &a);
        case_label("%s", rows[i].bytes);
        assert_int_equal(a.status, rows[i].status);
        check_headers(rows[i].bytes);
    }
}

TEST(every_answer_to_a_user_has_the_headers)
{
    static const struct {
        const char *method, *target, *headers;
        int status;
    } rows[] = {
        {"GET", "/", NULL, 200},
        {"GET", "/nothing", NULL, 404},
        {"GET", "/api/me", NULL, 200},
        {"HEAD", "/api/me", NULL, 200},
        {"GET", "/api/tiles/running_now", NULL, 200},
        {"GET", "/api/records/sessions?range=all", NULL, 200},
        {"GET", "/api/records/sessions?x=1", NULL, 400},
        {"GET", "/api/export/sessions.csv?range=all", NULL, 200},
        {"GET", "/api/export/sessions.ndjson?range=all", NULL, 200},
        {"HEAD", "/api/export/sessions.csv?range=all", NULL, 200},
        {"GET", "/feed/sessions", "Authorization: Bearer feed-token\r\n", 200},
        {"GET", "/metrics", "Authorization: Bearer other-token\r\n", 200},
        {"PUT", "/api/layout", JSON, 403},
    };

    start();
    assert_int_equal(browser_sign_in(&b, &a, "ann", "correct horse"), 204);
    check_headers("signing in");
    browser_sign_in_ok(&b, "ann");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s %s", rows[i].method, rows[i].target);
        assert_int_equal(browser_ask(&b, &a, rows[i].method, rows[i].target, rows[i].headers,
                                     rows[i].status == 403 ? "{}" : NULL),
                         rows[i].status);
        check_headers(rows[i].target);
    }
    assert_int_equal(browser_change(&b, &a, "POST", "/api/sign-out", NULL, ""), 204);
    check_headers("signing out");
}

TEST(a_request_id_is_taken_where_it_splits_nothing)
{
    start();
    assert_int_equal(browser_ask(&b, &a, "GET", "/livez", "X-Request-Id: abc-1\r\n", NULL), 200);
    assert_string_equal(answer_header(&a, "X-Request-Id"), "abc-1");
    assert_int_equal(browser_ask(&b, &a, "GET", "/livez", "X-Request-Id: a b\r\n", NULL), 200);
    assert_null(strstr(a.head, "a b"));
}

/* ---- signing in ---- */

TEST(a_password_signs_in_and_nothing_else_does)
{
    static const struct {
        const char *type, *body;
        int status;
    } rows[] = {
        {"application/json", "{\"user\":\"bob\",\"password\":\"wrong\"}", 401},
        {"application/json", "{\"user\":\"bob\",\"password\":\"\"}", 401},
        {"application/json", "{\"user\":\"nobody\",\"password\":\"correct horse\"}", 401},
        {"application/json", "{\"user\":\"off\",\"password\":\"correct horse\"}", 401},
        {"application/json", "{\"user\":\"BOB\",\"password\":\"correct horse\"}", 401},
        {"application/json", "{\"user\":\"bob\",\"password\":\"correct horse\",\"x\":1}", 400},
        {"application/json", "{\"user\":\"bob\"}", 400},
        {"application/json", "{\"user\":\"bob\",\"user\":\"bob\",\"password\":\"correct horse\"}", 400},
        {"application/json", "{\"user\":[],\"password\":{}}", 400},
        {"application/json", "[]", 400},
        {"application/json", "user=bob", 400},
        {"application/x-www-form-urlencoded", "user=bob&password=correct+horse", 415},
        {"text/plain", "{\"user\":\"bob\",\"password\":\"correct horse\"}", 415},
        {"application/json; charset=utf-8", "{\"user\":\"bob\",\"password\":\"correct horse\"}", 204},
    };

    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char type[128];

        snprintf(type, sizeof(type), "Content-Type: %s\r\n", rows[i].type);
        case_label("%s %s", rows[i].type, rows[i].body);
        assert_int_equal(browser_ask(&b, &a, "POST", "/api/sign-in", type, rows[i].body), rows[i].status);
        assert_int_equal(answer_header(&a, "Set-Cookie") != NULL, rows[i].status == 204);
    }
    assert_int_equal(web_rig_records(&rig, "\"event\":\"sign_in_failed\""), 5);
    assert_int_equal(web_rig_records(&rig, "\"event\":\"sign_in\","), 1);
    assert_int_equal(web_rig_records(&rig, "correct horse"), 0);
}

TEST(a_body_that_does_not_sign_in_is_named_by_its_member)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{\"user\":\"bob\",\"password\":\"p4ss\",\"remember\":true}", "`remember` is not known"},
        {"{\"user\":\"bob\",\"user\":\"ann\",\"password\":\"p4ss\"}", "`user` is there twice"},
        {"{\"user\":\"bob\",\"password\":\"p4ss\",\"password\":\"p4ss\"}", "`password` is there twice"},
        {"{\"password\":\"p4ss\"}", "`user` is missing"},
        {"{\"user\":\"bob\"}", "`password` is missing"},
        {"{\"user\":1,\"password\":\"p4ss\"}", "`user` must be a text"},
        {"{\"user\":\"bob\",\"password\":null}", "`password` must be a text"},
        {"[\"p4ss\"]", "a JSON object"},
        {"{\"user\":\"p4ss\"", "a JSON object"},
    };

    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].body);
        assert_int_equal(browser_ask(&b, &a, "POST", "/api/sign-in", JSON, rows[i].body), 400);
        assert_true(answer_has(&a, "\"code\":\"invalid_request\""));
        assert_true(answer_has(&a, rows[i].says));
        assert_false(answer_has(&a, "p4ss"));
    }
}

TEST(the_cookie_is_of_this_host_alone_and_hidden_from_scripts)
{
    const char *cookie;

    start();
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 204);
    cookie = answer_header(&a, "Set-Cookie");
    assert_int_equal(strncmp(cookie, "__Host-jumpgate=", 16), 0);
    assert_string_equal(cookie + 16 + 64, "; Secure; HttpOnly; SameSite=Strict; Path=/");
    browser_sign_in_ok(&b, "bob");
    assert_int_equal(browser_change(&b, &a, "POST", "/api/sign-out", NULL, ""), 204);
    /* A browser takes a cookie of this name from no answer that lacks Secure or Path=/, one that ends it too.
     */
    assert_string_equal(answer_header(&a, "Set-Cookie"),
                        "__Host-jumpgate=; Max-Age=0; Secure; HttpOnly; SameSite=Strict; Path=/");
}

TEST(one_whole_cookie_is_needed)
{
    char good[128], text[1024];
    static const char *const forms[] = {
        "Cookie: %s; %s\r\n",           /* twice */
        "Cookie: %s\r\nCookie: %s\r\n", /* two lines */
        "Cookie: %.70s\r\n",            /* cut */
        "Cookie: %sa\r\n",              /* longer */
        "Cookie: x%s\r\n",              /* another name */
        "Cookie: \"%s\"\r\n",
        "Cookie: __Host-jumpgate=\r\n",
        "Cookie: __Host-jumpgate=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
    };

    start();
    browser_sign_in_ok(&b, "bob");
    snprintf(good, sizeof(good), "%.*s", (int)(strlen(b.cookie) - 10), b.cookie + 8);
    b.cookie[0] = '\0';
    snprintf(text, sizeof(text), "Cookie: a=b; %s; c=d\r\n", good);
    assert_int_equal(browser_ask(&b, &a, "GET", "/api/me", text, NULL), 200);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof(text), forms[i], good, good);
#pragma GCC diagnostic pop
        case_label("%s", forms[i]);
        assert_int_equal(browser_ask(&b, &a, "GET", "/api/me", text, NULL), 401);
    }
}

TEST(pages_lead_to_the_sign_in_page_and_back)
{
    start();
    assert_int_equal(browser_get(&b, &a, "/"), 303);
    assert_string_equal(answer_header(&a, "Location"), "/sign-in");
    assert_int_equal(browser_get(&b, &a, "/records/sessions?range=7d&f.user=eq:a%20b"), 303);
    assert_string_equal(answer_header(&a, "Location"),
                        "/sign-in?next=%2Frecords%2Fsessions%3Frange%3D7d%26f.user%3Deq%3Aa%2520b");
    assert_int_equal(browser_get(&b, &a, "//evil.example.com/"), 303);
    assert_string_equal(answer_header(&a, "Location"), "/sign-in"); /* it leads to no other place */
    assert_int_equal(browser_get(&b, &a, "/records/sessions/"), 303);
    assert_string_equal(answer_header(&a, "Location"), "/sign-in");
    browser_sign_in_ok(&b, "bob");
    assert_int_equal(browser_get(&b, &a, "/records/sessions/"), 404);
    assert_string_equal(answer_header(&a, "Content-Type"), "text/html; charset=utf-8");
    assert_int_equal(browser_get(&b, &a, "/api/nothing"), 404);
    assert_string_equal(answer_header(&a, "Content-Type"), "application/problem+json");
    assert_int_equal(browser_ask(&b, &a, "POST", "/api/nothing", NULL, ""), 404);
    assert_int_equal(browser_get(&b, &a, "/"), 200);
    assert_string_equal(answer_header(&a, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(answer_header(&a, "Cache-Control"), "no-store");
    assert_int_equal(browser_get(&b, &a, "/records/nothing"), 404);
    assert_int_equal(browser_get(&b, &a, "/collector"), 403);
}

/* ---- locked out ---- */

TEST(a_user_is_locked_out_for_one_network)
{
    struct browser other = {0};

    start();
    for (int i = 0; i < 3; i++)
        assert_int_equal(browser_sign_in(&b, &a, "bob", "wrong"), 401);
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 429);
    assert_true(answer_has(&a, "\"code\":\"locked_out\""));
    assert_string_equal(answer_header(&a, "Retry-After"), "900");
    assert_int_equal(web_rig_records(&rig, "\"event\":\"locked_out\""), 1);
    assert_int_equal(browser_sign_in(&b, &a, "ann", "correct horse"), 204);
    rig.source = "127.0.0.2";
    browser_open(&other, &rig);
    assert_int_equal(browser_sign_in(&other, &a, "bob", "correct horse"), 204);
    browser_close(&other);
    rig.source = NULL;
    web_rig_advance(&rig, MINUTES(15) - SECONDS(1));
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 429);
    assert_string_equal(answer_header(&a, "Retry-After"), "1");
    web_rig_advance(&rig, SECONDS(1));
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 204);
    for (int k = 0; k < 2; k++) { /* a success clears the count */
        for (int i = 0; i < 2; i++)
            assert_int_equal(browser_sign_in(&b, &a, "bob", "wrong"), 401);
        assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 204);
    }
}

TEST(many_attempts_at_once_count_like_one_after_the_other)
{
    struct browser many[6];
    unsigned wrong = 0, locked = 0;

    memset(many, 0, sizeof(many));
    start();
    for (size_t i = 0; i < 6; i++)
        browser_open(&many[i], &rig);
    for (size_t i = 0; i < 6; i++)
        browser_begin(&many[i], "POST", "/api/sign-in", JSON,
                      i < 5 ? "{\"user\":\"bob\",\"password\":\"wrong\"}"
                            : "{\"user\":\"bob\",\"password\":\"correct horse\"}");
    for (size_t i = 0; i < 6; i++) {
        browser_read(&many[i], &a);
        wrong += a.status == 401;
        locked += a.status == 429;
        browser_close(&many[i]);
    }
    assert_int_equal(wrong, 3);
    assert_int_equal(locked, 3);
}

TEST(a_network_has_twenty_attempts_a_minute)
{
    rig.conf.web.sign_in_attempts = 1;
    start();
    for (int i = 0; i < 20; i++) {
        (void)browser_sign_in(&b, &a, "u", "wrong"); /* locked out after the first: no password is checked */
        assert_true(!answer_has(&a, "rate_limited"));
    }
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 429);
    assert_true(answer_has(&a, "\"code\":\"rate_limited\""));
    assert_string_equal(answer_header(&a, "Retry-After"), "3");
    web_rig_advance(&rig, SECONDS(3));
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 204);
}

TEST(eight_wait_to_sign_in_and_no_more)
{
    struct browser many[11];
    unsigned refused = 0;

    memset(many, 0, sizeof(many));
    start();
    for (size_t i = 0; i < 11; i++)
        browser_open(&many[i], &rig);
    for (size_t i = 0; i < 11; i++) /* one is checked, eight wait */
        browser_begin(&many[i], "POST", "/api/sign-in", JSON,
                      "{\"user\":\"bob\",\"password\":\"correct horse\"}");
    for (size_t i = 0; i < 11; i++) {
        browser_read(&many[i], &a);
        refused += a.status == 503;
        assert_true(a.status == 204 || (a.status == 503 && answer_has(&a, "\"code\":\"overloaded\"")));
        browser_close(&many[i]);
    }
    assert_in_range(refused, 1, 2);
}

TEST(a_client_may_leave_while_its_password_is_checked)
{
    struct browser many[3];

    memset(many, 0, sizeof(many));
    start();
    for (size_t i = 0; i < 3; i++) {
        browser_open(&many[i], &rig);
        browser_begin(&many[i], "POST", "/api/sign-in", JSON,
                      "{\"user\":\"bob\",\"password\":\"correct horse\"}");
    }
    rig_iterate_n(&rig.http, 3);
    for (size_t i = 0; i < 3; i++)
        browser_close(&many[i]);
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 204);
}

/* ---- forged requests ---- */

TEST(what_changes_something_needs_the_token_and_this_origin)
{
    static const struct {
        const char *headers; /* %s = the token */
        int status;
    } rows[] = {
        {"", 403},
        {"X-Jumpgate-Csrf: \r\n", 403},
        {"X-Jumpgate-Csrf: 0000000000000000000000000000000000000000000000000000000000000000\r\n", 403},
        {"X-Jumpgate-Csrf: %.63s\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nX-Jumpgate-Csrf: %s\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nOrigin: https://evil.example.com\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nOrigin: null\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nOrigin: http://reports.example.com\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nOrigin: https://reports.example.com.evil.example.com\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nSec-Fetch-Site: cross-site\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nSec-Fetch-Site: same-site\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nSec-Fetch-Site: none\r\n", 403},
        {"X-Jumpgate-Csrf: %s\r\nOrigin: https://reports.example.com\r\nSec-Fetch-Site: same-origin\r\n",
         204},
    };
    char headers[512];

    start();
    browser_sign_in_ok(&b, "bob");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(headers, sizeof(headers), rows[i].headers, b.csrf, b.csrf);
#pragma GCC diagnostic pop
        case_label("%s", headers);
        assert_int_equal(browser_ask(&b, &a, "POST", "/api/sign-out", headers, ""), rows[i].status);
        if (rows[i].status == 403)
            assert_true(answer_has(&a, "\"code\":\"csrf\""));
    }
    assert_int_equal(browser_get(&b, &a, "/api/me"), 401);
    assert_int_equal(web_rig_records(&rig, "\"event\":\"sign_out\""), 1);
}

TEST(a_token_is_of_its_session)
{
    struct browser other = {0};

    start();
    browser_sign_in_ok(&b, "bob");
    browser_open(&other, &rig);
    browser_sign_in_ok(&other, "bob");
    memcpy(b.csrf, other.csrf, sizeof(b.csrf));
    assert_int_equal(browser_change(&b, &a, "POST", "/api/sign-out", NULL, ""), 403);
    assert_int_equal(browser_change(&other, &a, "POST", "/api/sign-out", NULL, ""), 204);
    browser_close(&other);
}

TEST(another_site_cannot_sign_a_browser_in)
{
    static const char body[] = "{\"user\":\"bob\",\"password\":\"correct horse\"}";

    start();
    assert_int_equal(
        browser_ask(&b, &a, "POST", "/api/sign-in", JSON "Origin: https://evil.example.com\r\n", body), 403);
    assert_int_equal(browser_ask(&b, &a, "POST", "/api/sign-in", JSON "Sec-Fetch-Site: cross-site\r\n", body),
                     403);
    assert_int_equal(
        browser_ask(&b, &a, "POST", "/api/sign-in", JSON "Origin: https://reports.example.com\r\n", body),
        204);
}

/* ---- sessions end ---- */

TEST(a_session_ends_when_idle_and_at_its_age)
{
    start();
    browser_sign_in_ok(&b, "bob");
    for (int i = 0; i < 24; i++) { /* used every half hour */
        web_rig_advance(&rig, MINUTES(30) - 1);
        assert_int_equal(browser_get(&b, &a, "/api/me"), 200);
    }
    web_rig_advance(&rig, 23);
    assert_int_equal(browser_get(&b, &a, "/api/me"), 200);
    web_rig_advance(&rig, 1);
    assert_int_equal(browser_get(&b, &a, "/api/me"),
                     401); /* after 12 hours, a millisecond after the last use */
    browser_sign_in_ok(&b, "bob");
    web_rig_advance(&rig, MINUTES(30));
    assert_int_equal(browser_get(&b, &a, "/api/me"), 401);
}

TEST(the_eleventh_session_of_a_user_ends_the_one_used_longest_ago)
{
    struct browser many[11];
    struct browser ann = {0};

    memset(many, 0, sizeof(many));
    start();
    browser_open(&ann, &rig);
    browser_sign_in_ok(&ann, "ann");
    for (size_t i = 0; i < 11; i++) {
        browser_open(&many[i], &rig);
        browser_sign_in_ok(&many[i], "bob");
        web_rig_advance(&rig, SECONDS(4));
        assert_int_equal(browser_get(&many[0], &a, "/api/me"), 200); /* many[1] is the oldest */
    }
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(browser_get(&many[i], &a, "/api/me"), i == 1 ? 401 : 200);
    assert_int_equal(browser_get(&ann, &a, "/api/me"), 200);
    for (size_t i = 0; i < 11; i++)
        browser_close(&many[i]);
    browser_close(&ann);
}

TEST(a_reload_signs_out_whom_it_changes)
{
    struct browser ann = {0};
    struct reports_user users[4];
    struct reports_conf next;
    struct web_next *prepared;
    char why[256];

    start();
    browser_sign_in_ok(&b, "bob");
    browser_open(&ann, &rig);
    browser_sign_in_ok(&ann, "ann");
    memcpy(users, rig.users, sizeof(users));
    next = rig.conf;
    next.users = users;
    users[1].allow |= REPORTS_EXPORT;
    prepared = web_prepare(rig.web, &next, why);
    assert_non_null(prepared);
    web_reload(rig.web, prepared);
    assert_int_equal(browser_get(&b, &a, "/api/me"), 401);
    assert_int_equal(browser_get(&ann, &a, "/api/me"), 200);
    browser_close(&ann);
    prepared = web_prepare(rig.web, &rig.conf, why);
    assert_non_null(prepared);
    web_reload(rig.web, prepared);
}

TEST(a_password_that_is_changed_while_it_is_checked_is_wrong)
{
    struct browser many[6];
    struct reports_user users[4];
    struct reports_conf next;
    struct web_next *prepared;
    char why[256];

    memset(many, 0, sizeof(many));
    start();
    for (size_t i = 0; i < 6; i++) { /* one is checked, and one after the other */
        browser_open(&many[i], &rig);
        browser_begin(&many[i], "POST", "/api/sign-in", JSON,
                      "{\"user\":\"bob\",\"password\":\"correct horse\"}");
    }
    rig_iterate_n(&rig.http, 3);
    memcpy(users, rig.users, sizeof(users));
    next = rig.conf;
    next.users = users;
    users[1].password = strdup(rig.users[1].password);
    assert_non_null(users[1].password);
    users[1].password[strlen(users[1].password) - 1] = 'A';
    prepared = web_prepare(rig.web, &next, why);
    assert_non_null(prepared);
    web_reload(rig.web, prepared);
    browser_read(&many[5], &a);
    if (a.status != 401 && a.status != 429) /* locked out, after the others */
        fail_msg("%d", a.status);
    for (size_t i = 0; i < 6; i++)
        browser_close(&many[i]);
    prepared = web_prepare(rig.web, &rig.conf, why);
    assert_non_null(prepared);
    web_reload(rig.web, prepared);
    free(users[1].password);
}

TEST(a_reload_with_a_key_that_cannot_be_read_is_refused)
{
    struct reports_conf next;
    char why[256];

    start();
    next = rig.conf;
    next.web.tls_key = rig.store.path;
    assert_null(web_prepare(rig.web, &next, why));
    assert_true(strlen(why) > 0);
    web_discard(web_prepare(rig.web, &rig.conf, why));
    assert_int_equal(browser_get(&b, &a, "/livez"), 200);
}

/* ---- certificates ---- */

static void with_client_ca(void)
{
    rig.conf.web.client_ca = (char *)(uintptr_t)tls_file("ca", ".crt", rig.ca);
    rig.client_cert = "good";
}

TEST(a_certificate_alone_signs_in_its_user)
{
    with_client_ca();
    free(rig.users[1].password);
    rig.users[1].password = NULL;
    rig.users[1].certificate_san = strdup("DNS:PRA.example");
    start();
    assert_int_equal(browser_get(&b, &a, "/api/me"), 200);
    assert_true(answer_has(&a, "\"user\":\"bob\""));
    assert_non_null(answer_header(&a, "Set-Cookie"));
    assert_int_equal(browser_ask(&b, &a, "POST", "/api/sign-out", NULL, ""), 401);
    assert_int_equal(browser_sign_in(&b, &a, "bob", "correct horse"), 401);
    assert_int_equal(web_rig_records(&rig, "\"method\":\"certificate\""), 1);
}

TEST(a_certificate_of_a_user_that_is_not_enabled_signs_in_no_one)
{
    with_client_ca();
    free(rig.users[1].password);
    rig.users[1].password = NULL;
    rig.users[1].certificate_san = strdup("DNS:PRA.example");
    rig.users[1].enabled = false;
    start();
    assert_int_equal(browser_get(&b, &a, "/api/me"), 401);
    assert_null(answer_header(&a, "Set-Cookie"));
}

TEST(both_named_means_both_required)
{
    struct browser bare = {0};

    with_client_ca();
    rig.users[1].certificate_san = strdup("DNS:pra.example");
    start();
    assert_int_equal(browser_get(&b, &a, "/api/me"), 401); /* the certificate is not enough */
    browser_sign_in_ok(&b, "bob");
    rig.client_cert = "bare";
    browser_open(&bare, &rig);
    assert_int_equal(browser_sign_in(&bare, &a, "bob", "correct horse"), 401); /* nor is the password */
    memcpy(bare.cookie, b.cookie, sizeof(bare.cookie));
    assert_int_equal(browser_get(&bare, &a, "/api/me"), 401); /* nor a stolen cookie */
    browser_close(&bare);
    assert_int_equal(browser_get(&b, &a, "/api/me"), 200);
}

/* ---- permissions ---- */

TEST(permissions_are_those_of_the_user)
{
    static const struct {
        const char *target;
        int ann, bob, eve;
    } rows[] = {
        {"/api/me", 200, 200, 200},
        {"/api/tiles", 200, 200, 200},
        {"/api/tiles/running_now", 200, 200, 200},
        {"/api/records/sessions?range=all", 200, 200, 200},
        {"/api/records/nothing", 404, 404, 404},
        {"/api/records/sessions/columns", 200, 200, 200},
        {"/api/values/sessions/user", 200, 200, 200},
        {"/api/export/sessions.csv?range=all", 200, 403, 200},
        {"/api/export/sessions.xls", 404, 403, 404},
        {"/api/collector", 200, 403, 403},
        {"/api/layout", 200, 200, 200},
        {"/api/sessions/" RIG_HOST "/00000000000000000000000000000001", 200, 200, 404},
        {"/api/sessions/" RIG_HOST "/00000000000000000000000000000001/events", 200, 200, 404},
        {"/feed/sessions", 401, 401, 401},
        {"/metrics", 401, 401, 401},
    };
    static const char *const users[] = {"ann", "bob", "eve"};

    start();
    for (size_t k = 0; k < 3; k++) {
        browser_sign_in_ok(&b, users[k]);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            int wanted = k == 0 ? rows[i].ann : k == 1 ? rows[i].bob : rows[i].eve;

            case_label("%s %s", users[k], rows[i].target);
            if (browser_get(&b, &a, rows[i].target) != wanted)
                fail_msg("%s %s: %d: %.300s", users[k], rows[i].target, a.status, a.body);
        }
    }
}

TEST(a_parameter_that_a_call_does_not_take_is_named)
{
    static const char *const bare[] = {"/api/me", "/api/tiles", "/api/records/sessions/columns",
                                       "/api/layout", "/api/collector"};
    static const struct {
        const char *query, *said;
    } rows[] = {
        {"?sites=one", "`sites`"},
        {"?&a%3Cb", "`a<b`"},
        {"?%ff=1", "not UTF-8"},
        {"?=", "``"},
    };
    char target[80];

    start();
    browser_sign_in_ok(&b, "ann");
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
            (void)snprintf(target, sizeof(target), "%s%s", bare[i], rows[k].query);
            case_label("%s", target);
            assert_int_equal(browser_get(&b, &a, target), 400);
            assert_non_null(strstr(a.body, rows[k].said));
        }
        (void)snprintf(target, sizeof(target), "%s?", bare[i]);
        assert_int_equal(browser_get(&b, &a, target), 200);
    }
    assert_int_equal(browser_change(&b, &a, "DELETE", "/api/layout?x=1", NULL, ""), 400);
}

TEST(sites_of_a_user_limit_every_answer)
{
    start();
    browser_sign_in_ok(&b, "eve");
    assert_int_equal(browser_get(&b, &a, "/api/me"), 200);
    assert_false(answer_has(&a, RIG_HOST));
    assert_true(answer_has(&a, "two.example.com"));
    assert_int_equal(browser_get(&b, &a, "/api/records/sessions?range=all"), 200);
    assert_true(answer_has(&a, "\"total\":0"));
    assert_int_equal(browser_get(&b, &a, "/api/records/sessions?range=all&site=" RIG_HOST), 200);
    assert_true(answer_has(&a, "\"total\":0"));
    assert_int_equal(browser_get(&b, &a, "/api/tiles/by_site?range=all"), 200);
    assert_false(answer_has(&a, RIG_HOST));
    assert_int_equal(browser_get(&b, &a, "/api/tiles/collector"), 200);
    assert_false(answer_has(&a, RIG_HOST));
    assert_int_equal(browser_get(&b, &a, "/api/values/sessions/user"), 200);
    assert_true(answer_has(&a, "\"values\":[]"));
    assert_int_equal(browser_get(&b, &a, "/api/export/sessions.ndjson?range=all"), 200);
    assert_int_equal(a.len, 0);
}

TEST(links_to_recordings_are_for_those_who_may)
{
    static const char target[] = "/api/sessions/" RIG_HOST "/00000000000000000000000000000001";

    start();
    browser_sign_in_ok(&b, "ann");
    assert_int_equal(browser_get(&b, &a, target), 200);
    assert_true(answer_has(&a, "https://pra.example.com/view?key="));
    browser_sign_in_ok(&b, "bob");
    assert_int_equal(browser_get(&b, &a, target), 200);
    assert_false(answer_has(&a, "view?key="));
}

TEST(readers_show_a_token)
{
    static const struct {
        const char *target, *headers;
        int status;
    } rows[] = {
        {"/feed/sessions", "", 401},
        {"/feed/sessions", "Authorization: Bearer wrong\r\n", 401},
        {"/feed/sessions", "Authorization: Basic feed-token\r\n", 401},
        {"/feed/sessions", "Authorization: Bearer feed-token\r\nAuthorization: Bearer feed-token\r\n", 401},
        {"/feed/sessions", "Authorization: Bearer other-token\r\n", 403},
        {"/feed/sessions", "Authorization: bearer feed-token\r\n", 200},
        {"/metrics", "Authorization: Bearer feed-token\r\n", 403},
        {"/metrics", "Authorization: Bearer other-token\r\n", 200},
        {"/status", "Authorization: Bearer other-token\r\n", 200},
        {"/api/me", "Authorization: Bearer feed-token\r\n", 401},
    };

    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s %s", rows[i].target, rows[i].headers);
        assert_int_equal(browser_ask(&b, &a, "GET", rows[i].target, rows[i].headers, NULL), rows[i].status);
    }
    assert_int_equal(web_rig_records(&rig, "\"event\":\"feed_read\",\"reader\":\"siem\""), 1);
}

TEST(readers_have_a_rate)
{
    rig.readers[0].rate_per_s = 2;
    start();
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            browser_ask(&b, &a, "GET", "/feed/sessions", "Authorization: Bearer feed-token\r\n", NULL), 200);
    assert_int_equal(
        browser_ask(&b, &a, "GET", "/feed/sessions", "Authorization: Bearer feed-token\r\n", NULL), 429);
    assert_true(answer_has(&a, "\"code\":\"rate_limited\""));
    assert_string_equal(answer_header(&a, "Retry-After"), "1");
    web_rig_advance(&rig, 500);
    assert_int_equal(
        browser_ask(&b, &a, "GET", "/feed/sessions", "Authorization: Bearer feed-token\r\n", NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WEB_TEST(every_answer_has_the_headers),
        WEB_TEST(every_answer_to_a_user_has_the_headers),
        WEB_TEST(a_request_id_is_taken_where_it_splits_nothing),
        WEB_TEST(a_password_signs_in_and_nothing_else_does),
        WEB_TEST(a_body_that_does_not_sign_in_is_named_by_its_member),
        WEB_TEST(the_cookie_is_of_this_host_alone_and_hidden_from_scripts),
        WEB_TEST(one_whole_cookie_is_needed),
        WEB_TEST(pages_lead_to_the_sign_in_page_and_back),
        WEB_TEST(a_user_is_locked_out_for_one_network),
        WEB_TEST(many_attempts_at_once_count_like_one_after_the_other),
        WEB_TEST(a_network_has_twenty_attempts_a_minute),
        WEB_TEST(eight_wait_to_sign_in_and_no_more),
        WEB_TEST(a_client_may_leave_while_its_password_is_checked),
        WEB_TEST(what_changes_something_needs_the_token_and_this_origin),
        WEB_TEST(a_token_is_of_its_session),
        WEB_TEST(another_site_cannot_sign_a_browser_in),
        WEB_TEST(a_session_ends_when_idle_and_at_its_age),
        WEB_TEST(the_eleventh_session_of_a_user_ends_the_one_used_longest_ago),
        WEB_TEST(a_reload_signs_out_whom_it_changes),
        WEB_TEST(a_password_that_is_changed_while_it_is_checked_is_wrong),
        WEB_TEST(a_reload_with_a_key_that_cannot_be_read_is_refused),
        WEB_TEST(a_certificate_alone_signs_in_its_user),
        WEB_TEST(a_certificate_of_a_user_that_is_not_enabled_signs_in_no_one),
        WEB_TEST(both_named_means_both_required),
        WEB_TEST(permissions_are_those_of_the_user),
        WEB_TEST(a_parameter_that_a_call_does_not_take_is_named),
        WEB_TEST(sites_of_a_user_limit_every_answer),
        WEB_TEST(links_to_recordings_are_for_those_who_may),
        WEB_TEST(readers_show_a_token),
        WEB_TEST(readers_have_a_rate),
    };

    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
