/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gateways_approval.c - requests that wait for their approver, with several gateways: whichever one is
 * asked, there is one request for a person and a credential, and it is found until it is opened or withdrawn.
 */
#include "gateways_rig.h"

#include "broker/leases/leases.h"
#include "stores/store_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t pending_at(size_t i)
{
    struct broker_state state;

    broker_state(brokers[i], &state);
    return state.leases_pending;
}

static void assert_waits(const struct caller *c, int64_t request)
{
    advance(SECONDS(1)); /* the last step is not in a hurry */
    assert_int_equal(c->replies, 1);
    assert_int_equal(c->code, FAULT_APPROVAL_PENDING);
    assert_int_equal(c->kept_id, request);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_store_leases(&stores[0]), 0);
    assert_int_equal(fake_store_count(&stores[0]), 1);
    assert_int_equal(fake_store_only(&stores[0])->state, REQUEST_PENDING);
}

static void ask_approval(void)
{
    w.vault.accounts[0].approval = true;
    w.vault.conf.approval_wait_ms = HOURS(4);
}

/* Of alice's session s1, at the first gateway. */
static void begin_approval(struct caller *c)
{
    ask_approval();
    check_out(0, "alice", "s1", c);
    w.vault.requests[0].expires_wall += HOURS(10);
    assert_waits(c, w.vault.requests[0].id);
    assert_int_equal(pending_at(0), 1);
}

static void approve(void)
{
    w.vault.requests[0].pending = false;
}

static void assert_owner(const char *node)
{
    const char *owner = fake_store_only(&stores[0])->owner;

    assert_int_equal(strncmp(owner, node, strlen(node)), 0);
}

static void assert_nothing_waits(void)
{
    assert_all_given_back();
    for (size_t i = 0; i < GATEWAYS; i++)
        if (brokers[i])
            assert_int_equal(pending_at(i), 0);
}

/* The gateway that has kept the request lives, is dead, or was fenced and has joined again. */
TEST(a_request_that_waits_is_found_at_every_gateway)
{
    enum { ALIVE, DEAD, FENCED, NCASES };

    for (int how = 0; how < NCASES; how++) {
        struct caller a;
        struct released r;

        case_label("%s", (const char *const[]){"alive", "dead", "fenced"}[how]);
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        begin_approval(&a);
        check_out(1, "alice", "s1", &a);
        assert_waits(&a, w.vault.requests[0].id);
        if (how == DEAD)
            kill_gateway(0);
        if (how != ALIVE)
            fake_store_fence(&stores[0], &stores[1]);
        settle();
        if (how == FENCED)
            fake_store_rejoin(&stores[0]);
        check_out(2, "Alice", "s2", &a);
        assert_waits(&a, w.vault.requests[0].id);
        assert_owner(how == ALIVE ? "g0" : "g1");
        advance(MINUTES(30));
        approve();
        check_out_ok(2, "alice", "s2", &a);
        assert_int_equal(a.request_id, w.vault.requests[0].id);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        assert_int_equal(fake_store_only(&stores[0])->state, REQUEST_HELD);
        assert_string_equal(fake_store_only_lease(&stores[0])->id, a.lease_id);
        assert_int_equal(fake_store_only(&stores[0])->expires_wall_ms, a.expires_wall_ms);
        assert_owner("g2");
        advance(SECONDS(5));
        assert_int_equal(leases_at(2), 1);
        for (size_t i = how == DEAD; i < GATEWAYS; i++)
            assert_int_equal(pending_at(i), 0);
        release(1, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_nothing_waits();
    }
}

/* By the session that has asked, by an operator, and when its time is over; at each gateway. */
TEST(a_request_that_is_not_approved_is_withdrawn_at_any_gateway)
{
    enum { SESSION, OPERATOR, TIME, TIME_OF_THE_DEAD, NCASES };

    for (int how = 0; how < NCASES; how++)
        for (size_t i = 0; i < (how < TIME ? GATEWAYS : 1); i++) {
            struct caller a;
            struct released r;

            case_label("%s at gateway %zu",
                       (const char *const[]){"session", "operator", "time", "time of the dead"}[how], i);
            assert_int_equal(gateways_end(NULL), 0);
            assert_int_equal(gateways_start(NULL), 0);
            begin_approval(&a);
            gateway(i);
            finish_release(&w, "alice", "s1", NULL, &r); /* its completion leaves it */
            finish_release(&w, "alice", "s2", w.credential, &r);
            finish_release(&w, "bob", "s1", w.credential, &r);
            advance(SECONDS(1));
            assert_int_equal(world_checkins(&w), 0);
            if (how == SESSION) {
                start_release(&w, "alice", "s1", w.credential, &r);
                settle();
                assert_released(&r, 0, 0);
            } else if (how == OPERATOR) {
                assert_int_equal(operator_release(i, fake_store_only(&stores[0])->mark), 0);
            } else {
                if (how == TIME_OF_THE_DEAD) {
                    kill_gateway(0);
                    fake_store_fence(&stores[0], &stores[1]);
                }
                advance(HOURS(4) - SECONDS(5));
                assert_int_equal(world_checkins(&w), 0);
            }
            advance(SECONDS(10));
            assert_int_equal(w.vault.requests[0].checkins, 1);
            assert_nothing_waits();
        }
}

/* Its new owner does not know the clock of the vault when it adopts it, and has one that is before or behind.
 */
TEST(a_wait_that_was_adopted_ends_by_the_clock_of_the_vault)
{
    static const int64_t skews[] = {MINUTES(10), -MINUTES(10)};

    for (size_t i = 0; i < sizeof skews / sizeof *skews; i++) {
        struct caller a;

        case_label("the vault is %s", i ? "behind" : "ahead");
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        w.vault.skew_ms = skews[i];
        begin_approval(&a);
        kill_gateway(0);
        w.vault.clock_unknown = true;
        w.vault.skew_ms = 0;
        fake_store_fence(&stores[0], &stores[1]);
        advance(SECONDS(10));
        w.vault.clock_unknown = false;
        w.vault.skew_ms = skews[i];
        advance(HOURS(4) - SECONDS(20));
        assert_int_equal(world_checkins(&w), 0);
        advance(SECONDS(20));
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_nothing_waits();
    }
}

static enum fake_fault denied(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)nth;
    return op == FAKE_CREDENTIAL ? FAKE_DENIED : FAKE_FINE;
}

TEST(a_request_that_is_denied_ends_at_every_gateway)
{
    for (size_t i = 0; i < GATEWAYS; i++) {
        struct caller a;

        case_label("gateway %zu", i);
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        begin_approval(&a);
        w.vault.plan = denied;
        check_out(i, "alice", "s1", &a);
        assert_int_equal(a.code, FAULT_NOT_ENTITLED);
        assert_non_null(strstr(a.detail, "the approver has denied"));
        advance(SECONDS(5));
        assert_nothing_waits();
    }
}

/* Ended at the vault's own screen: the check-out asks for a new one. */
TEST(a_request_that_is_gone_is_asked_for_again_at_every_gateway)
{
    for (size_t i = 0; i < GATEWAYS; i++) {
        struct caller a;
        struct released r;

        case_label("gateway %zu", i);
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        begin_approval(&a);
        w.vault.requests[0].live = false;
        w.vault.accounts[0].approval = false;
        check_out_ok(i, "alice", "s1", &a);
        assert_int_equal(a.request_id, w.vault.requests[1].id);
        advance(SECONDS(5));
        assert_int_equal(fake_store_count(&stores[0]), 1);
        release(2, "alice", "s1", &r);
        assert_released(&r, 1, 0);
        assert_nothing_waits();
    }
}

/* Two gateways read the secret at once: both sessions hold the one request. */
TEST(an_approved_request_is_opened_once)
{
    struct caller a, b;
    struct released r;

    begin_approval(&a);
    approve();
    for (size_t i = 1; i < GATEWAYS; i++) {
        gateway(i);
        start_checkout(&w, "alice", i == 1 ? "s1" : "s2", i == 1 ? &a : &b);
        world_run_until(&w, FAKE_CREDENTIAL);
    }
    advance(SECONDS(3));
    assert_checkout_ok(&a);
    assert_checkout_ok(&b);
    assert_int_equal(a.request_id, b.request_id);
    assert_int_equal(a.expires_wall_ms, b.expires_wall_ms);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    assert_int_equal(fake_store_leases(&stores[0]), 2);
    release(0, "alice", "s1", &r);
    assert_released(&r, 1, 1);
    assert_int_equal(world_checkins(&w), 0);
    release(0, "alice", "s2", &r);
    assert_released(&r, 1, 0);
    assert_nothing_waits();
}

/* As any check-out in flight (docs/cluster.md): and the request waits on. */
TEST(a_session_that_ends_elsewhere_takes_its_claim_along)
{
    for (size_t i = 0; i < 2; i++) {
        struct caller a, b;
        struct released r;

        case_label("gateway %zu", i);
        assert_int_equal(gateways_end(NULL), 0);
        assert_int_equal(gateways_start(NULL), 0);
        begin_approval(&b);
        approve();
        gateway(i);
        start_checkout(&w, "alice", "s2", &a);
        world_run_until(&w, FAKE_CREDENTIAL);
        gateway(2);
        start_release(&w, "alice", "s2", NULL, &r);
        for (int k = 0; k < 5; k++) {
            world_iterate(&w);
            (void)fake_store_commit(&stores[2]);
        }
        advance(SECONDS(5));
        assert_int_equal(a.replies, 1);
        assert_int_equal(a.code, FAULT_CREDENTIAL_NOT_FOUND);
        assert_string_equal(a.secret, "");
        assert_waits(&b, w.vault.requests[0].id);
        check_out_ok(1, "alice", "s3", &a);
        release(0, "alice", "s3", &r);
        assert_released(&r, 1, 0);
        assert_nothing_waits();
    }
}

static void run_to(size_t i, int moment)
{
    for (int k = 0; k < moment; k++) {
        world_iterate(&w);
        if (!fake_store_commit(&stores[i]) && !fake_vault_step(&w.vault))
            fake_clock_advance(&w.clock, 1);
    }
}

/* At each moment its client leaves, its gateway dies, or is fenced: first of the check-out that asks, then of
 * one that would get the secret. */
TEST(a_check_out_that_ends_at_any_moment_loses_no_request)
{
    enum { LEAVES, DIES, FENCED, NCASES };

    for (int how = 0; how < NCASES; how++)
        for (int approved = 0; approved < 2; approved++)
            for (int moment = 0; moment < 24; moment++) {
                struct caller a, b;
                struct released r;
                size_t i = approved ? 1 : 0;

                case_label("%s%s, moment %d", (const char *const[]){"leaves", "dies", "fenced"}[how],
                           approved ? ", approved" : "", moment);
                assert_int_equal(gateways_end(NULL), 0);
                assert_int_equal(gateways_start(NULL), 0);
                ask_approval();
                if (approved) {
                    begin_approval(&a);
                    approve();
                }
                gateway(i);
                start_checkout(&w, "alice", "s1", &a);
                run_to(i, moment);
                if (how == LEAVES && a.op)
                    cancel_checkout(&a);
                if (how == DIES)
                    kill_gateway(i);
                if (how >= DIES)
                    fake_store_fence(&stores[i], &stores[2]);
                advance(SECONDS(1));
                if (how == FENCED)
                    fake_store_rejoin(&stores[i]);
                advance(SECONDS(30));
                assert_in_range(fake_vault_live(&w.vault), 0, 1);
                check_out(2, "alice", "s1", &b);
                if (b.code == FAULT_APPROVAL_PENDING) {
                    assert_int_equal(fake_vault_live(&w.vault), 1);
                    w.vault.requests[w.vault.nrequests - 1].pending = false;
                    check_out(2, "alice", "s1", &b);
                }
                assert_checkout_ok(&b);
                assert_int_equal(fake_vault_live(&w.vault), 1);
                if (approved)
                    assert_int_equal(b.request_id, w.vault.requests[0].id);
                advance(MINUTES(15));
                assert_int_equal(fake_vault_live(&w.vault), 1);
                release(2, "alice", "s1", &r);
                assert_released(&r, 1, 0);
                advance(SECONDS(20));
                assert_nothing_waits();
            }
}

/* The lists of its user are read at all gateways, and it is in none of the others' tables. */
TEST(a_request_that_waits_is_no_stray)
{
    struct caller a, b;

    begin_approval(&a);
    check_out(1, "alice", "s2", &b); /* whose user this gateway knows from now on */
    for (size_t i = 0; i < GATEWAYS; i++)
        (void)broker_reconcile(brokers[i], true);
    advance(MINUTES(45));
    assert_true(w.vault.count[FAKE_REQUESTS] > 0);
    assert_waits(&a, w.vault.requests[0].id);
}

TEST(a_request_that_waits_is_named_in_the_record_of_each_check_out)
{
    struct buf trail = BUF_INIT(1 << 20);
    struct caller a;
    char named[64];

    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = &trail;
    assert_int_equal(gateways_start(NULL), 0);
    begin_approval(&a);
    (void)snprintf(named, sizeof named, "\"lease_id\":\"%s\"", fake_store_only(&stores[0])->mark);
    for (size_t i = 0; i < GATEWAYS; i++) {
        unsigned before = count_records(&trail, named);

        case_label("at gateway %zu", i);
        check_out(i, "alice", "s2", &a);
        assert_waits(&a, w.vault.requests[0].id);
        assert_int_equal(count_records(&trail, named), before + 1);
    }
    assert_int_equal(gateways_end(NULL), 0);
    gateways_trail = NULL;
    assert_int_equal(gateways_start(NULL), 0);
    buf_free(&trail);
}

static void check_out_of(size_t i, const char *session, const char *credential, struct caller *c)
{
    gateway(i);
    start_checkout_of(&w, "alice", session, credential, c);
    advance(SECONDS(3));
    assert_int_equal(c->replies, 1);
}

/* The vault lists the account a second time, in another way. */
static void begin_other_name(char other[CREDENTIAL_ID_SIZE])
{
    struct fake_account *account;
    struct caller a;

    assert_int_equal(gateways_end(NULL), 0);
    assert_int_equal(gateways_start(NULL), 0);
    account = fake_vault_add(&w.vault, 1, 11, "srv01", "root", "s3\"cret");
    account->row.kind = KIND_DATABASE;
    fake_account_set_key(account);
    assert_true(credential_id_write(other, "main", &account->row));
    begin_approval(&a);
}

/* It is handed over when it is approved. */
TEST(a_request_that_waits_is_found_by_another_name_of_its_account)
{
    for (size_t i = 0; i < GATEWAYS; i++) {
        char other[CREDENTIAL_ID_SIZE];
        struct caller a;
        struct released r;

        case_label("gateway %zu", i);
        begin_other_name(other);
        check_out_of(i, "s2", other, &a);
        assert_int_equal(a.code, FAULT_VAULT_CONFLICT);
        advance(SECONDS(5));
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_count(&stores[0]), 1);
        assert_int_equal(fake_store_only(&stores[0])->state, REQUEST_PENDING);
        approve();
        check_out_of(i, "s2", other, &a);
        assert_checkout_ok(&a);
        assert_int_equal(a.request_id, w.vault.requests[0].id);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        release(2, "alice", "s2", &r);
        assert_released(&r, 1, 0);
        assert_nothing_waits();
    }
}

/* The step of its release may wait for others. */
static void end_session(size_t at, const char *session, int64_t remaining)
{
    struct released r;

    gateway(at);
    start_release(&w, "alice", session, NULL, &r);
    advance(SECONDS(1));
    assert_int_equal(r.replies, 1);
    assert_released(&r, 1, remaining);
}

/* Two sessions at once, at one gateway or at two, by both names. */
TEST(a_request_that_waits_is_claimed_by_two_sessions_at_once)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        char other[CREDENTIAL_ID_SIZE];
        size_t at[2] = {seed % 3, seed / 3 % 3};
        unsigned bits = seed * 2654435761U;
        struct caller c[2];

        case_label("seed %u", seed);
        begin_other_name(other);
        approve();
        for (size_t i = 0; i < 2; i++) {
            gateway(at[i]);
            start_checkout_of(&w, "alice", i ? "s3" : "s2", i && seed % 2 ? w.credential : other, &c[i]);
        }
        for (int i = 0; i < 80; i++, bits = bits * 1664525U + 1013904223U) {
            world_iterate(&w);
            if (bits >> 30 < 2)
                (void)fake_store_commit(&stores[at[bits >> 30]]);
            else if (bits >> 30 == 3 && fake_vault_pending(&w.vault) > 1)
                fake_vault_deliver(&w.vault, 1);
            else
                (void)fake_vault_step(&w.vault);
        }
        advance(SECONDS(5));
        for (size_t i = 0; i < 2; i++) {
            assert_checkout_ok(&c[i]);
            assert_int_equal(c[i].request_id, w.vault.requests[0].id);
        }
        assert_int_equal(fake_vault_live(&w.vault), 1);
        assert_int_equal(fake_store_leases(&stores[0]), 2);
        end_session(0, "s2", 1);
        assert_int_equal(world_checkins(&w), 0);
        end_session(1, "s3", 0);
        assert_nothing_waits();
    }
}

static void on_pending(void *arg, const struct lease_view *v)
{
    struct buf *text = arg;

    assert_int_equal(buf_printf(text, "%s %s %s\n", v->state, v->sessions[0], v->user), 0);
}

TEST(the_requests_of_a_person_that_wait_are_shown_where_they_are_kept)
{
    static const struct {
        size_t at;
        const char *user, *session, *rows;
    } cases[] = {{0, "alice", "s1", "pending s1 CORP\\alice\n"},
                 {0, "Alice", "s2", "pending s1 CORP\\alice\n"},
                 {0, "bob", "s1", ""},
                 {1, "alice", "s1", ""}};
    struct caller a;

    begin_approval(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session session = person_session(cases[i].user, cases[i].session);
        struct buf text = BUF_INIT(4096);

        case_label("case %zu", i);
        broker_pending(brokers[cases[i].at], &session, on_pending, &text);
        assert_string_equal(text.len ? buf_cstr(&text) : "", cases[i].rows);
        buf_free(&text);
    }
}

static struct store_question *asked;

static int keep_question(struct store *store, struct store_question *q)
{
    (void)store;
    asked = q;
    return 0;
}

/* Each gateway alone: what the other one's store was given stays on its way. */
static void go_on_at(size_t i, const struct caller *until)
{
    for (int n = 0; n < 100 && (until ? !until->replies : !stores[i].npending); n++) {
        world_iterate(&w);
        if ((until || !stores[i].npending) && !fake_store_commit(&stores[i]))
            (void)fake_vault_step(&w.vault);
    }
}

/* The page was read while the request was held, and comes while the step that gives it back is on its way. */
TEST(a_late_page_ends_no_request_that_another_gateway_has_opened)
{
    struct store_found found = {0};
    struct caller a, b;
    struct released r;

    begin_approval(&a);
    struct request_row *row = request_row_copy(fake_store_only(&stores[0]));

    int (*ask)(struct store *, struct store_question *) = stores[0].shared_ops.ask;

    stores[0].shared_ops.ask = keep_question;
    stores[0].node.news->missed(stores[0].node.news_arg);
    advance(SECONDS(2));
    assert_non_null(asked);
    stores[0].shared_ops.ask = ask;
    gateway(0);
    start_release(&w, "alice", "s1", w.credential, &r);
    go_on_at(0, NULL);
    assert_int_equal(STAILQ_FIRST(&stores[0].queue)->kind, STEP_RETURN);
    approve();
    gateway(1);
    start_checkout(&w, "alice", "s1", &b);
    go_on_at(1, &b);
    assert_checkout_ok(&b);
    row->state = REQUEST_HELD;
    row->mine = true;
    found.request = row;
    STAILQ_INIT(&asked->found);
    STAILQ_INSERT_TAIL(&asked->found, &found, link);
    asked->cursor[0] = '\0';
    asked->done(asked, STORE_OPEN);
    STAILQ_INIT(&asked->found);
    advance(SECONDS(5));
    assert_int_equal(fake_store_only(&stores[0])->state, REQUEST_HELD);
    assert_owner("g1");
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    check_out_ok(2, "alice", "s1", &a);
    assert_same_lease(&a, &b);
    free(row);
}

#define T(name) cmocka_unit_test_setup_teardown(name, gateways_start, gateways_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_that_waits_is_found_at_every_gateway),
        T(a_request_that_is_not_approved_is_withdrawn_at_any_gateway),
        T(a_wait_that_was_adopted_ends_by_the_clock_of_the_vault),
        T(a_request_that_is_denied_ends_at_every_gateway),
        T(a_request_that_is_gone_is_asked_for_again_at_every_gateway),
        T(an_approved_request_is_opened_once),
        T(a_session_that_ends_elsewhere_takes_its_claim_along),
        T(a_check_out_that_ends_at_any_moment_loses_no_request),
        T(a_request_that_waits_is_no_stray),
        T(a_request_that_waits_is_named_in_the_record_of_each_check_out),
        T(a_request_that_waits_is_found_by_another_name_of_its_account),
        T(a_request_that_waits_is_claimed_by_two_sessions_at_once),
        T(the_requests_of_a_person_that_wait_are_shown_where_they_are_kept),
        T(a_late_page_ends_no_request_that_another_gateway_has_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
