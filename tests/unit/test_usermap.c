/* SPDX-License-Identifier: Apache-2.0 */
/* Who a PRA user is at the vault: templates, missing parts, order, explanation. */
#include "check.h"

#include "broker/usermap.h"

#include <string.h>

#define RULES(...)                                                                                           \
    (struct conf_list)                                                                                       \
    {                                                                                                        \
        .item = (char *[]){__VA_ARGS__}, .n = sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)               \
    }

static char qualified[] = "{domain}\\{username}", upn[] = "{username}@{domain}", bare[] = "{username}";
static char fixed[] = "svc-{user}", twice[] = "{username}{username}", empty[] = "";

static struct usermap expand(struct conf_list rules, const char *default_domain, const char *username,
                             const char *domain)
{
    struct conf_vault conf = {.run_as = rules, .default_domain = (char *)(uintptr_t)default_domain};
    struct session session = {.username = username, .domain = domain};
    struct usermap map;

    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    return map;
}

static void takes_rules_in_order(void **state)
{
    struct usermap map = expand(RULES(qualified, upn, bare), NULL, "bob", "ACME");

    (void)state;
    assert_int_equal(map.n, 3);
    assert_string_equal(usermap_user(&map), "ACME\\bob");
    assert_true(usermap_next(&map));
    assert_string_equal(usermap_user(&map), "bob@ACME");
    assert_true(usermap_next(&map));
    assert_string_equal(usermap_user(&map), "bob");
    assert_false(usermap_next(&map));
    assert_null(usermap_user(&map));
    assert_false(usermap_next(&map));
    usermap_free(&map);
    usermap_free(&map);
}

static void skips_what_needs_a_missing_domain(void **state)
{
    const char *const none[] = {NULL, ""};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct usermap map = expand(RULES(qualified, upn), empty, "bob", none[i]);
        assert_int_equal(map.n, 0); /* never "bob", never "\bob" */
        assert_null(usermap_user(&map));
        usermap_free(&map);
        map = expand(RULES(qualified, bare), NULL, "bob", none[i]);
        assert_int_equal(map.n, 1);
        assert_string_equal(usermap_user(&map), "bob");
        usermap_free(&map);
    }
}

static void default_domain_stands_in(void **state)
{
    struct usermap map = expand(RULES(qualified), "CORP", "bob", "");

    (void)state;
    assert_string_equal(usermap_user(&map), "CORP\\bob");
    usermap_free(&map);
    map = expand(RULES(qualified), "CORP", "bob", "ACME");
    assert_string_equal(usermap_user(&map), "ACME\\bob");
    assert_int_equal(map.n, 1);
    usermap_free(&map);
}

static void drops_equal_candidates(void **state)
{
    struct usermap map = expand(RULES(bare, qualified, bare, upn, upn), NULL, "bob", "ACME");

    (void)state;
    assert_int_equal(map.n, 3);
    usermap_free(&map);
}

static void keeps_international_names(void **state)
{
    struct usermap map = expand(RULES(qualified), NULL, "Jos\xc3\xa9 \xe5\xb1\xb1",
                                "\xc3\x84"
                                "CME");

    (void)state;
    assert_string_equal(usermap_user(&map), "\xc3\x84"
                                            "CME\\Jos\xc3\xa9 \xe5\xb1\xb1");
    usermap_free(&map);
}

static void refuses_control_characters(void **state)
{
    struct usermap map = expand(RULES(bare, qualified), NULL, "bob\r\nX: y", "ACME");

    (void)state;
    assert_int_equal(map.n, 0);
    usermap_free(&map);
    map = expand(RULES(qualified, bare), NULL, "bob", "AC\x7fME");
    assert_int_equal(map.n, 1);
    assert_string_equal(usermap_user(&map), "bob");
    usermap_free(&map);
}

static void bounds_what_comes_out(void **state)
{
    char name[300], domain[300];
    struct usermap map;

    (void)state;
    memset(name, 'n', sizeof(name));
    memset(domain, 'd', sizeof(domain));
    name[256] = domain[256] = '\0';
    map = expand(RULES(qualified, twice), NULL, name, domain);
    assert_int_equal(map.n, 2);
    assert_int_equal(strlen(map.user[0]), 513);
    usermap_free(&map);
    name[256] = 'n';
    name[299] = '\0';
    map = expand(RULES(twice), NULL, name, domain);
    assert_int_equal(map.n, 0);
    usermap_free(&map);
    map = expand(RULES(fixed), NULL, "bob", NULL);
    assert_string_equal(usermap_user(&map), "svc-{user}");
    usermap_free(&map);
}

static void oauth_is_one_identity(void **state)
{
    char id[] = "app-7";
    struct conf_vault conf = {.run_as = RULES(qualified, bare), .oauth_client_id = id};
    struct session session = {.username = "bob", .domain = "ACME"};
    struct usermap map;

    (void)state;
    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    assert_int_equal(map.n, 1);
    assert_string_equal(usermap_user(&map), "application:app-7");
    usermap_free(&map);
}

static void explains(void **state)
{
    struct session session = {.username = "bob"};
    struct usermap map = expand(RULES(qualified), NULL, "bob", NULL);
    char text[64], cut[8];

    (void)state;
    usermap_explain(&map, &session, text, sizeof(text));
    assert_string_equal(text, "no run_as rule applies to user bob without a domain");
    usermap_free(&map);
    map = expand(RULES(qualified, bare), NULL, "bob", "ACME");
    usermap_explain(&map, &session, text, sizeof(text));
    assert_string_equal(text, "tried ACME\\bob");
    assert_true(usermap_next(&map));
    assert_false(usermap_next(&map));
    usermap_explain(&map, &session, text, sizeof(text));
    assert_string_equal(text, "tried ACME\\bob, bob");
    usermap_explain(&map, &session, cut, sizeof(cut));
    assert_string_equal(cut, "tried A");
    usermap_free(&map);
}

static void maps_say_who_is_somebody_else(void **state)
{
    static char ann[] = "CORP\\ann:EXT\\ann.lee", local[] = "op:CORP\\operator",
                renamed[] = "corp.example\\eve:E\\v", corp[] = "CORP:corp.example";
    static const struct {
        const char *username, *domain, *default_domain, *users; /* candidates with blanks between */
    } row[] = {
        {"ann", "CORP", NULL, "EXT\\ann.lee"},
        {"ANN", "corp", NULL, "EXT\\ann.lee"},
        {"ann", NULL, "CORP", "EXT\\ann.lee"},
        {"ann", NULL, NULL, "ann"}, /* another ann */
        {"ann", "ACME", NULL, "ACME\\ann ann"},
        {"bob", "CORP", NULL, "corp.example\\bob bob"},
        {"op", "", NULL, "CORP\\operator"},
        {"op", "CORP", NULL, "corp.example\\op op"}, /* not the local one */
        {"eve", "CORP", NULL, "E\\v"},               /* known by the other name of the domain */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char *users[] = {ann, local, renamed}, *domains[] = {corp}, *rules[] = {qualified, bare};
        struct conf_vault conf = {.run_as = {rules, 2},
                                  .user_map = {users, 3},
                                  .domain_map = {domains, 1},
                                  .default_domain = (char *)(uintptr_t)row[i].default_domain};
        struct session session = {.username = row[i].username, .domain = row[i].domain};
        struct usermap map;
        char all[128] = "";
        assert_int_equal(usermap_expand(&conf, &session, &map), 0);
        for (size_t k = 0; k < map.n; k++) {
            strcat(all, k ? " " : "");
            strcat(all, map.user[k]);
        }
        assert_string_equal(all, row[i].users);
        usermap_free(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_rules_in_order),
        cmocka_unit_test(skips_what_needs_a_missing_domain),
        cmocka_unit_test(default_domain_stands_in),
        cmocka_unit_test(drops_equal_candidates),
        cmocka_unit_test(keeps_international_names),
        cmocka_unit_test(refuses_control_characters),
        cmocka_unit_test(bounds_what_comes_out),
        cmocka_unit_test(oauth_is_one_identity),
        cmocka_unit_test(explains),
        cmocka_unit_test(maps_say_who_is_somebody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
