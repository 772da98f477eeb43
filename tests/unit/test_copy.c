/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_copy.c - `jumpgate store copy` where it must not begin or cannot go on: targets with rows, moves of
 * others that are not complete, damage, versions that are newer, and answers of etcd that are lost.
 */
#include "check.h"
#include "copy_rig.h"

#include "base/json.h"
#include "base/log.h"
#include "commands/line/command_table.h"
#include "stores/state_lock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)state;
    copy_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    copy_end();
    return 0;
}

static void succeed(bool into_etcd)
{
    int code = copy_run(into_etcd, NULL);

    if (code)
        fail_msg("the copy does not complete: %s", copy_rig.err);
}

/* Nothing is written then, in a dry run either. */
static void refuse(bool into_etcd, const char *why)
{
    static const char *const flags[] = {NULL, "--dry-run"};

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        int64_t before = fake_etcd_revision(copy_rig.etcd);
        enum move_state mark = copy_mark().state;

        assert_int_equal(copy_run(into_etcd, flags[i]), EXIT_FAILED);
        if (!strstr(copy_rig.err, why))
            fail_msg("%s: instead of \"%s\": %s", flags[i] ? flags[i] : "", why, copy_rig.err);
        assert_int_equal(fake_etcd_revision(copy_rig.etcd), before);
        assert_int_equal(copy_mark().state, mark);
    }
}

/* ---- the target ---- */

TEST(a_target_has_no_rows_of_its_own)
{
    copy_fill_file();
    copy_put("r/a/b", "P{}");
    refuse(true, "has 1 rows of its own");
    copy_check_file();
    copy_put("r/a/b", NULL);
    succeed(true);
    copy_sql("DELETE FROM store_move");
    refuse(false, "has 7 rows of its own");
    copy_check_etcd();
}

TEST(a_move_of_another_source_is_completed_first)
{
    static const struct {
        const char *moved;
        bool into;
        const char *why;
    } row[] = {
        {"{\"k\":\"in\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", true, "from /a/leases.db is not complete"},
        {"{\"k\":\"out\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", true, "to /a/leases.db is not complete"},
        {"{\"k\":\"in\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", false, "from /a/leases.db is not complete"},
        {"{\"k\":\"out\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", false, "to /a/leases.db is not complete"},
        {"{\"k\":\"gone\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", false, "were moved to /a/leases.db"},
        {"{\"k\":\"aside\",\"i\":\"x\",\"w\":\"/a/leases.db\"}", true, "of a version that this one does not"},
        {"{\"k\":\"in\",\"i\":\"longer than any id that there can be\"}", true, "of a version that this one"},
        {"{\"k\":\"in\",\"w\":7}", false, "from  is not complete"},
        {"no JSON", false, "of a version that this one does not"},
    };

    copy_fill_file();
    for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
        case_label("%s, %s", row[i].moved, row[i].into ? "into" : "out of");
        copy_put("c/tag", "fghjk");
        copy_put("c/moved", row[i].moved);
        refuse(row[i].into, row[i].why);
    }
    copy_check_file();
}

TEST(rows_that_were_moved_away_are_replaced)
{
    copy_fill_file();
    copy_put("c/tag", "fghjk");
    copy_put("c/moved", "{\"k\":\"gone\",\"i\":\"x\",\"w\":\"/a/leases.db\"}");
    copy_put("r/main/1", "H{}");
    copy_put("d/g7@3", "{}");
    succeed(true);
    assert_null(copy_get("r/main/1"));
    assert_null(copy_get("d/g7@3"));
    assert_string_equal(copy_get("c/tag"), "fghjk"); /* the cluster's stays */
    copy_check_etcd();
}

TEST(leases_come_back_into_the_file_that_they_have_left)
{
    copy_fill_file();
    succeed(true);
    succeed(false);
    copy_check_file();
    assert_int_equal(copy_mark().state, MOVE_CAME);
    succeed(true);
    copy_check_etcd();
    copy_lose_file();
    succeed(false);
    copy_check_file();
}

TEST(a_file_is_moved_to_one_cluster)
{
    copy_fill_file();
    succeed(true);
    copy_put("c/tag", "fghjk"); /* which makes it another one */
    refuse(true, "which is another store than");
}

TEST(a_gateway_that_lives_keeps_its_rows)
{
    char why[STATE_LOCK_WHY];

    copy_fill_file();
    int lock = state_lock(copy_rig.dir, NULL, why);

    assert_true(lock >= 0);
    refuse(true, "in use");
    assert_int_equal(close(lock), 0);
    succeed(true);
    copy_check_etcd();
}

TEST(without_consent_nothing_is_copied)
{
    copy_fill_file();
    assert_int_equal(copy_run(true, "--yes"), EXIT_FAILED);
    assert_string_equal(copy_rig.err, "jumpgate: nothing was copied\n");
    assert_int_equal(copy_mark().state, MOVE_NONE);
    succeed(true);
    assert_int_equal(copy_run(false, "--yes"), EXIT_FAILED);
    copy_check_etcd();
}

/* ---- versions and damage ---- */

TEST(a_newer_version_is_left_alone)
{
    copy_fill_file();
    copy_put("c/schema", "2");
    refuse(true, "schema is of another version");
    refuse(false, "schema is of another version");
    copy_put("c/schema", NULL);
    copy_sql("PRAGMA user_version = 99");
    refuse(true, "newer version");
    copy_put("c/tag", "fghjk");
    refuse(false, "newer version");
}

static void write_garbage(void)
{
    FILE *f = fopen(copy_rig.file, "w");

    assert_non_null(f);
    for (int i = 0; i < 4096; i++)
        assert_int_not_equal(fputc('x', f), EOF);
    assert_int_equal(fclose(f), 0);
}

TEST(a_file_that_cannot_be_read_is_not_copied)
{
    refuse(true, "there is no lease store in");
    copy_fill_file();
    copy_sql("UPDATE vault_request SET state = 64 WHERE state = 1");
    refuse(true, "leases.db");
    copy_sql("UPDATE vault_request SET state = 1 WHERE state = 64");
    copy_sql("UPDATE lease SET ended = 64");
    refuse(true, "leases.db");
    copy_sql("UPDATE lease SET ended = 0");
    copy_check_file();
    write_garbage();
    refuse(true, "leases.db");
    assert_int_equal(unlink(copy_rig.file), 0);
    assert_int_equal(mkdir(copy_rig.file, 0700), 0);
    refuse(true, "leases.db");
}

TEST(rows_of_etcd_that_cannot_be_read_are_not_left_out)
{
    static const char *const keys[] = {"r/main/9", "i/a/b/c", "s/a/b", "p/g1/site", "p/g9/site"};

    refuse(false, "no gateway has used");
    copy_fill_file();
    succeed(true);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char *kept = copy_get(keys[i]) ? strdup(copy_get(keys[i])) : NULL;

        case_label("%s", keys[i]);
        copy_put(keys[i], "X{\"o\":");
        refuse(false, "cannot be read");
        copy_put(keys[i], kept);
        free(kept);
    }
    succeed(false);
    copy_check_file();
}

static void add_member(void *arg, const char *key, const char *value)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "%.*s,\"zn\":7}", (int)strlen(value) - 1, value);
    fake_etcd_put(copy_rig.etcd, key, text);
    ++*(unsigned *)arg;
}

/* The file has no place for them. */
TEST(members_of_a_newer_version_are_counted_on_the_way_into_a_file)
{
    unsigned n = 0;
    char text[80];

    copy_fill_file();
    succeed(true);
    assert_null(strstr(copy_rig.out, "does not know"));
    fake_etcd_each(copy_rig.etcd, COPY_PREFIX "s/", add_member, &n);
    fake_etcd_each(copy_rig.etcd, COPY_PREFIX "i/", add_member, &n);
    assert_int_equal(n, 3);
    succeed(false);
    (void)snprintf(text, sizeof(text), "%u row(s) have members that this version does not know", n);
    assert_non_null(strstr(copy_rig.out, text));
    copy_check_file();
}

TEST(two_rows_of_one_vault_request_are_not_copied)
{
    copy_fill_file();
    copy_sql("UPDATE vault_request SET name = '17' WHERE state = 2");
    assert_int_equal(copy_run(true, NULL), EXIT_FAILED);
    assert_non_null(strstr(copy_rig.err, "two of them are of one vault request"));
    assert_int_equal(copy_mark().state, MOVE_BEGUN); /* the rows are here */
    copy_sql("UPDATE vault_request SET name = '19' WHERE state = 2");
    succeed(true);
    copy_check_etcd();
}

TEST(a_lease_without_its_request_is_left_out)
{
    copy_fill_file();
    copy_sql("INSERT INTO lease SELECT 'none', 'x', lsid, ended, ended_site, username, domain, session,"
             " credential, system, account, created_ms, 0 FROM lease LIMIT 1");
    succeed(true);
    assert_non_null(strstr(copy_rig.out, "1 lease(s) were left out"));
    copy_check_etcd();
}

/* ---- etcd ---- */

static void lose_each_answer(bool into, bool before)
{
    unsigned n = 0, calls;

    do {
        copy_begin();
        copy_fill_file();
        if (!into)
            succeed(true);
        case_label("%s, call %u is lost %s", into ? "into" : "out of", n + 1, before ? "whole" : "half");
        copy_rig.lost = ++n;
        copy_rig.lost_before = before;
        int code = copy_run(into, NULL);

        calls = copy_rig.calls;
        copy_rig.lost = 0;
        assert_int_equal(code != 0, n <= calls);
        if (code)
            assert_non_null(strstr(copy_rig.err, "run the same command once more"));
        succeed(into);
        if (into)
            copy_check_etcd();
        else
            copy_check_file();
        assert_int_equal(copy_mark().state, into ? MOVE_GONE : MOVE_CAME);
        if (n <= calls)
            copy_end();
    } while (n <= calls);
    assert_in_range(calls, 5, 100);
}

TEST(an_answer_that_is_lost_costs_a_second_command)
{
    for (int turn = 0; turn < 4; turn++) {
        copy_end();
        lose_each_answer(turn & 1, turn & 2);
    }
}

/* Another program takes c/moved away before this call. */
static unsigned taken_at;
static bool was_taken;

static void take_the_lock(unsigned n)
{
    if (n != taken_at || !copy_get("c/moved"))
        return;
    copy_put("c/moved", NULL);
    was_taken = true;
}

TEST(a_lock_that_is_lost_ends_the_copy)
{
    unsigned taken = 0;

    for (taken_at = 1, copy_rig.calls = 1; taken_at <= copy_rig.calls; taken_at++) {
        copy_end();
        copy_begin();
        copy_fill_file();
        case_label("before call %u", taken_at);
        copy_rig.on_call = take_the_lock;
        was_taken = false;
        int code = copy_run(true, NULL);

        assert_int_equal(code != 0, was_taken);
        copy_rig.on_call = NULL;
        taken += was_taken;
        if (copy_mark().state == MOVE_GONE)
            copy_check_etcd();
        else
            copy_check_file();
    }
    assert_in_range(taken, 4, 100);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_target_has_no_rows_of_its_own),
        T(a_move_of_another_source_is_completed_first),
        T(rows_that_were_moved_away_are_replaced),
        T(leases_come_back_into_the_file_that_they_have_left),
        T(a_file_is_moved_to_one_cluster),
        T(a_gateway_that_lives_keeps_its_rows),
        T(without_consent_nothing_is_copied),
        T(a_newer_version_is_left_alone),
        T(a_file_that_cannot_be_read_is_not_copied),
        T(rows_of_etcd_that_cannot_be_read_are_not_left_out),
        T(two_rows_of_one_vault_request_are_not_copied),
        T(a_lease_without_its_request_is_left_out),
        T(members_of_a_newer_version_are_counted_on_the_way_into_a_file),
        T(an_answer_that_is_lost_costs_a_second_command),
        T(a_lock_that_is_lost_ends_the_copy),
    };

    json_init();
    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
