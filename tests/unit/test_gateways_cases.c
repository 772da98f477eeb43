/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gateways_cases.c - several gateways and what comes seldom: two sessions of a user at once, rows whose
 * request is over, a store that stops answering in the middle of a check-out, the share of the lists, the
 * pages of leases, and a vault whose clock is not known.
 */
#include "gateways_rig.h"

#include "broker/leases/leases.h"
#include "broker/leases/list_share.h"
#include "stores/store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start_again(struct buf *trail)
{
    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = trail;
    assert_int_equal(gateways_start(NULL), 0);
}

static void drop_rows_of(const char *owner)
{
    for (size_t i = 0; i < FAKE_STORE_ROWS; i++)
        if (stores[0].requests[i] && strcmp(stores[0].requests[i]->owner, owner) == 0) {
            free(stores[0].requests[i]);
            stores[0].requests[i] = NULL;
        }
}

/* ---- two sessions at once ---- */

/* Whatever the order, and also where the vault is not certain whose request it hands over. */
TEST(two_sessions_at_two_gateways_hold_one_request)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        struct caller c[2];
        struct released r;
        unsigned bits = seed * 2654435761U;

        case_label("seed %u", seed);
        if (seed % 40 == 39)
            start_again(NULL);
        for (size_t i = 0; i < 2; i++) {
            gateway(i);
            start_checkout(&w, "alice", i ? "s2" : "s1", &c[i]);
        }
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
        advance(SECONDS(5));
        assert_checkout_ok(&c[0]);
        assert_checkout_ok(&c[1]);
        assert_int_equal(c[0].request_id, c[1].request_id);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_leases(&stores[0]), 2);
        assert_int_equal(fake_store_count(&stores[0]), 1);
        release(seed % 3, "alice", "s1", &r);
        assert_released(&r, 1, 1);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        release((seed + 1) % 3, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        assert_all_given_back();
    }
}

/* The vault hands the second one what it has made for the first one, which has no answer yet and may open it.
 * Or the first one will not: it has gone, and its row. */
TEST(a_request_that_another_gateway_is_about_to_open_is_left_to_it)
{
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        struct caller a, b;
        struct released r;

        case_label("%s", is_gone ? "gone" : "in flight");
        start_again(NULL);
        check_out_ok(1, "alice", "list", &a); /* the second one knows the account */
        release(1, "alice", "list", &r);
        gateway(0);
        start_checkout(&w, "alice", "s1", &a);
        world_run_until(&w, FAKE_REQUEST);
        fake_vault_commit(&w.vault, 0);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        gateway(1);
        start_checkout(&w, "alice", "s2", &b);
        for (int i = 0; i < 40 && w.vault.count[FAKE_REQUESTS] == 0; i++) {
            world_iterate(&w);
            if (fake_vault_pending(&w.vault) > 1)
                fake_vault_deliver(&w.vault, 1);
            else if (!fake_store_commit(&stores[1]))
                fake_clock_advance(&w.clock, 1);
            world_iterate(&w);
        }
        assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
        assert_int_equal(fake_store_leases(&stores[0]), 0);
        if (is_gone) {
            fake_vault_deliver(&w.vault, 1);
            kill_gateway(0);
            drop_rows_of(stores[0].node.owner);
        }
        advance(SECONDS(5));
        if (!is_gone)
            assert_checkout_ok(&a);
        assert_checkout_ok(&b);
        assert_int_equal(b.request_id, w.vault.requests[1].id);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_count(&stores[0]), 1);
        assert_int_equal(fake_store_leases(&stores[0]), is_gone ? 1 : 2);
        release(2, "alice", "s1", &r);
        assert_released(&r, !is_gone, !is_gone);
        release(2, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        assert_all_given_back();
    }
}

/* ---- two names for a user ---- */

static void name_users(bool with_domain)
{
    static char full[] = "{domain}\\{username}", bare[] = "{username}";
    static char *names[] = {full, bare};

    w.vault.bare_users = true;
    w.vault.conf.run_as = (struct conf_list){.item = &names[!with_domain], .n = 1};
}

/* The second one has read the vault's list of the user; where the answer was of before a reload, the first
 * one has the request under the other name. */
TEST(two_names_of_a_user_hold_one_request)
{
    for (size_t i = 0; i < 2; i++) {
        struct caller a, b, c;
        struct released r;

        case_label("at gateway %zu", i);
        start_again(NULL);
        name_users(true);
        check_out_ok(0, "alice", "s1", &a);
        name_users(false);
        check_out_ok(i, "alice", "s2", &b);
        assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
        check_out_ok(2, "alice", "s1", &c);
        assert_same_lease(&a, &c);
        assert_int_equal(a.request_id, b.request_id);
        assert_int_equal(a.expires_wall_ms, b.expires_wall_ms);
        assert_int_equal(fake_store_count(&stores[0]), 1);
        assert_int_equal(fake_store_leases(&stores[0]), 2);
        assert_string_equal(fake_store_only(&stores[0])->user, "CORP\\alice");
        assert_int_equal(strncmp(fake_store_only(&stores[0])->owner, "g0", 2), 0);
        release(1, "alice", "s1", &r);
        assert_released(&r, 1, 1);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        release(0, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_all_given_back();
    }
}

/* A faulty answer has the number of a request that another gateway has made for another user, or for another
 * account of the same one; the person's own is the one that is meant. */
TEST(a_request_of_another_user_at_another_gateway_is_not_joined)
{
    for (int is_same = 0; is_same < 2; is_same++) {
        const char *user = is_same ? "alice" : "bob";
        char other[CREDENTIAL_ID_SIZE];
        struct caller a, b;
        struct released r;

        case_label("%s", is_same ? "another account" : "another user");
        start_again(NULL);
        world_add_account(&w, other);
        check_out_ok(0, "alice", "s1", &a);
        (void)fake_vault_seed(&w.vault, is_same ? "CORP\\alice" : "CORP\\bob", 1, 12, 600, "by hand");
        w.vault.say_id = a.request_id;
        gateway(1);
        start_checkout_of(&w, user, "s2", other, &b);
        advance(MINUTES(1));
        assert_int_equal(b.replies, 1);
        assert_int_not_equal(b.code, FAULT_NONE);
        assert_string_equal(b.secret, "");
        assert_int_equal(fake_store_leases(&stores[0]), 1);
        w.vault.say_id = 0;
        advance(MINUTES(5));
        assert_true(w.vault.requests[0].live);
        assert_int_equal(w.vault.requests[0].checkins, 0);
        release(2, "alice", "s1", &r);
        assert_released(&r, 1, 0);
        advance(MINUTES(1));
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_count(&stores[0]), 0);
    }
}

/* ---- the session's lease in the store, and a request that is over ---- */

static void change_row(enum request_state state, const char *url)
{
    struct request_row row = *fake_store_only(&stores[0]);

    row.state = state;
    row.url = url ? url : row.url;
    fake_store_put_request(&stores[0], &row);
}

/* The gateway that made it does nothing any more: the others find what its rows say. */
TEST(a_lease_whose_request_is_over_gives_way)
{
    enum { RETURNING, LAPSED, GONE, OTHER_VAULT, NCASES };
    static const char *const names[] = {"returning", "lapsed", "gone", "at another vault"};

    for (int how = 0; how < NCASES; how++) {
        struct buf trail = BUF_INIT(1 << 20);
        struct caller a, b, c;

        case_label("%s", names[how]);
        start_again(&trail);
        w.vault.accounts[0].no_reuse = true;
        check_out_ok(0, "alice", "s1", &a);
        kill_gateway(0);
        w.vault.requests[0].live = how == OTHER_VAULT;
        switch (how) {
        case RETURNING: change_row(REQUEST_RETURNING, NULL); break;
        case LAPSED: change_row(REQUEST_LAPSED, NULL); break;
        case GONE: drop_rows_of(stores[0].node.owner); break;
        default: change_row(REQUEST_HELD, "https://other.example.test/api"); break;
        }
        check_out_ok(1, "alice", "s1", &b);
        assert_string_not_equal(a.lease_id, b.lease_id);
        assert_int_not_equal(a.request_id, b.request_id);
        assert_null(fake_store_lease(&stores[0], a.lease_id));
        assert_int_equal(count_records(&trail, how == OTHER_VAULT
                                                   ? "\"event\":\"lease_end\",\"reason\":\"replaced\""
                                                   : "\"event\":\"lease_end\",\"reason\":\"gone\""),
                         1);
        check_out_ok(2, "alice", "s1", &c);
        assert_same_lease(&b, &c);
        start_again(NULL);
        buf_free(&trail);
    }
}

/* Its owner is silent, and has not ended it in time. */
TEST(a_lease_that_is_over_in_time_is_not_answered)
{
    struct caller a, b;
    struct released r;

    w.vault.accounts[0].no_reuse = true;
    check_out_ok(0, "alice", "s1", &a);
    kill_gateway(0);
    advance(HOURS(1));
    gateway(1);
    start_checkout(&w, "alice", "s1", &b);
    advance(SECONDS(14));
    assert_int_equal(b.replies, 0);
    advance(SECONDS(2));
    assert_int_equal(b.replies, 1);
    assert_int_not_equal(b.code, FAULT_NONE);
    assert_string_equal(b.secret, "");
    fake_store_fence(&stores[0], &stores[1]);
    advance(SECONDS(10));
    check_out_ok(1, "alice", "s1", &b);
    assert_string_not_equal(a.lease_id, b.lease_id);
    release(2, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
}

/* It is asked after once more since the audit trail was slow, and has been released elsewhere by then. */
TEST(a_lease_that_ends_while_its_record_is_written_is_a_conflict)
{
    struct buf trail = BUF_INIT(1 << 20);
    struct caller a, b;
    struct released r;

    start_again(&trail);
    check_out_ok(0, "alice", "s1", &a);
    w.sink.mood = SINK_STUCK;
    gateway(0);
    start_checkout(&w, "alice", "s1", &b);
    settle();
    assert_int_equal(b.replies, 0);
    fake_clock_advance(&w.clock, SECONDS(5));
    release(1, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    w.sink.mood = SINK_FINE;
    settle();
    assert_int_equal(b.replies, 1);
    assert_int_equal(b.code, FAULT_VAULT_CONFLICT);
    assert_non_null(strstr(b.detail, "check out again"));
    assert_string_equal(b.secret, "");
    check_out_ok(0, "alice", "s1", &b);
    assert_string_not_equal(a.lease_id, b.lease_id);
    start_again(NULL);
    buf_free(&trail);
}

/* The vault keeps no request through which another gateway could read the secret again. */
TEST(a_lease_by_direct_access_is_replaced_at_another_gateway)
{
    struct buf trail = BUF_INIT(1 << 20);
    struct caller a, b;
    struct released r;

    start_again(&trail);
    w.vault.accounts[0].row.isa = true;
    check_out_ok(0, "alice", "s1", &a);
    check_out_ok(1, "alice", "s1", &b);
    assert_string_not_equal(a.lease_id, b.lease_id);
    assert_null(fake_store_lease(&stores[0], a.lease_id));
    assert_int_equal(fake_store_leases(&stores[0]), 1);
    assert_int_equal(count_records(&trail, "\"event\":\"lease_end\",\"reason\":\"replaced\""), 1);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 0);
    assert_all_given_back();
    start_again(NULL);
    buf_free(&trail);
}

/* ---- the store stops answering one gateway ---- */

/* Nothing of its store is committed for so long that each operation ends. */
static void freeze(void)
{
    for (int i = 0; i < 160; i++) {
        world_iterate(&w);
        while (fake_vault_step(&w.vault))
            world_iterate(&w);
        fake_clock_advance(&w.clock, 100);
    }
    world_iterate(&w);
}

/* ... at each moment of a check-out of a new request, of another session's, and of the session's own. */
TEST(a_store_that_stops_answering_ends_the_check_out)
{
    static const char *const names[] = {"new", "another session's", "the session's own"};

    for (int kind = 0; kind < 3; kind++)
        for (int moment = 0; moment < 16; moment++) {
            struct caller a, b;
            struct released r;

            case_label("%s, moment %d", names[kind], moment);
            start_again(NULL);
            if (kind)
                check_out_ok(0, "alice", "s1", &a);
            gateway(1);
            start_checkout(&w, "alice", kind == 1 ? "s2" : "s1", &b);
            for (int i = 0; i < moment; i++) {
                world_iterate(&w);
                if (!fake_store_commit(&stores[1]))
                    (void)fake_vault_step(&w.vault);
            }
            freeze();
            assert_int_equal(b.replies, 1);
            if (b.code != FAULT_NONE) {
                assert_int_equal(b.code, FAULT_STORE_UNAVAILABLE);
                assert_string_equal(b.secret, "");
            }
            advance(MINUTES(15)); /* it answers again */
            bool holds = b.code == FAULT_NONE;

            assert_int_equal(fake_vault_live(&w.vault), kind || holds);
            assert_int_equal(fake_store_leases(&stores[0]), (kind != 0) + (kind != 2 && holds));
            release(2, "alice", "s1", &r);
            release(2, "alice", "s2", &r);
            assert_all_given_back();
        }
}

/* ---- the share of the lists ---- */

static bool is_mine(size_t i, const char *user)
{
    return list_share_is_mine(brokers[i]->leases, "main", user);
}

static struct store_member *member(size_t at, const char *node)
{
    struct fake_node *n = &stores[at].node;

    for (size_t i = 0; i < n->cluster.nmembers; i++)
        if (strcmp(n->members[i].node, node) == 0)
            return &n->members[i];
    return NULL;
}

/* One of those that live has it; when one goes, its share alone moves. */
TEST(each_list_belongs_to_one_gateway)
{
    static const struct {
        const char *name;
        enum store_member_state state;
        const char *digest;
        bool counts;
    } cases[] = {{"silent", MEMBER_SILENT, NULL, true},
                 {"leaving", MEMBER_LEAVING, NULL, false},
                 {"dead", MEMBER_ADOPTED, NULL, false},
                 {"of another configuration", MEMBER_ALIVE, "other", false}};
    size_t before[64], moved = 0;
    char user[16], capitals[16];

    for (size_t u = 0; u < 64; u++) {
        size_t owners = 0;

        (void)snprintf(user, sizeof user, "user%zu", u);
        (void)snprintf(capitals, sizeof capitals, "USER%zu", u);
        for (size_t i = 0; i < GATEWAYS; i++) {
            if (is_mine(i, user))
                before[u] = i;
            owners += is_mine(i, user);
            assert_int_equal(is_mine(i, user), is_mine(i, capitals));
        }
        assert_int_equal(owners, 1);
    }
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        case_label("%s", cases[k].name);
        for (size_t i = 0; i < 2; i++) {
            struct store_member *m = member(i, "g2");

            m->state = cases[k].state;
            if (cases[k].digest)
                (void)snprintf(m->config_digest, sizeof m->config_digest, "%s", cases[k].digest);
        }
        for (size_t u = 0; u < 64; u++) {
            (void)snprintf(user, sizeof user, "user%zu", u);
            if (before[u] < 2 || cases[k].counts)
                assert_true(is_mine(0, user) == (before[u] == 0) && is_mine(1, user) == (before[u] == 1));
            else
                assert_int_equal(is_mine(0, user) + is_mine(1, user), 1);
            moved += before[u] == 2 && !cases[k].counts;
        }
    }
    assert_true(moved > 0);
}

static int ask_nothing(struct store *store, struct store_question *q)
{
    (void)store;
    (void)q;
    return -ENOMEM;
}

/* Else a list would be asked for by none: each gateway asks for those of its own requests. */
TEST(a_gateway_that_cannot_read_the_store_asks_for_all_its_lists)
{
    enum { NO_ANSWER, NO_MEMORY, NCASES };

    for (int how = 0; how < NCASES; how++) {
        int (*ask)(struct store *, struct store_question *) = stores[0].shared_ops.ask;
        char admin[CREDENTIAL_ID_SIZE];
        struct caller c;
        unsigned before;

        case_label("%s", how == NO_ANSWER ? "no answer" : "no memory");
        start_again(NULL);
        world_add_account(&w, admin);
        check_out_ok(0, "alice", "s1", &c);
        gateway(1);
        start_checkout_of(&w, "alice", "s2", admin, &c);
        settle();
        assert_checkout_ok(&c);
        check_out_ok(2, "bob", "s3", &c);
        advance(MINUTES(10));
        before = w.vault.count[FAKE_REQUESTS];
        advance(MINUTES(10));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 2); /* alice's and bob's */
        for (size_t i = 0; i < GATEWAYS; i++) {
            stores[i].broken = how == NO_ANSWER;
            stores[i].shared_ops.ask = how == NO_ANSWER ? ask : ask_nothing;
        }
        before = w.vault.count[FAKE_REQUESTS];
        advance(MINUTES(10));
        assert_int_equal(w.vault.count[FAKE_REQUESTS] - before, 3); /* alice's by two */
        for (size_t i = 0; i < GATEWAYS; i++) {
            stores[i].broken = false;
            stores[i].shared_ops.ask = ask;
        }
        assert_int_equal(fake_store_count(&stores[0]), 3);
    }
}

/* A second round is asked for, or the gateway dies, while the first one's page is on its way. */
TEST(a_round_that_is_under_way_is_not_begun_again)
{
    struct caller a;

    check_out_ok(0, "alice", "s1", &a);
    for (int i = 0; i < 2; i++) {
        (void)broker_reconcile(brokers[0], true);
        fake_clock_run(&w.clock, w.timers, SECONDS(1));
        assert_int_equal(stores[0].node.nquestions, 1);
    }
    kill_gateway(0);
    assert_int_equal(stores[0].node.nquestions, 0);
    fake_store_fence(&stores[0], &stores[1]);
    advance(MINUTES(20));
    assert_int_equal(fake_vault_live(&w.vault), 1);
    assert_int_equal(leases_at(1), 1);
}

/* More requests than one page has, of a gateway that does nothing; the vault has ended all of them. */
TEST(a_round_reads_all_pages)
{
    struct request_row row;
    struct caller a;
    char mark[ID_SIZE], name[24];

    check_out_ok(0, "alice", "s1", &a);
    row = *fake_store_only(&stores[0]);
    row.owner = "g9@9";
    row.name = name;
    row.mark = mark;
    for (int i = 0; i < STORE_LIST_MAX + 20; i++) {
        (void)snprintf(mark, sizeof mark, "%.15s%011d", a.lease_id, i);
        (void)snprintf(name, sizeof name, "%d", 700000 + i);
        fake_store_put_request(&stores[0], &row);
    }
    assert_int_equal(fake_store_count(&stores[0]), STORE_LIST_MAX + 21);
    advance(MINUTES(15)); /* a round, and a second look */
    assert_int_equal(fake_store_count(&stores[0]), 1);
    assert_int_equal(fake_vault_live(&w.vault), 1);
}

/* ---- a page of leases ---- */

struct page {
    int replies;
    enum fault_code code;
    size_t rows;
};

static void on_row(void *arg, const struct lease_view *v)
{
    ((struct page *)arg)->rows += v->id != NULL;
}

static void on_page(void *arg, const struct lease_page_answer *a)
{
    struct page *p = arg;

    p->replies++;
    p->code = a->fault ? a->fault->code : FAULT_NONE;
    if (!a->fault)
        lease_page_rows(a, on_row, p);
}

static struct op *start_page(size_t at, const struct lease_filter *filter, const char *cursor, struct page *p)
{
    *p = (struct page){0};
    gateway(at);
    return broker_lease_page(w.broker, filter, cursor, SECONDS(5), on_page, p);
}

TEST(a_page_of_leases_while_the_store_is_away)
{
    static const struct lease_filter all = {.limit = 100};
    char long_cursor[1024];
    struct caller a;
    struct page p;

    check_out_ok(0, "alice", "s1", &a);
    stores[1].broken = true;
    assert_non_null(start_page(1, &all, "", &p));
    settle();
    assert_int_equal(p.code, FAULT_STORE_UNAVAILABLE);
    stores[1].broken = false;

    assert_non_null(start_page(1, &all, "", &p)); /* no answer in time */
    fake_clock_run(&w.clock, w.timers, SECONDS(6));
    assert_int_equal(p.replies, 1);
    assert_int_equal(p.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(stores[1].node.nquestions, 0);

    broker_leave(start_page(1, &all, "", &p));
    assert_int_equal(stores[1].node.nquestions, 0);
    settle();
    assert_int_equal(p.replies, 0);

    memset(long_cursor, '1', sizeof long_cursor - 1);
    long_cursor[sizeof long_cursor - 1] = '\0';
    assert_non_null(start_page(1, &all, long_cursor, &p)); /* none that a page has named */
    settle();
    assert_int_equal(p.code, FAULT_STORE_UNAVAILABLE);
}

TEST(a_page_of_leases_has_what_the_filter_wants)
{
    static const struct {
        struct lease_filter filter;
        size_t rows;
    } cases[] = {
        {{.limit = 100}, 2},
        {{.limit = 1000}, 2},
        {{.limit = 100, .user = "corp\\ALICE"}, 1},
        {{.limit = 100, .user = "carol"}, 0},
        {{.limit = 100, .state = "open"}, 1},
        {{.limit = 100, .state = "intent"}, 1},
        {{.limit = 100, .node = "g0"}, 1},
        {{.limit = 100, .node = "g"}, 0},
        {{.limit = 100, .session = "s2"}, 1},
        {{.limit = 100, .session = "s3"}, 0},
    };
    struct caller a, b;

    check_out_ok(0, "alice", "s1", &a);
    gateway(1);
    start_checkout(&w, "bob", "s2", &b); /* in flight: it has a row of its own */
    world_run_until(&w, FAKE_REQUEST);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page p;

        case_label("filter %zu", i);
        assert_non_null(start_page(2, &cases[i].filter, "", &p));
        (void)fake_store_commit(&stores[2]);
        assert_int_equal(p.replies, 1);
        assert_int_equal(p.rows, cases[i].rows);
    }
    settle();
    assert_checkout_ok(&b);
}

/* ---- an adopted lease, and a vault whose clock is not known yet ---- */

TEST(an_adopted_lease_ends_by_the_clock_of_its_vault)
{
    struct caller a;

    w.vault.skew_ms = -MINUTES(10);
    check_out_ok(0, "alice", "s1", &a);
    kill_gateway(0);
    w.vault.clock_unknown = true;
    fake_store_fence(&stores[0], &stores[1]);
    w.conf.gateway.reconcile_every_ms = HOURS(24);
    advance(MINUTES(45));
    unsigned lists = w.vault.count[FAKE_REQUESTS];

    advance(MINUTES(10));                              /* over, by this gateway's clock */
    assert_true(w.vault.count[FAKE_REQUESTS] > lists); /* any answer has a date */
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(leases_at(1), 1);
    w.vault.clock_unknown = false;
    advance(MINUTES(4));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    advance(MINUTES(2));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_all_given_back();
}

/* The clock of its new owner is behind the vault's. */
TEST(an_adopted_lease_is_not_late_where_its_vault_is_ahead)
{
    struct caller a;

    w.vault.skew_ms = MINUTES(10);
    check_out_ok(0, "alice", "s1", &a);
    w.vault.requests[0].expires_wall += HOURS(10); /* no list corrects the end */
    kill_gateway(0);
    w.vault.clock_unknown = true;
    w.vault.skew_ms = 0;
    fake_store_fence(&stores[0], &stores[1]);
    advance(SECONDS(10));
    assert_int_equal(leases_at(1), 1);
    w.vault.clock_unknown = false;
    w.vault.skew_ms = MINUTES(10);
    advance(MINUTES(59));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    advance(MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_all_given_back();
}

static enum fake_fault unreachable(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)op;
    (void)nth;
    return FAKE_UNREACHABLE;
}

/* It is due, and the vault is away; the clock of its new owner is before the vault's. */
TEST(an_adopted_check_in_does_not_lapse_before_its_end)
{
    struct caller a;
    struct released r;

    w.vault.skew_ms = -MINUTES(30);
    check_out_ok(0, "alice", "s1", &a);
    w.vault.plan = unreachable;
    release(0, "alice", "s1", &r);
    advance(SECONDS(20));
    kill_gateway(0);
    w.vault.clock_unknown = true;
    w.vault.skew_ms = 0;
    fake_store_fence(&stores[0], &stores[1]);
    advance(MINUTES(40)); /* over, by this gateway's clock */
    w.vault.plan = NULL;
    w.vault.clock_unknown = false;
    w.vault.skew_ms = -MINUTES(30);
    advance(MINUTES(5));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_all_given_back();
}

/* ---- a gateway dies in a release ---- */

TEST(a_release_whose_gateway_dies_is_asked_for_again)
{
    for (int moment = 0; moment < 4; moment++) {
        struct caller a;
        struct released r;

        case_label("moment %d", moment);
        start_again(NULL);
        check_out_ok(0, "alice", "s1", &a);
        gateway(1);
        start_release(&w, "alice", "s1", NULL, &r);
        for (int i = 0; i < moment; i++) {
            world_iterate(&w);
            (void)fake_store_commit(&stores[1]);
        }
        kill_gateway(1);
        assert_int_equal(stores[1].node.nquestions, 0);
        fake_store_fence(&stores[1], &stores[2]);
        advance(SECONDS(5));
        release(2, "alice", "s1", &r);
        assert_int_equal(r.code, FAULT_NONE);
        assert_all_given_back();
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, gateways_start, gateways_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_sessions_at_two_gateways_hold_one_request),
        T(two_names_of_a_user_hold_one_request),
        T(a_request_of_another_user_at_another_gateway_is_not_joined),
        T(a_request_that_another_gateway_is_about_to_open_is_left_to_it),
        T(a_lease_whose_request_is_over_gives_way),
        T(a_lease_that_is_over_in_time_is_not_answered),
        T(a_lease_that_ends_while_its_record_is_written_is_a_conflict),
        T(a_lease_by_direct_access_is_replaced_at_another_gateway),
        T(a_store_that_stops_answering_ends_the_check_out),
        T(each_list_belongs_to_one_gateway),
        T(a_gateway_that_cannot_read_the_store_asks_for_all_its_lists),
        T(a_round_that_is_under_way_is_not_begun_again),
        T(a_round_reads_all_pages),
        T(a_page_of_leases_while_the_store_is_away),
        T(a_page_of_leases_has_what_the_filter_wants),
        T(an_adopted_lease_ends_by_the_clock_of_its_vault),
        T(an_adopted_lease_is_not_late_where_its_vault_is_ahead),
        T(an_adopted_check_in_does_not_lapse_before_its_end),
        T(a_release_whose_gateway_dies_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
