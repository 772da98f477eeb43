/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_stranger_eviction.c - who keeps a stranger's place, and who is heard first, where many come: peers,
 * handshakes and listeners.
 */
#include "http_rig.h"

#include "check.h"
#include "loop/server/connection.h"
#include "tls_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define FLOOD       200
#define CROWD       1200 /* more than may wait in the kernel for room */
#define MAX_TURNS   5000
#define GRACE_MS    20         /* of a stranger that is silent */
#define CROWD_MS    100        /* of a handshake, where its peer has many */
#define STANDING_MS SECONDS(1) /* of a handshake */
#define HANDSHAKES  8          /* reads of handshakes in one turn of the loop */

static struct client *flood;
static SSL_CTX *context;

static int make_files(void **state)
{
    struct rlimit files_open;

    if (getrlimit(RLIMIT_NOFILE, &files_open))
        return -1;
    files_open.rlim_cur = files_open.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files_open))
        return -1;
    context = SSL_CTX_new(TLS_client_method());
    flood = calloc(CROWD, sizeof(*flood));
    return !context || !flood || tls_files_setup(state);
}

static int remove_files(void **state)
{
    SSL_CTX_free(context);
    free(flood);
    return tls_files_teardown(state);
}

static void begin(struct rig *rig, size_t max_connections)
{
    struct http_server_opts opts = rig_opts;

    opts.max_connections = max_connections;
    rig_start_strangers(rig, &opts);
}

static void listen_plain(struct rig *rig)
{
    rig_listen(rig, &(struct http_listen_opts){.name = "plain", .host = "127.0.0.1"});
}

static void listen_tls(struct rig *rig)
{
    char crt[TLS_FILES_PATH], key[TLS_FILES_PATH];
    struct http_tls_opts tls = {.certificate = tls_file("server", ".crt", crt),
                                .key = tls_file("server", ".key", key)};

    rig_listen(rig, &(struct http_listen_opts){.name = "tls", .host = "127.0.0.1", .tls = &tls});
}

static uint64_t closed(const struct rig *rig)
{
    struct http_strangers s;

    http_strangers(rig->server, &s);
    return s.closed[HTTP_FOR_CONNECTIONS];
}

/* Connects, and sends what begins a handshake. */
static void hello(struct client *c, struct rig *rig, const char *source)
{
    client_open_from(c, rig, source);
    c->ssl = SSL_new(context);
    assert_non_null(c->ssl);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    assert_int_equal(SSL_connect(c->ssl), -1);
}

/* Has the server answered its hello? */
static bool is_answered(const struct client *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static bool is_open(const struct client *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1;
}

static size_t count_answered(size_t n)
{
    size_t answered = 0;

    for (size_t i = 0; i < n; i++)
        answered += is_answered(&flood[i]);
    return answered;
}

static void await_answer(struct client *c)
{
    rig_wait_for(c->rig, is_answered(c));
}

static void finish_handshake(struct client *c)
{
    assert_int_equal(SSL_connect(c->ssl), 1);
}

static void close_flood(size_t n)
{
    for (size_t i = 0; i < n; i++)
        client_close(&flood[i]);
}

/* Silent connections come, one after the other, each as soon as one before it may be closed. */
static void churn(struct rig *rig, size_t from, size_t to, const char *source)
{
    for (size_t i = from; i < to; i++) {
        client_open_from(&flood[i], rig, source);
        rig_advance(rig, GRACE_MS);
    }
}

TEST(the_peer_with_most_connections_gives_way)
{
    struct rig rig;
    struct client first, late;

    begin(&rig, 20);
    listen_plain(&rig);
    client_open_from(&first, &rig, "127.0.0.2"); /* it came before all others */
    rig_advance(&rig, GRACE_MS);
    churn(&rig, 0, 60, "127.0.0.1");
    client_open_from(&late, &rig, "127.0.0.3");
    rig_advance(&rig, GRACE_MS);
    assert_true(closed(&rig) >= 50);
    assert_true(is_open(&first) && is_open(&late));
    client_send(&first, CLIENT("/echo"));
    client_expect(&first, "HTTP/1.1 200", 1);
    client_send(&late, CLIENT("/echo"));
    client_expect(&late, "HTTP/1.1 200", 1);
    client_close(&first);
    client_close(&late);
    close_flood(60);
    rig_end(&rig);
}

/* Its network is slow, and the silent ones have its own address. */
TEST(a_handshake_outlasts_silent_connections)
{
    struct rig rig;
    struct client slow;

    begin(&rig, 20);
    listen_tls(&rig);
    churn(&rig, 0, 10, NULL);
    hello(&slow, &rig, NULL);
    rig_advance(&rig, GRACE_MS);
    await_answer(&slow);
    churn(&rig, 10, 40, NULL);
    finish_handshake(&slow);
    rig_iterate_n(&rig, 3);
    churn(&rig, 40, 80, NULL);
    client_send(&slow, CLIENT("/echo"));
    client_expect(&slow, "HTTP/1.1 200", 1);
    assert_true(closed(&rig) >= 60);
    client_close(&slow);
    close_flood(80);
    rig_end(&rig);
}

TEST(a_handshake_that_stands_still_goes_first)
{
    struct rig rig;
    struct client stuck;

    begin(&rig, 20);
    listen_tls(&rig);
    churn(&rig, 0, 9, NULL);
    hello(&stuck, &rig, NULL);
    await_answer(&stuck);
    rig_advance(&rig, STANDING_MS);
    client_open(&flood[9], &rig);
    rig_iterate_n(&rig, 3);
    assert_int_equal(closed(&rig), 1);
    for (size_t i = 0; i < 10; i++)
        assert_true(is_open(&flood[i]));
    client_close(&stuck);
    close_flood(10);
    rig_end(&rig);
}

/* All places are taken by handshakes that do not go on: whoever comes next is let in, and may end its own. */
TEST(unfinished_handshakes_let_others_in)
{
    struct rig rig;
    struct client late;

    begin(&rig, 20);
    listen_tls(&rig);
    for (size_t i = 0; i < 40; i++)
        hello(&flood[i], &rig, NULL);
    hello(&late, &rig, NULL);
    for (int i = 0; i < MAX_TURNS && !is_answered(&late); i++) {
        rig.now += GRACE_MS;
        rig_iterate(&rig);
    }
    assert_int_equal(count_answered(40), 40); /* each of them had its chance */
    rig_advance(&rig, CROWD_MS - 1);
    finish_handshake(&late);
    client_send(&late, CLIENT("/echo"));
    client_expect(&late, "HTTP/1.1 200", 1);
    client_close(&late);
    close_flood(40);
    rig_end(&rig);
}

TEST(handshakes_of_peers_take_turns)
{
    struct rig rig;
    struct client late;

    begin(&rig, 1000);
    listen_tls(&rig);
    for (size_t i = 0; i < FLOOD; i++)
        hello(&flood[i], &rig, NULL);
    rig_wait_for(&rig, http_connections(rig.server) >= FLOOD);
    hello(&late, &rig, "127.0.0.2");
    size_t before = count_answered(FLOOD);
    await_answer(&late);
    assert_in_range(count_answered(FLOOD), before, before + 4 * HANDSHAKES);
    finish_handshake(&late);
    client_send(&late, CLIENT("/echo"));
    client_expect(&late, "HTTP/1.1 200", 1);
    assert_in_range(count_answered(FLOOD), before, FLOOD - 1);
    client_close(&late);
    close_flood(FLOOD);
    rig_end(&rig);
}

/* So many wait in the kernel that the last one would wait for long: they are let in, and those of the peer
 * with most are closed for it. */
TEST(a_long_accept_queue_is_let_in)
{
    struct rig rig;
    struct client late;

    begin(&rig, 20);
    listen_tls(&rig);
    for (size_t i = 0; i < CROWD; i++)
        hello(&flood[i], &rig, NULL);
    hello(&late, &rig, "127.0.0.2");
    rig_iterate_n(&rig, 20); /* time stands still: no grace is over */
    assert_in_range(closed(&rig), CROWD - 1024 - 20, CROWD);
    for (int i = 0; i < MAX_TURNS && !is_answered(&late); i++) {
        rig.now += GRACE_MS;
        rig_iterate(&rig);
    }
    finish_handshake(&late);
    client_send(&late, CLIENT("/echo"));
    client_expect(&late, "HTTP/1.1 200", 1);
    client_close(&late);
    close_flood(CROWD);
    rig_end(&rig);
}

TEST(listeners_that_wait_for_room_take_turns)
{
    struct rig rig;
    struct client late[3];
    char crowded[128];

    begin(&rig, 8);
    listen_plain(&rig);
    memcpy(crowded, rig.address, sizeof(crowded));
    for (size_t i = 0; i < FLOOD; i++)
        client_open(&flood[i], &rig);
    rig_iterate_n(&rig, 3);
    listen_plain(&rig);
    for (size_t i = 0; i < 3; i++) {
        client_open(&late[i], &rig);
        client_send(&late[i], CLIENT("/echo"));
    }
    rig_iterate_n(&rig, 3);
    assert_int_equal(rig.heads, 0);
    for (int i = 0; i < 4; i++)
        rig_advance(&rig, GRACE_MS);
    assert_int_equal(rig.heads, 3);
    assert_true(closed(&rig) < 30);
    for (size_t i = 0; i < 3; i++) {
        client_expect(&late[i], "HTTP/1.1 200", 1);
        client_close(&late[i]);
    }
    close_flood(FLOOD);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_peer_with_most_connections_gives_way),
        cmocka_unit_test(a_handshake_outlasts_silent_connections),
        cmocka_unit_test(a_handshake_that_stands_still_goes_first),
        cmocka_unit_test(unfinished_handshakes_let_others_in),
        cmocka_unit_test(handshakes_of_peers_take_turns),
        cmocka_unit_test(a_long_accept_queue_is_let_in),
        cmocka_unit_test(listeners_that_wait_for_room_take_turns),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
