/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_restore.c - what a new process makes of the rows of the last one: same leases, same ends, whatever the
 * wall clock did.
 */
#include "broker_rig.h"

#include "audit/audit_witness.h"
#include "broker/identity/credential_id.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

TEST(a_session_gets_its_lease_again)
{
    struct world w;
    struct caller a, b;
    struct released r;

    world_start_stored_leased(&w, &a);
    world_crash(&w, 0, 0);
    assert_int_equal(world_state(&w).leases_active, 1);
    checkout_ok(&w, "alice", "s1", &b);
    assert_string_equal(a.lease_id, b.lease_id);
    assert_int_equal(a.request_id, b.request_id);
    assert_int_equal(a.expires_wall_ms, b.expires_wall_ms);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    start_release(&w, "ALICE", "s1", w.credential, &r);
    world_advance(&w, 25);
    assert_int_equal(r.released, 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* A request is known by what its vault calls it, which need not be a number. */
TEST(a_vault_without_numbers)
{
    struct world w;
    struct caller a, b, c;
    struct released r;

    world_init(&w);
    world_add_store(&w);
    w.vault.word = "req/é ";
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &a);
    checkout_ok(&w, "alice", "s2", &b);
    assert_int_equal(a.request_id, 0);
    world_crash(&w, 0, 0);
    world_settle(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_string_equal(a.lease_id, c.lease_id);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.remaining, 1);
    finish_release(&w, "alice", "s2", w.credential, &r);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* The lease ends when it would have; a clock that jumped while we were away changes that by its jump at most.
 */
TEST(leases_end_when_they_would_have)
{
    static const int64_t jumps_ms[] = {0, MINUTES(60), -MINUTES(60), MINUTES(20), -MINUTES(20)};
    static const int64_t left_min[] = {50, 0, 60, 30, 60};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < sizeof jumps_ms / sizeof jumps_ms[0]; i++) {
        case_label("the clock jumps by %lld minutes", (long long)(jumps_ms[i] / MINUTES(1)));
        world_start_stored_leased(&w, &c);
        w.vault.requests[0].expires_wall += HOURS(2); /* the vault keeps its own time */
        world_advance(&w, MINUTES(10));
        w.clock.wall += jumps_ms[i];
        world_crash(&w, 0, 0);
        world_settle(&w);
        if (left_min[i])
            world_advance(&w, (uint64_t)MINUTES(left_min[i]) - SECONDS(5));
        assert_int_equal(world_state(&w).leases_active, left_min[i] != 0);
        world_advance(&w, SECONDS(6));
        assert_int_equal(world_state(&w).leases_active, 0);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        world_end(&w);
    }
}

/* While the process runs the wall clock does not matter at all. */
TEST(a_jump_of_the_wall_clock_changes_no_end)
{
    struct world w;
    struct caller c;

    for (int64_t jump = -MINUTES(60); jump <= MINUTES(60); jump += HOURS(2)) {
        world_start_stored_leased(&w, &c);
        w.vault.requests[0].expires_wall += HOURS(2);
        w.clock.wall += jump;
        world_advance(&w, MINUTES(60) - SECONDS(1));
        assert_int_equal(world_state(&w).leases_active, 1);
        world_advance(&w, SECONDS(2));
        assert_int_equal(world_state(&w).leases_active, 0);
        world_end(&w);
    }
}

struct seen {
    size_t n;
    char state[16], user[64], session[64], last_error[64];
    int64_t request_id, attempts;
};

static void on_row(void *arg, const struct lease_view *v)
{
    struct seen *s = arg;

    s->n++;
    (void)snprintf(s->state, sizeof s->state, "%s", v->state);
    (void)snprintf(s->user, sizeof s->user, "%s", v->user);
    (void)snprintf(s->session, sizeof s->session, "%s", v->sessions[0]);
    (void)snprintf(s->last_error, sizeof s->last_error, "%s", v->last_error ? v->last_error : "");
    s->request_id = v->request_id;
    s->attempts = v->attempts;
}

static struct seen look(struct world *w, const char *state)
{
    struct seen s = {0};

    assert_int_equal(
        broker_leases(w->broker, &(struct lease_filter){.state = state, .limit = 100}, on_row, &s), 0);
    return s;
}

/* Attempts are counted on over restarts; the vault's expiry ends it, and that is shown for a day. */
TEST(attempts_are_counted_over_restarts_and_lapse)
{
    struct world w;
    struct caller c;
    struct released r;
    struct seen s;

    world_start_stored_leased(&w, &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    start_release(&w, "alice", "s1", NULL, &r);
    world_advance(&w, SECONDS(30));
    int64_t attempts = look(&w, "releasing").attempts;

    assert_true(attempts > 3);
    world_crash(&w, 0, 0);
    s = look(&w, "releasing");
    assert_int_equal(s.n, 1);
    assert_int_equal(s.attempts, attempts);
    assert_string_equal(s.session, "s1");
    assert_string_equal(s.last_error, "vault_unavailable");
    world_advance(&w, MINUTES(63));
    s = look(&w, "lapsed");
    assert_int_equal(s.n, 1);
    assert_int_equal(world_state(&w).lapsed, 1);
    world_crash(&w, 0, 0);
    world_settle(&w);
    assert_int_equal(look(&w, "lapsed").n, 1);
    assert_int_equal(look(&w, "lapsed").request_id, c.request_id);
    assert_int_equal(world_state(&w).lapsed, 0); /* counted once */
    world_advance(&w, HOURS(24));
    assert_int_equal(look(&w, NULL).n, 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* The vault lets it live on: the next check-out gets it from the vault's reuse, and gives it back. */
TEST(a_lapsed_request_that_lives_is_held_again)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    int64_t id = c.request_id;

    w.vault.requests[0].expires_wall += HOURS(30);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    start_release(&w, "alice", "s1", NULL, &r);
    world_advance(&w, MINUTES(63));
    assert_int_equal(world_state(&w).lapsed, 1);
    w.vault.plan = NULL;
    checkout_ok(&w, "alice", "s2", &c);
    assert_int_equal(c.request_id, id);
    assert_false(c.adopted);
    assert_int_equal(look(&w, "lapsed").n, 1);
    finish_release(&w, "alice", "s2", w.credential, &r);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* The person's own request: a lease again, and never checked in. */
TEST(the_persons_own_request_is_used_again)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_store(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 30, "mine");
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.adopted);
    world_crash(&w, 0, 0);
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.adopted);
    world_advance(&w, MINUTES(40));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* A vault that is configured no more: its rows are kept and shown. */
TEST(rows_of_a_vault_no_longer_configured_are_kept)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    w.vault.requests[0].expires_wall += HOURS(2);
    (void)snprintf(w.vault.conf.name, sizeof w.vault.conf.name, "other");
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(1));
    assert_int_equal(look(&w, "open").n, 1);
    assert_int_equal(look(&w, "open").attempts, 0);
    assert_string_equal(look(&w, "open").user, w.vault.requests[0].user);
    assert_int_equal(fake_store_count(w.store), 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN] + w.vault.count[FAKE_REQUESTS], 0);
    (void)snprintf(w.vault.conf.name, sizeof w.vault.conf.name, "main");
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(60));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* What a process leaves that ends between a step and the next: a request without leases, a lease without one.
 */
TEST(rows_without_their_counterparts)
{
    struct world w;
    struct caller c;

    for (int which = 0; which < 4; which++) {
        case_label("%s", (const char *const[]){"held by no lease", "returning and adopted", "no request",
                                               "a lease without an id"}[which]);
        world_start_stored_leased(&w, &c);
        struct request_row request = *fake_store_only(w.store);
        struct lease_row lease = *fake_store_only_lease(w.store);

        request.mark = lease.request = "abcdefghjkmnpqrstvwxyz0123";
        lease.id = "zbcdefghjkmnpqrstvwxyz0123";
        request.name = "77";
        request.adopted = which == 1;
        if (which == 1)
            request.state = REQUEST_RETURNING;
        if (which == 3) {
            lease.request = c.lease_id;
            lease.id = "none";
        }
        if (which >= 2)
            fake_store_put_lease(w.store, &lease);
        else
            fake_store_put_request(w.store, &request);
        world_crash(&w, 0, 0);
        unsigned calls = w.vault.count[FAKE_CHECKIN];

        world_advance(&w, SECONDS(2));
        assert_int_equal(w.vault.count[FAKE_CHECKIN] - calls, which == 0);
        assert_int_equal(world_state(&w).leases_active, 1);
        assert_int_equal(fake_store_count(w.store), 1);
        assert_int_equal(fake_store_leases(w.store), 1); /* what is odd is removed */
        world_end(&w);
    }
}

/* Rows that were edited: no step makes them. The lease goes, and the request is what it is without it. */
TEST(a_lease_of_a_request_that_is_not_held)
{
    static const enum request_state states[] = {REQUEST_ASKED, REQUEST_RETURNING, REQUEST_LAPSED,
                                                REQUEST_PENDING};
    static const char *const words[] = {"asked", "returning", "lapsed", "pending"};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        case_label("%s", words[i]);
        world_start_stored_leased(&w, &c);
        w.vault.requests[0].expires_wall += HOURS(30);
        struct request_row request = *fake_store_only(w.store);

        request.state = states[i];
        request.expires_wall_ms += HOURS(30);
        request.next_wall_ms = states[i] == REQUEST_PENDING ? w.clock.wall + HOURS(1) : 0;
        fake_store_put_request(w.store, &request);
        world_crash(&w, 0, 0);
        world_advance(&w, SECONDS(1));
        assert_int_equal(world_state(&w).leases_active, 0);
        assert_int_equal(fake_store_leases(w.store), 0);
        assert_int_equal(world_state(&w).leases_pending, states[i] == REQUEST_PENDING);
        assert_int_equal(look(&w, "lapsed").n, 0);
        world_advance(&w, HOURS(2));
        assert_int_equal(w.vault.requests[0].checkins, states[i] != REQUEST_LAPSED);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* A row that was edited, of which no request can be made: it is left alone. */
TEST(a_request_that_makes_no_sense)
{
    static const char *const words[] = {"a mark that is too short", "no vault", "no user",
                                        "a name that is too long", "returning without a name"};
    static char long_name[REQUEST_KEY_SIZE + 1];
    struct world w;
    struct caller c;

    memset(long_name, '7', sizeof long_name - 1);
    for (int which = 0; which < 5; which++) {
        case_label("%s", words[which]);
        world_start_stored_leased(&w, &c);
        struct request_row row = *fake_store_only(w.store);

        row.state = REQUEST_RETURNING;
        row.mark = which == 0 ? "short" : "zbcdefghjkmnpqrstvwxyz0123";
        row.vault = which == 1 ? "" : "main";
        row.user = which == 2 ? "" : "CORP\\alice";
        row.name = which == 3 ? long_name : which == 4 ? "" : "77";
        fake_store_put_request(w.store, &row);
        world_crash(&w, 0, 0);
        unsigned calls = w.vault.count[FAKE_CHECKIN];

        world_advance(&w, SECONDS(2));
        assert_int_equal(w.vault.count[FAKE_CHECKIN], calls);
        assert_int_equal(world_state(&w).leases_active, 1);
        assert_int_equal(fake_store_count(w.store), 2);
        world_end(&w);
    }
}

/* The section has another name now, its url is another spelling of the same: the same vault. */
TEST(a_renamed_section_keeps_its_rows)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_store(&w);
    w.vault.conf.url = (char *)(uintptr_t) "https://Vault.example/API";
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    w.vault.requests[0].expires_wall += HOURS(2);
    assert_string_equal(fake_store_only(w.store)->url, "https://vault.example:443/api");
    (void)snprintf(w.vault.conf.name, sizeof w.vault.conf.name, "other");
    w.vault.conf.url = (char *)(uintptr_t) "https://vault.example:443/api/";
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(1));
    assert_string_equal(fake_store_only(w.store)->vault, "other");
    assert_int_equal(world_state(&w).leases_active, 1);
    world_advance(&w, MINUTES(60));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* Another section has the name now: the rows stay with the url they were made at. */
TEST(rows_stay_with_their_url)
{
    struct world w;
    struct caller c;
    struct fake_vault second;

    world_init(&w);
    world_add_store(&w);
    w.vault.conf.url = (char *)(uintptr_t) "https://a.example/api";
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    w.vault.requests[0].expires_wall += HOURS(2);
    broker_free(w.broker);
    fake_vault_init(&second, &w.clock.clock);
    second.conf.url = (char *)(uintptr_t) "https://b.example/api";
    (void)snprintf(w.vault.conf.name, sizeof w.vault.conf.name, "old");
    struct vault *vaults[] = {&second.vault, &w.vault.vault};

    w.broker = broker_new(&(struct broker_opts){
        .timers = w.timers, .conf = &w.conf, .vaults = vaults, .nvaults = 2, .store = &w.store->store});
    assert_non_null(w.broker);
    world_advance(&w, MINUTES(61));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_int_equal(fake_vault_pending(&second), 0);
    world_end(&w);
    fake_vault_free(&second);
}

#define LOST  "lost0ghjkmnpqrstvwxyz01234"
#define MAKER "maker0hjkmnpqrstvwxyz01234"

static bool claim(struct world *w, const char *lease_id, int64_t request_id, int64_t left_ms)
{
    return broker_claim(w->broker, &(struct audit_claim){
                                       .lease_id = lease_id,
                                       .credential_id = w->credential,
                                       .vault = "main",
                                       .vault_url = "",
                                       .run_as = "CORP\\alice",
                                       .user = "alice",
                                       .domain = "",
                                       .session = "s9",
                                       .request_name = fake_vault_name(request_id, (char[FAKE_NAME_SIZE]){0}),
                                       .created_wall_ms = w->clock.wall - MINUTES(1),
                                       .expires_wall_ms = w->clock.wall + left_ms});
}

/* The trail names a request of which the store has no row: it goes back if it bears a mark that the trail
 * knows. */
TEST(a_request_without_row_is_found_by_the_audit_trail)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    int64_t joined = fake_vault_seed(&w.vault, "CORP\\alice", 1, 12, 600, "work [jumpgate " MAKER "]");
    int64_t own = fake_vault_seed(&w.vault, "CORP\\alice", 1, 12, 600, "my own work");
    int64_t other =
        fake_vault_seed(&w.vault, "CORP\\alice", 1, 12, 600, "[jumpgate abcdefghjkmnpqrstvwxyz0123]");

    world_crash(&w, 0, 0);
    assert_false(claim(&w, c.lease_id, c.request_id, 60000)); /* its row is there */
    assert_false(claim(&w, "another0jkmnpqrstvwxyz0123", c.request_id, 60000));
    assert_false(claim(&w, "past00ghjkmnpqrstvwxyz0123", 77, -60000)); /* the vault has ended it */
    assert_true(claim(&w, LOST, joined, 600000));
    assert_true(claim(&w, MAKER, joined, 600000));
    assert_true(claim(&w, "own000ghjkmnpqrstvwxyz0123", own, 600000));
    assert_true(claim(&w, "other0ghjkmnpqrstvwxyz0123", other, 600000));
    world_advance(&w, MINUTES(2));
    assert_true(w.vault.requests[0].live);
    assert_int_equal(w.vault.requests[1].checkins, 1);
    assert_true(w.vault.requests[2].live);
    assert_true(w.vault.requests[3].live);
    assert_int_equal(world_state(&w).leases_intent, 0);
    assert_int_equal(fake_store_count(w.store), 1);
    world_end(&w);
}

/* Until it has been found it is a row, so that the next process looks for it as well. */
TEST(a_claim_of_the_trail_outlives_a_crash)
{
    struct world w;
    struct caller c;

    world_start_stored_leased(&w, &c);
    world_crash(&w, 0, 0);
    int64_t id = fake_vault_seed(&w.vault, "CORP\\alice", 1, 12, 600, "work [jumpgate " LOST "]");

    assert_true(claim(&w, LOST, id, 600000));
    world_set_fault(&w, FAKE_REQUESTS, FAKE_UNREACHABLE);
    world_advance(&w, SECONDS(5));
    assert_int_equal(fake_store_request(w.store, LOST)->state, REQUEST_ASKED);
    world_crash(&w, 0, 0);
    assert_false(claim(&w, LOST, id, 600000));
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(w.vault.requests[1].checkins, 1);
    assert_int_equal(fake_store_count(w.store), 1);
    world_end(&w);
}

TEST(the_listing_is_paged)
{
    struct world w;
    struct caller c;
    struct seen s = {0};
    char session[16], first[32] = "";
    uint64_t cursor = 0;
    unsigned pages = 0;

    world_start_stored(&w);
    for (unsigned i = 0; i < 25; i++) {
        (void)snprintf(session, sizeof session, "s%u", i);
        checkout_ok(&w, "alice", session, &c);
        if (i == 3)
            (void)snprintf(first, sizeof first, "%s", c.lease_id);
    }
    do {
        struct released r = {0};

        cursor = broker_leases(w.broker, &(struct lease_filter){.limit = 10, .after = cursor}, on_row, &s);
        start_release(&w, "alice", pages++ ? "s24" : "s2", NULL, &r); /* come and go between the pages */
        world_settle(&w);
    } while (cursor);
    assert_int_equal(pages, 3);
    assert_int_equal(s.n, 24);
    s.n = 0;
    assert_int_equal(broker_leases(w.broker, &(struct lease_filter){.session = "s7", .limit = 1}, on_row, &s),
                     0);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.user, "CORP\\alice");
    assert_non_null(lease_by_id(w.broker->leases, first));
    world_end(&w);
}

static void on_released(void *arg, const struct release_answer *a)
{
    struct released *r = arg;

    r->replies++;
    r->released = a->released;
    r->code = a->fault ? a->fault->code : FAULT_NONE;
}

TEST(an_operator_ends_a_lease_by_its_id)
{
    struct world w;
    struct caller c;
    struct released r = {0};

    world_start_stored_leased(&w, &c);
    assert_non_null(broker_release_lease(w.broker, "no such lease", SECONDS(1), on_released, &r));
    world_settle(&w);
    assert_int_equal(r.code, FAULT_NOT_FOUND);
    assert_non_null(broker_release_lease(w.broker, c.lease_id, SECONDS(1), on_released, &r));
    world_settle(&w);
    assert_int_equal(r.code, FAULT_NONE);
    assert_int_equal(r.replies, 2);
    assert_int_equal(r.released, 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(an_unreadable_store_stops_the_start)
{
    struct world w;
    struct caller c;
    struct vault *vaults[1];

    world_start_stored_leased(&w, &c);
    broker_free(w.broker);
    w.store->load_err = -5;
    vaults[0] = &w.vault.vault;
    w.broker = broker_new(&(struct broker_opts){
        .timers = w.timers, .conf = &w.conf, .vaults = vaults, .nvaults = 1, .store = &w.store->store});
    assert_null(w.broker);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_gets_its_lease_again),
        cmocka_unit_test(a_vault_without_numbers),
        cmocka_unit_test(leases_end_when_they_would_have),
        cmocka_unit_test(a_jump_of_the_wall_clock_changes_no_end),
        cmocka_unit_test(attempts_are_counted_over_restarts_and_lapse),
        cmocka_unit_test(a_lapsed_request_that_lives_is_held_again),
        cmocka_unit_test(the_persons_own_request_is_used_again),
        cmocka_unit_test(rows_of_a_vault_no_longer_configured_are_kept),
        cmocka_unit_test(rows_without_their_counterparts),
        cmocka_unit_test(a_lease_of_a_request_that_is_not_held),
        cmocka_unit_test(a_request_that_makes_no_sense),
        cmocka_unit_test(a_request_without_row_is_found_by_the_audit_trail),
        cmocka_unit_test(a_claim_of_the_trail_outlives_a_crash),
        cmocka_unit_test(a_renamed_section_keeps_its_rows),
        cmocka_unit_test(rows_stay_with_their_url),
        cmocka_unit_test(the_listing_is_paged),
        cmocka_unit_test(an_operator_ends_a_lease_by_its_id),
        cmocka_unit_test(an_unreadable_store_stops_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
