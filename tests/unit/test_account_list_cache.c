/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of lists: known accounts, policies, and the bounds of it all. */
#include "check.h"

#include "lists_rig.h"

static const struct credential_ref root = {
    .vault = "main", .kind = KIND_LOCAL, .system_id = 1, .account_id = 11};

static bool knows(struct world *w, const char *user, const struct credential_ref *ref)
{
    struct account_list *hold = NULL;
    const struct account *row = account_lists_known(w->lists, &w->vault.vault, user, ref, &hold);

    if (row)
        assert_int_equal(row->account_id, ref->account_id);
    account_list_unref(hold);
    return row != NULL;
}

TEST(remembers_what_a_user_was_shown)
{
    struct credential_ref other;
    struct client c = {0};
    struct world w;

    start_default(&w);
    assert_false(knows(&w, "CORP\\bob", &root));
    ask(&w, &c, &web);
    run(&w);
    assert_true(knows(&w, "CORP\\bob", &root));
    assert_false(knows(&w, "CORP\\alice", &root));
    other = root;
    other.kind = KIND_DOMAIN_LINKED;
    assert_false(knows(&w, "CORP\\bob", &other));
    other = root;
    other.application_id = 3;
    assert_false(knows(&w, "CORP\\bob", &other));
    fake_clock_run(&w.clock, w.timers, KNOWN - 1);
    assert_true(knows(&w, "CORP\\bob", &root));
    fake_clock_run(&w.clock, w.timers, 1);
    assert_false(knows(&w, "CORP\\bob", &root));
    stop(&w);
}

TEST(a_held_row_outlives_the_memory)
{
    struct account_list *hold = NULL;
    const struct account *row;
    struct client c = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c, &web);
    run(&w);
    row = account_lists_known(w.lists, &w.vault.vault, "CORP\\bob", &root, &hold);
    assert_non_null(row);
    stop(&w);
    assert_string_equal(row->account, "root");
    account_list_unref(hold);
}

TEST(bounds_lists_by_use)
{
    static const char *const systems[] = {"web01", "web02", "s3", "s4"};
    struct client c = {0};
    struct world w;

    start(&w, (struct account_lists_opts){.list_cache_ms = CACHE, .known_ms = KNOWN, .max_entries = 3});
    for (size_t i = 0; i < 4; i++) {
        ask(&w, &c, &(struct account_query){.kind = KIND_LOCAL, .system = systems[i]});
        run(&w);
        ask(&w, &c, &web); /* in use all the time */
        run(&w);
    }
    assert_int_equal(w.vault.count[FAKE_LIST], 4);
    ask(&w, &c, &(struct account_query){.kind = KIND_LOCAL, .system = "s3"});
    run(&w);
    assert_int_equal(w.vault.count[FAKE_LIST], 4);
    ask(&w, &c, &(struct account_query){.kind = KIND_LOCAL, .system = "web02"}); /* least used: gone */
    run(&w);
    assert_int_equal(w.vault.count[FAKE_LIST], 5);
    stop(&w);
}

TEST(bounds_rows_in_all)
{
    static const struct credential_ref second = {.kind = KIND_LOCAL, .system_id = 2, .account_id = 21};
    static const struct account_query all = {.kind = KIND_LOCAL},
                                      web2 = {.kind = KIND_LOCAL, .system = "web02"};
    struct client c = {0};
    struct world w;

    start(&w, (struct account_lists_opts){.list_cache_ms = CACHE, .known_ms = KNOWN, .max_known = 2});
    ask(&w, &c, &web); /* two rows */
    run(&w);
    ask(&w, &c, &web2); /* a third one */
    run(&w);
    assert_false(knows(&w, "CORP\\bob", &root));
    assert_true(knows(&w, "CORP\\bob", &second));
    ask(&w, &c, &all); /* three at once are never kept, and push nobody out */
    run(&w);
    assert_int_equal(c.rows, 3);
    assert_false(knows(&w, "CORP\\bob", &root));
    assert_true(knows(&w, "CORP\\bob", &second));
    for (int i = 0; i < 20; i++) { /* what goes makes room again */
        ask(&w, &c, i % 2 ? &web : &web2);
        run(&w);
    }
    assert_true(knows(&w, "CORP\\bob", &root));
    ask(&w, &c, &web2);
    run(&w);
    assert_int_equal(ask_as(&w, &c, "CORP\\alice", &web2, 1000), 0);
    run(&w);
    assert_true(knows(&w, "CORP\\bob", &second));
    assert_true(knows(&w, "CORP\\alice", &second));
    stop(&w);
}

TEST(remembers_policies)
{
    const struct vault_policy policy = {.available = true, .ticket = true};
    struct vault_policy got = {0};
    struct credential_ref ref = root;
    struct world w;

    start(&w, (struct account_lists_opts){.known_ms = KNOWN, .max_known = 3});
    assert_false(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &root, &got));
    account_lists_learn_policy(w.lists, &w.vault.vault, "bob", &root, &policy);
    assert_true(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &root, &got));
    assert_true(got.ticket && got.available && !got.reason && !got.approval);
    assert_false(account_lists_known_policy(w.lists, &w.vault.vault, "bo", &root, &got));
    for (ref.account_id = 100; ref.account_id < 103; ref.account_id++)
        account_lists_learn_policy(w.lists, &w.vault.vault, "bob", &ref, &policy);
    assert_false(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &root, &got));
    ref.account_id = 102;
    fake_clock_run(&w.clock, w.timers, KNOWN - 1);
    assert_true(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &ref, &got));
    fake_clock_run(&w.clock, w.timers, 1);
    assert_false(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &ref, &got));
    account_lists_learn_policy(w.lists, &w.vault.vault, "bob", &ref, &policy);
    assert_true(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &ref, &got));
    stop(&w);
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
