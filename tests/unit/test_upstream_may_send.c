/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_may_send.c - calls that may be sent only up to some moment: when they are asked, and what is
 * left of the connection whose call was withheld.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <string.h>

/* A call that may be sent `allowed` times. */
struct limited {
    struct probe probe; /* first */
    int allowed, asked;
};

static bool may_send(struct call *call)
{
    struct limited *l = (struct limited *)call;

    return l->asked++ < l->allowed;
}

static void limited_begin(struct limited *l, struct rig *rig, const char *target, int allowed)
{
    probe_init(&l->probe, rig, target);
    l->allowed = allowed;
    l->asked = 0;
    l->probe.call.may_send = may_send;
    probe_start(&l->probe);
}

static void assert_withheld(const struct limited *l)
{
    assert_int_equal(l->probe.call.err, -ESTALE);
    assert_false(l->probe.call.sent);
    assert_int_equal(l->asked, 1);
}

static void run_limited(struct rig *rig, const char *target, int allowed, struct limited *l)
{
    limited_begin(l, rig, target, allowed);
    rig_wait(rig, &l->probe);
    probe_end(&l->probe);
}

/* The first call finds no connection, the others one that was opened for a withheld call or has answered. */
static void nothing_of_a_withheld_call_is_sent(void **unused)
{
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};

    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct upstream_state state;
        struct limited l;
        struct rig rig;
        char targets[256];

        rig_init_vault(&rig, script_answers, NULL, versions[i]);
        rig_start(&rig);
        run_limited(&rig, "/1", 0, &l);
        assert_withheld(&l);
        run_limited(&rig, "/2", 1, &l);
        assert_int_equal(l.probe.call.err, 0);
        assert_int_equal(l.asked, 1);
        run_limited(&rig, "/3", 0, &l);
        assert_withheld(&l);
        run_limited(&rig, "/4", 1, &l);
        assert_int_equal(l.probe.call.err, 0);
        peer_targets(rig.peer, targets, sizeof(targets));
        assert_string_equal(targets, "/2 /4 ");
        upstream_state(rig.up, &state);
        assert_int_equal(state.opened, 1);
        assert_int_equal(state.last_failure_ms, 0); /* the vault has not failed */
        rig_end(&rig);
    }
}

/* It is asked when a connection is free, not when it is given. */
static void a_call_is_asked_after_its_wait(void **unused)
{
    struct limited busy, waiting;
    struct rig rig;

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig.opts.connections = 1;
    rig_start(&rig);
    limited_begin(&busy, &rig, "/busy", 1);
    rig_wait_requests(&rig, 1);
    limited_begin(&waiting, &rig, "/waiting", 1);
    assert_int_equal(waiting.asked, 0);
    waiting.allowed = 0;
    peer_allow(rig.peer, 2);
    rig_wait_done(&rig, 2);
    assert_int_equal(busy.probe.call.err, 0);
    assert_withheld(&waiting);
    assert_int_equal(peer_requests(rig.peer), 1);
    probe_end(&busy.probe);
    probe_end(&waiting.probe);
    rig_end(&rig);
}

/* Answers the first request of its first connection, and is gone at the second one. */
static void script_dies_once(struct peer_conn *pc)
{
    peer_read_request(pc);
    peer_answer(pc, "ok");
    if (!peer_read_request(pc) || pc->index == 0)
        return;
    peer_answer(pc, "ok");
}

static void run_repeat(int allowed, struct limited *l, int *requests)
{
    struct probe first;
    struct rig rig;

    rig_init_plain(&rig, script_dies_once);
    rig_start(&rig);
    probe_run(&first, &rig, "/1");
    assert_int_equal(first.call.err, 0);
    probe_end(&first);
    probe_init(&l->probe, &rig, "/2");
    l->probe.call.safe = true;
    l->probe.call.may_send = may_send;
    l->allowed = allowed;
    l->asked = 0;
    probe_start(&l->probe);
    rig_wait(&rig, &l->probe);
    *requests = peer_requests(rig.peer);
    probe_end(&l->probe);
    rig_end(&rig);
}

/* A withheld repeat is no proof that nothing was sent: the first try was. */
static void a_repeat_is_asked_again(void **unused)
{
    struct limited l;
    int requests;

    (void)unused;
    run_repeat(2, &l, &requests);
    assert_int_equal(l.probe.call.err, 0);
    assert_int_equal(l.asked, 2);
    assert_int_equal(requests, 3);
    run_repeat(1, &l, &requests);
    assert_int_equal(l.probe.call.err, -ESTALE);
    assert_true(l.probe.call.sent);
    assert_int_equal(l.asked, 2);
    assert_int_equal(requests, 2);
}

static bool wants_bytes(struct call *call)
{
    struct limited *l = (struct limited *)call;

    l->asked++;
    return true;
}

/* A large body goes in many pieces: asked once. */
static void only_the_first_byte_is_asked_for(void **unused)
{
    static char body[400000];
    struct limited l = {.asked = 0};
    struct rig rig;

    (void)unused;
    memset(body, 'x', sizeof(body));
    rig_init_vault(&rig, script_answers, NULL, TLS1_3_VERSION);
    rig_start(&rig);
    probe_init(&l.probe, &rig, "/large");
    l.probe.call.method = "POST";
    l.probe.call.body = body;
    l.probe.call.body_len = sizeof(body);
    l.probe.call.may_send = wants_bytes;
    probe_start(&l.probe);
    rig_wait(&rig, &l.probe);
    assert_int_equal(l.probe.call.err, 0);
    assert_int_equal(l.asked, 1);
    probe_end(&l.probe);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_withheld_call_is_sent),
        cmocka_unit_test(a_call_is_asked_after_its_wait),
        cmocka_unit_test(a_repeat_is_asked_again),
        cmocka_unit_test(only_the_first_byte_is_asked_for),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
