/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_time.c - deadlines, idle time and back-off, with a clock that the test moves.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void turn_until(struct rig *rig, size_t done)
{
    while (rig->done < done) {
        loop_iterate(rig->loop);
        usleep(500);
    }
}

/* The only connection is taken, and is not given back before the vault is allowed to answer. */
static void begin_busy(struct rig *rig, struct probe *busy)
{
    rig_init_plain(rig, script_answers_when_allowed);
    rig_use_fake_clock(rig);
    rig->opts.connections = 1;
    rig_start(rig);
    probe_init(busy, rig, "/busy");
    busy->call.wait_ms = 100; /* it has begun: that does not count any more */
    busy->call.timeout_ms = SECONDS(5);
    probe_start(busy);
    while (peer_requests(rig->peer) < 1)
        loop_iterate(rig->loop);
}

static void waiting_call_times_out_unsent(void **unused)
{
    struct rig rig;
    struct probe busy, waiting;

    (void)unused;
    begin_busy(&rig, &busy);
    probe_init(&waiting, &rig, "/waiting");
    waiting.call.timeout_ms = SECONDS(1);
    probe_start(&waiting);
    rig_advance(999);
    loop_iterate(rig.loop);
    assert_int_equal(rig.done, 0);
    rig_advance(1);
    turn_until(&rig, 1);
    assert_int_equal(waiting.call.err, -ETIMEDOUT);
    assert_false(waiting.call.sent);
    assert_int_equal(busy.told, 0);
    rig_advance(SECONDS(4));
    turn_until(&rig, 2);
    assert_int_equal(busy.call.err, -ETIMEDOUT);
    assert_true(busy.call.sent);
    struct upstream_state state;
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 0);
    probe_end(&busy);
    probe_end(&waiting);
    rig_end(&rig);
}

/* In line a call is unsent, and cancelled there it is never sent; on a connection it may be. */
static void unsent_is_in_line_only(void **unused)
{
    struct rig rig;
    struct probe busy, waiting, next;
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig_use_fake_clock(&rig);
    rig.opts.connections = 1;
    rig_start(&rig);
    probe_begin(&busy, &rig, "/busy");
    assert_true(upstream_unsent(&busy.call)); /* the connection is being opened */
    while (peer_requests(rig.peer) < 1)
        loop_iterate(rig.loop);
    assert_false(upstream_unsent(&busy.call));
    probe_begin(&waiting, &rig, "/waiting");
    probe_begin(&next, &rig, "/next");
    assert_true(upstream_unsent(&waiting.call));
    upstream_cancel(&waiting.call);
    assert_false(upstream_unsent(&waiting.call));
    upstream_state(rig.up, &state);
    assert_int_equal(state.queued, 1);
    assert_int_equal(state.in_flight, 1);
    assert_int_equal(state.priority_queue[CALL_NEW], 1);
    peer_allow(rig.peer, 2);
    turn_until(&rig, 2);
    assert_int_equal(next.call.err, 0);
    assert_false(upstream_unsent(&next.call));
    assert_int_equal(waiting.told, 0);
    assert_int_equal(peer_requests(rig.peer), 2);
    probe_end(&busy);
    probe_end(&waiting);
    probe_end(&next);
    rig_end(&rig);
}

/* `wait_ms` ends a wait and nothing else: who has begun has the whole time-out from then on. */
static void a_wait_in_vain_is_no_timeout(void **unused)
{
    struct rig rig;
    struct probe busy, waiting;

    (void)unused;
    begin_busy(&rig, &busy);
    probe_init(&waiting, &rig, "/waiting");
    waiting.call.wait_ms = SECONDS(1);
    waiting.call.timeout_ms = SECONDS(5);
    probe_start(&waiting);
    rig_advance(SECONDS(1));
    turn_until(&rig, 1);
    assert_int_equal(waiting.told, 1);
    assert_int_equal(waiting.call.err, -EAGAIN);
    assert_false(waiting.call.sent);
    rig_advance(3999);
    loop_iterate(rig.loop);
    assert_int_equal(busy.told, 0);
    rig_advance(1);
    turn_until(&rig, 2);
    assert_int_equal(busy.call.err, -ETIMEDOUT);
    assert_true(busy.call.sent);
    probe_end(&busy);
    probe_end(&waiting);
    rig_end(&rig);
}

/* The wait is estimated from how the queue moves; an empty queue has none. */
static void the_wait_is_foretold(void **unused)
{
    struct upstream_outlook outlook;
    struct rig rig;
    struct probe p[10];

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig_use_fake_clock(&rig);
    rig.opts.connections = 1;
    rig_start(&rig);
    upstream_outlook(rig.up, NULL, &outlook);
    assert_int_equal(outlook.wait_ms, 0);
    for (int i = 0; i < 10; i++)
        probe_begin(&p[i], &rig, "/x");
    for (size_t i = 1; i <= 5; i++) {
        while (peer_requests(rig.peer) < (int)i)
            loop_iterate(rig.loop);
        rig_advance(40);
        peer_allow(rig.peer, 1);
        turn_until(&rig, i);
    }
    while (peer_requests(rig.peer) < 6)
        loop_iterate(rig.loop);
    upstream_outlook(rig.up, NULL, &outlook);
    assert_int_equal(outlook.exchange_ms, 40);
    assert_in_range(outlook.wait_ms, 150, 210); /* four wait; one goes in 40 ms */
    peer_allow(rig.peer, 5);
    turn_until(&rig, 10);
    upstream_outlook(rig.up, NULL, &outlook);
    assert_int_equal(outlook.wait_ms, 0);
    for (int i = 0; i < 10; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

static void idle_connections_are_swept(void **unused)
{
    struct rig rig;
    struct probe p;
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_use_fake_clock(&rig);
    rig.opts.idle_timeout_ms = SECONDS(1);
    rig_start(&rig);
    for (size_t i = 0; i < 3; i++) {
        probe_begin(&p, &rig, "/x");
        turn_until(&rig, i + 1);
        assert_int_equal(p.call.err, 0);
        probe_end(&p);
        rig_advance(700); /* each use begins the time again */
        loop_iterate(rig.loop);
    }
    assert_int_equal(peer_accepted(rig.peer), 1);
    rig_advance(299);
    loop_iterate(rig.loop);
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 1);
    rig_advance(1);
    loop_iterate(rig.loop);
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 0);
    rig_end(&rig);
}

/* ---- back-off ---- */

static void dead_vault_is_not_hammered(void **unused)
{
    enum { N = 500 };
    struct rig rig;
    struct probe *p = calloc(N, sizeof(*p)), q;
    struct upstream_state state;

    (void)unused;
    rig_init(&rig, NULL, "http"); /* nothing listens on port 1 */
    rig_use_fake_clock(&rig);
    rig_start(&rig);
    for (size_t i = 0; i < N; i++) {
        probe_init(&p[i], &rig, "/x");
        p[i].call.sent = true; /* from an earlier use of the object */
        probe_start(&p[i]);
    }
    turn_until(&rig, N); /* no time passes: all fail after a handful of connects */
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(p[i].call.err, -ECONNREFUSED);
        assert_false(p[i].call.sent);
        assert_non_null(strstr(p[i].call.why, "connect"));
        probe_end(&p[i]);
    }
    free(p);
    probe_begin(&q, &rig, "/x"); /* within the back-off: no connect, the recent words */
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 0);
    turn_until(&rig, N + 1);
    assert_int_equal(q.call.err, -ECONNREFUSED);
    assert_non_null(strstr(q.call.why, "connect"));
    rig_advance(250);
    for (int i = 0; i < 2; i++) { /* half open: one connect, however many wait */
        probe_begin(&q, &rig, "/x");
        upstream_state(rig.up, &state);
        assert_int_equal(state.connections, 1);
        if (i == 0)
            upstream_cancel(&q.call);
    }
    turn_until(&rig, N + 2);
    rig_end(&rig);
}

static void script_refuse_three(struct peer_conn *pc)
{
    if (pc->index >= 3)
        script_answers(pc);
}

static void vault_comes_back(void **unused)
{
    struct rig rig;
    struct probe p, more[4];
    struct upstream_state state;
    size_t calls = 0;

    (void)unused;
    rig_init_vault(&rig, script_refuse_three, NULL, TLS1_3_VERSION);
    rig_use_fake_clock(&rig);
    rig_start(&rig);
    do {
        rig_advance(250);
        probe_begin(&p, &rig, "/x");
        turn_until(&rig, ++calls);
        probe_end(&p);
    } while (p.call.err);
    assert_int_equal(calls, 4);
    for (int i = 0; i < 4; i++) { /* the failures are forgotten: connects run side by side again */
        probe_begin(&more[i], &rig, "/x");
    }
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 4);
    turn_until(&rig, calls + 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(more[i].call.err, 0);
        probe_end(&more[i]);
    }
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_call_times_out_unsent),
        cmocka_unit_test(a_wait_in_vain_is_no_timeout),
        cmocka_unit_test(unsent_is_in_line_only),
        cmocka_unit_test(the_wait_is_foretold),
        cmocka_unit_test(idle_connections_are_swept),
        cmocka_unit_test(dead_vault_is_not_hammered),
        cmocka_unit_test(vault_comes_back),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
