/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of lists: known accounts, policies, and the bounds of it all. */
#include "check.h"

#include "lists_rig.h"

static const char root[] = "l.1.11.0";

static bool knows(struct rig *rig, const char *user, const char *key)
{
    struct account_list *hold = NULL;
    const struct account *row = account_lists_known(rig->lists, &rig->vault.vault, user, key, &hold);

    if (row)
        assert_string_equal(row->key, key);
    account_list_unref(hold);
    return row != NULL;
}

TEST(remembers_what_a_user_was_shown)
{
    struct client c = {0};
    struct rig rig;

    rig_start_plain(&rig);
    assert_false(knows(&rig, "CORP\\bob", root));
    start_read(&rig, &c, &web);
    rig_settle(&rig);
    assert_true(knows(&rig, "CORP\\bob", root));
    assert_false(knows(&rig, "CORP\\alice", root));
    assert_false(knows(&rig, "CORP\\bob", "d.1.11.0"));
    assert_false(knows(&rig, "CORP\\bob", "l.1.11.3"));
    fake_clock_run(&rig.clock, rig.timers, KNOWN - 1);
    assert_true(knows(&rig, "CORP\\bob", root));
    fake_clock_run(&rig.clock, rig.timers, 1);
    assert_false(knows(&rig, "CORP\\bob", root));
    rig_end(&rig);
}

TEST(a_held_row_outlives_the_memory)
{
    struct account_list *hold = NULL;
    const struct account *row;
    struct client c = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c, &web);
    rig_settle(&rig);
    row = account_lists_known(rig.lists, &rig.vault.vault, "CORP\\bob", root, &hold);
    assert_non_null(row);
    rig_end(&rig);
    assert_string_equal(row->account, "root");
    account_list_unref(hold);
}

TEST(bounds_lists_by_use)
{
    static const char *const systems[] = {"web01", "web02", "s3", "s4"};
    struct client c = {0};
    struct rig rig;

    rig_start(&rig, (struct account_lists_opts){.list_cache_ms = CACHE, .known_ms = KNOWN, .max_entries = 3});
    for (size_t i = 0; i < 4; i++) {
        start_read(&rig, &c, &(struct account_query){.kind = KIND_LOCAL, .system = systems[i]});
        rig_settle(&rig);
        start_read(&rig, &c, &web); /* in use all the time */
        rig_settle(&rig);
    }
    assert_int_equal(rig.vault.count[FAKE_LIST], 4);
    start_read(&rig, &c, &(struct account_query){.kind = KIND_LOCAL, .system = "s3"});
    rig_settle(&rig);
    assert_int_equal(rig.vault.count[FAKE_LIST], 4);
    start_read(&rig, &c,
               &(struct account_query){.kind = KIND_LOCAL, .system = "web02"}); /* least used: gone */
    rig_settle(&rig);
    assert_int_equal(rig.vault.count[FAKE_LIST], 5);
    rig_end(&rig);
}

TEST(bounds_rows_in_all)
{
    static const char second[] = "l.2.21.0";
    static const struct account_query all = {.kind = KIND_LOCAL},
                                      web2 = {.kind = KIND_LOCAL, .system = "web02"};
    struct client c = {0};
    struct rig rig;

    rig_start(&rig, (struct account_lists_opts){.list_cache_ms = CACHE, .known_ms = KNOWN, .max_known = 2});
    start_read(&rig, &c, &web); /* two rows */
    rig_settle(&rig);
    start_read(&rig, &c, &web2); /* a third one */
    rig_settle(&rig);
    assert_false(knows(&rig, "CORP\\bob", root));
    assert_true(knows(&rig, "CORP\\bob", second));
    start_read(&rig, &c, &all); /* three at once are never kept, and push no other out */
    rig_settle(&rig);
    assert_int_equal(c.rows, 3);
    assert_false(knows(&rig, "CORP\\bob", root));
    assert_true(knows(&rig, "CORP\\bob", second));
    for (int i = 0; i < 20; i++) { /* what goes makes room again */
        start_read(&rig, &c, i % 2 ? &web : &web2);
        rig_settle(&rig);
    }
    assert_true(knows(&rig, "CORP\\bob", root));
    start_read(&rig, &c, &web2);
    rig_settle(&rig);
    assert_int_equal(start_read_as(&rig, &c, "CORP\\alice", &web2, 1000), 0);
    rig_settle(&rig);
    assert_true(knows(&rig, "CORP\\bob", second));
    assert_true(knows(&rig, "CORP\\alice", second));
    rig_end(&rig);
}

TEST(remembers_policies)
{
    const struct vault_policy policy = {.available = true, .ticket = true};
    struct vault_policy got = {0};
    char key[32];
    struct rig rig;

    rig_start(&rig, (struct account_lists_opts){.known_ms = KNOWN, .max_known = 3});
    assert_int_equal(
        account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", root, &got),
        POLICY_NOT_ASKED);
    account_facts_learn_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", root, &policy);
    assert_int_equal(
        account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", root, &got),
        POLICY_KNOWN);
    assert_true(got.ticket && got.available && !got.reason && !got.approval);
    assert_int_equal(account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bo", root, &got),
                     POLICY_NOT_ASKED);
    for (int i = 100; i < 103; i++) {
        (void)snprintf(key, sizeof key, "l.1.%d.0", i);
        account_facts_learn_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &policy);
    }
    assert_int_equal(
        account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", root, &got),
        POLICY_NOT_ASKED);
    fake_clock_run(&rig.clock, rig.timers, KNOWN - 1);
    assert_int_equal(account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &got),
                     POLICY_KNOWN);
    fake_clock_run(&rig.clock, rig.timers, 1);
    assert_int_equal(account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &got),
                     POLICY_NOT_ASKED);
    account_facts_learn_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &policy);
    assert_int_equal(account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &got),
                     POLICY_KNOWN);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_what_a_user_was_shown),
        cmocka_unit_test(a_held_row_outlives_the_memory),
        cmocka_unit_test(bounds_lists_by_use),
        cmocka_unit_test(bounds_rows_in_all),
        cmocka_unit_test(remembers_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
