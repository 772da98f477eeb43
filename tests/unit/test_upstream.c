/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream.c - the pool: reuse, order, limits, cancel, close.
 */
#include "upstream_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void keep_alive_reuses_one_connection(void **unused)
{
    struct rig rig;
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_start(&rig);
    for (int i = 0; i < 5; i++) {
        struct probe p;
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        assert_int_equal(p.call.status, 200);
        assert_true(p.call.sent);
        assert_true(probe_body_is(&p, "ok"));
        probe_end(&p);
    }
    upstream_state(rig.up, &state);
    assert_int_equal(peer_accepted(rig.peer), 1);
    assert_int_equal(state.calls, 5);
    assert_int_equal(state.opened, 1);
    assert_int_equal(state.reused, 4);
    assert_int_equal(state.idle, 1);
    assert_int_equal(state.in_flight, 0);
    assert_true(state.last_success_ms > 0);
    rig_end(&rig);
}

static void one_call_object_used_again(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_start(&rig);
    probe_run(&p, &rig, "/1");
    p.told = 0;
    probe_start(&p); /* the old answer is freed by the call */
    rig_wait(&rig, &p);
    assert_true(probe_body_is(&p, "ok"));
    probe_end(&p);
    rig_end(&rig);
}

static void queue_is_first_in_first_out(void **unused)
{
    static const char *const targets[] = {"/bg1", "/bg2", "/1", "/2", "/3"};
    struct rig rig;
    struct probe p[5];
    char order[64];

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig.opts.connections = 1;
    rig_start(&rig);
    for (int i = 0; i < 5; i++) {
        probe_init(&p[i], &rig, targets[i]);
        p[i].call.background = i < 2;
        probe_start(&p[i]);
    }
    rig_wait_done(&rig, 5);
    peer_targets(rig.peer, order, sizeof(order));
    assert_string_equal(order, "/1 /2 /3 /bg1 /bg2 ");
    assert_int_equal(p[2].order, 1);
    assert_int_equal(p[0].order, 4);
    for (int i = 0; i < 5; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

/* What was begun first; then people, in turns; what is given back among them. */
static void parties_take_turns(void **unused)
{
    static const char *const targets[] = {"/a1", "/a2", "/a3", "/b1", "/back", "/begun"};
    static const char *const expected = "/begun /a1 /back /b1 /a2 /a3 ";
    struct fair_queue_party a = {0}, b = {0};
    struct rig rig;
    struct probe p[6];
    struct upstream_state state;
    char order[64];

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig.opts.connections = 1;
    rig_start(&rig);
    for (int i = 0; i < 6; i++) {
        probe_init(&p[i], &rig, targets[i]);
        p[i].call.party = i < 3 ? &a : i < 4 ? &b : NULL;
        p[i].call.background = i == 4;
        p[i].call.begun = i >= 4;
        probe_start(&p[i]);
    }
    upstream_state(rig.up, &state);
    assert_int_equal(state.priority_queue[CALL_NEW], 4);
    assert_int_equal(state.priority_queue[CALL_CONTINUE] + state.priority_queue[CALL_CHECKIN], 2);
    rig_wait_done(&rig, 6);
    peer_targets(rig.peer, order, sizeof(order));
    assert_string_equal(order, expected);
    assert_int_equal(a.n + b.n, 0);
    for (int i = 0; i < 6; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

static void cap_holds_for_200_calls(void **unused)
{
    enum { N = 200 };
    struct rig rig;
    struct probe *p = calloc(N, sizeof(*p));
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.connections = 8;
    rig_start(&rig);
    for (int i = 0; i < N; i++)
        probe_begin(&p[i], &rig, "/x");
    rig_wait_requests(&rig, 8); /* the vault answers none before eight are there */
    upstream_state(rig.up, &state);
    assert_int_equal(state.in_flight, 8);
    assert_int_equal(state.queued, N - 8);
    peer_allow(rig.peer, N);
    rig_wait_done(&rig, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(p[i].call.err, 0);
        assert_true(probe_body_is(&p[i], "ok"));
        probe_end(&p[i]);
    }
    assert_int_equal(peer_accepted(rig.peer), 8);
    free(p);
    rig_end(&rig);
}

static void not_more_connections_than_calls(void **unused)
{
    struct rig rig;
    struct probe p[3];
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.connections = 100;
    rig_start(&rig);
    for (int i = 0; i < 3; i++)
        probe_begin(&p[i], &rig, "/x");
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 3);
    peer_allow(rig.peer, 3);
    rig_wait_done(&rig, 3);
    for (int i = 0; i < 3; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

static void refusals_before_anything_is_sent(void **unused)
{
    struct rig rig;
    struct probe p, q;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig.opts.max_calls = 1;
    rig_start(&rig);
    probe_init(&q, &rig, "/x y");
    assert_int_equal(upstream_call(rig.up, &q.call), -EINVAL);
    probe_begin(&p, &rig, "/x");
    probe_init(&q, &rig, "/y");
    assert_int_equal(upstream_call(rig.up, &q.call), -EAGAIN);
    rig_wait(&rig, &p);
    assert_int_equal(q.told, 0);
    probe_end(&p);
    rig_end(&rig);
}

static void bad_urls(void **unused)
{
    static const char *const urls[] = {"ftp://h/", "https://user:pw@h/", "http//", "", "file:///etc/passwd"};
    struct rig rig;
    char why[256];

    (void)unused;
    rig_init(&rig, NULL, "http");
    assert_int_equal(upstream_global_init(), 0);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        rig.opts.url = urls[i];
        assert_null(upstream_new(rig.loop, &rig.opts, why));
        assert_true(strlen(why) > 0);
        assert_null(strstr(why, "pw"));
    }
    assert_int_equal(loop_free(rig.loop), 0);
    upstream_global_cleanup();
}

/* ---- cancel ---- */

static void cancel_in_every_state(void **unused)
{
    struct rig rig;
    struct probe busy, waiting, connecting, last;
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.connections = 1;
    rig_start(&rig);
    probe_init(&connecting, &rig, "/connecting");
    upstream_cancel(&connecting.call); /* never started */
    probe_start(&connecting);
    upstream_cancel(&connecting.call);
    upstream_cancel(&connecting.call);

    probe_begin(&busy, &rig, "/busy");
    probe_begin(&waiting, &rig, "/waiting");
    rig_wait_requests(&rig, 1);
    upstream_cancel(&waiting.call);
    upstream_state(rig.up, &state);
    assert_int_equal(state.in_flight, 1);
    assert_int_equal(state.queued, 0);
    upstream_cancel(&busy.call);
    upstream_state(rig.up, &state);
    assert_int_equal(state.connections, 0); /* a busy connection dies with its call */

    peer_allow(rig.peer, 2);
    probe_run(&last, &rig, "/last");
    assert_int_equal(last.call.err, 0);
    upstream_cancel(&last.call); /* already answered */
    probe_end(&last);
    assert_int_equal(peer_accepted(rig.peer), 2);
    assert_int_equal(busy.told + waiting.told + connecting.told, 0);
    rig_end(&rig);
}

static void cancel_other(struct probe *p)
{
    struct probe *other = p + 1;

    upstream_cancel(&other->call);
}

static void cancel_finished_but_not_told(void **unused)
{
    struct rig rig;
    struct probe p[2];

    (void)unused;
    rig_init(&rig, NULL, "http"); /* nothing listens on port 1 */
    rig_start(&rig);
    for (int i = 0; i < 6; i++) { /* after three failures calls fail at once, later */
        probe_run(&p[0], &rig, "/x");
        probe_end(&p[0]);
    }
    probe_init(&p[0], &rig, "/a");
    probe_init(&p[1], &rig, "/b");
    p[0].then = cancel_other;
    probe_start(&p[0]);
    probe_start(&p[1]);
    rig_wait(&rig, &p[0]);
    probe_run(&p[0], &rig, "/x");
    assert_int_equal(p[1].told, 0);
    rig_end(&rig);
}

static void cancel_from_done(void **unused)
{
    struct rig rig;
    struct probe p[2];

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig_start(&rig);
    for (int i = 0; i < 2; i++)
        probe_init(&p[i], &rig, i ? "/other" : "/first");
    p[0].then = cancel_other;
    probe_start(&p[0]);
    rig_wait_requests(&rig, 1);
    probe_start(&p[1]);
    rig_wait_requests(&rig, 2);
    peer_allow(rig.peer, 1); /* either of the two connections may take it */
    rig_wait_done(&rig, 1);
    if (!p[0].told)
        peer_allow(rig.peer, 1);
    rig_wait(&rig, &p[0]);
    probe_end(&p[0]);
    probe_end(&p[1]);
    rig_end(&rig);
}

/* ---- close ---- */

static void close_while_busy_waiting_connecting(void **unused)
{
    struct rig rig;
    struct probe p[4];

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.connections = 2;
    rig_start(&rig);
    probe_begin(&p[0], &rig, "/busy");
    rig_wait_requests(&rig, 1);
    for (int i = 1; i < 4; i++) {
        probe_init(&p[i], &rig, "/more");
        p[i].call.background = i == 3;
        probe_start(&p[i]); /* one of them has a connection on its way */
    }
    rig_close(&rig);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(p[i].told, 1);
        assert_int_equal(p[i].call.err, -ECANCELED);
        assert_int_equal(p[i].call.sent, i == 0);
        probe_end(&p[i]);
    }
    rig_end(&rig);
}

static void close_in_done(struct probe *p)
{
    struct probe q;

    upstream_close(p->rig->up, NULL, NULL);
    probe_init(&q, p->rig, "/late");
    assert_int_equal(upstream_call(p->rig->up, &q.call), -ESHUTDOWN);
}

static void close_from_done(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_start(&rig);
    probe_init(&p, &rig, "/x");
    p.then = close_in_done;
    probe_start(&p);
    rig_wait(&rig, &p);
    probe_end(&p);
    loop_run(rig.loop); /* until nothing is left */
    rig.up = NULL;
    rig.closed = true;
    rig_end(&rig);
}

static void again_in_done(struct probe *p)
{
    struct probe *next = p + 1;

    probe_start(next);
}

static void call_from_done(void **unused)
{
    struct rig rig;
    struct probe p[4];

    (void)unused;
    rig_init_plain(&rig, script_answers);
    rig_start(&rig);
    for (int i = 0; i < 4; i++) {
        probe_init(&p[i], &rig, "/x");
        p[i].then = i < 3 ? again_in_done : NULL;
    }
    probe_start(&p[0]);
    rig_wait(&rig, &p[3]);
    assert_int_equal(peer_accepted(rig.peer), 1);
    for (int i = 0; i < 4; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_reuses_one_connection),
        cmocka_unit_test(one_call_object_used_again),
        cmocka_unit_test(queue_is_first_in_first_out),
        cmocka_unit_test(parties_take_turns),
        cmocka_unit_test(cap_holds_for_200_calls),
        cmocka_unit_test(not_more_connections_than_calls),
        cmocka_unit_test(refusals_before_anything_is_sent),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(cancel_in_every_state),
        cmocka_unit_test(cancel_finished_but_not_told),
        cmocka_unit_test(cancel_from_done),
        cmocka_unit_test(close_while_busy_waiting_connecting),
        cmocka_unit_test(close_from_done),
        cmocka_unit_test(call_from_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
