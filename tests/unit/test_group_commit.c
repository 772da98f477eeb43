/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_group_commit.c - when a commit begins: alone at once, in a crowd together, unawaited later.
 */
#include "base/queue/group_commit.h"
#include "check.h"
#include "fake_clock.h"

#define LINGER_MS 25

static struct fake_clock now;
static struct timers *timers;
static struct group_commit g;
static unsigned flights;
static bool empty; /* go() finds nothing */

static bool on_commit(struct group_commit *which)
{
    assert_ptr_equal(which, &g);
    flights += !empty;
    return !empty;
}

static int setup(void **state)
{
    (void)state;
    fake_clock_init(&now);
    timers = timers_new(&now.clock);
    assert_non_null(timers);
    g = (struct group_commit){.timers = timers, .commit = on_commit, .delay_ms = LINGER_MS};
    flights = 0;
    empty = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    group_commit_stop(&g);
    assert_int_equal(timers_count(timers), 0);
    timers_free(timers);
    return 0;
}

static void add(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        group_commit_add(&g, true);
}

TEST(a_single_write_never_waits)
{
    for (unsigned i = 1; i < 10; i++) {
        add(1);
        assert_int_equal(flights, i);
        group_commit_done(&g);
        assert_int_equal(flights, i);
    }
}

TEST(writes_at_once_share_a_commit)
{
    add(1 + 3); /* one is committed, three come meanwhile: four are expected */
    assert_int_equal(flights, 1);
    group_commit_done(&g);
    assert_int_equal(flights, 1); /* the one committed may come again */
    add(1);
    assert_int_equal(flights, 2); /* and has: no other is expected */
    group_commit_done(&g);
    add(3);
    assert_int_equal(flights, 2);
    fake_clock_run(&now, timers, GROUP_COMMIT_WAIT_MS);
    assert_int_equal(flights, 3); /* the fourth has not come again */
    group_commit_done(&g);
    add(3);
    assert_int_equal(flights, 4); /* and is no longer expected */
}

TEST(an_unawaited_write_waits_for_others)
{
    group_commit_add(&g, false);
    fake_clock_run(&now, timers, LINGER_MS - 1);
    assert_int_equal(flights, 0);
    group_commit_add(&g, false); /* the first one's time counts */
    fake_clock_run(&now, timers, 1);
    assert_int_equal(flights, 1);
    group_commit_done(&g);
    fake_clock_run(&now, timers, 10 * LINGER_MS);
    assert_int_equal(flights, 1);
}

TEST(an_unawaited_write_goes_with_the_next_commit)
{
    group_commit_add(&g, false);
    add(1);
    assert_int_equal(flights, 1);
    group_commit_add(&g, false); /* too late for that one */
    group_commit_done(&g);
    fake_clock_run(&now, timers, LINGER_MS);
    assert_int_equal(flights, 2);
}

/* Awaited writes do not wait for as long as an unawaited one before them. */
TEST(an_awaited_write_waits_less_than_an_unawaited_one)
{
    add(2);
    group_commit_done(&g); /* one is done, one waits, two are expected */
    group_commit_add(&g, false);
    fake_clock_run(&now, timers, GROUP_COMMIT_WAIT_MS);
    assert_int_equal(flights, 2);
    group_commit_done(&g);
    group_commit_add(&g, false);
    fake_clock_run(&now, timers, GROUP_COMMIT_WAIT_MS);
    assert_int_equal(flights, 2);
}

TEST(one_commit_at_a_time)
{
    add(1);
    group_commit_add(&g, false);
    add(100);
    fake_clock_run(&now, timers, 10 * LINGER_MS);
    assert_int_equal(flights, 1);
    group_commit_done(&g);
    fake_clock_run(&now, timers, GROUP_COMMIT_WAIT_MS);
    assert_int_equal(flights, 2);
}

TEST(without_writes_there_is_no_commit)
{
    empty = true;
    add(1);
    empty = false;
    add(1);
    assert_int_equal(flights, 1);
}

TEST(after_stop_nothing_is_committed)
{
    add(1);
    add(5);
    group_commit_stop(&g);
    group_commit_done(&g);
    fake_clock_run(&now, timers, 10 * LINGER_MS);
    assert_int_equal(flights, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_single_write_never_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_at_once_share_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unawaited_write_waits_for_others, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unawaited_write_goes_with_the_next_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(an_awaited_write_waits_less_than_an_unawaited_one, setup, teardown),
        cmocka_unit_test_setup_teardown(one_commit_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(without_writes_there_is_no_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(after_stop_nothing_is_committed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
