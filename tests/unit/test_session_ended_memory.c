/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_session_ended_memory.c - memory that runs out while a session's end or its lsid is reported, or while
 * a request begins to wait for its approver: each allocation fails once. Nothing leaks, and what is on disk
 * never says more than what has happened. The linker puts the functions below between the code and malloc.
 */
#include "broker_rig.h"

#include "broker/leases/known_users.h"
#include "broker/leases/lease_table.h"
#include "check.h"

#include <stdlib.h>

#define LSID     "0123456789abcdef0123456789abcdef"
#define MOST     40 /* allocations of one call */
#define A_MINUTE 60000

static long fails_at = -1; /* allocations until one fails; -1 = none does */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static bool fails(void)
{
    return fails_at >= 0 && fails_at-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

static void hold(struct world *w, const char *user, const char *id, const char *lsid)
{
    struct checkout_args args = checkout_args_for(w, user, id);
    struct caller c;

    args.by.session.lsid = lsid;
    start_checkout_with(w, &args, &c);
    world_settle(w);
    assert_checkout_ok(&c);
}

static const struct session_ended_args poll_end = {.lsid = LSID, .source = SESSION_END_POLL, .site = "pra1"};
static const struct session_ended_args event_end = {
    .lsid = LSID, .source = SESSION_END_EVENT, .site = "pra1", .timeout_ms = 5000};

/* A listing, then the cursor. If the cursor is on disk, so is the end. */
TEST(a_cursor_never_covers_an_end_that_is_not_on_disk)
{
    bool all = false;

    for (long k = 0; k < MOST && !all; k++) {
        struct world w;
        int64_t cursor;

        world_start_stored(&w);
        hold(&w, "alice", "s1", LSID);
        fails_at = k;
        assert_int_equal(broker_end_session(w.broker, &poll_end), 1);
        int err = broker_pra_cursor_save(w.broker, "pra1", 1000);

        all = fails_at >= 0;
        fails_at = -1;
        assert_true(!all || err == 0);
        fake_clock_run(&w.clock, w.timers, 25);
        world_crash(&w, 0, 8);
        if (broker_pra_cursor_load(w.broker, "pra1", &cursor))
            assert_int_equal(world_state(&w).leases_active, 0);
        (void)broker_end_session(w.broker, &poll_end);
        world_advance(&w, A_MINUTE);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
    assert_true(all);
}

static void on_ended(void *arg, const struct session_ended_answer *a)
{
    (void)a;
    ++*(int *)arg;
}

static void on_started(void *arg)
{
    ++*(int *)arg;
}

/* NULL, or one answer; and the next attempt works. */
TEST(an_event_and_a_start_without_memory)
{
    bool all[2] = {false, false};

    for (long k = 0; k < 2L * MOST && !(all[0] && all[1]); k++) {
        bool is_start = k % 2;
        struct started_args start = {.by = {person_session("alice", "s1"), 5000}};
        struct world w;
        int answers = 0;

        start.by.session.lsid = LSID;
        world_start_stored(&w);
        hold(&w, "alice", "s1", is_start ? NULL : LSID);
        fails_at = k / 2;
        const struct op *op = is_start ? broker_session_started(w.broker, &start, on_started, &answers)
                                       : broker_session_ended(w.broker, &event_end, on_ended, &answers);

        all[is_start] = all[is_start] || fails_at >= 0;
        fails_at = -1;
        world_advance(&w, A_MINUTE);
        assert_int_equal(answers, op != NULL);
        if (is_start) {
            assert_non_null(broker_session_started(w.broker, &start, on_started, &answers));
            world_advance(&w, A_MINUTE);
        }
        (void)broker_end_session(w.broker, &poll_end);
        assert_int_equal(world_state(&w).leases_active, 0);
        world_advance(&w, A_MINUTE);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        assert_int_equal(fake_store_count(w.store), 0);
        world_end(&w);
    }
    assert_true(all[0] && all[1]);
}

/* The caller learns of a request that is kept, and of no other. */
TEST(a_request_that_cannot_be_kept_is_not_named)
{
    bool all = false;

    for (long k = 0; k < MOST && !all; k++) {
        struct world w;
        struct caller c;

        case_label("allocation %ld fails", k);
        world_init(&w);
        world_add_store(&w);
        w.vault.accounts[0].approval = true;
        w.vault.conf.approval_wait_ms = HOURS(4);
        world_start(&w);
        start_checkout(&w, "alice", "s1", &c);
        world_run_until(&w, FAKE_CREDENTIAL);
        fails_at = k;
        fake_vault_deliver(&w.vault, 0);
        all = fails_at >= 0;
        fails_at = -1;
        world_settle(&w);
        assert_int_equal(c.code, FAULT_APPROVAL_PENDING);
        assert_int_equal(world_state(&w).leases_pending, c.kept_id != 0);
        assert_true(!all || c.kept_id == w.vault.requests[0].id);
        world_advance(&w, c.kept_id ? HOURS(5) : MINUTES(1));
        assert_int_equal(fake_store_count(w.store), 0);
        assert_int_equal(fake_vault_live(&w.vault), 0);
        world_end(&w);
    }
    assert_true(all);
}

/* Each check-out of a cluster notes its user. */
TEST(a_user_who_is_known_is_noted_without_memory)
{
    struct world w;

    world_init(&w);
    world_add_store(&w);
    fake_store_share(w.store, NULL, "g0");
    world_start(&w);
    struct leases *ls = w.broker->leases;

    known_users_note(ls, &w.vault.vault, "alice");
    known_users_note(ls, &w.vault.vault, "bob");
    fails_at = 0;
    known_users_note(ls, &w.vault.vault, "alice");
    known_users_note(ls, &w.vault.vault, "bob");
    assert_int_equal(fails_at, 0);                 /* none was asked for */
    known_users_note(ls, &w.vault.vault, "carol"); /* is not known then */
    assert_int_equal(fails_at, -1);
    assert_int_equal(known_users_watch_all(ls), 2);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_never_covers_an_end_that_is_not_on_disk),
        cmocka_unit_test(an_event_and_a_start_without_memory),
        cmocka_unit_test(a_request_that_cannot_be_kept_is_not_named),
        cmocka_unit_test(a_user_who_is_known_is_noted_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
