/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_release.c - giving back: the release operation, the check-in that outlives it, the recovery for lost
 * requests.
 */
#include "broker_rig.h"

#include "broker/identity/credential_id.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

/* However many leases end at once: so many check-ins are on their way, and one user's do not keep others
 * waiting. */
TEST(check_ins_in_flight_are_bounded)
{
    static const struct {
        uint64_t connections;
        size_t most;
    } rows[] = {{1, 1}, {4, 4}, {48, 16}, {90, 30}};
    enum { N = 40 };
    struct released r[N];
    char name[N][8];
    struct caller c;
    struct world w;

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        case_label("%llu connections", (unsigned long long)rows[k].connections);
        world_init(&w);
        w.vault.conf.connections = rows[k].connections;
        world_start(&w);
        for (size_t i = 0; i < N; i++) {
            (void)snprintf(name[i], sizeof name[i], "u%zu", i);
            checkout_ok(&w, name[i], name[i], &c);
        }
        for (size_t i = 0; i < N; i++)
            start_release(&w, name[i], name[i], NULL, &r[i]);
        assert_int_equal(fake_vault_pending(&w.vault), rows[k].most);
        world_settle(&w);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
}

TEST(complete_releases_all_leases_of_the_session)
{
    struct world w;
    struct caller c;
    struct released r;
    char other[CREDENTIAL_ID_SIZE];

    world_init(&w);
    world_add_account(&w, other);
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    checkout_ok(&w, "alice", "s2", &c);
    start_checkout_of(&w, "alice", "s1", other, &c);
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(world_state(&w).leases_active, 3);
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_int_equal(r.released, 2);
    assert_false(r.pending);
    assert_int_equal(fake_vault_live(&w.vault), 1); /* s2 still holds the one they shared */
    finish_release(&w, "alice", "s2", "unknown", &r);
    assert_int_equal(r.released, 0);
    assert_int_equal(world_state(&w).leases_active, 1);
    assert_int_equal(world_state(&w).releases, 2);
    world_end(&w);
}

TEST(a_release_is_answered_after_the_check_in)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_leased(&w, &c);
    start_release(&w, "alice", "s1", w.credential, &r);
    world_iterate(&w);
    assert_int_equal(r.replies, 0); /* not answered before the vault confirms */
    assert_int_equal(world_state(&w).leases_releasing, 1);
    world_settle(&w);
    assert_int_equal(r.replies, 1);
    assert_false(r.pending);
    assert_int_equal(world_state(&w).leases_releasing, 0);
    world_end(&w);
}

/* The first has ended all that the session has, and a restart could still bring it back. */
TEST(a_release_that_finds_nothing_is_answered_no_earlier_than_what_is_on_its_way)
{
    struct world w;
    struct caller c;
    struct released first, second;

    world_start_stored_leased(&w, &c);
    start_release(&w, "alice", "s1", w.credential, &first);
    start_release(&w, "alice", "s1", NULL, &second);
    world_iterate(&w);
    assert_int_equal(second.replies, 0);
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(second.replies, 1);
    assert_int_equal(second.released, 0);
    world_settle(&w);
    assert_int_equal(first.replies, 1);
    start_release(&w, "alice", "s1", NULL, &second); /* nothing is on its way */
    world_settle(&w);
    assert_int_equal(second.replies, 1);
    world_end(&w);
}

TEST(a_failed_check_in_is_pending_and_retried)
{
    static const enum fake_fault ways[] = {FAKE_UNREACHABLE,  FAKE_CANNOT_START, FAKE_LOST_DID,
                                           FAKE_LOST_DID_NOT, FAKE_USER_REFUSED, FAKE_DENIED};
    struct world w;
    struct caller c;
    struct released r;

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        case_label("%s", fake_fault_name(ways[i]));
        world_start_leased(&w, &c);
        world_set_fault(&w, FAKE_CHECKIN, ways[i]);
        finish_release(&w, "alice", "s1", w.credential, &r);
        assert_int_equal(r.code, FAULT_NONE);
        assert_int_equal(r.released, 1);
        assert_true(r.pending);
        world_advance(&w, MINUTES(10));
        assert_true(w.vault.count[FAKE_CHECKIN] >= (ways[i] == FAKE_LOST_DID ? 2 : 10));
        assert_true(w.vault.count[FAKE_CHECKIN] < 30); /* it backs off */
        assert_false(broker_idle(w.broker) && world_state(&w).leases_retrying == 0 &&
                     fake_vault_live(&w.vault));
        w.vault.plan = NULL;
        world_advance(&w, MINUTES(1));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(world_state(&w).leases_retrying, 0);
        assert_int_equal(world_state(&w).lapsed, 0);
        world_end(&w);
    }
}

static void count_row(void *arg, const struct lease_view *v)
{
    (void)v;
    ++*(unsigned *)arg;
}

static unsigned count_of(struct world *w, const char *user, const char *state)
{
    unsigned n = 0;

    (void)broker_leases(w->broker, &(struct lease_filter){.user = user, .state = state, .limit = 10},
                        count_row, &n);
    return n;
}

TEST(a_request_past_the_vaults_expiry_lapses)
{
    struct buf records = BUF_INIT(1 << 20);
    struct world w;
    struct caller c;
    struct released r;

    world_init(&w);
    world_add_audit(&w, AUDIT_STRICT);
    w.sink.text = &records;
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    start_release(&w, "alice", "s1", w.credential, &r);
    world_advance(&w, MINUTES(60) + SECONDS(30));
    assert_int_equal(world_state(&w).lapsed, 0);
    assert_int_equal(world_state(&w).leases_retrying, 1);
    assert_in_range(world_state(&w).oldest_overdue_ms, SECONDS(29), SECONDS(31));
    world_advance(&w, MINUTES(2));
    assert_int_equal(world_state(&w).lapsed, 1);
    assert_int_equal(world_state(&w).leases_retrying, 0);
    assert_int_equal(world_state(&w).oldest_overdue_ms, 0);
    world_advance(&w, HOURS(23) + MINUTES(57)); /* an operator sees it for a day */
    assert_int_equal(count_of(&w, NULL, "lapsed"), 1);
    world_advance(&w, MINUTES(3));
    assert_int_equal(count_of(&w, NULL, NULL), 0);
    assert_non_null(strstr(buf_cstr(&records), "\"event\":\"checkin\",\"outcome\":\"lapsed\""));
    assert_null(strstr(buf_cstr(&records), "\"forgotten\"")); /* its one end is recorded */
    world_end(&w);
    buf_free(&records);
}

TEST(at_its_deadline_a_release_is_pending)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_leased(&w, &c);
    start_release(&w, "alice", "s1", w.credential, &r);
    fake_clock_run(&w.clock, w.timers, SECONDS(15));
    assert_int_equal(r.replies, 1);
    assert_int_equal(r.released, 1);
    assert_true(r.pending);
    assert_int_equal(w.vault.cancelled, 0);
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_end(&w);
}

TEST(a_cancelled_release_goes_on)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_leased(&w, &c);
    start_release(&w, "alice", "s1", w.credential, &r);
    broker_leave(r.op);
    world_settle(&w);
    assert_int_equal(r.replies, 0);
    assert_int_equal(w.vault.cancelled, 0);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    start_release(&w, "alice", "s1", w.credential, &r);
    broker_leave(r.op);
    world_settle(&w);
    assert_int_equal(r.replies, 0);
    world_end(&w);
}

/* The answer to POST Requests is lost; the list of live requests shows its outcome. */
static void lose_request(struct world *w, enum fake_fault how, struct caller *c)
{
    world_start_plain(w);
    world_set_fault(w, FAKE_REQUEST, how);
    start_checkout(w, "alice", "s1", c);
    world_run_until(w, FAKE_REQUEST);
    (void)fake_vault_step(&w->vault);
    assert_int_equal(c->replies, 1);
    assert_int_equal(c->code, FAULT_VAULT_UNAVAILABLE);
    assert_int_equal(world_state(w).leases_retrying, 1);
}

TEST(a_request_surely_not_made_is_not_searched_for)
{
    static const enum fake_fault ways[] = {FAKE_CANNOT_START, FAKE_UNREACHABLE, FAKE_DENIED,
                                           FAKE_USER_REFUSED, FAKE_BAD};
    struct world w;
    struct caller c;

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        case_label("%s", fake_fault_name(ways[i]));
        world_start_plain(&w);
        world_set_fault(&w, FAKE_REQUEST, ways[i]);
        start_checkout(&w, "alice", "s1", &c);
        world_settle(&w);
        assert_int_not_equal(c.code, FAULT_NONE);
        assert_int_equal(world_state(&w).leases_retrying, 0);
        assert_int_equal(w.vault.count[FAKE_REQUESTS], 0);
        world_end(&w);
    }
}

TEST(a_lost_request_is_found_and_checked_in)
{
    struct world w;
    struct caller c;

    lose_request(&w, FAKE_LOST_DID, &c);
    world_settle(&w);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_advance(&w, MINUTES(1)); /* the second look finds nothing */
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 2);
    assert_int_equal(world_state(&w).leases_retrying, 0);
    world_end(&w);
}

/* A repeat of the call arrives when the request of an earlier sending has been found and checked in. */
TEST(a_request_that_a_repeat_makes_after_the_recovery_is_checked_in)
{
    struct world w;
    struct caller c;

    lose_request(&w, FAKE_LOST_DID, &c);
    world_settle(&w);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    w.vault.requests[0].live = true;
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.requests[0].checkins, 2);
    assert_int_equal(world_state(&w).leases_retrying, 0);
    world_end(&w);
}

/* A check-out whose call the vault gets more than once, by its own word. `reason`: what the call named. */
static void checkout_repeated(struct world *w, enum fake_op op, char reason[128])
{
    struct caller c;

    w->vault.say_repeated = true;
    start_checkout(w, "alice", "s1", &c);
    world_run_until(w, op);
    (void)snprintf(reason, 128, "%s", TAILQ_FIRST(&w->vault.calls)->want->reason);
    world_settle(w);
}

/* An earlier sending arrives, and the vault makes a request of it; it is found and checked in. */
static void arrive(struct world *w, const char *reason)
{
    (void)fake_vault_seed(&w->vault, "CORP\\alice", 1, 11, 600, reason);
}

static void assert_last_is_checked_in(struct world *w)
{
    world_advance(w, MINUTES(2));
    assert_int_equal(w->vault.requests[w->vault.nrequests - 1].checkins, 1);
    assert_int_equal(fake_vault_live(&w->vault), 0);
    assert_int_equal(fake_store_count(w->store), 0);
}

/* However the request of a repeat ends, an earlier sending may arrive afterwards; the process may end before.
 */
TEST(a_request_that_an_earlier_sending_makes_after_the_end_is_checked_in)
{
    enum { RELEASED, NO_SECRET, WITHDRAWN, KEPT, EXPIRED, CONFLICT, NENDS };
    static const char *const names[NENDS] = {"released",           "no secret", "withdrawn",
                                             "kept and withdrawn", "expired",   "conflict"};

    for (unsigned i = 0; i < 2 * NENDS; i++) {
        unsigned how = i / 2, crash = i % 2;
        struct world w;
        struct released r;
        char reason[128];

        case_label("%s%s", names[how], crash ? ", and a crash" : "");
        world_init(&w);
        w.vault.conf.approval_wait_ms = how == KEPT ? MINUTES(60) : 0;
        w.vault.conf.minute_ms = how == EXPIRED ? 50 : w.vault.conf.minute_ms;
        w.vault.accounts[0].approval = how == WITHDRAWN || how == KEPT;
        world_add_store(&w);
        world_start(&w);
        if (how == NO_SECRET)
            world_set_fault(&w, FAKE_CREDENTIAL, FAKE_DENIED);
        if (how == CONFLICT)
            world_set_fault(&w, FAKE_REQUEST, FAKE_CONFLICT);
        checkout_repeated(&w, FAKE_REQUEST, reason);
        if (how == RELEASED || how == KEPT)
            finish_release(&w, "alice", "s1", w.credential, &r);
        world_advance(&w, SECONDS(how == EXPIRED ? 4 : 1));
        assert_int_equal(w.vault.nrequests, how != CONFLICT);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 1);
        if (crash)
            world_crash(&w, 0, 0);
        world_advance(&w, SECONDS(1));
        arrive(&w, reason);
        assert_last_is_checked_in(&w);
        world_end(&w);
    }
}

/* No list shows it before the lease ends. */
TEST(a_request_that_an_earlier_sending_makes_while_the_lease_is_held_is_checked_in)
{
    enum { TERMINATED, DIRECT, DIRECT_WITHOUT_REQUEST, NCASES };
    static const char *const names[NCASES] = {"ended by the vault", "direct access",
                                              "direct access without a request"};

    for (unsigned i = 0; i < 2 * NCASES; i++) {
        unsigned how = i / 2, crash = i % 2;
        struct world w;
        struct released r;
        char reason[128];

        case_label("%s%s", names[how], crash ? ", and a crash" : "");
        world_init(&w);
        w.vault.accounts[0].row.isa = how != TERMINATED;
        w.vault.accounts[0].isa_kept = how == DIRECT;
        world_add_store(&w);
        world_start(&w);
        checkout_repeated(&w, how == TERMINATED ? FAKE_REQUEST : FAKE_ISA, reason);
        if (how == TERMINATED)
            w.vault.requests[0].live = false;
        world_advance(&w, SECONDS(1));
        if (crash) { /* its first round reads a list, which does not show it yet */
            world_crash(&w, 0, 0);
            world_advance(&w, 1);
        }
        arrive(&w, reason);
        world_advance(&w, MINUTES(2)); /* and no other can arrive */
        finish_release(&w, "alice", "s1", w.credential, &r);
        assert_int_equal(r.released, how != TERMINATED || !crash); /* two lists have shown its end */
        assert_last_is_checked_in(&w);
        world_end(&w);
    }
}

/* A conflict may be that of a call with its own first copy. */
TEST(a_conflict_is_followed_by_one_look)
{
    struct world w;
    struct caller c;

    for (int made = 0; made < 2; made++) {
        case_label("%d", made);
        world_start_plain(&w);
        world_set_fault(&w, FAKE_REQUEST, made ? FAKE_CONFLICT_DID : FAKE_CONFLICT);
        start_checkout(&w, "alice", "s1", &c);
        world_settle(&w);
        assert_int_equal(c.code, FAULT_VAULT_CONFLICT);
        assert_int_equal(world_state(&w).leases_retrying, 0);
        assert_int_equal(w.vault.count[FAKE_REQUESTS], 1);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(w.vault.nrequests ? w.vault.requests[0].checkins : 0, made);
        world_end(&w);
    }
}

TEST(a_lost_request_that_appears_late_is_checked_in)
{
    struct world w;
    struct caller c;

    lose_request(&w, FAKE_LOST_DID, &c);
    world_set_fault(&w, FAKE_REQUESTS, FAKE_UNREACHABLE);
    fake_vault_deliver(&w.vault, 0); /* begun before */
    world_end(&w);

    lose_request(&w, FAKE_LOST_DID, &c);
    w.vault.requests[0].live = false; /* the vault is still at it */
    world_advance(&w, SECONDS(5));
    w.vault.requests[0].live = true;
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* A call that may take long can arrive after all looks but the last, which waits for that. */
TEST(the_last_look_comes_when_the_call_cannot_arrive_any_more)
{
    struct world w;
    struct caller c;

    world_init(&w);
    w.vault.conf.call_timeout_ms = MINUTES(5);
    world_start(&w);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_LATE);
    (void)finish_checkout(&w, "alice", "s1", &c);
    world_advance(&w, MINUTES(4));
    fake_vault_land(&w.vault);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_advance(&w, MINUTES(2));
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

TEST(a_recovery_ends)
{
    struct world w;
    struct caller c;

    lose_request(&w, FAKE_LOST_DID_NOT, &c);
    world_advance(&w, MINUTES(3));
    assert_int_equal(world_state(&w).leases_retrying, 0);
    assert_int_equal(w.vault.count[FAKE_REQUESTS], 4);
    assert_int_equal(world_state(&w).lapsed, 0);
    world_end(&w);

    world_start_plain(&w);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    start_checkout(&w, "alice", "s1", &c);
    world_run_until(&w, FAKE_REQUEST);
    world_set_fault(&w, FAKE_REQUESTS, FAKE_UNREACHABLE);
    fake_vault_deliver(&w.vault, 0);
    world_advance(&w, MINUTES(60));
    assert_int_equal(world_state(&w).leases_retrying, 1);
    world_advance(&w, MINUTES(3));
    assert_int_equal(world_state(&w).leases_retrying, 0);
    assert_int_equal(world_state(&w).lapsed, 1);
    world_end(&w);
}

/* What is looked for was meanwhile handed to another check-out: it keeps it, and gives it back at its end. */
TEST(a_lost_request_given_to_another_checkout_is_held)
{
    struct world w;
    struct caller lost, c;
    struct released r;

    lose_request(&w, FAKE_LOST_DID, &lost);
    w.vault.plan = NULL;
    start_checkout(&w, "alice", "s2", &c);
    world_iterate(&w);
    assert_int_equal(fake_vault_pending_op(&w.vault, 0), FAKE_REQUESTS);
    while (c.replies == 0) { /* the recovery's own look is the last to be answered */
        fake_vault_deliver(&w.vault, fake_vault_pending(&w.vault) - 1);
        world_iterate(&w);
    }
    assert_int_equal(c.code, FAULT_NONE);
    assert_false(c.adopted);
    world_settle(&w);
    assert_true(fake_vault_find(&w.vault, c.request_id)->live);
    world_advance(&w, MINUTES(1));
    assert_int_equal(world_state(&w).leases_retrying, 0);
    finish_release(&w, "alice", "s2", NULL, &r);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* The recovery ends while another check-out still looks whose the request is: the find has proven it. */
TEST(a_recovery_proves_whose_the_request_is)
{
    struct world w;
    struct caller lost, c;

    for (int leaves = 0; leaves < 2; leaves++) {
        lose_request(&w, FAKE_LOST_DID, &lost);
        w.vault.plan = NULL;
        start_checkout(&w, "alice", "s2", &c);
        world_iterate(&w);
        while (w.vault.count[FAKE_REQUESTS] < 2) { /* its own look, beside the recovery's */
            fake_vault_deliver(&w.vault, fake_vault_pending(&w.vault) - 1);
            world_iterate(&w);
        }
        fake_vault_deliver(&w.vault, 0);
        if (leaves)
            cancel_checkout(&c);
        world_settle(&w);
        assert_int_equal(fake_vault_live(&w.vault), leaves ? 0 : 1);
        assert_false(c.adopted);
        world_end(&w);
    }
}

TEST(release_on_stop_ends_all_leases)
{
    struct world w;
    struct caller a, b;

    world_init(&w);
    w.conf.gateway.release_on_stop = true;
    world_start(&w);
    checkout_ok(&w, "alice", "s1", &a);
    checkout_ok(&w, "alice", "s2", &a);
    start_checkout(&w, "bob", "s3", &b);
    world_run_until(&w, FAKE_REQUEST);
    broker_drain(w.broker);
    assert_false(broker_idle(w.broker));
    world_settle(&w);
    assert_int_equal(b.replies, 1); /* it was there before: it is answered, and ends at once */
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_true(broker_idle(w.broker));
    world_end(&w);
}

TEST(a_stop_keeps_leases)
{
    struct world w;
    struct caller a;

    world_start_leased(&w, &a);
    broker_drain(w.broker);
    assert_true(broker_idle(w.broker));
    world_settle(&w);
    assert_int_equal(fake_vault_live(&w.vault), 1);
    world_end(&w);
}

/* ---- what is ended while its check-out is in flight, and what is not ---- */

struct wanted {
    const char *session, *credential_id;
    char lease_id[32];
};

static void on_lease(void *arg, const struct lease_view *v)
{
    struct wanted *wanted = arg;

    if (strcmp(v->credential_id, wanted->credential_id) == 0)
        (void)snprintf(wanted->lease_id, sizeof wanted->lease_id, "%s", v->id);
}

static void on_ended(void *arg, const struct release_answer *a)
{
    bool *pending = arg;

    assert_null(a->fault);
    *pending = a->pending;
}

/* By its lease id, as an operator does. */
static void end_lease_of(struct world *w, const char *session, const char *credential_id)
{
    struct wanted wanted = {.session = session, .credential_id = credential_id};
    bool pending = false;

    (void)broker_leases(w->broker, &(struct lease_filter){.session = session, .limit = 10}, on_lease,
                        &wanted);
    assert_string_not_equal(wanted.lease_id, "");
    assert_non_null(broker_release_lease(w->broker, wanted.lease_id, SECONDS(15), on_ended, &pending));
    world_iterate(w);
    assert_true(pending);
}

/* Whose session it is counts in ASCII case and otherwise exactly, and so does the filter. */
TEST(a_name_is_exact_beyond_ascii)
{
    struct caller c;
    struct released r;
    struct world w;

    world_start_plain(&w);
    checkout_ok(&w, "Zo\xc3\xab", "s1", &c);
    assert_int_equal(count_of(&w, "CORP\\Zo\xc3\xab", NULL), 1);
    assert_int_equal(count_of(&w, "corp\\zO\xc3\xab", NULL), 1);
    assert_int_equal(count_of(&w, "CORP\\ZO\xc3\x8b", NULL), 0);
    finish_release(&w, "ZO\xc3\x8b", "s1", NULL, &r); /* another user at the vault as well */
    assert_int_equal(r.released, 0);
    checkout_ok(&w, "zO\xc3\xab", "s1", &c);
    assert_int_equal(count_of(&w, "CORP\\Zo\xc3\xab", NULL), 1); /* the same lease */
    finish_release(&w, "ZO\xc3\xab", "s1", NULL, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(world_checkins(&w), 1);
    world_end(&w);
}

/* Two credentials of one session, one of another and one of the same session id under another name. */
TEST(a_release_ends_its_own_checkouts_in_flight_alone)
{
    enum { ROOT, ADMIN, OTHER, BOB, N };
    static const struct {
        const char *released; /* "one", "all" or "lease" */
        bool ended[N];
    } rows[] = {{"one", {false, true}}, {"all", {true, true}}, {"lease", {false, true}}};
    char admin[CREDENTIAL_ID_SIZE];
    struct caller c[N];
    struct released r;
    struct world w;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        case_label("released: %s", rows[i].released);
        world_init(&w);
        world_add_account(&w, admin);
        world_start(&w);
        start_checkout(&w, "alice", "s1", &c[ROOT]);
        start_checkout_of(&w, "alice", "s1", admin, &c[ADMIN]);
        start_checkout(&w, "alice", "s2", &c[OTHER]);
        start_checkout(&w, "bob", "s1", &c[BOB]);
        world_run_until(&w, FAKE_REQUEST);
        if (strcmp(rows[i].released, "lease") == 0)
            end_lease_of(&w, "s1", admin);
        else
            start_release(&w, "alice", "s1", strcmp(rows[i].released, "one") == 0 ? admin : NULL, &r);
        world_settle(&w);
        for (int k = 0; k < N; k++) {
            assert_int_equal(c[k].replies, 1);
            assert_int_equal(c[k].code, rows[i].ended[k] ? FAULT_CREDENTIAL_NOT_FOUND : FAULT_NONE);
        }
        world_end(&w);
    }
}

/* Equal ones wait for each other, others of the same session do not. */
TEST(credentials_of_a_session_do_not_wait_for_each_other)
{
    char admin[CREDENTIAL_ID_SIZE];
    struct caller first, second, other;
    struct world w;

    world_init(&w);
    world_add_account(&w, admin);
    world_start(&w);
    start_checkout(&w, "alice", "s1", &first);
    start_checkout(&w, "alice", "s1", &second);
    start_checkout_of(&w, "alice", "s1", admin, &other);
    world_run_until(&w, FAKE_REQUEST);
    size_t asked = fake_vault_pending(&w.vault);
    assert_int_equal(asked, 2); /* `first` and `other` */
    world_settle(&w);
    assert_int_equal(first.code + second.code + other.code, FAULT_NONE);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 2);
    assert_string_equal(first.lease_id, second.lease_id);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_exact_beyond_ascii),
        cmocka_unit_test(a_release_ends_its_own_checkouts_in_flight_alone),
        cmocka_unit_test(credentials_of_a_session_do_not_wait_for_each_other),
        cmocka_unit_test(check_ins_in_flight_are_bounded),
        cmocka_unit_test(complete_releases_all_leases_of_the_session),
        cmocka_unit_test(a_release_that_finds_nothing_is_answered_no_earlier_than_what_is_on_its_way),
        cmocka_unit_test(a_release_is_answered_after_the_check_in),
        cmocka_unit_test(a_failed_check_in_is_pending_and_retried),
        cmocka_unit_test(a_request_past_the_vaults_expiry_lapses),
        cmocka_unit_test(at_its_deadline_a_release_is_pending),
        cmocka_unit_test(a_cancelled_release_goes_on),
        cmocka_unit_test(a_request_surely_not_made_is_not_searched_for),
        cmocka_unit_test(a_lost_request_is_found_and_checked_in),
        cmocka_unit_test(a_request_that_a_repeat_makes_after_the_recovery_is_checked_in),
        cmocka_unit_test(a_request_that_an_earlier_sending_makes_after_the_end_is_checked_in),
        cmocka_unit_test(a_request_that_an_earlier_sending_makes_while_the_lease_is_held_is_checked_in),
        cmocka_unit_test(a_conflict_is_followed_by_one_look),
        cmocka_unit_test(a_lost_request_that_appears_late_is_checked_in),
        cmocka_unit_test(the_last_look_comes_when_the_call_cannot_arrive_any_more),
        cmocka_unit_test(a_recovery_ends),
        cmocka_unit_test(a_lost_request_given_to_another_checkout_is_held),
        cmocka_unit_test(a_recovery_proves_whose_the_request_is),
        cmocka_unit_test(release_on_stop_ends_all_leases),
        cmocka_unit_test(a_stop_keeps_leases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
