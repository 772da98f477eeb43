/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_journal.c - what is on disk when: the order of vault calls and rows, a store that fails or is late,
 * and the death of the process at every single step.
 *
 * The torture walks one story (a check-out, a second session on the same request, both released) and ends the
 * process after each of its steps in each way: the waiting vault calls carried out or not, the waiting rows
 * on disk or not. However it went, a day later no request of ours may live that has no lease.
 */
#include "broker_rig.h"

#include "broker/identity/request_reason.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <errno.h>
#include <string.h>

#define LINGERS_MS 25 /* the wait of an unawaited row */

static size_t ours_live(struct world *w)
{
    size_t n = 0;
    char id[ID_SIZE];

    (void)fake_vault_live(&w->vault); /* lets what is over expire */
    for (size_t i = 0; i < w->vault.nrequests; i++)
        n += w->vault.requests[i].live && reason_lease_id(w->vault.requests[i].reason, id);
    return n;
}

TEST(the_intent_is_durable_before_the_request)
{
    struct world w;
    struct caller c;

    world_start_stored(&w);
    start_checkout(&w, "alice", "s1", &c);
    world_iterate(&w);
    (void)fake_vault_step(&w.vault); /* the account */
    world_iterate(&w);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 0);
    assert_int_equal(w.store->npending, 1);
    (void)fake_store_commit(w.store);
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_ASKED);
    assert_string_equal(fake_store_only(w.store)->user, "CORP\\alice");
    assert_string_equal(fake_store_only(w.store)->asker.session, "s1");
    assert_string_equal(fake_store_only(w.store)->asker.credential, w.credential);
    assert_int_equal(fake_store_leases(w.store), 0);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    fake_vault_deliver(&w.vault, 0);
    assert_int_equal(w.store->npending, 1); /* beside the reading of the secret */
    assert_int_equal(w.vault.count[FAKE_CREDENTIAL], 1);
    fake_vault_deliver(&w.vault, 0);
    world_iterate(&w);
    assert_int_equal(c.replies, 0); /* no secret before the row is durable */
    (void)fake_store_commit(w.store);
    assert_int_equal(c.replies, 1);
    assert_int_equal(c.code, FAULT_NONE);
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_HELD);
    assert_int_equal(request_key_number(fake_store_only(w.store)->name), c.request_id);
    assert_string_equal(fake_store_only_lease(w.store)->id, c.lease_id);
    assert_string_equal(fake_store_only_lease(w.store)->request, fake_store_only(w.store)->mark);
    assert_int_equal(fake_store_only(w.store)->expires_wall_ms, c.expires_wall_ms);
    world_end(&w);
}

TEST(without_a_store_only_new_leases_fail)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    w.store->broken = true;
    assert_false(world_state(&w).store_writable);
    start_checkout(&w, "alice", "s1", &c); /* a repeat writes nothing */
    world_settle(&w);
    assert_int_equal(c.code, FAULT_NONE);
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_int_equal(r.released, 1);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    assert_true(world_state(&w).journal_stuck > 0);
    w.store->broken = false;
    world_advance(&w, SECONDS(3));
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(world_state(&w).journal_stuck, 0);
    world_end(&w);
}

TEST(a_stop_gives_the_store_once_more_what_it_could_not_write)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    w.store->broken = true;
    finish_release(&w, "alice", "s1", w.credential, &r);
    assert_true(world_state(&w).journal_stuck > 0);
    w.store->broken = false;
    broker_drain(w.broker);
    world_settle(&w); /* no time passes */
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

static bool second_fails(void *arg, unsigned nth)
{
    (void)arg;
    return nth == 1;
}

/* The request id cannot be written: the check-out is undone. */
TEST(a_request_id_that_cannot_be_written_is_undone)
{
    struct world w;
    struct caller c;

    world_start_stored(&w);
    w.store->fails = second_fails;
    assert_int_equal(finish_checkout(&w, "alice", "s1", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(fake_vault_live(&w.vault), 0);
    world_advance(&w, SECONDS(3));
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* `pending` is only said when a restart would know it as well. */
TEST(pending_is_durable_before_it_is_answered)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    start_release(&w, "alice", "s1", w.credential, &r);
    fake_vault_deliver(&w.vault, 0);
    world_iterate(&w);
    assert_int_equal(r.replies, 0);
    world_settle(&w);
    assert_int_equal(r.replies, 1);
    assert_true(r.pending);
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_RETURNING);
    assert_int_equal(fake_store_only(w.store)->attempts, 1);
    assert_string_equal(fake_store_only(w.store)->last_error, "vault_unavailable");
    assert_true(fake_store_only(w.store)->next_wall_ms > w.clock.wall);
    world_advance(&w, MINUTES(1));
    assert_true(fake_store_only(w.store)->attempts > 3);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* The order to give back is soon on disk, also when the vault does not answer: no lease outlives its session.
 */
TEST(a_release_is_durable_while_the_vault_is_silent)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    start_release(&w, "alice", "s1", NULL, &r);
    world_iterate(&w);
    assert_false(fake_store_commit(w.store)); /* it is not awaited yet */
    fake_clock_advance(&w.clock, LINGERS_MS);
    world_iterate(&w);
    assert_true(fake_store_commit(w.store));
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_RETURNING);
    world_crash(&w, 0, 0);
    assert_int_equal(world_state(&w).leases_active, 0);
    world_settle(&w);
    assert_int_equal(w.vault.requests[0].checkins, 1);
    world_end(&w);
}

/* A check-in that succeeds at once costs no commit of its own: the row goes with the next one, or soon. */
TEST(a_removed_row_waits_for_the_next_commit)
{
    struct world w;
    struct caller a, b;
    struct released r;

    world_start_stored_leased(&w, &a);
    assert_int_equal(w.store->steps, 2);
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_false(r.pending);
    assert_int_equal(w.store->steps, 2);
    start_checkout(&w, "bob", "s2", &b); /* takes it along */
    world_settle(&w);
    assert_null(fake_store_request(w.store, a.lease_id));
    assert_int_equal(w.store->steps, 5); /* its end, in place of its return, and two of the other */
    assert_int_equal(w.store->commits, 4);
    start_release(&w, "bob", "s2", NULL, &r);
    world_advance(&w, LINGERS_MS);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(w.store->commits, 5);
    world_end(&w);
}

/* A return that the store has already stays as it is. */
TEST(a_request_that_ends_while_its_return_is_written_ends_in_a_step_of_its_own)
{
    struct world w;
    struct caller c;
    struct released r;

    world_start_stored_leased(&w, &c);
    start_release(&w, "alice", "s1", NULL, &r);
    world_iterate(&w);
    fake_clock_advance(&w.clock, LINGERS_MS);
    world_iterate(&w);
    assert_int_equal(w.store->npending, 1);
    assert_true(fake_vault_step(&w.vault)); /* checked in */
    assert_true(fake_store_commit(w.store));
    assert_int_equal(fake_store_only(w.store)->state, REQUEST_RETURNING);
    world_settle(&w);
    world_advance(&w, LINGERS_MS);
    assert_int_equal(fake_store_count(w.store), 0);
    assert_int_equal(w.store->steps, 4);
    world_end(&w);
}

/* What lingers when the broker ends is given to the store all the same. */
TEST(what_waits_is_written_when_the_broker_ends)
{
    struct world w;
    struct caller a;
    struct released r;

    world_start_stored_leased(&w, &a);
    finish_release(&w, "alice", "s1", NULL, &r);
    assert_int_equal(fake_store_count(w.store), 1);
    world_crash(&w, 0, 1);
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* Several at once share a commit, and all that failed together are answered. */
TEST(all_of_a_failed_commit_are_answered)
{
    struct world w;
    struct caller c[4];
    static const char *const sessions[] = {"s1", "s2", "s3", "s4"};

    world_start_stored(&w);
    for (size_t i = 0; i < 4; i++)
        start_checkout(&w, i % 2 ? "alice" : "bob", sessions[i], &c[i]);
    world_iterate(&w);
    while (fake_vault_pending(&w.vault) && w.vault.count[FAKE_REQUEST] == 0 && !w.store->npending) {
        (void)fake_vault_step(&w.vault);
        world_iterate(&w);
    }
    world_iterate(&w);
    assert_true(w.store->npending >= 1); /* the first flies, the others gather */
    w.store->broken = true;
    world_settle(&w);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(c[i].replies, 1);
        assert_int_equal(c[i].code, FAULT_STORE_UNAVAILABLE);
    }
    assert_int_equal(world_state(&w).journal_stuck, 0); /* an outage gathers nothing of what was refused */
    assert_int_equal(w.vault.count[FAKE_REQUEST], 0);
    w.store->broken = false;
    world_advance(&w, SECONDS(5));
    assert_int_equal(fake_store_count(w.store), 0);
    world_end(&w);
}

/* The row of a lease that made a request must not go while the other holder's is not on disk. */
TEST(a_makers_row_stays_until_the_other_holders_is_durable)
{
    struct world w;
    struct caller a, b;
    struct released r;

    world_start_stored_leased(&w, &a);
    start_checkout(&w, "alice", "s2", &b);
    world_iterate(&w);
    (void)fake_store_commit(w.store); /* its intent */
    fake_vault_deliver(&w.vault, 0);  /* the same request: OPEN is written, the secret asked for */
    start_release(&w, "alice", "s1", NULL, &r);
    world_iterate(&w);
    assert_int_equal(r.replies, 0); /* a restart would give s1 its lease again, as yet */
    assert_non_null(fake_store_request(w.store, a.lease_id));
    world_crash(&w, 0, 1); /* of the two rows one is on disk */
    world_advance(&w, MINUTES(15));
    assert_int_equal(ours_live(&w), world_state(&w).leases_active ? 1 : 0);
    world_end(&w);
}

/* ---- the journal alone: what was stuck goes again before anything newer, and with it ---- */

struct rig {
    struct fake_clock clock;
    struct timers *timers;
    struct fake_store store;
    struct journal *journal;
};

static const struct holder no_holder = {"u", "", "s", "", "c", "", "", 0};

static struct store_step step_of(enum store_step_kind kind, const char *mark)
{
    return (struct store_step){.kind = kind,
                               .request = {.mark = mark,
                                           .state = kind == STEP_ASK ? REQUEST_ASKED : REQUEST_RETURNING,
                                           .vault = "main",
                                           .user = "u",
                                           .asker = no_holder},
                               .lease = {.id = store_step_rules[kind].lease == ROW_AS_IS ? NULL : ""}};
}

static int put(struct rig *r, enum store_step_kind kind, const char *mark, struct journal_wait *wait,
               void (*done)(struct journal_wait *, int err))
{
    const struct store_step step = step_of(kind, mark);

    return journal_put(r->journal, &step, wait, done);
}

static void rig_open(struct rig *r, bool shared)
{
    memset(r, 0, sizeof *r);
    fake_clock_init(&r->clock);
    r->timers = timers_new(&r->clock.clock);
    assert_non_null(r->timers);
    fake_store_init(&r->store, &r->clock.clock);
    if (shared)
        fake_store_share(&r->store, NULL, "g1");
    r->journal = journal_new(r->timers, &r->store.store);
    assert_non_null(r->journal);
}

/* Of two steps of "one" the second is stuck; the store can write again, and was not tried. */
static void rig_stuck(struct rig *r)
{
    rig_open(r, false);
    assert_int_equal(put(r, STEP_ASK, "one", NULL, NULL), 1);
    fake_clock_run(&r->clock, r->timers, LINGERS_MS);
    assert_true(fake_store_commit(&r->store));
    r->store.broken = true;
    assert_int_equal(put(r, STEP_RETURN, "one", NULL, NULL), 1);
    /* A store that is known not to write is not troubled. */
    r->store.broken = false;
    assert_int_equal(r->store.npending, 0);
    assert_int_equal(journal_stuck(r->journal), 1);
}

static void settle_rig(struct rig *r)
{
    fake_clock_run(&r->clock, r->timers, SECONDS(1));
    for (unsigned i = 0; i < 3; i++) {
        fake_clock_run(&r->clock, r->timers, LINGERS_MS);
        (void)fake_store_commit(&r->store);
    }
    assert_true(journal_quiet(r->journal));
    assert_int_equal(r->store.otherwise, 0);
}

static void rig_end(struct rig *r)
{
    journal_free(r->journal);
    (void)fake_store_commit(&r->store);
    fake_store_free(&r->store);
    assert_int_equal(timers_count(r->timers), 0);
    timers_free(r->timers);
}

TEST(a_stuck_step_goes_before_newer_ones)
{
    struct rig r;

    rig_stuck(&r);
    assert_int_equal(put(&r, STEP_CLOSE, "one", NULL, NULL), 1);
    assert_int_equal(journal_stuck(r.journal), 0);
    settle_rig(&r);
    assert_int_equal(r.store.steps, 3);
    assert_int_equal(fake_store_count(&r.store), 0);
    rig_end(&r);
}

/* Its first attempt fails in the store; then it comes before what was put meanwhile. Nothing is left out. */
TEST(a_failed_commit_is_given_again_in_order)
{
    struct rig r;

    rig_stuck(&r);
    fake_clock_run(&r.clock, r.timers, SECONDS(1));
    assert_int_equal(r.store.npending, 1);
    r.store.broken = true;
    assert_int_equal(put(&r, STEP_CLOSE, "one", NULL, NULL), 1); /* known not to write: not given */
    (void)fake_store_commit(&r.store);
    assert_int_equal(journal_stuck(r.journal), 2);
    assert_int_equal(fake_store_only(&r.store)->state, REQUEST_ASKED);
    r.store.broken = false;
    fake_clock_run(&r.clock, r.timers, SECONDS(3));
    settle_rig(&r);
    assert_int_equal(fake_store_count(&r.store), 0);
    rig_end(&r);
}

static int wait_err;
static unsigned nwaits;

static void on_waited(struct journal_wait *w, int err)
{
    (void)w;
    wait_err = err;
    nwaits++;
}

/* In a shared store a release goes again that was away together with a check-out that has ended since. */
TEST(what_is_kept_goes_again_whatever_became_of_the_last_step)
{
    struct journal_wait wait = {0};
    struct rig r;

    rig_open(&r, true);
    assert_int_equal(put(&r, STEP_ASK, "one", NULL, NULL), 1);
    fake_clock_run(&r.clock, r.timers, LINGERS_MS);
    assert_true(fake_store_commit(&r.store));
    nwaits = 0;
    assert_int_equal(put(&r, STEP_CLOSE, "one", NULL, NULL), 1);
    assert_int_equal(put(&r, STEP_ASK, "two", &wait, on_waited), 1);
    r.store.broken = true;
    (void)fake_store_commit(&r.store);
    assert_int_equal(nwaits, 1);
    assert_int_equal(wait_err, -ENOSPC);
    assert_int_equal(journal_stuck(r.journal), 1);
    r.store.broken = false;
    settle_rig(&r);
    assert_int_equal(journal_stuck(r.journal), 0);
    assert_int_equal(fake_store_count(&r.store), 0);
    rig_end(&r);
}

/* What a check-out waits for never happens where the store was away: its check-out has ended. */
TEST(a_step_that_is_given_up_never_happens)
{
    struct journal_wait wait = {0};
    struct rig r;

    rig_stuck(&r);
    settle_rig(&r);
    nwaits = 0;
    assert_int_equal(put(&r, STEP_ASK, "two", &wait, on_waited), 1);
    assert_int_equal(r.store.npending, 1); /* not delayed */
    r.store.broken = true;
    (void)fake_store_commit(&r.store);
    assert_int_equal(nwaits, 1);
    assert_int_equal(wait_err, -ENOSPC);
    assert_int_equal(put(&r, STEP_ASK, "two", &wait, on_waited), -EIO);
    assert_int_equal(journal_stuck(r.journal), 0);
    r.store.broken = false;
    fake_clock_run(&r.clock, r.timers, SECONDS(3));
    settle_rig(&r);
    assert_null(fake_store_request(&r.store, "two"));
    assert_int_equal(nwaits, 1);
    rig_end(&r);
}

/* The store and the caller differ: the caller learns it, and all else goes on. */
TEST(a_step_may_be_refused)
{
    struct journal_wait wait = {0};
    struct rig r;

    rig_stuck(&r);
    settle_rig(&r);
    nwaits = 0;
    assert_int_equal(put(&r, STEP_ASK, "one", &wait, on_waited), 1);
    assert_int_equal(put(&r, STEP_ASK, "two", NULL, NULL), 1);
    fake_clock_run(&r.clock, r.timers, LINGERS_MS);
    while (fake_store_commit(&r.store))
        fake_clock_run(&r.clock, r.timers, LINGERS_MS);
    assert_int_equal(nwaits, 1);
    assert_int_equal(wait_err, -ESTALE);
    assert_int_equal(r.store.otherwise, 1);
    assert_int_equal(journal_refused(r.journal), 1);
    assert_int_equal(fake_store_count(&r.store), 2);
    rig_end(&r);
}

/* A wait for what is delayed starts its commit. */
TEST(a_wait_starts_the_commit)
{
    struct journal_wait wait = {0};
    struct rig r;

    rig_stuck(&r);
    settle_rig(&r);
    nwaits = 0;
    assert_int_equal(journal_await_all(r.journal, &wait, on_waited), 0);
    assert_int_equal(put(&r, STEP_CLOSE, "one", NULL, NULL), 1);
    assert_int_equal(r.store.npending, 0);
    assert_int_equal(journal_await_all(r.journal, &wait, on_waited), 1);
    assert_int_equal(r.store.npending, 1);
    (void)fake_store_commit(&r.store);
    assert_int_equal(nwaits, 1);
    assert_int_equal(wait_err, 0);
    rig_end(&r);
}

/* ---- of several gateways the last step of a request waits for its record ---- */

static struct audit_state trail;

static void trail_state(struct audit_sink *sink, struct audit_state *state)
{
    (void)sink;
    *state = trail;
}

/* The row "one" is there, and its STEP_CLOSE is put: 5 records are on disk, and 7 are taken. */
static struct audit *rig_unrecorded(struct rig *r, enum conf_audit_policy policy)
{
    static const struct audit_sink_ops ops = {.state = trail_state};
    static struct audit_sink sink = {&ops};
    struct audit *audit;

    rig_open(r, true);
    audit = audit_new(&(struct audit_opts){.sink = &sink, .timers = r->timers, .policy = policy});
    assert_non_null(audit);
    assert_int_equal(put(r, STEP_ASK, "one", NULL, NULL), 1);
    fake_clock_run(&r->clock, r->timers, LINGERS_MS);
    assert_true(fake_store_commit(&r->store));
    trail = (struct audit_state){.writable = true, .taken = 7, .settled = 5};
    const struct store_step close = step_of(STEP_CLOSE, "one");

    assert_int_equal(journal_put_recorded(r->journal, &close, audit), 1);
    return audit;
}

static void rig_recorded_end(struct rig *r, struct audit *audit)
{
    rig_end(r);
    audit_free(audit);
}

TEST(the_last_step_waits_for_its_record)
{
    struct journal_wait wait = {0};
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_STRICT);

    nwaits = 0;
    assert_int_equal(journal_await_all(r.journal, &wait, on_waited), 0); /* it keeps no operation waiting */
    assert_int_equal(put(&r, STEP_ASK, "two", &wait, on_waited), 1);     /* nor another step */
    assert_true(fake_store_commit(&r.store));
    assert_int_equal(nwaits, 1);
    trail.taken = 9;
    trail.settled = 6;
    fake_clock_run(&r.clock, r.timers, SECONDS(5));
    assert_int_equal(r.store.npending, 0);
    assert_false(journal_quiet(r.journal)); /* a stop waits for it */
    trail.settled = 7;
    fake_clock_run(&r.clock, r.timers, 2 * LINGERS_MS);
    assert_true(fake_store_commit(&r.store));
    assert_null(fake_store_request(&r.store, "one"));
    assert_true(journal_quiet(r.journal));
    rig_recorded_end(&r, audit);
}

TEST(the_last_step_goes_with_a_commit_once_its_record_is_on_disk)
{
    struct journal_wait wait = {0};
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_STRICT);

    trail.settled = 7;
    assert_int_equal(put(&r, STEP_ASK, "two", &wait, on_waited), 1);
    assert_true(fake_store_commit(&r.store));
    assert_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);
}

/* They are put one after the other, however soon the second one's record is on disk. */
TEST(last_steps_keep_their_order)
{
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_STRICT);
    const struct store_step again = step_of(STEP_ASK, "one");

    trail.settled = trail.taken;
    assert_int_equal(journal_put_recorded(r.journal, &again, audit), 1);
    fake_clock_run(&r.clock, r.timers, 2 * LINGERS_MS);
    while (fake_store_commit(&r.store))
        fake_clock_run(&r.clock, r.timers, LINGERS_MS);
    assert_int_equal(r.store.otherwise, 0);
    assert_non_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);
}

TEST(a_trail_that_takes_nothing_holds_no_step_up_for_long)
{
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_STRICT);

    trail.writable = false;
    fake_clock_run(&r.clock, r.timers, SECONDS(9));
    assert_int_equal(r.store.npending, 0);
    fake_clock_run(&r.clock, r.timers, SECONDS(2));
    assert_true(fake_store_commit(&r.store));
    assert_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);
}

TEST(a_gateway_that_goes_on_without_records_holds_no_step_up)
{
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_DEGRADED);

    trail.writable = false;
    fake_clock_run(&r.clock, r.timers, 2 * LINGERS_MS);
    assert_true(fake_store_commit(&r.store));
    assert_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);
}

TEST(a_step_that_waits_for_its_record_does_not_outlive_its_gateway)
{
    struct rig r;
    struct audit *audit = rig_unrecorded(&r, AUDIT_STRICT);

    journal_void(r.journal); /* the gateway was fenced */
    assert_true(journal_quiet(r.journal));
    trail.settled = 7;
    fake_clock_run(&r.clock, r.timers, SECONDS(1));
    assert_int_equal(r.store.npending, 0);
    assert_non_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);

    audit = rig_unrecorded(&r, AUDIT_STRICT);
    journal_free(r.journal); /* it stops, and what is left goes to the store */
    r.journal = NULL;
    assert_true(fake_store_commit(&r.store));
    assert_null(fake_store_request(&r.store, "one"));
    rig_recorded_end(&r, audit);
}

/* ---- row and record go to the disk beside each other, and both are awaited ---- */

/* To the moment when the secret is read, and neither of the two is durable. */
static void begin_both(struct world *w, struct caller *c)
{
    world_init(w);
    world_add_store(w);
    world_add_audit(w, AUDIT_STRICT);
    world_start(w);
    start_checkout(w, "alice", "s1", c);
    for (int i = 0; i < 10 && !w->sink.nwaits; i++) {
        world_iterate(w);
        if (w->vault.count[FAKE_REQUEST] || !fake_store_commit(w->store))
            (void)fake_vault_step(&w->vault);
    }
    assert_int_equal(w->sink.nwaits, 1);
    assert_int_equal(w->store->npending, 1);
    assert_int_equal(c->replies, 0);
}

TEST(the_record_alone_does_not_answer)
{
    struct world w;
    struct caller c;

    begin_both(&w, &c);
    assert_true(world_answer_record(&w));
    world_iterate(&w);
    assert_int_equal(c.replies, 0);
    assert_true(fake_store_commit(w.store));
    assert_int_equal(c.replies, 1);
    assert_int_equal(c.code, FAULT_NONE);
    world_end(&w);
}

TEST(the_row_alone_does_not_answer)
{
    struct world w;
    struct caller c;

    begin_both(&w, &c);
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(c.replies, 0);
    assert_true(world_answer_record(&w));
    assert_int_equal(c.replies, 1);
    assert_int_equal(c.code, FAULT_NONE);
    world_end(&w);
}

/* A record without its row is taken back by a second one, and a row without its record goes. */
TEST(row_or_record_that_fails_undoes_the_checkout)
{
    struct world w;
    struct caller c;

    for (int which = 0; which < 2; which++) {
        case_label("the %s fails", which ? "record" : "row");
        begin_both(&w, &c);
        w.store->broken = which == 0;
        w.sink.mood = which ? SINK_FAILS : SINK_FINE;
        if (which)
            (void)world_answer_record(&w);
        (void)fake_store_commit(w.store);
        w.store->broken = false;
        world_settle(&w);
        assert_int_equal(c.replies, 1);
        assert_int_equal(c.code, which ? FAULT_AUDIT_UNAVAILABLE : FAULT_STORE_UNAVAILABLE);
        assert_true(w.sink.records >= 2);
        world_advance(&w, SECONDS(3));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* ---- a release while the session's own check-out is in flight ---- */

TEST(a_release_ends_the_sessions_checkout_in_flight)
{
    struct world w;
    struct caller c;
    struct released r;

    for (unsigned steps = 0; steps < 6; steps++) {
        case_label("released after %u steps", steps);
        world_start_stored(&w);
        start_checkout(&w, "alice", "s1", &c);
        world_iterate(&w);
        for (unsigned i = 0; i < steps && !c.replies; i++) {
            if (!fake_store_commit(w.store))
                (void)fake_vault_step(&w.vault);
            world_iterate(&w);
        }
        bool had = c.replies;

        start_release(&w, "alice", "s1", steps % 2 ? NULL : w.credential, &r);
        world_settle(&w);
        world_advance(&w, 25); /* for what the check-out has left to write */
        assert_int_equal(r.replies, 1);
        assert_int_equal(c.code, had ? FAULT_NONE : FAULT_CREDENTIAL_NOT_FOUND);
        assert_int_equal(r.released, had);
        world_advance(&w, MINUTES(2));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

/* ---- death at every step ---- */

enum story_kind {
    STORY_SHARED,    /* two sessions, one request of the gateway */
    STORY_OWN,       /* the person's own request, handed over by reuse */
    STORY_DIRECT,    /* direct access, of which the vault keeps no request */
    STORY_ENDS,      /* a session ends while its check-out is in flight */
    STORY_RETURNING, /* a check-out gets a request that is being given back */
    NSTORIES
};

struct story {
    enum story_kind kind;
    struct world w;
    struct caller a, b;
    struct released r;
    unsigned steps, end; /* dies before step `end` */
};

static bool one_step(struct story *s, bool vault_first)
{
    world_iterate(&s->w);
    if (s->steps++ == s->end)
        return false;
    if (vault_first && fake_vault_step(&s->w.vault))
        return true;
    if (fake_store_commit(s->w.store) || fake_vault_step(&s->w.vault))
        return true;
    if (timers_next(s->w.timers) > LINGERS_MS)
        return false;
    fake_clock_advance(&s->w.clock, timers_next(s->w.timers));
    return true;
}

/* False = it died. */
static bool all_steps(struct story *s, bool vault_first)
{
    while (one_step(s, vault_first))
        ;
    return s->steps <= s->end;
}

static bool some_steps(struct story *s, bool vault_first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!one_step(s, vault_first))
            return s->steps <= s->end;
    return true;
}

/* Both at once, or one after the other. */
static bool tell_of_two(struct story *s, bool vault_first)
{
    start_checkout(&s->w, "alice", "s1", &s->a);
    if (s->end % 2)
        start_checkout(&s->w, "alice", "s2", &s->b);
    if (!all_steps(s, vault_first))
        return false;
    if (s->end % 2 == 0)
        start_checkout(&s->w, "alice", "s2", &s->b);
    if (!all_steps(s, vault_first))
        return false;
    start_release(&s->w, "alice", "s1", NULL, &s->r);
    return all_steps(s, vault_first);
}

static bool tell_of_an_end(struct story *s, bool vault_first)
{
    bool in_flight = s->kind == STORY_ENDS;

    start_checkout(&s->w, "alice", "s1", &s->a);
    if (!(in_flight ? some_steps(s, vault_first, 3 + s->end % 3) : all_steps(s, vault_first)))
        return false;
    start_release(&s->w, "alice", "s1", NULL, &s->r);
    start_checkout(&s->w, "alice", "s2", &s->b);
    return all_steps(s, vault_first);
}

static void tell_story(struct story *s, bool vault_first)
{
    if (!(s->kind < STORY_ENDS ? tell_of_two(s, vault_first) : tell_of_an_end(s, vault_first)))
        return;
    start_release(&s->w, "alice", "s2", NULL, &s->r);
    (void)all_steps(s, vault_first);
}

static struct broker_state quiet_state(struct world *w)
{
    world_advance(w, MINUTES(15));
    return world_state(w);
}

static void begin_story(struct story *s)
{
    world_start_stored(&s->w);
    s->w.vault.accounts[0].row.isa = s->kind == STORY_DIRECT;
    if (s->kind == STORY_OWN)
        (void)fake_vault_seed(&s->w.vault, "CORP\\alice", 1, 11, 600, "my own work");
}

/* What the vault has is held, and what is held has its row. */
static void check_rows(struct story *s, size_t leases)
{
    bool shared = s->kind == STORY_SHARED || s->kind >= STORY_ENDS;

    assert_int_equal(ours_live(&s->w), shared && leases ? 1 : 0);
    assert_int_equal(fake_store_leases(s->w.store), leases);
    assert_int_equal(fake_store_count(s->w.store), s->kind == STORY_DIRECT ? leases : leases ? 1 : 0);
}

static void die_at(enum story_kind kind, unsigned end, bool vault_first, unsigned carried_out, size_t durable)
{
    static const char *const words[NSTORIES] = {"shared", "the person's own", "direct access",
                                                "an end in flight", "given back"};
    struct story s = {.kind = kind, .end = end};

    case_label(
        "%s: the process ends before step %u (%s first), waiting vault calls carried out: %x, lists of "
        "steps durable: %zu",
        words[kind], end, vault_first ? "vault" : "store", carried_out, durable);
    begin_story(&s);
    tell_story(&s, vault_first);
    world_crash(&s.w, carried_out, durable);
    check_rows(&s, quiet_state(&s.w).leases_active);
    world_advance(&s.w, kind == STORY_OWN ? HOURS(11) : MINUTES(60));
    assert_int_equal(fake_vault_live(&s.w.vault), 0);
    assert_true(kind != STORY_OWN || world_checkins(&s.w) == 0); /* it has ended by itself */
    assert_int_equal(fake_store_count(s.w.store), 0);
    world_end(&s.w);
}

TEST(a_crash_at_any_step_leaves_no_request_without_lease)
{
    for (unsigned end = 0; end < 40; end++)
        for (int vault_first = 0; vault_first < 2; vault_first++)
            for (unsigned carried_out = 0; carried_out < 4; carried_out++)
                for (size_t durable = 0; durable < 3; durable++)
                    die_at(STORY_SHARED, end, vault_first, carried_out, durable);
}

TEST(a_crash_at_any_step_of_other_stories)
{
    for (int kind = STORY_OWN; kind < NSTORIES; kind++)
        for (unsigned end = 0; end < 30; end++)
            for (int vault_first = 0; vault_first < 2; vault_first++)
                for (unsigned carried_out = 0; carried_out < 4; carried_out += 3)
                    for (size_t durable = 0; durable < 3; durable++)
                        die_at((enum story_kind)kind, end, vault_first, carried_out, durable);
}

/* The request's time is over while no process runs. */
TEST(what_has_ended_meanwhile_is_given_back)
{
    struct world w;
    struct caller a, b;

    for (int in_flight = 0; in_flight < 2; in_flight++) {
        case_label("%s", in_flight ? "a check-out in flight" : "a lease");
        world_start_stored_leased(&w, &a);
        w.vault.requests[0].expires_wall += HOURS(2); /* the vault keeps its own time */
        if (in_flight) {
            start_checkout(&w, "alice", "s2", &b);
            world_run_until(&w, FAKE_REQUEST);
        }
        w.clock.wall += HOURS(1) + SECONDS(1);
        world_crash(&w, (unsigned)in_flight, 0);
        world_advance(&w, MINUTES(3));
        assert_int_equal(world_state(&w).leases_active, 0);
        assert_int_equal(w.vault.requests[0].checkins, 1);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_intent_is_durable_before_the_request),
        cmocka_unit_test(without_a_store_only_new_leases_fail),
        cmocka_unit_test(a_stop_gives_the_store_once_more_what_it_could_not_write),
        cmocka_unit_test(a_request_id_that_cannot_be_written_is_undone),
        cmocka_unit_test(pending_is_durable_before_it_is_answered),
        cmocka_unit_test(a_release_is_durable_while_the_vault_is_silent),
        cmocka_unit_test(a_makers_row_stays_until_the_other_holders_is_durable),
        cmocka_unit_test(a_removed_row_waits_for_the_next_commit),
        cmocka_unit_test(a_request_that_ends_while_its_return_is_written_ends_in_a_step_of_its_own),
        cmocka_unit_test(what_waits_is_written_when_the_broker_ends),
        cmocka_unit_test(all_of_a_failed_commit_are_answered),
        cmocka_unit_test(a_stuck_step_goes_before_newer_ones),
        cmocka_unit_test(a_failed_commit_is_given_again_in_order),
        cmocka_unit_test(a_step_that_is_given_up_never_happens),
        cmocka_unit_test(what_is_kept_goes_again_whatever_became_of_the_last_step),
        cmocka_unit_test(a_step_may_be_refused),
        cmocka_unit_test(a_wait_starts_the_commit),
        cmocka_unit_test(the_last_step_waits_for_its_record),
        cmocka_unit_test(the_last_step_goes_with_a_commit_once_its_record_is_on_disk),
        cmocka_unit_test(last_steps_keep_their_order),
        cmocka_unit_test(a_trail_that_takes_nothing_holds_no_step_up_for_long),
        cmocka_unit_test(a_gateway_that_goes_on_without_records_holds_no_step_up),
        cmocka_unit_test(a_step_that_waits_for_its_record_does_not_outlive_its_gateway),
        cmocka_unit_test(the_record_alone_does_not_answer),
        cmocka_unit_test(the_row_alone_does_not_answer),
        cmocka_unit_test(row_or_record_that_fails_undoes_the_checkout),
        cmocka_unit_test(a_release_ends_the_sessions_checkout_in_flight),
        cmocka_unit_test(a_crash_at_any_step_leaves_no_request_without_lease),
        cmocka_unit_test(a_crash_at_any_step_of_other_stories),
        cmocka_unit_test(what_has_ended_meanwhile_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
