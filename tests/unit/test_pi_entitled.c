/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_entitled.c - which accounts a session may use: the map, and what the vault lists of them.
 */
#include "pi_rig.h"

#include "backends/privileged_identity/internal.h"

#include <errno.h>
#include <stdlib.h>

#define LIST_ROWS                                                                                            \
    "[list_shared]\npath = ListShared\nbody = {\"T\":\"{token}\",\"L\":\"{list}\"}\n"                        \
    "[list_stored]\nmethod = GET\npath = ListStored\ntoken = header\n"

static struct rig_ask a, b;
static struct entitled_why why_a, why_b;

/* Of the call before nothing is left. */
static void want_why(void)
{
    free(why_a.sections);
    free(why_b.sections);
    why_a = why_b = (struct entitled_why){.told = false};
    a.call.why = &why_a;
    b.call.why = &why_b;
}

static int setup(void **state)
{
    (void)state;
    pi_rig_init();
    pi_ask_init(&a);
    pi_ask_init(&b);
    return 0;
}

static int teardown(void **state)
{
    pi_rig_teardown(state);
    ask_free(&a);
    ask_free(&b);
    want_why();
    return 0;
}

TEST(map_alone_decides_and_no_call_is_made)
{
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(a.done, 0);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(a.call.accounts->n, 2);
    const struct account *shared = &a.call.accounts->rows[0], *stored = &a.call.accounts->rows[1];
    assert_string_equal(shared->key, pi_account_key[PI_ADM1]);
    assert_int_equal(shared->kind, KIND_DOMAIN_LINKED);
    assert_string_equal(shared->account, "adm1");
    assert_string_equal(shared->domain, "CORP");
    assert_string_equal(shared->system, "corp.test");
    assert_string_equal(shared->description, "Domain admins");
    assert_string_equal(shared->username, "CORP\\adm1");
    assert_int_equal(stored->kind, KIND_LOCAL);
    assert_string_equal(stored->account, "root");
    assert_null(stored->domain);
    assert_string_equal(stored->system, "web1.corp.test");
    ask_again(&a, "");
    assert_int_equal(pi_entitled_all(&a, "bob", "web1"), 0);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(a.call.accounts->n, 0);
    assert_int_equal(rig.total, 0);
}

static void assert_why(const struct vault_call *call, const char *first, size_t by_user, size_t by_host,
                       size_t by_listing)
{
    const struct entitled_why *why = call->why;

    assert_true(why->told);
    assert_int_equal(why->nsections, why->named);
    assert_int_equal(why->named, PI_NACCESSES - by_user);
    assert_string_equal(why->sections ? why->sections : "", first);
    assert_int_equal(why->by_user, by_user);
    assert_int_equal(why->by_host, by_host);
    assert_int_equal(why->by_listing, by_listing);
    assert_int_equal(why->listed, call->accounts->n);
}

TEST(sections_and_what_they_left_out_are_told_where_wanted)
{
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    ask_again(&a, "");
    want_why();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    rig_advance(0);
    assert_why(&a.call, "adm1", 0, 0, 0);
    assert_string_equal(why_a.sections + sizeof("adm1"), "web1");
    assert_false(why_a.called);
    ask_again(&a, "");
    want_why();
    assert_int_equal(pi_entitled_all(&a, "ann", "web2"), 0);
    rig_advance(0);
    assert_why(&a.call, "adm1", 0, 2, 0);
    ask_again(&a, "");
    want_why();
    assert_int_equal(pi_entitled_all(&a, "bob", "web1"), 0);
    rig_advance(0);
    assert_why(&a.call, "", PI_NACCESSES, 0, 0);
}

/* Also where the question fails, and where a reload has taken the map. */
TEST(sections_are_told_beside_a_listing)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    want_why();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(pi_entitled_all(&b, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    pi_conf.naccesses = 1;
    pi_rig_reload();
    rig_answer(rig_call(0), 200, "[\"other\"]");
    rig_answer(rig_call(0), 200, "[\"root\"]");
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_why(&a.call, "adm1", 0, 0, 1);
    assert_true(why_a.called);
    ask_again(&a, "");
    want_why();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    rig_answer(rig_call(0), 500, "{\"Message\":\"Access denied\"}");
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_DENIED);
    assert_true(why_a.told && why_a.called);
    assert_string_equal(why_a.sections, "adm1");
}

TEST(one_account_is_given_denied_or_absent)
{
    static const struct {
        const char *user, *host;
        enum vault_result result;
        enum fault_code code;
    } cases[] = {{"ann", "web1", VAULT_OK, 0},
                 {"ANN", "WEB1", VAULT_OK, 0},
                 {"bob", "web1", VAULT_DENIED, FAULT_NOT_ENTITLED},
                 {"ann", "web2", VAULT_DENIED, FAULT_NOT_ENTITLED},
                 {"ann", NULL, VAULT_DENIED, FAULT_NOT_ENTITLED}};

    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(pi_entitled_to(&a, cases[i].user, cases[i].host, PI_WEB1), 0);
        rig_advance(0);
        assert_int_equal(a.done, 1);
        assert_int_equal(a.call.result, cases[i].result);
        assert_int_equal(a.call.fault.code, cases[i].code);
        assert_int_equal(a.call.accounts ? a.call.accounts->n : 0, cases[i].result == VAULT_OK);
        ask_again(&a, "");
    }
    (void)snprintf(pi_account_key[PI_ADM1], ACCOUNT_KEY_SIZE, "shared.00000000000000000000000000000000");
    assert_int_equal(pi_entitled_to(&a, "ann", "web1", PI_ADM1), 0);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_ABSENT);
    assert_int_equal(a.call.fault.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_int_equal(rig.total, 0);
}

TEST(username_and_label_of_the_section)
{
    pi_access_of[PI_WEB1].username = (char *)(uintptr_t) "toor";
    pi_access_of[PI_WEB1].label = (char *)(uintptr_t) "The web server";
    pi_rig_start();
    assert_int_equal(pi_entitled_to(&a, "ann", "web1", PI_WEB1), 0);
    rig_advance(0);
    assert_string_equal(a.call.accounts->rows[0].username, "toor");
    assert_string_equal(a.call.accounts->rows[0].label, "The web server");
}

static void list_both(const char *shared, const char *stored)
{
    for (int i = 0; i < 2; i++) {
        struct call *call = rig_call(0);

        assert_non_null(call);
        rig_answer(call, 200, strstr(rig.last_target, "ListShared") ? shared : stored);
    }
}

/* Both questions share the calls, and list_cache keeps their answers. */
TEST(listing_narrows_the_map_and_is_kept)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(pi_entitled_all(&b, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    assert_int_equal(rig_waiting(), 2);
    (void)rig_call(0);
    assert_contains(rig.last_body, "\"L\":\"Domain admins\"");
    assert_true(rig.last_safe);
    (void)rig_call(1);
    assert_string_equal(rig.last_method, "GET");
    assert_string_equal(rig.last_body, "");
    assert_contains(rig.last_headers, "AuthenticationToken: " PI_TOKEN_1);
    list_both("[{\"AccountName\":\"corp\\\\ADM1\"},{\"AccountName\":\"other\"}]", "[\"admin\"]");
    rig_advance(0);
    assert_int_equal(a.call.accounts->n, 1); /* `other` is in no section, root is not listed */
    assert_string_equal(a.call.accounts->rows[0].account, "adm1");
    assert_int_equal(b.call.accounts->n, 1);
    ask_again(&a, "");
    rig_advance(SECONDS(59));
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    rig_advance(0);
    assert_int_equal(a.call.accounts->n, 1);
    assert_int_equal(rig_waiting(), 0);
    ask_again(&a, "");
    rig_advance(SECONDS(1));
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    list_both("[]", "[\"root\"]");
    rig_advance(0);
    assert_string_equal(a.call.accounts->rows[0].account, "root");
    ask_again(&a, "");
    pi_rig_reload(); /* nothing is kept over it */
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(rig_waiting(), 2);
    list_both("[\"adm1\"]", "[\"root\"]");
    rig_advance(0);
    assert_int_equal(a.call.accounts->n, 2);
}

TEST(nothing_is_kept_where_list_cache_is_0)
{
    pi_conf.gateway.list_cache_ms = 0;
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
        if (!i)
            pi_sign_in(PI_TOKEN_1);
        list_both("[\"adm1\"]", "[\"root\"]");
        rig_advance(0);
        assert_int_equal(a.call.accounts->n, 2);
        ask_again(&a, "");
    }
}

TEST(listing_that_fails_fails_the_find)
{
    rig.conf.retries = 0;
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 500, "{\"Message\":\"Access denied\"}");
    rig_answer(rig_call(0), 200, "[\"root\"]"); /* it comes too late, and is kept */
    rig_advance(0);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result, VAULT_DENIED);
    assert_null(a.call.accounts);
    ask_again(&a, "");
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(rig_waiting(), 1);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_advance(SECONDS(2));
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_false(a.call.unknown);
}

/* What was read before the odd item is freed. */
TEST(list_with_an_item_that_is_no_name_fails_the_find)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    list_both("[\"adm1\",5]", "[\"root\"]");
    rig_advance(0);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_contains(a.call.fault.detail, "holds no list");
}

#define SYSTEMS (256 + 1) /* one more than are kept */

/* A stored credential each: all are on `all`, and each is on a host of its own. */
static void many_systems(void)
{
    static struct conf_access access[SYSTEMS];
    static char system[SYSTEMS][16], host[SYSTEMS][16], *hosts[SYSTEMS][2];

    for (int i = 0; i < SYSTEMS; i++) {
        (void)snprintf(system[i], sizeof(system[i]), "s%d", i);
        (void)snprintf(host[i], sizeof(host[i]), "h%d", i);
        hosts[i][0] = host[i];
        hosts[i][1] = (char *)(uintptr_t) "all";
        access[i] = pi_access_of[PI_WEB1];
        (void)snprintf(access[i].name, sizeof(access[i].name), "a%d", i);
        access[i].stored_system = system[i];
        access[i].hosts = (struct conf_list){.item = hosts[i], .n = 2};
    }
    pi_conf.accesses = access;
    pi_conf.naccesses = SYSTEMS;
    pi_rig_reload();
}

/* How many listings it asks for. */
static size_t find_on(const char *host)
{
    struct call *call;
    size_t n = 0;

    assert_int_equal(pi_entitled_all(&a, "ann", host), 0);
    while ((call = rig_call(0))) {
        if (strcmp(rig.last_target, PI_LOGIN) == 0) {
            pi_sign_in(PI_TOKEN_1);
            continue;
        }
        rig_answer(call, 200, "[\"root\"]");
        n++;
    }
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    ask_again(&a, "");
    return n;
}

TEST(oldest_listing_makes_room)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    many_systems();
    assert_int_equal(find_on("all"), SYSTEMS);
    assert_int_equal(find_on("h256"), 0);
    assert_int_equal(find_on("h0"), 1); /* it had made room, as now h1 does, the next that was asked for */
    assert_int_equal(find_on("h255"), 0);
    rig_advance(SECONDS(60));
    assert_int_equal(find_on("h2"), 1); /* it is the newest now */
    assert_int_equal(find_on("h1"), 1); /* now h3 makes room */
    assert_int_equal(find_on("h2"), 0);
}

/* A listing has no effect: it is tried again. */
TEST(lost_listing_is_asked_for_again)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_fail(rig_call(0), -ECONNRESET, true);
    rig_answer(rig_call(0), 503, "");
    rig_advance(SECONDS(1));
    list_both("[\"adm1\"]", "[\"root\"]");
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(a.call.accounts->n, 2);
}

TEST(question_ends_in_time_is_cancelled_and_survives_a_reload)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    a.call.timeout_ms = SECONDS(2);
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_advance(SECONDS(2));
    assert_int_equal(a.call.fault.code, FAULT_DEADLINE_EXCEEDED);
    ask_again(&a, "");
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(pi_entitled_all(&b, "ann", "web1"), 0);
    assert_true(rig.vault->ops->withdraw(rig.vault, &b.call));
    pi_conf.naccesses = 1;
    pi_rig_reload(); /* the map of the question is gone */
    list_both("[\"adm1\"]", "[\"root\"]");
    rig_advance(0);
    assert_int_equal(a.call.accounts->n, 2);
    assert_int_equal(b.done, 0);
    ask_again(&a, "");
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    assert_int_equal(rig_waiting(), 1); /* what was asked for before the reload is not kept */
    rig_answer(rig_call(0), 200, "[]");
    rig_advance(0);
    assert_int_equal(a.call.accounts->n, 0);
}

TEST(stop_ends_questions)
{
    pi_rig_profile(LIST_ROWS);
    pi_rig_start();
    assert_int_equal(pi_entitled_all(&a, "ann", "web1"), 0);
    pi_sign_in(PI_TOKEN_1);
    pi_rig_teardown(NULL);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.fault.code, FAULT_DRAINING);
    ask_free(&a);
    pi_rig_init();
    pi_ask_init(&a);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(map_alone_decides_and_no_call_is_made),
        T(sections_and_what_they_left_out_are_told_where_wanted),
        T(sections_are_told_beside_a_listing),
        T(one_account_is_given_denied_or_absent),
        T(username_and_label_of_the_section),
        T(listing_narrows_the_map_and_is_kept),
        T(nothing_is_kept_where_list_cache_is_0),
        T(listing_that_fails_fails_the_find),
        T(list_with_an_item_that_is_no_name_fails_the_find),
        T(oldest_listing_makes_room),
        T(lost_listing_is_asked_for_again),
        T(question_ends_in_time_is_cancelled_and_survives_a_reload),
        T(stop_ends_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
