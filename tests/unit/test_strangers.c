/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_strangers.c - connections that have shown no client: their turns, their bytes, their places, and that
 * none of these is taken from clients or from a listener that is apart.
 */
#include "http_rig.h"

#include "base/memory/secret.h"
#include "check.h"
#include "loop/server/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN      48 /* heads of strangers in one turn of the loop, of them 16 of those who go on and on */
#define FLOOD     200
#define MANY      40
#define MAX_TURNS 20000
#define GRACE_MS  20 /* a stranger's, before it is closed for another */

static struct client flood[FLOOD];

static struct http_strangers strangers(const struct rig *rig)
{
    struct http_strangers s;

    http_strangers(rig->server, &s);
    return s;
}

static void begin(struct rig *rig, const struct http_server_opts *opts)
{
    struct http_server_opts large = rig_opts;

    large.max_connections = 1000;
    rig_start_strangers(rig, opts ? opts : &large);
    rig_listen(rig, &(struct http_listen_opts){.name = "t", .host = "127.0.0.1"});
}

static void open_flood(struct rig *rig)
{
    for (size_t i = 0; i < FLOOD; i++)
        client_open(&flood[i], rig);
    rig_wait_for(rig, strangers(rig).connections >= FLOOD);
    assert_int_equal(strangers(rig).connections, FLOOD);
}

static void close_flood(void)
{
    for (size_t i = 0; i < FLOOD; i++)
        client_close(&flood[i]);
}

/* As many requests as a read takes, in one packet. */
static void pipeline(struct client *c, unsigned n, const char *request)
{
    char text[4096];
    size_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        memcpy(text + len, request, strlen(request));
        len += strlen(request);
    }
    assert_true(len <= sizeof(text));
    assert_true(send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* A head that ends in the middle of a value, in one packet. */
static void begin_head(struct client *c, const char *start, size_t filler)
{
    char text[16384];
    size_t n = strlen(start);

    assert_true(n + filler <= sizeof(text));
    memcpy(text, start, n);
    memset(text + n, 'a', filler);
    client_send_n(c, text, n + filler);
}

TEST(every_head_costs_a_step)
{
    struct rig rig;
    unsigned before = 0;

    begin(&rig, NULL);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/urgent"));
    for (int i = 0; i < MAX_TURNS && rig.heads < FLOOD * 50; i++) {
        rig_iterate(&rig);
        assert_true(rig.heads - before <=
                    2 * TURN); /* rig_iterate() fires deadlines before and in the loop's turn */
        before = rig.heads;
    }
    assert_int_equal(rig.heads, FLOOD * 50);
    for (size_t i = 0; i < FLOOD; i++)
        client_expect(&flood[i], "HTTP/1.1 404", 50);
    close_flood();
    rig_end(&rig);
}

/* Those who are heard again and again have a line of their own: who comes with one request does not stand in
 * it. */
TEST(busy_strangers_wait_behind_quiet_ones)
{
    struct rig rig;
    struct client late;
    unsigned before;

    begin(&rig, NULL);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/other"));
    rig_iterate(&rig);
    client_open(&late, &rig);
    client_send(&late, GET("/urgent"));
    rig_wait_for(&rig, rig.urgent_at != 0);
    assert_in_range(rig.urgent_at, 1, 2 * FLOOD); /* each of them has had its first head, hardly more */
    client_expect(&late, "HTTP/1.1 404", 1);
    client_forget(&late);
    rig.now += 1000; /* it comes back now and then, the others have gone on and on */
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/other"));
    rig_iterate_n(&rig, 10);
    before = rig.messages;
    client_send(&late, GET("/urgent"));
    rig_wait_for(&rig, rig.urgent_at >= before);
    assert_in_range(rig.urgent_at - before, 1, 2 * TURN);
    client_expect(&late, "HTTP/1.1 404", 1);
    client_close(&late);
    close_flood();
    rig_end(&rig);
}

TEST(a_client_is_read_in_every_iteration)
{
    struct rig rig;
    struct client c;
    unsigned rounds = 0;

    begin(&rig, NULL);
    client_open(&c, &rig);
    client_send(&c, CLIENT("/urgent"));
    client_expect(&c, "HTTP/1.1 404", 1);
    assert_int_equal(strangers(&rig).connections, 0);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/other"));
    while (rig.messages < FLOOD * 50 / 2) {
        unsigned at = rig.urgent_at;

        client_send(&c, GET("/urgent")); /* its connection is known: it shows nothing any more */
        rig_iterate(&rig);
        assert_true(rig.urgent_at > at);
        rounds++;
        client_forget(&c);
    }
    assert_true(rounds > 10);
    client_close(&c);
    close_flood();
    rig_end(&rig);
}

/* Not a stranger, but what it pipelines is served a few at a time too, whole and in order. */
TEST(a_client_that_pipelines_does_not_hold_the_loop)
{
    struct rig rig;
    struct client c;

    begin(&rig, NULL);
    client_open(&c, &rig);
    client_send(&c, CLIENT("/other"));
    client_expect(&c, "HTTP/1.1 404", 1);
    client_forget(&c);
    pipeline(&c, 60, GET("/other"));
    for (unsigned before = rig.heads; rig.heads < 61; before = rig.heads) {
        rig_iterate(&rig);
        assert_true(rig.heads - before <= 16);
    }
    client_expect(&c, "HTTP/1.1 404", 60);
    assert_int_equal(rig.messages, 61);
    client_close(&c);
    rig_end(&rig);
}

TEST(unfinished_heads_have_a_budget)
{
    struct http_server_opts opts = rig_opts;
    struct arena_state before, after;
    struct rig rig;
    struct client c;

    opts.max_connections = 1000;
    opts.max_stranger_bytes = 40000;
    begin(&rig, &opts);
    secret_state(&before);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++) {
        begin_head(&flood[i], "GET /other HTTP/1.1\r\nHost: h\r\nX-A: ", 3000);
        rig_iterate_n(&rig, 2);
        assert_true(strangers(&rig).bytes <= opts.max_stranger_bytes);
    }
    secret_state(&after);
    assert_int_equal(before.blocks, after.blocks); /* none of it lies in secret memory */
    assert_true(strangers(&rig).closed[HTTP_FOR_BYTES] >= FLOOD - 10);
    client_expect_end(&flood[0]); /* who began first */
    client_send(&flood[FLOOD - 1], "\r\n\r\n");
    client_expect(&flood[FLOOD - 1], "HTTP/1.1 404", 1);
    client_open(&c, &rig);
    client_send(&c, CLIENT("/echo"));
    client_expect(&c, "HTTP/1.1 200", 1);
    client_close(&c);
    close_flood();
    rig_iterate_n(&rig, 5);
    assert_int_equal(strangers(&rig).bytes, 0);
    rig_end(&rig);
}

TEST(secret_memory_of_strangers_has_a_budget)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;

    opts.max_connections = 1000;
    opts.max_stranger_secret = 20000;
    begin(&rig, &opts);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++) {
        begin_head(&flood[i], "GET /other HTTP/1.1\r\nAuthorization: ", 3000);
        rig_iterate_n(&rig, 2);
        assert_true(rig.server->secret <= opts.max_stranger_secret);
    }
    assert_true(strangers(&rig).closed[HTTP_FOR_BYTES] >= FLOOD - 6);
    close_flood();
    rig_iterate_n(&rig, 5);
    assert_int_equal(rig.server->secret, 0);
    rig_end(&rig);
}

/* The part of secret memory that is not theirs is left to others: what clients keep there has a limit as
 * well. */
TEST(clients_leave_secret_memory_to_the_vault)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client c[8];
    size_t ended = 0;

    opts.max_secret = 40000;
    begin(&rig, &opts);
    for (size_t i = 0; i < 8; i++) {
        client_open(&c[i], &rig);
        client_send(&c[i], CLIENT("/other"));
        client_expect(&c[i], "HTTP/1.1 404", 1);
        begin_head(&c[i], "GET /other HTTP/1.1\r\nHost: h\r\nAuthorization: ", 9000);
        rig_iterate_n(&rig, 2);
        assert_true(rig.server->secret <= opts.max_secret);
    }
    for (size_t i = 0; i < 8; i++) {
        client_poll(&c[i]);
        ended += c[i].eof || c[i].reset;
    }
    assert_in_range(ended, 1, 7);
    for (size_t i = 0; i < 8; i++)
        client_close(&c[i]);
    rig_end(&rig);
}

TEST(the_value_of_authorization_alone_is_in_secret_memory)
{
    struct rig rig;
    struct client c;
    const struct http_conn *conn;

    begin(&rig, NULL);
    client_open(&c, &rig);
    for (const char *p =
             "GET /hold?a=1 HTTP/1.1\r\nHost: h\r\naUTHORIZATION:  Bearer t0ken \r\nX-Test: yes\r\n"
             "Authorization: second\r\nProxy-Authorization: third\r\n";
         *p; p++) {
        client_send_n(&c, p, 1);
        rig_iterate(&rig);
    }
    conn = TAILQ_FIRST(&rig.server->conns);
    assert_non_null(conn);
    assert_true(secret_owns(conn->head.shown.data) && !secret_owns(conn->head.text.data));
    assert_null(memmem(conn->head.text.data, conn->head.text.len, "t0ken", 5));
    assert_null(memmem(conn->head.text.data, conn->head.text.len, "second", 6));
    client_send(&c, "\r\n");
    client_expect_held(&c);
    assert_string_equal(http_header(rig.held, "Authorization"), "Bearer t0ken");
    assert_true(secret_owns(http_header(rig.held, "Authorization")));
    assert_int_equal(http_header_count(rig.held, "Authorization"), 2);
    assert_string_equal(http_header(rig.held, "Proxy-Authorization"), "third");
    assert_string_equal(http_header(rig.held, "X-Test"), "yes");
    assert_string_equal(http_header(rig.held, "Host"), "h");
    assert_string_equal(rig.query, "a=1");
    rig_answer(&rig, 200, "done");
    client_expect(&c, "HTTP/1.1 200", 1);
    assert_int_equal(conn->head.shown.cap, 0);
    client_close(&c);
    rig_end(&rig);
}

TEST(strangers_have_half_of_the_connections)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client c[4];

    opts.max_connections = 20;
    begin(&rig, &opts);
    for (size_t i = 0; i < MANY; i++) {
        client_open(&flood[i], &rig);
        rig_advance(&rig, GRACE_MS);
        assert_true(strangers(&rig).connections <= 10);
        assert_true(http_connections(rig.server) <= 10);
    }
    rig_iterate_n(&rig, 3);
    assert_int_equal(strangers(&rig).connections, 10);
    assert_int_equal(strangers(&rig).closed[HTTP_FOR_CONNECTIONS], MANY - 10);
    client_expect_end(&flood[0]);
    for (size_t i = 0; i < 4; i++) {
        client_open(&c[i], &rig);
        client_send(&c[i], CLIENT("/echo"));
        client_expect(&c[i], "HTTP/1.1 200", 1);
    }
    client_send(&flood[MANY - 1], GET("/other")); /* the youngest of them is still served */
    client_expect(&flood[MANY - 1], "HTTP/1.1 404", 1);
    assert_int_equal(rig.refusals, 0);
    for (size_t i = 0; i < 4; i++)
        client_close(&c[i]);
    for (size_t i = 0; i < MANY; i++)
        client_close(&flood[i]);
    rig_end(&rig);
}

TEST(a_full_server_closes_strangers_never_clients)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client c[9];

    opts.max_connections = 8;
    begin(&rig, &opts);
    for (size_t i = 0; i < 4; i++)
        client_open(&flood[i], &rig);
    for (size_t i = 0; i < 8; i++) {
        rig_advance(&rig, GRACE_MS);
        client_open(&c[i], &rig);
        client_send(&c[i], CLIENT("/echo"));
        client_expect(&c[i], "HTTP/1.1 200", 1);
    }
    assert_int_equal(strangers(&rig).connections, 0);
    assert_int_equal(http_connections(rig.server), 8);
    client_open(&c[8], &rig); /* all are clients: none may be closed */
    client_expect(&c[8], "HTTP/1.1 503", 1);
    for (size_t i = 0; i < 8; i++) {
        client_forget(&c[i]);
        client_send(&c[i], GET("/echo"));
        client_expect(&c[i], "HTTP/1.1 200", 1);
    }
    for (size_t i = 0; i < 9; i++)
        client_close(&c[i]);
    for (size_t i = 0; i < 4; i++)
        client_close(&flood[i]);
    rig_end(&rig);
}

/* Who comes while all places are taken by strangers who just came waits outside, and is let in with its
 * request. */
TEST(a_new_stranger_is_not_closed_at_once)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client early, late;

    opts.max_connections = 8;
    begin(&rig, &opts);
    for (size_t i = 0; i < 3; i++)
        client_open(&flood[i], &rig);
    client_open(&early, &rig);
    rig_iterate_n(&rig, 3);
    client_open(&late, &rig);
    client_send(&late, CLIENT("/echo"));
    rig_iterate_n(&rig, 5);
    assert_int_equal(rig.heads, 0);
    client_send(&early, CLIENT("/echo"));
    client_expect(&early, "HTTP/1.1 200", 1);
    rig_advance(&rig, GRACE_MS);
    client_expect(&late, "HTTP/1.1 200", 1);
    assert_int_equal(strangers(&rig).closed[HTTP_FOR_CONNECTIONS],
                     0); /* the early one made room: it is a client's */
    client_close(&early);
    client_close(&late);
    for (size_t i = 0; i < 3; i++)
        client_close(&flood[i]);
    rig_end(&rig);
}

/* More come in an iteration than are read in it: those that wait to be read are not closed for them. */
TEST(a_stranger_whose_bytes_wait_is_read_before_it_is_closed)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    unsigned answered = 0;

    opts.max_connections = 160; /* strangers: 80, more than one iteration reads */
    begin(&rig, &opts);
    for (size_t i = 0; i < FLOOD; i++) {
        client_open(&flood[i], &rig);
        client_send(&flood[i], GET("/other"));
    }
    for (int i = 0; i < MAX_TURNS && rig.messages < FLOOD; i++) {
        rig.now += GRACE_MS;
        rig_iterate(&rig);
    }
    assert_int_equal(rig.messages, FLOOD);
    for (size_t i = 0; i < FLOOD; i++) {
        client_poll(&flood[i]);
        answered += client_count(&flood[i], "HTTP/1.1 404");
    }
    assert_int_equal(answered, FLOOD);
    close_flood();
    rig_end(&rig);
}

TEST(a_stranger_in_work_is_not_closed_for_room)
{
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client busy, idle, late;

    opts.max_connections = 2;
    begin(&rig, &opts);
    client_open(&busy, &rig);
    client_send(&busy, GET("/hold"));
    client_expect_held(&busy);
    client_open(&idle, &rig);
    rig_advance(&rig, GRACE_MS);
    client_open(&late, &rig);
    client_send(&late, GET("/echo"));
    client_expect(&late, "HTTP/1.1 200", 1);
    client_expect_end(&idle);
    rig_answer(&rig, 200, "held");
    client_expect(&busy, "HTTP/1.1 200", 1);
    client_close(&busy);
    client_close(&idle);
    client_close(&late);
    rig_end(&rig);
}

TEST(an_exempt_listener_does_not_count)
{
    char folder[] = "/tmp/jumpgate-test-XXXXXX", path[64], tcp[128];
    struct http_listen_opts apart = {
        .name = "c", .host = path, .is_unix = true, .unix_mode = 0600, .separate = true};
    struct http_server_opts opts = rig_opts;
    struct rig rig;
    struct client c[2], control;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    opts.max_connections = 2;
    begin(&rig, &opts);
    memcpy(tcp, rig.address, sizeof(tcp));
    for (size_t i = 0; i < 2; i++) {
        client_open(&c[i], &rig);
        client_send(&c[i], CLIENT("/echo"));
        client_expect(&c[i], "HTTP/1.1 200", 1);
    }
    rig_listen(&rig, &apart);
    client_open(&control, &rig);
    client_send(&control, GET("/echo"));
    client_expect(&control, "HTTP/1.1 200", 1);
    assert_int_equal(http_connections(rig.server), 2);
    memcpy(rig.address, tcp, sizeof(tcp));
    client_close(&c[0]);
    rig_iterate_n(&rig, 3);
    client_open(&c[0], &rig); /* the place is free though the control socket is in use */
    client_send(&c[0], CLIENT("/echo"));
    client_expect(&c[0], "HTTP/1.1 200", 1);
    client_close(&control);
    client_close(&c[0]);
    client_close(&c[1]);
    rig_end(&rig);
    assert_int_equal(rmdir(folder), 0);
}

TEST(a_flood_that_ends_leaves_nothing)
{
    struct rig rig;

    begin(&rig, NULL);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/other"));
    rig_iterate(&rig);
    close_flood();
    rig_wait_for(&rig, !http_connections(rig.server));
    assert_int_equal(strangers(&rig).connections, 0);
    assert_int_equal(strangers(&rig).bytes, 0);
    assert_int_equal(rig.server->secret, 0);
    rig_end(&rig);
}

TEST(the_server_closes_over_a_flood)
{
    struct rig rig;

    begin(&rig, NULL);
    open_flood(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        pipeline(&flood[i], 50, GET("/other"));
    rig_iterate(&rig);
    rig_end(&rig);
    close_flood();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_costs_a_step),
        cmocka_unit_test(busy_strangers_wait_behind_quiet_ones),
        cmocka_unit_test(a_client_is_read_in_every_iteration),
        cmocka_unit_test(a_client_that_pipelines_does_not_hold_the_loop),
        cmocka_unit_test(unfinished_heads_have_a_budget),
        cmocka_unit_test(secret_memory_of_strangers_has_a_budget),
        cmocka_unit_test(clients_leave_secret_memory_to_the_vault),
        cmocka_unit_test(the_value_of_authorization_alone_is_in_secret_memory),
        cmocka_unit_test(strangers_have_half_of_the_connections),
        cmocka_unit_test(a_full_server_closes_strangers_never_clients),
        cmocka_unit_test(a_new_stranger_is_not_closed_at_once),
        cmocka_unit_test(a_stranger_whose_bytes_wait_is_read_before_it_is_closed),
        cmocka_unit_test(a_stranger_in_work_is_not_closed_for_room),
        cmocka_unit_test(an_exempt_listener_does_not_count),
        cmocka_unit_test(a_flood_that_ends_leaves_nothing),
        cmocka_unit_test(the_server_closes_over_a_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
