/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conn_limits.c - limits for each peer: connections_of_a_peer_are_counted open at once, and failures to
 * log in.
 */
#include "check.h"

#include "fake_clock.h"
#include "handlers/auth_failures.h"
#include "loop/server/conn_limits.h"

#include <errno.h>
#include <stdio.h>

TEST(connections_of_a_peer_are_counted)
{
    struct conn_limits conn_limits = {0};
    struct conn_peer *first = NULL, *second = NULL, *other = NULL;

    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.1", 2, &first), 0);
    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.1", 2, &second), 0);
    assert_ptr_equal(first, second);
    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.1", 2, &second), -EAGAIN);
    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.2", 2, &other), 0);
    assert_ptr_not_equal(first, other);
    conn_limits_leave(&conn_limits, first);
    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.1", 2, &first), 0);
    assert_int_equal(conn_limits_enter(&conn_limits, "10.0.0.1", 0, &first), 0); /* no limit */
    conn_limits_leave(&conn_limits, other);
    for (int i = 0; i < 3; i++)
        conn_limits_leave(&conn_limits, first);
    assert_null(conn_limits.all);
}

static struct fake_clock fc;

static struct auth_failures *begin(void)
{
    struct auth_failures *fs;

    fake_clock_init(&fc);
    fs = auth_failures_new(&fc.clock);
    assert_non_null(fs);
    return fs;
}

TEST(a_minute_of_failures_then_one_at_a_time)
{
    struct auth_failures *fs = begin();

    for (int i = 0; i < 30; i++)
        assert_int_equal(auth_failures_take(fs, "a", 0.5), 0);
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 2);
    assert_int_equal(auth_failures_take(fs, "b", 0.5), 0);
    fake_clock_advance(&fc, SECONDS(1));
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 1);
    fake_clock_advance(&fc, SECONDS(1));
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 0);
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 2);
    fake_clock_advance(&fc, MINUTES(60)); /* full again, and not fuller */
    for (int i = 0; i < 30; i++)
        assert_int_equal(auth_failures_take(fs, "a", 0.5), 0);
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 2);
    auth_failures_free(fs);
}

TEST(without_a_limit_all_are_admitted)
{
    struct auth_failures *fs = begin();

    for (int i = 0; i < 1000; i++)
        assert_int_equal(auth_failures_take(fs, "a", 0), 0);
    assert_int_equal(auth_failures_count(fs), 0);
    auth_failures_free(fs);
}

/* What fills the log does not lock out who fails to log in, and the other way round. */
TEST(log_lines_have_a_bucket_of_their_own)
{
    struct auth_failures *fs = begin();

    for (int i = 0; i < 30; i++)
        assert_true(auth_failures_line(fs, "a", 0.5));
    assert_false(auth_failures_line(fs, "a", 0.5));
    assert_true(auth_failures_line(fs, "b", 0.5));
    for (int i = 0; i < 30; i++)
        assert_int_equal(auth_failures_take(fs, "a", 0.5), 0);
    assert_int_equal(auth_failures_take(fs, "a", 0.5), 2);
    fake_clock_advance(&fc, SECONDS(2));
    assert_true(auth_failures_line(fs, "a", 0.5));
    assert_false(auth_failures_line(fs, "a", 0.5));
    assert_true(auth_failures_line(fs, "a", 0)); /* without_a_limit_all_are_admitted */
    auth_failures_free(fs);
}

/* A a_slow_rate_admits_one rate still lets one through, and never says to come back after more than an hour.
 */
TEST(a_slow_rate_admits_one)
{
    struct auth_failures *fs = begin();

    assert_int_equal(auth_failures_take(fs, "a", 0.0001), 0);
    assert_int_equal(auth_failures_take(fs, "a", 0.0001), 3600);
    auth_failures_free(fs);
}

TEST(the_table_is_bounded)
{
    struct auth_failures *fs = begin();
    char name[32];

    for (int i = 0; i < AUTH_FAILURES_MAX + 100; i++) {
        snprintf(name, sizeof(name), "10.%d.%d.1", i / 256, i % 256);
        assert_int_equal(auth_failures_take(fs, name, 1.0 / 60), 0);
        assert_int_equal(auth_failures_take(fs, "busy", 1.0 / 60) > 0, i > 0);
    }
    assert_int_equal(auth_failures_count(fs), AUTH_FAILURES_MAX);
    assert_true(auth_failures_take(fs, "busy", 1.0 / 60) > 0); /* used all the time: not forgotten */
    assert_int_equal(auth_failures_take(fs, "10.0.0.1", 1.0 / 60), 0);
    auth_failures_free(fs);
}

/* More peers than are remembered come again and again: each brings a full bucket, and still there is an end.
 */
TEST(log_lines_of_all_peers_have_a_bucket)
{
    struct auth_failures *fs = begin();
    unsigned granted = 0;
    char name[32];

    for (int i = 0; i < 2 * (AUTH_FAILURES_MAX + 100); i++) {
        int peer = i % (AUTH_FAILURES_MAX + 100);

        snprintf(name, sizeof(name), "10.%d.%d.1", peer / 256, peer % 256);
        granted += auth_failures_line(fs, name, 2.0 / 60);
    }
    assert_int_equal(granted, 2 * AUTH_FAILURES_ALL);
    fake_clock_advance(&fc, SECONDS(30));
    for (int i = 0; i < 2 * AUTH_FAILURES_ALL; i++) {
        snprintf(name, sizeof(name), "10.1.%d.1", i);
        granted += auth_failures_line(fs, name, 2.0 / 60);
    }
    assert_int_equal(granted, 3 * AUTH_FAILURES_ALL);
    auth_failures_free(fs);
}

/* Who is over its own bucket takes nothing from the others. */
TEST(one_peer_leaves_log_lines_to_others)
{
    struct auth_failures *fs = begin();

    for (int i = 0; i < 1000; i++)
        assert_true(auth_failures_line(fs, "a", 2.0 / 60) == (i < 2));
    assert_true(auth_failures_line(fs, "b", 2.0 / 60));
    auth_failures_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_of_a_peer_are_counted),
        cmocka_unit_test(a_minute_of_failures_then_one_at_a_time),
        cmocka_unit_test(log_lines_have_a_bucket_of_their_own),
        cmocka_unit_test(without_a_limit_all_are_admitted),
        cmocka_unit_test(a_slow_rate_admits_one),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(log_lines_of_all_peers_have_a_bucket),
        cmocka_unit_test(one_peer_leaves_log_lines_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
