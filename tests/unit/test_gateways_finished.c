/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gateways_finished.c - a session ends at one gateway while a check-out of it is under way at another
 * one, whether or not that has written its intent.
 */
#include "gateways_rig.h"

#include <string.h>

#define LSID    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MOMENTS 40

static void start_again(void)
{
    assert_int_equal(gateways_end(NULL), 0);
    assert_int_equal(gateways_start(NULL), 0);
}

static void begin(size_t at, const char *session, const char *lsid, struct caller *c)
{
    gateway(at);
    struct checkout_args args = checkout_args_for(&w, "alice", session);

    args.by.session.lsid = lsid;
    start_checkout_with(&w, &args, c);
}

/* Each is one thing that happens to a check-out of gateway 0. */
static void let_happen(int n)
{
    for (int i = 0; i < n; i++)
        switch (i % 3) {
        case 0: world_iterate(&w); break;
        case 1: (void)fake_store_commit(&stores[0]); break;
        default: (void)fake_vault_step(&w.vault);
        }
}

static void on_event(void *arg, const struct session_ended_answer *a)
{
    struct released *r = arg;

    assert_null(a->fault);
    r->replies++;
}

/* The session ends at gateway 1, which alone goes on until it has answered, or waits for the vault. */
static void end_session(bool is_event, struct released *r)
{
    gateway(1);
    if (is_event) {
        *r = (struct released){0};
        assert_non_null(broker_session_ended(
            w.broker,
            &(struct session_ended_args){
                .lsid = LSID, .source = SESSION_END_EVENT, .site = "pra1", .timeout_ms = SECONDS(60)},
            on_event, r));
    } else {
        start_release(&w, "alice", "s1", NULL, r);
    }
    for (int i = 0; i < 50 && !r->replies; i++) {
        world_iterate(&w);
        (void)fake_store_commit(&stores[1]);
        fake_clock_advance(&w.clock, 1);
    }
}

static void assert_nothing_left(void)
{
    advance(SECONDS(20));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_leases(&stores[0]), 0);
    assert_int_equal(fake_store_count(&stores[0]), 0);
}

/* ---- in flight ---- */

/* `first`: from the first word of the store on. */
static void end_at(int moment, bool is_event, int first, size_t *cancelled)
{
    struct caller a;
    struct released r;

    begin(0, "s1", LSID, &a);
    let_happen(moment);
    bool was_open = fake_store_leases(&stores[0]); /* its confirmation is good for a while */

    end_session(is_event, &r);
    advance(SECONDS(20));
    assert_int_equal(a.replies, 1);
    assert_int_equal(r.replies, 1);
    if (moment < first) /* the store had its first word after the end */
        return;
    *cancelled += !was_open;
    if (!was_open)
        assert_int_equal(a.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_nothing_left();
}

/* The vault is asked for the accounts first: nothing of the check-out is in the store. */
TEST(a_session_that_ends_elsewhere_takes_its_check_out_along_at_any_moment)
{
    for (int is_event = 0; is_event < 2; is_event++) {
        size_t cancelled = 0;

        for (int moment = 0; moment < MOMENTS; moment++) {
            case_label("%s, moment %d", is_event ? "event" : "complete", moment);
            start_again();
            end_at(moment, is_event, 4, &cancelled);
        }
        assert_true(cancelled > 3);
    }
}

/* It reads the lease of its session, which the end takes from it, and must not ask for another one. */
TEST(a_check_out_that_reads_its_lease_again_asks_for_no_other_one)
{
    for (size_t at = 0; at < 3; at += 2)
        for (int moment = 4; moment < MOMENTS; moment++) {
            struct caller a, again;
            struct released r;

            case_label("made at %zu, moment %d", at, moment);
            start_again();
            check_out_ok(at, "alice", "s1", &a);
            begin(0, "s1", NULL, &again);
            let_happen(moment);
            bool was_answered = again.replies;

            end_session(false, &r);
            advance(SECONDS(20));
            assert_int_equal(again.replies, 1);
            if (!was_answered && again.code != FAULT_NONE)
                assert_true(again.code == FAULT_CREDENTIAL_NOT_FOUND || again.code == FAULT_VAULT_CONFLICT);
            assert_nothing_left();
        }
}

/* ---- afterwards ---- */

/* Gateway 0 has heard nothing of the store since the session ended. */
TEST(a_check_out_after_the_end_is_answered_at_once)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    end_session(false, &r);
    assert_int_equal(fake_store_leases(&stores[0]), 0);
    unsigned otherwise = stores[0].otherwise;

    check_out_ok(0, "alice", "s1", &b);
    assert_int_equal(stores[0].otherwise, otherwise + 1);
    assert_string_not_equal(a.lease_id, b.lease_id);
    check_out_ok(2, "alice", "s1", &a);
    assert_same_lease(&a, &b);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_nothing_left();
}

/* Of other sessions nothing ends. */
TEST(the_end_of_a_session_is_no_other_ones)
{
    struct caller a, b;
    struct released r;

    begin(0, "s2", NULL, &a);
    let_happen(6);
    end_session(false, &r);
    advance(SECONDS(5));
    assert_checkout_ok(&a);
    gateway(0);
    start_checkout(&w, "bob", "s1", &b);
    let_happen(2);
    end_session(false, &r);
    advance(SECONDS(5));
    assert_checkout_ok(&b);
    release(1, "alice", "s2", &r);
    release(1, "bob", "s1", &r);
    assert_nothing_left();
}

/* ---- a store that is away ---- */

/* Nothing says whether the session ended before the check-out began or after. */
TEST(a_check_out_whose_first_word_comes_late_is_in_doubt)
{
    struct caller a;
    struct released r;

    begin(0, "s1", NULL, &a);
    world_iterate(&w);
    fake_clock_advance(&w.clock, SECONDS(5));
    end_session(false, &r);
    advance(SECONDS(2));
    assert_int_equal(a.replies, 1);
    assert_int_equal(a.code, FAULT_STORE_UNAVAILABLE);
    check_out_ok(0, "alice", "s1", &a);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_nothing_left();
}

/* Without the vault. */
static void pass(uint64_t ms)
{
    for (int i = 0; i < 40; i++) {
        world_iterate(&w);
        for (size_t k = 0; k < GATEWAYS; k++)
            (void)fake_store_commit(&stores[k]);
        fake_clock_advance(&w.clock, ms / 40);
    }
}

/* The gateway that is told of the end cannot write it for a while. */
TEST(an_end_that_is_written_late_means_what_was_begun_before_it)
{
    struct caller before, after;
    struct released r;

    begin(0, "s1", NULL, &before);
    pass(SECONDS(1));
    stores[1].broken = true;
    gateway(1);
    start_release(&w, "alice", "s1", NULL, &r);
    pass(SECONDS(8));
    begin(2, "s1", NULL, &after);
    pass(200);
    assert_int_equal(r.replies, 0);
    stores[1].broken = false;
    pass(SECONDS(2));
    assert_int_equal(r.replies, 1);
    assert_int_equal(before.replies + after.replies, 0);
    advance(SECONDS(2));
    assert_int_equal(before.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_checkout_ok(&after);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_nothing_left();
}

/* ---- another session's ---- */

/* Both are handed the request of a third one at another gateway, and the second one finds it by the record of
 * the first one, which is cancelled meanwhile. */
TEST(a_check_out_that_is_cancelled_takes_no_other_session_along)
{
    for (int apart = 0; apart < 12; apart++)
        for (int moment = 0; moment < 2 * MOMENTS; moment++) {
            struct caller third, first, second;
            struct released r;

            case_label("%d apart, moment %d", apart, moment);
            start_again();
            check_out_ok(1, "alice", "s3", &third);
            begin(0, "s1", NULL, &first);
            let_happen(apart);
            begin(0, "s2", NULL, &second);
            let_happen(moment);
            end_session(false, &r);
            advance(SECONDS(20));
            assert_int_equal(first.replies, 1);
            assert_checkout_ok(&second);
        }
}

#define T(name) cmocka_unit_test_setup_teardown(name, gateways_start, gateways_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_session_that_ends_elsewhere_takes_its_check_out_along_at_any_moment),
        T(a_check_out_that_reads_its_lease_again_asks_for_no_other_one),
        T(a_check_out_after_the_end_is_answered_at_once),
        T(the_end_of_a_session_is_no_other_ones),
        T(a_check_out_whose_first_word_comes_late_is_in_doubt),
        T(an_end_that_is_written_late_means_what_was_begun_before_it),
        T(a_check_out_that_is_cancelled_takes_no_other_session_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
