/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lease.c - who holds what: holders, races between check-outs and check-ins, timed release, memory.
 *
 * The order in which the vault works (commit) and in which its answers arrive (deliver) is chosen here, so
 * each race of the essay in checkout.c is played exactly.
 */
#include "broker_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two check-outs of alice, each waiting for its answer to POST Requests. */
static void two_requests(struct world *w, struct caller *a, struct caller *b)
{
    world_start_plain(w);
    start_checkout(w, "alice", "s1", a);
    start_checkout(w, "alice", "s2", b);
    world_run_until(w, FAKE_REQUEST);
    assert_int_equal(fake_vault_pending(&w->vault), 2);
}

TEST(the_request_is_checked_in_with_its_last_holder)
{
    struct world w;
    struct caller a, b;
    struct released r;

    two_requests(&w, &a, &b);
    world_settle(&w);
    assert_checkout_ok(&a);
    assert_checkout_ok(&b);
    assert_int_equal(a.request_id, b.request_id);
    assert_string_not_equal(a.lease_id, b.lease_id);
    assert_false(b.adopted);
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(r.remaining, 1);
    assert_int_equal(world_checkins(&w), 0);
    finish_release(&w, "ALICE", "s2", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(r.remaining, 0);
    assert_false(r.pending);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

/* The undo of one check-out must not take the request from the other, in whichever order they go. */
TEST(undoing_one_checkout_leaves_the_request_to_the_other)
{
    struct world w;
    struct caller c[2];

    for (int who = 0; who < 2; who++)
        for (int when = 0; when < 3; when++) {
            case_label("check-out %d is cancelled after %d answers", who + 1, when);
            two_requests(&w, &c[0], &c[1]);
            if (when == 0)
                cancel_checkout(&c[who]);
            world_deliver(&w, FAKE_REQUEST, 0);
            if (when == 1)
                cancel_checkout(&c[who]);
            world_deliver(&w, FAKE_REQUEST, 0);
            if (when == 2)
                cancel_checkout(&c[who]);
            world_settle(&w);
            assert_checkout_ok(&c[1 - who]);
            assert_true(fake_vault_find(&w.vault, c[1 - who].request_id)->live);
            assert_int_equal(fake_vault_live(&w.vault), 1);
            assert_int_equal(world_state(&w).leases_active, 1);
            world_end(&w);
        }
}

/* The one who was given the other's request by reuse is answered first: it must know it as ours. */
TEST(a_request_reused_before_its_maker_is_answered_is_ours)
{
    struct world w;
    struct caller a, b;
    struct released r;

    for (int leaves = 0; leaves < 2; leaves++) {
        two_requests(&w, &a, &b);
        fake_vault_commit(&w.vault, 0);
        world_deliver(&w, FAKE_REQUEST, 1);
        world_run_until(&w, FAKE_REQUEST);
        world_deliver(&w, FAKE_REQUESTS, 0);
        if (leaves)
            cancel_checkout(&a);
        world_settle(&w);
        assert_checkout_ok(&b);
        assert_false(b.adopted);
        assert_int_equal(world_state(&w).leases_active, leaves ? 1 : 2);
        finish_release(&w, "alice", "s2", NULL, &r);
        finish_release(&w, "alice", "s1", NULL, &r);
        assert_int_equal(world_checkins(&w), 1);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
}

/* Both look a request up that neither has made; one of the two lists lacks it. */
TEST(a_partial_list_takes_the_request_from_nobody_else)
{
    struct world w;
    struct caller a, b;

    two_requests(&w, &a, &b);
    int64_t own = fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "my own work");

    world_deliver(&w, FAKE_REQUEST, 0);
    world_deliver(&w, FAKE_REQUEST, 0);
    w.vault.hide_lists = 1;
    world_deliver(&w, FAKE_REQUESTS, 0);
    world_settle(&w);
    assert_checkout_ok(&a);
    assert_checkout_ok(&b);
    assert_true(a.adopted && b.adopted && a.request_id == own && b.request_id == own);
    assert_int_equal(world_state(&w).leases_active, 2);
    assert_int_equal(world_checkins(&w), 0);
    world_end(&w);
}

/* The transport carried the request out twice: the vault says "reused", and it is our own all the same. */
TEST(a_request_sent_twice_by_the_transport_is_ours)
{
    struct world w;
    struct caller c;

    for (int leaves = 0; leaves < 3; leaves++) {
        case_label("%s", (const char *const[]){"waits", "leaves before the answer",
                                               "leaves during the look-up"}[leaves]);
        world_start_plain(&w);
        world_set_fault(&w, FAKE_REQUEST, FAKE_REPLAYED);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_REQUEST);
        if (leaves == 1)
            cancel_checkout(&c);
        (void)fake_vault_step(&w.vault);
        if (leaves == 2)
            cancel_checkout(&c); /* in the middle of `lookup` */
        world_settle(&w);
        assert_int_equal(world_checkins(&w), leaves ? 1 : 0);
        if (!leaves)
            assert_checkout_ok(&c);
        assert_false(c.adopted);
        world_end(&w);
    }
}

TEST(repeats_of_a_session_share_one_lease)
{
    struct world w;
    struct caller a, b, c;
    struct released r;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &a);
    start_checkout(&w, "alice", "s1", &b);
    checkout_ok(&w, "Alice", "s1", &c);
    assert_checkout_ok(&b);
    assert_checkout_ok(&c);
    assert_string_equal(a.lease_id, b.lease_id);
    assert_string_equal(a.lease_id, c.lease_id);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(r.remaining, 0);
    assert_int_equal(world_checkins(&w), 1);
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.released, 0);
    world_end(&w);
}

TEST(a_repeat_goes_on_when_the_first_is_cancelled)
{
    struct world w;
    struct caller a, b, c;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &a);
    start_checkout(&w, "alice", "s1", &b);
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_REQUEST);
    cancel_checkout(&a);
    cancel_checkout(&b);
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    assert_true(fake_vault_find(&w.vault, c.request_id)->live);
    world_end(&w);
}

/* Its turn has come, and it leaves before it takes it, one turn of the loop earlier or later. */
TEST(a_repeat_cancelled_at_the_head_of_its_queue_lets_the_next_begin)
{
    struct world w;
    struct caller a, b, c;

    for (int turns = 0; turns < 3; turns++) {
        world_start_plain(&w);
        start_checkout(&w, "alice", "s1", &a);
        start_checkout(&w, "alice", "s1", &b);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_CREDENTIAL);
        fake_vault_deliver(&w.vault, 0);
        for (int i = 0; i < turns; i++)
            (void)timers_run(w.timers);
        assert_checkout_ok(&a);
        assert_int_equal(b.replies, 0);
        cancel_checkout(&b);
        world_settle(&w);
        assert_checkout_ok(&c);
        assert_string_equal(c.lease_id, a.lease_id);
        world_end(&w);
    }
}

/* A request whose check-in is on its way is handed over: wait for that, then ask again. */
TEST(a_request_that_is_being_checked_in_is_not_reused)
{
    struct world w;
    struct caller a, b;
    struct released r;

    for (int checkin_answers_first = 0; checkin_answers_first < 2; checkin_answers_first++) {
        world_start_leased(&w, &a);
        start_checkout(&w, "alice", "s2", &b);
        world_iterate(&w);
        while (fake_vault_pending_op(&w.vault, 0) != FAKE_REQUEST)
            world_deliver(&w, fake_vault_pending_op(&w.vault, 0), 0);
        fake_vault_commit(&w.vault, 0); /* the vault hands the old request over … */
        start_release(&w, "alice", "s1", w.credential, &r);
        fake_vault_commit(&w.vault, world_find_call(&w, FAKE_CHECKIN, 0)); /* … and ends it */
        world_deliver(&w, checkin_answers_first ? FAKE_CHECKIN : FAKE_REQUEST, 0);
        assert_int_equal(b.replies, 0);
        world_settle(&w);
        assert_false(r.pending);
        assert_checkout_ok(&b);
        assert_int_not_equal(b.request_id, a.request_id);
        assert_true(fake_vault_find(&w.vault, b.request_id)->live);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        world_end(&w);
    }
}

static const enum fake_fault failures[] = {FAKE_CANNOT_START, FAKE_UNREACHABLE};

/* Nothing leads back, also where no attempt has reached the vault as yet. A check-out waits for one attempt,
 * which it hurries, and not for the next ones. */
TEST(a_request_that_is_given_back_takes_no_holder)
{
    struct world w;
    struct caller a, b;
    struct released r;

    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        case_label("check-ins are %s", fake_fault_name(failures[i]));
        world_start_leased(&w, &a);
        world_set_fault(&w, FAKE_CHECKIN, failures[i]);
        finish_release(&w, "alice", "s1", w.credential, &r);
        assert_true(r.pending);
        unsigned attempts = w.vault.count[FAKE_CHECKIN];

        assert_int_equal(finish_checkout(&w, "alice", "s2", &b), FAULT_VAULT_CONFLICT);
        assert_non_null(
            strstr(b.detail, failures[i] == FAKE_CANNOT_START ? "(overloaded)" : "(vault_unavailable)"));
        assert_int_equal(w.vault.count[FAKE_CHECKIN], attempts + 1);
        assert_int_equal(world_state(&w).leases_retrying, 1);
        w.vault.plan = NULL;
        checkout_ok(&w, "alice", "s2", &b);
        assert_int_not_equal(b.request_id, a.request_id);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        world_end(&w);
    }
}

/* The client leaves, or the session ends, between the attempt and the answer. */
TEST(a_checkout_ends_while_it_waits_for_a_checkin)
{
    struct world w;
    struct caller a, b;
    struct released r;

    for (int how = 0; how < 2; how++) {
        case_label("%s", how ? "its session ends" : "its client leaves");
        world_start_leased(&w, &a);
        world_set_fault(&w, FAKE_CHECKIN, FAKE_CANNOT_START);
        finish_release(&w, "alice", "s1", w.credential, &r);
        start_checkout(&w, "alice", "s2", &b);
        world_run_until(&w, FAKE_REQUEST);
        fake_vault_deliver(&w.vault, 0);
        assert_int_equal(b.replies, 0);
        if (how)
            finish_release(&w, "alice", "s2", NULL, &r);
        else
            cancel_checkout(&b);
        world_settle(&w);
        assert_int_equal(b.code, how ? FAULT_CREDENTIAL_NOT_FOUND : FAULT_NONE);
        w.vault.plan = NULL;
        world_advance(&w, SECONDS(10));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
}

/* Nor is what the check-out has asked for forgotten where a sending of it was lost: it may come late. */
TEST(a_lost_sending_before_a_wait_is_recovered)
{
    struct world w;
    struct caller a, b;
    struct released r;
    char reason[128];

    world_start_stored_leased(&w, &a);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_CANNOT_START);
    finish_release(&w, "alice", "s1", w.credential, &r);
    w.vault.say_unsure = true;
    start_checkout(&w, "alice", "s2", &b);
    world_run_until(&w, FAKE_REQUEST);
    (void)snprintf(reason, sizeof reason, "%s", TAILQ_FIRST(&w.vault.calls)->want->reason);
    w.vault.plan = NULL;
    fake_vault_deliver(&w.vault, 0);
    w.vault.say_unsure = false;
    world_settle(&w);
    assert_checkout_ok(&b);
    finish_release(&w, "alice", "s2", w.credential, &r);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

/* The same where the request that the vault hands over is held: the check-out joins it. */
TEST(a_lost_sending_before_a_join_is_recovered)
{
    struct world w;
    struct caller a, b;
    struct released r;
    char reason[128];

    world_start_stored_leased(&w, &a);
    w.vault.say_unsure = true;
    start_checkout(&w, "alice", "s2", &b);
    world_run_until(&w, FAKE_REQUEST);
    (void)snprintf(reason, sizeof reason, "%s", TAILQ_FIRST(&w.vault.calls)->want->reason);
    world_settle(&w);
    assert_checkout_ok(&b);
    assert_int_equal(b.request_id, a.request_id);
    assert_null(strstr(reason, b.lease_id)); /* its own id is no request's mark */
    assert_string_equal(fake_store_lease(w.store, b.lease_id)->request, a.lease_id);
    finish_release(&w, "alice", "s1", w.credential, &r);
    finish_release(&w, "alice", "s2", w.credential, &r);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* A check-in of unknown outcome may land at any time: a request under it must not be taken back. */
static enum fake_fault first_checkin_late(void *arg, enum fake_op op, unsigned nth)
{
    (void)nth;
    return op == FAKE_CHECKIN && (*(int *)arg)++ == 0 ? FAKE_LOST_LATE : FAKE_FINE;
}

TEST(a_checkin_of_unknown_outcome_is_not_taken_back)
{
    struct world w;
    struct caller a, b;
    struct released r;
    int n = 0;

    world_start_leased(&w, &a);
    w.vault.plan = first_checkin_late;
    w.vault.plan_arg = &n;
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_true(r.pending);
    start_checkout(&w, "alice", "s2", &b);
    world_settle(&w); /* the person does not wait for the back-off: the next attempt is made at once */
    assert_checkout_ok(&b);
    fake_vault_land(&w.vault);
    assert_true(fake_vault_find(&w.vault, b.request_id)->live);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

TEST(the_persons_own_request_is_used_and_never_checked_in)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_plain(&w);
    int64_t id =
        fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 20, "mine [jumpgate 0123456789ABCDEFGHJKMNPQRS]");

    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.adopted); /* a mark alone proves nothing: that lease id is not one of ours */
    assert_int_equal(c.request_id, id);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + MINUTES(20));
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_false(r.pending);
    checkout_ok(&w, "alice", "s2", &c);
    assert_true(c.adopted);
    world_advance(&w, MINUTES(21));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    world_end(&w);
}

TEST(users_do_not_share_requests)
{
    struct world w;
    struct caller a, b;
    struct released r;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &a);
    checkout_ok(&w, "bob", "s1", &b);
    assert_checkout_ok(&b);
    assert_int_not_equal(a.request_id, b.request_id);
    finish_release(&w, "carol", "s1", NULL, &r);
    assert_int_equal(r.released, 0);
    finish_release(&w, "bob", "s1", NULL, &r);
    assert_int_equal(r.released, 1);
    assert_true(fake_vault_find(&w.vault, a.request_id)->live);
    assert_false(fake_vault_find(&w.vault, b.request_id)->live);
    world_end(&w);
}

TEST(a_lease_ends_before_the_request_does)
{
    struct world w;
    struct caller a, b;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &a);
    world_run_until(&w, FAKE_REQUEST);
    fake_clock_advance(&w.clock, 100); /* the vault begins to count later than we do */
    world_settle(&w);
    fake_clock_advance(&w.clock, MINUTES(30));
    checkout_ok(&w, "alice", "s2", &b);
    assert_int_equal(b.expires_wall_ms, a.expires_wall_ms);
    world_advance(&w, MINUTES(30) - 200);
    assert_int_equal(world_state(&w).leases_active, 2);
    world_advance(&w, 150);
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(world_checkins(&w), 1); /* by us, before its own end */
    world_end(&w);
}

/* The end comes while a repeat of the same session reads the secret. */
TEST(a_lease_that_ends_during_a_repeat_is_replaced)
{
    struct world w;
    struct caller a, b;

    world_start_leased(&w, &a);
    fake_clock_run(&w.clock, w.timers, MINUTES(60) - SECONDS(1));
    start_checkout(&w, "alice", "s1", &b);
    world_run_until(&w, FAKE_CREDENTIAL);
    fake_clock_run(&w.clock, w.timers, SECONDS(2));
    world_settle(&w); /* gone by then: asked for again */
    assert_checkout_ok(&b);
    assert_int_not_equal(a.request_id, b.request_id);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

TEST(a_request_that_is_gone_is_replaced_once)
{
    struct world w;
    struct caller a, b, c;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &a);
    checkout_ok(&w, "alice", "s2", &b);
    w.vault.requests[0].live = false;
    checkout_ok(&w, "alice", "s1", &c);
    assert_string_not_equal(c.lease_id, a.lease_id);
    assert_int_not_equal(c.request_id, a.request_id);
    assert_int_equal(world_state(&w).leases_active, 2); /* the other session's stands on the dead one */
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_CREDENTIAL);
    w.vault.requests[1].live = false;
    (void)fake_vault_step(&w.vault);
    world_run_until(&w, FAKE_CREDENTIAL);
    w.vault.requests[2].live = false;
    world_settle(&w);
    assert_int_equal(c.code, FAULT_VAULT_CONFLICT);
    /* What the vault calls dead is given back all the same, and does not count as given back by us. */
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 2);
    assert_int_equal(world_checkins(&w), 0);
    world_end(&w);
}

/* The vault hands over what it has just called gone: it is live, and owed to the vault again. */
TEST(a_request_called_gone_and_handed_out_again_is_checked_in)
{
    struct world w;
    struct caller a, b, c;
    struct released r;

    world_start_leased(&w, &a);
    checkout_ok(&w, "alice", "s2", &b);
    w.vault.requests[0].live = false;
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_CREDENTIAL);
    (void)fake_vault_step(&w.vault);
    world_run_until(&w, FAKE_REQUEST);
    w.vault.requests[0].live = true;
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(c.request_id, b.request_id);
    finish_release(&w, "alice", "s1", NULL, &r);
    finish_release(&w, "alice", "s2", NULL, &r);
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(a_lease_whose_request_is_gone_ends_also_when_no_new_one_comes)
{
    struct world w;
    struct caller c;

    world_start_leased(&w, &c);
    w.vault.requests[0].live = false;
    world_set_fault(&w, FAKE_REQUEST, FAKE_UNREACHABLE);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(world_state(&w).leases_active, 0);
    world_end(&w);
}

/* The vault wrongly says that the request is no more: it is given back, and not left to live without a lease.
 */
TEST(a_request_wrongly_called_gone_is_checked_in)
{
    struct world w;
    struct caller a, c;

    world_start_leased(&w, &a);
    w.vault.requests[0].live = false;
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_CREDENTIAL);
    (void)fake_vault_step(&w.vault);
    w.vault.requests[0].live = true;
    w.vault.accounts[0].no_reuse = true;
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_not_equal(c.request_id, a.request_id);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

/* A vault that keeps handing over what is dead gets one more chance, not all of them. */
TEST(a_dead_request_is_asked_for_once_more_only)
{
    struct world w;
    struct caller c;

    world_init(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 20, "mine");
    w.vault.requests[0].live = false;
    w.vault.accounts[0].reuse_dead = true;
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_VAULT_ERROR);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 2);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    world_end(&w);
}

/* Half of them first, so that what grows once, and what malloc keeps at hand, is there before we measure. */
static void burst(struct world *w, struct caller *callers, size_t n, size_t first)
{
    char session[40];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(session, sizeof session, "0123456789abcdef0123456789abc%03zu", first + i);
        start_checkout(w, "alice", session, &callers[i]);
    }
    world_iterate(w);
    while (fake_vault_pending_op(&w->vault, 0) != FAKE_REQUEST)
        (void)fake_vault_step(&w->vault);
}

/* One instant before the end that was answered the lease stands; from that instant on it is over, whether or
 * not its timer has come up. */
TEST(a_lease_is_over_at_the_answered_end)
{
    struct world w;
    struct caller c, again;
    struct released r;

    for (int when = -1; when <= 1; when++) {
        case_label("%d ms from the end", when);
        world_start_plain(&w);
        fake_clock_run(&w.clock, w.timers, 700);
        checkout_ok(&w, "alice", "s1", &c);
        assert_int_equal(c.expires_wall_ms % 1000, 0);
        assert_in_range(c.expires_wall_ms - w.clock.wall, MINUTES(59) + SECONDS(59), MINUTES(60));
        fake_clock_advance(&w.clock, (uint64_t)(c.expires_wall_ms - w.clock.wall + when));
        if (when <= 0)
            finish_release(&w, "alice", "s1", NULL, &r);
        else
            checkout_ok(&w, "alice", "s1", &again);
        if (when <= 0)
            assert_int_equal(r.released, when < 0);
        else
            assert_string_not_equal(again.lease_id, c.lease_id);
        world_settle(&w);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        world_end(&w);
    }
}

TEST(at_most_200_leases_end_in_a_millisecond)
{
    enum { N = 250 };
    static struct caller callers[N];
    static const uint64_t left[] = {N, N - 200, 0};
    struct world w;

    world_init(&w);
    w.vault.accounts[0].no_reuse = true;
    world_start(&w);
    burst(&w, callers, N, 0);
    world_settle(&w);
    fake_clock_run(&w.clock, w.timers, (uint64_t)(callers[0].expires_wall_ms - w.clock.wall) - 1);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        case_label("%zu ms", i);
        assert_int_equal(world_state(&w).leases_active, left[i]);
        fake_clock_run(&w.clock, w.timers, 1);
    }
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

/* So it is in a listing and by its id. */
static void note_row(void *arg, const struct lease_view *v)
{
    assert_string_not_equal(v->state, "open");
    ++*(int *)arg;
}

TEST(a_lease_past_its_end_is_not_listed_as_open)
{
    struct world w;
    struct caller c;
    int rows = 0;

    world_start_leased(&w, &c);
    fake_clock_advance(&w.clock, (uint64_t)(c.expires_wall_ms - w.clock.wall));
    assert_int_equal(broker_leases(w.broker, &(struct lease_filter){.limit = 10}, note_row, &rows), 0);
    assert_int_equal(rows, 1);
    world_settle(&w);
    assert_int_equal(world_state(&w).leases_active, 0);
    world_end(&w);
}

/* What is shorter than a few seconds keeps its length: the answer is rounded up instead. */
TEST(a_short_end_is_rounded_up)
{
    struct world w;
    struct caller c;
    struct released r;

    world_init(&w);
    w.vault.conf.minute_ms = 20;
    world_start(&w);
    fake_clock_run(&w.clock, w.timers, 700);
    checkout_ok(&w, "alice", "s1", &c);
    assert_int_equal(c.expires_wall_ms % 1000, 0);
    assert_in_range(c.expires_wall_ms - w.clock.wall, 1200, 2200);
    world_advance(&w, 1100);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_advance(&w, (uint64_t)(c.expires_wall_ms - w.clock.wall));
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_int_equal(r.released, 0);
    world_end(&w);
}

/* The vault takes both spellings for one person and gives both the same request. */
TEST(spellings_of_a_user_share_a_request)
{
    struct world w;
    struct caller a, b;
    struct released r;

    world_start_stored_leased(&w, &a);
    checkout_ok(&w, "aLICE", "s2", &b);
    assert_int_equal(a.request_id, b.request_id);
    assert_false(b.adopted);
    world_advance(&w, MINUTES(25)); /* two rounds of reconciliation */
    assert_int_equal(world_checkins(&w), 0);
    start_release(&w, "alice", "s1", NULL, &r);
    world_advance(&w, MINUTES(12));
    assert_int_equal(r.remaining, 1);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(world_state(&w).leases_active, 1);
    start_release(&w, "alice", "s2", NULL, &r);
    world_advance(&w, SECONDS(1));
    assert_int_equal(r.released, 1);
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* What was asked for, without the rounding. */
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);

enum { FLYING_MAX = 4380, LEASE_MAX = 668 };

static size_t in_use(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#else
/* Four uthash handles take 224 bytes of each lease, the allocator's rounding some 40. What the allocator
 * keeps of freed memory for the next call counts as in use: 10 bytes of each lease. */
enum { FLYING_MAX = 4470, LEASE_MAX = 710 };

static size_t in_use(void) /* 0 where the allocator is another */
{
    return mallinfo2().uordblks;
}
#endif

TEST(checkouts_and_leases_keep_to_their_memory)
{
    enum { N = 120 };
    static struct caller callers[N];
    struct world w;

    world_init(&w);
    w.vault.accounts[0].no_reuse = true;
    world_start(&w);
    burst(&w, callers, N, 0);
    world_settle(&w);
    size_t before = in_use();

    burst(&w, callers, N, N);
    size_t flying = (in_use() - before) / N;

    world_settle(&w);
    assert_int_equal(world_state(&w).leases_active, 2 * N);
    size_t lease = (in_use() - before) / N;

    print_message("bytes: %zu for a check-out in flight, %zu for an open lease\n", flying, lease);
    assert_true(flying <= FLYING_MAX);
    assert_true(lease <= LEASE_MAX);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_checked_in_with_its_last_holder),
        cmocka_unit_test(undoing_one_checkout_leaves_the_request_to_the_other),
        cmocka_unit_test(a_request_reused_before_its_maker_is_answered_is_ours),
        cmocka_unit_test(a_partial_list_takes_the_request_from_nobody_else),
        cmocka_unit_test(a_request_sent_twice_by_the_transport_is_ours),
        cmocka_unit_test(repeats_of_a_session_share_one_lease),
        cmocka_unit_test(a_repeat_goes_on_when_the_first_is_cancelled),
        cmocka_unit_test(a_repeat_cancelled_at_the_head_of_its_queue_lets_the_next_begin),
        cmocka_unit_test(a_request_that_is_being_checked_in_is_not_reused),
        cmocka_unit_test(a_request_that_is_given_back_takes_no_holder),
        cmocka_unit_test(a_checkout_ends_while_it_waits_for_a_checkin),
        cmocka_unit_test(a_lost_sending_before_a_wait_is_recovered),
        cmocka_unit_test(a_lost_sending_before_a_join_is_recovered),
        cmocka_unit_test(a_checkin_of_unknown_outcome_is_not_taken_back),
        cmocka_unit_test(the_persons_own_request_is_used_and_never_checked_in),
        cmocka_unit_test(users_do_not_share_requests),
        cmocka_unit_test(a_lease_ends_before_the_request_does),
        cmocka_unit_test(a_lease_that_ends_during_a_repeat_is_replaced),
        cmocka_unit_test(a_request_that_is_gone_is_replaced_once),
        cmocka_unit_test(a_request_called_gone_and_handed_out_again_is_checked_in),
        cmocka_unit_test(a_lease_whose_request_is_gone_ends_also_when_no_new_one_comes),
        cmocka_unit_test(a_request_wrongly_called_gone_is_checked_in),
        cmocka_unit_test(a_dead_request_is_asked_for_once_more_only),
        cmocka_unit_test(a_lease_is_over_at_the_answered_end),
        cmocka_unit_test(at_most_200_leases_end_in_a_millisecond),
        cmocka_unit_test(a_lease_past_its_end_is_not_listed_as_open),
        cmocka_unit_test(a_short_end_is_rounded_up),
        cmocka_unit_test(spellings_of_a_user_share_a_request),
        cmocka_unit_test(checkouts_and_leases_keep_to_their_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
