/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_keyed.c - a vault with one principal whose keys come again: sharing, turns, lost answers, ends of
 * leases, what an operator gives up. The fake vault ends a test in which a check-out and a check-in of a key
 * are on their way together.
 */
#include "broker_rig.h"

#include "base/text.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

static const struct vault_can repeatable = {.secret_with_checkout = true, .repeatable = true};
static const struct vault_can each = {
    .secret_with_checkout = true, .checkins_each = true, .repeatable = true};

static void start(struct world *w, struct vault_can can, uint64_t life_ms)
{
    world_init(w);
    fake_vault_set_can(&w->vault, can, life_ms);
    world_add_store(w);
    world_start(w);
}

struct shown {
    unsigned n;
    char user[64], run_as[64];
};

static void on_shown(void *arg, const struct lease_view *v)
{
    struct shown *s = arg;

    s->n++;
    assert_true(text_copy(s->user, sizeof(s->user), v->user));
    assert_true(text_copy(s->run_as, sizeof(s->run_as), v->run_as));
}

static struct shown show(struct world *w, const char *user)
{
    struct shown s = {0};

    assert_int_equal(
        broker_leases(w->broker, &(struct lease_filter){.user = user, .limit = 10}, on_shown, &s), 0);
    return s;
}

TEST(sessions_of_all_users_share_one_checkout)
{
    struct world w;
    struct caller ann, bob;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &ann);
    checkout_ok(&w, "bob", "s2", &bob);
    assert_string_equal(bob.secret, "s3\"cret");
    assert_int_equal(ann.request_id, 0);
    assert_int_equal(w.vault.nrequests, 1);
    assert_string_equal(w.vault.requests[0].user, FAKE_PRINCIPAL);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    assert_int_equal(w.vault.count[FAKE_CREDENTIAL], 1);
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_int_equal(r.remaining, 1);
    assert_int_equal(world_checkins(&w), 0);
    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_int_equal(world_checkins(&w), 1);
    world_advance(&w, 100); /* rows that no one waits for */
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(show(&w, NULL).n, 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

TEST(a_lease_is_shown_as_the_pra_users)
{
    struct world w;
    struct caller ann, bob;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &ann);
    checkout_ok(&w, "bob", "s2", &bob);
    struct shown s = show(&w, "BOB");

    assert_int_equal(s.n, 1);
    assert_string_equal(s.user, "bob");
    assert_string_equal(s.run_as, FAKE_PRINCIPAL);
    assert_int_equal(show(&w, NULL).n, 2);
    assert_int_equal(show(&w, FAKE_PRINCIPAL).n, 0);
    (void)snprintf(w.vault.conf.name, sizeof(w.vault.conf.name), "other"); /* configured no more */
    world_crash(&w, 0, 0);
    s = show(&w, "bob");
    assert_int_equal(s.n, 1);
    assert_string_equal(s.run_as, FAKE_PRINCIPAL);
    world_advance(&w, HOURS(48));
    assert_int_equal(fake_store_count(w.store), 1); /* how long the vault keeps it is not known */
    (void)snprintf(w.vault.conf.name, sizeof(w.vault.conf.name), "main");
    world_crash(&w, 0, 0);
    world_end(&w);
}

TEST(who_is_not_entitled_sends_nothing)
{
    struct world w;
    struct caller c;

    world_init(&w);
    fake_vault_set_can(&w.vault, repeatable, 0);
    w.vault.accounts[0].user = "ann";
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "bob", "s1", &c), FAULT_NOT_ENTITLED);
    checkout_ok(&w, "ann", "s1", &c);
    w.vault.accounts[0].user = "carol"; /* judged again at a repeat, and not at a release */
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_NOT_ENTITLED);
    assert_int_equal(w.vault.count[FAKE_REQUEST] + w.vault.count[FAKE_CREDENTIAL], 1);
    struct released r;

    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

TEST(what_is_not_given_twice_is_a_conflict_that_names_the_end)
{
    struct world w;
    struct caller c;

    start(&w, (struct vault_can){.secret_with_checkout = true}, 0);
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_CONFLICT);
    assert_non_null(strstr(c.detail, "until 20"));
    assert_null(strstr(c.detail, "ann"));
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_CONFLICT);
    assert_int_equal(w.vault.count[FAKE_REQUEST] + w.vault.count[FAKE_CREDENTIAL], 1);
    world_end(&w);
}

TEST(what_a_person_has_is_not_touched)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    (void)fake_vault_seed(&w.vault, "a person", 1, 11, 60, "mine");
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_CONFLICT);
    world_advance(&w, MINUTES(5));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

static struct key_counts counts(const struct world *w)
{
    struct key_counts n;

    broker_count_keys(w->broker, &w->vault.vault, &n);
    return n;
}

TEST(keys_are_counted)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    checkout_ok(&w, "bob", "s2", &c);
    assert_int_equal(counts(&w).held, 1);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "ann", "s1", NULL, &r);
    assert_int_equal(counts(&w).held, 1);
    assert_int_equal(counts(&w).overdue, 0);
    finish_release(&w, "bob", "s2", NULL, &r);
    world_advance(&w, SECONDS(1));
    assert_int_equal(counts(&w).held, 0);
    assert_int_equal(counts(&w).returning, 1);
    assert_int_equal(counts(&w).overdue, 1);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(10));
    assert_int_equal(counts(&w).returning + counts(&w).overdue + counts(&w).settling, 0);
    struct key_counts n;

    broker_count_keys(w.broker, NULL, &n); /* of another vault */
    assert_int_equal(n.held + n.returning + n.settling, 0);
    world_end(&w);
}

static void until_checkin_is_sent(struct world *w)
{
    for (int i = 0; i < 100 && !w->vault.count[FAKE_CHECKIN]; i++) {
        world_iterate(w);
        (void)fake_store_commit(w->store);
    }
    assert_int_equal(fake_vault_pending_op(&w->vault, 0), FAKE_CHECKIN);
}

/* The trail says that no one has held it. */
TEST(a_lost_checkout_is_given_back_after_settle)
{
    struct buf text = BUF_INIT(100000);
    struct world w;
    struct caller c;

    world_init(&w);
    fake_vault_set_can(&w.vault, repeatable, 0);
    world_add_store(&w);
    world_add_audit(&w, AUDIT_STRICT);
    w.sink.text = &text;
    world_start(&w);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    assert_int_equal(counts(&w).settling, 1);
    world_advance(&w, SECONDS(29));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    fake_clock_advance(&w.clock, SECONDS(2));
    until_checkin_is_sent(&w);
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_RETURNING); /* for the next process */
    world_settle(&w);
    assert_int_equal(world_checkins(&w), 1);
    world_advance(&w, 100);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_non_null(strstr(buf_cstr(&text), "\"event\":\"checkin\",\"outcome\":\"recovered\""));
    world_end(&w);
    buf_free(&text);
}

TEST(a_new_checkout_takes_a_lost_one_over)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    checkout_ok(&w, "bob", "s2", &c);
    world_advance(&w, MINUTES(5));
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(w.vault.nrequests, 1);
    world_crash(&w, 0, 0); /* the lease is bob's, and the row names the first asker */
    world_settle(&w);
    assert_int_equal(world_state(&w).leases_active, 1);
    struct released r;

    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_int_equal(r.released, 1);
    world_advance(&w, MINUTES(1));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

TEST(after_a_lost_checkin_the_key_waits_for_settle)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_LOST_DID_NOT);
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_true(r.pending);
    w.vault.plan = NULL;
    world_advance(&w, SECONDS(5));
    assert_int_equal(world_checkins(&w), 1); /* confirmed, and the key is not free yet */
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(c.retry_after_s, 25); /* of 30 */
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    world_advance(&w, SECONDS(16));
    start_checkout(&w, "bob", "s2", &c); /* its turn comes before its deadline */
    world_advance(&w, SECONDS(12));
    assert_checkout_ok(&c);
    world_end(&w);
}

TEST(who_waits_for_a_checkin_makes_it_go_at_once)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "ann", "s1", w.credential, &r);
    world_advance(&w, MINUTES(30)); /* minutes are between two attempts now */
    w.vault.plan = NULL;
    checkout_ok(&w, "bob", "s2", &c);
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 2);
    world_end(&w);
}

/* Its own lease ends later than that of the one who was there. */
TEST(a_read_that_outlasts_the_first_lease_goes_on)
{
    struct world w;
    struct caller ann, bob;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &ann);
    world_advance(&w, (uint64_t)(ann.expires_wall_ms - w.clock.wall) - SECONDS(2));
    start_checkout(&w, "bob", "s2", &bob);
    for (int i = 0; i < 100 && w.vault.count[FAKE_CREDENTIAL] == 0; i++) {
        world_iterate(&w);
        if (!fake_store_commit(w.store) && w.vault.count[FAKE_CREDENTIAL] == 0)
            (void)fake_vault_step(&w.vault);
    }
    assert_int_equal(fake_vault_pending_op(&w.vault, 0), FAKE_CREDENTIAL);
    fake_clock_run(&w.clock, w.timers, SECONDS(3));
    world_settle(&w);
    assert_checkout_ok(&bob);
    assert_true(bob.expires_wall_ms > ann.expires_wall_ms);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* A restart that finds the row HELD reads the secret again: no check-in may be on its way then. */
TEST(a_checkin_is_not_sent_before_its_row_is_durable)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 0);
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 1); /* with its row, and without a delay */
    world_settle(&w);
    assert_int_equal(r.released, 1);
    assert_false(r.pending);
    assert_int_equal(world_checkins(&w), 1);

    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_iterate(&w);
    world_crash(&w, 0, 0); /* nothing of the end is in the store */
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

TEST(a_checkin_waits_for_a_store_that_cannot_write)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    w.store->broken = true;
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_true(r.pending);
    world_advance(&w, MINUTES(2));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    w.store->broken = false;
    world_advance(&w, MINUTES(1));
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

TEST(each_lease_has_its_own_end_within_the_vaults)
{
    struct world w;
    struct caller ann, bob;

    start(&w, (struct vault_can){.secret_with_checkout = true, .has_end = true, .repeatable = true},
          MINUTES(91));
    int64_t began = w.clock.wall;

    checkout_ok(&w, "ann", "s1", &ann);
    world_advance(&w, MINUTES(40));
    checkout_ok(&w, "bob", "s2", &bob);
    assert_true(ann.expires_wall_ms - began <= MINUTES(60));
    assert_true(bob.expires_wall_ms - began <= MINUTES(90));
    assert_true(bob.expires_wall_ms - began > MINUTES(89));
    world_advance(&w, MINUTES(21));
    assert_int_equal(world_state(&w).leases_active, 1);
    assert_int_equal(world_checkins(&w), 0);
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(28));
    assert_int_equal(world_state(&w).leases_active, 1);
    world_advance(&w, MINUTES(2));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

TEST(a_lease_ends_where_an_earlier_one_was_released)
{
    struct world w;
    struct caller ann, bob;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &ann);
    world_advance(&w, MINUTES(1));
    checkout_ok(&w, "bob", "s2", &bob);
    world_advance(&w, MINUTES(1));
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_int_equal(r.remaining, 1);
    world_advance(&w, MINUTES(61));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

static void reload(struct world *w, bool repeats, uint64_t life_ms)
{
    w->vault.vault.can.repeatable = repeats;
    w->vault.vault.can.has_end = life_ms > 0;
    w->vault.vault.life_ms = life_ms;
}

/* Sharing is as configured now, also of what is held; a lease keeps its end. */
TEST(a_reload_changes_sharing_and_the_end_of_no_lease)
{
    struct world w;
    struct caller ann, bob, c;

    start(&w, repeatable, 0);
    int64_t began = w.clock.wall;

    checkout_ok(&w, "ann", "s1", &ann);
    reload(&w, false, MINUTES(30));
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_CONFLICT);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_CONFLICT);
    world_advance(&w, MINUTES(40));
    assert_int_equal(world_state(&w).leases_active, 1);
    reload(&w, true, MINUTES(91));
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(c.expires_wall_ms, ann.expires_wall_ms);
    checkout_ok(&w, "bob", "s2", &bob);
    assert_true(bob.expires_wall_ms - began <= MINUTES(90));
    reload(&w, false, 0);
    world_advance(&w, MINUTES(21));
    assert_int_equal(world_state(&w).leases_active, 1); /* ann's has ended, at its own end */
    assert_int_equal(world_checkins(&w), 0);
    world_advance(&w, MINUTES(30));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

/* No secret goes out with a lease that has ended. */
TEST(after_the_vaults_end_that_a_reload_tells_no_one_joins)
{
    struct world w;
    struct caller ann, bob, again;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &ann);
    world_advance(&w, MINUTES(10));
    reload(&w, true, MINUTES(11));
    assert_int_equal(finish_checkout(&w, "bob", "s2", &bob), FAULT_VAULT_CONFLICT);
    assert_non_null(strstr(bob.detail, "until 20"));
    checkout_ok(&w, "ann", "s1", &again); /* it keeps its end */
    assert_int_equal(again.expires_wall_ms, ann.expires_wall_ms);
    assert_int_equal(world_checkins(&w), 0);
    reload(&w, true, MINUTES(12));
    checkout_ok(&w, "bob", "s2", &bob);
    assert_true(bob.expires_wall_ms > w.clock.wall);
    world_end(&w);
}

TEST(a_reload_gives_a_checkin_its_end)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "ann", "s1", w.credential, &r);
    world_advance(&w, HOURS(3));
    assert_int_equal(world_state(&w).leases_retrying, 1);
    reload(&w, true, HOURS(2));
    world_advance(&w, MINUTES(11));
    assert_int_equal(world_state(&w).leases_retrying, 0);
    world_end(&w);
}

/* The lost one may have been made before or after, or never: what a person has is not checked in. */
TEST(a_conflict_after_a_lost_checkout_sends_no_checkin)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID_NOT);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    (void)fake_vault_seed(&w.vault, "a person", 1, 11, 60, "mine");
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_CONFLICT);
    world_advance(&w, SECONDS(20));
    assert_int_equal(fake_store_count(w.store), 1); /* the lost one may still arrive */
    world_advance(&w, MINUTES(5));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

/* The refusal is about the second one alone. */
static void refuse_after_settle(struct world *w, enum fake_fault how, struct caller *c)
{
    world_set_fault(w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(w, "ann", "s1", c), FAULT_VAULT_UNAVAILABLE);
    world_advance(w, SECONDS(29));
    world_set_fault(w, FAKE_REQUEST, how);
    start_checkout(w, "bob", "s2", c);
    world_run_until(w, FAKE_REQUEST);
    fake_clock_advance(&w->clock, SECONDS(2));
    world_settle(w);
    assert_int_equal(c->replies, 1);
}

TEST(a_refusal_later_than_settle_leaves_no_lost_checkout)
{
    static const enum fake_fault refusals[] = {FAKE_DENIED, FAKE_UNREACHABLE};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct world w;
        struct caller c;

        start(&w, repeatable, 0);
        refuse_after_settle(&w, refusals[i], &c);
        world_advance(&w, SECONDS(1));
        assert_int_equal(world_checkins(&w), 1);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_advance(&w, SECONDS(1));
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(a_conflict_later_than_settle_sends_no_checkin)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    refuse_after_settle(&w, FAKE_CONFLICT, &c);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* Where the vault does not give twice what it was thought to give, its own words say whose it is. */
TEST(a_conflict_with_the_principals_own_lost_checkout_gives_it_back)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    world_set_fault(&w, FAKE_REQUEST, FAKE_CONFLICT);
    w.vault.say_own = true;
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_CONFLICT);
    assert_int_equal(counts(&w).settling, 1);
    world_advance(&w, SECONDS(31));
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* Not where no check-out of the gateway's was lost: that is a stranger's with the same sign-in name. */
TEST(a_conflict_with_a_stranger_of_the_same_name_sends_no_checkin)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_CONFLICT);
    w.vault.say_own = true;
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_CONFLICT);
    world_advance(&w, MINUTES(5));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* What was answered or lost counts, and what was refused or not sent does not. */
TEST(each_check_out_has_a_check_in_also_after_a_crash)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, each, 0);
    checkout_ok(&w, "ann", "s1", &c);
    checkout_ok(&w, "bob", "s2", &c);
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(w.vault.requests[0].out, 3);
    world_set_fault(&w, FAKE_CREDENTIAL, FAKE_DENIED);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_NOT_ENTITLED);
    world_set_fault(&w, FAKE_CREDENTIAL, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    world_set_fault(&w, FAKE_CREDENTIAL, FAKE_LOST_DID_NOT);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    assert_int_equal(w.vault.requests[0].out, 4);
    world_crash(&w, 0, 0);
    finish_release(&w, "ann", "s1", w.credential, &r);
    finish_release(&w, "bob", "s2", w.credential, &r);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.last_checkins, 5);
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* The process ends while a further one is on its way. */
TEST(a_check_out_that_a_crash_cuts_off_is_counted)
{
    for (unsigned durable = 0; durable < 2; durable++) {
        struct world w;
        struct caller c;
        struct released r;

        start(&w, each, 0);
        checkout_ok(&w, "ann", "s1", &c);
        start_checkout(&w, "bob", "s2", &c);
        if (durable)
            world_run_until(&w, FAKE_CREDENTIAL);
        else
            for (int i = 0; i < 50 && !w.store->npending; i++)
                world_iterate(&w);
        world_crash(&w, 1, 0); /* it arrives, where it was sent */
        finish_release(&w, "ann", "s1", w.credential, &r);
        world_advance(&w, MINUTES(1));
        assert_int_equal(w.vault.last_checkins, 1 + durable);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(a_further_check_out_waits_for_its_count_and_a_broken_store_sends_none)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, each, 0);
    checkout_ok(&w, "ann", "s1", &c);
    w.store->broken = true;
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(w.vault.requests[0].out, 1);
    w.store->broken = false;
    world_advance(&w, SECONDS(30));
    checkout_ok(&w, "bob", "s2", &c);
    assert_int_equal(w.vault.requests[0].out, 2);
    finish_release(&w, "ann", "s1", w.credential, &r);
    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_int_equal(w.vault.last_checkins, 2);
    world_end(&w);
}

TEST(a_lost_check_out_that_is_taken_over_is_counted)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, each, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    checkout_ok(&w, "bob", "s2", &c);
    assert_int_equal(w.vault.requests[0].out, 2);
    world_crash(&w, 0, 0);
    finish_release(&w, "bob", "s2", w.credential, &r);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.last_checkins, 2);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* A further check-out that was on its way when the process ended is made later. */
TEST(after_a_restart_no_checkin_is_sent_before_settle)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CREDENTIAL, FAKE_LOST_LATE);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    world_crash(&w, 0, 0);
    finish_release(&w, "ann", "s1", w.credential, &r);
    world_advance(&w, SECONDS(20));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    fake_vault_land(&w.vault);
    world_advance(&w, MINUTES(1));
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* Its check-in may have been sent before: the key takes no check-out until one is confirmed. */
TEST(what_was_held_without_a_lease_at_a_start_is_not_taken_over)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CREDENTIAL, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    finish_release(&w, "ann", "s1", w.credential, &r);
    world_crash(&w, 0, 0);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    world_advance(&w, MINUTES(2));
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_store_count(w.store), 0);
    checkout_ok(&w, "bob", "s2", &c);
    world_end(&w);
}

static void on_forgotten(void *arg, const struct release_answer *a)
{
    *(enum fault_code *)arg = a->fault ? a->fault->code : FAULT_NONE;
}

static enum fault_code forget(struct world *w, const char *lease_id)
{
    enum fault_code code = FAULT_INTERNAL;

    assert_non_null(broker_forget_lease(w->broker, lease_id, SECONDS(15), on_forgotten, &code));
    world_settle(w);
    return code;
}

TEST(a_checkin_without_end_goes_on_until_it_is_forgotten)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(forget(&w, c.lease_id), FAULT_VAULT_CONFLICT);
    assert_int_equal(forget(&w, "none"), FAULT_NOT_FOUND);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "ann", "s1", w.credential, &r);
    unsigned tried = w.vault.count[FAKE_CHECKIN];

    world_advance(&w, HOURS(48));
    assert_true(w.vault.count[FAKE_CHECKIN] > tried + 48 * 6);
    assert_int_equal(fake_store_count(w.store), 1);
    assert_int_equal(forget(&w, c.lease_id), FAULT_NONE);
    world_advance(&w, 100);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(world_state(&w).leases_retrying, 0);
    world_end(&w);
}

/* The check-in is under way: what follows it is that nothing more is tried, whatever becomes of it. */
TEST(a_checkin_that_fails_after_it_was_forgotten_is_the_last)
{
    struct world w;
    struct caller c;
    struct released r;
    enum fault_code code = FAULT_INTERNAL;

    start(&w, repeatable, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    start_release(&w, "ann", "s1", w.credential, &r);
    until_checkin_is_sent(&w);
    assert_non_null(broker_forget_lease(w.broker, c.lease_id, SECONDS(15), on_forgotten, &code));
    world_settle(&w);
    assert_int_equal(code, FAULT_NONE);
    world_advance(&w, HOURS(1));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(fake_store_count(w.store), 0);
    w.vault.plan = NULL;
    world_end(&w);
}

static void on_by_hand(void *arg, const struct release_answer *a)
{
    struct released *r = arg;

    r->replies++;
    r->code = a->fault ? a->fault->code : FAULT_NONE;
    r->pending = a->pending;
}

static struct released check_in_by_hand(struct world *w, const char *credential)
{
    struct released r = {0};

    assert_non_null(broker_checkin_credential(w->broker, credential, SECONDS(15), on_by_hand, &r));
    world_settle(w);
    assert_int_equal(r.replies, 1);
    return r;
}

TEST(an_operator_checks_in_what_has_no_row)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0);
    (void)fake_vault_seed(&w.vault, FAKE_PRINCIPAL, 1, 11, 60, "of a lost store");
    struct released r = check_in_by_hand(&w, w.credential);

    assert_int_equal(r.code, FAULT_NONE);
    assert_false(r.pending);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(world_checkins(&w), 1);
    checkout_ok(&w, "ann", "s1", &c);
    assert_int_equal(check_in_by_hand(&w, w.credential).code, FAULT_VAULT_CONFLICT);
    assert_int_equal(check_in_by_hand(&w, "j1.other.l.1.11.0").code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(check_in_by_hand(&w, "nonsense").code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

TEST(a_checkin_by_hand_has_a_row_and_goes_on_after_a_crash)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, HOURS(2));
    (void)fake_vault_seed(&w.vault, FAKE_PRINCIPAL, 1, 11, 60, "of a lost store");
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    assert_true(check_in_by_hand(&w, w.credential).pending);
    assert_int_equal(check_in_by_hand(&w, w.credential).code, FAULT_VAULT_CONFLICT);
    assert_int_equal(fake_store_count(w.store), 1);
    assert_int_equal(fake_store_only(w.store)->expires_wall_ms, w.clock.wall + HOURS(2));
    world_crash(&w, 0, 0);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    w.store->broken = true;
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(check_in_by_hand(&w, w.credential).code, FAULT_STORE_UNAVAILABLE);
    world_end(&w);
}

TEST(what_another_kind_of_vault_has_is_not_checked_in_by_hand)
{
    struct world w;

    world_init(&w);
    world_start(&w);
    assert_int_equal(check_in_by_hand(&w, w.credential).code, FAULT_UNSUPPORTED);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_of_all_users_share_one_checkout),
        cmocka_unit_test(a_lease_is_shown_as_the_pra_users),
        cmocka_unit_test(who_is_not_entitled_sends_nothing),
        cmocka_unit_test(what_is_not_given_twice_is_a_conflict_that_names_the_end),
        cmocka_unit_test(what_a_person_has_is_not_touched),
        cmocka_unit_test(keys_are_counted),
        cmocka_unit_test(a_lost_checkout_is_given_back_after_settle),
        cmocka_unit_test(a_new_checkout_takes_a_lost_one_over),
        cmocka_unit_test(after_a_lost_checkin_the_key_waits_for_settle),
        cmocka_unit_test(who_waits_for_a_checkin_makes_it_go_at_once),
        cmocka_unit_test(a_read_that_outlasts_the_first_lease_goes_on),
        cmocka_unit_test(a_checkin_is_not_sent_before_its_row_is_durable),
        cmocka_unit_test(a_checkin_waits_for_a_store_that_cannot_write),
        cmocka_unit_test(each_lease_has_its_own_end_within_the_vaults),
        cmocka_unit_test(a_lease_ends_where_an_earlier_one_was_released),
        cmocka_unit_test(a_reload_changes_sharing_and_the_end_of_no_lease),
        cmocka_unit_test(after_the_vaults_end_that_a_reload_tells_no_one_joins),
        cmocka_unit_test(a_reload_gives_a_checkin_its_end),
        cmocka_unit_test(a_conflict_after_a_lost_checkout_sends_no_checkin),
        cmocka_unit_test(a_refusal_later_than_settle_leaves_no_lost_checkout),
        cmocka_unit_test(a_conflict_later_than_settle_sends_no_checkin),
        cmocka_unit_test(a_conflict_with_the_principals_own_lost_checkout_gives_it_back),
        cmocka_unit_test(a_conflict_with_a_stranger_of_the_same_name_sends_no_checkin),
        cmocka_unit_test(each_check_out_has_a_check_in_also_after_a_crash),
        cmocka_unit_test(a_check_out_that_a_crash_cuts_off_is_counted),
        cmocka_unit_test(a_further_check_out_waits_for_its_count_and_a_broken_store_sends_none),
        cmocka_unit_test(a_lost_check_out_that_is_taken_over_is_counted),
        cmocka_unit_test(after_a_restart_no_checkin_is_sent_before_settle),
        cmocka_unit_test(what_was_held_without_a_lease_at_a_start_is_not_taken_over),
        cmocka_unit_test(a_checkin_without_end_goes_on_until_it_is_forgotten),
        cmocka_unit_test(a_checkin_that_fails_after_it_was_forgotten_is_the_last),
        cmocka_unit_test(an_operator_checks_in_what_has_no_row),
        cmocka_unit_test(a_checkin_by_hand_has_a_row_and_goes_on_after_a_crash),
        cmocka_unit_test(what_another_kind_of_vault_has_is_not_checked_in_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
