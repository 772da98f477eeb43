/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_session_ended.c - the site says that a PRA session has ended: which leases end, which do not, what is
 * on disk before the answer, and what a process that dies on the way leaves to the next one.
 */
#include "broker_rig.h"

#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

#define LSID_A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LSID_A2 "{AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa}" /* the same in another form */
#define LSID_B  "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"

#define RECORDS_MAX 100000
#define GATHER_MS   2  /* a commit waits so long for more rows */
#define SOON_MS     25 /* a row that no caller awaits is with the store by then */

/* What the reporter of an end was answered. */
struct ended {
    struct op *op;
    int replies;
    enum fault_code code;
    size_t ended;
};

static void on_ended(void *arg, const struct session_ended_answer *a)
{
    struct ended *e = arg;

    e->op = NULL;
    e->replies++;
    e->code = a->fault ? a->fault->code : FAULT_NONE;
    e->ended = a->ended;
}

static void end_by(struct world *w, const char *lsid, enum session_end_source source, struct ended *e)
{
    struct session_ended_args args = {.lsid = lsid, .source = source, .site = "pra1", .timeout_ms = 5000};

    memset(e, 0, sizeof *e);
    e->op = broker_session_ended(w->broker, &args, on_ended, e);
    assert_non_null(e->op);
    assert_int_equal(e->replies, 0);
}

static void end_event(struct world *w, const char *lsid, struct ended *e)
{
    end_by(w, lsid, SESSION_END_EVENT, e);
}

static size_t end_poll(struct world *w, const char *lsid)
{
    return broker_end_session(
        w->broker, &(struct session_ended_args){.lsid = lsid, .source = SESSION_END_POLL, .site = "pra1"});
}

static void expect_ended(struct world *w, const char *lsid, size_t n)
{
    struct ended e;

    end_event(w, lsid, &e);
    world_advance(w, GATHER_MS);
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.code, FAULT_NONE);
    assert_int_equal(e.ended, n);
}

static void ask(struct world *w, const char *user, const char *id, const char *lsid, struct caller *c)
{
    struct checkout_args args = checkout_args_for(w, user, id);

    args.by.session.lsid = lsid;
    start_checkout_with(w, &args, c);
}

static void hold(struct world *w, const char *user, const char *id, const char *lsid, struct caller *c)
{
    ask(w, user, id, lsid, c);
    world_settle(w);
    assert_checkout_ok(c);
}

static struct lease *find(struct world *w, const char *user, const char *id)
{
    struct session s = person_session(user, id);

    return lease_find(w->broker->leases, &s, w->credential);
}

static void expect_lsid(struct world *w, const char *user, const char *id, const char *lsid)
{
    const struct lease *lease = find(w, user, id);

    assert_non_null(lease);
    assert_string_equal(lease_lsid(lease), lsid);
}

static void expect_released(struct world *w, const char *user, const char *id, int64_t n)
{
    struct released r;

    finish_release(w, user, id, NULL, &r);
    assert_int_equal(r.code, FAULT_NONE);
    assert_int_equal(r.released, n);
}

/* ---- which leases end ---- */

TEST(all_users_of_the_lsid_and_no_other_lease)
{
    struct world w;
    struct caller c;

    world_start_plain(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    hold(&w, "bob", "s2", LSID_A2, &c);
    hold(&w, "carol", "s3", LSID_B, &c);
    hold(&w, "dan", "s1", NULL, &c);
    hold(&w, "erin", LSID_A, NULL, &c);    /* its id is the lsid */
    hold(&w, "frank", LSID_A, LSID_B, &c); /* its id looks like one; its lsid is another */
    expect_ended(&w, "AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA", 3);
    assert_int_equal(fake_vault_live(&w.vault), 3);
    assert_null(find(&w, "alice", "s1"));
    assert_null(find(&w, "bob", "s2"));
    assert_null(find(&w, "erin", LSID_A));
    expect_released(&w, "alice", "s1", 0);
    expect_released(&w, "bob", "s2", 0);
    expect_released(&w, "carol", "s3", 1);
    expect_released(&w, "dan", "s1", 1);
    expect_released(&w, "frank", LSID_A, 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(again_and_unknown_end_nothing)
{
    struct world w;
    struct caller c;

    world_start_plain(&w);
    expect_ended(&w, LSID_A, 0);
    expect_ended(&w, "no lsid", 0);
    hold(&w, "alice", "s1", LSID_A, &c);
    expect_ended(&w, LSID_B, 0);
    expect_ended(&w, LSID_A, 1);
    expect_ended(&w, LSID_A, 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(world_state(&w).session_ends[SESSION_END_EVENT].sessions, 1);
    assert_int_equal(world_state(&w).session_ends[SESSION_END_EVENT].leases, 1);
    hold(&w, "alice", "s1", LSID_A, &c); /* after the end: a lease like any other */
    assert_int_equal(world_state(&w).leases_active, 1);
    assert_int_equal(end_poll(&w, LSID_A), 1); /* until the next report */
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_int_equal(world_state(&w).session_ends[SESSION_END_POLL].leases, 1);
    world_end(&w);
}

TEST(other_sessions_on_the_same_request_stay)
{
    struct world w;
    struct caller a, b;

    world_start_plain(&w);
    hold(&w, "alice", "s1", LSID_A, &a);
    hold(&w, "alice", "s2", LSID_B, &b);
    assert_int_equal(a.request_id, b.request_id);
    expect_ended(&w, LSID_A, 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    expect_ended(&w, LSID_B, 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(releasing_and_expired_ones_are_left_alone)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_plain(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_true(r.pending);
    unsigned calls = w.vault.count[FAKE_CHECKIN];

    expect_ended(&w, LSID_A, 0);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], calls); /* not even hurried */
    assert_int_equal(world_state(&w).leases_retrying, 1);
    w.vault.plan = NULL;
    world_advance(&w, 120000);
    hold(&w, "alice", "s1", LSID_A, &c);
    fake_clock_advance(&w.clock, 61 * 60000); /* its timer has not fired yet */
    assert_int_equal(end_poll(&w, LSID_A), 0);
    world_settle(&w);
    assert_int_equal(world_state(&w).leases_active, 0);
    world_end(&w);
}

TEST(a_request_of_ones_own_stays)
{
    struct world w;
    struct caller c;

    world_init(&w);
    (void)fake_vault_seed(&w.vault, "CORP\\alice", 1, 11, 80, "my own");
    world_start(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    assert_true(c.adopted);
    expect_ended(&w, LSID_A, 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 0);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

/* ---- check-outs in flight ---- */

static bool one_step(struct world *w)
{
    world_iterate(w);
    bool moved =
        (w->store && fake_store_commit(w->store)) || world_answer_record(w) || fake_vault_step(&w->vault);

    world_iterate(w);
    return moved;
}

/* At every step: the caller is answered as usual, and what it got ends with the answer. */
TEST(a_checkout_in_flight_is_answered_and_then_ends)
{
    struct world w;
    struct caller c;

    for (unsigned steps = 0; steps < 12; steps++) {
        world_start_stored(&w);
        ask(&w, "alice", "s1", LSID_A, &c);
        for (unsigned i = 0; i < steps && !c.replies; i++)
            (void)one_step(&w);
        bool landed = c.replies;

        expect_ended(&w, LSID_A, landed);
        world_settle(&w);
        assert_checkout_ok(&c);
        assert_string_equal(c.secret, "s3\"cret");
        assert_null(find(&w, "alice", "s1"));
        assert_int_equal(world_state(&w).leases_active, 0);
        assert_int_equal(world_state(&w).session_ends[SESSION_END_EVENT].leases, 1);
        expect_released(&w, "alice", "s1", 0);
        world_advance(&w, 1000);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* A repeat reads through the lease that its session has: it is answered with that lease, which has ended. */
TEST(a_repeat_in_flight_is_answered_with_its_lease)
{
    struct world w;
    struct caller a, b;

    for (unsigned steps = 0; steps < 4; steps++) {
        world_init(&w);
        world_add_store(&w);
        world_add_audit(&w, AUDIT_STRICT);
        world_start(&w);
        hold(&w, "alice", "s1", LSID_A, &a);
        ask(&w, "alice", "s1", LSID_A, &b);
        world_iterate(&w);
        for (unsigned i = 0; i < steps && !b.replies; i++)
            (void)one_step(&w);
        if (b.replies) {
            world_end(&w);
            assert_true(steps > 0); /* the last wait was the record */
            break;
        }
        size_t ended = end_poll(&w, LSID_A);

        assert_int_equal(ended, 1);
        assert_int_equal(w.vault.count[FAKE_CHECKIN], 0); /* it is held until the answer */
        world_settle(&w);
        assert_checkout_ok(&b);
        assert_string_equal(b.lease_id, a.lease_id);
        assert_int_equal(b.request_id, a.request_id);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        assert_int_equal(world_checkins(&w), 1);
        assert_int_equal(world_state(&w).leases_active, 0);
        world_end(&w);
    }
}

/* One that waits behind an equal one, and one that came after the end. */
TEST(one_that_waits_is_marked_and_a_later_one_is_not)
{
    struct world w;
    struct caller a, b, later;

    world_start_plain(&w);
    ask(&w, "alice", "s1", LSID_A, &a);
    ask(&w, "alice", "s1", LSID_A, &b);
    world_run_until(&w, FAKE_REQUEST);
    assert_int_equal(end_poll(&w, LSID_A), 0);
    ask(&w, "alice", "s1", LSID_A, &later);
    world_settle(&w);
    assert_checkout_ok(&a);
    assert_checkout_ok(&b);
    assert_checkout_ok(&later);
    assert_int_equal(world_state(&w).leases_active, 1);
    assert_string_equal(find(&w, "alice", "s1")->id, later.lease_id);
    assert_int_equal(world_state(&w).session_ends[SESSION_END_POLL].leases, 2);
    assert_int_equal(world_state(&w).session_ends[SESSION_END_POLL].sessions, 1);
    world_end(&w);
}

/* ---- durable before the answer ---- */

TEST(the_answer_waits_for_the_disk_and_not_for_the_vault)
{
    struct world w;
    struct caller c;
    struct ended e, again;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    end_event(&w, LSID_A, &e);
    world_iterate(&w);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1); /* on its way, and it hangs */
    assert_int_equal(e.replies, 0);
    end_event(&w, LSID_A, &again); /* finds nothing, and is answered no earlier */
    world_iterate(&w);
    assert_int_equal(again.replies, 0);
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.code, FAULT_NONE);
    assert_int_equal(e.ended, 1);
    assert_int_equal(again.replies, 1);
    assert_int_equal(again.ended, 0);
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_RETURNING);
    world_crash(&w, 0, 0); /* the check-in has never come */
    assert_int_equal(world_state(&w).leases_active, 0);
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(an_event_that_cannot_be_kept_is_refused)
{
    struct world w;
    struct caller c;
    struct ended e;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    w.store->broken = true;
    end_event(&w, LSID_A, &e);
    world_settle(&w);
    assert_int_equal(e.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(world_state(&w).leases_active, 1); /* nothing has happened */
    w.store->broken = false;
    expect_ended(&w, LSID_A, 1);
    world_end(&w);
}

/* The store fails under the event's own rows: it is refused, and every repeat until they are written. */
TEST(an_event_is_refused_until_its_ends_are_durable)
{
    struct world w;
    struct caller c;
    struct ended e;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    end_event(&w, LSID_A, &e);
    w.store->broken = true;
    world_settle(&w);
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.code, FAULT_STORE_UNAVAILABLE);
    assert_int_equal(world_state(&w).leases_active, 0);
    end_event(&w, LSID_A, &e);
    world_settle(&w);
    assert_int_equal(e.code, FAULT_STORE_UNAVAILABLE);
    w.store->broken = false;
    world_advance(&w, 3000);
    expect_ended(&w, LSID_A, 0);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

TEST(an_event_is_answered_in_time)
{
    struct world w;
    struct caller c;
    struct ended e;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    end_event(&w, LSID_A, &e);
    fake_clock_run(&w.clock, w.timers, 5000); /* the disk hangs */
    assert_int_equal(e.replies, 1);
    assert_int_equal(e.code, FAULT_STORE_UNAVAILABLE);
    world_settle(&w);
    world_end(&w);
}

TEST(a_reporter_may_leave)
{
    struct world w;
    struct caller c;
    struct ended e;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    end_event(&w, LSID_A, &e);
    broker_leave(e.op);
    world_settle(&w);
    assert_int_equal(e.replies, 0);
    assert_int_equal(world_state(&w).leases_active, 0);
    end_event(&w, LSID_B, &e);
    broker_leave(e.op);
    world_settle(&w);
    assert_int_equal(e.replies, 0);
    world_end(&w);
}

/* A listing and a termination cannot be refused: they take effect, and the rows follow. */
TEST(other_reports_take_effect_without_the_store)
{
    static const enum session_end_source sources[] = {SESSION_END_POLL, SESSION_END_TERMINATE};
    struct world w;
    struct caller c;
    struct ended e;

    for (size_t i = 0; i < 2; i++) {
        world_start_stored(&w);
        hold(&w, "alice", "s1", LSID_A, &c);
        w.store->broken = true;
        end_by(&w, LSID_A, sources[i], &e);
        world_settle(&w);
        assert_int_equal(e.code, FAULT_NONE);
        assert_int_equal(e.ended, 1);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(world_state(&w).session_ends[sources[i]].leases, 1);
        w.store->broken = false;
        world_advance(&w, 3000);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

TEST(no_audit_no_event_where_the_policy_is_strict)
{
    static const enum conf_audit_policy policies[] = {AUDIT_STRICT, AUDIT_DEGRADED};
    struct world w;
    struct caller c;
    struct ended e;

    for (size_t i = 0; i < 2; i++) {
        bool strict = policies[i] == AUDIT_STRICT;

        world_init(&w);
        world_add_audit(&w, policies[i]);
        world_start(&w);
        hold(&w, "alice", "s1", LSID_A, &c);
        w.sink.down = true;
        end_event(&w, LSID_A, &e);
        world_settle(&w);
        assert_int_equal(e.code, strict ? FAULT_AUDIT_UNAVAILABLE : FAULT_NONE);
        assert_int_equal(world_state(&w).leases_active, strict);
        world_end(&w);
    }
}

TEST(a_stopping_gateway_takes_no_event)
{
    struct world w;
    struct caller c;
    struct ended e;

    world_start_plain(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    broker_drain(w.broker);
    end_event(&w, LSID_A, &e);
    world_settle(&w);
    assert_int_equal(e.code, FAULT_DRAINING);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* ---- what is recorded ---- */

TEST(records_name_lsid_source_and_site)
{
    struct buf text = BUF_INIT(RECORDS_MAX);
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_audit(&w, AUDIT_STRICT);
    w.sink.text = &text;
    world_start(&w);
    hold(&w, "alice", "s1", LSID_B, &c);
    hold(&w, "bob", LSID_A, NULL, &c);
    expect_ended(&w, LSID_B, 1);
    assert_int_equal(end_poll(&w, LSID_A), 1);
    hold(&w, "carol", "s3", LSID_A2, &c);
    expect_released(&w, "carol", "s3", 1);
    world_settle(&w);
    const char *records = buf_cstr(&text);

    assert_non_null(records);
    assert_non_null(strstr(records, "\"event\":\"checkout\",\"outcome\":\"ok\",\"user\":\"alice\","
                                    "\"session\":\"s1\",\"lsid\":\"" LSID_B "\""));
    assert_non_null(strstr(records, "\"user\":\"bob\",\"session\":\"" LSID_A "\",\"lsid\":\"" LSID_A "\""));
    assert_non_null(strstr(records,
                           "\"event\":\"lease_end\",\"reason\":\"session_ended\",\"source\":\"event\","
                           "\"pra\":\"pra1\",\"user\":\"alice\",\"session\":\"s1\",\"lsid\":\"" LSID_B "\""));
    assert_non_null(strstr(records, "\"reason\":\"session_ended\",\"source\":\"poll\",\"pra\":\"pra1\","));
    assert_non_null(strstr(records, "\"event\":\"release\",\"outcome\":\"ok\",\"user\":\"carol\","
                                    "\"session\":\"s3\",\"lsid\":\"" LSID_A2 "\""));
    world_end(&w);
    buf_free(&text);
}

/* ---- sessions/started ---- */

static void on_started(void *arg)
{
    ++*(int *)arg;
}

static int start(struct world *w, const char *user, const char *id, const char *lsid, int *replies)
{
    struct started_args args = {.by = {person_session(user, id), 5000}};

    args.by.session.lsid = lsid;
    *replies = 0;
    assert_non_null(broker_session_started(w->broker, &args, on_started, replies));
    return *replies;
}

/* Its row is never made, so there is none that the lsid could be written to later. */
TEST(started_while_the_store_refuses_the_checkout_leaves_no_step)
{
    for (unsigned steps = 0; steps < 6; steps++) {
        struct world w;
        struct caller c;
        int replies;

        case_label("%u steps", steps);
        world_start_stored(&w);
        start_checkout(&w, "alice", "s1", &c);
        world_iterate(&w);
        for (unsigned i = 0; i < steps; i++) {
            (void)fake_vault_step(&w.vault);
            world_iterate(&w);
        }
        (void)start(&w, "alice", "s1", LSID_A, &replies);
        w.store->broken = true;
        world_settle(&w);
        assert_int_equal(c.replies, 1);
        w.store->broken = false;
        world_advance(&w, SECONDS(5));
        assert_int_equal(world_state(&w).steps_refused, 0);
        assert_int_equal(world_state(&w).journal_stuck, 0);
        world_end(&w);
    }
}

TEST(started_gives_the_lsid_to_the_leases_there_are)
{
    struct world w;
    struct caller c;
    int replies;

    world_start_stored(&w);
    hold(&w, "alice", "s1", NULL, &c);
    hold(&w, "bob", "s1", NULL, &c);
    ask(&w, "alice", "s2", NULL, &c);
    assert_int_equal(start(&w, "alice", "s2", LSID_B, &replies), 0); /* its check-out is in flight */
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(start(&w, "alice", "s1", LSID_A2, &replies), 0);
    world_iterate(&w);
    assert_int_equal(replies, 0); /* not before the row is on disk */
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(replies, 1);
    expect_lsid(&w, "alice", "s1", LSID_A2);
    expect_lsid(&w, "alice", "s2", LSID_B);
    expect_lsid(&w, "bob", "s1", "");
    world_crash(&w, 0, 0);
    world_settle(&w);
    expect_lsid(&w, "alice", "s1", LSID_A2);
    expect_lsid(&w, "alice", "s2", LSID_B);
    expect_lsid(&w, "bob", "s1", "");
    expect_ended(&w, LSID_A, 1);
    expect_ended(&w, LSID_B, 1);
    assert_int_equal(world_state(&w).leases_active, 1);
    world_end(&w);
}

/* The session with the first lsid has ended; the check-out in flight is of another one, as it turns out. The
 * end of that one counts, also in a process that died meanwhile. */
TEST(an_end_does_not_count_for_a_checkout_of_another_session)
{
    struct world w;
    struct caller c;
    int replies;

    for (unsigned steps = 0; steps < 12; steps++) {
        world_start_stored(&w);
        ask(&w, "alice", "s1", LSID_A, &c);
        for (unsigned i = 0; i < steps && !c.replies; i++)
            (void)one_step(&w);
        bool landed = c.replies;

        assert_int_equal(end_poll(&w, LSID_A), landed);
        (void)start(&w, "alice", "s1", LSID_B, &replies);
        world_advance(&w, SOON_MS);
        assert_checkout_ok(&c);
        if (!landed) {
            expect_lsid(&w, "alice", "s1", LSID_B);
            world_crash(&w, 0, 0);
            world_settle(&w);
            expect_lsid(&w, "alice", "s1", LSID_B);
            expect_ended(&w, LSID_B, 1);
        }
        assert_int_equal(world_state(&w).leases_active, 0);
        world_end(&w);
    }
}

/* The same lsid in another form is the same session. */
TEST(an_end_counts_whatever_the_form_of_the_lsid)
{
    struct world w;
    struct caller c;
    int replies;

    world_start_stored(&w);
    ask(&w, "alice", "s1", LSID_A, &c);
    assert_int_equal(end_poll(&w, LSID_A), 0);
    (void)start(&w, "alice", "s1", LSID_A2, &replies);
    world_advance(&w, SOON_MS);
    assert_checkout_ok(&c);
    assert_int_equal(world_state(&w).leases_active, 0);
    world_end(&w);
}

TEST(started_without_an_lsid_or_without_leases_changes_nothing)
{
    struct world w;
    struct caller c;
    int replies;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    unsigned writes = w.store->steps;

    assert_int_equal(start(&w, "alice", "s1", NULL, &replies), 0);
    world_settle(&w);
    assert_int_equal(replies, 1);
    assert_int_equal(start(&w, "alice", "s9", LSID_B, &replies), 0);
    world_settle(&w);
    assert_int_equal(replies, 1);
    assert_int_equal(start(&w, "alice", "s1", LSID_A, &replies), 0); /* it has this one */
    world_settle(&w);
    assert_int_equal(replies, 1);
    assert_int_equal(w.store->steps, writes);
    expect_lsid(&w, "alice", "s1", LSID_A);
    world_end(&w);
}

TEST(started_is_answered_without_the_store)
{
    struct world w;
    struct caller c;
    int replies;

    world_start_stored(&w);
    hold(&w, "alice", "s1", NULL, &c);
    w.store->broken = true;
    assert_int_equal(start(&w, "alice", "s1", LSID_A, &replies), 0);
    world_settle(&w);
    assert_int_equal(replies, 1);
    w.store->broken = false;
    world_advance(&w, 3000);
    world_crash(&w, 0, 0);
    expect_lsid(&w, "alice", "s1", LSID_A);
    world_end(&w);
}

/* A lease that has no lsid learns it from a repeat; a repeat that has none learns it from the lease. */
TEST(a_repeat_and_its_lease_share_the_lsid)
{
    struct buf text = BUF_INIT(RECORDS_MAX);
    struct world w;
    struct caller c;

    world_init(&w);
    world_add_store(&w);
    world_add_audit(&w, AUDIT_STRICT);
    world_start(&w);
    hold(&w, "alice", "s1", NULL, &c);
    hold(&w, "alice", "s1", LSID_A, &c);
    expect_lsid(&w, "alice", "s1", LSID_A);
    w.sink.text = &text;
    hold(&w, "alice", "s1", NULL, &c);
    expect_lsid(&w, "alice", "s1", LSID_A);
    assert_non_null(strstr(buf_cstr(&text), "\"lsid\":\"" LSID_A "\""));
    world_crash(&w, 0, 1);
    expect_lsid(&w, "alice", "s1", LSID_A);
    hold(&w, "bob", LSID_A, LSID_B, &c);
    hold(&w, "bob", LSID_A, NULL, &c); /* an id of that form says less than an lsid */
    expect_lsid(&w, "bob", LSID_A, LSID_B);
    world_end(&w);
    buf_free(&text);
}

/* Its session's id looks like an lsid; the lease knows which one it is. */
TEST(a_repeat_in_flight_ends_with_the_lsid_of_its_lease)
{
    struct world w;
    struct caller a, b;

    world_start_stored(&w);
    hold(&w, "bob", LSID_A, LSID_B, &a);
    ask(&w, "bob", LSID_A, NULL, &b);
    world_iterate(&w);
    assert_int_equal(b.replies, 0);
    assert_int_equal(end_poll(&w, LSID_A), 0);
    assert_int_equal(end_poll(&w, LSID_B), 1);
    world_settle(&w);
    assert_checkout_ok(&b);
    assert_string_equal(b.lease_id, a.lease_id);
    world_advance(&w, SOON_MS);
    assert_int_equal(world_state(&w).leases_active, 0);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

/* ---- the poll's side ---- */

TEST(the_oldest_lease_or_checkout_with_a_key)
{
    struct world w;
    struct caller c;
    int64_t created, began;

    world_start_plain(&w);
    assert_false(broker_pra_oldest_key(w.broker, &created));
    hold(&w, "zoe", "s0", NULL, &c);
    assert_false(broker_pra_oldest_key(w.broker, &created));
    world_advance(&w, 5000);
    began = w.clock.wall;
    ask(&w, "alice", "s1", LSID_A, &c); /* in flight */
    assert_true(broker_pra_oldest_key(w.broker, &created));
    assert_in_range(created, began - 999, began);
    world_settle(&w);
    assert_true(broker_pra_oldest_key(w.broker, &created));
    assert_in_range(created, began - 999, began);
    world_advance(&w, 5000);
    hold(&w, "bob", "s2", LSID_B, &c);
    assert_true(broker_pra_oldest_key(w.broker, &created));
    assert_in_range(created, began - 999, began);
    expect_released(&w, "alice", "s1", 1);
    assert_true(broker_pra_oldest_key(w.broker, &created));
    assert_in_range(created, began + 4001, began + 5000);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE); /* what is releasing needs no listing */
    assert_int_equal(end_poll(&w, LSID_B), 1);
    world_settle(&w);
    assert_false(broker_pra_oldest_key(w.broker, &created));
    w.vault.plan = NULL;
    world_advance(&w, 120000);
    world_end(&w);
}

TEST(the_cursor_is_kept_for_each_site)
{
    struct world w;
    int64_t cursor = 0;

    world_start_stored(&w);
    assert_false(broker_pra_cursor_load(w.broker, "pra1", &cursor));
    assert_int_equal(broker_pra_cursor_save(w.broker, "pra1", 1000), 0);
    assert_int_equal(broker_pra_cursor_save(w.broker, "pra2", 7), 0);
    assert_int_equal(broker_pra_cursor_save(w.broker, "pra1", 2000), 0);
    assert_true(broker_pra_cursor_load(w.broker, "pra1", &cursor));
    assert_int_equal(cursor, 2000);
    world_advance(&w, SOON_MS);
    assert_int_equal(w.store->steps, 3);
    world_crash(&w, 0, 0);
    assert_true(broker_pra_cursor_load(w.broker, "pra1", &cursor));
    assert_int_equal(cursor, 2000);
    assert_true(broker_pra_cursor_load(w.broker, "pra2", &cursor));
    assert_int_equal(cursor, 7);
    assert_false(broker_pra_cursor_load(w.broker, "pra3", &cursor));
    world_end(&w);
}

/* Whatever the store has of the two: never the cursor without the ends that it covers. */
TEST(the_cursor_is_durable_no_earlier_than_the_ends)
{
    for (int fails = 0; fails < 2; fails++)
        for (size_t durable = 0; durable < 4; durable++) {
            struct world w;
            struct caller a, b;
            int64_t cursor;

            world_start_stored(&w);
            hold(&w, "alice", "s1", LSID_A, &a);
            hold(&w, "bob", "s2", LSID_B, &b);
            assert_int_equal(end_poll(&w, LSID_A), 1);
            if (fails) { /* the first commit: then all of it is tried again together */
                fake_clock_run(&w.clock, w.timers, SOON_MS);
                w.store->broken = true;
            }
            assert_int_equal(end_poll(&w, LSID_B), 1);
            assert_int_equal(broker_pra_cursor_save(w.broker, "pra1", 1000), 0);
            if (fails) {
                (void)fake_store_commit(w.store);
                w.store->broken = false;
                fake_clock_run(&w.clock, w.timers, 1000);
            }
            fake_clock_run(&w.clock, w.timers, SOON_MS);
            world_crash(&w, 0, durable);
            if (broker_pra_cursor_load(w.broker, "pra1", &cursor))
                assert_int_equal(world_state(&w).leases_active, 0);
            else
                assert_int_equal(durable < 3, true);
            world_end(&w);
        }
}

/* ---- check-ins are background work ---- */

TEST(its_check_ins_never_go_before_a_release)
{
    enum { N = 40, PLACES = 16 };
    char name[N][8];
    struct world w;
    struct caller c;
    struct released r;

    world_start_plain(&w);
    for (size_t i = 0; i < N; i++) {
        (void)snprintf(name[i], sizeof name[i], "u%zu", i);
        hold(&w, name[i], name[i], LSID_A, &c);
    }
    hold(&w, "alice", "s1", NULL, &c);
    assert_int_equal(end_poll(&w, LSID_A), N);
    assert_int_equal(fake_vault_pending(&w.vault), PLACES - PLACES / 4);
    assert_false(w.vault.last_begun);           /* behind every call of an operation */
    start_release(&w, "alice", "s1", NULL, &r); /* at once, while the vault hangs over the others */
    assert_int_equal(fake_vault_pending(&w.vault), PLACES - PLACES / 4 + 1);
    assert_true(w.vault.last_begun);
    fake_vault_deliver(&w.vault, PLACES - PLACES / 4);
    world_iterate(&w);
    assert_int_equal(r.replies, 1);
    assert_false(r.pending);
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

/* ---- an operator's view ---- */

TEST(the_session_of_a_lease)
{
    struct lease_session s;
    struct world w;
    struct caller a, b, later;

    world_start_plain(&w);
    hold(&w, "alice", "s1", LSID_A2, &a);
    hold(&w, "bob", "s2", NULL, &b);
    assert_false(broker_lease_session(w.broker, "none", &s));
    assert_true(broker_lease_session(w.broker, a.lease_id, &s));
    assert_string_equal(s.lsid, LSID_A2);
    assert_string_equal(s.key, LSID_A);
    assert_true(broker_lease_session(w.broker, b.lease_id, &s));
    assert_string_equal(s.lsid, "");
    assert_string_equal(s.key, "");
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    assert_int_equal(end_poll(&w, LSID_A), 1);
    assert_false(broker_lease_session(w.broker, a.lease_id, &s)); /* releasing: it has ended */
    hold(&w, "carol", "s3", LSID_A, &later);
    w.vault.plan = NULL;
    fake_clock_advance(&w.clock, 61 * 60000); /* its time is over; its timer has not fired */
    assert_false(broker_lease_session(w.broker, later.lease_id, &s));
    world_advance(&w, 120000);
    world_end(&w);
}

/* ---- death at every step between the end and the check-in ---- */

struct story {
    struct world w;
    struct caller a, b, other;
    struct ended e;
    unsigned steps, end; /* dies before step `end` */
    bool vault_first;
    unsigned event_at; /* the event comes before this step */
};

static void tell(struct story *s)
{
    ask(&s->w, "alice", "s1", LSID_A, &s->a);
    ask(&s->w, "bob", "s2", LSID_A, &s->b);
    ask(&s->w, "alice", "other", LSID_B, &s->other); /* on the request of the first */
    for (; s->steps < s->end; s->steps++) {
        world_iterate(&s->w);
        if (s->steps == s->event_at)
            end_event(&s->w, LSID_A, &s->e);
        bool moved = (s->vault_first && fake_vault_step(&s->w.vault)) || fake_store_commit(s->w.store) ||
                     fake_vault_step(&s->w.vault);

        if (moved)
            continue;
        if (timers_next(s->w.timers) <= SOON_MS)
            fake_clock_advance(&s->w.clock, timers_next(s->w.timers));
        else if (s->steps > s->event_at)
            return;
    }
}

static size_t leases_of(struct world *w, const char *user, const char *id)
{
    return find(w, user, id) != NULL;
}

/* An event that was answered is never sent again, and holds; one that was not is. Nothing else ends. */
static void die_at(struct story *s, unsigned carried_out, size_t durable)
{
    struct world *w = &s->w;

    world_start_stored(w);
    tell(s);
    bool answered = s->e.replies == 1 && s->e.code == FAULT_NONE;
    bool other_given = s->other.replies == 1;

    world_crash(w, carried_out, durable);
    world_settle(w);
    if (!answered)
        expect_ended(w, LSID_A, leases_of(w, "alice", "s1") + leases_of(w, "bob", "s2"));
    if (leases_of(w, "alice", "s1") || leases_of(w, "bob", "s2"))
        fail_msg("end %u, event at %u, answered %d, carried out %x, durable %zu: a lease has come back",
                 s->end, s->event_at, answered, carried_out, durable);
    if (other_given && !leases_of(w, "alice", "other"))
        fail_msg("end %u, event at %u: another session's lease has ended", s->end, s->event_at);
    world_advance(w, 15 * 60000);
    size_t others = leases_of(w, "alice", "other");

    assert_int_equal(world_state(w).leases_active, others);
    assert_int_equal(fake_vault_live(&w->vault), others);
    assert_int_equal(fake_store_count(w->store), others);
    world_advance(w, 60 * 60000);
    assert_int_equal(fake_vault_live(&w->vault), 0);
    assert_int_equal(fake_store_count(w->store), 0);
    world_end(w);
}

TEST(death_at_every_step)
{
    static struct story s;

    for (unsigned event_at = 0; event_at < 20; event_at++)
        for (unsigned after = 0; after < 12; after++)
            for (unsigned ways = 0; ways < 2 * 3 * 3; ways++) {
                s = (struct story){
                    .end = event_at + after, .event_at = event_at, .vault_first = ways % 2 != 0};
                die_at(&s, ways / 2 % 3 == 2 ? 3 : ways / 2 % 3, ways / 6);
            }
}

/* The check-in of an ended session goes after the calls of all clients, but for the attempt that one waits
 * for. */
TEST(a_hurried_attempt_hurries_no_later_one)
{
    struct world w;
    struct caller c;

    world_start_stored(&w);
    hold(&w, "alice", "s1", LSID_A, &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    assert_int_equal(end_poll(&w, LSID_A), 1);
    world_settle(&w);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_false(w.vault.last_begun);
    assert_int_equal(finish_checkout(&w, "alice", "s2", &c), FAULT_VAULT_CONFLICT);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 2);
    assert_true(w.vault.last_begun);
    world_advance(&w, MINUTES(1));
    assert_true(w.vault.count[FAKE_CHECKIN] > 2);
    assert_false(w.vault.last_begun);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_users_of_the_lsid_and_no_other_lease),
        cmocka_unit_test(again_and_unknown_end_nothing),
        cmocka_unit_test(other_sessions_on_the_same_request_stay),
        cmocka_unit_test(releasing_and_expired_ones_are_left_alone),
        cmocka_unit_test(a_request_of_ones_own_stays),
        cmocka_unit_test(a_checkout_in_flight_is_answered_and_then_ends),
        cmocka_unit_test(a_repeat_in_flight_is_answered_with_its_lease),
        cmocka_unit_test(one_that_waits_is_marked_and_a_later_one_is_not),
        cmocka_unit_test(the_answer_waits_for_the_disk_and_not_for_the_vault),
        cmocka_unit_test(an_event_that_cannot_be_kept_is_refused),
        cmocka_unit_test(an_event_is_refused_until_its_ends_are_durable),
        cmocka_unit_test(an_event_is_answered_in_time),
        cmocka_unit_test(a_reporter_may_leave),
        cmocka_unit_test(other_reports_take_effect_without_the_store),
        cmocka_unit_test(no_audit_no_event_where_the_policy_is_strict),
        cmocka_unit_test(a_stopping_gateway_takes_no_event),
        cmocka_unit_test(records_name_lsid_source_and_site),
        cmocka_unit_test(started_while_the_store_refuses_the_checkout_leaves_no_step),
        cmocka_unit_test(started_gives_the_lsid_to_the_leases_there_are),
        cmocka_unit_test(an_end_does_not_count_for_a_checkout_of_another_session),
        cmocka_unit_test(an_end_counts_whatever_the_form_of_the_lsid),
        cmocka_unit_test(started_without_an_lsid_or_without_leases_changes_nothing),
        cmocka_unit_test(started_is_answered_without_the_store),
        cmocka_unit_test(a_repeat_and_its_lease_share_the_lsid),
        cmocka_unit_test(a_repeat_in_flight_ends_with_the_lsid_of_its_lease),
        cmocka_unit_test(the_oldest_lease_or_checkout_with_a_key),
        cmocka_unit_test(the_cursor_is_kept_for_each_site),
        cmocka_unit_test(the_cursor_is_durable_no_earlier_than_the_ends),
        cmocka_unit_test(its_check_ins_never_go_before_a_release),
        cmocka_unit_test(the_session_of_a_lease),
        cmocka_unit_test(death_at_every_step),
        cmocka_unit_test(a_hurried_attempt_hurries_no_later_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
