/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gateways.c - several gateways with one store and one vault, in one process: whichever gateway is
 * asked, a session has one lease of a credential, and no secret leaves of one that has ended.
 *
 * The gateways share clock, timers and vault. gateway(i) says which one the verbs of broker_rig.h are about;
 * settle() lets all of them go on. Whatever a test does, at its end no two requests may live at the vault for
 * one user and account, and none that no lease holds (check_whole()).
 */
#include "broker_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/leases.h"

#include <string.h>

#define GATEWAYS 3

static struct world w;
static struct fake_store stores[GATEWAYS];
static struct broker *brokers[GATEWAYS];

static void gateway(size_t i)
{
    w.broker = brokers[i];
    w.store = &stores[i];
}

static struct broker *broker_start(size_t i)
{
    struct vault *vaults[] = {&w.vault.vault};

    return broker_new(&(struct broker_opts){
        .timers = w.timers, .conf = &w.conf, .vaults = vaults, .nvaults = 1, .store = &stores[i].store});
}

static bool go_on(void)
{
    bool any = false;

    for (size_t i = 0; i < GATEWAYS; i++)
        any |= brokers[i] && fake_store_commit(&stores[i]);
    return any;
}

static void settle(void)
{
    int rounds = 0;

    do {
        world_iterate(&w);
        assert_true(++rounds < 1000);
    } while (go_on() || fake_vault_step(&w.vault));
}

static void advance(uint64_t ms)
{
    uint64_t end = w.clock.now + ms;

    for (;;) {
        settle();
        uint64_t next = timers_next(w.timers);

        if (next == UINT64_MAX || w.clock.now + next > end)
            break;
        fake_clock_advance(&w.clock, next);
    }
    fake_clock_advance(&w.clock, end - w.clock.now);
    settle();
}

static int start(void **state)
{
    static const char *const names[GATEWAYS] = {"g0", "g1", "g2"};

    (void)state;
    world_init(&w);
    w.conf.gateway.reconcile_every_ms = MINUTES(10);
    for (size_t i = 0; i < GATEWAYS; i++) {
        fake_store_init(&stores[i], &w.clock.clock);
        fake_store_share(&stores[i], i ? &stores[0] : NULL, names[i]);
        brokers[i] = broker_start(i);
        assert_non_null(brokers[i]);
    }
    settle();
    gateway(0);
    return 0;
}

/* Its process ends at once. */
static void kill_gateway(size_t i)
{
    broker_free(brokers[i]);
    brokers[i] = NULL;
    fake_store_crash(&stores[i], 0);
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < GATEWAYS; i++)
        if (brokers[i])
            kill_gateway(i);
    w.broker = NULL;
    w.store = NULL;
    for (size_t i = GATEWAYS; i-- > 0;)
        fake_store_free(&stores[i]);
    world_end(&w);
    return 0;
}

static void check_out(size_t i, const char *user, const char *session, struct caller *c)
{
    gateway(i);
    start_checkout(&w, user, session, c);
    settle();
    if (!c->replies)
        advance(SECONDS(2)); /* it waits for the end of another */
    assert_int_equal(c->replies, 1);
}

static void check_out_ok(size_t i, const char *user, const char *session, struct caller *c)
{
    check_out(i, user, session, c);
    assert_checkout_ok(c);
    assert_string_equal(c->secret, "s3\"cret");
}

static void release(size_t i, const char *user, const char *session, struct released *r)
{
    gateway(i);
    start_release(&w, user, session, NULL, r);
    settle();
    assert_int_equal(r->replies, 1);
}

static void assert_released(const struct released *r, int64_t n, int64_t remaining)
{
    assert_int_equal(r->code, FAULT_NONE);
    assert_int_equal(r->released, n);
    assert_int_equal(r->remaining, remaining);
}

static size_t leases_at(size_t i)
{
    struct broker_state state;

    broker_state(brokers[i], &state);
    return state.leases_active;
}

/* Nothing is left of a test whose sessions have released all. */
static void assert_all_given_back(void)
{
    advance(SECONDS(1)); /* the last step is not in a hurry */
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(&stores[0]), 0);
    assert_int_equal(fake_store_leases(&stores[0]), 0);
}

static void assert_same_lease(const struct caller *a, const struct caller *b)
{
    assert_string_equal(a->lease_id, b->lease_id);
    assert_int_equal(a->request_id, b->request_id);
    assert_int_equal(a->expires_wall_ms, b->expires_wall_ms);
}

static void on_operator(void *arg, const struct release_answer *a)
{
    *(int64_t *)arg = a->fault ? -(int64_t)a->fault->code : a->released;
}

/* How many it has ended, or minus the fault. */
static int64_t operator_release(size_t i, const char *lease_id)
{
    int64_t answer = INT64_MIN;

    gateway(i);
    assert_non_null(broker_release_lease(w.broker, lease_id, SECONDS(15), on_operator, &answer));
    settle();
    return answer;
}

/* ---- check-out ---- */

TEST(a_session_has_the_same_lease_at_every_gateway)
{
    struct caller a, b, c;

    check_out_ok(0, "alice", "s1", &a);
    advance(MINUTES(1));
    check_out_ok(1, "alice", "s1", &b);
    check_out_ok(2, "alice", "s1", &c);
    assert_same_lease(&a, &b);
    assert_same_lease(&a, &c);
    check_out_ok(0, "alice", "s1", &c);
    assert_same_lease(&a, &c);
    assert_int_equal(w.vault.nrequests, 1);
    assert_int_equal(fake_store_leases(&stores[0]), 1);
    assert_int_equal(leases_at(0), 1);
    assert_int_equal(leases_at(1), 0); /* a lease of another gateway costs nothing here */
}

/* Whatever the order in which vault and store answer. */
TEST(two_gateways_at_once_end_with_one_lease)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        struct caller a, b;
        struct released r;
        unsigned bits = seed * 2654435761U;

        case_label("seed %u", seed);
        gateway(0);
        start_checkout(&w, "alice", "s1", &a);
        gateway(1);
        start_checkout(&w, "alice", "s1", &b);
        for (int i = 0; i < 60; i++, bits = bits * 1664525U + 1013904223U) {
            world_iterate(&w);
            switch (bits >> 30) {
            case 0: (void)fake_store_commit(&stores[0]); break;
            case 1: (void)fake_store_commit(&stores[1]); break;
            case 2: (void)fake_vault_step(&w.vault); break;
            default:
                if (fake_vault_pending(&w.vault) > 1)
                    fake_vault_deliver(&w.vault, 1);
            }
        }
        advance(SECONDS(3));
        assert_checkout_ok(&a);
        assert_checkout_ok(&b);
        assert_same_lease(&a, &b);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_leases(&stores[0]), 1);
        assert_int_equal(fake_store_count(&stores[0]), 1);
        release(seed % 3, "alice", "s1", &r);
        assert_released(&r, 1, 0);
        advance(SECONDS(1));
        assert_all_given_back();
    }
}

/* The vault's reuse hands both one request. */
TEST(holders_count_over_all_gateways)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    check_out_ok(1, "alice", "s2", &b);
    assert_int_equal(a.request_id, b.request_id);
    assert_int_equal(a.expires_wall_ms, b.expires_wall_ms);
    assert_string_not_equal(a.lease_id, b.lease_id);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 1);
    assert_int_equal(world_checkins(&w), 0);
    check_out_ok(2, "alice", "s2", &a);
    assert_same_lease(&a, &b);
    release(1, "alice", "s2", &r);
    assert_released(&r, 1, 0);
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
    assert_int_equal(leases_at(0), 0);
}

/* ---- release ---- */

TEST(a_release_at_any_gateway_ends_the_lease)
{
    for (size_t at = 0; at < GATEWAYS; at++) {
        struct caller a;
        struct released r;

        case_label("at gateway %zu", at);
        check_out_ok(0, "alice", "s1", &a);
        release(at, "alice", "s1", &r);
        assert_released(&r, 1, 0);
        assert_false(r.pending);
        assert_int_equal(world_checkins(&w), at + 1);
        assert_all_given_back();
        assert_int_equal(leases_at(0), 0);
        release(0, "alice", "s1", &r);
        assert_released(&r, 0, 0);
    }
}

TEST(a_release_at_several_gateways_counts_once)
{
    struct caller a;
    struct released r[GATEWAYS];
    int64_t n = 0;

    check_out_ok(0, "alice", "s1", &a);
    for (size_t i = 0; i < GATEWAYS; i++) {
        gateway(i);
        start_release(&w, "alice", "s1", NULL, &r[i]);
    }
    settle();
    for (size_t i = 0; i < GATEWAYS; i++)
        n += r[i].released;
    assert_int_equal(n, 1);
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
}

/* The one that made the lease still has it in its table when it is asked. */
TEST(no_secret_leaves_after_a_release_elsewhere)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    gateway(0);
    start_checkout(&w, "alice", "s1", &b);
    world_iterate(&w);
    while (fake_vault_pending_op(&w.vault, 0) != FAKE_CREDENTIAL) {
        (void)fake_vault_step(&w.vault);
        world_iterate(&w);
    }
    assert_int_equal(fake_vault_pending_op(&w.vault, 0), FAKE_CREDENTIAL);
    fake_vault_deliver(&w.vault, 0); /* the secret of the lease has been read */
    assert_int_equal(b.replies, 0);
    gateway(1);
    start_release(&w, "alice", "s1", NULL, &r);
    world_iterate(&w);
    for (int i = 0; i < 5; i++) {
        (void)fake_store_commit(&stores[1]);
        world_iterate(&w);
    }
    advance(SECONDS(2));
    assert_released(&r, 1, 0);
    assert_checkout_ok(&b);
    assert_string_not_equal(a.lease_id, b.lease_id);
    assert_int_not_equal(a.request_id, b.request_id);
    assert_int_equal(fake_vault_live(&w.vault), 1);
}

/* A gateway that has not heard of it: its hints are lost. */
TEST(a_stale_table_is_found_out)
{
    struct caller a, b;
    struct released r;
    const struct store_news *news = stores[0].node.news;
    static const struct store_news deaf = {0};

    check_out_ok(0, "alice", "s1", &a);
    stores[0].node.news = &deaf;
    release(1, "alice", "s1", &r);
    stores[0].node.news = news;
    assert_int_equal(leases_at(0), 1);
    check_out(0, "alice", "s1", &b);
    assert_checkout_ok(&b);
    assert_int_not_equal(a.request_id, b.request_id);
    assert_int_equal(leases_at(0), 1);
    assert_int_equal(fake_vault_live(&w.vault), 1);
}

/* ... and with a second session's lease on it, which the table lacks as well. */
TEST(a_stale_table_gives_nothing_back_that_others_hold)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    check_out_ok(1, "alice", "s2", &b);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 1);
    assert_int_equal(leases_at(0), 0);
    advance(MINUTES(30));
    assert_int_equal(fake_vault_live(&w.vault), 1);
    advance(MINUTES(31)); /* the owner ends it, though no session of it holds it */
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_all_given_back();
}

TEST(a_release_takes_a_check_out_in_flight_elsewhere_along)
{
    struct caller a;
    struct released r;

    gateway(0);
    start_checkout(&w, "alice", "s1", &a);
    for (int i = 0; i < 20 && w.vault.count[FAKE_REQUEST] == 0; i++) {
        world_iterate(&w);
        (void)fake_store_commit(&stores[0]);
        if (w.vault.count[FAKE_REQUEST] == 0)
            (void)fake_vault_step(&w.vault);
    }
    gateway(1);
    start_release(&w, "alice", "s1", NULL, &r);
    for (int i = 0; i < 5; i++) {
        world_iterate(&w);
        (void)fake_store_commit(&stores[1]);
    }
    advance(SECONDS(5));
    assert_int_equal(r.replies, 1);
    assert_int_equal(r.released, 0);
    assert_int_equal(a.replies, 1);
    assert_int_equal(a.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_string_equal(a.secret, "");
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
}

TEST(an_operator_ends_a_lease_of_any_gateway)
{
    struct caller a;

    for (size_t i = 0; i < GATEWAYS; i++) {
        check_out_ok(0, "alice", "s1", &a);
        assert_int_equal(operator_release(i, a.lease_id), 1);
        assert_int_equal(world_checkins(&w), i + 1);
        assert_all_given_back();
        assert_int_equal(operator_release(i, a.lease_id), -(int64_t)FAULT_NOT_FOUND);
    }
}

static void on_row(void *arg, const struct lease_view *v)
{
    struct buf *text = arg;

    assert_int_equal(buf_printf(text, "%s %s %s %zu\n", v->state, v->node, v->sessions[0], v->nsessions), 0);
}

static void on_page(void *arg, const struct lease_page_answer *a)
{
    assert_null(a->fault);
    lease_page_rows(a, on_row, arg);
}

TEST(the_list_is_of_all_gateways)
{
    static const struct {
        struct lease_filter filter;
        const char *rows;
    } cases[] = {
        {{.limit = 100}, "open g0 s1 2\nopen g0 s2 2\nopen g1 s3 1\n"},
        {{.limit = 100, .node = "g1"}, "open g1 s3 1\n"},
        {{.limit = 100, .session = "s2"}, "open g0 s2 2\n"},
        {{.limit = 100, .state = "releasing"}, ""},
    };
    struct caller c;

    check_out_ok(0, "alice", "s1", &c);
    check_out_ok(1, "alice", "s2", &c);
    check_out_ok(1, "bob", "s3", &c);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf text = BUF_INIT(4096);

        case_label("filter %zu", i);
        gateway(2);
        assert_non_null(broker_lease_page(w.broker, &cases[i].filter, "", SECONDS(5), on_page, &text));
        settle();
        assert_string_equal(text.len ? buf_cstr(&text) : "", cases[i].rows);
        buf_free(&text);
    }
}

/* ---- the store is away ---- */

TEST(while_the_store_is_away_no_secret_leaves_and_releases_wait)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    for (size_t i = 0; i < GATEWAYS; i++)
        stores[i].broken = true;
    gateway(0);
    start_checkout(&w, "alice", "s1", &b);
    advance(SECONDS(16));
    assert_int_equal(b.replies, 1);
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    start_release(&w, "alice", "s1", NULL, &r);
    advance(SECONDS(16));
    assert_int_equal(r.replies, 1);
    assert_int_equal(r.released, 1);
    assert_true(r.pending);
    assert_int_equal(world_checkins(&w), 0);
    for (size_t i = 0; i < GATEWAYS; i++)
        stores[i].broken = false;
    advance(SECONDS(6));
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
}

/* What the session checks out after its release is another lease. */
TEST(a_late_release_ends_no_later_lease)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    stores[0].broken = true;
    gateway(0);
    start_release(&w, "alice", "s1", NULL, &r);
    advance(SECONDS(16));
    assert_true(r.pending);
    release(1, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    check_out_ok(1, "alice", "s1", &b);
    stores[0].broken = false;
    advance(SECONDS(6));
    check_out_ok(1, "alice", "s1", &a);
    assert_same_lease(&a, &b);
}

/* ---- certain ---- */

TEST(a_word_that_is_too_old_is_asked_for_again)
{
    struct caller a;

    gateway(0);
    start_checkout(&w, "alice", "s1", &a);
    world_run_until(&w, FAKE_CREDENTIAL);
    (void)fake_store_commit(&stores[0]); /* it is open */
    fake_clock_advance(&w.clock, SECONDS(5));
    fake_vault_deliver(&w.vault, 0);
    world_iterate(&w);
    assert_int_equal(a.replies, 0);
    assert_int_equal(stores[0].node.nquestions, 1);
    settle();
    assert_checkout_ok(&a);
}

TEST(a_gateway_that_is_not_certain_asks_no_vault_and_answers_no_secret)
{
    struct caller a, b;

    check_out_ok(0, "alice", "s1", &a);
    fake_store_set_certain(&stores[0], false);
    check_out(0, "alice", "s1", &b);
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    unsigned made = (unsigned)w.vault.nrequests;

    check_out(0, "bob", "s2", &b);
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(w.vault.nrequests, made);
    fake_store_set_certain(&stores[0], true);
    check_out_ok(0, "alice", "s1", &b);
    assert_same_lease(&a, &b);
    advance(SECONDS(1));
    assert_int_equal(fake_store_count(&stores[0]), 1); /* nothing is left of bob's */
}

/* ---- death ---- */

TEST(leases_of_a_dead_gateway_live_on)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    kill_gateway(0);
    fake_store_fence(&stores[0], &stores[1]);
    settle();
    assert_int_equal(leases_at(1), 1);
    check_out_ok(1, "alice", "s1", &b);
    assert_same_lease(&a, &b);
    check_out_ok(2, "alice", "s1", &b);
    assert_same_lease(&a, &b);
    release(2, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
    assert_int_equal(leases_at(1), 0);
}

TEST(the_end_of_an_adopted_lease_is_that_of_the_dead)
{
    struct caller a;

    check_out_ok(0, "alice", "s1", &a);
    advance(MINUTES(20));
    kill_gateway(0);
    fake_store_fence(&stores[0], &stores[1]);
    advance(MINUTES(39));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    advance(MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_all_given_back();
}

/* At each moment of a check-out the gateway dies; the same is asked for at another. */
TEST(a_check_out_whose_gateway_dies_leaves_one_request)
{
    for (int moment = 0; moment < 14; moment++) {
        for (unsigned carried_out = 0; carried_out < 2; carried_out++) {
            struct caller a, b;
            struct released r;

            case_label("moment %d, carried out %u", moment, carried_out);
            assert_int_equal(end(NULL), 0);
            assert_int_equal(start(NULL), 0);
            gateway(0);
            start_checkout(&w, "alice", "s1", &a);
            for (int i = 0; i < moment; i++) {
                world_iterate(&w);
                if (!fake_store_commit(&stores[0]))
                    (void)fake_vault_step(&w.vault);
            }
            fake_vault_crash(&w.vault, carried_out ? ~0U : 0);
            kill_gateway(0);
            w.vault.cancelled_writes = 0;
            fake_store_fence(&stores[0], &stores[1]);
            advance(SECONDS(15));
            check_out_ok(2, "alice", "s1", &b);
            assert_int_equal(fake_vault_live(&w.vault), 1);
            advance(MINUTES(15));
            assert_int_equal(fake_vault_live(&w.vault), 1);
            release(1, "alice", "s1", &r);
            assert_released(&r, 1, 0);
            advance(SECONDS(20));
            assert_all_given_back();
        }
    }
}

/* ---- the stop ---- */

static void stop_gateway(size_t i, size_t heir)
{
    stores[i].node.heir = heir < GATEWAYS ? &stores[heir] : NULL;
    broker_drain(brokers[i]);
    for (int n = 0; n < 100 && !broker_idle(brokers[i]); n++) {
        broker_hand_over(brokers[i]);
        advance(100);
    }
    assert_true(broker_idle(brokers[i]));
    kill_gateway(i);
}

TEST(a_gateway_that_stops_hands_its_leases_over)
{
    struct caller a, b, c;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    gateway(0);
    start_checkout(&w, "bob", "s2", &b); /* in flight when the stop comes */
    world_run_until(&w, FAKE_CREDENTIAL);
    stop_gateway(0, 1);
    assert_checkout_ok(&b);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(leases_at(1), 2);
    check_out_ok(2, "alice", "s1", &c);
    assert_same_lease(&a, &c);
    release(1, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    release(2, "bob", "s2", &r);
    assert_released(&r, 1, 0);
    assert_int_equal(world_checkins(&w), 2);
    assert_all_given_back();
}

TEST(the_last_gateway_leaves_its_leases_for_the_next_start)
{
    struct caller a;

    check_out_ok(0, "alice", "s1", &a);
    stop_gateway(0, GATEWAYS);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(fake_store_leases(&stores[0]), 1);
}

/* ---- fenced ---- */

TEST(a_fenced_gateway_gives_nothing_back_and_joins_again)
{
    struct caller a, b;

    check_out_ok(0, "alice", "s1", &a);
    gateway(0);
    start_checkout(&w, "bob", "s2", &b); /* in flight */
    world_run_until(&w, FAKE_REQUEST);
    fake_store_fence(&stores[0], &stores[1]);
    (void)fake_store_commit(&stores[0]);
    assert_int_equal(b.replies, 1);
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(leases_at(0), 0);
    settle();
    check_out(0, "alice", "s1", &b);
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE); /* not a member */
    fake_store_rejoin(&stores[0]);
    settle();
    check_out_ok(0, "alice", "s1", &b);
    assert_same_lease(&a, &b);
    advance(MINUTES(15)); /* what was on its way for bob has been found */
    assert_int_equal(fake_vault_live(&w.vault), 1);
    assert_int_equal(fake_store_count(&stores[0]), 1);
}

/* At each moment of a check-out. */
TEST(a_fence_at_any_moment_loses_no_request)
{
    for (int moment = 0; moment < 14; moment++) {
        struct caller a, b;
        struct released r;

        case_label("moment %d", moment);
        assert_int_equal(end(NULL), 0);
        assert_int_equal(start(NULL), 0);
        gateway(0);
        start_checkout(&w, "alice", "s1", &a);
        for (int i = 0; i < moment; i++) {
            world_iterate(&w);
            if (!fake_store_commit(&stores[0]))
                (void)fake_vault_step(&w.vault);
        }
        fake_store_fence(&stores[0], &stores[1]);
        settle();
        assert_int_equal(a.replies, 1);
        fake_store_rejoin(&stores[0]);
        advance(SECONDS(30));
        check_out_ok((size_t)moment % 3, "alice", "s1", &b);
        if (a.code == FAULT_NONE)
            assert_same_lease(&a, &b);
        advance(MINUTES(15));
        assert_int_equal(fake_vault_live(&w.vault), 1);
        release(0, "alice", "s1", &r);
        assert_released(&r, 1, 0);
        advance(SECONDS(20));
        assert_all_given_back();
    }
}

/* ---- the reuse of a request that another gateway gives back ---- */

/* Counter-example 2 of docs/cluster.md: an open that comes after the request was closed makes no lease. */
TEST(a_request_that_was_closed_meanwhile_is_not_opened_again)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    gateway(1);
    start_checkout(&w, "alice", "s2", &b);
    for (int i = 0; i < 50 && w.vault.count[FAKE_REQUEST] < 2; i++) {
        world_iterate(&w);
        if (!fake_store_commit(&stores[1]))
            (void)fake_vault_step(&w.vault);
    }
    fake_vault_deliver(&w.vault, 0); /* it is handed the request of alice's first session */
    world_iterate(&w);
    gateway(0);
    start_release(&w, "alice", "s1", NULL, &r);
    for (int i = 0; i < 60; i++) { /* gateway 0 alone goes on */
        world_iterate(&w);
        fake_clock_advance(&w.clock, 1);
        if (!fake_store_commit(&stores[0]))
            (void)fake_vault_step(&w.vault);
    }
    assert_int_equal(world_checkins(&w), 1);
    assert_int_equal(fake_store_count(&stores[0]), 1); /* the intent of the second */
    advance(SECONDS(5));
    assert_checkout_ok(&b);
    assert_int_not_equal(a.request_id, b.request_id);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    release(0, "alice", "s2", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
}

TEST(a_request_is_checked_in_when_the_store_has_it_as_returning)
{
    struct caller a;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    gateway(1);
    start_release(&w, "alice", "s1", NULL, &r);
    for (int i = 0; i < 10 && w.vault.count[FAKE_CHECKIN] == 0; i++) {
        world_iterate(&w);
        (void)fake_store_commit(&stores[1]);
    }
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(fake_store_only(&stores[0])->state, REQUEST_RETURNING);
    assert_string_equal(fake_store_only(&stores[0])->owner, stores[1].node.owner);
    settle();
    assert_all_given_back();
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_session_has_the_same_lease_at_every_gateway),
        T(two_gateways_at_once_end_with_one_lease),
        T(holders_count_over_all_gateways),
        T(a_release_at_any_gateway_ends_the_lease),
        T(a_release_at_several_gateways_counts_once),
        T(no_secret_leaves_after_a_release_elsewhere),
        T(a_stale_table_is_found_out),
        T(a_stale_table_gives_nothing_back_that_others_hold),
        T(a_release_takes_a_check_out_in_flight_elsewhere_along),
        T(the_list_is_of_all_gateways),
        T(an_operator_ends_a_lease_of_any_gateway),
        T(while_the_store_is_away_no_secret_leaves_and_releases_wait),
        T(a_late_release_ends_no_later_lease),
        T(a_word_that_is_too_old_is_asked_for_again),
        T(a_gateway_that_is_not_certain_asks_no_vault_and_answers_no_secret),
        T(leases_of_a_dead_gateway_live_on),
        T(the_end_of_an_adopted_lease_is_that_of_the_dead),
        T(a_check_out_whose_gateway_dies_leaves_one_request),
        T(a_gateway_that_stops_hands_its_leases_over),
        T(the_last_gateway_leaves_its_leases_for_the_next_start),
        T(a_fenced_gateway_gives_nothing_back_and_joins_again),
        T(a_fence_at_any_moment_loses_no_request),
        T(a_request_that_was_closed_meanwhile_is_not_opened_again),
        T(a_request_is_checked_in_when_the_store_has_it_as_returning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
