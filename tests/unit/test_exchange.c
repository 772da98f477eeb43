/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_exchange.c - request text byte by byte, answers cut at every byte, limits.
 */
#include "loop/upstream/exchange.h"

#include "check.h"

#include <errno.h>
#include <string.h>

struct answer {
    const char *bytes;
    int status; /* or -errno */
    const char *body;
    bool keep;
    bool to_end; /* ends with the connection */
    const char *method;
};

#define OK(headers, rest) "HTTP/1.1 200 OK\r\n" headers "\r\n" rest

/* clang-format off */
static const struct answer answers[] = {
    { OK("Content-Length: 5\r\n", "hello"), 200, "hello", .keep = true },
    { OK("Content-Length: 0\r\n", ""), 200, "", .keep = true },
    { OK("Transfer-Encoding: chunked\r\n", "4\r\nwiki\r\n6;x=y\r\npedia.\r\n0\r\n\r\n"), 200, "wikipedia.",
      .keep = true },
    { OK("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nSet-Cookie: late=1\r\nDate: x\r\n\r\n"), 200, "abc",
      .keep = true },
    { OK("Transfer-Encoding: chunked\r\n", "4 \r\nwiki\r\n6 \t ;x=y\r\npedia.\r\n0    \r\n\r\n"), 200, "wikipedia.",
      .keep = true },
    { OK("Transfer-Encoding: chunked\r\n", "0005 \r\n \r\n\r\n\r\n00 \r\nT: x\r\n\r\n"), 200, " \r\n\r\n", .keep = true },
    { OK("Transfer-Encoding: chunked\r\n", "4 4\r\nwiki\r\n0\r\n\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", " 4\r\nwiki\r\n0\r\n\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", "4\v\r\nwiki\r\n0\r\n\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", "4 \nwiki\r\n0\r\n\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", "\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", "4 "), -ECONNRESET, .to_end = true },
    { "HTTP/1.1 100 Continue\r\nSet-Cookie: a=1\r\nDate: x\r\n\r\n"
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK("Content-Length: 2\r\n", "ok"), 200, "ok", .keep = true },
    { OK("Connection: close\r\nContent-Length: 2\r\n", "ok"), 200, "ok", .keep = false },
    { OK("", "until the end"), 200, "until the end", .to_end = true },
    { OK("", ""), 200, "", .to_end = true },
    { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", .keep = false },
    { "HTTP/1.1 204 No Content\r\n\r\n", 204, "", .keep = true },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "", .keep = true },
    { "HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", .keep = true },
    { OK("", ""), 200, "", .keep = true, .method = "HEAD" },
    /* a body that was announced may come late */
    { "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", .keep = false },
    { "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "", .keep = false },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "", .keep = false },
    { "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "", .keep = false },
    { OK("Content-Length: 50\r\n", ""), 200, "", .keep = false, .method = "HEAD" },
    { OK("Transfer-Encoding: chunked\r\n", ""), 200, "", .keep = false, .method = "HEAD" },
    { "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" OK("Content-Length: 2\r\n", "ok"), -EPROTO,
      .keep = false },
    { "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello" OK("Content-Length: 2\r\n", "ok"), -EPROTO,
      .keep = false },
    { "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OK("", ""), -EPROTO,
      .keep = false },
    /* said to the connection, perhaps before the request came */
    { "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate", 408, "late", .keep = false },
    { "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n4031", 403, "4031", .keep = true },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", -EPROTO, .keep = false },
    { "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, .keep = false },
    { "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", -EPROTO, .keep = false },
    { OK("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), -EPROTO, .keep = false },
    { OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), -EPROTO, .keep = false },
    { OK("Content-Length: -1\r\n", ""), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: chunked\r\n", "zz\r\n"), -EPROTO, .keep = false },
    { OK("Transfer-Encoding: gzip\r\n", "xx"), -EPROTO, .keep = false },
    { OK("Content-Length: 5\r\n", "hel"), -ECONNRESET, .to_end = true },
    { OK("Transfer-Encoding: chunked\r\n", "4\r\nwiki\r\n"), -ECONNRESET, .to_end = true },
    { "HTTP/1.1 200", -ECONNRESET, .to_end = true },
    { "", -ECONNRESET, .to_end = true },
    { OK("Content-Length: 1001\r\n", ""), -EMSGSIZE, .keep = false },
};
/* clang-format on */

struct run {
    struct exchange x;
    struct call call;
};

static void run_begin(struct run *r, const char *method)
{
    memset(r, 0, sizeof(*r));
    r->call.method = method ? method : "GET";
    r->call.target = "/x";
    r->call.body_in = BUF_INIT(1000);
    r->call.cookies = BUF_INIT(16384);
    exchange_init(&r->x);
    assert_int_equal(exchange_begin(&r->x, &r->call, "vault"), 0);
    const char *bytes;
    size_t n = exchange_unsent(&r->x, &bytes);
    exchange_sent(&r->x, n);
}

static void run_end(struct run *r)
{
    call_free_answer(&r->call);
    exchange_finish(&r->x);
    exchange_free(&r->x);
}

static void check(struct run *r, const struct answer *a, int result)
{
    if (a->status < 0) {
        assert_int_equal(result, a->status);
        assert_true(r->call.why[0]);
        return;
    }
    assert_int_equal(result, EXCHANGE_DONE);
    assert_int_equal(r->call.status, a->status);
    assert_int_equal(r->call.body_in.len, strlen(a->body));
    assert_true(!r->call.body_in.len || !memcmp(r->call.body_in.data, a->body, strlen(a->body)));
    assert_int_equal(exchange_reusable(&r->x), a->keep);
    assert_int_equal(r->call.cookies.len, 0);
    assert_string_equal(r->call.value[CALL_DATE], "");
}

/* Feeds the pieces [0,cut) and [cut,n), each from its own allocation of just that size. */
static int feed_cut(struct run *r, const char *bytes, size_t n, size_t cut)
{
    size_t from[] = {0, cut}, len[] = {cut, n - cut};
    int result = EXCHANGE_MORE;

    for (int i = 0; i < 2 && result == EXCHANGE_MORE; i++) {
        char *piece = len[i] ? test_malloc(len[i]) : NULL;
        if (!piece)
            continue;
        memcpy(piece, bytes + from[i], len[i]);
        result = exchange_feed(&r->x, piece, len[i]);
        test_free(piece);
    }
    return result;
}

TEST(answers_cut_at_every_byte)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const struct answer *a = &answers[i];
        size_t n = strlen(a->bytes);
        for (size_t cut = 0; cut <= n; cut++) {
            case_label("cut at %zu: %s", cut, a->bytes);
            struct run r;
            run_begin(&r, a->method);
            int result = feed_cut(&r, a->bytes, n, cut);
            if (a->to_end) {
                assert_int_equal(result, EXCHANGE_MORE);
                result = exchange_end(&r.x);
            }
            check(&r, a, result);
            run_end(&r);
        }
    }
}

TEST(answers_byte_by_byte)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        case_label("%s", answers[i].bytes);
        const struct answer *a = &answers[i];
        struct run r;
        int result = EXCHANGE_MORE;
        run_begin(&r, a->method);
        for (const char *p = a->bytes; *p && result == EXCHANGE_MORE; p++)
            result = exchange_feed(&r.x, p, 1);
        if (a->to_end && result == EXCHANGE_MORE)
            result = exchange_end(&r.x);
        check(&r, a, result);
        run_end(&r);
    }
}

TEST(bytes_after_the_answer)
{
    static const char *const tails[] = {"x", "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};

    for (size_t i = 0; i < 3; i++) {
        struct run r;
        char text[256];
        run_begin(&r, NULL);
        strcpy(text, OK("Content-Length: 2\r\n", "ok"));
        strcat(text, tails[i]);
        assert_int_equal(exchange_feed(&r.x, text, strlen(text)), EXCHANGE_DONE);
        assert_int_equal(r.call.body_in.len, 2);
        assert_false(exchange_reusable(&r.x));
        run_end(&r);
    }
}

TEST(wanted_headers)
{
    static const char text[] =
        OK("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: 7\r\nDate: second\r\n"
           "WWW-AUTHENTICATE-2FA: yes \t \r\nContent-Type: application/json; charset=utf-8\r\n"
           "Set-Cookie: ASP.NET_SessionId=abc; path=/; HttpOnly\r\nset-cookie: b=2\r\n"
           "Set-Cookie-Not: c\r\nX-A-Very-Long-Header-Name-Indeed: d\r\nDat: e\r\n"
           "Content-Length: 0\r\n",
           "");
    static const char cookies[] = "ASP.NET_SessionId=abc; path=/; HttpOnly\nb=2\n";

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct run r;
        run_begin(&r, NULL);
        assert_int_equal(feed_cut(&r, text, sizeof(text) - 1, cut), EXCHANGE_DONE);
        assert_string_equal(r.call.value[CALL_DATE], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_string_equal(r.call.value[CALL_RETRY_AFTER], "7");
        assert_string_equal(r.call.value[CALL_2FA], "yes");
        assert_string_equal(r.call.value[CALL_CONTENT_TYPE], "application/json; charset=utf-8");
        assert_int_equal(r.call.cookies.len, strlen(cookies));
        assert_memory_equal(r.call.cookies.data, cookies, strlen(cookies));
        run_end(&r);
    }
}

TEST(long_values_are_cut)
{
    char text[1024] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: ";
    struct run r;

    memset(text + strlen(text), 'd', 500);
    strcat(text, "\r\n\r\n");
    run_begin(&r, NULL);
    assert_int_equal(exchange_feed(&r.x, text, strlen(text)), EXCHANGE_DONE);
    assert_int_equal(strlen(r.call.value[CALL_DATE]), sizeof(r.call.value[0]) - 1);
    run_end(&r);
}

static int feed_repeated(const char *first, const char *piece, int times)
{
    struct run r;
    int result;

    run_begin(&r, NULL);
    result = exchange_feed(&r.x, first, strlen(first));
    while (result == EXCHANGE_MORE && times-- > 0)
        result = exchange_feed(&r.x, piece, strlen(piece));
    run_end(&r);
    return result;
}

TEST(limits)
{
    assert_int_equal(feed_repeated("HTTP/1.1 200 OK\r\n", "X-Header: 0123456789\r\n", 100000), -EMSGSIZE);
    assert_int_equal(feed_repeated("", "HTTP/1.1 100 Continue\r\n\r\n", 100000), -EMSGSIZE);
    assert_int_equal(feed_repeated("HTTP/1.1 200 OK\r\n", "Set-Cookie: 0123456789\r\n", 100000), -EMSGSIZE);
    assert_int_equal(feed_repeated(OK("Transfer-Encoding: chunked\r\n", ""), "4\r\nwiki\r\n", 100000),
                     -EMSGSIZE);
    assert_int_equal(feed_repeated(OK("Transfer-Encoding: chunked\r\n", "1"), "          ", 100000),
                     -EMSGSIZE);
    assert_int_equal(
        feed_repeated(OK("Transfer-Encoding: chunked\r\n", "0\r\n"), "T: 0123456789\r\n", 100000), -EMSGSIZE);
    assert_int_equal(feed_repeated(OK("Transfer-Encoding: chunked\r\n", "1;"), "0123456789", 100000),
                     -EMSGSIZE);
    assert_int_equal(feed_repeated(OK("", ""), "0123456789", 100000), -EMSGSIZE);
}

static void check_request(struct call *call, const char *expected)
{
    struct exchange x;
    const char *bytes;

    exchange_init(&x);
    assert_true(exchange_valid(call));
    assert_int_equal(exchange_begin(&x, call, "vault:8443"), 0);
    size_t n = exchange_unsent(&x, &bytes);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(bytes, expected, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(exchange_unsent(&x, &bytes), n - i);
        assert_int_equal(*bytes, expected[i]);
        exchange_sent(&x, 1);
    }
    assert_int_equal(exchange_unsent(&x, &bytes), 0);
    assert_int_equal(x.out.len, 0); /* wiped as soon as it is sent */
    exchange_finish(&x);
    exchange_free(&x);
}

#define HEAD(line) line " HTTP/1.1\r\nHost: vault:8443\r\nUser-Agent: jumpgate/" JG_VERSION "\r\n"

TEST(request_text)
{
    check_request(&(struct call){.method = "GET", .target = "/a?b=c"}, HEAD("GET /a?b=c") "\r\n");
    check_request(&(struct call){.method = "POST", .target = "/p"},
                  HEAD("POST /p") "Content-Length: 0\r\n\r\n");
    check_request(&(struct call){.method = "PUT",
                                 .target = "/p",
                                 .headers = "Cookie: a=b\r\nX: y\r\n",
                                 .body = "{}",
                                 .body_len = 2},
                  HEAD("PUT /p") "Cookie: a=b\r\nX: y\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(large_body_is_not_copied)
{
    static char body[100000];
    struct call call = {.method = "POST", .target = "/p", .body = body, .body_len = sizeof(body)};
    struct exchange x;
    const char *bytes;

    exchange_init(&x);
    assert_int_equal(exchange_begin(&x, &call, "v"), 0);
    exchange_sent(&x, exchange_unsent(&x, &bytes));
    assert_int_equal(exchange_unsent(&x, &bytes), sizeof(body));
    assert_ptr_equal(bytes, body);
    exchange_sent(&x, 99999);
    assert_int_equal(exchange_unsent(&x, &bytes), 1);
    exchange_sent(&x, 1);
    assert_int_equal(exchange_unsent(&x, &bytes), 0);
    exchange_free(&x);
}

TEST(forged_requests)
{
    /* clang-format off */
    static const struct call bad[] = {
        { .method = "GET", .target = "x" },
        { .method = "GET", .target = "/a b" },
        { .method = "GET", .target = "/a\r\nX: y" },
        { .method = "GET\r\n", .target = "/" },
        { .method = "", .target = "/" },
        { .method = "GET", .target = "/", .headers = "X: y" },
        { .method = "GET", .target = "/", .headers = "X: y\n" },
        { .method = "GET", .target = "/", .headers = "X: y\r\n\r\n" },
        { .method = "GET", .target = "/", .headers = "X: a\rb\r\n" },
        { .method = "GET", .target = "/", .headers = "\r\n" },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(exchange_valid(&bad[i]));
}

TEST(request_head_too_large)
{
    static char target[70000];
    struct call call = {.method = "GET", .target = target};
    struct exchange x;

    memset(target, 'a', sizeof(target) - 1);
    target[0] = '/';
    exchange_init(&x);
    assert_int_equal(exchange_begin(&x, &call, "v"), -EMSGSIZE);
    exchange_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_cut_at_every_byte),
        cmocka_unit_test(answers_byte_by_byte),
        cmocka_unit_test(bytes_after_the_answer),
        cmocka_unit_test(wanted_headers),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(limits),
        cmocka_unit_test(request_text),
        cmocka_unit_test(large_body_is_not_copied),
        cmocka_unit_test(forged_requests),
        cmocka_unit_test(request_head_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
