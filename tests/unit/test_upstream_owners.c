/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_upstream_owners.c - a connection carries the calls of one owner, so that a late answer meets no other.
 *
 * script_misplaced is the worst vault: whatever follows the first request of a connection is answered with
 * what was meant for the one before. A call that is answered "mine" had a connection that no other owner had
 * used.
 */
#include "upstream_certs.h"
#include "upstream_rig.h"

#include <errno.h>
#include <unistd.h>

static void script_misplaced(struct peer_conn *pc)
{
    while (peer_read_request(pc) && peer_answer(pc, pc->requests == 1 ? "mine" : "the one before"))
        ;
}

static void probe_owned(struct probe *p, struct rig *rig, const char *target, uint64_t owner)
{
    probe_init(p, rig, target);
    p->call.owner = owner;
    probe_start(p);
}

static void expect(struct rig *rig, uint64_t owner, const char *body)
{
    struct probe p;

    probe_owned(&p, rig, "/x", owner);
    rig_wait(rig, &p);
    assert_int_equal(p.call.err, 0);
    assert_true(probe_body_is(&p, body));
    probe_end(&p);
}

static uint64_t opened(const struct rig *rig)
{
    struct upstream_state state;

    upstream_state(rig->up, &state);
    assert_true(state.connections <= rig->opts.connections);
    return state.opened;
}

static void late_answers_meet_no_other_owner(void **unused)
{
    struct rig rig;

    (void)unused;
    rig_init_plain(&rig, script_misplaced);
    rig_start(&rig);
    expect(&rig, 1, "mine");
    expect(&rig, 2, "mine");
    expect(&rig, 257, "mine"); /* in one row with 1 */
    expect(&rig, 0, "mine");   /* 0 is an owner as well */
    assert_int_equal(opened(&rig), 4);
    expect(&rig, 1, "the one before"); /* the connection is used again, by its owner */
    assert_int_equal(opened(&rig), 4);
    rig_end(&rig);
}

/* The least recently used connection gives its place. */
static void a_full_pool_changes_connections_not_owners(void **unused)
{
    struct rig rig;

    (void)unused;
    rig_init_plain(&rig, script_misplaced);
    rig.opts.connections = 2;
    rig_start(&rig);
    expect(&rig, 1, "mine");
    expect(&rig, 2, "mine");
    expect(&rig, 1, "the one before");
    expect(&rig, 3, "mine"); /* in the place of 2 */
    expect(&rig, 1, "the one before");
    expect(&rig, 2, "mine"); /* in the place of 3 */
    expect(&rig, 3, "mine"); /* in the place of 1 */
    assert_int_equal(opened(&rig), 5);
    rig_end(&rig);
}

static void script_misplaced_when_allowed(struct peer_conn *pc)
{
    while (peer_read_request(pc)) {
        peer_wait(pc);
        if (!peer_answer(pc, pc->requests == 1 ? "mine" : "the one before"))
            return;
    }
}

static void those_who_wait_are_served_by_connections_of_their_own(void **unused)
{
    enum { N = 40 };
    struct rig rig;
    struct probe p[N];

    (void)unused;
    rig_init_plain(&rig, script_misplaced_when_allowed);
    rig.opts.connections = 3;
    rig_start(&rig);
    for (int i = 0; i < N; i++)
        probe_owned(&p[i], &rig, "/x", (uint64_t)i);
    rig_wait_requests(&rig, 3);
    assert_int_equal(opened(&rig), 3);
    peer_allow(rig.peer, N);
    rig_wait_done(&rig, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(p[i].call.err, 0);
        assert_true(probe_body_is(&p[i], "mine"));
        probe_end(&p[i]);
    }
    assert_int_equal(opened(&rig), N);
    rig_end(&rig);
}

/* ---- order ---- */

static struct probe follower; /* begun in done() of the first, for the same owner */

static void go_on(struct probe *p)
{
    probe_init(&follower, p->rig, "/follows");
    follower.call.owner = p->call.owner;
    follower.call.begun = true;
    probe_start(&follower);
}

static void run_follower(void (*then)(struct probe *), struct probe *other, uint64_t *nopened)
{
    struct rig rig;
    struct probe first;

    rig_init_plain(&rig, script_misplaced_when_allowed);
    rig.opts.connections = 1;
    rig_start(&rig);
    probe_init(&first, &rig, "/first");
    first.call.owner = 1;
    first.then = then;
    probe_start(&first);
    probe_owned(other, &rig, "/other", 2);
    peer_allow(rig.peer, 3);
    rig_wait_done(&rig, 3);
    assert_int_equal(first.order, 1);
    assert_true(probe_body_is(other, "mine"));
    *nopened = opened(&rig);
    probe_end(&first);
    probe_end(other);
    probe_end(&follower);
    rig_end(&rig);
}

/* What goes on has its connection before it is given away for others. */
static void what_was_begun_goes_on_where_it_was(void **unused)
{
    struct probe other;
    uint64_t nopened;

    (void)unused;
    run_follower(go_on, &other, &nopened);
    assert_int_equal(follower.order, 2);
    assert_int_equal(other.order, 3);
    assert_int_equal(nopened, 2);
}

static struct probe row[40]; /* each begins the next one, for the same owner */

static void begin_another(struct probe *p)
{
    probe_init(p + 1, p->rig, "/another");
    p[1].call.owner = p->call.owner;
    p[1].then = p + 2 < row + 40 ? begin_another : NULL;
    probe_start(p + 1);
}

/* An owner who begins one thing after the other keeps the connection for a while, and then it is the turn of
 * others. */
static void owners_take_turns_in_a_full_pool(void **unused)
{
    struct rig rig;
    struct probe other;

    (void)unused;
    rig_init_plain(&rig, script_misplaced);
    rig.opts.connections = 1;
    rig_start(&rig);
    probe_init(&row[0], &rig, "/first");
    row[0].call.owner = 1;
    row[0].then = begin_another;
    probe_start(&row[0]);
    probe_owned(&other, &rig, "/other", 2);
    rig_wait_done(&rig, 41);
    assert_int_equal(other.order, 10); /* after the first, and eight in a row */
    assert_true(probe_body_is(&other, "mine"));
    assert_int_equal(opened(&rig), 3);
    for (int i = 0; i < 40; i++)
        probe_end(&row[i]);
    probe_end(&other);
    rig_end(&rig);
}

static void script_only_the_first_shakes_hands(struct peer_conn *pc)
{
    if (pc->index == 0)
        script_answers_when_allowed(pc);
    else
        peer_linger(pc);
}

/* A connection that is there serves its owner, however long others wait for theirs to open. */
static void no_call_waits_for_the_connects_of_others(void **unused)
{
    struct rig rig;
    struct probe first, stuck, p;

    (void)unused;
    rig_init_vault(&rig, script_only_the_first_shakes_hands, NULL, TLS1_3_VERSION);
    rig_start(&rig);
    peer_allow(rig.peer, 1);
    probe_owned(&first, &rig, "/x", 1);
    rig_wait(&rig, &first);
    probe_end(&first);
    probe_owned(&stuck, &rig, "/stuck", 2);
    for (int i = 0; i < 2; i++) { /* one that comes, and one that waited while the connection was in use */
        probe_owned(&first, &rig, "/x", 1);
        probe_owned(&p, &rig, "/y", 1);
        peer_allow(rig.peer, 2);
        rig_wait(&rig, &first);
        rig_wait(&rig, &p);
        assert_int_equal(first.call.err, 0);
        assert_int_equal(p.call.err, 0);
        assert_int_equal(stuck.told, 0);
        probe_end(&first);
        probe_end(&p);
    }
    assert_int_equal(opened(&rig), 1);
    rig_close(&rig);
    assert_int_equal(stuck.call.err, -ECANCELED);
    probe_end(&stuck);
    rig_end(&rig);
}

/* Who has no connection is not left waiting for those of others. */
static void a_vault_that_takes_no_connection_fails_who_needs_one(void **unused)
{
    struct rig rig;
    struct probe busy, beside, other[20];

    (void)unused;
    rig_init_plain(&rig, script_answers_when_allowed);
    rig_start(&rig);
    probe_owned(&busy, &rig, "/busy", 1);
    rig_wait_requests(&rig, 1);
    peer_stop_accepting(rig.peer);
    for (uint64_t i = 0; i < 20; i++)
        probe_owned(&other[i], &rig, "/x", 2 + i % 2);
    rig_wait_done(&rig, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(other[i].call.err, -ECONNREFUSED);
        assert_false(other[i].call.sent);
        probe_end(&other[i]);
    }
    probe_owned(&beside, &rig, "/beside", 1); /* there is one that may serve it */
    assert_int_equal(busy.told, 0);
    peer_allow(rig.peer, 2);
    rig_wait(&rig, &busy);
    rig_wait(&rig, &beside);
    assert_int_equal(busy.call.err, 0);
    assert_int_equal(beside.call.err, 0);
    probe_end(&busy);
    probe_end(&beside);
    rig_end(&rig);
}

/* ---- bodies that come late ---- */

static void script_body_after_204(struct peer_conn *pc)
{
    if (!peer_read_request(pc) ||
        !peer_write_text(pc, "HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n"))
        return;
    if (peer_read_request(pc))
        peer_write_text(pc, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nforeign");
}

/* The same owner does not get it either. */
static void announced_bodies_meet_no_call(void **unused)
{
    struct rig rig;
    struct probe p;

    (void)unused;
    rig_init_plain(&rig, script_body_after_204);
    rig_start(&rig);
    for (int i = 1; i <= 3; i++) {
        probe_run(&p, &rig, "/x");
        assert_int_equal(p.call.err, 0);
        assert_int_equal(p.call.status, 204);
        assert_int_equal(opened(&rig), i);
        probe_end(&p);
    }
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_answers_meet_no_other_owner),
        cmocka_unit_test(a_full_pool_changes_connections_not_owners),
        cmocka_unit_test(those_who_wait_are_served_by_connections_of_their_own),
        cmocka_unit_test(what_was_begun_goes_on_where_it_was),
        cmocka_unit_test(owners_take_turns_in_a_full_pool),
        cmocka_unit_test(no_call_waits_for_the_connects_of_others),
        cmocka_unit_test(a_vault_that_takes_no_connection_fails_who_needs_one),
        cmocka_unit_test(announced_bodies_meet_no_call),
    };

    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
