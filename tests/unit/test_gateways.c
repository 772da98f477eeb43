/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gateways.c - several gateways with one store and one vault, in one process: whichever gateway is
 * asked, a session has one lease of a credential, and no secret leaves of one that has ended.
 *
 * Whatever a test does, at its end no two requests may live at the vault for
 * one user and account, and none that no lease holds (check_whole()).
 */
#include "gateways_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/leases.h"

#include <stdlib.h>
#include <string.h>

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

/* The tag is not known before, and is in each lease id, by which the vault's requests are recognised. */
TEST(a_check_out_that_comes_before_its_gateway_has_joined_has_a_lease_of_the_cluster)
{
    struct caller a, b;

    start_checkout(&w, "alice", "s1", &a);
    (void)fake_store_commit(&stores[0]); /* it joins */
    settle();
    assert_checkout_ok(&a);
    assert_int_equal(strlen(a.lease_id), ID_SIZE - 1);
    assert_memory_equal(a.lease_id, stores[0].tag, ID_TAG_SIZE - 1);
    check_out_ok(1, "alice", "s1", &b);
    assert_same_lease(&a, &b);
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

/* The answer waits for the vault's word, which is that nothing was done. */
TEST(a_release_whose_check_in_fails_is_pending)
{
    struct caller a;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_true(r.pending);
    w.vault.plan = NULL;
    advance(MINUTES(2));
    assert_all_given_back();
}

TEST(releases_of_other_gateways_requests_are_counted)
{
    for (size_t at = 0; at < 2; at++) {
        struct broker_state before, after;
        struct caller a;
        struct released r;

        case_label("at gateway %zu", at);
        check_out_ok(0, "alice", "s1", &a);
        broker_state(brokers[at], &before);
        release(at, "alice", "s1", &r);
        broker_state(brokers[at], &after);
        assert_int_equal(after.releases - before.releases, 1);
        assert_int_equal(after.foreign_releases - before.foreign_releases, at != 0);
    }
}

/* By the gateway whose step has ended the lease: two others, or its owner and another, at once. */
TEST(the_end_of_a_lease_is_recorded_once)
{
    for (size_t i = 0; i < 2; i++) {
        struct buf trail = BUF_INIT(1 << 20);
        struct caller a;
        struct released r[2];

        case_label("gateways %zu and %zu", i, i + 1);
        assert_int_equal(gateways_end(NULL), 0);
        gateways_trail = &trail;
        assert_int_equal(gateways_start(NULL), 0);
        check_out_ok(0, "alice", "s1", &a);
        for (size_t k = 0; k < 2; k++) {
            gateway(i + k);
            start_release(&w, "alice", "s1", NULL, &r[k]);
        }
        world_iterate(&w); /* both have asked, before either has ended it */
        for (size_t k = 0; k < 2; k++)
            (void)fake_store_commit(&stores[i + k]);
        settle();
        assert_int_equal(r[0].released + r[1].released, 1);
        assert_int_equal(count_records(&trail, "\"event\":\"lease_end\",\"reason\":\"released\""), 1);
        assert_int_equal(count_records(&trail, "\"lease_end\""), 1);
        assert_all_given_back();
        assert_int_equal(gateways_end(NULL), 0);
        gateways_trail = NULL;
        assert_int_equal(gateways_start(NULL), 0);
        buf_free(&trail);
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

/* The answer to the second step is lost: the store cannot see that the first one has ended the lease. */
TEST(two_releases_at_one_gateway_count_once)
{
    struct buf trail = BUF_INIT(1 << 20);
    struct caller a;
    struct released r, s;

    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = &trail;
    assert_int_equal(gateways_start(NULL), 0);
    check_out_ok(0, "alice", "s1", &a);
    gateway(0);
    start_release(&w, "alice", "s1", NULL, &r);
    start_release(&w, "alice", "s1", NULL, &s);
    for (int i = 0; i < 20 && !stores[0].npending; i++) {
        (void)fake_shared_commit(&stores[0]); /* both find the lease */
        world_iterate(&w);
    }
    assert_int_equal(stores[0].npending, 1); /* the other waits for it */
    stores[0].node.forgets = true;
    advance(SECONDS(5));
    assert_int_equal(r.released + s.released, 1);
    assert_int_equal(count_records(&trail, "\"lease_end\""), 1);
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = NULL;
    assert_int_equal(gateways_start(NULL), 0);
    buf_free(&trail);
}

/* A session has released, and its request is checked in; the record of that is not on disk. */
static void give_back_unrecorded(struct buf *trail)
{
    struct caller a;
    struct released r;

    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = trail;
    assert_int_equal(gateways_start(NULL), 0);
    check_out_ok(0, "alice", "s1", &a);
    w.sink.late = true;
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0); /* does not wait for the record */
    assert_int_equal(world_checkins(&w), 1);
    advance(SECONDS(5));
    assert_int_equal(fake_store_count(&stores[0]), 1);
    assert_int_equal(count_records(trail, "\"checkin\""), 1);
}

static void end_unrecorded(struct buf *trail)
{
    assert_all_given_back();
    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = NULL;
    assert_int_equal(gateways_start(NULL), 0);
    buf_free(trail);
}

TEST(the_row_of_a_request_stays_until_its_check_in_is_on_disk)
{
    struct buf trail = BUF_INIT(1 << 20);
    struct caller a;
    struct released r;

    give_back_unrecorded(&trail);
    for (size_t i = 0; i < 2; i++) { /* and keeps no check-out waiting */
        check_out_ok(i, "alice", "s1", &a);
        release(i, "alice", "s1", &r);
        assert_released(&r, 1, 0);
    }
    w.sink.late = false;
    advance(SECONDS(1));
    assert_int_equal(fake_store_count(&stores[0]), 0);
    assert_int_equal(count_records(&trail, "\"checkin\""), 3);
    end_unrecorded(&trail);
}

TEST(a_check_in_whose_record_dies_with_its_gateway_is_recorded_by_another_one)
{
    struct buf trail = BUF_INIT(1 << 20);

    give_back_unrecorded(&trail);
    kill_gateway(0);
    w.sink.late = false;
    fake_store_fence(&stores[0], &stores[1]);
    advance(MINUTES(1));
    assert_int_equal(count_records(&trail, "\"checkin\""), 2);
    assert_int_equal(count_records(&trail, "\"already_gone\""), 1);
    end_unrecorded(&trail);
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

/* A check-out at this gateway, while one at another reads: of the vault's answers only its own arrive. */
static void check_out_beside(size_t i, const char *session, struct caller *c)
{
    size_t reads = fake_vault_pending(&w.vault);

    gateway(i);
    start_checkout(&w, "alice", session, c);
    for (int n = 0; n < 50 && fake_vault_pending(&w.vault) == reads; n++) {
        world_iterate(&w);
        if (!fake_store_commit(&stores[i]))
            fake_clock_advance(&w.clock, 1);
    }
    for (int n = 0; n < 50 && !c->replies; n++) {
        if (fake_vault_pending(&w.vault) > reads)
            fake_vault_deliver(&w.vault, fake_vault_pending(&w.vault) - 1);
        world_iterate(&w);
        if (!fake_store_commit(&stores[i]))
            fake_clock_advance(&w.clock, 1);
    }
}

static bool is_reading(unsigned requests)
{
    size_t n = fake_vault_pending(&w.vault);

    return w.vault.count[FAKE_REQUEST] == requests && n &&
           fake_vault_pending_op(&w.vault, n - 1) == FAKE_CREDENTIAL;
}

/* The session's lease ends at another gateway, of which gateway `i` does not hear. */
static void make_stale(size_t i, const char *session)
{
    struct caller c;
    struct released r;
    const struct store_news *news = stores[i].node.news;
    static const struct store_news deaf = {0};

    check_out_ok(i, "alice", session, &c);
    stores[i].node.news = &deaf;
    release((i + 1) % GATEWAYS, "alice", session, &r);
    stores[i].node.news = news;
    assert_int_equal(leases_at(i), 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
}

/* The secret of its request is about to be read, and its step OPEN has not been carried out. */
static void run_until_reading(size_t i, unsigned requests)
{
    for (int n = 0; n < 1000 && !is_reading(requests); n++) {
        if (!fake_vault_step(&w.vault) && !fake_store_commit(&stores[i]))
            fake_clock_advance(&w.clock, 1);
        world_iterate(&w);
    }
    assert_true(is_reading(requests));
}

/* Released at gateway `i` and given back, before the vault carries out any other call. */
static void give_back_first(size_t i, const char *session, struct released *r)
{
    gateway(i);
    start_release(&w, "alice", session, NULL, r);
    for (int n = 0; n < 50 && fake_vault_live(&w.vault); n++) {
        world_iterate(&w);
        (void)fake_store_commit(&stores[i]);
        for (size_t at = 0; at < fake_vault_pending(&w.vault); at++)
            if (fake_vault_pending_op(&w.vault, at) == FAKE_CHECKIN)
                fake_vault_commit(&w.vault, at);
    }
    assert_int_equal(fake_vault_live(&w.vault), 0);
}

/* Its own lease has ended, and so has each request that the vault hands over, before its secret is read. */
TEST(a_stale_table_and_requests_that_end_meanwhile)
{
    for (unsigned ended = 1; ended <= 3; ended++) {
        struct caller a, b;
        struct released r[3], last;
        bool is_last = ended == 3;

        case_label("%u requests end", ended);
        make_stale(1, "s2");
        unsigned requests = w.vault.count[FAKE_REQUEST];

        check_out_ok(0, "alice", "s1", &a);
        gateway(1);
        start_checkout(&w, "alice", "s2", &b);
        run_until_reading(1, requests + 2);
        give_back_first(0, "s1", &r[0]);
        for (unsigned n = 1; n < ended; n++) {
            check_out_beside(0, "s1", &a);
            assert_checkout_ok(&a);
            run_until_reading(1, requests + 2 * (n + 1));
            give_back_first(0, "s1", &r[n]);
        }
        while (fake_vault_step(&w.vault))
            world_iterate(&w);
        advance(SECONDS(5));
        assert_int_equal(b.replies, 1);
        assert_int_equal(b.code, is_last ? FAULT_VAULT_CONFLICT : FAULT_NONE);
        assert_int_equal(fake_vault_live(&w.vault), !is_last);
        release(1, "alice", "s2", &last);
        assert_released(&last, !is_last, 0);
        assert_all_given_back();
    }
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

TEST(what_was_checked_in_while_the_store_was_away_is_checked_in_once)
{
    struct caller a;

    check_out_ok(0, "alice", "s1", &a);
    stores[0].broken = true;
    advance(MINUTES(61));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    stores[0].broken = false;
    advance(SECONDS(30));
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

/* The gateway is asked to look at its request between its step OPEN and the outcome: the store has no request
 * of this name, and that says nothing. */
TEST(a_request_that_is_being_opened_is_not_given_up)
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
    for (int i = 0; i < 20 && !stores[1].npending; i++)
        world_iterate(&w);
    (void)fake_store_commit(&stores[1]); /* the session is finished */
    for (int i = 0; i < 20 && !stores[1].npending; i++) {
        (void)fake_shared_commit(&stores[1]); /* it finds the intent */
        world_iterate(&w);
    }
    assert_int_equal(stores[1].npending, 1);
    for (int i = 0; i < 20 && !stores[0].npending; i++) {
        (void)fake_vault_step(&w.vault); /* the answer: it is to be opened */
        world_iterate(&w);
    }
    assert_int_equal(stores[0].npending, 1);
    (void)fake_store_commit(&stores[1]);
    assert_true(fake_shared_commit(&stores[0])); /* the look */
    advance(SECONDS(5));
    assert_int_equal(a.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(world_checkins(&w), 1);
    assert_all_given_back();
}

/* What the session has released before ends first: the check-out gets a lease of its own. */
TEST(a_check_out_waits_for_the_release_before_it)
{
    struct caller a, b, other;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    gateway(1);
    start_release(&w, "alice", "s1", NULL, &r);
    start_checkout(&w, "alice", "s1", &b);
    start_checkout(&w, "alice", "s2", &other); /* of another session: nothing to wait for */
    for (int i = 0; i < 20 && !fake_vault_pending(&w.vault); i++)
        world_iterate(&w);
    assert_int_equal(b.replies + r.replies, 0);
    advance(SECONDS(5));
    assert_released(&r, 1, (int64_t)r.remaining);
    assert_checkout_ok(&b);
    assert_checkout_ok(&other);
    assert_string_not_equal(b.lease_id, a.lease_id);
    release(2, "alice", "s1", &r);
    release(2, "alice", "s2", &r);
    assert_all_given_back();
}

/* Whether the session has a lease at another gateway or none; whatever the check-out waits for just then. */
TEST(a_client_that_leaves_at_any_moment_leaves_nothing)
{
    for (int has_lease = 0; has_lease < 2; has_lease++) {
        for (unsigned seed = 0; seed < 400; seed++) {
            struct caller a = {0}, b;
            struct released r;
            unsigned bits = seed / 20 * 2654435761U;

            (void)gateways_end(NULL);
            (void)gateways_start(NULL);
            case_label("%s, seed %u", has_lease ? "a lease elsewhere" : "none", seed);
            if (has_lease)
                check_out_ok(0, "alice", "s1", &a);
            gateway(1);
            start_checkout(&w, "alice", "s1", &b);
            for (unsigned i = 0; i < seed % 20; i++, bits = bits * 1664525U + 1013904223U) {
                world_iterate(&w);
                if (bits >> 31)
                    (void)fake_store_commit(&stores[1]);
                else
                    (void)fake_vault_step(&w.vault);
            }
            if (!b.replies)
                cancel_checkout(&b);
            advance(SECONDS(5));
            bool holds = has_lease || b.replies;

            assert_int_equal(fake_store_leases(&stores[0]), holds);
            assert_int_equal(fake_vault_live(&w.vault), holds);
            release(2, "alice", "s1", &r);
            assert_released(&r, holds, 0);
            assert_all_given_back();
        }
    }
}

/* ---- the site says that a session has ended ---- */

#define LSID_A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LSID_A2 "{AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa}" /* the same in another form */
#define LSID_B  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct event {
    int replies;
    enum fault_code code;
    size_t ended;
};

static void on_event(void *arg, const struct session_ended_answer *a)
{
    struct event *e = arg;

    e->replies++;
    e->code = a->fault ? a->fault->code : FAULT_NONE;
    e->ended = a->ended;
}

static struct op *send_event(size_t at, const char *lsid, struct event *e)
{
    struct op *op;

    *e = (struct event){0};
    gateway(at);
    op = broker_session_ended(
        w.broker,
        &(struct session_ended_args){
            .lsid = lsid, .source = SESSION_END_EVENT, .site = "pra1", .timeout_ms = SECONDS(5)},
        on_event, e);
    assert_non_null(op);
    assert_int_equal(e->replies, 0);
    return op;
}

static void hold(size_t at, const char *user, const char *session, const char *lsid, struct caller *c)
{
    gateway(at);
    struct checkout_args args = checkout_args_for(&w, user, session);

    args.by.session.lsid = lsid;
    start_checkout_with(&w, &args, c);
    settle();
    assert_checkout_ok(c);
}

TEST(an_event_at_any_gateway_ends_the_leases_of_its_session_at_all)
{
    for (size_t at = 0; at < GATEWAYS; at++) {
        struct caller a, b, other;
        struct released r;
        struct event e;

        case_label("at gateway %zu", at);
        hold(0, "alice", "s1", LSID_A, &a);
        hold(1, "bob", "s2", LSID_A, &b);
        hold(2, "carol", "s3", LSID_B, &other);
        (void)send_event(at, LSID_A2, &e);
        advance(10);
        assert_int_equal(e.replies, 1);
        assert_int_equal(e.code, FAULT_NONE);
        assert_int_equal(e.ended, 2);
        advance(SECONDS(1));
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_leases(&stores[0]), 1);
        for (size_t again = 0; again < GATEWAYS; again++) {
            (void)send_event(again, LSID_A, &e);
            settle();
            assert_int_equal(e.replies, 1);
            assert_int_equal(e.ended, 0);
        }
        release(0, "alice", "s1", &r);
        assert_released(&r, 0, 0);
        release(at, "carol", "s3", &r);
        assert_released(&r, 1, 0);
        assert_all_given_back();
    }
}

static void on_session_started(void *arg)
{
    ++*(unsigned *)arg;
}

/* The session is reported at another gateway than that of its leases. */
static void begin_report(size_t at, const char *user, const char *session, const char *lsid,
                         unsigned *replies)
{
    struct started_args args = {.by = {person_session(user, session), 5000}};

    *replies = 0;
    args.by.session.lsid = lsid;
    gateway(at);
    assert_non_null(broker_session_started(w.broker, &args, on_session_started, replies));
    assert_int_equal(*replies, 0);
}

static void report_start(size_t at, const char *user, const char *session, const char *lsid)
{
    unsigned replies;

    begin_report(at, user, session, lsid, &replies);
    settle();
    assert_int_equal(replies, 1);
}

static void assert_event_ends(size_t at, size_t n)
{
    struct event e;

    (void)send_event(at, LSID_A, &e);
    advance(10);
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.ended, n);
}

TEST(a_start_at_any_gateway_names_the_leases_of_its_session_at_all)
{
    for (size_t at = 0; at < GATEWAYS; at++) {
        struct caller a, b, other;
        struct released r;

        case_label("at gateway %zu", at);
        hold(0, "alice", "s1", NULL, &a);
        hold(1, "alice", "s2", NULL, &b);
        hold(1, "carol", "s3", LSID_B, &other);
        assert_event_ends(2, 0);
        report_start(at, "alice", "s1", LSID_A);
        report_start(at, "carol", "s3",
                     LSID_A); /* where it is another gateway's, it keeps the one that it has */
        assert_event_ends(2, at == 1 ? 2 : 1);
        release(at, "alice", "s1", &r);
        assert_released(&r, 0, 0);
        release(at, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        release(at, "carol", "s3", &r);
        advance(SECONDS(1));
        assert_all_given_back();
    }
}

TEST(a_start_while_the_store_is_away)
{
    struct caller a;
    struct released r;
    unsigned replies;

    hold(0, "alice", "s1", NULL, &a);
    stores[1].broken = true;
    begin_report(1, "alice", "s1", LSID_A, &replies);
    advance(SECONDS(2));
    stores[1].broken = false;
    advance(SECONDS(1));
    assert_int_equal(replies, 1); /* the store was asked once more */
    assert_event_ends(2, 1);
    stores[1].broken = true;
    hold(0, "alice", "s1", NULL, &a);
    begin_report(1, "alice", "s1", LSID_A, &replies);
    advance(SECONDS(5));
    assert_int_equal(replies, 1); /* its time is over */
    stores[1].broken = false;
    assert_event_ends(2, 0);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
}

TEST(a_repeat_at_another_gateway_names_the_lease)
{
    struct caller a, again;

    hold(0, "alice", "s1", NULL, &a);
    gateway(1);
    struct checkout_args args = checkout_args_for(&w, "alice", "s1");

    args.by.session.lsid = LSID_A;
    start_checkout_with(&w, &args, &again);
    advance(SECONDS(1));
    assert_checkout_ok(&again);
    assert_string_equal(a.lease_id, again.lease_id);
    assert_event_ends(2, 1);
    advance(SECONDS(1));
    assert_all_given_back();
}

static bool asks_the_site(size_t at)
{
    int64_t created_ms;
    bool asks = broker_pra_oldest_key(brokers[at], &created_ms);

    if (asks)
        assert_in_range(created_ms, w.clock.wall - HOURS(1), w.clock.wall);
    return asks;
}

/* The lease is in no table: who has made it asks, and when that one has died all that are left. */
/* No caller waits for the check-in of a session that has ended: it goes behind those that one waits for. */
TEST(a_check_in_after_an_event_goes_behind_others)
{
    struct caller c;
    struct released r;
    struct event e;

    hold(0, "alice", "s1", LSID_A, &c);
    (void)send_event(0, LSID_A, &e);
    advance(SECONDS(1));
    assert_int_equal(world_checkins(&w), 1);
    assert_false(w.vault.last_begun);
    hold(0, "alice", "s1", LSID_A, &c);
    release(0, "alice", "s1", &r);
    assert_int_equal(world_checkins(&w), 2);
    assert_true(w.vault.last_begun);
    assert_all_given_back();
}

static void count_row(void *arg, const struct lease_view *v)
{
    (void)v;
    ++*(size_t *)arg;
}

/* Its lease is not the first of its request, and is in no list when the request is gone. */
TEST(an_event_at_any_moment_of_a_second_check_out)
{
    struct caller first, second;
    struct released r;
    struct event e;

    for (int steps = 0; steps < 40; steps++) {
        size_t rows = 0;

        case_label("after %d steps", steps);
        hold(0, "alice", "s1", LSID_A, &first);
        struct checkout_args args = checkout_args_for(&w, "alice", "s2");

        args.by.session.lsid = LSID_B;
        start_checkout_with(&w, &args, &second);
        for (int i = 0; i < steps; i++) {
            world_iterate(&w);
            if (!fake_store_commit(&stores[0]))
                (void)fake_vault_step(&w.vault);
        }
        (void)send_event(0, LSID_B, &e);
        advance(SECONDS(3));
        assert_int_equal(second.replies, 1);
        release(0, "alice", "s1", &r);
        assert_int_equal(r.released, 1);
        assert_all_given_back();
        gateway(0);
        assert_int_equal(broker_leases(w.broker, &(struct lease_filter){.limit = 10}, count_row, &rows), 0);
        assert_int_equal(rows, 0);
    }
}

/* The other gateway was not told the lsid, so the store does not have it. */
TEST(an_event_at_any_moment_of_a_check_out_that_reads_through_another_gateways_lease)
{
    struct caller first, second;
    struct released r;
    struct event e;

    for (int steps = 1; steps < 30; steps++) {
        case_label("after %d steps", steps);
        check_out_ok(1, "alice", "s1", &first);
        gateway(0);
        struct checkout_args args = checkout_args_for(&w, "alice", "s1");

        args.by.session.lsid = LSID_A;
        start_checkout_with(&w, &args, &second);
        for (int i = 0; i < steps; i++) {
            world_iterate(&w);
            if (!fake_store_commit(&stores[0]))
                (void)fake_vault_step(&w.vault);
        }
        bool is_answered = second.replies;

        (void)send_event(0, LSID_A, &e);
        advance(SECONDS(3));
        assert_int_equal(second.replies, 1);
        assert_int_equal(e.replies, 1);
        if (second.code == FAULT_NONE && !is_answered)
            assert_int_equal(fake_store_leases(&stores[0]), 0);
        release(1, "alice", "s1", &r);
        assert_all_given_back();
    }
}

TEST(the_site_is_asked_for_a_session_whose_lease_is_on_another_gateways_request)
{
    struct caller a, b;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    hold(1, "alice", "s2", LSID_A, &b);
    assert_int_equal(a.request_id, b.request_id);
    assert_false(asks_the_site(0));
    assert_true(asks_the_site(1));
    kill_gateway(1);
    fake_store_fence(&stores[1], &stores[2]);
    advance(MINUTES(11));
    assert_true(asks_the_site(0));
    assert_true(asks_the_site(2));
    (void)broker_end_session(
        brokers[2], &(struct session_ended_args){.lsid = LSID_A, .source = SESSION_END_POLL, .site = "pra1"});
    settle();
    assert_int_equal(fake_store_leases(&stores[0]), 1);
    advance(MINUTES(61));
    assert_false(asks_the_site(0));
    assert_false(asks_the_site(2));
    release(0, "alice", "s1", &r);
    assert_all_given_back();
}

/* It is refused, and the site sends it again. */
TEST(an_event_while_the_store_is_away)
{
    struct caller a;
    struct event e;

    hold(0, "alice", "s1", LSID_A, &a);
    stores[1].broken = true;
    (void)send_event(1, LSID_A, &e);
    advance(SECONDS(5));
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.code, FAULT_STORE_UNAVAILABLE);
    stores[1].broken = false;
    advance(SECONDS(5));
    (void)send_event(1, LSID_A, &e);
    advance(10);
    assert_int_equal(e.code, FAULT_NONE);
    assert_int_equal(e.ended, 1);
    assert_all_given_back();
}

TEST(an_event_whose_connection_ends_takes_effect)
{
    struct caller a;
    struct event e;

    hold(0, "alice", "s1", LSID_A, &a);
    broker_leave(send_event(1, LSID_A, &e));
    settle();
    assert_int_equal(e.replies, 0);
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

/* ---- two gateways answer with one lease, and one fails ---- */

/* Each gateway has alice's accounts: the calls that follow are those of the check-outs. */
static void read_lists(void)
{
    struct caller c;
    struct released r;

    for (size_t i = 0; i < GATEWAYS; i++) {
        check_out_ok(i, "alice", "list", &c);
        release(i, "alice", "list", &r);
    }
    assert_all_given_back();
}

/* Its lease is open, and it reads the secret. */
static void start_until_secret(size_t i, const char *session, struct caller *c)
{
    gateway(i);
    start_checkout(&w, "alice", session, c);
    world_run_until(&w, FAKE_CREDENTIAL);
    while (fake_store_commit(&stores[i]))
        world_iterate(&w);
}

TEST(a_lease_that_was_answered_elsewhere_outlives_the_check_out_that_made_it)
{
    struct caller a, b, c;
    struct released r;

    start_until_secret(0, "s1", &a);
    unsigned asked = stores[1].node.asked, asked_later = stores[2].node.asked;

    check_out_beside(1, "s1", &b);
    assert_checkout_ok(&b);
    assert_int_equal(a.replies, 0);
    assert_int_equal(stores[1].node.asked, asked + 1); /* the moment: the count is the confirmation */
    cancel_checkout(&a);
    advance(SECONDS(5));
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    for (size_t i = 0; i < GATEWAYS; i++) {
        case_label("again at gateway %zu", i);
        check_out_ok(i, "alice", "s1", &c);
        assert_same_lease(&b, &c);
    }
    assert_int_equal(fake_store_only_lease(&stores[0])->answers, ANSWERS_MANY);
    /* Nothing is to be counted any more: the moment, and the confirmation. */
    assert_int_equal(stores[2].node.asked - asked_later, 2);
    advance(MINUTES(30));
    assert_int_equal(fake_vault_live(&w.vault), 1);
    release(2, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
}

TEST(a_lease_that_outlived_its_check_out_ends_in_time)
{
    struct caller a, b;

    start_until_secret(0, "s1", &a);
    check_out_beside(1, "s1", &b);
    cancel_checkout(&a);
    advance(MINUTES(59));
    assert_int_equal(fake_vault_live(&w.vault), 1);
    advance(MINUTES(1));
    assert_all_given_back();
}

/* The undo comes before the word of the second check-out: that one makes a lease of its own. */
TEST(a_lease_that_was_undone_is_not_answered_elsewhere)
{
    struct caller a, b;
    struct released r;
    char made[ID_SIZE];

    read_lists();
    start_until_secret(0, "s1", &a);
    (void)snprintf(made, sizeof made, "%s", fake_store_only_lease(&stores[0])->id);
    gateway(1);
    start_checkout(&w, "alice", "s1", &b);
    for (int i = 0; i < 50 && fake_vault_pending(&w.vault) < 2; i++) {
        world_iterate(&w);
        if (fake_vault_pending(&w.vault) < 2 && !fake_store_commit(&stores[1]))
            fake_clock_advance(&w.clock, 1);
    }
    cancel_checkout(&a);
    for (int i = 0; i < 5; i++) {
        fake_clock_advance(&w.clock, 50); /* no operation waits for the undo */
        world_iterate(&w);
        (void)fake_store_commit(&stores[0]);
    }
    assert_null(fake_store_lease(&stores[0], made));
    advance(SECONDS(5));
    assert_checkout_ok(&b);
    assert_string_not_equal(b.lease_id, made);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
}

/* An operator, or the session itself, ends the lease, and not only the part of one check-out. */
TEST(a_release_ends_a_lease_that_two_gateways_answer_with)
{
    for (size_t at = 0; at < 2; at++) {
        struct caller a, b;

        case_label("at gateway %zu", at);
        start_until_secret(0, "s1", &a);
        check_out_beside(1, "s1", &b);
        assert_checkout_ok(&b);
        (void)operator_release(at, b.lease_id);
        advance(SECONDS(5));
        assert_int_equal(a.replies, 1);
        assert_int_equal(fake_store_count(&stores[0]), 0);
        assert_all_given_back();
    }
}

/* Two or three ask, and clients leave, at any moment, some or all of them. */
TEST(a_lease_lasts_as_long_as_any_gateway_has_answered_with_it)
{
    for (unsigned seed = 0; seed < 400; seed++) {
        struct caller c[GATEWAYS];
        size_t n = 2 + seed % 2;
        unsigned bits = seed * 2654435761U, leavers = seed / 2 % (1U << n);
        const struct caller *answered = NULL;
        struct released r;

        case_label("seed %u", seed);
        if (seed % 40 == 39) { /* the fake vault has room for so many requests */
            assert_int_equal(gateways_end(NULL), 0);
            assert_int_equal(gateways_start(NULL), 0);
        }
        for (size_t i = 0; i < n; i++) {
            gateway(i);
            start_checkout(&w, "alice", "s1", &c[i]);
        }
        for (size_t i = 0; i < 80; i++, bits = bits * 1664525U + 1013904223U) {
            unsigned what = bits >> 28;

            world_iterate(&w);
            fake_clock_advance(&w.clock, what == 15 ? 50 : 0);
            if (what < 9)
                (void)fake_store_commit(&stores[what % 3]);
            else if (what < 12)
                (void)fake_vault_step(&w.vault);
            else if (what < 14 && fake_vault_pending(&w.vault) > 1)
                fake_vault_deliver(&w.vault, 1);
            else if (what == 14 && i > 20 && leavers & 1U << i % n && c[i % n].op)
                cancel_checkout(&c[i % n]);
        }
        for (size_t i = 0; i < n; i++)
            if (leavers & 1U << i && c[i].op)
                cancel_checkout(&c[i]);
        advance(MINUTES(15)); /* what was on its way has been found */
        for (size_t i = 0; i < n; i++) {
            if (!c[i].replies)
                continue;
            assert_checkout_ok(&c[i]);
            if (answered)
                assert_same_lease(answered, &c[i]);
            answered = &c[i];
        }
        if (answered || n == 2) {
            assert_int_equal(fake_vault_live(&w.vault), answered != NULL);
            assert_int_equal(fake_store_leases(&stores[0]), answered != NULL);
        }
        gateway(seed % GATEWAYS);
        start_release(&w, "alice", "s1", NULL, &r);
        advance(SECONDS(3));
        assert_int_equal(r.replies, 1);
        assert_all_given_back();
    }
}

/* ... and where both fail, nothing is left of it: also where the second one's count comes after its end. */
TEST(a_lease_that_no_gateway_has_answered_with_ends_with_the_last_check_out)
{
    for (unsigned order = 0; order < 4; order++) {
        bool is_second_first = order & 1, is_late = order & 2;
        struct caller a, b;

        case_label("the %s leaves first, %s", is_second_first ? "second" : "first",
                   is_late ? "late" : "counted");
        read_lists();
        start_until_secret(0, "s1", &a);
        gateway(1);
        start_checkout(&w, "alice", "s1", &b);
        for (int i = 0; i < 50 && fake_vault_pending(&w.vault) < 2; i++) {
            world_iterate(&w);
            if (fake_vault_pending(&w.vault) < 2 && !fake_store_commit(&stores[1]))
                fake_clock_advance(&w.clock, 1);
        }
        for (int i = 0; i < 10; i++) {
            fake_clock_advance(&w.clock, 1);
            world_iterate(&w);
            if (!is_late)
                (void)fake_store_commit(&stores[1]);
        }
        assert_int_equal(fake_store_only_lease(&stores[0])->answers, is_late ? ANSWERS_ONE : ANSWERS_TWO);
        cancel_checkout(is_second_first ? &b : &a);
        if (is_late)
            (void)fake_store_commit(&stores[1]);
        cancel_checkout(is_second_first ? &a : &b);
        advance(SECONDS(5));
        assert_int_equal(a.replies + b.replies, 0);
        assert_all_given_back();
    }
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
    gateway(0);
    start_checkout(&w, "alice", "s1", &b);
    advance(SECONDS(60));
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    unsigned made = (unsigned)w.vault.nrequests;

    start_checkout(&w, "bob", "s2", &b);
    advance(SECONDS(60));
    assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(w.vault.nrequests, made);
    fake_store_set_certain(&stores[0], true);
    check_out_ok(0, "alice", "s1", &b);
    assert_same_lease(&a, &b);
    advance(SECONDS(1));
    assert_int_equal(fake_store_count(&stores[0]), 1); /* nothing is left of bob's */
}

/* As when the store's leader changes: its word has come, and too late. */
TEST(a_gateway_that_is_certain_again_answers_what_has_waited)
{
    struct caller a, again, b;

    check_out_ok(0, "alice", "s1", &a);
    fake_store_set_certain(&stores[0], false);
    gateway(0);
    start_checkout(&w, "alice", "s1", &again);
    start_checkout(&w, "bob", "s2", &b);
    advance(SECONDS(2));
    assert_int_equal(again.replies + b.replies, 0);
    fake_store_set_certain(&stores[0], true);
    advance(SECONDS(1));
    assert_checkout_ok(&again);
    assert_same_lease(&a, &again);
    assert_checkout_ok(&b);
    assert_int_equal(fake_store_count(&stores[0]), 2); /* of bob's first intents nothing is left */
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
            assert_int_equal(gateways_end(NULL), 0);
            assert_int_equal(gateways_start(NULL), 0);
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

/* One step of each gateway and of the vault. */
static void step_all(void)
{
    world_iterate(&w);
    for (size_t i = 0; i < GATEWAYS; i++)
        if (brokers[i])
            (void)fake_store_commit(&stores[i]);
    (void)fake_vault_step(&w.vault);
}

/* At each moment of a check-out the gateway adopts the lease that the session has; `behind` steps before it
 * began, the one that makes the lease did at another gateway. */
static void adopt_at(int moment, int behind)
{
    struct caller a, b;
    struct released r;

    case_label("moment %d, %d steps behind", moment, behind);
    assert_int_equal(gateways_end(NULL), 0);
    assert_int_equal(gateways_start(NULL), 0);
    w.vault.conf.ask_policy = true;
    gateway(0);
    start_checkout(&w, "alice", "s1", &a);
    for (int i = 0; i < behind; i++)
        step_all();
    gateway(1);
    start_checkout(&w, "alice", "s1", &b);
    for (int i = 0; i < moment; i++)
        step_all();
    if (!a.replies || a.code != FAULT_NONE) {
        advance(SECONDS(5));
        assert_checkout_ok(&b);
        return;
    }
    kill_gateway(0);
    fake_store_fence(&stores[0], &stores[1]);
    advance(SECONDS(5));
    assert_checkout_ok(&b);
    assert_same_lease(&a, &b);
    assert_int_equal(world_checkins(&w), 0);
    assert_int_equal(leases_at(1), 1);
    release(2, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    advance(SECONDS(20));
    assert_all_given_back();
}

TEST(a_lease_that_is_adopted_during_a_check_out_is_read_through)
{
    for (int behind = 0; behind < 20; behind++)
        for (int moment = 0; moment < 24; moment++)
            adopt_at(moment, behind);
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
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
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

/* alice has requests of two gateways, and bob one: (owner) g0, g1, g2. */
static void lease_all(struct caller c[3])
{
    char admin[CREDENTIAL_ID_SIZE];

    world_add_account(&w, admin);
    check_out_ok(0, "alice", "s1", &c[0]);
    gateway(1);
    start_checkout_of(&w, "alice", "s2", admin, &c[1]);
    settle();
    assert_checkout_ok(&c[1]);
    check_out_ok(2, "bob", "s3", &c[2]);
    advance(MINUTES(10)); /* a round of each */
}

/* Of each user by one gateway; when one dies, its share moves at once. */
TEST(each_list_is_asked_for_by_one_gateway)
{
    for (size_t dead = 0; dead < GATEWAYS; dead++) {
        struct caller c[3];
        unsigned before;

        case_label("%zu dies", dead);
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        lease_all(c);
        before = w.vault.count[FAKE_REQUESTS];
        advance(MINUTES(10));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 2);
        before = w.vault.count[FAKE_REQUESTS];
        kill_gateway(dead);
        fake_store_fence(&stores[dead], &stores[(dead + 1) % GATEWAYS]);
        advance(SECONDS(5));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 2);
        before = w.vault.count[FAKE_REQUESTS];
        advance(MINUTES(10));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 2);
        assert_int_equal(fake_store_count(&stores[0]), 3);
    }
}

/* Whichever gateway owns it, and whichever asks for the list. */
TEST(a_request_that_the_vault_has_ended_is_closed_by_any_gateway)
{
    for (int i = 0; i < 3; i++) {
        struct buf trail = BUF_INIT(1 << 20);
        struct caller c[3];

        case_label("request %d", i);
        assert_int_equal(gateways_end(NULL), 0);
        gateways_trail = &trail;
        assert_int_equal(gateways_start(NULL), 0);
        lease_all(c);
        w.vault.requests[i].live = false;
        advance(MINUTES(10) + SECONDS(30));
        assert_int_equal(fake_store_count(&stores[0]), 2);
        assert_int_equal(fake_store_leases(&stores[0]), 2);
        assert_int_equal(leases_at(0) + leases_at(1) + leases_at(2), 2);
        assert_int_equal(count_records(&trail, "\"event\":\"lease_end\",\"reason\":\"gone\""), 1);
        assert_int_equal(count_records(&trail, "\"lease_end\""), 1);
        assert_int_equal(gateways_end(NULL), 0);
        gateways_trail = NULL;
        assert_int_equal(gateways_start(NULL), 0);
        buf_free(&trail);
    }
}

/* One of another configuration may lack the vault: it is left out, and asks for all of its own. */
TEST(a_gateway_of_another_configuration_has_no_share)
{
    struct caller c[3];
    unsigned before;

    lease_all(c);
    stores[0].store.ops->set_config(&stores[0].store, "other");
    advance(MINUTES(10));
    before = w.vault.count[FAKE_REQUESTS];
    advance(MINUTES(10));
    assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 4); /* both lists by two */
}

/* An older backup of the store was restored: the request has no row in it, and its user no other request. */
TEST(a_request_that_a_restored_store_lacks_is_given_back)
{
    struct caller a;

    check_out_ok(0, "alice", "s1", &a);
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++) {
        free(stores[0].requests[i]);
        free(stores[0].leases[i]);
        stores[0].requests[i] = NULL;
        stores[0].leases[i] = NULL;
    }
    fake_store_fence(&stores[0], &stores[1]);
    settle();
    fake_store_rejoin(&stores[0]);
    advance(SECONDS(30));
    assert_int_equal(fake_vault_live(&w.vault), 1); /* another gateway may be about to open it */
    advance(MINUTES(4));
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(fake_store_count(&stores[0]), 0);
}

/* An operator asks for the lists of users whose requests have ended. */
TEST(the_lists_of_all_users_are_asked_for)
{
    struct caller a;
    struct released r;

    check_out_ok(0, "alice", "s1", &a);
    release(0, "alice", "s1", &r);
    advance(MINUTES(5));
    unsigned before = w.vault.count[FAKE_REQUESTS];

    gateway(0);
    assert_int_equal(broker_reconcile(w.broker, true), 1);
    advance(MINUTES(4));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], before + 3);
    assert_int_equal(broker_reconcile(w.broker, false), 0);
    advance(MINUTES(4));
    assert_int_equal(w.vault.count[FAKE_REQUESTS], before + 3);
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

/* It is closed after the second gateway was shown its row, and has read its secret: its open comes last. */
TEST(a_request_that_was_closed_after_it_was_found_is_not_opened_again)
{
    struct caller a, b;
    struct released r;

    read_lists();
    check_out_ok(0, "alice", "s1", &a);
    gateway(1);
    start_checkout(&w, "alice", "s2", &b);

    unsigned reads = w.vault.count[FAKE_CREDENTIAL];

    for (int i = 0; i < 50 && w.vault.count[FAKE_CREDENTIAL] == reads; i++) {
        world_iterate(&w);
        if (fake_vault_pending(&w.vault))
            (void)fake_vault_step(&w.vault);
        else
            (void)fake_store_commit(&stores[1]); /* up to the question, whose answer gives the open */
        world_iterate(&w);
    }
    assert_int_equal(w.vault.count[FAKE_CREDENTIAL], reads + 1);
    while (fake_vault_step(&w.vault))
        world_iterate(&w);
    gateway(0);
    start_release(&w, "alice", "s1", NULL, &r);
    for (int i = 0; i < 60; i++) { /* gateway 0 alone goes on */
        world_iterate(&w);
        fake_clock_advance(&w.clock, 1);
        if (!fake_store_commit(&stores[0]))
            (void)fake_vault_step(&w.vault);
    }
    assert_released(&r, 1, 0);
    assert_int_equal(b.replies, 0);
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

/* ---- a reload ---- */

/* What people see otherwise is told to the other gateways. */
TEST(a_reload_shows_the_others_its_configuration)
{
    char digest[CONF_DIGEST_SIZE];

    w.conf.gateway.release_duration_ms = MINUTES(30);
    broker_reload(brokers[0]);
    assert_int_equal(conf_cluster_digest(&w.conf, digest), 0);
    assert_string_equal(stores[1].node.members[0].node, "g0");
    assert_string_equal(stores[1].node.members[0].config_digest, digest);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gateways_start, gateways_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_session_has_the_same_lease_at_every_gateway),
        cmocka_unit_test_setup_teardown(
            a_check_out_that_comes_before_its_gateway_has_joined_has_a_lease_of_the_cluster, gateways_open,
            gateways_end),
        T(two_gateways_at_once_end_with_one_lease),
        T(holders_count_over_all_gateways),
        T(a_release_at_any_gateway_ends_the_lease),
        T(a_release_whose_check_in_fails_is_pending),
        T(releases_of_other_gateways_requests_are_counted),
        T(the_end_of_a_lease_is_recorded_once),
        T(a_release_at_several_gateways_counts_once),
        T(two_releases_at_one_gateway_count_once),
        T(the_row_of_a_request_stays_until_its_check_in_is_on_disk),
        T(a_check_in_whose_record_dies_with_its_gateway_is_recorded_by_another_one),
        T(no_secret_leaves_after_a_release_elsewhere),
        T(a_stale_table_is_found_out),
        T(a_stale_table_and_requests_that_end_meanwhile),
        T(a_stale_table_gives_nothing_back_that_others_hold),
        T(what_was_checked_in_while_the_store_was_away_is_checked_in_once),
        T(a_release_takes_a_check_out_in_flight_elsewhere_along),
        T(a_request_that_is_being_opened_is_not_given_up),
        T(the_list_is_of_all_gateways),
        T(a_check_out_waits_for_the_release_before_it),
        T(a_client_that_leaves_at_any_moment_leaves_nothing),
        T(an_event_at_any_gateway_ends_the_leases_of_its_session_at_all),
        T(a_start_at_any_gateway_names_the_leases_of_its_session_at_all),
        T(a_start_while_the_store_is_away),
        T(a_repeat_at_another_gateway_names_the_lease),
        T(a_check_in_after_an_event_goes_behind_others),
        T(an_event_at_any_moment_of_a_second_check_out),
        T(an_event_at_any_moment_of_a_check_out_that_reads_through_another_gateways_lease),
        T(the_site_is_asked_for_a_session_whose_lease_is_on_another_gateways_request),
        T(an_event_while_the_store_is_away),
        T(an_event_whose_connection_ends_takes_effect),
        T(an_operator_ends_a_lease_of_any_gateway),
        T(while_the_store_is_away_no_secret_leaves_and_releases_wait),
        T(a_late_release_ends_no_later_lease),
        T(a_lease_that_was_answered_elsewhere_outlives_the_check_out_that_made_it),
        T(a_lease_that_outlived_its_check_out_ends_in_time),
        T(a_lease_that_was_undone_is_not_answered_elsewhere),
        T(a_release_ends_a_lease_that_two_gateways_answer_with),
        T(a_lease_lasts_as_long_as_any_gateway_has_answered_with_it),
        T(a_lease_that_no_gateway_has_answered_with_ends_with_the_last_check_out),
        T(a_word_that_is_too_old_is_asked_for_again),
        T(a_gateway_that_is_not_certain_asks_no_vault_and_answers_no_secret),
        T(a_gateway_that_is_certain_again_answers_what_has_waited),
        T(leases_of_a_dead_gateway_live_on),
        T(the_end_of_an_adopted_lease_is_that_of_the_dead),
        T(a_check_out_whose_gateway_dies_leaves_one_request),
        T(a_lease_that_is_adopted_during_a_check_out_is_read_through),
        T(a_gateway_that_stops_hands_its_leases_over),
        T(the_last_gateway_leaves_its_leases_for_the_next_start),
        T(a_fenced_gateway_gives_nothing_back_and_joins_again),
        T(a_fence_at_any_moment_loses_no_request),
        T(each_list_is_asked_for_by_one_gateway),
        T(a_request_that_the_vault_has_ended_is_closed_by_any_gateway),
        T(a_gateway_of_another_configuration_has_no_share),
        T(a_request_that_a_restored_store_lacks_is_given_back),
        T(the_lists_of_all_users_are_asked_for),
        T(a_request_that_was_closed_meanwhile_is_not_opened_again),
        T(a_request_that_was_closed_after_it_was_found_is_not_opened_again),
        T(a_reload_shows_the_others_its_configuration),
        T(a_request_is_checked_in_when_the_store_has_it_as_returning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
