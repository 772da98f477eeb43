/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkout_direct_access.c - direct access (ISA), and what a check-out teaches later ones.
 *
 * The fake vault keeps a request of such an access, or keeps none. Kept, it is owned like any other; not
 * kept, the lease stands on nothing and its end is local. The torture of test_checkout.c breaks every call;
 * here is what must come out when all goes well, and over a restart.
 */
#include "broker_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/lease_table.h"
#include "broker/lists/account_lists.h"
#include "check.h"

#include <string.h>

static void begin(struct world *w, bool kept)
{
    world_init(w);
    w->vault.accounts[0].row.isa = true;
    w->vault.accounts[0].isa_kept = kept;
}

static void release(struct world *w, const char *session)
{
    struct released r;

    finish_release(w, "alice", session, w->credential, &r);
    assert_int_equal(r.released, 1);
    assert_false(r.pending);
}

TEST(a_kept_request_is_owned)
{
    struct world w;
    struct caller c;
    char id[ID_SIZE];

    begin(&w, true);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_string_equal(c.secret, "s3\"cret");
    assert_int_equal(w.vault.count[FAKE_REQUEST], 0);
    assert_int_equal(w.vault.count[FAKE_CREDENTIAL], 0);
    assert_int_equal(c.request_id, w.vault.requests[0].id);
    assert_true(reason_lease_id(w.vault.requests[0].reason, id));
    assert_string_equal(id, c.lease_id);
    assert_int_equal(w.vault.requests[0].minutes, 60);
    release(&w, "s1");
    assert_int_equal(w.vault.requests[0].checkins, 1);
    checkout_ok(&w, "alice", "s2", &c);
    world_advance(&w, MINUTES(61));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 2); /* timed release */
    assert_int_equal(world_state(&w).leases_active, 0);
    world_end(&w);
}

/* A call not yet sent is withdrawn; after an earlier call there may be a request, which is looked for. */
TEST(a_call_not_yet_sent_is_withdrawn)
{
    struct world w;
    struct caller c;

    for (unsigned given = 0; given < 2; given++) {
        begin(&w, false);
        world_set_key_account(&w);
        world_start(&w);
        start_checkout(&w, "alice", "s1", &c);
        for (unsigned asked = 0; asked < 3 * given; asked++, world_iterate(&w)) {
            world_run_until(&w, asked < 2 ? FAKE_ISA : FAKE_REQUESTS); /* password, key, and no request */
            assert_true(fake_vault_step(&w.vault));
        }
        world_run_until(&w, FAKE_ISA); /* the password, or the key's passphrase */
        assert_int_equal(w.vault.count[FAKE_REQUESTS], given);
        w.vault.in_line = true;
        cancel_checkout(&c);
        assert_int_equal(w.vault.withdrawn, 1);
        world_advance(&w, MINUTES(2));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] > given, given);
        world_end(&w);
    }
}

TEST(a_call_that_cannot_be_begun_ends_the_check_out)
{
    struct world w;
    struct caller c;

    begin(&w, true);
    world_start(&w);
    world_set_fault(&w, FAKE_ISA, FAKE_CANNOT_START);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_OVERLOADED);
    world_end(&w);
}

TEST(a_lease_without_request_lasts_its_time)
{
    struct world w;
    struct caller c, again;

    begin(&w, false);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_int_equal(c.request_id, 0);
    assert_false(c.adopted);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + MINUTES(60));
    world_advance(&w, MINUTES(1));
    checkout_ok(&w, "alice", "s1", &again); /* the same lease, and the secret read again */
    assert_string_equal(again.lease_id, c.lease_id);
    assert_int_equal(again.expires_wall_ms, c.expires_wall_ms);
    assert_int_equal(w.vault.count[FAKE_ISA], 2);
    checkout_ok(&w, "alice", "s2", &again); /* each on its own */
    assert_string_not_equal(again.lease_id, c.lease_id);
    assert_int_equal(world_state(&w).leases_active, 2);
    release(&w, "s1");
    assert_int_equal(world_state(&w).leases_active, 1);
    world_advance(&w, MINUTES(61));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    world_end(&w);
}

TEST(the_newest_request_is_held_and_others_of_ours_checked_in)
{
    struct world w;
    struct caller c;

    begin(&w, true);
    world_start(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 60, "the person's own");
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_ISA);
    fake_vault_commit(&w.vault, 0);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 60, w.vault.requests[1].reason); /* done twice */
    world_settle(&w);
    assert_int_equal(c.code, FAULT_NONE);
    assert_int_equal(c.request_id, w.vault.requests[2].id);
    assert_int_equal(w.vault.requests[1].checkins, 1);
    assert_true(w.vault.requests[0].live);
    release(&w, "s1");
    assert_int_equal(fake_vault_live(&w.vault), 1);
    assert_true(w.vault.requests[0].live);
    world_end(&w);
}

TEST(key_and_passphrase_are_read)
{
    struct world w;
    struct caller c;

    for (int kept = 0; kept < 2; kept++) {
        (void)state;
        begin(&w, kept);
        w.vault.accounts[0].password = NULL;
        w.vault.accounts[0].key = "KEY";
        w.vault.accounts[0].passphrase = "pp";
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        assert_true(c.ssh_key);
        assert_string_equal(c.secret, "KEY");
        assert_string_equal(c.passphrase, "pp");
        assert_int_equal(w.vault.nrequests, kept);
        assert_int_equal(w.vault.count[FAKE_CREDENTIAL], kept);
        world_end(&w);
    }
}

TEST(no_policy_is_asked)
{
    struct world w;
    struct caller c;

    begin(&w, true);
    w.vault.conf.ask_policy = true;
    w.vault.accounts[0].policy = (struct vault_policy){.available = true, .ticket = true};
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_int_equal(w.vault.count[FAKE_POLICY], 0);
    world_end(&w);
}

/* The process dies at each of the vault's answers, carried out or not. */
TEST(a_crash_at_any_answer_leaves_no_request)
{
    struct world w;
    struct caller c;

    for (unsigned n = 0; n < 6 * 2; n++) {
        case_label("after %u steps, the waiting calls %s", n / 2, n % 2 ? "carried out" : "lost");
        begin(&w, true);
        world_add_store(&w);
        world_start(&w);
        start_checkout(&w, "alice", "s1", &c);
        for (unsigned i = 0; i < n / 2; i++) {
            world_iterate(&w);
            if (!fake_store_commit(w.store))
                (void)fake_vault_step(&w.vault);
        }
        world_iterate(&w);
        world_crash(&w, n % 2 ? ~0U : 0, n % 2 ? 100 : 0);
        world_advance(&w, MINUTES(20));
        assert_int_equal(fake_vault_live(&w.vault), world_state(&w).leases_active);
        assert_int_equal(fake_store_count(w.store), world_state(&w).leases_active);
        world_advance(&w, MINUTES(60));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(leases_without_request_outlive_the_process)
{
    struct world w;
    struct caller c[2], again;

    begin(&w, false);
    world_add_store(&w);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c[0]);
    checkout_ok(&w, "alice", "s2", &c[1]);
    world_crash(&w, 0, 0);
    world_settle(&w);
    assert_int_equal(world_state(&w).leases_active, 2);
    checkout_ok(&w, "alice", "s1", &again);
    assert_string_equal(again.lease_id, c[0].lease_id);
    assert_int_equal(again.request_id, 0);
    release(&w, "s1");
    assert_int_equal(fake_store_count(w.store), 1);
    world_advance(&w, MINUTES(61));
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    world_end(&w);
}

/* ---- what later ones know ---- */

TEST(an_account_with_a_key_alone_is_remembered)
{
    struct world w;
    struct caller c;
    const char *key;

    world_init(&w);
    w.vault.accounts[0].password = NULL;
    w.vault.accounts[0].key = "KEY";
    world_start(&w);
    key = w.vault.accounts[0].row.key;
    assert_false(account_facts_key_alone(account_lists_facts(w.broker->lists), &w.vault.vault, key));
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(account_facts_key_alone(account_lists_facts(w.broker->lists), &w.vault.vault, key));
    assert_false(account_facts_key_alone(account_lists_facts(w.broker->lists), &w.vault.vault, "s.1.11.0"));
    w.vault.accounts[0].password = "now";
    checkout_ok(&w, "alice", "s2", &c);
    assert_false(account_facts_key_alone(account_lists_facts(w.broker->lists), &w.vault.vault, key));
    world_end(&w);
}

TEST(a_preferred_key_says_nothing_about_passwords)
{
    struct world w;
    struct caller c;
    const char *key;

    world_init(&w);
    w.vault.accounts[0].key = "KEY";
    world_start(&w);
    struct checkout_args args = checkout_args_for(&w, "alice", "s1");

    args.prefer_ssh_key = true;
    (void)finish_checkout_with(&w, &args, &c);
    assert_true(c.ssh_key);
    key = w.vault.accounts[0].row.key;
    assert_false(account_facts_key_alone(account_lists_facts(w.broker->lists), &w.vault.vault, key));
    world_end(&w);
}

TEST(a_policy_that_cannot_be_read_is_remembered)
{
    static const struct {
        enum fake_fault fault;
        unsigned asked; /* by two check-outs within catalogue_cache */
    } rows[] = {
        {FAKE_UNREACHABLE, 1}, {FAKE_DENIED, 1}, {FAKE_BAD, 1}, {FAKE_CANNOT_START, 2}, {FAKE_FINE, 1}};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        case_label("%s", fake_fault_name(rows[i].fault));
        world_init(&w);
        w.vault.conf.ask_policy = true;
        world_set_fault(&w, FAKE_POLICY, rows[i].fault);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        checkout_ok(&w, "alice", "s2", &c);
        assert_int_equal(w.vault.count[FAKE_POLICY], rows[i].asked);
        world_advance(&w, SECONDS(61)); /* forgotten */
        checkout_ok(&w, "alice", "s3", &c);
        assert_int_equal(w.vault.count[FAKE_POLICY], rows[i].asked + 1);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_request_is_owned),
        cmocka_unit_test(a_call_not_yet_sent_is_withdrawn),
        cmocka_unit_test(a_call_that_cannot_be_begun_ends_the_check_out),
        cmocka_unit_test(a_lease_without_request_lasts_its_time),
        cmocka_unit_test(the_newest_request_is_held_and_others_of_ours_checked_in),
        cmocka_unit_test(key_and_passphrase_are_read),
        cmocka_unit_test(no_policy_is_asked),
        cmocka_unit_test(a_crash_at_any_answer_leaves_no_request),
        cmocka_unit_test(leases_without_request_outlive_the_process),
        cmocka_unit_test(an_account_with_a_key_alone_is_remembered),
        cmocka_unit_test(a_preferred_key_says_nothing_about_passwords),
        cmocka_unit_test(a_policy_that_cannot_be_read_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
