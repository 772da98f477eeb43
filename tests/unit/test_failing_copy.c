/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_copy.c - each call to SQLite, to the system and for memory fails once while the leases of a
 * gateway are moved from its file into etcd, and back.
 *
 * A command that fails says why. No row is lost then: the source has them all until the target has, and a
 * gateway can use one end at most. The same command once more completes the move.
 */
#include "check.h"
#include "copy_rig.h"
#include "failing_calls.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <string.h>

/* One command in which calls fail. */
static int run_failing(bool into_etcd, const char *flag)
{
    copy_rig.before = failing_calls_start;
    copy_rig.after = failing_calls_stop;
    int code = copy_run(into_etcd, flag);

    copy_rig.before = copy_rig.after = NULL;
    return code;
}

/* With nothing failing. */
static void succeed(bool into_etcd)
{
    int code = copy_run(into_etcd, NULL);

    if (code)
        fail_msg("the copy does not complete: %s", copy_rig.err);
}

static void check_moved_in(void)
{
    assert_int_equal(copy_mark().state, MOVE_GONE);
    assert_null(copy_get("c/moved"));
    assert_string_equal(copy_get("c/tag"), "abcde");
    copy_check_etcd();
    succeed(true);
    assert_non_null(strstr(copy_rig.out, "before"));
    copy_check_etcd();
}

static void check_moved_out(void)
{
    const struct store_move mark = copy_mark();

    assert_int_equal(mark.state, MOVE_CAME);
    assert_string_equal(mark.tag, "abcde");
    assert_non_null(strstr(copy_get("c/moved"), "gone"));
    copy_check_file();
    succeed(false);
    assert_non_null(strstr(copy_rig.out, "before"));
    copy_check_file();
}

/* ---- scenarios ---- */

static void into_etcd(void)
{
    copy_begin();
    copy_fill_file();
    copy_put("m/g2", "O{}"); /* a gateway that was killed */
    if (run_failing(true, NULL)) {
        bool usable = copy_mark().state != MOVE_GONE;

        if (usable)
            copy_check_file();
        else
            copy_check_etcd();
        /* No gateway enters before the file is left. */
        if (usable && copy_get("c/tag"))
            assert_non_null(copy_get("c/moved"));
    }
    succeed(true);
    check_moved_in();
    assert_null(copy_get("m/g2"));
    copy_end();
}

static void out_of_etcd(void)
{
    copy_begin();
    copy_fill_file();
    succeed(true);
    copy_lose_file();
    if (run_failing(false, NULL)) {
        const char *moved = copy_get("c/moved");

        copy_check_etcd();
        if (copy_mark().state == MOVE_CAME) {
            assert_non_null(moved);
            copy_check_file();
        }
    }
    succeed(false);
    check_moved_out();
    copy_end();
}

static void looked_at(void)
{
    copy_begin();
    copy_fill_file();
    int64_t before = fake_etcd_revision(copy_rig.etcd);

    if (!run_failing(true, "--dry-run"))
        assert_non_null(strstr(copy_rig.out, "would move 5 vault request(s)"));
    assert_int_equal(fake_etcd_revision(copy_rig.etcd), before);
    copy_check_file();
    assert_int_equal(copy_mark().state, MOVE_NONE);
    succeed(true);
    before = fake_etcd_revision(copy_rig.etcd);
    (void)run_failing(false, "--dry-run");
    (void)run_failing(true, "--json");
    assert_null(strstr(copy_rig.err, "another store"));
    assert_int_equal(fake_etcd_revision(copy_rig.etcd), before);
    check_moved_in();
    copy_end();
}

/* Another gateway has written its key where there was time for it since the call before. */
static void writes_its_key(unsigned n)
{
    static uint64_t last_us;
    uint64_t now_us = clock_measure_us();
    char value[16];

    (void)snprintf(value, sizeof(value), "O%u", n);
    if (n > 1 && now_us - last_us > COPY_TTL_MS * 1000 / 2)
        copy_put("m/g2", value);
    last_us = clock_measure_us();
}

static void beside_a_gateway(void)
{
    copy_begin();
    copy_fill_file();
    copy_put("m/g2", "O0");
    copy_rig.on_call = writes_its_key;
    assert_int_not_equal(run_failing(true, NULL), 0);
    assert_non_null(copy_get("m/g2"));
    assert_null(copy_get("c/moved"));
    assert_int_equal(copy_mark().state, MOVE_NONE);
    copy_check_file();
    copy_rig.on_call = NULL;
    copy_put("m/g2", NULL);
    succeed(true);
    check_moved_in();
    copy_end();
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(into_etcd)
EACH(out_of_etcd)
EACH(looked_at)
EACH(beside_a_gateway)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_into_etcd),
        cmocka_unit_test(each_call_of_out_of_etcd),
        cmocka_unit_test(each_call_of_looked_at),
        cmocka_unit_test(each_call_of_beside_a_gateway),
    };

    json_init();
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
