/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkout.c - the check-out machine: what it answers, and the words it sends and types.
 *
 * What it leaves behind when calls fail: test_checkout_torture.c.
 */
#include "broker_rig.h"

#include "broker/identity/login_name.h"
#include "broker/identity/request_reason.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

/* ---- what it answers ---- */

TEST(a_password_is_read_and_its_request_is_marked)
{
    struct world w;
    struct caller c;
    char id[ID_SIZE];

    world_start_leased(&w, &c);
    assert_string_equal(c.secret, "s3\"cret");
    assert_string_equal(c.username, "root");
    assert_false(c.ssh_key);
    assert_false(c.adopted);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + MINUTES(60));
    assert_string_equal(w.vault.requests[0].user, "CORP\\alice");
    assert_int_equal(w.vault.requests[0].minutes, 60);
    assert_true(reason_lease_id(w.vault.requests[0].reason, id));
    assert_string_equal(id, c.lease_id);
    assert_int_equal(strncmp(w.vault.requests[0].reason, "asked by alice [jumpgate ", 25), 0);
    assert_int_equal(w.vault.count[FAKE_POLICY], 0);
    world_end(&w);
}

TEST(an_account_without_password_gives_key_and_passphrase)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_set_key_account(&w);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_true(c.ssh_key);
    assert_string_equal(c.secret, "-----BEGIN KEY-----\r\nabc");
    assert_string_equal(c.passphrase, "pp");
    world_end(&w);
}

TEST(a_preferred_key_is_given)
{
    struct world w;
    struct caller c;
    struct checkout_args args;

    world_init(&w);
    w.vault.accounts[0].key = "KEY";
    world_start(&w);
    args = checkout_args_for(&w, "alice", "s1");
    args.prefer_ssh_key = true;
    (void)finish_checkout_with(&w, &args, &c);
    assert_true(c.ssh_key);
    assert_string_equal(c.passphrase, "");
    args.prefer_ssh_key = false;
    (void)finish_checkout_with(&w, &args, &c);
    assert_false(c.ssh_key);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

TEST(an_account_without_secret_is_not_found)
{
    struct world w;
    struct caller c;

    world_init(&w);
    w.vault.accounts[0].password = "";
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

/* An alias is named to the vault in every call of its check-out, any other account in none. */
TEST(an_alias_is_named_in_every_call)
{
    struct world w;
    struct caller c;

    for (int alias = 0; alias < 2; alias++) {
        world_init(&w);
        w.vault.accounts[0].row.kind = alias ? KIND_ALIAS : KIND_LOCAL;
        fake_account_set_key(&w.vault.accounts[0]);
        credential_id_write(w.credential, "main", &w.vault.accounts[0].row);
        world_start(&w);
        checkout_ok(&w, "alice", "s1", &c);
        assert_int_equal(w.vault.alias[FAKE_REQUEST], alias ? 11 : 0);
        assert_int_equal(w.vault.alias[FAKE_CREDENTIAL], alias ? 11 : 0);
        world_end(&w);
    }
}

TEST(an_unknown_credential_is_not_found)
{
    static const char *const ids[] = {
        "", "nonsense", "x.y.z", "j1.main.nonsense", "j1.main.r.1.11.0", "j1.main.l.1.011.0"};
    struct world w;
    struct caller c;
    struct checkout_args args;

    world_start_plain(&w);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        args = checkout_args_for(&w, "alice", "s1");
        args.credential_id = ids[i];
        assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_CREDENTIAL_NOT_FOUND);
    }
    assert_int_equal(w.vault.ncalls, 0);
    credential_id_write(w.credential, "main", &(struct account){.key = "l.1.99.0"});
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 0);
    world_end(&w);
}

TEST(durations_are_bounded_by_the_account)
{
    struct world w;
    struct caller c;
    struct checkout_args args;

    world_init(&w);
    w.vault.accounts[0].row.max_minutes = 30;
    w.vault.conf.minute_ms = SECONDS(1);
    world_start(&w);
    args = checkout_args_for(&w, "alice", "s1");
    args.duration_minutes = 31;
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_DURATION_TOO_LONG);
    args.duration_minutes = 0;
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_NONE);
    assert_int_equal(w.vault.requests[0].minutes, 30);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + SECONDS(30));
    args = checkout_args_for(&w, "alice", "s2"); /* a later holder keeps the end of the vault's request */
    fake_clock_advance(&w.clock, SECONDS(5));
    (void)finish_checkout_with(&w, &args, &c);
    assert_int_equal(c.expires_wall_ms, w.clock.wall + SECONDS(25));
    world_end(&w);
}

TEST(reason_and_ticket_are_required_by_policy)
{
    struct world w;
    struct caller c;
    struct checkout_args args;

    world_init(&w);
    w.vault.conf.reason = (char *)(uintptr_t) "";
    w.vault.accounts[0].policy = (struct vault_policy){.available = true, .reason = true, .ticket = true};
    world_start(&w);
    args = checkout_args_for(&w, "alice", "s1");
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_REASON_REQUIRED);
    assert_int_equal(w.vault.nrequests, 0);
    args.reason = "fix it";
    start_checkout_with(&w, &args,
                        &c); /* a reason given: the policy is not asked, the vault may want a ticket */
    world_settle(&w);
    assert_int_equal(c.code, FAULT_NONE);
    assert_int_equal(strncmp(w.vault.requests[0].reason, "fix it [jumpgate ", 17), 0);
    w.vault.conf.ask_policy = true;
    args = checkout_args_for(&w, "bob", "s2");
    args.reason = "fix it";
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_TICKET_REQUIRED);
    args.ticket_number = "CHG1";
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_NONE);
    assert_string_equal(w.vault.requests[1].ticket, "CHG1");
    world_end(&w);
}

TEST(a_refused_user_gives_way_to_the_next_candidate)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_set_two_candidates(&w);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    assert_string_equal(w.vault.requests[0].user, "alice");
    world_end(&w);

    world_init(&w);
    w.vault.refuse_user = "CORP\\alice";
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_VAULT_REFUSED_USER);
    assert_non_null(strstr(c.detail, "CORP\\alice"));
    world_end(&w);

    world_init(&w);
    w.vault.conf.default_domain = NULL;
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_VAULT_REFUSED_USER);
    assert_int_equal(w.vault.ncalls, 0);
    world_end(&w);
}

/* The vault accepts CORP\alice, who has nothing: what the local alice was shown is no answer to him. */
TEST(a_candidate_has_its_own_lists_alone)
{
    struct checkout_args args;
    struct caller c;
    struct world w;

    world_init(&w);
    world_set_two_candidates(&w);
    w.vault.refuse_user = NULL;
    w.vault.conf.default_domain = NULL;
    w.vault.accounts[0].user = "alice";
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c); /* the local one */
    assert_string_equal(w.vault.requests[0].user, "alice");
    args = checkout_args_for(&w, "alice", "s2");
    args.by.session.domain = "CORP";
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_CREDENTIAL_NOT_FOUND);
    assert_string_equal(c.secret, "");
    assert_non_null(strstr(c.detail, "CORP\\alice"));

    w.vault.refuse_user = "CORP\\alice"; /* the vault's own word: now the rule behind it counts */
    start_checkout_with(&w, &args, &c);
    world_advance(&w, MINUTES(2));
    (void)finish_checkout_with(&w, &args, &c);
    assert_checkout_ok(&c);
    world_end(&w);
}

TEST(a_name_that_cannot_be_sent_ends_the_candidates)
{
    struct checkout_args args;
    struct caller c;
    struct world w;

    world_init(&w);
    world_set_two_candidates(&w);
    world_start(&w);
    args = checkout_args_for(&w, "alice", "s1");
    args.by.session.domain = "CORP;";
    assert_int_equal(finish_checkout_with(&w, &args, &c), FAULT_VAULT_REFUSED_USER);
    assert_non_null(strstr(c.detail, "the domain must not contain a semicolon"));
    assert_int_equal(w.vault.ncalls, 0);
    world_end(&w);
}

/* A vault that would answer too late is not asked, and nothing is written for it. */
TEST(an_overloaded_vault_is_not_asked)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_store(&w);
    w.vault.full_for_s = 3;
    world_start(&w);
    w.store->steps = 0;
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_OVERLOADED);
    assert_string_equal(c.detail, "the fake vault is full");
    assert_int_equal(w.vault.ncalls, 0);
    assert_int_equal(w.store->steps, 0);
    assert_int_equal(w.vault.admitted, 1);

    w.vault.full_for_s = 0; /* the account is known now; the check-out is asked about all the same */
    checkout_ok(&w, "alice", "s1", &c);
    w.vault.full_for_s = 3;
    w.store->steps = w.vault.ncalls = 0;
    assert_int_equal(finish_checkout(&w, "alice", "s2", &c), FAULT_OVERLOADED);
    assert_int_equal(w.vault.ncalls, 0);
    assert_int_equal(w.store->steps, 0);
    world_end(&w);
}

/* It is the backend that begins no further call, and names no reason. */
TEST(a_call_that_cannot_begin_is_overload)
{
    static const enum fake_op ops[] = {FAKE_LIST, FAKE_REQUEST, FAKE_CREDENTIAL};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        case_label("call %d", (int)ops[i]);
        world_start_plain(&w);
        world_set_fault(&w, ops[i], FAKE_CANNOT_START);
        assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_OVERLOADED);
        w.vault.plan = NULL;
        world_advance(&w, MINUTES(2));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
}

/* The request must begin while there is time for its answer; what follows goes on with it. */
TEST(the_request_begins_while_time_is_left_for_its_answer)
{
    struct world w;
    struct caller c;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s0", &c); /* so that the account is known */
    world_settle(&w);
    start_checkout(&w, "bob", "s1", &c);
    world_run_until(&w, FAKE_REQUEST);
    assert_true(w.vault.last_begun); /* bob's accounts were listed for this check-out */
    world_settle(&w);
    start_checkout(&w, "bob", "s2", &c);
    world_run_until(&w, FAKE_REQUEST);
    assert_false(w.vault.last_begun);
    assert_int_equal(w.vault.last_wait_ms, 11250); /* three quarters of 15 s */
    world_run_until(&w, FAKE_CREDENTIAL);
    assert_true(w.vault.last_begun);
    assert_int_equal(w.vault.last_wait_ms, 0);
    world_settle(&w);
    assert_int_equal(c.code, FAULT_NONE);
    world_end(&w);
}

TEST(a_request_that_waits_for_approval_is_withdrawn)
{
    struct world w;
    struct caller c;

    world_init(&w);
    w.vault.accounts[0].approval = true;
    world_start(&w);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_APPROVAL_PENDING);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* ---- with approval_wait the request is kept ---- */

static void on_released(void *arg, const struct release_answer *a)
{
    struct released *r = arg;

    r->op = NULL;
    r->pending = a->pending;
}

static void begin_approval(struct world *w, struct caller *c)
{
    world_init(w);
    world_add_store(w);
    w->vault.accounts[0].approval = true;
    w->vault.conf.approval_wait_ms = HOURS(4);
    world_start(w);
    assert_int_equal(finish_checkout(w, "alice", "s1", c), FAULT_APPROVAL_PENDING);
    world_advance(w, SECONDS(1));
    assert_int_equal(world_state(w).leases_pending, 1);
    assert_int_equal(world_state(w).leases_active, 0);
    assert_int_equal(fake_store_only(w->store)->state, REQUEST_PENDING);
    assert_int_equal(fake_store_leases(w->store), 0);
    assert_int_equal(world_checkins(w), 0);
}

/* Nothing is at the vault, and nothing in the store. */
static void end_approval(struct world *w)
{
    assert_int_equal(fake_vault_live(&w->vault), 0);
    assert_int_equal(fake_store_count(w->store), 0);
    assert_int_equal(world_state(w).leases_pending, 0);
    world_end(w);
}

/* As any answer that a restart must know. */
TEST(it_is_answered_when_it_is_durable)
{
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_store(&w);
    w.vault.accounts[0].approval = true;
    w.vault.conf.approval_wait_ms = HOURS(4);
    world_start(&w);
    start_checkout(&w, "alice", "s1", &c);
    for (int i = 0; i < 20 && !c.replies; i++) {
        fake_clock_run(&w.clock, w.timers, 1);
        if (!fake_vault_step(&w.vault))
            (void)fake_store_commit(w.store);
        assert_true(!c.replies || fake_store_only(w.store)->state == REQUEST_PENDING);
    }
    assert_int_equal(c.replies, 1);
    world_crash(&w, 0, 0);
    assert_int_equal(world_state(&w).leases_pending, 1);
    world_end(&w);
}

TEST(a_request_is_kept_for_its_approver)
{
    struct world w;
    struct caller c;
    struct released r;

    for (int restarted = 0; restarted < 2; restarted++) {
        case_label("%s", restarted ? "over a restart" : "in one life");
        begin_approval(&w, &c);
        assert_int_equal(finish_checkout(&w, "Alice", "s2", &c), FAULT_APPROVAL_PENDING); /* still waits */
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        finish_release(&w, "alice", "s1", NULL, &r); /* the session has ended: an approver acts later */
        assert_int_equal(r.released, 0);
        assert_int_equal(world_state(&w).leases_pending, 1);
        if (restarted)
            world_crash(&w, 0, 0);
        world_advance(&w, MINUTES(30));
        w.vault.requests[0].pending = false; /* approved */
        checkout_ok(&w, "alice", "s2", &c);
        assert_int_equal(c.request_id, w.vault.requests[0].id);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        assert_int_equal(world_state(&w).leases_active, 1);
        assert_int_equal(fake_store_only(w.store)->state, REQUEST_HELD);
        assert_string_equal(fake_store_only_lease(w.store)->id, c.lease_id);
        finish_release(&w, "alice", "s2", NULL, &r);
        assert_int_equal(r.released, 1);
        world_advance(&w, SECONDS(1));
        assert_int_equal(w.vault.requests[0].checkins, 1);
        end_approval(&w);
    }
}

/* Its time, its session's release, an operator. */
TEST(a_request_that_is_not_approved_is_withdrawn)
{
    struct world w;
    struct caller c;
    struct released r;

    for (int how = 0; how < 4; how++) {
        case_label("%s", (const char *const[]){"its time", "its time, over a restart",
                                               "its session's release", "an operator"}[how]);
        begin_approval(&w, &c);
        w.vault.requests[0].expires_wall += HOURS(10);
        if (how == 1)
            world_crash(&w, 0, 0);
        if (how == 2)
            finish_release(&w, "alice", "s1", w.credential, &r);
        if (how == 3) {
            memset(&r, 0, sizeof r);
            r.op =
                broker_release_lease(w.broker, fake_store_only(w.store)->mark, SECONDS(15), on_released, &r);
            world_settle(&w);
            assert_true(r.pending);
        }
        world_advance(&w, how < 2 ? HOURS(4) - SECONDS(2) : SECONDS(1));
        assert_int_equal(w.vault.requests[0].checkins, how >= 2);
        world_advance(&w, SECONDS(2));
        assert_int_equal(w.vault.requests[0].checkins, 1);
        end_approval(&w);
    }
}

/* As that of a lease: a clock that was set back makes it no longer. */
TEST(the_wait_for_an_approver_is_bounded_when_the_clock_goes_back)
{
    struct world w;
    struct caller c;

    begin_approval(&w, &c);
    w.clock.wall -= HOURS(100);
    world_crash(&w, 0, 0);
    world_advance(&w, HOURS(4) - SECONDS(2));
    assert_int_equal(world_state(&w).leases_pending, 1);
    world_advance(&w, SECONDS(5));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    end_approval(&w);
}

/* The withdrawal takes effect when the check-out has ended, also after a restart; unless it gets the secret.
 */
TEST(a_request_is_withdrawn_while_a_checkout_asks_for_its_secret)
{
    enum { SESSION, OPERATOR, RESTARTED, APPROVED, NCASES };
    static const char *const words[NCASES] = {"by its session", "by an operator", "and the process ends",
                                              "and it is approved"};

    for (int how = 0; how < NCASES; how++) {
        struct world w;
        struct caller c, other;
        struct released r = {.replies = 0};

        case_label("%s", words[how]);
        begin_approval(&w, &c);
        start_checkout(&w, "alice", "s2", &other);
        world_run_until(&w, FAKE_CREDENTIAL);
        if (how == OPERATOR)
            r.op =
                broker_release_lease(w.broker, fake_store_only(w.store)->mark, SECONDS(15), on_released, &r);
        else
            start_release(&w, "alice", "s1", w.credential, &r);
        world_iterate(&w);
        assert_int_equal(r.pending, how == OPERATOR);
        fake_clock_run(&w.clock, w.timers, 50);
        assert_true(fake_store_commit(w.store));
        assert_int_equal(world_checkins(&w), 0);
        w.vault.requests[0].pending = how != APPROVED;
        if (how == RESTARTED)
            world_crash(&w, 0, 0);
        world_advance(&w, SECONDS(3));
        assert_int_equal(other.code,
                         how == APPROVED || how == RESTARTED ? FAULT_NONE : FAULT_APPROVAL_PENDING);
        assert_int_equal(world_state(&w).leases_active, how == APPROVED);
        assert_int_equal(world_checkins(&w), how != APPROVED);
        if (how == APPROVED)
            finish_release(&w, "alice", "s2", NULL, &r);
        world_advance(&w, SECONDS(3));
        assert_int_equal(world_checkins(&w), 1);
        end_approval(&w);
    }
}

/* Once a session has had its secret it is checked in with its last holder, like any other. */
TEST(an_approved_request_does_not_wait_again)
{
    struct world w;
    struct caller c, other;
    struct released r;

    begin_approval(&w, &c);
    w.vault.requests[0].pending = false;
    checkout_ok(&w, "alice", "s2", &c);
    start_checkout(&w, "alice", "s3", &other);
    world_run_until(&w, FAKE_CREDENTIAL);
    start_release(&w, "alice", "s2", NULL, &r);
    world_iterate(&w);
    assert_int_equal(world_state(&w).leases_active, 0);
    cancel_checkout(&other);
    world_advance(&w, SECONDS(1));
    assert_int_equal(world_checkins(&w), 1);
    end_approval(&w);
}

static enum fake_fault denied(void *arg, enum fake_op op, unsigned nth)
{
    (void)arg;
    (void)nth;
    return op == FAKE_CREDENTIAL ? FAKE_DENIED : FAKE_FINE;
}

TEST(a_request_that_is_denied_ends)
{
    struct world w;
    struct caller c;

    begin_approval(&w, &c);
    w.vault.plan = denied;
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_NOT_ENTITLED);
    assert_non_null(strstr(c.detail, "the approver has denied"));
    world_advance(&w, SECONDS(1));
    end_approval(&w);
}

/* Ended by the person at the vault's own screen: the check-out asks for a new one. */
TEST(a_request_that_is_gone_is_asked_for_again)
{
    struct world w;
    struct caller c;

    begin_approval(&w, &c);
    w.vault.requests[0].live = false;
    w.vault.accounts[0].approval = false;
    checkout_ok(&w, "alice", "s1", &c);
    assert_int_equal(c.request_id, w.vault.requests[1].id);
    assert_int_equal(world_state(&w).leases_pending, 0);
    assert_int_equal(fake_store_count(w.store), 1);
    world_end(&w);
}

/* Two sessions ask for the secret of an approved request at once, and one leaves. */
TEST(an_approved_request_is_claimed_by_two)
{
    struct world w;
    struct caller a, b, c;

    for (int leaves = 0; leaves < 2; leaves++) {
        begin_approval(&w, &c);
        w.vault.requests[0].pending = false;
        start_checkout(&w, "alice", "s2", &a);
        start_checkout(&w, "alice", "s3", &b);
        world_run_until(&w, FAKE_CREDENTIAL);
        if (leaves)
            cancel_checkout(&a);
        world_settle(&w);
        assert_checkout_ok(&b);
        assert_int_equal(world_state(&w).leases_active, leaves ? 1 : 2);
        assert_int_equal(fake_store_leases(w.store), leaves ? 1 : 2);
        assert_int_equal(fake_vault_live(&w.vault), 1);
        world_end(&w);
    }
}

/* `run_as` makes two persons one vault user: the vault's reuse hands the request of the one to the other. */
TEST(a_request_that_waits_survives_another_persons_checkout)
{
    static char shared[] = "CORP\\alice";
    static char *run_as[] = {shared};
    enum { WAITS, WAITS_NO_LONGER_KEPT, UNREADABLE, NOT_STORED, LEFT, GOT, NCASES };
    static const char *const words[NCASES] = {"it waits",          "it waits, and none is kept any more",
                                              "no secret",         "no store",
                                              "its client leaves", "it gets the secret"};

    for (int how = 0; how < NCASES; how++) {
        struct world w;
        struct caller c, other;

        case_label("%s", words[how]);
        begin_approval(&w, &c);
        w.vault.conf.run_as = (struct conf_list){.item = run_as, .n = 1};
        w.vault.requests[0].pending = false; /* approved: the vault hands it over */
        if (how == WAITS_NO_LONGER_KEPT)
            w.vault.conf.approval_wait_ms = 0;
        start_checkout(&w, "bob", "s2", &other);
        world_run_until(&w, FAKE_CREDENTIAL);
        assert_int_equal(world_state(&w).leases_pending, 1);
        w.vault.requests[0].pending = how <= WAITS_NO_LONGER_KEPT; /* it wants a second approver */
        if (how == UNREADABLE)
            TAILQ_FIRST(&w.vault.calls)->fault = FAKE_UNREACHABLE;
        if (how >= NOT_STORED)
            world_run_until(&w, FAKE_REQUESTS);
        if (how == NOT_STORED)
            w.store->broken = true;
        if (how == LEFT) {
            fake_vault_deliver(&w.vault, 0); /* settled: only the store has not answered yet */
            assert_int_equal(world_state(&w).leases_pending, 0);
            cancel_checkout(&other);
        }
        world_settle(&w);
        w.store->broken = false;
        world_advance(&w, SECONDS(3));
        assert_int_equal(world_checkins(&w), 0);
        assert_int_equal(world_state(&w).leases_active, how == GOT);
        assert_int_equal(world_state(&w).leases_pending, how != GOT);
        assert_int_equal(fake_store_count(w.store), 1);
        assert_int_equal(fake_store_leases(w.store), how == GOT);
        assert_int_equal(other.kept_id, how <= WAITS_NO_LONGER_KEPT ? w.vault.requests[0].id : 0);
        w.vault.requests[0].pending = false;
        w.vault.requests[0].expires_wall += HOURS(3);
        world_advance(&w, HOURS(2));
        if (how == GOT)
            assert_int_equal(world_checkins(&w), 1); /* after its time */
        else
            checkout_ok(&w, "alice", "s3", &c);
        world_advance(&w, HOURS(3));
        end_approval(&w);
    }
}

/* It does not wait again. */
TEST(an_approved_request_that_is_gone_before_its_passphrase)
{
    struct world w;
    struct caller c;

    begin_approval(&w, &c);
    world_set_key_account(&w);
    w.vault.accounts[0].approval = w.vault.requests[0].pending = false;
    start_checkout(&w, "alice", "s2", &c);
    world_run_until(&w, FAKE_REQUESTS);
    fake_vault_deliver(&w.vault, 0);
    w.vault.requests[0].live = false;
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(c.request_id, w.vault.requests[1].id);
    assert_string_equal(c.passphrase, "pp");
    assert_int_equal(world_state(&w).leases_pending, 0);
    world_advance(&w, SECONDS(1));
    assert_int_equal(fake_store_count(w.store), 1);
    world_end(&w);
}

/* The process ends before the store knows that the request waits: its lease was answered to no caller. */
TEST(a_lease_that_was_never_answered_ends_after_a_restart)
{
    for (int listed = 0; listed < 2; listed++) {
        struct world w;
        struct caller c;

        case_label("the vault's list %s", listed ? "says that it waits" : "says that it is approved");
        world_init(&w);
        w.conf.gateway.reconcile_every_ms = MINUTES(10);
        w.conf.gateway.reconcile_per_s = 10;
        world_add_store(&w);
        w.vault.accounts[0].approval = true;
        w.vault.conf.approval_wait_ms = HOURS(4);
        world_start(&w);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_CREDENTIAL);
        fake_vault_deliver(&w.vault, 0);
        assert_int_equal(fake_store_only(w.store)->state, REQUEST_HELD);
        w.vault.requests[0].pending = listed;
        world_crash(&w, 0, 0);
        assert_int_equal(world_state(&w).leases_active, 1);
        world_advance(&w, SECONDS(1));
        assert_int_equal(world_state(&w).leases_active, !listed);
        assert_int_equal(world_checkins(&w), listed);
        assert_int_equal(fake_store_count(w.store), !listed);
        world_end(&w);
    }
}

TEST(the_deadline_is_answered_at_once_and_the_request_undone)
{
    struct world w;
    struct caller c;

    world_start_plain(&w);
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_REQUEST);
    fake_clock_run(&w.clock, w.timers, SECONDS(15));
    assert_int_equal(c.replies, 1);
    assert_int_equal(c.code, FAULT_DEADLINE_EXCEEDED);
    assert_int_equal(w.vault.cancelled, 0);
    world_settle(&w);
    assert_int_equal(w.vault.nrequests, 1);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    assert_int_equal(w.vault.count[FAKE_CREDENTIAL], 0); /* no secret is read without a caller */
    world_end(&w);
}

/* The client has left before the request was sent: it never is, and nothing has to be undone. */
TEST(a_request_not_yet_sent_is_withdrawn_with_its_checkout)
{
    struct world w;
    struct caller c;

    for (int expires = 0; expires < 2; expires++) {
        world_start_stored(&w);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_REQUEST);
        w.vault.in_line = true;
        if (expires)
            fake_clock_run(&w.clock, w.timers, SECONDS(15));
        else
            cancel_checkout(&c);
        assert_int_equal(c.replies, expires);
        assert_int_equal(w.vault.withdrawn, 1);
        world_advance(&w, MINUTES(2)); /* a recovery would have looked by now */
        assert_int_equal(w.vault.nrequests, 0);
        assert_int_equal(w.vault.cancelled, 0);
        assert_int_equal(w.vault.count[FAKE_REQUESTS], 0);
        assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(a_request_not_yet_sent_is_withdrawn_with_its_session)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored(&w);
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_REQUEST);
    w.vault.in_line = true;
    start_release(&w, "alice", "s1", NULL, &r);
    world_advance(&w, SECONDS(1));
    assert_int_equal(c.replies, 1);
    assert_int_equal(c.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(w.vault.withdrawn, 1);
    assert_int_equal(w.vault.nrequests, 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

TEST(a_draining_broker_refuses)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_plain(&w);
    broker_drain(w.broker);
    start_checkout(&w, "alice", "s1", &c);
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_int_equal(c.code, FAULT_DRAINING);
    assert_int_equal(r.code, FAULT_DRAINING);
    assert_true(broker_idle(w.broker));
    world_end(&w);
}

TEST(the_broker_ends_over_checkouts_in_flight)
{
    struct world w;
    struct caller c[4];

    for (unsigned waits = 0; waits < 4; waits++) {
        world_init(&w);
        world_set_key_account(&w);
        world_start(&w);
        for (size_t i = 0; i < 4; i++)
            start_checkout(&w, i < 2 ? "alice" : "bob", i % 2 ? "s1" : "s2", &c[i]);
        world_iterate(&w);
        for (unsigned i = 0; i < 4 * waits; i++, world_iterate(&w))
            (void)fake_vault_step(&w.vault);
        world_end(&w); /* callers are not answered, everything is freed */
    }
}

/* ---- small parts ---- */

static char *reason_of(const char *given, const char *template)
{
    struct session s = person_session("alice", "s1");

    return reason_text(&(struct reason_parts){
        .given = given, .template = template, .session = &s, .lease_id = "0123456789ABCDEFGHJKMNPQRS"});
}

TEST(the_reason_fits_and_keeps_its_mark)
{
    char given[4100] = "", id[ID_SIZE];
    char *r = reason_of(NULL, "{user} on {jump_item} ({session}, {lease}) {x}");

    assert_string_equal(
        r, "alice on Server 1 (s1, 0123456789ABCDEFGHJKMNPQRS) {x} [jumpgate 0123456789ABCDEFGHJKMNPQRS]");
    free(r);
    r = reason_of("", "");
    assert_string_equal(r, "[jumpgate 0123456789ABCDEFGHJKMNPQRS]");
    free(r);
    for (size_t shift = 0; shift < 4; shift++) { /* cut at every place within the characters */
        memset(given, 'x', shift);
        for (size_t i = 0; i < 600; i++)
            memcpy(given + shift + i * 6, "\xc3\xa4\xf0\x9f\x94\x91", 7);
        r = reason_of(given, "");
        size_t units = 0;

        for (const char *p = r; *p; p++)
            units += ((unsigned char)*p & 0xc0) == 0x80 ? 0 : (unsigned char)*p >= 0xf0 ? 2 : 1;
        assert_true(units <= 1000 && units >= 996);
        assert_true(reason_lease_id(r, id));
        assert_string_equal(id, "0123456789ABCDEFGHJKMNPQRS");
        assert_non_null(strstr(r, "\xe2\x80\xa6"));
        assert_int_equal(strncmp(r, given, 100), 0);
        free(r);
    }
    memset(given, 'a', 1100);
    given[1100] = '\0';
    r = reason_of(given, "");
    assert_int_equal(strlen(r), 1002); /* 999 letters and an ellipsis of three bytes */
    free(r);
    given[961] = '\0'; /* fits to the letter */
    r = reason_of(given, "");
    assert_int_equal(strlen(r), 999);
    free(r);
    assert_false(reason_lease_id("[jumpgate 0123]", id));
    assert_false(reason_lease_id(NULL, id));
    assert_false(reason_lease_id("[jumpgate 0123456789ABCDEFGHJKMNPQRS] or not", id));
    assert_false(reason_lease_id("[jumpgate 0123456789ABCDEFGHJKMNPQRS)", id));
    assert_false(reason_lease_id("(jumpgate 0123456789ABCDEFGHJKMNPQRS]", id));
}

static void expect_username(const char *account, const char *domain, const char *upn,
                            enum conf_username_form form, const char *expected)
{
    char *name = login_name_make(&(struct account){.account = account, .domain = domain, .upn = upn}, form);

    assert_string_equal(name, expected);
    free(name);
}

TEST(usernames_take_the_configured_form)
{
    expect_username("root", NULL, NULL, USERNAME_DOMAIN, "root");
    expect_username("root", "", NULL, USERNAME_UPN, "root");
    expect_username("svc", "CORP", "svc@corp.example", USERNAME_DOMAIN, "CORP\\svc");
    expect_username("svc", "CORP", "svc@corp.example", USERNAME_UPN, "svc@corp.example");
    expect_username("svc", "corp.example", NULL, USERNAME_UPN, "svc@corp.example");
    expect_username("svc", "CORP", NULL, USERNAME_UPN, "CORP\\svc");
    expect_username("CORP\\svc", "CORP", NULL, USERNAME_DOMAIN, "CORP\\svc");
    char *own = login_name_make(&(struct account){.account = "svc", .domain = "CORP", .username = "toor"},
                                USERNAME_UPN);
    assert_string_equal(own, "toor");
    free(own);
}

TEST(a_refused_checkout_is_in_the_trail)
{
    struct buf text = BUF_INIT(1 << 16);
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_audit(&w, AUDIT_STRICT);
    w.sink.text = &text;
    world_start(&w);
    world_set_fault(&w, FAKE_REQUEST, FAKE_DENIED);
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_NOT_ENTITLED);
    const char *records = buf_cstr(&text);

    assert_non_null(records);
    assert_non_null(
        strstr(records, "\"event\":\"checkout\",\"outcome\":\"refused\",\"code\":\"not_entitled\""));
    assert_non_null(strstr(records, "\"user\":\"alice\",\"session\":\"s1\""));
    world_end(&w);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_read_and_its_request_is_marked),
        cmocka_unit_test(an_account_without_password_gives_key_and_passphrase),
        cmocka_unit_test(a_preferred_key_is_given),
        cmocka_unit_test(an_account_without_secret_is_not_found),
        cmocka_unit_test(an_alias_is_named_in_every_call),
        cmocka_unit_test(an_unknown_credential_is_not_found),
        cmocka_unit_test(durations_are_bounded_by_the_account),
        cmocka_unit_test(reason_and_ticket_are_required_by_policy),
        cmocka_unit_test(a_refused_user_gives_way_to_the_next_candidate),
        cmocka_unit_test(a_candidate_has_its_own_lists_alone),
        cmocka_unit_test(a_name_that_cannot_be_sent_ends_the_candidates),
        cmocka_unit_test(an_overloaded_vault_is_not_asked),
        cmocka_unit_test(a_call_that_cannot_begin_is_overload),
        cmocka_unit_test(the_request_begins_while_time_is_left_for_its_answer),
        cmocka_unit_test(a_request_that_waits_for_approval_is_withdrawn),
        cmocka_unit_test(it_is_answered_when_it_is_durable),
        cmocka_unit_test(a_request_is_kept_for_its_approver),
        cmocka_unit_test(a_request_that_is_not_approved_is_withdrawn),
        cmocka_unit_test(the_wait_for_an_approver_is_bounded_when_the_clock_goes_back),
        cmocka_unit_test(a_request_is_withdrawn_while_a_checkout_asks_for_its_secret),
        cmocka_unit_test(an_approved_request_does_not_wait_again),
        cmocka_unit_test(a_request_that_is_denied_ends),
        cmocka_unit_test(a_request_that_is_gone_is_asked_for_again),
        cmocka_unit_test(an_approved_request_is_claimed_by_two),
        cmocka_unit_test(a_request_that_waits_survives_another_persons_checkout),
        cmocka_unit_test(an_approved_request_that_is_gone_before_its_passphrase),
        cmocka_unit_test(a_lease_that_was_never_answered_ends_after_a_restart),
        cmocka_unit_test(the_deadline_is_answered_at_once_and_the_request_undone),
        cmocka_unit_test(a_request_not_yet_sent_is_withdrawn_with_its_checkout),
        cmocka_unit_test(a_request_not_yet_sent_is_withdrawn_with_its_session),
        cmocka_unit_test(a_draining_broker_refuses),
        cmocka_unit_test(the_broker_ends_over_checkouts_in_flight),
        cmocka_unit_test(the_reason_fits_and_keeps_its_mark),
        cmocka_unit_test(usernames_take_the_configured_form),
        cmocka_unit_test(a_refused_checkout_is_in_the_trail),
    };

    /* Those that say nothing of what kinds of vault differ in. */
    const struct CMUnitTest of_any_kind[] = {
        cmocka_unit_test(the_deadline_is_answered_at_once_and_the_request_undone),
        cmocka_unit_test(a_request_not_yet_sent_is_withdrawn_with_its_checkout),
        cmocka_unit_test(a_request_not_yet_sent_is_withdrawn_with_its_session),
        cmocka_unit_test(a_draining_broker_refuses),
        cmocka_unit_test(the_broker_ends_over_checkouts_in_flight),
        cmocka_unit_test(the_reason_fits_and_keeps_its_mark),
        cmocka_unit_test(usernames_take_the_configured_form),
        cmocka_unit_test(a_refused_checkout_is_in_the_trail),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t k = 0; k < fake_nkinds; k++) {
        world_kind = &fake_kinds[k];
        failed += cmocka_run_group_tests_name(world_kind->name, of_any_kind, NULL, NULL);
    }
    return failed;
}
