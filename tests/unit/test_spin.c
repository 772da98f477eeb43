/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_spin.c - what follows a confirmed check-in where the vault changes passwords: when it is sent and when
 * not, who takes it back, failures, lost answers, restarts. The fake vault ends a test in which a spin and a
 * check-out of a key are on their way together, and one that spins what is checked out.
 */
#include "broker_rig.h"

#include "base/text.h"
#include "check.h"

#include <stdio.h>
#include <string.h>

static const struct vault_can repeatable = {.secret_with_checkout = true, .repeatable = true};

static struct buf records;

static void start(struct world *w, struct vault_can can, uint64_t life_ms, int64_t delay_ms)
{
    world_init(w);
    fake_vault_set_can(&w->vault, can, life_ms);
    w->vault.spin_delay_ms = delay_ms;
    world_add_store(w);
    world_add_audit(w, AUDIT_DEGRADED);
    records = BUF_INIT(1 << 20);
    w->sink.text = &records;
    world_start(w);
}

static void end(struct world *w)
{
    w->sink.text = NULL;
    world_end(w);
    buf_free(&records);
}

static unsigned count_text(const char *text)
{
    unsigned n = 0;

    for (const char *at = buf_cstr(&records); (at = strstr(at, text)); at++)
        n++;
    return n;
}

static unsigned audited(const char *outcome)
{
    char text[64];

    (void)snprintf(text, sizeof text, "\"event\":\"spin\",\"outcome\":\"%s\"", outcome);
    return count_text(text);
}

static struct key_counts counts(const struct world *w)
{
    struct key_counts n;

    broker_count_keys(w->broker, &w->vault.vault, &n);
    return n;
}

static void use_and_release(struct world *w, const char *user, const char *session)
{
    struct caller c;
    struct released r;

    checkout_ok(w, user, session, &c);
    finish_release(w, user, session, w->credential, &r);
    assert_int_equal(r.released, 1);
}

static const struct request_row *row_in(const struct world *w, enum request_state state)
{
    const struct request_row *row = fake_store_only(w->store);

    assert_non_null(row);
    assert_int_equal(row->state, state);
    return row;
}

static void assert_over(struct world *w)
{
    world_advance(w, 100); /* rows that no one waits for */
    assert_int_equal(fake_store_count(w->store), 0);
    assert_int_equal(counts(w).spinning + counts(w).returning + counts(w).settling, 0);
    assert_int_equal(fake_vault_live(&w->vault), 0);
}

TEST(a_spin_follows_the_checkin_at_once)
{
    struct world w;
    struct released r;
    struct caller c;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    checkout_ok(&w, "bob", "s2", &c);
    finish_release(&w, "ann", "s1", w.credential, &r);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_false(r.pending);
    assert_int_equal(w.vault.count[FAKE_SPIN], 1);
    assert_int_equal(w.vault.spun, 1);
    assert_int_equal(audited("accepted"), 1);
    assert_int_equal(count_text("\"outcome\":\"checked_in\""), 1);
    assert_int_equal(counts(&w).spins[SPIN_ACCEPTED], 1);
    assert_over(&w);
    end(&w);
}

TEST(it_waits_for_its_delay)
{
    struct world w;

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    assert_int_equal(counts(&w).spinning, 1);
    assert_int_equal(row_in(&w, REQUEST_SPINNING)->spin, SPIN_DUE);
    assert_int_equal(world_state(&w).leases_releasing + world_state(&w).leases_retrying, 0);
    world_advance(&w, SECONDS(118));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    world_advance(&w, SECONDS(2));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* Its row says that it is on its way before it is. */
TEST(it_is_not_sent_before_its_row_is_durable)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_run_until(&w, FAKE_CHECKIN);
    world_deliver(&w, FAKE_CHECKIN, 0);
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 0);
    assert_true(fake_store_commit(w.store));
    assert_int_equal(row_in(&w, REQUEST_SPINNING)->spin, SPIN_SENT);
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 1);
    world_settle(&w);
    assert_over(&w);
    end(&w);
}

TEST(it_waits_for_a_store_that_cannot_write)
{
    struct world w;

    start(&w, repeatable, 0, SECONDS(5));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    w.store->broken = true;
    world_advance(&w, MINUTES(2));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    assert_int_equal(counts(&w).spinning, 1);
    w.store->broken = false;
    world_advance(&w, SECONDS(5));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* ---- what has none ---- */

TEST(what_no_one_had_is_not_spun)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0, 0);
    world_set_fault(&w, FAKE_REQUEST, FAKE_LOST_DID);
    assert_int_equal(finish_checkout(&w, "ann", "s1", &c), FAULT_VAULT_UNAVAILABLE);
    w.vault.plan = NULL;
    world_advance(&w, MINUTES(2));
    assert_int_equal(count_text("\"outcome\":\"recovered\""), 1);
    world_crash(&w, 0, 0);
    assert_over(&w);
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    end(&w);
}

TEST(what_was_gone_already_is_not_spun)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    w.vault.requests[0].live = false;
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_over(&w);
    assert_int_equal(count_text("\"outcome\":\"already_gone\""), 1);
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    end(&w);
}

TEST(nothing_is_spun_where_the_vault_says_no)
{
    struct world w;

    start(&w, repeatable, 0, -1);
    use_and_release(&w, "ann", "s1");
    assert_over(&w);
    w.vault.spin_delay_ms = MINUTES(1);
    use_and_release(&w, "ann", "s1");
    w.vault.spin_delay_ms = -1; /* a reload */
    world_advance(&w, MINUTES(2));
    assert_over(&w);
    assert_int_equal(audited("withdrawn"), 1);
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    end(&w);
}

static void on_forgotten(void *arg, const struct release_answer *a)
{
    *(enum fault_code *)arg = a->fault ? a->fault->code : FAULT_NONE;
}

static enum fault_code forget(struct world *w, const char *lease_id)
{
    enum fault_code code = FAULT_INTERNAL;

    assert_non_null(broker_forget_lease(w->broker, lease_id, SECONDS(15), on_forgotten, &code));
    world_settle(w);
    return code;
}

TEST(what_an_operator_gives_up_is_not_spun)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_set_fault(&w, FAKE_CHECKIN, FAKE_UNREACHABLE);
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_int_equal(forget(&w, c.lease_id), FAULT_NONE);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    assert_int_equal(fake_store_count(w.store), 0);
    end(&w);
}

/* ---- a check-out before it is sent ---- */

TEST(a_checkout_takes_it_back_and_it_is_due_again)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    checkout_ok(&w, "bob", "s2", &c);
    assert_int_equal(audited("withdrawn"), 1);
    assert_int_equal(forget(&w, c.lease_id), FAULT_VAULT_CONFLICT);
    assert_int_equal(fake_store_count(w.store), 1); /* the same row */
    assert_int_equal(row_in(&w, REQUEST_HELD)->spin, SPIN_DUE);
    world_advance(&w, MINUTES(10));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(31)); /* a check-out of the process before may arrive until then */
    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_int_equal(r.released, 1);
    world_advance(&w, MINUTES(1));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    world_advance(&w, SECONDS(61));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* The row of its first check-in says nothing of the second one. */
TEST(what_was_taken_back_is_given_back_after_its_row_is_durable)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    checkout_ok(&w, "bob", "s2", &c);
    start_release(&w, "bob", "s2", w.credential, &r);
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 0);
    assert_true(fake_store_commit(w.store));
    world_iterate(&w);
    assert_int_equal(fake_vault_pending(&w.vault), 1);
    world_settle(&w);
    assert_int_equal(world_checkins(&w), 2);
    end(&w);
}

TEST(what_was_handed_out_before_a_crash_is_spun)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(31)); /* a check-out of the process before may arrive until then */
    finish_release(&w, "ann", "s1", w.credential, &r);
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* The row says so first: a restart must not spin what is being checked out. */
TEST(it_is_taken_back_in_the_row_before_the_checkout_is_sent)
{
    for (unsigned durable = 0; durable < 2; durable++) {
        struct world w;
        struct caller c;

        case_label("%u", durable);
        start(&w, repeatable, 0, MINUTES(2));
        use_and_release(&w, "ann", "s1");
        world_advance(&w, SECONDS(1));
        start_checkout(&w, "bob", "s2", &c);
        for (int i = 0; i < 5 && !w.store->npending; i++) {
            world_iterate(&w);
            (void)fake_vault_step(&w.vault);
        }
        assert_true(w.store->npending > 0);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        c.op = NULL;
        world_crash(&w, 0, durable);
        assert_int_equal(row_in(&w, durable ? REQUEST_ASKED : REQUEST_SPINNING)->spin, SPIN_DUE);
        world_advance(&w, MINUTES(5));
        assert_int_equal(w.vault.spun, 1);
        assert_over(&w);
        end(&w);
    }
}

/* The check-out that was started comes to its turn of the key. */
static void ask_entitled(struct world *w)
{
    world_iterate(w);
    world_deliver(w, FAKE_ENTITLED, 0);
    world_iterate(w);
}

/* The row that says that it is sent goes with that of the check-out, which never happens. */
TEST(it_is_not_sent_with_the_row_of_before)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0, 0);
    world_set_fault(&w, FAKE_SPIN, FAKE_BAD);
    use_and_release(&w, "ann", "s1");
    w.vault.plan = NULL;
    world_advance(&w, SECONDS(1));
    start_checkout(&w, "bob", "s2", &c);
    ask_entitled(&w);
    assert_int_equal(w.store->npending, 1);
    cancel_checkout(&c);
    w.store->broken = true;
    world_advance(&w, SECONDS(2));
    w.store->broken = false;
    for (int i = 0; i < 100 && w.vault.count[FAKE_SPIN] == 1; i++) {
        fake_clock_run(&w.clock, w.timers, 100);
        world_iterate(&w);
        (void)fake_store_commit(w.store);
    }
    assert_int_equal(w.vault.count[FAKE_SPIN], 2);
    assert_int_equal(row_in(&w, REQUEST_SPINNING)->spin, SPIN_SENT);
    world_settle(&w);
    assert_over(&w);
    end(&w);
}

TEST(a_store_that_cannot_write_leaves_it_due)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    w.store->broken = true;
    assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_STORE_UNAVAILABLE);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    w.store->broken = false;
    world_advance(&w, SECONDS(5));
    (void)row_in(&w, REQUEST_SPINNING);
    world_advance(&w, MINUTES(3));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

TEST(a_checkout_that_is_refused_leaves_it_due)
{
    static const struct {
        enum fake_fault fault;
        unsigned spun;
    } cases[] = {{FAKE_DENIED, 1}, {FAKE_UNREACHABLE, 1}, {FAKE_CANNOT_START, 1}, {FAKE_CONFLICT, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct caller c;

        case_label("%s", fake_fault_name(cases[i].fault));
        start(&w, repeatable, 0, MINUTES(2));
        use_and_release(&w, "ann", "s1");
        world_advance(&w, SECONDS(1));
        world_set_fault(&w, FAKE_REQUEST, cases[i].fault);
        for (int n = 0; n < 1 + (cases[i].spun != 0); n++)
            assert_int_not_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_NONE);
        w.vault.plan = NULL;
        world_advance(&w, MINUTES(3));
        assert_int_equal(w.vault.spun, cases[i].spun);
        assert_int_equal(world_checkins(&w), 1);
        assert_int_equal(audited("failed"), !cases[i].spun); /* a person has it */
        assert_over(&w);
        end(&w);
    }
}

/* It may have been made: it is given back first, and what was due before is spun then. */
TEST(a_checkout_that_is_lost_is_given_back_and_then_spun)
{
    static const enum fake_fault faults[] = {FAKE_LOST_DID, FAKE_LOST_DID_NOT, FAKE_LOST_LATE};

    for (unsigned i = 0; i < 6; i++) {
        struct world w;
        struct caller c;

        case_label("%s%s", fake_fault_name(faults[i / 2]), i % 2 ? ", and a crash" : "");
        start(&w, repeatable, 0, SECONDS(10));
        use_and_release(&w, "ann", "s1");
        world_advance(&w, SECONDS(1));
        world_set_fault(&w, FAKE_REQUEST, faults[i / 2]);
        assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
        w.vault.plan = NULL;
        if (i % 2)
            world_crash(&w, 0, 0);
        world_advance(&w, MINUTES(2));
        assert_int_equal(w.vault.spun, 1);
        assert_over(&w);
        end(&w);
    }
}

/* The vault's own queue has it: nothing was sent. */
TEST(it_is_taken_back_from_the_vaults_queue)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_run_until(&w, FAKE_SPIN);
    w.vault.in_line = true;
    start_checkout(&w, "bob", "s2", &c);
    ask_entitled(&w);
    assert_int_equal(w.vault.withdrawn, 1);
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(w.vault.spun, 0);
    assert_int_equal(audited("withdrawn"), 1);
    finish_release(&w, "bob", "s2", w.credential, &r);
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

TEST(a_checkout_waits_for_one_that_is_sent)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_run_until(&w, FAKE_SPIN);
    start_checkout(&w, "bob", "s2", &c);
    ask_entitled(&w);
    assert_int_equal(c.replies, 0);
    assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
    world_deliver(&w, FAKE_SPIN, 0);
    world_settle(&w);
    assert_checkout_ok(&c);
    assert_int_equal(w.vault.spun, 1);
    end(&w);
}

/* It is a check-out of its own, with a life of its own. */
TEST(what_takes_it_back_has_the_vaults_whole_life)
{
    struct world w;
    struct caller c;

    start(&w, (struct vault_can){.secret_with_checkout = true, .has_end = true, .repeatable = true},
          MINUTES(91), HOURS(3));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, HOURS(2));
    int64_t now = w.clock.wall;

    checkout_ok(&w, "bob", "s2", &c);
    assert_true(c.expires_wall_ms - now > MINUTES(59));
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(58));
    assert_int_equal(world_state(&w).leases_active, 1);
    checkout_ok(&w, "ann", "s1", &c); /* up to the end of bob's check-out */
    assert_true(c.expires_wall_ms - now > MINUTES(89));
    assert_true(c.expires_wall_ms - now <= MINUTES(90));
    end(&w);
}

/* ---- failures ---- */

TEST(it_is_repeated_five_times)
{
    static const unsigned at_s[] = {0, 5, 15, 35, 75, 155};
    struct world w;

    start(&w, repeatable, 0, 0);
    world_set_fault(&w, FAKE_SPIN, FAKE_BAD);
    use_and_release(&w, "ann", "s1");
    for (unsigned i = 0, s = 0; i < 6; i++) {
        world_advance(&w, SECONDS(at_s[i] - s) + 500);
        s = at_s[i];
        assert_int_equal(w.vault.count[FAKE_SPIN], i + 1);
        if (i < 5) {
            assert_int_equal(row_in(&w, REQUEST_SPINNING)->spins, i + 1);
            assert_string_equal(fake_store_only(w.store)->last_error, "vault_error");
        }
        if (i == 2)
            world_crash(&w, 0, 0); /* the count goes on */
        s += i < 5 ? 0 : 1;
    }
    assert_int_equal(audited("failed"), 1);
    assert_int_equal(counts(&w).spins[SPIN_FAILED], 1);
    world_advance(&w, HOURS(1));
    assert_int_equal(w.vault.count[FAKE_SPIN], 6);
    assert_int_equal(world_checkins(&w), 1);
    assert_over(&w);
    end(&w);
}

TEST(one_that_cannot_begin_is_a_failure)
{
    struct world w;

    start(&w, repeatable, 0, 0);
    world_set_fault(&w, FAKE_SPIN, FAKE_CANNOT_START);
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(6));
    assert_int_equal(w.vault.count[FAKE_SPIN], 2);
    w.vault.plan = NULL;
    world_advance(&w, SECONDS(11));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* ---- lost answers ---- */

/* The key takes no check-out until a further check-in is confirmed and `settle` has passed. */
TEST(after_a_lost_one_the_key_waits_for_a_checkin_and_settle)
{
    static const enum fake_fault faults[] = {FAKE_LOST_DID, FAKE_LOST_DID_NOT, FAKE_LOST_LATE};

    for (unsigned i = 0; i < 3; i++) {
        struct world w;
        struct caller c;

        case_label("%s", fake_fault_name(faults[i]));
        start(&w, repeatable, 0, 0);
        world_set_fault(&w, FAKE_SPIN, faults[i]);
        use_and_release(&w, "ann", "s1");
        w.vault.plan = NULL;
        assert_int_equal(w.vault.count[FAKE_CHECKIN], 2);
        assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
        assert_int_equal(w.vault.count[FAKE_REQUEST], 1);
        world_advance(&w, SECONDS(20));
        assert_int_equal(w.vault.count[FAKE_SPIN], 1); /* not while the lost one may arrive */
        start_checkout(&w, "bob", "s2", &c);           /* its turn comes before its deadline */
        world_advance(&w, SECONDS(11));
        assert_checkout_ok(&c);
        struct released r;

        finish_release(&w, "bob", "s2", w.credential, &r);
        assert_int_equal(w.vault.count[FAKE_SPIN], 2);
        assert_int_equal(audited("accepted"), 1);
        assert_over(&w);
        end(&w);
    }
}

TEST(a_lost_one_is_repeated_after_settle)
{
    struct world w;

    start(&w, repeatable, 0, 0);
    world_set_fault(&w, FAKE_SPIN, FAKE_LOST_DID_NOT);
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(50));
    assert_int_equal(w.vault.count[FAKE_SPIN], 2);
    assert_int_equal(row_in(&w, REQUEST_SPINNING)->spins, 2);
    world_crash(&w, 0, 0);
    world_advance(&w, MINUTES(10));
    assert_int_equal(w.vault.count[FAKE_SPIN], 6);
    assert_int_equal(audited("failed"), 1);
    assert_over(&w); /* after one more check-in */
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 7);
    end(&w);
}

/* ---- restarts ---- */

TEST(a_restart_goes_on_with_one_that_is_due)
{
    struct world w;
    struct caller c;

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, MINUTES(1));
    world_crash(&w, 0, 0);
    assert_int_equal(counts(&w).spinning, 1);
    world_advance(&w, SECONDS(58));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    world_advance(&w, SECONDS(3));
    assert_int_equal(w.vault.spun, 1);
    assert_int_equal(world_checkins(&w), 1);
    assert_over(&w);

    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    world_crash(&w, 0, 0);
    checkout_ok(&w, "bob", "s2", &c); /* nothing was sent: no wait */
    end(&w);
}

/* What was lost before may arrive in the next process. */
TEST(a_restart_knows_of_a_lost_call_before_what_is_due)
{
    static const enum fake_op lost[] = {FAKE_SPIN, FAKE_CHECKIN};

    for (int i = 0; i < 2; i++) {
        struct world w;
        struct caller c;

        case_label("%d", (int)lost[i]);
        start(&w, repeatable, 0, 0);
        world_set_fault(&w, lost[i], FAKE_LOST_LATE);
        use_and_release(&w, "ann", "s1");
        w.vault.plan = NULL;
        world_advance(&w, SECONDS(3));
        assert_int_equal(row_in(&w, REQUEST_SPINNING)->spin, SPIN_DUE);
        world_crash(&w, 0, 0);
        assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
        world_advance(&w, MINUTES(2));
        assert_int_equal(audited("accepted"), 1);
        assert_over(&w);
        end(&w);
    }
}

TEST(one_that_may_have_been_sent_counts_as_lost)
{
    for (unsigned carried_out = 0; carried_out < 2; carried_out++) {
        struct world w;
        struct caller c;
        struct released r;

        case_label("%u", carried_out);
        start(&w, repeatable, 0, 0);
        checkout_ok(&w, "ann", "s1", &c);
        start_release(&w, "ann", "s1", w.credential, &r);
        world_run_until(&w, FAKE_SPIN);
        world_crash(&w, carried_out, 0);
        assert_int_equal(finish_checkout(&w, "bob", "s2", &c), FAULT_VAULT_UNAVAILABLE);
        world_advance(&w, MINUTES(1));
        assert_int_equal(w.vault.spun, 1 + carried_out);
        assert_int_equal(w.vault.count[FAKE_CHECKIN], 2);
        assert_int_equal(audited("accepted"), 1);
        assert_over(&w);
        end(&w);
    }
}

/* Each row that is on its way, written or not. */
TEST(a_crash_at_every_step_loses_nothing)
{
    static const int64_t delays[] = {0, SECONDS(3)};

    for (unsigned n = 0; n < 80; n++) {
        struct world w;
        struct caller c;
        struct released r;

        case_label("after %u moves, write %u, call %u, delay %u", n / 8, n & 1, n >> 1 & 1, n >> 2 & 1);
        start(&w, repeatable, 0, delays[n >> 2 & 1]);
        checkout_ok(&w, "ann", "s1", &c);
        start_release(&w, "ann", "s1", w.credential, &r);
        for (unsigned i = 0; i < n / 8; i++) {
            if (!fake_store_commit(w.store) && !fake_vault_step(&w.vault))
                fake_clock_run(&w.clock, w.timers, 600);
            world_iterate(&w);
        }
        world_crash(&w, n >> 1 & 1, n & 1);
        finish_release(&w, "ann", "s1", w.credential, &r); /* where nothing of its end was written */
        world_advance(&w, MINUTES(3));
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_true(w.vault.spun > 0 || count_text("\"outcome\":\"already_gone\"") > 0);
        assert_over(&w);
        end(&w);
    }
}

TEST(a_vault_that_is_not_configured_keeps_it)
{
    struct world w;

    start(&w, repeatable, 0, MINUTES(1));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    (void)snprintf(w.vault.conf.name, sizeof(w.vault.conf.name), "other");
    world_crash(&w, 0, 0);
    world_advance(&w, HOURS(48));
    assert_int_equal(fake_store_count(w.store), 1);
    (void)snprintf(w.vault.conf.name, sizeof(w.vault.conf.name), "main");
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(1));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

TEST(a_gateway_that_stops_begins_none)
{
    struct world w;

    start(&w, repeatable, 0, SECONDS(5));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    broker_drain(w.broker);
    world_advance(&w, SECONDS(30));
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    assert_true(broker_idle(w.broker));
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(1));
    assert_int_equal(w.vault.spun, 1);
    assert_over(&w);
    end(&w);
}

/* Nothing of it has been sent, so the next start has nothing to give back first. */
TEST(a_checkin_that_is_confirmed_during_the_stop_leaves_it_due)
{
    struct world w;
    struct caller c;
    struct released r;

    start(&w, repeatable, 0, 0);
    checkout_ok(&w, "ann", "s1", &c);
    start_release(&w, "ann", "s1", w.credential, &r);
    world_run_until(&w, FAKE_CHECKIN);
    broker_drain(w.broker);
    world_settle(&w);
    assert_int_equal(w.vault.count[FAKE_SPIN], 0);
    assert_int_equal(row_in(&w, REQUEST_SPINNING)->spin, SPIN_DUE);
    world_crash(&w, 0, 0);
    world_advance(&w, SECONDS(1));
    assert_int_equal(w.vault.spun, 1);
    assert_int_equal(w.vault.count[FAKE_CHECKIN], 1);
    assert_over(&w);
    end(&w);
}

static void on_shown(void *arg, const struct lease_view *v)
{
    (void)text_copy(arg, 32, v->state);
}

TEST(it_is_listed_as_spinning)
{
    struct world w;
    char shown[32] = "";

    start(&w, repeatable, 0, MINUTES(2));
    use_and_release(&w, "ann", "s1");
    world_advance(&w, SECONDS(1));
    assert_int_equal(broker_leases(w.broker, &(struct lease_filter){.limit = 10}, on_shown, shown), 0);
    assert_string_equal(shown, "spinning");
    world_advance(&w, MINUTES(2));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spin_follows_the_checkin_at_once),
        cmocka_unit_test(it_waits_for_its_delay),
        cmocka_unit_test(it_is_not_sent_before_its_row_is_durable),
        cmocka_unit_test(it_waits_for_a_store_that_cannot_write),
        cmocka_unit_test(what_no_one_had_is_not_spun),
        cmocka_unit_test(what_was_gone_already_is_not_spun),
        cmocka_unit_test(nothing_is_spun_where_the_vault_says_no),
        cmocka_unit_test(what_an_operator_gives_up_is_not_spun),
        cmocka_unit_test(a_checkout_takes_it_back_and_it_is_due_again),
        cmocka_unit_test(what_was_taken_back_is_given_back_after_its_row_is_durable),
        cmocka_unit_test(what_was_handed_out_before_a_crash_is_spun),
        cmocka_unit_test(it_is_taken_back_in_the_row_before_the_checkout_is_sent),
        cmocka_unit_test(it_is_not_sent_with_the_row_of_before),
        cmocka_unit_test(a_store_that_cannot_write_leaves_it_due),
        cmocka_unit_test(a_checkout_that_is_refused_leaves_it_due),
        cmocka_unit_test(a_checkout_that_is_lost_is_given_back_and_then_spun),
        cmocka_unit_test(it_is_taken_back_from_the_vaults_queue),
        cmocka_unit_test(a_checkout_waits_for_one_that_is_sent),
        cmocka_unit_test(what_takes_it_back_has_the_vaults_whole_life),
        cmocka_unit_test(it_is_repeated_five_times),
        cmocka_unit_test(one_that_cannot_begin_is_a_failure),
        cmocka_unit_test(after_a_lost_one_the_key_waits_for_a_checkin_and_settle),
        cmocka_unit_test(a_lost_one_is_repeated_after_settle),
        cmocka_unit_test(a_restart_goes_on_with_one_that_is_due),
        cmocka_unit_test(a_restart_knows_of_a_lost_call_before_what_is_due),
        cmocka_unit_test(one_that_may_have_been_sent_counts_as_lost),
        cmocka_unit_test(a_crash_at_every_step_loses_nothing),
        cmocka_unit_test(a_vault_that_is_not_configured_keeps_it),
        cmocka_unit_test(a_gateway_that_stops_begins_none),
        cmocka_unit_test(a_checkin_that_is_confirmed_during_the_stop_leaves_it_due),
        cmocka_unit_test(it_is_listed_as_spinning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
