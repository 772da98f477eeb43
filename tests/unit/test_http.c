/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http.c - requests and answers over plain connections: parsing, keep-alive, pipelining, bodies, clients
 * that leave, time, and the end of the server.
 */
#include "check.h"
#include "http_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define POST(path) "POST " path " HTTP/1.1\r\nHost: h\r\n"

TEST(a_request_is_read_and_answered)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, "POST /echo?a=1&b=%20 HTTP/1.1\r\nHost: h\r\nX-Test: \t some value \t\r\nEmpty:\r\n"
                    "Content-Length: 5\r\n\r\nhello");
    client_expect(&c, "\r\n\r\nhello", 1);
    assert_string_equal(c.in, "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                              "Content-Type: text/plain\r\nContent-Length: 5\r\nX-App: yes\r\n\r\nhello");
    assert_string_equal(rig.method, "POST");
    assert_string_equal(rig.path, "/echo");
    assert_string_equal(rig.query, "a=1&b=%20");
    assert_string_equal(rig.header, "some value");
    assert_int_equal(rig.nheaders, 4);
    assert_int_equal(strncmp(rig.peer, "127.0.0.1:", 10), 0);
    assert_int_equal(http_connections(rig.server), 1);
    assert_int_equal(http_busy(rig.server), 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(requests_may_come_byte_by_byte)
{
    static const char text[] =
        "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nX-Test: v\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n002\r\nde\r\n0\r\nTrailer: x\r\n\r\n" GET("/echo");
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        client_send_n(&c, text + i, 1);
        client_poll(&c);
    }
    client_expect(&c, "HTTP/1.1 200", 2);
    assert_int_equal(client_count(&c, "\r\n\r\nabcde"), 1);
    assert_int_equal(rig.messages, 2);
    assert_string_equal(rig.header, "(none)"); /* nothing of the first request in the second */
    client_close(&c);
    rig_end(&rig);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, POST("/echo") "Content-Length: 3\r\n\r\none" GET("/hold") POST(
                        "/echo") "Transfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n" GET("/hold"));
    client_expect_held(&c);
    client_expect(&c, "one", 1);
    assert_int_equal(rig.messages, 2);
    rig_iterate_n(&rig, 3);
    assert_int_equal(rig.heads, 2); /* the third waits for the second */
    rig_answer(&rig, 200, "two");
    assert_int_equal(rig.heads, 2); /* not from inside http_respond() */
    client_expect_held(&c);
    rig_answer(&rig, 200, "four");
    client_expect(&c, "four", 1);
    assert_true(strstr(c.in, "one") < strstr(c.in, "two") && strstr(c.in, "two") < strstr(c.in, "three"));
    client_close(&c);
    rig_end(&rig);
}

TEST(pipelined_bytes_are_bounded)
{
    struct rig rig;
    struct client c;
    struct http_server_opts opts = rig_opts;
    char more[600] = "GET /echo HTTP/1.1\r\nHost: h\r\nX-A: ";
    size_t sent = 0;

    memset(more + strlen(more), 'a', sizeof(more) - strlen(more));
    memcpy(more + sizeof(more) - 5, "\r\n\r\n", 5);
    opts.max_pipelined = 1000;
    rig_start(&rig, &opts);
    rig_listen(&rig, &(struct http_listen_opts){.name = "t", .host = "127.0.0.1"});
    client_open(&c, &rig);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    /* The server must stop reading: then the kernel's buffers fill and send() says so. */
    for (int full = 0; full < 20;) {
        ssize_t n = send(c.fd, more, sizeof(more) - 1, MSG_NOSIGNAL);

        if (n == (ssize_t)sizeof(more) - 1)
            sent++;
        else if (n > 0)
            break; /* cut in the middle: enough */
        full += n < 0;
        if (n < 0 || sent % 64 == 0)
            rig_iterate_n(&rig, 1);
        assert_in_range(sent, 0, 10000000);
    }
    assert_int_equal(rig.heads, 1);
    rig_answer(&rig, 200, "held");
    for (int i = 0; i < 100000 && rig.messages < sent + 1; i++) { /* a few in each turn */
        c.len = 0;
        client_poll(&c);
    }
    assert_true(rig.messages >= sent);
    client_close(&c);
    rig_end(&rig);
}

TEST(keep_alive_follows_version_and_header)
{
    static const struct {
        const char *request;
        bool stays;
    } rows[] = {
        {"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Foo, Close\r\n\r\n", false},
        {"GET /echo HTTP/1.0\r\n\r\n", false},
        {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET http://h/echo HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].request);
        struct rig rig;
        struct client c;

        rig_start_plain(&rig);
        client_open(&c, &rig);
        client_send(&c, rows[i].request);
        client_expect(&c, "HTTP/1.1 200", 1);
        if (rows[i].stays) {
            client_send(&c, GET("/hold"));
            client_expect_held(&c);
            rig_answer(&rig, 200, "again");
            client_expect(&c, "again", 1);
        } else {
            client_expect_end(&c);
            assert_true(c.eof);
            assert_int_equal(client_count(&c, "Connection: close\r\n"), 1);
        }
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(responses_without_body_have_none)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, "HEAD /unknown HTTP/1.1\r\nHost: h\r\n\r\n" GET("/none") GET("/echo"));
    client_expect(&c, "HTTP/1.1", 3);
    assert_int_equal(client_count(&c, "Content-Length: 1\r\nX-App: yes\r\n\r\nHTTP/1.1 204"), 1);
    assert_int_equal(
        client_count(&c, "No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-App: yes\r\n\r\nHTTP"), 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(continue_is_sent_for_bodies_that_are_taken)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, POST("/echo") "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
    client_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    assert_int_equal(rig.messages, 0);
    client_send(&c, "abc");
    client_expect(&c, "\r\n\r\nabc", 1);
    client_forget(&c);
    client_send(&c, POST("/reject") "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    client_expect_end(&c);
    assert_int_equal(client_count(&c, "100 Continue"), 0);
    assert_int_equal(client_count(&c, "HTTP/1.1 403"), 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_body_refused_at_its_head_is_not_read)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/reject"));
    client_expect(&c, "\r\n\r\nno", 1); /* no body: the connection stays */
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    client_send(&c, POST("/reject") "Content-Length: 600000\r\n\r\nfirst part");
    client_expect_end(&c); /* the body is not read: it goes */
    assert_int_equal(client_count(&c, "HTTP/1.1 403"), 2);
    assert_int_equal(rig.messages, 1);
    assert_int_equal(rig.gones, 0);
    client_close(&c);
    rig_end(&rig);
}

/* The client goes on sending for a while and still gets the answer, not a reset. */
TEST(a_refused_upload_still_gets_its_answer)
{
    struct rig rig;
    struct client c;
    char *lots = calloc(1, 500000);
    int small = 8192;
    size_t sent = 0;

    assert_non_null(lots);
    memset(lots, 'y', 500000);
    rig_start_plain(&rig);
    client_open(&c, &rig);
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    client_send(&c, POST("/echo") "Content-Length: 500000\r\n\r\n");
    while (sent < 500000) { /* looks at nothing before all is sent, like a simple client */
        ssize_t n = send(c.fd, lots, 500000 - sent, MSG_NOSIGNAL);

        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        rig_iterate(&rig);
    }
    client_expect(&c, "HTTP/1.1 413", 1);
    client_expect_end(&c);
    assert_true(c.eof);
    assert_int_equal(rig.fault.code, FAULT_BODY_TOO_LARGE);
    assert_int_equal(rig.gones, 1);
    client_close(&c);
    rig_end(&rig);
    free(lots);
}

TEST(a_client_that_leaves_is_noticed)
{
    struct rig rig;
    struct client c;

    static const char *const ways[] = {"half close", "close", "close, and gone() answers"};

    for (int how = 0; how < 3; how++) {
        case_label("%s", ways[how]);
        rig_start_plain(&rig);
        client_open(&c, &rig);
        client_send(&c, GET("/hold"));
        client_expect_held(&c);
        assert_int_equal(http_busy(rig.server), 1);
        rig.gone_answers = how == 2;
        if (how == 0)
            shutdown(c.fd, SHUT_WR); /* a half close counts as gone */
        else
            client_close(&c);
        rig_wait_for(&rig, rig.gones);
        assert_int_equal(rig.gones, 1);
        assert_null(rig.held);
        rig_iterate_n(&rig, 2);
        assert_int_equal(http_busy(rig.server), 0);
        assert_int_equal(http_connections(rig.server), 0);
        if (how == 0)
            client_close(&c);
        rig_end(&rig);
    }
}

TEST(a_client_that_leaves_within_a_body_is_noticed)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, POST("/echo") "Content-Length: 10\r\n\r\nabc");
    rig_wait_for(&rig, rig.heads);
    client_close(&c);
    rig_wait_for(&rig, rig.gones);
    assert_int_equal(rig.gones, 1);
    assert_int_equal(rig.messages, 0);
    rig_end(&rig);
}

TEST(the_server_closes_over_requests_in_work)
{
    struct rig rig;
    struct client c[3];

    rig_start_plain(&rig);
    for (int i = 0; i < 3; i++)
        client_open(&c[i], &rig);
    client_send(&c[0], GET("/hold"));
    client_expect_held(&c[0]);
    client_send(&c[1], POST("/echo") "Content-Length: 10\r\n\r\nabc");
    rig_wait_for(&rig, rig.heads >= 2);
    rig_end(&rig);
    assert_int_equal(rig.gones, 2);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
}

TEST(the_server_may_be_closed_from_message)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    rig.close_in_message = true;
    client_open(&c, &rig);
    client_send(&c, GET("/echo") GET("/echo"));
    rig_wait_for(&rig, rig.closed);
    assert_int_equal(rig.messages, 1);
    assert_int_equal(rig.gones, 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(timeouts_end_idle_and_slow_connections)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig); /* idle */
    rig_advance(&rig, 59999);
    assert_int_equal(http_connections(rig.server), 1);
    rig_advance(&rig, 1);
    client_expect_end(&c);
    assert_int_equal(c.len, 0);
    client_close(&c);

    client_open(&c, &rig); /* idle counts from the last answer, whatever ran before */
    client_send(&c, "GET /echo HTTP/1.1\r\n");
    rig_advance(&rig, SECONDS(1));
    client_send(&c, "Host: h\r\n\r\n");
    client_expect(&c, "HTTP/1.1 200", 1);
    rig_advance(&rig, SECONDS(4));
    rig_advance(&rig, 55999);
    assert_int_equal(http_connections(rig.server), 1);
    rig_advance(&rig, 1);
    client_expect_end(&c);
    client_close(&c);
    rig.heads = 0;

    client_open(&c, &rig); /* a head that comes in drops */
    client_send(&c, "GET /echo HTTP/1.1\r\n");
    rig_advance(&rig, SECONDS(3));
    client_send(&c, "Host: h\r\n");
    rig_advance(&rig, SECONDS(2));
    client_expect(&c, "HTTP/1.1 408", 1);
    client_expect_end(&c);
    client_close(&c);
    assert_int_equal(rig.heads, 0);

    client_open(&c, &rig); /* a body that comes in drops */
    client_send(&c, POST("/echo") "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    rig_advance(&rig, SECONDS(15));
    client_send(&c, "1\r\nb\r\n0\r\n"); /* the trailers do not begin a new time */
    rig_advance(&rig, SECONDS(5));
    client_expect(&c, "HTTP/1.1 408", 1);
    client_expect_end(&c);
    client_close(&c);
    assert_int_equal(rig.gones, 1);

    client_open(&c, &rig); /* work has no deadline here */
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    rig_advance(&rig, SECONDS(10000));
    rig_answer(&rig, 200, "late");
    client_expect(&c, "late", 1);
    rig_advance(&rig, MINUTES(1)); /* and idle begins after it */
    client_expect_end(&c);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_client_that_does_not_read_is_closed)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/big"));
    rig_wait_for(&rig, rig.messages);
    rig_advance(&rig, 9999);
    assert_int_equal(http_connections(rig.server), 1);
    rig_advance(&rig, 1);
    rig_iterate_n(&rig, 3);
    assert_int_equal(http_connections(rig.server), 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_big_answer_is_sent_whole)
{
    struct rig rig;
    struct client c;
    size_t total = 0;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/big") GET("/echo"));
    while (total < 8U * 1024 * 1024 && !c.eof && !c.reset) {
        client_poll(&c);
        total += c.len;
        if (c.len && !strstr(c.in, "404"))
            client_forget(&c);
    }
    for (int i = 0; i < 5000 && rig.messages < 2; i++)
        client_poll(&c);
    assert_int_equal(rig.messages, 2); /* the pipelined one came after it */
    client_close(&c);
    rig_end(&rig);
}

TEST(lingering_ends)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, "nonsense\r\n\r\n");
    client_expect(&c, "HTTP/1.1 400", 1);
    client_expect_end(&c);
    assert_int_equal(http_connections(rig.server), 1); /* the client has not closed */
    rig_advance(&rig, SECONDS(2));
    assert_int_equal(http_connections(rig.server), 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(an_aborted_response_ends_its_connection)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/abort"));
    client_expect_end(&c);
    assert_true(c.eof);
    assert_string_equal(c.in, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    client_close(&c);
    client_open(&c, &rig);
    client_send(&c, GET("/reset"));
    client_expect_end(&c);
    assert_true(c.reset);
    client_close(&c);
    assert_int_equal(rig.gones, 0);
    rig_end(&rig);
}

/* A response in parts, as a slow simulator sends it; and a Date line of another clock. */
TEST(a_response_in_parts_and_of_another_date_is_sent_as_given)
{
    struct rig rig;
    struct client c;
    struct buf none = BUF_INIT(0);

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    http_send_part(rig.held, "HTTP/1.1 200 OK\r\n", 17);
    client_expect(&c, "HTTP/1.1 200 OK\r\n", 1);
    http_send_part(rig.held, "Content-Length: 2\r\n\r\n", 21);
    client_expect(&c, "\r\n\r\n", 1);
    http_abort(rig.held, "ok", 2, false);
    rig.held = NULL;
    client_expect(&c, "\r\n\r\nok", 1);
    client_expect_end(&c);
    client_close(&c);
    client_open(&c, &rig);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    http_respond(rig.held, &(struct http_response){.status = 204, .body = &none, .date = "Date: then\r\n"});
    rig.held = NULL;
    client_expect(&c, "HTTP/1.1 204 No Content\r\nDate: then\r\n\r\n", 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(draining_closes_idle_connections_and_finishes_the_others)
{
    struct rig rig;
    struct client idle, busy, late;
    int fd;

    rig_start_plain(&rig);
    client_open(&idle, &rig);
    client_open(&busy, &rig);
    client_send(&busy, GET("/hold") GET("/echo"));
    client_expect_held(&busy);
    http_drain(rig.server);
    client_expect_end(&idle);
    rig_answer(&rig, 200, "done");
    client_expect(&busy, "Connection: close", 1);
    client_expect_end(&busy);
    assert_int_equal(client_count(&busy, "HTTP/1.1"), 1);
    memset(&late, 0, sizeof(late));
    late.rig = &rig;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        in.sin_port = htons((uint16_t)atoi(strrchr(rig.address, ':') + 1));
        assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), -1);
        assert_int_equal(errno, ECONNREFUSED);
    }
    close(fd);
    client_close(&idle);
    client_close(&busy);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_and_answered),
        cmocka_unit_test(requests_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(pipelined_bytes_are_bounded),
        cmocka_unit_test(keep_alive_follows_version_and_header),
        cmocka_unit_test(responses_without_body_have_none),
        cmocka_unit_test(continue_is_sent_for_bodies_that_are_taken),
        cmocka_unit_test(a_body_refused_at_its_head_is_not_read),
        cmocka_unit_test(a_refused_upload_still_gets_its_answer),
        cmocka_unit_test(a_client_that_leaves_is_noticed),
        cmocka_unit_test(a_client_that_leaves_within_a_body_is_noticed),
        cmocka_unit_test(the_server_closes_over_requests_in_work),
        cmocka_unit_test(the_server_may_be_closed_from_message),
        cmocka_unit_test(timeouts_end_idle_and_slow_connections),
        cmocka_unit_test(a_client_that_does_not_read_is_closed),
        cmocka_unit_test(a_big_answer_is_sent_whole),
        cmocka_unit_test(lingering_ends),
        cmocka_unit_test(an_aborted_response_ends_its_connection),
        cmocka_unit_test(a_response_in_parts_and_of_another_date_is_sent_as_given),
        cmocka_unit_test(draining_closes_idle_connections_and_finishes_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
