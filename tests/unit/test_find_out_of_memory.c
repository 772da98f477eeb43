/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out: each allocation of the reading half fails once. Whatever fails, nothing leaks,
 * nothing is called twice, and the next attempt works. The linker puts the functions below between the code
 * and malloc.
 */
#include "check.h"

#include "broker/find/endpoint_rows.h"
#include "broker/find/find_rows.h"
#include "broker/lists/account_facts.h"
#include "broker/lists/account_list_cache.h"
#include "find_rig.h"

#include <stdlib.h>
#include <string.h>

static long fails_at = -1; /* allocations until one fails; -1 = none does */

static bool fails(void)
{
    return fails_at >= 0 && fails_at-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return fails() ? NULL : __real_strndup(text, n);
}

static const struct session session = {
    .username = "bob", .hostname = "web01.acme.test", .ip_address = "10.0.0.5", .application = "App"};

struct client {
    unsigned answers;
    struct fault fault;
};

static void on_found(void *arg, const struct find_answer *answer)
{
    struct client *client = arg;

    client->answers++;
    client->fault = answer->fault ? *answer->fault : (struct fault){0};
}

static void on_searched(void *arg, const struct endpoints_answer *answer)
{
    struct client *client = arg;

    client->answers++;
    client->fault = answer->fault ? *answer->fault : (struct fault){0};
}

static struct op *begin(struct rig *rig, struct client *client, bool find)
{
    struct asked_by by = {.session = session, .timeout_ms = SECONDS(5)};
    struct endpoints_args endpoints_args = {.by = by, .rdp = true, .query = "w"};

    return find ? broker_find(&rig->broker, &by, on_found, client)
                : broker_endpoints(&rig->broker, &endpoints_args, on_searched, client);
}

/* Not begun (NULL), or begun and answered once: with rows, or with the fault of the vault that could not be
 * asked. */
TEST(an_op_begins_or_not)
{
    for (int find = 0; find < 2; find++) {
        long at = 0;
        for (bool reached = true; reached; at++) {
            struct client c = {0};
            struct rig rig;
            struct op *op;
            rig_start(&rig, 1);
            fake_vault_add(&rig.vault[0], 1, 11, "web01", "root", "x");
            fails_at = at;
            op = begin(&rig, &c, find);
            reached = fails_at < 0;
            fails_at = -1;
            rig_settle(&rig);
            assert_int_equal(c.answers, op ? 1 : 0);
            if (reached && op)
                assert_int_equal(c.fault.code, FAULT_INTERNAL);
            if (!reached)
                assert_int_equal(c.fault.code, FAULT_NONE);
            rig_end(&rig);
        }
        assert_in_range(at, 10, 500);
    }
}

static struct account_list *one_row(void)
{
    struct account_list *list = account_list_new();
    struct account row = {.key = "l.1.11.0",
                          .kind = KIND_LOCAL,
                          .system_id = 1,
                          .account_id = 11,
                          .system = "web01",
                          .account = "root"};

    assert_non_null(list);
    assert_int_equal(account_list_add(list, &row), 0);
    return list;
}

TEST(rows_are_made_or_not)
{
    struct conf_vault conf = {.name = "main"};
    struct vault vault = {.conf = &conf};
    struct fanout_query asks[1] = {0};
    struct fanout_vault target = {.vault = &vault, .state = FANOUT_ANSWERED, .queries = asks, .n = 1};
    struct vault_fanout fanout = {.vault = &target, .n = 1};
    struct endpoint_filter wish = {.rdp = true, .query = "", .limit = 9};

    asks[0].wait.accounts = one_row();
    for (long at = 0; at < 14; at++) {
        struct find_rows rows;
        struct endpoint_rows endpoints;
        int err;
        fails_at = at;
        err = find_rows_make(&fanout, &session, NULL, &rows);
        assert_int_equal(err != 0, fails_at < 0);
        find_rows_free(&rows);
        fails_at = at;
        err = endpoint_rows_make(&fanout, &wish, &endpoints);
        assert_int_equal(err != 0, fails_at < 0);
        endpoint_rows_free(&endpoints);
        fails_at = -1;
    }
    account_list_unref(asks[0].wait.accounts);
}

/* What could not be kept is simply not there. */
TEST(memories_keep_or_not)
{
    static const struct account_query query = {.kind = KIND_LOCAL, .system = "web01"};
    static const char account[] = "l.1.11.0";
    const struct vault_policy policy = {.available = true};
    struct fake_clock clock;
    struct vault vault = {0};

    fake_clock_init(&clock);
    for (long at = 0; at < 9; at++) {
        struct account_list_cache_opts opts = {
            .clock = &clock.clock, .fresh_ms = 10, .keep_ms = 10, .max_entries = 9, .max_rows = 9};
        struct account_list_cache *lists = account_list_cache_new(&opts);
        struct account_facts facts;
        struct list_key *key = list_key_new(&vault, "bob", &query),
                        *again = list_key_new(&vault, "bob", &query);
        struct account_list *rows = one_row();
        struct vault_policy got;
        uint64_t age;
        assert_true(lists && key && again);
        account_facts_init(&facts, &clock.clock, 10, 9);
        fails_at = at;
        account_list_cache_put(lists, key, rows);
        assert_int_equal(fails_at < 0, account_list_cache_get(lists, again, &age) == NULL);
        fails_at = at;
        account_facts_learn_policy(&facts, &vault, "bob", account, &policy);
        if (fails_at < 0)
            assert_int_equal(account_facts_policy(&facts, &vault, "bob", account, &got), POLICY_NOT_ASKED);
        fails_at = -1;
        account_list_cache_put(lists, again, rows);
        account_facts_learn_policy(&facts, &vault, "bob", account, &policy);
        assert_int_equal(account_facts_policy(&facts, &vault, "bob", account, &got), POLICY_KNOWN);
        account_list_unref(rows);
        account_list_cache_free(lists);
        account_facts_clear(&facts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_op_begins_or_not),
        cmocka_unit_test(rows_are_made_or_not),
        cmocka_unit_test(memories_keep_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
