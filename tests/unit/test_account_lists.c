/* SPDX-License-Identifier: Apache-2.0 */
/* Shared reads: coalescing, cache ages, failures, deadlines, leaving at each point. */
#include "check.h"

#include "lists_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TEST(equal_reads_cost_one_call)
{
    struct rig rig;
    struct client c[5] = {0};
    struct account_lists_stats stats;

    rig_start_plain(&rig);
    for (size_t i = 0; i < 5; i++)
        start_read(&rig, &c[i], &web);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_settle(&rig);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(c[i].answers, 1);
        assert_int_equal(c[i].wait.result, VAULT_OK);
        assert_int_equal(c[i].rows, 2);
        assert_int_equal(c[i].wait.age_ms, 0);
    }
    account_lists_stats(rig.lists, &stats);
    assert_int_equal(stats.reads, 1);
    assert_int_equal(stats.coalesced, 4);
    rig_end(&rig);
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
    struct rig rig;

    rig_start_plain(&rig);
    for (size_t i = 0; i < N; i++)
        start_read(&rig, &c[i], &q[i]);
    assert_int_equal(start_read_as(&rig, &c[N], "CORP\\alice", &q[0], 1000), 0);
    assert_int_equal(rig.vault.count[FAKE_LIST], N + 1);
    rig_settle(&rig);
    fake_vault_init(&other, &rig.clock.clock);
    assert_int_equal(account_lists_get(rig.lists, &other.vault, "CORP\\bob", &q[0], &c[0].wait), 0);
    assert_int_equal(other.count[FAKE_LIST], 1);
    account_lists_leave(rig.lists, &c[0].wait);
    assert_int_equal(other.cancelled, 1);
    rig_end(&rig);
}

/* A person is one however the name is spelled in ASCII case, and the vault sees the first spelling. */
TEST(every_spelling_of_a_user_shares)
{
    static const char key[] = "l.1.11.0";
    const struct vault_policy policy = {.available = true, .ticket = true};
    struct account_list *hold = NULL;
    struct vault_policy known;
    struct client c[4] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c[0], &web); /* CORP\\bob */
    assert_int_equal(start_read_as(&rig, &c[1], "corp\\BOB", &web, 1000), 0);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_settle(&rig);
    assert_int_equal(c[1].rows, 2);
    assert_string_equal(rig.vault.last_user, "CORP\\bob");
    assert_int_equal(start_read_as(&rig, &c[2], "Corp\\Bob", &web, 1000), 0);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_settle(&rig);
    assert_int_equal(c[2].wait.source, LIST_FROM_CACHE);
    assert_non_null(account_lists_known(rig.lists, &rig.vault.vault, "CORP\\BOB", key, &hold));
    account_list_unref(hold);
    account_facts_learn_policy(account_lists_facts(rig.lists), &rig.vault.vault, "CORP\\bob", key, &policy);
    assert_int_equal(
        account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "corp\\Bob", key, &known),
        POLICY_KNOWN);
    assert_true(known.ticket);

    assert_int_equal(start_read_as(&rig, &c[3],
                                   "CORP\\b\xc3\xb6"
                                   "b",
                                   &web, 1000),
                     0);
    rig_settle(&rig);
    assert_int_equal(start_read_as(&rig, &c[3],
                                   "CORP\\b\xc3\x96"
                                   "b",
                                   &web, 1000),
                     0); /* another person */
    assert_int_equal(rig.vault.count[FAKE_LIST], 3);
    rig_settle(&rig);
    assert_null(account_lists_known(rig.lists, &rig.vault.vault, "bob", key, &hold));
    assert_int_equal(
        account_facts_policy(account_lists_facts(rig.lists), &rig.vault.vault, "bob", key, &known),
        POLICY_NOT_ASKED);
    rig_end(&rig);
}

TEST(cache_tells_its_age)
{
    struct client c = {0};
    struct account_lists_stats stats;
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c, &web);
    rig_settle(&rig);
    fake_clock_run(&rig.clock, rig.timers, CACHE - 1);
    start_read(&rig, &c, &web);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_settle(&rig);
    assert_int_equal(c.answers, 1);
    assert_int_equal(c.rows, 2);
    assert_int_equal(c.wait.age_ms, CACHE - 1);
    fake_clock_run(&rig.clock, rig.timers, 1);
    start_read(&rig, &c, &web);
    assert_int_equal(rig.vault.count[FAKE_LIST], 2);
    rig_settle(&rig);
    assert_int_equal(c.wait.age_ms, 0);
    account_lists_stats(rig.lists, &stats);
    assert_int_equal(stats.hits, 1);
    rig_end(&rig);
}

TEST(empty_lists_are_cached)
{
    struct client c = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c, &none);
    rig_settle(&rig);
    start_read(&rig, &c, &none);
    rig_settle(&rig);
    assert_int_equal(c.rows, 0);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    fake_clock_run(&rig.clock, rig.timers, CACHE);
    start_read(&rig, &c, &none);
    assert_int_equal(rig.vault.count[FAKE_LIST], 2);
    rig_settle(&rig);
    rig_end(&rig);
}

TEST(no_cache_still_shares)
{
    struct client c[2] = {0};
    struct rig rig;

    rig_start(&rig, (struct account_lists_opts){.list_cache_ms = 0, .known_ms = KNOWN});
    start_read(&rig, &c[0], &web);
    start_read(&rig, &c[1], &web);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_settle(&rig);
    start_read(&rig, &c[0], &web);
    assert_int_equal(rig.vault.count[FAKE_LIST], 2);
    rig_settle(&rig);
    assert_int_equal(c[0].wait.age_ms, 0);
    rig_end(&rig);
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
        case_label("%s", fake_fault_name(row[r].fault));
        enum fake_fault fault = row[r].fault;
        struct client c[3] = {0};
        struct rig rig;
        rig_start_plain(&rig);
        rig.vault.plan = first_fails;
        rig.vault.plan_arg = &fault;
        for (size_t i = 0; i < 3; i++)
            start_read(&rig, &c[i], &web);
        rig_settle(&rig);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(c[i].answers, 1);
            assert_int_equal(c[i].wait.result, row[r].result);
            assert_true(fault_is_set(&c[i].wait.fault));
        }
        start_read(&rig, &c[0], &web);
        assert_int_equal(rig.vault.count[FAKE_LIST], 2);
        rig_settle(&rig);
        assert_int_equal(c[0].wait.result, VAULT_OK);
        assert_false(fault_is_set(&c[0].wait.fault));
        rig_end(&rig);
    }
}

TEST(what_cannot_start_never_answers)
{
    enum fake_fault fault = FAKE_CANNOT_START;
    struct client c = {0};
    struct rig rig;

    rig_start_plain(&rig);
    rig.vault.plan = first_fails;
    rig.vault.plan_arg = &fault;
    assert_int_equal(start_read_as(&rig, &c, "CORP\\bob", &web, 10), -EAGAIN);
    account_lists_leave(rig.lists, &c.wait);
    fake_clock_run(&rig.clock, rig.timers, 100);
    assert_int_equal(c.answers, 0);
    start_read(&rig, &c, &web);
    rig_settle(&rig);
    assert_int_equal(c.answers, 1);
    rig_end(&rig);
}

TEST(each_waiter_has_its_own_deadline)
{
    struct client c[3] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    assert_int_equal(start_read_as(&rig, &c[0], "CORP\\bob", &web, 100), 0);
    assert_int_equal(start_read_as(&rig, &c[1], "CORP\\bob", &web, 300), 0);
    assert_true(TAILQ_FIRST(&rig.vault.calls)->call->timeout_ms >= MINUTES(10)); /* not the first waiter's */
    fake_clock_run(&rig.clock, rig.timers, 100);
    assert_int_equal(c[0].answers, 1);
    assert_int_equal(c[0].wait.result, VAULT_FAILED);
    assert_int_equal(c[0].wait.fault.code, FAULT_DEADLINE_EXCEEDED);
    assert_int_equal(c[1].answers, 0);
    assert_int_equal(rig.vault.cancelled, 0);
    /* One that joins late may wait longer than those who began. */
    assert_int_equal(start_read_as(&rig, &c[2], "CORP\\bob", &web, 900), 0);
    fake_clock_run(&rig.clock, rig.timers, 200);
    assert_int_equal(c[1].answers, 1);
    assert_int_equal(rig.vault.cancelled, 0);
    fake_clock_run(&rig.clock, rig.timers, 500);
    rig_settle(&rig);
    assert_int_equal(c[2].wait.result, VAULT_OK);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    /* The last deadline takes the call with it. */
    assert_int_equal(start_read_as(&rig, &c[0], "CORP\\bob", &none, 100), 0);
    fake_clock_run(&rig.clock, rig.timers, 100);
    assert_int_equal(c[0].answers, 1);
    assert_int_equal(rig.vault.cancelled, 1);
    rig_end(&rig);
}

TEST(the_last_to_leave_cancels)
{
    struct client c[3] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    for (size_t i = 0; i < 3; i++)
        start_read(&rig, &c[i], &web);
    account_lists_leave(rig.lists, &c[1].wait);
    account_lists_leave(rig.lists, &c[1].wait);
    account_lists_leave(rig.lists, &c[0].wait);
    assert_int_equal(rig.vault.cancelled, 0);
    account_lists_leave(rig.lists, &c[2].wait);
    assert_int_equal(rig.vault.cancelled, 1);
    assert_int_equal(fake_vault_pending(&rig.vault), 0);
    assert_int_equal(timers_count(rig.timers), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c[i].answers, 0);
    rig_end(&rig);
}

TEST(leaving_a_hit_on_its_way)
{
    struct client c[2] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c[0], &web);
    rig_settle(&rig);
    start_read(&rig, &c[0], &web);
    start_read(&rig, &c[1], &web);
    account_lists_leave(rig.lists, &c[0].wait);
    rig_settle(&rig);
    assert_int_equal(c[0].answers, 0);
    assert_int_equal(c[1].answers, 1);
    account_lists_leave(rig.lists, &c[1].wait); /* after the answer: nothing */
    start_read(&rig, &c[1], &web);              /* on its way when all ends */
    rig_end(&rig);
    assert_int_equal(c[1].answers, 0);
}

TEST(leaving_inside_an_answer)
{
    struct client c[4] = {0};
    struct rig rig;

    for (size_t who = 0; who < 4; who++)
        for (size_t whom = 0; whom < 4; whom++) {
            memset(c, 0, sizeof(c));
            rig_start_plain(&rig);
            for (size_t i = 0; i < 4; i++)
                start_read(&rig, &c[i], &web);
            c[who].leaves = &c[whom];
            rig_settle(&rig);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(c[i].answers, whom > who && i == whom ? 0 : 1);
            assert_int_equal(rig.vault.cancelled, 0);
            rig_end(&rig);
        }
}

TEST(asking_inside_an_answer)
{
    enum fake_fault fault = FAKE_UNREACHABLE;
    struct client c[2] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c[0], &web);
    c[0].asks_again = true;
    rig_settle(&rig); /* the cache answers the second time */
    assert_int_equal(c[0].answers, 2);
    assert_int_equal(rig.vault.count[FAKE_LIST], 1);
    rig_end(&rig);

    rig_start_plain(&rig);
    rig.vault.plan = first_fails;
    rig.vault.plan_arg = &fault;
    start_read(&rig, &c[0], &web);
    start_read(&rig, &c[1], &web);
    c[0].asks_again = true;
    rig_settle(&rig); /* a new call, which the other waiter of the failed one is not part of */
    assert_int_equal(c[0].answers, 2);
    assert_int_equal(c[0].wait.result, VAULT_OK);
    assert_int_equal(c[1].answers, 1);
    assert_int_equal(c[1].wait.result, VAULT_FAILED);
    assert_int_equal(rig.vault.count[FAKE_LIST], 2);
    rig_end(&rig);
}

TEST(ending_with_waiters)
{
    struct client c[3] = {0};
    struct rig rig;

    rig_start_plain(&rig);
    start_read(&rig, &c[0], &web);
    start_read(&rig, &c[1], &web);
    start_read(&rig, &c[2], &none);
    account_lists_free(rig.lists);
    assert_int_equal(rig.vault.cancelled, 2);
    rig.lists = NULL;
    rig_end(&rig);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c[i].answers, 0);
}

/* Random coming, going, answering and time passing, against a count of who is owed an answer. */
static void random_walk(unsigned seed)
{
    static const char *const systems[] = {"web01", "web02", "nothing"};
    struct client c[12] = {0};
    bool waiting[12] = {0};
    struct rig rig;

    rig_start(&rig, (struct account_lists_opts){
                        .list_cache_ms = 50, .known_ms = 80, .max_entries = 2, .max_known = 3});
    srand(seed);
    for (int step = 0; step < 400; step++) {
        size_t i = (size_t)rand() % 12;
        struct account_query query = {.kind = KIND_LOCAL, .system = systems[rand() % 3]};
        waiting[i] = waiting[i] && c[i].answers == 0;
        switch (rand() % 4) {
        case 0:
            if (!waiting[i])
                waiting[i] = start_read_as(&rig, &c[i], "CORP\\bob", &query, 1 + (uint64_t)rand() % 60) == 0;
            break;
        case 1:
            account_lists_leave(rig.lists, &c[i].wait);
            waiting[i] = false;
            break;
        case 2:
            if (fake_vault_pending(&rig.vault))
                fake_vault_deliver(&rig.vault, (size_t)rand() % fake_vault_pending(&rig.vault));
            break;
        default: fake_clock_run(&rig.clock, rig.timers, (uint64_t)rand() % 20);
        }
    }
    for (size_t i = 0; i < 12; i++)
        assert_in_range(c[i].answers, 0, 1);
    fake_clock_run(&rig.clock, rig.timers, 100);
    for (size_t i = 0; i < 12; i++)
        if (waiting[i])
            assert_int_equal(c[i].answers, 1);
    rig_end(&rig);
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
