/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_http_pieces.c - responses in pieces: their framing, back-pressure, clients that leave or do not read,
 * and ends that no client can take for the whole.
 */
#include "http_rig.h"
#include "tls_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct http_response csv = {
    .status = 200, .content_type = "text/csv", .headers = "X-App: yes\r\n"};

#define HEAD_OF(line)                                                                                        \
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/csv\r\n" line              \
    "X-App: yes\r\n\r\n"

static bool give(struct rig *rig, const char *text)
{
    struct buf piece = BUF_INIT(HTTP_PIECE_MAX);
    bool more;

    assert_int_equal(buf_str(&piece, text), 0);
    more = http_piece(rig->held, &piece);
    assert_int_equal(piece.len, 0);
    buf_free(&piece);
    return more;
}

static void end_held(struct rig *rig)
{
    struct http_req *req = rig->held;

    rig->held = NULL;
    http_end(req);
}

static void begin_held(struct rig *rig, struct client *c, const char *request)
{
    client_send(c, request);
    client_expect_held(c);
    assert_true(http_begin(rig->held, &csv));
}

TEST(pieces_are_chunks_and_the_connection_is_kept)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold") GET("/echo"));
    client_expect(&c, "X-App: yes\r\n\r\n", 1);
    assert_int_equal(http_busy(rig.server), 1);
    assert_true(give(&rig, "one"));
    client_expect(&c, "3\r\none", 1);
    assert_true(give(&rig, "")); /* would be the end */
    assert_true(give(&rig, "20 letters in a line"));
    assert_int_equal(rig.messages, 1); /* the next request waits */
    end_held(&rig);
    client_expect(&c, "HTTP/1.1 200", 2);
    assert_non_null(strstr(c.in, HEAD_OF("Transfer-Encoding: chunked\r\n")));
    assert_non_null(strstr(c.in, "\r\n\r\n3\r\none\r\n14\r\n20 letters in a line\r\n0\r\n\r\nHTTP/1.1 200"));
    assert_int_equal(http_busy(rig.server), 0);
    assert_int_equal(rig.gones, 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_response_without_pieces_is_empty)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    end_held(&rig);
    client_expect(&c, "\r\n\r\n0\r\n\r\n", 1);
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 2);
    client_close(&c);
    rig_end(&rig);
}

TEST(http_1_0_gets_the_bytes_alone_and_the_end_of_the_connection)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, "GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    (void)give(&rig, "one");
    (void)give(&rig, "two");
    end_held(&rig);
    client_expect_end(&c);
    assert_false(c.reset);
    assert_string_equal(c.in, HEAD_OF("Connection: close\r\n") "onetwo");
    client_close(&c);
    rig_end(&rig);
}

TEST(head_gets_no_pieces)
{
    struct rig rig;
    struct client c;
    struct http_req *req;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, "HEAD /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    client_expect_held(&c);
    req = rig.held;
    rig.held = NULL;
    assert_false(http_begin(req, &csv));
    client_send(&c, GET("/echo"));
    client_expect(&c, "HTTP/1.1 200", 2);
    assert_non_null(strstr(c.in, HEAD_OF("Transfer-Encoding: chunked\r\n") "HTTP/1.1 200"));
    assert_int_equal(rig.gones, 0);
    client_close(&c);
    rig_end(&rig);
}

/* Piece number n: its letter, HTTP_PIECE_MAX times. */
static bool give_large(struct rig *rig, unsigned n)
{
    struct buf piece = BUF_INIT(HTTP_PIECE_MAX);
    char *at = buf_add(&piece, HTTP_PIECE_MAX);
    bool more;

    assert_non_null(at);
    memset(at, 'a' + (int)(n % 26), HTTP_PIECE_MAX);
    more = http_piece(rig->held, &piece);
    buf_free(&piece);
    return more;
}

/* Counts the letters of each piece; everything else is framing. */
static void count_letters(struct client *c, size_t *letters)
{
    for (size_t i = 0; i < c->len; i++)
        letters[0] += c->in[i] >= 'a' && c->in[i] <= 'z';
    client_forget(c);
}

static unsigned fill(struct rig *rig, unsigned from)
{
    unsigned n = from;

    while (give_large(rig, n++))
        assert_in_range(n, 0, 1000); /* a client that does not read ends it */
    return n;
}

static void check_pressure(struct rig *rig, struct client *c)
{
    size_t letters = 0;
    unsigned n;

    n = fill(rig, 0);
    assert_int_equal(rig->drains, 0);
    rig_iterate_n(rig, 5);
    assert_int_equal(rig->drains, 0); /* the client has read nothing */
    for (unsigned round = 1; round <= 3; round++) {
        for (int i = 0; i < 200000 && rig->drains < round; i++) {
            client_poll(c);
            count_letters(c, &letters);
        }
        assert_int_equal(rig->drains, round);
        n = fill(rig, n);
    }
    end_held(rig);
    for (int i = 0; i < 200000 && letters < n * HTTP_PIECE_MAX; i++) {
        client_poll(c);
        count_letters(c, &letters);
    }
    assert_int_equal(letters, n * HTTP_PIECE_MAX);
    assert_int_equal(http_busy(rig->server), 0);
}

static const char letters_head[] = "HTTP/1.1 200";

TEST(a_slow_reader_holds_the_application_back)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    assert_true(http_begin(rig.held, &csv));
    client_expect(&c, letters_head, 1);
    client_forget(&c);
    check_pressure(&rig, &c);
    client_close(&c);
    rig_end(&rig);
}

static void open_tls(struct rig *rig, struct client *c)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH];
    struct http_tls_opts tls = {.certificate = tls_file("server", ".crt", crt),
                                .key = tls_file("server", ".key", key)};

    rig_start(rig, NULL);
    rig_listen(rig, &(struct http_listen_opts){.name = "tls", .host = "127.0.0.1", .tls = &tls});
    client_open(c, rig);
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_AUTO_RETRY);
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    for (int i = 0; i < 1000 && SSL_connect(c->ssl) != 1; i++)
        rig_iterate(rig);
    assert_true(SSL_is_init_finished(c->ssl));
}

TEST(the_same_over_tls)
{
    struct rig rig;
    struct client c;

    open_tls(&rig, &c);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    assert_true(http_begin(rig.held, &csv));
    client_expect(&c, letters_head, 1);
    client_forget(&c);
    check_pressure(&rig, &c);
    client_send(&c, GET("/echo"));
    client_expect(&c, letters_head, 1);
    client_close(&c);
    rig_end(&rig);
}

/* Its kernel may still acknowledge bytes that the client never takes, a few times. */
static void wait_for_cut(struct rig *rig)
{
    for (int i = 0; i < 5 && http_connections(rig->server); i++)
        rig_advance(rig, SECONDS(11));
    assert_int_equal(http_connections(rig->server), 0);
}

TEST(a_client_that_takes_nothing_is_cut_off_in_time)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    rig_advance(&rig, HOURS(1)); /* nothing waits for the client: the application may take its time */
    assert_int_equal(rig.gones, 0);
    (void)fill(&rig, 0);
    rig_advance(&rig, SECONDS(9));
    assert_int_equal(rig.gones, 0);
    wait_for_cut(&rig);
    assert_int_equal(rig.gones, 1);
    client_close(&c);
    rig_end(&rig);
}

/* Takes so many letters at least, or all that come; then its time is nearly over. */
static void take_slowly(struct client *c, size_t *letters, size_t n)
{
    size_t until = *letters + n;

    for (int i = 0; i < 1000 && *letters < until && !c->reset && !c->eof; i++) {
        client_poll(c);
        count_letters(c, letters);
    }
    rig_advance(c->rig, SECONDS(6));
}

/* The socket's buffer holds far more than the client takes in write_timeout_ms. */
TEST(a_slow_but_steady_reader_gets_the_whole)
{
    struct rig rig;
    struct client c;
    size_t letters = 0, all;
    int small = 32 * 1024;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    client_send(&c, GET("/hold"));
    client_expect_held(&c);
    assert_true(http_begin(rig.held, &csv));
    client_expect(&c, letters_head, 1);
    client_forget(&c);
    all = fill(&rig, 0) * HTTP_PIECE_MAX;
    for (int i = 0; i < 4; i++)
        take_slowly(&c, &letters, HTTP_PIECE_MAX / 2);
    assert_int_equal(rig.gones, 0);
    end_held(&rig);
    while (letters < all && !c.reset && !c.eof)
        take_slowly(&c, &letters, HTTP_PIECE_MAX / 2);
    assert_int_equal(letters, all);
    assert_false(c.reset);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_reader_that_stops_is_cut_off_in_time)
{
    struct rig rig;
    struct client c;
    size_t letters = 0;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    (void)fill(&rig, 0);
    take_slowly(&c, &letters, 4 * HTTP_PIECE_MAX);
    end_held(&rig);
    wait_for_cut(&rig);
    client_close(&c);
    rig_end(&rig);
}

TEST(a_client_may_leave_between_two_pieces)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    (void)give(&rig, "one");
    client_close(&c);
    rig_wait_for(&rig, rig.gones == 1);
    assert_null(rig.held);
    rig_end(&rig);
}

TEST(a_client_may_leave_inside_a_piece)
{
    struct rig rig;
    struct client c;
    struct linger none = {.l_onoff = 1, .l_linger = 0};

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)), 0);
    client_close(&c); /* a reset, which the server learns of by writing */
    assert_false(give(&rig, "one"));
    assert_int_equal(rig.gones, 1);
    rig_end(&rig);
}

TEST(an_abort_does_not_look_like_an_end)
{
    static const char *const requests[] = {GET("/hold"), "GET /hold HTTP/1.0\r\n\r\n"};

    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        struct client c;
        struct http_req *req;

        rig_start_plain(&rig);
        client_open(&c, &rig);
        begin_held(&rig, &c, requests[i]);
        (void)give(&rig, "half");
        client_expect(&c, "half", 1);
        req = rig.held;
        rig.held = NULL;
        http_abort(req, NULL, 0, true);
        client_expect_end(&c);
        assert_true(c.reset);
        assert_int_equal(client_count(&c, "0\r\n\r\n"), 0);
        assert_int_equal(rig.gones, 0);
        client_close(&c);
        rig_end(&rig);
    }
}

TEST(draining_lets_pieces_end_and_closes_then)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    http_drain(rig.server);
    (void)give(&rig, "one");
    rig_iterate_n(&rig, 3);
    end_held(&rig);
    client_expect_end(&c);
    assert_false(c.reset);
    assert_non_null(strstr(c.in, "3\r\none\r\n0\r\n\r\n"));
    client_close(&c);
    rig_end(&rig);
}

TEST(a_piece_out_of_turn_ends_the_connection)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    begin_held(&rig, &c, GET("/hold"));
    (void)fill(&rig, 0);
    assert_false(give(&rig, "one"));
    assert_int_equal(rig.gones, 1);
    client_close(&c);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_chunks_and_the_connection_is_kept),
        cmocka_unit_test(a_response_without_pieces_is_empty),
        cmocka_unit_test(http_1_0_gets_the_bytes_alone_and_the_end_of_the_connection),
        cmocka_unit_test(head_gets_no_pieces),
        cmocka_unit_test(a_slow_reader_holds_the_application_back),
        cmocka_unit_test(the_same_over_tls),
        cmocka_unit_test(a_client_that_takes_nothing_is_cut_off_in_time),
        cmocka_unit_test(a_slow_but_steady_reader_gets_the_whole),
        cmocka_unit_test(a_reader_that_stops_is_cut_off_in_time),
        cmocka_unit_test(a_client_may_leave_between_two_pieces),
        cmocka_unit_test(a_client_may_leave_inside_a_piece),
        cmocka_unit_test(an_abort_does_not_look_like_an_end),
        cmocka_unit_test(draining_lets_pieces_end_and_closes_then),
        cmocka_unit_test(a_piece_out_of_turn_ends_the_connection),
    };

    return cmocka_run_group_tests(tests, tls_files_setup, tls_files_teardown);
}
