/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reconcile.c - our books against the vault's list: what is gone, what is ours, what is none of our
 * business, and how fast it is asked.
 */
#include "broker_rig.h"

#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

/* One list that lacks a request is not believed, two are; and then it is given back all the same. */
TEST(two_lists_without_a_request_end_its_lease)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    w.vault.requests[0].live = false;
    world_advance(&w, MINUTES(10) - 10);
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 0);
    world_advance(&w, SECONDS(1));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_advance(&w, SECONDS(10));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 2);
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(world_checkins(&w), 0); /* it was gone */
    world_end(&w);
}

TEST(a_request_that_is_listed_costs_one_list_a_round)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    world_advance(&w, MINUTES(11));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* The lists are wrong, and the request lives: it is given back, and not left without a lease. */
TEST(a_request_wrongly_missing_is_checked_in)
{
    struct world w;
    struct caller c[2];

    world_start_stored_leased(&w, &c[0]);
    checkout_ok(&w, "alice", "s2", &c[1]);
    w.vault.requests[0].unlisted = true;
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    world_advance(&w, MINUTES(10) + SECONDS(10));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(fake_store_count(w.store), 1); /* until the vault has answered */
    assert_true(w.vault.requests[0].live);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* The person's own request is never given back, also where two lists lack it. */
TEST(the_persons_own_request_is_never_checked_in)
{
    struct world w;
    struct caller c;

    world_start_stored(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "my own work");
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.adopted);
    w.vault.requests[0].unlisted = true;
    world_advance(&w, MINUTES(10) + SECONDS(10));
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_true(w.vault.requests[0].live);
    world_end(&w);
}

/* Rounds that are shorter than the wait for the second look do not put it off for ever. */
TEST(short_rounds_do_not_delay_the_second_list)
{
    struct world w;
    struct caller c;

    for (uint64_t per_s = 0; per_s < 2; per_s++) { /* the second look at once, or queued for long */
        world_init(&w);
        w.conf.gateway.reconcile_every_ms = SECONDS(1);
        w.conf.gateway.reconcile_per_s = per_s ? 0.2 : 0;
        world_add_store(&w);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        world_advance(&w, MINUTES(1));
        assert_int_equal(world_state(&w).leases_active, 1);
        w.vault.requests[0].live = false;
        world_advance(&w, SECONDS(30));
        assert_int_equal(world_state(&w).leases_active, 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(one_partial_list_ends_no_lease)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    w.vault.requests[0].live = false;
    world_advance(&w, MINUTES(10) + SECONDS(1));
    w.vault.requests[0].live = true;
    world_advance(&w, MINUTES(20));
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* A person is asked for once a round, however the sessions spell the name, and all of the person's requests
 * count. */
TEST(every_spelling_is_one_user)
{
    char admin[CREDENTIAL_ID_SIZE];
    struct caller c[3];
    struct world w;

    world_start_stored(&w);
    world_add_account(&w, admin);
    checkout_ok(&w, "alice", "s1", &c[0]);
    start_checkout_of(&w, "ALICE", "s2", admin, &c[1]);
    world_settle(&w);
    assert_checkout_ok(&c[1]);
    checkout_ok(&w, "Alice", "s3", &c[2]);
    assert_int_equal(c[2].request_id, c[0].request_id);
    world_advance(&w, MINUTES(10) + SECONDS(1));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
    assert_int_equal(world_state(&w).leases_active, 3);
    assert_int_equal(world_checkins(&w), 0);
    world_end(&w);
}

/* A request with our mark and without a lease is checked in; one without the mark is never touched. */
TEST(a_marked_request_without_lease_is_checked_in)
{
    struct world w;
    struct caller c;
    char reason[128];

    world_start_stored_leased(&w, &c);
    (void)snprintf(reason, sizeof reason, "twice [jumpgate %s]", c.lease_id);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "my own work");
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "[jumpgate abcdefghjkmnpqrstvwxyz0123]");
    world_advance(&w, MINUTES(12));
    assert_true(w.vault.requests[0].live);
    assert_int_equal(w.vault.requests[1].checkins, 1);
    assert_true(w.vault.requests[2].live);
    assert_true(w.vault.requests[3].live);
    assert_int_equal(fake_store_count(w.store), 1);
    world_end(&w);
}

/* Its own answer is still to come: a list that shows it by its mark takes nothing from the check-out. */
TEST(a_request_whose_answer_is_on_its_way_is_no_stray)
{
    struct world w;
    struct caller a, b;

    world_start_stored(&w);
    w.vault.accounts[0].no_reuse = true;
    checkout_ok(&w, "alice", "s1", &a);
    world_advance(&w, MINUTES(10) - SECONDS(2));
    start_checkout(&w, "alice", "s2", &b);
    world_run_until(&w, FAKE_REQUEST);
    fake_vault_commit(&w.vault, world_find_call(&w, FAKE_REQUEST, 0));
    fake_clock_run(&w.clock, w.timers, SECONDS(3));
    world_deliver(&w, FAKE_REQUESTS, 0);
    world_settle(&w);
    assert_checkout_ok(&b);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(world_state(&w).leases_active, 2);
    world_end(&w);
}

/* Its check-in goes on after a restart, by its name. */
TEST(a_stray_request_has_its_row)
{
    struct world w;
    struct caller c;
    struct released r;
    char reason[128];

    world_start_stored_leased(&w, &c);
    (void)snprintf(reason, sizeof reason, "twice [jumpgate %s]", c.lease_id);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 12, 600, reason);
    finish_release(&w, "alice", "s1", NULL, &r);
    checkout_ok(&w, "alice", "s2", &c); /* its list is read again */
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    world_advance(&w, MINUTES(11));
    finish_release(&w, "alice", "s2", NULL, &r);
    world_advance(&w, SECONDS(1));
    assert_int_equal(fake_store_count(w.store), 2);
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (w.store->requests[i]) {
            assert_int_equal(w.store->requests[i]->state, REQUEST_RETURNING);
            assert_int_not_equal(request_key_number(w.store->requests[i]->name), 0);
        }
    w.vault.hide_lists = 100; /* no list finds it again */
    w.vault.plan = NULL;
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

/* Ours is what has the store's tag in its mark, however old it is; or the id of a row from before the tag. */
TEST(a_request_is_known_by_its_tag_after_any_time)
{
    static const char untagged[] = "qqqqqqqqqqqqqqqqqqqqqqqqqq";
    struct request_row row = {.mark = untagged,
                              .state = REQUEST_RETURNING,
                              .vault = "main",
                              .user = "CORP\\alice",
                              .name = "77",
                              .expires_wall_ms = 1};
    struct world w;
    struct caller c;
    char reason[128];

    world_start_stored_leased(&w, &c);
    fake_store_put_request(w.store, &row);
    (void)snprintf(reason, sizeof reason, "old [jumpgate %.5s%s]", c.lease_id, "zzzzzzzzzzzzzzzzzzzzz");
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    (void)snprintf(reason, sizeof reason, "twice [jumpgate %s]", untagged);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "[jumpgate qqqqqzzzzzzzzzzzzzzzzzzzzz]");
    world_crash(&w, 0, 0);
    assert_int_not_equal(strncmp(c.lease_id, untagged, 5), 0);
    world_advance(&w, MINUTES(12));
    assert_true(w.vault.requests[0].live);
    assert_int_equal(w.vault.requests[1].checkins, 1);
    assert_int_equal(w.vault.requests[2].checkins, 1);
    assert_true(w.vault.requests[3].live);
    assert_memory_equal(w.store->tag, c.lease_id, ID_TAG_SIZE - 1);
    world_end(&w);
}

/* The vault has cut the reason in the middle of our mark: the account decides. */
TEST(a_cut_mark_is_ours_on_its_account)
{
    struct world w;
    struct caller c;

    for (int64_t account = 11; account < 13; account++) {
        world_start_stored(&w);
        world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_REQUEST);
        fake_vault_commit(&w.vault, 0);
        w.vault.requests[0].reason[strlen(w.vault.requests[0].reason) - 8] = '\0';
        w.vault.requests[0].account_id = account;
        world_advance(&w, MINUTES(2));
        assert_int_equal(w.vault.requests[0].checkins, account == 11);
        world_end(&w);
    }
}

/* Audited, with a store; `text` gets the records. */
static void start_recorded(struct world *w, struct buf *text)
{
    world_init(w);
    w->conf.gateway.reconcile_every_ms = MINUTES(10);
    w->conf.gateway.reconcile_per_s = 10;
    world_add_store(w);
    world_add_audit(w, AUDIT_STRICT);
    w->sink.text = text;
    world_start(w);
}

static void assert_recorded(struct buf *text, const char *record)
{
    if (!text->len || !strstr(buf_cstr(text), record))
        fail_msg("no %s in\n%s", record, text->len ? buf_cstr(text) : "");
}

TEST(findings_and_check_ins_are_in_the_trail)
{
    struct buf text = BUF_INIT(100000);
    struct world w;
    struct caller c;
    char reason[128];

    start_recorded(&w, &text);
    checkout_ok(&w, "alice", "s1", &c);
    (void)snprintf(reason, sizeof reason, "[jumpgate %.5szzzzzzzzzzzzzzzzzzzzz]", c.lease_id);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    w.vault.requests[0].live = false;
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    world_advance(&w, MINUTES(10) + SECONDS(20));
    assert_recorded(&text, "\"event\":\"reconcile\",\"found\":\"request_gone\"");
    assert_recorded(&text, "\"event\":\"reconcile\",\"found\":\"stray_request\",\"lease_id\":\"");
    assert_recorded(&text, "\"event\":\"lease_end\",\"reason\":\"gone\"");
    assert_recorded(&text, "\"event\":\"checkin_failed\",\"code\":\"vault_unavailable\"");
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_recorded(&text, "\"event\":\"checkin\",\"outcome\":\"checked_in\"");
    assert_recorded(&text, "\"event\":\"checkin\",\"outcome\":\"already_gone\"");
    world_end(&w);
    buf_free(&text);
}

TEST(the_outcome_of_a_recovery_is_in_the_trail)
{
    static const enum fake_fault ways[] = {FAKE_LOST_DID_NOT, FAKE_LOST_DID};
    static const char *const found[] = {"never_happened", "given_back"};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < 2; i++) {
        struct buf text = BUF_INIT(100000);
        char record[256];

        case_label("%s", found[i]);
        start_recorded(&w, &text);
        world_set_fault(&w, FAKE_REQUEST, ways[i]);
        (void)finish_checkout(&w, "alice", "s1", &c);
        world_advance(&w, MINUTES(3));
        (void)snprintf(record, sizeof record, "\"event\":\"reconcile\",\"found\":\"%s\",\"user\":\"alice\"",
                       found[i]);
        assert_recorded(&text, record);
        world_end(&w);
        buf_free(&text);
    }
}

/* A list that was asked for before a check-out says nothing about it. */
TEST(a_list_older_than_a_checkout_says_nothing_of_it)
{
    struct world w;
    struct caller a, b;

    world_start_stored(&w);
    w.vault.accounts[0].no_reuse = true;
    checkout_ok(&w, "alice", "s1", &a);
    fake_clock_run(&w.clock, w.timers, MINUTES(10));
    assert_int_equal(fake_vault_pending_op(&w.vault, 0), FAKE_REQUESTS);
    start_checkout(&w, "alice", "s2", &b);
    while (!b.replies) {
        world_iterate(&w);
        if (!fake_store_commit(w.store))
            fake_vault_deliver(&w.vault, fake_vault_pending(&w.vault) - 1);
    }
    w.vault.requests[1].live = false; /* as if the list were older */
    (void)fake_vault_step(&w.vault);
    w.vault.requests[1].live = true;
    world_advance(&w, MINUTES(1));
    assert_int_equal(world_state(&w).leases_active, 2);
    world_end(&w);
}

/* Many users: no more calls in a second than configured, and one per user. */
TEST(lists_keep_to_the_configured_rate)
{
    struct world w;
    struct caller c;
    char user[16], session[16];

    world_start_stored(&w);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(user, sizeof user, "u%u", i / 2);
        (void)snprintf(session, sizeof session, "s%u", i);
        checkout_ok(&w, user, session, &c);
    }
    world_crash(&w, 0, 0);
    unsigned before = w.vault.count[FAKE_REQUESTS];

    world_settle(&w);
    assert_in_range(w.vault.count[FAKE_REQUESTS], before + 1, before + 2);
    before = w.vault.count[FAKE_REQUESTS];

    for (int s = 0; s < 4; s++) {
        world_advance(&w, SECONDS(1));
        assert_true(w.vault.count[FAKE_REQUESTS] - before <= 11);
        before = w.vault.count[FAKE_REQUESTS];
    }
    assert_int_equal(before, 25);
    assert_int_equal(world_state(&w).leases_active, 50);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_lists_without_a_request_end_its_lease),
        cmocka_unit_test(a_request_that_is_listed_costs_one_list_a_round),
        cmocka_unit_test(a_request_wrongly_missing_is_checked_in),
        cmocka_unit_test(the_persons_own_request_is_never_checked_in),
        cmocka_unit_test(short_rounds_do_not_delay_the_second_list),
        cmocka_unit_test(one_partial_list_ends_no_lease),
        cmocka_unit_test(a_request_whose_answer_is_on_its_way_is_no_stray),
        cmocka_unit_test(a_stray_request_has_its_row),
        cmocka_unit_test(a_request_is_known_by_its_tag_after_any_time),
        cmocka_unit_test(a_cut_mark_is_ours_on_its_account),
        cmocka_unit_test(findings_and_check_ins_are_in_the_trail),
        cmocka_unit_test(the_outcome_of_a_recovery_is_in_the_trail),
        cmocka_unit_test(every_spelling_is_one_user),
        cmocka_unit_test(a_marked_request_without_lease_is_checked_in),
        cmocka_unit_test(a_list_older_than_a_checkout_says_nothing_of_it),
        cmocka_unit_test(lists_keep_to_the_configured_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
