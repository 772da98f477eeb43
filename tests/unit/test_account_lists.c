/* SPDX-License-Identifier: Apache-2.0 */
/* Shared reads: coalescing, cache ages, failures, deadlines, leaving at each point. */
#include "check.h"

#include "lists_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TEST(equal_reads_cost_one_call)
{
    struct world w;
    struct client c[5] = {0};
    struct account_lists_stats stats;

    start_default(&w);
    for (size_t i = 0; i < 5; i++)
        ask(&w, &c[i], &web);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    run(&w);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(c[i].answers, 1);
        assert_int_equal(c[i].wait.result, VAULT_OK);
        assert_int_equal(c[i].rows, 2);
        assert_int_equal(c[i].wait.age_ms, 0);
    }
    account_lists_stats(w.lists, &stats);
    assert_int_equal(stats.reads, 1);
    assert_int_equal(stats.coalesced, 4);
    stop(&w);
}

TEST(different_questions_are_different)
{
    static const struct account_query q[] = {
        {.kind = KIND_LOCAL, .system = "a"},
        {.kind = KIND_DATABASE, .system = "a"},
        {.kind = KIND_LOCAL, .system = "A"},
        {.kind = KIND_LOCAL, .ip = "a"},
        {.kind = KIND_LOCAL, .application = "a"},
        {.kind = KIND_LOCAL, .system = ""},
        {.kind = KIND_LOCAL},
        {.kind = KIND_LOCAL, .recent = true},
        {.kind = KIND_LOCAL, .system_id = 1},
        {.kind = KIND_LOCAL, .system = "a", .ip = "b"},
        {.kind = KIND_LOCAL, .system = "ab"},
    };
    enum { N = sizeof(q) / sizeof(q[0]) };
    struct client c[N + 1] = {0};
    struct fake_vault other;
    struct world w;

    start_default(&w);
    for (size_t i = 0; i < N; i++)
        ask(&w, &c[i], &q[i]);
    assert_int_equal(ask_as(&w, &c[N], "CORP\\alice", &q[0], 1000), 0);
    assert_int_equal(w.vault.count[FAKE_LIST], N + 1);
    run(&w);
    fake_vault_init(&other, &w.clock.clock);
    assert_int_equal(account_lists_get(w.lists, &other.vault, "CORP\\bob", &q[0], &c[0].wait), 0);
    assert_int_equal(other.count[FAKE_LIST], 1);
    account_lists_leave(w.lists, &c[0].wait);
    assert_int_equal(other.cancelled, 1);
    stop(&w);
}

/* A person is one however the name is spelled in ASCII case, and the vault sees the first spelling. */
TEST(every_spelling_of_a_user_shares)
{
    const struct credential_ref ref = {.system_id = 1, .account_id = 11, .kind = KIND_LOCAL};
    const struct vault_policy policy = {.available = true, .ticket = true};
    struct account_list *hold = NULL;
    struct vault_policy known;
    struct client c[4] = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c[0], &web); /* CORP\\bob */
    assert_int_equal(ask_as(&w, &c[1], "corp\\BOB", &web, 1000), 0);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    run(&w);
    assert_int_equal(c[1].rows, 2);
    assert_string_equal(w.vault.last_user, "CORP\\bob");
    assert_int_equal(ask_as(&w, &c[2], "Corp\\Bob", &web, 1000), 0);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    run(&w);
    assert_int_equal(c[2].wait.source, LIST_FROM_CACHE);
    assert_non_null(account_lists_known(w.lists, &w.vault.vault, "CORP\\BOB", &ref, &hold));
    account_list_unref(hold);
    account_lists_learn_policy(w.lists, &w.vault.vault, "CORP\\bob", &ref, &policy);
    assert_true(account_lists_known_policy(w.lists, &w.vault.vault, "corp\\Bob", &ref, &known));
    assert_true(known.ticket);

    assert_int_equal(ask_as(&w, &c[3],
                            "CORP\\b\xc3\xb6"
                            "b",
                            &web, 1000),
                     0);
    run(&w);
    assert_int_equal(ask_as(&w, &c[3],
                            "CORP\\b\xc3\x96"
                            "b",
                            &web, 1000),
                     0); /* another person */
    assert_int_equal(w.vault.count[FAKE_LIST], 3);
    run(&w);
    assert_null(account_lists_known(w.lists, &w.vault.vault, "bob", &ref, &hold));
    assert_false(account_lists_known_policy(w.lists, &w.vault.vault, "bob", &ref, &known));
    stop(&w);
}

TEST(cache_tells_its_age)
{
    struct client c = {0};
    struct account_lists_stats stats;
    struct world w;

    start_default(&w);
    ask(&w, &c, &web);
    run(&w);
    fake_clock_run(&w.clock, w.timers, CACHE - 1);
    ask(&w, &c, &web);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    run(&w);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.wait.age_ms, CACHE - 1);
    fake_clock_run(&w.clock, w.timers, 1);
    ask(&w, &c, &web);
    assert_int_equal(w.vault.count[FAKE_LIST], 2);
    run(&w);
    assert_int_equal(c.wait.age_ms, 0);
    account_lists_stats(w.lists, &stats);
    assert_int_equal(stats.hits, 1);
    stop(&w);
}

TEST(empty_lists_are_cached)
{
    struct client c = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c, &none);
    run(&w);
    ask(&w, &c, &none);
    run(&w);
    assert_int_equal(c.rows, 0);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    fake_clock_run(&w.clock, w.timers, CACHE);
    ask(&w, &c, &none);
    assert_int_equal(w.vault.count[FAKE_LIST], 2);
    run(&w);
    stop(&w);
}

TEST(no_cache_still_shares)
{
    struct client c[2] = {0};
    struct world w;

    start(&w, (struct account_lists_opts){.list_cache_ms = 0, .known_ms = KNOWN});
    ask(&w, &c[0], &web);
    ask(&w, &c[1], &web);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    run(&w);
    ask(&w, &c[0], &web);
    assert_int_equal(w.vault.count[FAKE_LIST], 2);
    run(&w);
    assert_int_equal(c[0].wait.age_ms, 0);
    stop(&w);
}

static enum fake_fault first_fails(void *arg, enum fake_op op, unsigned nth)
{
    (void)op;
    return nth == 0 ? *(enum fake_fault *)arg : FAKE_FINE;
}

TEST(auth_failures_are_shared_and_not_kept)
{
    static const struct {
        enum fake_fault fault;
        enum vault_result result;
    } row[] = {
        {FAKE_UNREACHABLE, VAULT_FAILED}, {FAKE_USER_REFUSED, VAULT_REFUSED}, {FAKE_DENIED, VAULT_DENIED}};

    for (size_t r = 0; r < 3; r++) {
        enum fake_fault fault = row[r].fault;
        struct client c[3] = {0};
        struct world w;
        start_default(&w);
        w.vault.plan = first_fails;
        w.vault.plan_arg = &fault;
        for (size_t i = 0; i < 3; i++)
            ask(&w, &c[i], &web);
        run(&w);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(c[i].answers, 1);
            assert_int_equal(c[i].wait.result, row[r].result);
            assert_true(fault_is_set(&c[i].wait.fault));
        }
        ask(&w, &c[0], &web);
        assert_int_equal(w.vault.count[FAKE_LIST], 2);
        run(&w);
        assert_int_equal(c[0].wait.result, VAULT_OK);
        assert_false(fault_is_set(&c[0].wait.fault));
        stop(&w);
    }
}

TEST(what_cannot_start_never_answers)
{
    enum fake_fault fault = FAKE_CANNOT_START;
    struct client c = {0};
    struct world w;

    start_default(&w);
    w.vault.plan = first_fails;
    w.vault.plan_arg = &fault;
    assert_int_equal(ask_as(&w, &c, "CORP\\bob", &web, 10), -EAGAIN);
    account_lists_leave(w.lists, &c.wait);
    fake_clock_run(&w.clock, w.timers, 100);
    assert_int_equal(c.answers, 0);
    ask(&w, &c, &web);
    run(&w);
    assert_int_equal(c.answers, 1);
    stop(&w);
}

TEST(each_waiter_has_its_own_deadline)
{
    struct client c[3] = {0};
    struct world w;

    start_default(&w);
    assert_int_equal(ask_as(&w, &c[0], "CORP\\bob", &web, 100), 0);
    assert_int_equal(ask_as(&w, &c[1], "CORP\\bob", &web, 300), 0);
    assert_true(TAILQ_FIRST(&w.vault.calls)->call->timeout_ms >= 600000); /* not the first waiter's */
    fake_clock_run(&w.clock, w.timers, 100);
    assert_int_equal(c[0].answers, 1);
    assert_int_equal(c[0].wait.result, VAULT_FAILED);
    assert_int_equal(c[0].wait.fault.code, FAULT_DEADLINE_EXCEEDED);
    assert_int_equal(c[1].answers, 0);
    assert_int_equal(w.vault.cancelled, 0);
    /* One that joins late may wait longer than those who began. */
    assert_int_equal(ask_as(&w, &c[2], "CORP\\bob", &web, 900), 0);
    fake_clock_run(&w.clock, w.timers, 200);
    assert_int_equal(c[1].answers, 1);
    assert_int_equal(w.vault.cancelled, 0);
    fake_clock_run(&w.clock, w.timers, 500);
    run(&w);
    assert_int_equal(c[2].wait.result, VAULT_OK);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    /* The last deadline takes the call with it. */
    assert_int_equal(ask_as(&w, &c[0], "CORP\\bob", &none, 100), 0);
    fake_clock_run(&w.clock, w.timers, 100);
    assert_int_equal(c[0].answers, 1);
    assert_int_equal(w.vault.cancelled, 1);
    stop(&w);
}

TEST(the_last_to_leave_cancels)
{
    struct client c[3] = {0};
    struct world w;

    start_default(&w);
    for (size_t i = 0; i < 3; i++)
        ask(&w, &c[i], &web);
    account_lists_leave(w.lists, &c[1].wait);
    account_lists_leave(w.lists, &c[1].wait);
    account_lists_leave(w.lists, &c[0].wait);
    assert_int_equal(w.vault.cancelled, 0);
    account_lists_leave(w.lists, &c[2].wait);
    assert_int_equal(w.vault.cancelled, 1);
    assert_int_equal(fake_vault_pending(&w.vault), 0);
    assert_int_equal(timers_count(w.timers), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c[i].answers, 0);
    stop(&w);
}

TEST(leaving_a_hit_on_its_way)
{
    struct client c[2] = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c[0], &web);
    run(&w);
    ask(&w, &c[0], &web);
    ask(&w, &c[1], &web);
    account_lists_leave(w.lists, &c[0].wait);
    run(&w);
    assert_int_equal(c[0].answers, 0);
    assert_int_equal(c[1].answers, 1);
    account_lists_leave(w.lists, &c[1].wait); /* after the answer: nothing */
    ask(&w, &c[1], &web);                     /* on its way when all ends */
    stop(&w);
    assert_int_equal(c[1].answers, 0);
}

TEST(leaving_inside_an_answer)
{
    struct client c[4] = {0};
    struct world w;

    for (size_t who = 0; who < 4; who++)
        for (size_t whom = 0; whom < 4; whom++) {
            memset(c, 0, sizeof(c));
            start_default(&w);
            for (size_t i = 0; i < 4; i++)
                ask(&w, &c[i], &web);
            c[who].leaves = &c[whom];
            run(&w);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(c[i].answers, whom > who && i == whom ? 0 : 1);
            assert_int_equal(w.vault.cancelled, 0);
            stop(&w);
        }
}

TEST(asking_inside_an_answer)
{
    enum fake_fault fault = FAKE_UNREACHABLE;
    struct client c[2] = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c[0], &web);
    c[0].asks_again = true;
    run(&w); /* the cache answers the second time */
    assert_int_equal(c[0].answers, 2);
    assert_int_equal(w.vault.count[FAKE_LIST], 1);
    stop(&w);

    start_default(&w);
    w.vault.plan = first_fails;
    w.vault.plan_arg = &fault;
    ask(&w, &c[0], &web);
    ask(&w, &c[1], &web);
    c[0].asks_again = true;
    run(&w); /* a new call, which the other waiter of the failed one is not part of */
    assert_int_equal(c[0].answers, 2);
    assert_int_equal(c[0].wait.result, VAULT_OK);
    assert_int_equal(c[1].answers, 1);
    assert_int_equal(c[1].wait.result, VAULT_FAILED);
    assert_int_equal(w.vault.count[FAKE_LIST], 2);
    stop(&w);
}

TEST(ending_with_waiters)
{
    struct client c[3] = {0};
    struct world w;

    start_default(&w);
    ask(&w, &c[0], &web);
    ask(&w, &c[1], &web);
    ask(&w, &c[2], &none);
    account_lists_free(w.lists);
    assert_int_equal(w.vault.cancelled, 2);
    w.lists = NULL;
    stop(&w);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c[i].answers, 0);
}

/* Random coming, going, answering and time passing, against a count of who is owed an answer. */
static void random_walk(unsigned seed)
{
    static const char *const systems[] = {"web01", "web02", "nothing"};
    struct client c[12] = {0};
    bool waiting[12] = {0};
    struct world w;

    start(&w,
          (struct account_lists_opts){.list_cache_ms = 50, .known_ms = 80, .max_entries = 2, .max_known = 3});
    srand(seed);
    for (int step = 0; step < 400; step++) {
        size_t i = (size_t)rand() % 12;
        struct account_query query = {.kind = KIND_LOCAL, .system = systems[rand() % 3]};
        waiting[i] = waiting[i] && c[i].answers == 0;
        switch (rand() % 4) {
        case 0:
            if (!waiting[i])
                waiting[i] = ask_as(&w, &c[i], "CORP\\bob", &query, 1 + (uint64_t)rand() % 60) == 0;
            break;
        case 1:
            account_lists_leave(w.lists, &c[i].wait);
            waiting[i] = false;
            break;
        case 2:
            if (fake_vault_pending(&w.vault))
                fake_vault_deliver(&w.vault, (size_t)rand() % fake_vault_pending(&w.vault));
            break;
        default: fake_clock_run(&w.clock, w.timers, (uint64_t)rand() % 20);
        }
    }
    for (size_t i = 0; i < 12; i++)
        assert_in_range(c[i].answers, 0, 1);
    fake_clock_run(&w.clock, w.timers, 100);
    for (size_t i = 0; i < 12; i++)
        if (waiting[i])
            assert_int_equal(c[i].answers, 1);
    stop(&w);
}

TEST(survives_random_walks)
{
    for (unsigned seed = 1; seed <= 60; seed++)
        random_walk(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_reads_cost_one_call),
        cmocka_unit_test(different_questions_are_different),
        cmocka_unit_test(every_spelling_of_a_user_shares),
        cmocka_unit_test(cache_tells_its_age),
        cmocka_unit_test(empty_lists_are_cached),
        cmocka_unit_test(no_cache_still_shares),
        cmocka_unit_test(auth_failures_are_shared_and_not_kept),
        cmocka_unit_test(what_cannot_start_never_answers),
        cmocka_unit_test(each_waiter_has_its_own_deadline),
        cmocka_unit_test(the_last_to_leave_cancels),
        cmocka_unit_test(leaving_a_hit_on_its_way),
        cmocka_unit_test(leaving_inside_an_answer),
        cmocka_unit_test(asking_inside_an_answer),
        cmocka_unit_test(ending_with_waiters),
        cmocka_unit_test(survives_random_walks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
