/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_request_identity.c - which record a request is: other vaults, other users, other accounts, lies.
 */
#include "broker_rig.h"

#include "audit/audit_witness.h"
#include "broker/identity/credential_id.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

#define A_URL "https://a.example:443/api"
#define B_URL "https://b.example:443/api"

static void set_url(struct fake_vault *fv, const char *url)
{
    fv->conf.url = (char *)(uintptr_t)url;
}

static void rename_section(struct fake_vault *fv, const char *name)
{
    (void)snprintf(fv->conf.name, sizeof fv->conf.name, "%s", name);
}

/* With a store and a url, not yet started. */
static void begin(struct world *w)
{
    world_init(w);
    w->conf.gateway.reconcile_every_ms = MINUTES(10);
    world_add_store(w);
    set_url(&w->vault, A_URL);
}

/* A new process; `second` is configured as well. */
static void restart_with(struct world *w, struct fake_vault *second)
{
    struct vault *vaults[] = {&second->vault, &w->vault.vault};

    fake_vault_crash(&w->vault, 0);
    broker_free(w->broker);
    fake_store_crash(w->store, 0);
    w->broker = broker_new(&(struct broker_opts){
        .timers = w->timers, .conf = &w->conf, .vaults = vaults, .nvaults = 2, .store = &w->store->store});
    assert_non_null(w->broker);
}

/* world_settle() with a second vault. */
static void settle_both(struct world *w, struct fake_vault *second)
{
    do
        world_settle(w);
    while (fake_vault_step(second));
}

static void end_both(struct world *w, struct fake_vault *second)
{
    world_end(w);
    fake_vault_free(second);
}

static struct fake_request *only_live(struct fake_vault *fv)
{
    assert_int_equal(fake_vault_live(fv), 1);
    for (size_t i = 0; i < fv->nrequests; i++)
        if (fv->requests[i].live)
            return &fv->requests[i];
    return NULL;
}

/* ---- other vaults ---- */

/* The section was renamed and another vault has the name: the session's lease is none of that vault. */
TEST(a_section_given_to_another_vault_has_no_old_lease)
{
    struct fake_vault second;
    struct caller a, b;
    struct released r;
    struct world w;

    begin(&w);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &a);
    fake_vault_init(&second, &w.clock.clock);
    set_url(&second, B_URL);
    (void)fake_vault_add(&second, 1, 11, "srv01", "root", "other");
    (void)fake_vault_seed(&second, "CORP\\alice", 7, 77, 600, "my own"); /* with the same number */
    rename_section(&w.vault, "old");
    restart_with(&w, &second);
    settle_both(&w, &second);
    start_checkout(&w, "alice", "s1", &b);
    settle_both(&w, &second);
    assert_checkout_ok(&b);
    assert_string_equal(b.secret, "other");
    assert_int_not_equal(b.request_id, a.request_id);
    settle_both(&w, &second);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    start_release(&w, "alice", "s1", NULL, &r);
    settle_both(&w, &second);
    world_advance(&w, SECONDS(1));
    assert_int_equal(r.released, 1);
    assert_true(second.requests[0].live);
    assert_int_equal(second.requests[1].checkins, 1);
    assert_int_equal(fake_store_count(w.store), 0);
    end_both(&w, &second);
}

/* The section leads to another vault now, where the number is another request. */
static void move(struct world *w, int64_t account, const char *reason)
{
    set_url(&w->vault, B_URL);
    w->vault.requests[0].account_id = account;
    w->vault.requests[0].expires_wall += HOURS(24);
    if (reason)
        (void)snprintf(w->vault.requests[0].reason, sizeof w->vault.requests[0].reason, "%s", reason);
    world_crash(w, 0, 0);
}

static const struct moved_case {
    const char *label;
    int64_t account;
    const char *reason; /* NULL = as it was made: with our mark */
    bool ours;
} moved_cases[] = {
    {"our mark", 11, NULL, true},
    {"the mark of a maker that has ended", 11, "[jumpgate abcdefghjkmnpqrstvwxyz0123]", true},
    {"no mark", 11, "my own work", false},
    {"our mark on another account", 77, NULL, false},
    {"no mark on another account", 77, "my own work", false},
};

TEST(a_moved_vault_keeps_leases_that_its_list_proves)
{
    struct caller c;
    struct world w;

    for (size_t i = 0; i < sizeof moved_cases / sizeof moved_cases[0]; i++) {
        case_label("%s", moved_cases[i].label);
        const struct moved_case *m = &moved_cases[i];

        begin(&w);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        move(&w, m->account, m->reason);
        world_iterate(&w);
        (void)fake_store_commit(w.store);
        assert_string_equal(fake_store_only(w.store)->url, A_URL); /* unproven until the list was read */
        world_advance(&w, SECONDS(20));
        assert_int_equal(world_state(&w).leases_active, m->ours);
        assert_int_equal(fake_store_count(w.store), m->ours);
        if (m->ours)
            assert_string_equal(fake_store_only(w.store)->url, B_URL);
        world_advance(&w, HOURS(2));
        assert_int_equal(w.vault.requests[0].checkins, m->ours);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* Repeated before the first list was read: the repeat looks for itself. */
TEST(a_repeat_after_a_move_reads_the_list_first)
{
    struct caller c;
    struct world w;

    for (size_t i = 0; i < sizeof moved_cases / sizeof moved_cases[0]; i++) {
        case_label("%s", moved_cases[i].label);
        const struct moved_case *m = &moved_cases[i];

        begin(&w);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        int64_t first = c.request_id;

        move(&w, m->account, m->reason);
        checkout_ok(&w, "alice", "s1", &c);
        assert_int_equal(c.request_id == first, m->account == 11);
        assert_int_equal(c.adopted, m->account == 11 && !m->ours);
        world_end(&w);
    }
}

/* What waits for its approver when the section moves is given back, as soon as its mark proves it. */
TEST(a_request_that_waits_during_a_move_is_given_back)
{
    struct caller c;
    struct world w;

    for (size_t i = 0; i < sizeof moved_cases / sizeof moved_cases[0]; i++) {
        case_label("%s", moved_cases[i].label);
        const struct moved_case *m = &moved_cases[i];

        begin(&w);
        w.vault.accounts[0].approval = true;
        w.vault.conf.approval_wait_ms = HOURS(4);
        world_start(&w);
        assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_APPROVAL_PENDING);
        world_advance(&w, SECONDS(1));
        move(&w, m->account, m->reason);
        world_advance(&w, SECONDS(3));
        assert_int_equal(w.store->otherwise, 0);
        assert_int_equal(w.vault.requests[0].checkins, m->ours || !m->reason);
        world_advance(&w, MINUTES(3));
        assert_int_equal(w.vault.requests[0].checkins, m->ours || !m->reason);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* Released before the first list was read, or before the move: the mark decides first. */
TEST(a_release_after_a_move_checks_in_what_is_ours)
{
    struct released r;
    struct caller c;
    struct world w;

    for (size_t i = 0; i < 2 * sizeof moved_cases / sizeof moved_cases[0]; i++) {
        case_label("%s, released %s the move", moved_cases[i / 2].label, i % 2 ? "before" : "after");
        const struct moved_case *m = &moved_cases[i / 2];

        begin(&w);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        if (i % 2) {
            world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
            finish_release(&w, "alice", "s1", NULL, &r);
            w.vault.plan = NULL;
        }
        move(&w, m->account, m->reason);
        if (i % 2 == 0) {
            start_release(&w, "alice", "s1", NULL, &r);
            world_advance(&w, SECONDS(1));
        }
        assert_true(r.pending);
        world_advance(&w, MINUTES(3));
        assert_int_equal(w.vault.requests[0].checkins, m->ours || !m->reason); /* its own mark is proof */
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* Two addresses of one vault: one request, one record; it is checked in with the last of its leases. */
TEST(two_addresses_of_a_vault_share_a_request)
{
    struct fake_vault second;
    struct caller a, b, c;
    struct released r;
    struct world w;

    for (int maker_left = 0; maker_left < 2; maker_left++) {
        char other[CREDENTIAL_ID_SIZE];

        begin(&w);
        world_start(&w);
        credential_id_write(other, "again", &w.vault.accounts[0].row);
        fake_vault_init(&second, &w.clock.clock);
        set_url(&second, B_URL);
        rename_section(&second, "again");
        second.twin = &w.vault;
        restart_with(&w, &second);
        checkout_ok(&w, "alice", "s1", &a);
        if (maker_left) {
            checkout_ok(&w, "alice", "s3", &c);
            finish_release(&w, "alice", "s1", NULL, &r);
        }
        start_checkout_of(&w, "alice", "s2", other, &b);
        world_settle(&w);
        assert_checkout_ok(&b);
        assert_int_equal(b.request_id, a.request_id);
        assert_false(b.adopted);
        finish_release(&w, "alice", maker_left ? "s3" : "s1", NULL, &r);
        assert_int_equal(r.remaining, 1);
        world_advance(&w, MINUTES(15));
        assert_int_equal(world_checkins(&w), 0);
        c = b;
        start_checkout_of(&w, "alice", "s2", other, &b);
        world_settle(&w);
        assert_checkout_ok(&b);
        assert_string_equal(b.lease_id, c.lease_id);
        finish_release(&w, "alice", "s2", NULL, &r);
        world_advance(&w, SECONDS(1));
        assert_int_equal(world_checkins(&w), 1);
        assert_int_equal(fake_store_count(w.store), 0);
        end_both(&w, &second);
    }
}

/* ---- the number of another ---- */

/* The vault answers bob with the number of alice's request. */
TEST(a_number_of_another_user_is_another_request)
{
    struct released r;
    struct caller a, b;
    struct world w;

    for (int is_new = 0; is_new < 2; is_new++) {
        world_start_stored_leased(&w, &a);
        unsigned reads = w.vault.count[FAKE_CREDENTIAL];

        w.vault.say_id = a.request_id;
        w.vault.say_new = is_new;
        assert_int_equal(finish_checkout(&w, "bob", "s2", &b), FAULT_VAULT_ERROR);
        assert_int_equal(w.vault.count[FAKE_CREDENTIAL], reads);
        w.vault.say_id = 0;
        world_advance(&w, MINUTES(2));
        assert_string_equal(only_live(&w.vault)->user, "CORP\\alice"); /* what was made for bob is found */
        assert_int_equal(world_checkins(&w), 1);
        finish_release(&w, "alice", "s1", NULL, &r);
        world_advance(&w, SECONDS(1));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* The same person, another account: not that one's secret either. */
TEST(a_number_of_another_account_is_another_request)
{
    char admin[CREDENTIAL_ID_SIZE];
    struct caller a, b;
    struct world w;

    for (int held = 0; held < 2; held++) {
        world_init(&w);
        world_add_store(&w);
        world_add_account(&w, admin);
        world_start(&w);
        int64_t id = fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 60, "mine");

        if (held)
            checkout_ok(&w, "alice", "s1", &a);
        unsigned reads = w.vault.count[FAKE_CREDENTIAL];

        w.vault.say_id = id;
        start_checkout_of(&w, "alice", "s2", admin, &b);
        world_settle(&w);
        assert_int_equal(b.code, FAULT_VAULT_ERROR);
        assert_int_equal(w.vault.count[FAKE_CREDENTIAL], reads);
        world_advance(&w, MINUTES(2));
        assert_true(w.vault.requests[0].live);
        assert_int_equal(w.vault.requests[1].checkins, 1);
        world_end(&w);
    }
}

/* A person's own request, adopted under another name of the person: the list of that name has it as well. */
TEST(the_persons_own_request_under_two_names_is_one)
{
    static char full[] = "{domain}\\{username}", upn[] = "{username}@corp";
    static char *one[] = {full}, *two[] = {upn};
    struct caller a, b;
    struct world w;

    for (int listed = 0; listed < 2; listed++) {
        world_init(&w);
        w.vault.conf.run_as = (struct conf_list){.item = one, .n = 1};
        world_start(&w);
        int64_t id = fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 60, "mine");

        checkout_ok(&w, "alice", "s1", &a);
        w.vault.conf.run_as = (struct conf_list){.item = two, .n = 1};
        w.vault.say_id = id;
        if (listed) /* the two are one person to the vault */
            (void)snprintf(w.vault.requests[0].user, sizeof w.vault.requests[0].user, "alice@corp");
        start_checkout(&w, "alice", "s2", &b);
        world_settle(&w);
        assert_int_equal(b.code, listed ? FAULT_NONE : FAULT_VAULT_ERROR);
        assert_int_equal(b.adopted, listed);
        if (listed)
            assert_string_equal(w.vault.last_user, "alice@corp");
        world_advance(&w, MINUTES(60));
        assert_int_equal(w.vault.requests[0].checkins, 0);
        world_end(&w);
    }
}

/* ---- what is said of a request ---- */

/* A sending was lost, the next is answered with what it made, and one list lacks it: it is not forgotten. */
TEST(a_partial_list_after_a_lost_answer_forgets_nothing)
{
    struct caller c;
    struct world w;

    for (int refused = 0; refused < 2; refused++) {
        world_start_stored(&w);
        w.vault.say_unsure = true;
        w.vault.hide_lists = 1;
        world_set_fault(&w, FAKE_REQUEST, FAKE_REPLAYED);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_REQUESTS);
        if (refused)
            world_set_fault(&w, FAKE_REQUEST, FAKE_CONFLICT);
        else
            w.vault.plan = NULL;
        world_settle(&w);
        assert_int_equal(c.code, refused ? FAULT_VAULT_CONFLICT : FAULT_NONE);
        w.vault.plan = NULL;
        world_advance(&w, MINUTES(2));
        assert_int_equal(fake_vault_live(&w.vault), !refused);
        assert_int_equal(fake_store_count(w.store), !refused);
        world_end(&w);
    }
}

/* What lives has not ended: an end that has passed is not believed. */
TEST(an_end_that_has_passed_is_not_believed)
{
    char reason[128];
    struct caller c;
    struct world w;

    world_start_stored(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, "mine");
    w.vault.say_expires = w.clock.wall - MINUTES(60);
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.adopted);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + MINUTES(60));
    assert_int_equal(world_state(&w).leases_active, 1);
    (void)snprintf(reason, sizeof reason, "[jumpgate %s]", c.lease_id);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600, reason);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    world_advance(&w, MINUTES(12) + MINUTES(2));
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.requests[1].checkins, 1);
    world_end(&w);
}

/* The lease ends when the repeat has its secret already: it is of no use. */
TEST(a_lease_that_ends_under_a_repeat_is_replaced)
{
    struct caller a, b;
    struct world w;

    world_start_leased(&w, &a);
    fake_clock_run(&w.clock, w.timers, MINUTES(60) - SECONDS(1));
    start_checkout(&w, "alice", "s1", &b);
    world_run_until(&w, FAKE_CREDENTIAL);
    w.vault.requests[0].expires_wall += MINUTES(1);
    fake_clock_run(&w.clock, w.timers, SECONDS(2));
    world_settle(&w);
    assert_checkout_ok(&b);
    assert_int_not_equal(a.request_id, b.request_id);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* ---- the store and the trail ---- */

/* True = the store has no row of it. */
static bool claim(struct world *w, const char *vault, const char *url, const char *credential, int64_t id)
{
    return broker_claim(w->broker,
                        &(struct audit_claim){.lease_id = "lost0ghjkmnpqrstvwxyz01234",
                                              .credential_id = credential,
                                              .vault = vault,
                                              .vault_url = url,
                                              .run_as = "CORP\\alice",
                                              .user = "alice",
                                              .domain = "",
                                              .session = "s9",
                                              .request_name = fake_vault_name(id, (char[FAKE_NAME_SIZE]){0}),
                                              .created_wall_ms = w->clock.wall - MINUTES(1),
                                              .expires_wall_ms = w->clock.wall + MINUTES(10)});
}

/* The trail has the url of a section that has another name now. */
TEST(a_claim_finds_its_vault_by_url)
{
    struct world w;

    for (int known = 0; known < 2; known++) {
        begin(&w);
        world_start(&w);
        int64_t id = fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 600,
                                     "work [jumpgate lost0ghjkmnpqrstvwxyz01234]");

        assert_true(claim(&w, "before", known ? A_URL : "", w.credential, id));
        world_advance(&w, MINUTES(2));
        assert_int_equal(w.vault.requests[0].checkins, known);
        assert_int_equal(fake_store_count(w.store), !known);
        world_end(&w);
    }
}

/* An older trail has the name alone: that vault has no such record, though another one has. */
TEST(a_claim_without_url_finds_its_vault_by_name)
{
    struct fake_vault second;
    struct caller a;
    struct world w;

    begin(&w);
    world_start(&w);
    fake_vault_init(&second, &w.clock.clock);
    set_url(&second, B_URL);
    rename_section(&second, "again");
    restart_with(&w, &second);
    checkout_ok(&w, "alice", "s1", &a);
    for (int named = 0; named < 2; named++)
        assert_int_equal(claim(&w, named ? "again" : "main", "", w.credential, a.request_id), named);
    settle_both(&w, &second);
    for (int i = 0; i < 20; i++) {
        world_advance(&w, SECONDS(10));
        settle_both(&w, &second);
    }
    assert_true(w.vault.requests[0].live);
    assert_int_equal(fake_store_count(w.store), 1);
    end_both(&w, &second);
}

/* The vault of row and claim is no longer configured: the account's key alone tells whether they are one. */
TEST(a_claim_at_a_vault_that_is_gone_is_known_by_its_account)
{
    struct caller a;
    struct world w;

    for (int other = 0; other < 2; other++) {
        begin(&w);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &a);
        rename_section(&w.vault, "another");
        set_url(&w.vault, B_URL);
        world_crash(&w, 0, 0);
        assert_int_equal(claim(&w, "main", A_URL, other ? "j1.main.l.1.77.0" : w.credential, a.request_id),
                         other);
        world_end(&w);
    }
}

/* A row with numbers that no clock has. */
TEST(absurd_times_of_a_row_are_survived)
{
    static const int64_t absurd[] = {INT64_MIN, -1, 0, INT64_MAX};
    struct caller c;
    struct world w;

    for (unsigned i = 0; i < 4 * 4 * 4 * 4; i++) {
        world_start_stored_leased(&w, &c);
        struct request_row row = *fake_store_only(w.store);

        row.mark = "abcdefghjkmnpqrstvwxyz0123";
        row.state = i / 64 % 4;
        row.asker.session = "s2";
        row.name = "9223372036854775807";
        row.asker.created_wall_ms = absurd[i % 4];
        row.expires_wall_ms = absurd[i / 4 % 4];
        row.next_wall_ms = absurd[i / 16 % 4];
        row.attempts = INT64_MAX;
        fake_store_put_request(w.store, &row);
        world_crash(&w, 0, 0);
        world_advance(&w, MINUTES(3));
        assert_int_equal(fake_vault_live(&w.vault), 1);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_given_to_another_vault_has_no_old_lease),
        cmocka_unit_test(a_moved_vault_keeps_leases_that_its_list_proves),
        cmocka_unit_test(a_request_that_waits_during_a_move_is_given_back),
        cmocka_unit_test(a_repeat_after_a_move_reads_the_list_first),
        cmocka_unit_test(a_release_after_a_move_checks_in_what_is_ours),
        cmocka_unit_test(two_addresses_of_a_vault_share_a_request),
        cmocka_unit_test(a_number_of_another_user_is_another_request),
        cmocka_unit_test(a_number_of_another_account_is_another_request),
        cmocka_unit_test(the_persons_own_request_under_two_names_is_one),
        cmocka_unit_test(a_partial_list_after_a_lost_answer_forgets_nothing),
        cmocka_unit_test(an_end_that_has_passed_is_not_believed),
        cmocka_unit_test(a_lease_that_ends_under_a_repeat_is_replaced),
        cmocka_unit_test(a_claim_finds_its_vault_by_url),
        cmocka_unit_test(a_claim_without_url_finds_its_vault_by_name),
        cmocka_unit_test(a_claim_at_a_vault_that_is_gone_is_known_by_its_account),
        cmocka_unit_test(absurd_times_of_a_row_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
