/* SPDX-License-Identifier: Apache-2.0 */
/* Who a PRA user is at the vault: templates, missing parts, order, explanation. */
#include "check.h"

#include "broker/identity/usermap.h"

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

TEST(takes_rules_in_order)
{
    struct usermap map = expand(RULES(qualified, upn, bare), NULL, "bob", "ACME");

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

TEST(skips_what_needs_a_missing_domain)
{
    const char *const none[] = {NULL, ""};

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

TEST(default_domain_stands_in)
{
    struct usermap map = expand(RULES(qualified), "CORP", "bob", "");

    assert_string_equal(usermap_user(&map), "CORP\\bob");
    usermap_free(&map);
    map = expand(RULES(qualified), "CORP", "bob", "ACME");
    assert_string_equal(usermap_user(&map), "ACME\\bob");
    assert_int_equal(map.n, 1);
    usermap_free(&map);
}

TEST(drops_equal_candidates)
{
    struct usermap map = expand(RULES(bare, qualified, bare, upn, upn), NULL, "bob", "ACME");

    assert_int_equal(map.n, 3);
    usermap_free(&map);
}

TEST(keeps_international_names)
{
    struct usermap map = expand(RULES(qualified), NULL, "Jos\xc3\xa9 \xe5\xb1\xb1",
                                "\xc3\x84"
                                "CME");

    assert_string_equal(usermap_user(&map), "\xc3\x84"
                                            "CME\\Jos\xc3\xa9 \xe5\xb1\xb1");
    usermap_free(&map);
}

TEST(a_part_that_cannot_be_written_ends_the_candidates)
{
    static char longer[516 + 1];
    static const struct {
        const char *username, *domain, *default_domain, *why;
    } row[] = {
        {"bob", "ACME;", NULL, "run_as rule {domain}\\{username}: the domain must not contain a semicolon"},
        {"bob", "ACME ", NULL, "the domain must not begin or end with a blank"},
        {"bob",
         "\xc2\xa0"
         "ACME",
         NULL, "the domain must not begin or end with a blank"},
        {"bob", "AC\x7fME", NULL, "the domain must not contain control"},
        {"bob",
         "AC\xe2\x80\xae"
         "ME",
         NULL, "the domain must not contain letters without width"},
        {"bob", "ACME\\x", NULL, "the domain must not contain a backslash"},
        {"bob", NULL, "ACME;", "the domain must not contain a semicolon"},
        {"bob", longer, NULL, "the domain is too long"},
        {"bob", "AC\xff", NULL, "the domain must not contain control"},
    };

    memset(longer, 'd', sizeof(longer) - 1);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%s of %s: %s", row[i].username, row[i].domain ? row[i].domain : "(none)", row[i].why);
        struct usermap map =
            expand(RULES(qualified, upn, bare), row[i].default_domain, row[i].username, row[i].domain);
        struct session session = {.username = row[i].username, .domain = row[i].domain};
        char text[USERMAP_WHY_SIZE];

        assert_int_equal(map.n, 0); /* never the bare bob */
        usermap_explain(&map, &session, text, sizeof(text));
        if (!strstr(text, row[i].why) || !strstr(text, "no further rule is tried"))
            fail_msg("%s", text);
        usermap_free(&map);
    }
}

TEST(a_name_that_cannot_be_written_is_no_user)
{
    static const char *const names[] = {"bob;",        " bob",     "bob\r\nX: y", "bob\xe2\x80\x8b",
                                        "e\xcc\x81ve", "ACME\\kim"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct usermap map = expand(RULES(bare, qualified), NULL, names[i], "ACME");
        assert_int_equal(map.n, 0);
        assert_non_null(strstr(map.ended, "the user name "));
        usermap_free(&map);
        map = expand(RULES(qualified, bare), NULL, names[i], NULL); /* a missing part only skips */
        assert_int_equal(map.n, 0);
        assert_non_null(strstr(map.ended, "run_as rule {username}"));
        usermap_free(&map);
    }
}

/* What stands before the rule that ends the walk is tried, and the end is explained after it. */
TEST(candidates_before_the_end_are_kept)
{
    struct session session = {.username = "bob", .domain = "ACME;"};
    struct usermap map = expand(RULES(bare, qualified, fixed), NULL, "bob", "ACME;");
    char text[USERMAP_WHY_SIZE];

    assert_int_equal(map.n, 1);
    assert_string_equal(usermap_user(&map), "bob");
    usermap_explain(&map, &session, text, sizeof(text));
    assert_string_equal(text, "tried bob");
    assert_false(usermap_next(&map));
    usermap_explain(&map, &session, text, sizeof(text));
    assert_non_null(strstr(text, "tried bob; run_as rule {domain}\\{username}: the domain must not contain"));
    usermap_free(&map);
}

TEST(a_name_of_user_map_that_cannot_be_written_is_refused)
{
    char bad[] = "CORP\\ann:EXT\\ann;x", *users[] = {bad}, *rules[] = {bare};
    struct conf_vault conf = {.run_as = {rules, 1}, .user_map = {users, 1}};
    struct session session = {.username = "ann", .domain = "CORP"};
    struct usermap map;

    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    assert_int_equal(map.n, 0);
    assert_non_null(strstr(map.ended, "user_map"));
    usermap_free(&map);
    /* as long as any name may be, and longer */
    char pair[600] = "CORP\\ann:EXT\\";

    users[0] = pair;
    memset(pair + strlen(pair), 'x', USERMAP_USER_SIZE - 1 - strlen("EXT\\"));
    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    assert_int_equal(strlen(usermap_user(&map)), USERMAP_USER_SIZE - 1);
    usermap_free(&map);
    pair[strlen(pair)] = 'x';
    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    assert_int_equal(map.n, 0);
    assert_non_null(strstr(map.ended, "user_map gives this user cannot be written: it is too long"));
    usermap_free(&map);
}

TEST(bounds_what_comes_out)
{
    char name[300], domain[300];
    struct usermap map;

    memset(name, 'n', sizeof(name));
    memset(domain, 'd', sizeof(domain));
    name[256] = domain[256] = '\0';
    map = expand(RULES(qualified, twice), NULL, name, domain);
    assert_int_equal(map.n, 2);
    assert_int_equal(strlen(map.user[0]), 513);
    usermap_free(&map);
    name[256] = 'n';
    name[299] = '\0';
    map = expand(RULES(twice, bare), NULL, name, domain);
    assert_int_equal(map.n, 0);
    assert_non_null(strstr(map.ended, "too long"));
    usermap_free(&map);
    map = expand(RULES(fixed), NULL, "bob", NULL);
    assert_string_equal(usermap_user(&map), "svc-{user}");
    usermap_free(&map);
}

TEST(oauth_is_one_identity)
{
    char id[] = "app-7";
    struct conf_vault conf = {.run_as = RULES(qualified, bare), .oauth_client_id = id};
    struct session session = {.username = "bob", .domain = "ACME"};
    struct usermap map;

    assert_int_equal(usermap_expand(&conf, &session, &map), 0);
    assert_int_equal(map.n, 1);
    assert_string_equal(usermap_user(&map), "application:app-7");
    usermap_free(&map);
}

TEST(explains)
{
    struct session session = {.username = "bob"};
    struct usermap map = expand(RULES(qualified), NULL, "bob", NULL);
    char text[64], cut[8];

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

TEST(user_map_and_domain_map_rename)
{
    static char ann[] = "CORP\\ann:EXT\\ann.lee", local[] = "op:CORP\\operator",
                renamed[] = "corp.example\\eve:E\\v", corp[] = "CORP:corp.example";
    static char kim[] = "ACME\\kim:EXT\\kim", mike[] = "mike:EXT\\mike",
                umlaut[] = "\xc3\x84"
                           "CME\\kim:EXT\\a-umlaut",
                at[] = "kim@ACME:EXT\\at",
                south[] = "S\xc3\x9c"
                          "D:SOUTH";
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
        /* names are never folded for identity */
        {"\xe2\x84\xaaim", "ACME", NULL, "ACME\\\xe2\x84\xaaim \xe2\x84\xaaim"}, /* KELVIN SIGN is no k */
        {"m\xc4\xb0ke", NULL, NULL, "m\xc4\xb0ke"},
        {"KIM", "acme", NULL, "EXT\\kim"},
        {"MiKe", NULL, NULL, "EXT\\mike"},
        {"kim",
         "\xc3\x84"
         "CME",
         NULL, "EXT\\a-umlaut"},
        {"kim",
         "\xc3\xa4"
         "CME",
         NULL,
         "\xc3\xa4"
         "CME\\kim kim"},
        {"bob",
         "S\xc3\x9c"
         "D",
         NULL, "SOUTH\\bob bob"},
        {"bob",
         "s\xc3\xbc"
         "d",
         NULL,
         "s\xc3\xbc"
         "d\\bob bob"},
        {"bob",
         "\xc5\xbf\xc3\x9c"
         "D",
         NULL,
         "\xc5\xbf\xc3\x9c"
         "D\\bob bob"}, /* LONG S is no s */
        /* a name with a backslash is no user's, whatever user_map says */
        {"ACME\\kim", NULL, NULL, ""},
        {"kim@ACME", NULL, NULL, "EXT\\at"}, /* an @ belongs to the name */
        {"kim@acme.test", NULL, NULL, "kim@acme.test"},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%s of %s", row[i].username, row[i].domain ? row[i].domain : "(none)");
        char *users[] = {ann, local, renamed, kim, mike, umlaut, at}, *domains[] = {corp, south};
        char *rules[] = {qualified, bare};
        struct conf_vault conf = {.run_as = {rules, 2},
                                  .user_map = {users, sizeof(users) / sizeof(users[0])},
                                  .domain_map = {domains, 2},
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
        cmocka_unit_test(a_part_that_cannot_be_written_ends_the_candidates),
        cmocka_unit_test(a_name_that_cannot_be_written_is_no_user),
        cmocka_unit_test(candidates_before_the_end_are_kept),
        cmocka_unit_test(a_name_of_user_map_that_cannot_be_written_is_refused),
        cmocka_unit_test(bounds_what_comes_out),
        cmocka_unit_test(oauth_is_one_identity),
        cmocka_unit_test(explains),
        cmocka_unit_test(user_map_and_domain_map_rename),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
