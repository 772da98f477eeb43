/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_stale.c - pooled connections that died meanwhile: when a call is repeated, and when it is
 * not.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <unistd.h>

struct staleness {
    bool reset, tls;
    int bad_from, bad_to; /* connections that die on their second (bad_from) or first request (others) */
};

static void script_stale(struct peer_conn *pc)
{
    const struct staleness *s = peer_arg(pc);
    bool bad = pc->index >= s->bad_from && pc->index <= s->bad_to;

    if (!peer_handshake(pc))
        return;
    if (!peer_read_request(pc))
        return;
    if (!bad || pc->index == s->bad_from) {
        peer_answer(pc, "ok");
        if (!peer_read_request(pc))
            return;
    }
    if (s->reset) {
        peer_reset(pc);
        return;
    }
    peer_end(pc);
    peer_linger(pc);
}

static void run_stale(const struct staleness *s, bool safe, struct probe *p, struct upstream_state *state)
{
    struct rig rig;
    struct probe first;

    rig_init_vault(&rig, script_stale, s, s->tls ? TLS1_2_VERSION : 0);
    rig_start(&rig);
    probe_run(&first, &rig, "/1");
    assert_int_equal(first.call.err, 0);
    probe_end(&first);
    probe_init(p, &rig, "/2");
    p->call.safe = safe;
    probe_start(p);
    rig_wait(&rig, p);
    upstream_state(rig.up, state);
    probe_end(p);
    rig_end(&rig);
}

static void stale_connection_is_repeated_if_safe(void **unused)
{
    struct upstream_state state;
    struct probe p;

    (void)unused;
    for (int form = 0; form < 4; form++) {
        struct staleness s = {form & 1, form & 2, 0, 0};
        run_stale(&s, true, &p, &state);
        assert_int_equal(p.call.err, 0);
        assert_int_equal(p.call.status, 200);
        assert_int_equal(state.retried, 1);
        assert_int_equal(state.opened, 2);
        run_stale(&s, false, &p, &state);
        assert_int_equal(p.call.err, -ECONNRESET);
        assert_true(p.call.sent);
        assert_int_equal(state.retried, 0);
        assert_int_equal(state.opened, 1);
    }
}

static void repeated_once_only(void **unused)
{
    struct staleness s = {false, false, 0, 5};
    struct upstream_state state;
    struct probe p;

    (void)unused;
    run_stale(&s, true, &p, &state);
    assert_int_equal(p.call.err, -ECONNRESET);
    assert_int_equal(state.retried, 1);
    assert_int_equal(state.opened, 2);
}

static void script_two_then_die(struct peer_conn *pc)
{
    if (pc->index >= 2) {
        while (peer_read_request(pc) && peer_answer(pc, "ok"))
            ;
        return;
    }
    peer_read_request(pc);
    peer_wait(pc);
    peer_answer(pc, "ok");
    peer_read_request(pc);
}

/* Both pooled connections are stale and fill the pool: a repeat must get a fresh one, not the other stale
 * one. */
static void repeat_gets_a_fresh_connection(void **unused)
{
    struct rig rig;
    struct probe p[3];
    struct upstream_state state;

    (void)unused;
    rig_init_plain(&rig, script_two_then_die);
    rig.opts.connections = 2;
    rig_start(&rig);
    for (int i = 0; i < 2; i++)
        probe_begin(&p[i], &rig, "/fill");
    rig_wait_requests(&rig, 2);
    peer_allow(rig.peer, 2);
    rig_wait_done(&rig, 2);
    probe_init(&p[2], &rig, "/repeat");
    p[2].call.safe = true;
    probe_start(&p[2]);
    rig_wait(&rig, &p[2]);
    assert_int_equal(p[2].call.err, 0);
    upstream_state(rig.up, &state);
    assert_int_equal(state.retried, 1);
    assert_int_equal(state.opened, 3);
    for (int i = 0; i < 3; i++)
        probe_end(&p[i]);
    rig_end(&rig);
}

static void script_answer_and_end(struct peer_conn *pc)
{
    if (peer_read_request(pc) && peer_answer(pc, "ok")) {
        peer_wait(pc);
        peer_end(pc);
        peer_linger(pc);
    }
}

static void idle_connection_that_ends_is_closed(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_answer_and_end);
    rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        probe_run(&p, &rig, "/x"); /* not safe, and still never lost */
        assert_int_equal(p.call.err, 0);
        probe_end(&p);
        peer_allow(rig.peer, 1);
        rig_wait_empty(&rig);
    }
    assert_int_equal(peer_accepted(rig.peer), 2);
    rig_end(&rig);
}

static void script_late_bytes(struct peer_conn *pc)
{
    if (peer_read_request(pc) && peer_answer(pc, "ok")) {
        peer_wait(pc);
        peer_write_text(pc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
        peer_note(pc); /* on loopback the bytes are there once the call has returned */
        peer_linger(pc);
    }
}

static void idle_connection_that_speaks_is_closed(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_late_bytes);
    rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        probe_run(&p, &rig, "/x");
        assert_true(probe_body_is(&p, "ok"));
        probe_end(&p);
        peer_allow(rig.peer, 1);
        rig_wait_empty(&rig);
    }
    rig_end(&rig);
}

/* The foreign answer is in the socket, and the loop had no turn to see it: it must not meet the next call. */
static void foreign_answer_meets_no_call(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_late_bytes);
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        assert_true(probe_body_is(&p, "ok"));
        probe_end(&p);
        peer_allow(rig.peer, 1);
        while (peer_notes(rig.peer) <= i)
            usleep(500);
    }
    assert_int_equal(peer_accepted(rig.peer), 3);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_connection_is_repeated_if_safe),
        cmocka_unit_test(repeated_once_only),
        cmocka_unit_test(repeat_gets_a_fresh_connection),
        cmocka_unit_test(idle_connection_that_ends_is_closed),
        cmocka_unit_test(idle_connection_that_speaks_is_closed),
        cmocka_unit_test(foreign_answer_meets_no_call),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
