/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_request_backlog.c - crowds: a turn of the loop begins a limited number of requests, and what is urgent
 * goes first.
 */
#include "check.h"
#include "http_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CROWD     90 /* more than one turn begins, fewer than max_connections */
#define TURN      64
#define URGENT    16 /* the same of urgent ones */
#define MAX_TURNS 1000
#define ASK(path) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"

static struct client *crowd;

/* All are connected, and all have asked, before the loop turns again. */
static void gather(struct rig *rig, const char *question)
{
    size_t all = http_connections(rig->server) + CROWD;

    crowd = calloc(CROWD, sizeof(*crowd));
    assert_non_null(crowd);
    for (size_t i = 0; i < CROWD; i++)
        client_open(&crowd[i], rig);
    rig_wait_for(rig, http_connections(rig->server) >= all);
    assert_int_equal(http_connections(rig->server), all);
    for (size_t i = 0; i < CROWD; i++)
        client_send(&crowd[i], question);
}

static void disperse(void)
{
    for (size_t i = 0; i < CROWD; i++)
        client_close(&crowd[i]);
    free(crowd);
    crowd = NULL;
}

TEST(an_iteration_begins_a_bounded_number)
{
    struct rig rig;
    unsigned before = 0;

    rig_start_plain(&rig);
    gather(&rig, ASK("/echo"));
    for (int i = 0; i < MAX_TURNS && rig.messages < CROWD; i++) {
        rig_iterate(&rig);
        assert_true(rig.messages - before <= TURN);
        assert_int_equal(rig.heads, CROWD); /* all are read in the first turn */
        before = rig.messages;
    }
    assert_int_equal(rig.messages, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        client_expect(&crowd[i], "\r\n\r\nhi", 1);
    assert_int_equal(http_busy(rig.server), 0);
    disperse();
    rig_end(&rig);
}

/* A second crowd does not pass the first. */
TEST(later_requests_wait_behind_earlier_ones)
{
    struct rig rig;

    rig_start_plain(&rig);
    gather(&rig, ASK("/echo"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, TURN);
    for (size_t i = 0; i < TURN; i++)
        client_send(&crowd[i], ASK("/other"));
    while (strcmp(rig.path_begun, "/other") != 0) /* of both, the message that came last */
        rig_iterate(&rig);
    for (size_t i = TURN; i < CROWD; i++)
        assert_true(recv(crowd[i].fd, crowd[i].in, 1, MSG_PEEK) == 1);
    for (size_t i = 0; i < TURN; i++)
        client_expect(&crowd[i], "HTTP/1.1 404", 1);
    for (size_t i = TURN; i < CROWD; i++)
        client_expect(&crowd[i], "HTTP/1.1 200", 1);
    disperse();
    rig_end(&rig);
}

/* It is begun before all that wait. */
TEST(urgent_requests_pass)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    rig_iterate_n(&rig, 3);
    gather(&rig, ASK("/echo"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, TURN);
    client_send(&c, GET("/urgent"));
    rig_iterate(&rig);
    assert_in_range(rig.urgent_at, 1, CROWD + 1);
    while (rig.messages < CROWD + 1)
        rig_iterate(&rig);
    client_expect(&c, "HTTP/1.1 404", 1);
    client_close(&c);
    disperse();
    rig_end(&rig);
}

/* However much that is urgent comes, and comes again: what is not is begun in the turn in which it comes, and
 * a crowd of it gets its whole number of every turn. */
TEST(urgent_requests_leave_room)
{
    struct rig rig;
    struct client c;
    unsigned before;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    rig_iterate_n(&rig, 3);
    gather(&rig, ASK("/urgent") ASK("/urgent") ASK("/urgent") ASK("/urgent"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, URGENT);
    for (int i = 0; i < 5; i++) {
        client_forget(&c);
        client_send(&c, ASK("/echo"));
        before = rig.messages;
        rig_iterate(&rig);
        assert_in_range(rig.messages - before, 1, 2 * URGENT + 1); /* deadlines fire before and in the turn */
        client_expect(&c, "HTTP/1.1 200", 1);
        assert_true(rig.messages < 4 * CROWD);
    }
    while (rig.messages < 4 * CROWD + 5)
        rig_iterate(&rig);
    client_close(&c);
    disperse();
    rig_end(&rig);
}

/* The next request of a connection waits behind those of the others. */
TEST(a_connections_next_urgent_request_waits_behind_the_others)
{
    struct rig rig;
    size_t served = 0;
    char byte;

    rig_start_plain(&rig);
    gather(&rig, ASK("/urgent") ASK("/urgent"));
    while (rig.messages < CROWD)
        rig_iterate(&rig);
    for (size_t i = 0; i < CROWD; i++)
        served += recv(crowd[i].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    assert_true(served >= CROWD - URGENT); /* the first few were begun while there was no line */
    while (rig.messages < 2 * CROWD)
        rig_iterate(&rig);
    disperse();
    rig_end(&rig);
}

/* Peers take turns: a request from another address waits behind one of the burst's. */
TEST(peers_take_turns)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open_from(&c, &rig, "127.0.0.2");
    rig_iterate_n(&rig, 3);
    gather(&rig, ASK("/urgent"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, URGENT);
    client_send(&c, ASK("/urgent") ASK("/echo"));
    while (client_count(&c, "HTTP/1.1 200") < 1)
        client_poll(&c);
    assert_true(rig.messages <= 4 * URGENT);
    assert_true(rig.messages < CROWD);
    client_close(&c);
    disperse();
    rig_end(&rig);
}

/* Who has asked before it is accepted is served in the turn that accepts it. */
TEST(a_request_sent_before_accept_is_served_in_that_iteration)
{
    struct rig rig;
    struct client c;

    rig_start_plain(&rig);
    client_open(&c, &rig);
    client_send(&c, GET("/urgent"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, 1);
    client_expect(&c, "HTTP/1.1 404", 1);
    client_close(&c);
    rig_end(&rig);
}

TEST(clients_that_leave_empty_the_backlog)
{
    struct rig rig;

    rig_start_plain(&rig);
    gather(&rig, ASK("/echo"));
    rig_iterate(&rig);
    for (size_t i = 0; i < CROWD; i++)
        client_close(&crowd[i]);
    while (http_connections(rig.server))
        rig_iterate(&rig);
    rig_iterate_n(&rig, 3);
    assert_int_equal(http_busy(rig.server), 0);
    assert_int_equal(rig.messages + rig.gones, CROWD);
    disperse();
    rig_end(&rig);
}

/* The application does not wait for it to be begun; and the server closes over the others. */
TEST(a_request_may_be_answered_before_it_begins)
{
    struct rig rig;
    unsigned last = CROWD;

    rig_start_plain(&rig);
    gather(&rig, ASK("/echo"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, TURN);
    http_respond(rig.last, &(struct http_response){.status = 503});
    assert_int_equal(http_busy(rig.server), CROWD - TURN - 1);
    for (size_t i = 0; i < CROWD; i++) {
        client_poll(&crowd[i]);
        if (client_count(&crowd[i], "HTTP/1.1 503"))
            last = (unsigned)i;
    }
    assert_true(last < CROWD);
    for (int i = 0; i < 10; i++)
        rig_iterate(&rig);
    assert_int_equal(rig.messages, CROWD - 1);
    client_send(&crowd[last], ASK("/echo")); /* its connection goes on */
    client_expect(&crowd[last], "HTTP/1.1 200", 1);
    disperse();
    rig_end(&rig);
}

TEST(the_server_closes_over_its_backlog)
{
    struct rig rig;

    rig_start_plain(&rig);
    gather(&rig, ASK("/echo"));
    rig_iterate(&rig);
    assert_int_equal(rig.messages, TURN);
    rig_end(&rig);
    assert_int_equal(rig.gones, CROWD - TURN);
    disperse();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iteration_begins_a_bounded_number),
        cmocka_unit_test(later_requests_wait_behind_earlier_ones),
        cmocka_unit_test(urgent_requests_pass),
        cmocka_unit_test(urgent_requests_leave_room),
        cmocka_unit_test(a_connections_next_urgent_request_waits_behind_the_others),
        cmocka_unit_test(peers_take_turns),
        cmocka_unit_test(a_request_sent_before_accept_is_served_in_that_iteration),
        cmocka_unit_test(clients_that_leave_empty_the_backlog),
        cmocka_unit_test(a_request_may_be_answered_before_it_begins),
        cmocka_unit_test(the_server_closes_over_its_backlog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
