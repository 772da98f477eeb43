/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http_refusals.c - what the server refuses by itself: one table, each row sent whole and byte by byte.
 *
 * Each row must be answered once, in the application's form, with the connection closed after it, and a
 * request smuggled behind it must not reach the application.
 */
#include "check.h"
#include "http_rig.h"
#include "loop/server/request_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define H    "Host: h\r\n"
#define POST "POST /echo HTTP/1.1\r\n" H
#define CH   POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct row {
    const char *bytes;
    int status;
    size_t n; /* 0 = strlen */
} rows[] = {
    /* the request line */
    {"nonsense\r\n\r\n", 400, 0},
    {"\x16\x03\x01\x02\x01\x03\x03 hello\r\n\r\n", 400, 0},
    {"GET  /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo  HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET\t/echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {" GET /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo HTTP/1.1 \r\n" H "\r\n", 400, 0},
    {"GET /ec\x01ho HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /ec\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo#x HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo XTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo RTSP/1.0\r\n" H "\r\n", 400, 0},
    {"GET /echo HTTP/1.10\r\n" H "\r\n", 400, 0},
    {"GET /echo HTTP/1\r\n" H "\r\n", 400, 0},
    {"BREW /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"get /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"CONNECT h:1 HTTP/1.1\r\n" H "\r\n", 501, 0},
    {"GET /echo\r\n\r\n", 505, 0},
    {"GET /echo HTTP/0.9\r\n\r\n", 505, 0},
    {"GET /echo HTTP/1.2\r\n" H "\r\n", 505, 0},
    {"GET /echo HTTP/2.0\r\n" H "\r\n", 505, 0},
    {"GET /echo HTTP/3.0\r\n" H "\r\n", 505, 0},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0},
    /* line ends and control bytes */
    {"GET /echo HTTP/1.1\n" H "\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\n\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\n\rX: y\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\r\n\r\n", 400, 0},
    {"\nGET /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"\r\n\r\n\r\n\r\n\r\nGET /echo HTTP/1.1\r\n" H "\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400, 39},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX: a\x01z\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX: a\x7fz\r\n\r\n", 400, 0},
    /* header fields */
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\n folded\r\nHost: h\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost : h\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX y: z\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\n: z\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX\xe9: z\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: h\r\nX(: z\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, 0},
    {"GET /echo HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400, 0},
    {POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", 417, 0},
    {POST "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n\r\nx", 417, 0},
    /* lengths */
    {POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, 0},
    {POST "Content-Length: 3, 3\r\n\r\nabc", 400, 0},
    {POST "Content-Length: +3\r\n\r\nabc", 400, 0},
    {POST "Content-Length: -3\r\n\r\nabc", 400, 0},
    {POST "Content-Length: 0x3\r\n\r\nabc", 400, 0},
    {POST "Content-Length: 3 3\r\n\r\nabc", 400, 0},
    {POST "Content-Length:\r\n\r\nabc", 400, 0},
    {POST "Content-Length: 99999999999999999999\r\n\r\nabc", 400, 0},
    {POST "Content-Length: 18446744073709551615\r\n\r\nabc", 413, 0},
    {POST "Content-Length: 1001\r\n\r\nabc", 413, 0},
    {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, 0},
    /* transfer codings */
    {POST "Transfer-Encoding: gzip\r\n\r\nabc", 501, 0},
    {POST "Transfer-Encoding: xchunked\r\n\r\nabc", 501, 0},
    {POST "Transfer-Encoding: identity\r\n\r\nabc", 501, 0},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 0},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, 0},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
    {POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
    {POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n", 400, 0},
    {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0},
    /* chunks */
    {CH "3\nabc\r\n0\r\n\r\n", 400, 0},
    {CH "3 \r\nabc\r\n0\r\n\r\n", 400, 0},
    {CH " 3\r\nabc\r\n0\r\n\r\n", 400, 0},
    {CH "+3\r\nabc\r\n0\r\n\r\n", 400, 0},
    {CH "0x3\r\nabc\r\n0\r\n\r\n", 400, 0},
    {CH "\r\n", 400, 0},
    {CH "3\r\nabcd\r\n0\r\n\r\n", 400, 0},
    {CH "3\r\nabc0\r\n\r\n", 400, 0},
    {CH "3\r\nabc\n0\r\n\r\n", 400, 0},
    {CH "3;a=b\nabc\r\n0\r\n\r\n", 400, 0},
    {CH "fffffffffffffffff\r\n", 400, 0},
    {CH "3e9\r\n", 413, 0}, /* together with what follows in heads_and_bodies_have_limits; alone it waits */
    {CH "3\r\nabc\r\n0\n\r\n", 400, 0},
    {CH "3\r\nabc\r\n0\r\n\n", 400, 0},
    {CH "3\r\nabc\r\n0\r\nT: x\n\r\n", 400, 0},
    {CH "3\r\nabc\r\n0\r\nT: x\r\n folded\r\n\r\n", 400, 0},
    {CH "3\r\nabc\r\n0\r\nT : x\r\n\r\n", 400, 0},
};

/* A request behind the bad one: a server that takes the border elsewhere serves it. */
static const char smuggled[] = "GET /hold HTTP/1.1\r\n" H "\r\n";

static void check(const struct row *row, bool slowly)
{
    size_t n = row->n ? row->n : strlen(row->bytes);
    char want[32];
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    if (row->status == 413 && strstr(row->bytes, "3e9")) {
        client_send(&c, row->bytes);
        for (int i = 0; i < 1001; i++)
            client_send(&c, "z");
    } else if (slowly) {
        for (size_t i = 0; i < n; i++) {
            client_send_n(&c, row->bytes + i, 1);
            rig_iterate(&rig);
            rig_iterate(&rig);
        }
    } else {
        client_send_n(&c, row->bytes, n);
    }
    client_send(&c, smuggled);
    client_expect_end(&c);
    snprintf(want, sizeof(want), "HTTP/1.1 %d ", row->status);
    if (client_count(&c, want) != 1 || client_count(&c, "HTTP/1.1 ") != 1 || !c.eof || rig.held ||
        client_count(&c, "X-Refused: yes\r\n\r\nrefused: ") != 1 ||
        client_count(&c, "Connection: close\r\n") != 1 || rig.messages || rig.refusals != 1 ||
        rig.gones != rig.heads)
        fail_msg("%s%s: wanted %d, got: %s", row->bytes, slowly ? " byte by byte" : "", row->status, c.in);
    client_close(&c);
    rig_end(&rig);
}

TEST(malformed_requests_are_refused)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], false);
}

TEST(malformed_requests_byte_by_byte_are_refused)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i], true);
}

/* Sends prefix, then `unit` n times, then suffix; returns the status. */
static int ask(const char *prefix, const char *unit, size_t n, const char *suffix)
{
    struct rig rig;
    struct client c;
    size_t size = strlen(prefix) + n * strlen(unit) + strlen(suffix) + 1;
    char *text = malloc(size), *at = text;
    int status;

    assert_non_null(text);
    at = stpcpy(at, prefix);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, unit);
    stpcpy(at, suffix);
    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, text);
    client_expect(&c, "HTTP/1.1 ", 1);
    status = atoi(c.in + 9);
    if (status != 200 && status != 404) {
        client_expect_end(&c);
        assert_true(c.eof);
    }
    client_close(&c);
    rig_end(&rig);
    free(text);
    return status;
}

TEST(heads_and_bodies_have_limits)
{
    static const char line[] = "GET /echo HTTP/1.1\r\nHost: h\r\n";

    /* target: 8192 bytes */
    assert_int_equal(ask("GET /", "a", 8191, " HTTP/1.1\r\nHost: h\r\n\r\n"), 404);
    assert_int_equal(ask("GET /", "a", 8192, " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
    assert_int_equal(ask("GET /", "a", 100000, " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
    /* fields: 100, of which Host is one */
    assert_int_equal(ask(line, "a: b\r\n", 99, "\r\n"), 200);
    assert_int_equal(ask(line, "a: b\r\n", 100, "\r\n"), 431);
    /* bytes of all fields: 32768, with "Host: h\r\n" (9), "X: " and two line ends */
    assert_int_equal(ask("GET /echo HTTP/1.1\r\nHost: h\r\nX: ", "v", 32768 - 9 - 3 - 4, "\r\n\r\n"), 200);
    assert_int_equal(ask("GET /echo HTTP/1.1\r\nHost: h\r\nX: ", "v", 32768, "\r\n\r\n"), 431);
    assert_int_equal(ask("", "x", 100, ""), 400);
    /* trailers count too */
    assert_int_equal(ask(CH "0\r\n", "a: b\r\n", 98, "\r\n"), 200);
    assert_int_equal(ask(CH "0\r\n", "a: b\r\n", 99, "\r\n"), 431);
    /* chunk extensions: 256 bytes in all */
    assert_int_equal(ask(CH "1;", "e", 200, "\r\na\r\n0\r\n\r\n"), 200);
    assert_int_equal(ask(CH "1;", "e", 300, "\r\na\r\n0\r\n\r\n"), 400);
    assert_int_equal(ask(CH, "1;abcdefghijklmnop\r\na\r\n", 20, "0\r\n\r\n"), 400);
    /* body: 1000 */
    assert_int_equal(ask(POST "Content-Length: 1000\r\n\r\n", "b", 1000, ""), 200);
    assert_int_equal(ask(CH, "1\r\nb\r\n", 1000, "0\r\n\r\n"), 200);
    assert_int_equal(ask(CH, "1\r\nb\r\n", 1001, "0\r\n\r\n"), 413);
}

/* The scanner by itself: llhttp refuses some of these too, and neither must rely on the other. */
TEST(the_scanner_refuses_by_itself)
{
    static const struct {
        const char *bytes;
        enum head_verdict verdict;
    } heads[] = {
        {"GET / HTTP/1.1\r\nA: b\r\n\r\n", HEAD_END},
        {"\r\nGET / HTTP/1.1\r\n\r\n", HEAD_END},
        {"GET / HTTP/1.1\r\nA: b\r\n\r", HEAD_MORE},
        {"GET / HTTP/1.1\nA: b\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: b\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: b\rX\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: b\r\n\rX", HEAD_REFUSED},
        {"GET / HTTP/1.1\rXA: b\r\n\r\n", HEAD_REFUSED},
        {"\rXGET / HTTP/1.1\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA : b\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA: \x1b\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\n: b\r\n\r\n", HEAD_REFUSED},
        {"GET / HTTP/1.1\r\nA\r\n\r\n", HEAD_REFUSED},
    };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        case_label("%s", heads[i].bytes);
        struct head_scan scan = {0};
        struct fault fault = {0};
        size_t used = 0, n = strlen(heads[i].bytes);

        assert_int_equal(head_scan(&scan, heads[i].bytes, n, &used, &fault), heads[i].verdict);
        assert_int_equal(fault_is_set(&fault), heads[i].verdict == HEAD_REFUSED);
        if (heads[i].verdict != HEAD_REFUSED)
            assert_int_equal(used, n);
    }
}

TEST(a_refusal_follows_the_answer_before_it)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, "GET /echo HTTP/1.1\r\n" H "\r\nGET /echo HTTP/1.1\r\nX-Request-Id: 7\r\n\r\n");
    client_expect_end(&c);
    assert_int_equal(client_count(&c, "HTTP/1.1 200"), 1);
    assert_int_equal(client_count(&c, "HTTP/1.1 400"), 1);
    assert_true(rig.refused_with_request); /* its head is whole: the application may read its id */
    client_close(&c);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(malformed_requests_byte_by_byte_are_refused),
        cmocka_unit_test(heads_and_bodies_have_limits),
        cmocka_unit_test(the_scanner_refuses_by_itself),
        cmocka_unit_test(a_refusal_follows_the_answer_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
