/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_access.c - the map of a Privileged Identity: users, hosts, credentials, keys, files of users, and
 * what an explanation counts.
 */
#include "backends/privileged_identity/access.h"
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENDS                                                                                                 \
    "[listener main]\naddress = 127.0.0.1:8443\n[client pra]\ntoken_sha256 = " FIXTURE_TOKEN                 \
    "\nallow = broker\n"
#define VAULT                                                                                                \
    ENDS "[vault erpm]\ntype = privileged_identity\nurl = https://erpm.example\nlogin_name = svc\n"          \
         "provisional = yes\n"
#define STORED(name, system, account)                                                                        \
    "[access " name "]\nstored_system = " system "\nstored_account = " account "\n"
#define SHARED(name, account)                                                                                \
    "[access " name "]\nshared_list = Admins\nshared_system = corp.test\nshared_account = " account "\n"

static struct pi_access *map;
static struct pi_found found;

static int make(struct fixture *f, const char *text)
{
    assert_loads(f, text);
    pi_found_free(&found);
    pi_access_free(map);
    buf_clear(&f->errors);
    return pi_access_new(f->conf, &f->conf->vaults[0], &map, &f->errors);
}

/* `user` may hold a domain; `hosts` are separated by blanks. */
struct question {
    char user[128], hosts[512];
    const char *forms[64];
    struct pi_session session;
};

static const struct pi_session *ask(struct question *q, const char *user, const char *hosts)
{
    char *backslash, *rest, *form;

    *q = (struct question){.session = {.forms = q->forms}};
    (void)snprintf(q->user, sizeof(q->user), "%s", user);
    (void)snprintf(q->hosts, sizeof(q->hosts), "%s", hosts);
    backslash = strchr(q->user, '\\');
    if (backslash)
        *backslash = '\0';
    q->session.domain = backslash ? q->user : NULL;
    q->session.username = backslash ? backslash + 1 : q->user;
    rest = q->hosts;
    while ((form = strsep(&rest, " ")))
        if (*form)
            q->forms[q->session.nforms++] = form;
    return &q->session;
}

/* The accounts that a find gives, each followed by a blank. */
static void assert_find(const char *user, const char *hosts, const char *wanted)
{
    struct question q;
    char names[512] = "";

    case_label("%s on %s", user, hosts);
    pi_found_free(&found);
    assert_int_equal(pi_access_find(map, ask(&q, user, hosts), &found), 0);
    for (size_t i = 0; i < found.n; i++) {
        enum pi_entitlement may;

        (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                       found.list[i]->full_account);
        assert_int_equal(pi_access_judge(map, &q.session, found.list[i]->key, &may), 0);
        assert_int_equal(may, PI_ENTITLED);
    }
    assert_string_equal(names, wanted);
    for (size_t i = 0; i < pi_access_count(map); i++) {
        const struct pi_credential *c = pi_access_at(map, i);
        enum pi_entitlement may;
        bool listed = false;

        for (size_t k = 0; k < found.n; k++)
            listed |= found.list[k] == c;
        assert_int_equal(pi_access_judge(map, &q.session, c->key, &may), 0);
        assert_int_equal(may, listed ? PI_ENTITLED : PI_NOT_ENTITLED);
    }
}

TEST(users_are_compared_in_ascii_case_and_otherwise_exactly)
{
    assert_int_equal(
        make(*state, VAULT STORED("a", "s", "one") "users = CORP\\ann ann EXT\\*\nhosts = *\n" STORED(
                         "b", "s", "two") "users = CORP\\zo\u00eb\nhosts = *\n"),
        0);
    assert_find("CORP\\ann", "", "one ");
    assert_find("corp\\ANN", "", "one ");
    assert_find("ann", "", "one ");
    assert_find("OTHER\\ann", "", "");
    assert_find("CORP\\anna", "", "");
    assert_find("CORP\\an", "", "");
    assert_find("bob", "", "");
    assert_find("ext\\bob", "", "one ");
    assert_find("EXT\\ann", "", "one ");
    assert_find("EXTRA\\bob", "", "");
    assert_find("CORP\\zo\u00eb", "", "two ");
    assert_find("CORP\\zo\u00cb", "", "");
    assert_find("CORP\\\u212aim", "", "");
    assert_find("*", "", "");
    assert_find("CORP\\*", "", "");
}

TEST(a_user_without_domain_has_the_default_domain_where_there_is_one)
{
    static const char sections[] =
        VAULT "default_domain = CORP\n" STORED("a", "s", "one") "users = CORP\\ann\nhosts = *\n" STORED(
            "b", "s", "two") "users = ann\nhosts = *\n" STORED("c", "s",
                                                               "three") "users = Corp\\*\nhosts = *\n";
    struct question q;

    assert_int_equal(make(*state, sections), 0);
    assert_find("ann", "", "one three ");
    assert_find("CORP\\ann", "", "one three ");
    assert_find("EXT\\ann", "", "");
    (void)ask(&q, "ann", "");
    q.session.domain = "";
    pi_found_free(&found);
    assert_int_equal(pi_access_find(map, &q.session, &found), 0);
    assert_int_equal(found.n, 2);
}

TEST(hosts_are_patterns_over_the_forms_of_the_session)
{
    static const struct {
        const char *pattern, *forms;
        bool fits;
    } cases[] = {
        {"*", "", true},
        {"*", "web1", true},
        {"web1", "web1", true},
        {"web1", "WEB1", true},
        {"WEB1", "web1", true},
        {"web1", "", false},
        {"**", "", false},
        {"web1", "web10", false},
        {"web1", "xweb1", false},
        {"web?", "web1", true},
        {"web?", "web", false},
        {"web?", "web12", false},
        {"w?b", "w\u00e9b", true},
        {"w??b", "w\u00e9b", false},
        {"\u00c9.test", "\u00e9.test", true},
        {"*.corp.test", "web1.corp.test", true},
        {"*.corp.test", "corp.test", false},
        {"*.corp.test", "web1.corp.test.", true},
        {"web1.corp.test.", "web1.corp.test", true},
        {"w.", "w", true},
        {"*a*b*c", "xaybzbc", true},
        {"*a*b*c", "xaybzb", false},
        {"*ab", "aab", true},
        {"*?", "", false},
        {"10.0.0.*", "10.0.0.7", true},
        {"10.0.0.*", "10.0.1.7", false},
        {"[fe80::1]", "fe80::1", true},
        {"fe80::*", "[fe80::1]", true},
        {"[w]eb1", "web1", false},
        {"web1", "db1 web1 10.0.0.7", true},
        {"db1 web1", "web1", true},
        {"a\\*", "a\\b", true},
    };
    char text[1024];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(text, sizeof(text), VAULT STORED("a", "s", "one") "users = ann\nhosts = %s\n",
                       cases[i].pattern);
        case_label("%s: %s", cases[i].pattern, cases[i].forms);
        assert_int_equal(make(*state, text), 0);
        assert_find("ann", cases[i].forms, cases[i].fits ? "one " : "");
        assert_int_equal(found.by_host, !cases[i].fits);
    }
}

TEST(two_sections_for_one_credential_have_both_rights)
{
    assert_int_equal(
        make(*state,
             VAULT STORED("a", "Web1", "root") "users = ann\nhosts = web1\n" STORED(
                 "b", "other",
                 "root") "users = ann bob\nhosts = *\n" STORED("c", "web1",
                                                               "ROOT") "users = bob\nhosts = "
                                                                       "db1\nusername = r\nlabel = "
                                                                       "L\n" STORED("d", "web1",
                                                                                    "root") "users = "
                                                                                            "eve\nhosts = "
                                                                                            "*\nusername "
                                                                                            "= x\nlabel = "
                                                                                            "M\n"),
        0);
    assert_int_equal(pi_access_count(map), 2);
    assert_find("ann", "web1", "root root ");
    assert_find("bob", "db1", "root root ");
    assert_find("bob", "web1", "root ");
    assert_find("ann", "db1", "root ");
    assert_find("eve", "", "root ");
    assert_string_equal(found.list[0]->system, "Web1");
    assert_string_equal(found.list[0]->username, "r");
    assert_string_equal(found.list[0]->label, "L");
}

TEST(what_makes_a_credential_makes_its_key)
{
    static const char *const other[] = {
        STORED("a", "s", "two"),
        STORED("a", "t", "one"),
        STORED("a", "s", "one") "stored_type = 2\n",
        STORED("a", "s", "one") "stored_custom_type = x\n",
        STORED("a", "so", "ne"),
        "[access a]\nshared_list = 1\nshared_system = s\nshared_account = one\n",
        SHARED("a", "one"),
        SHARED("a", "CORP\\one"),
    };
    char first[PI_KEY_SIZE], text[1024], keys[8][PI_KEY_SIZE], request[PI_KEY_SIZE], same[PI_KEY_SIZE];

    assert_int_equal(
        make(*state, VAULT STORED("x", "S", "ONE") "stored_custom_type =\nusers = ann\nhosts = *\n"), 0);
    (void)snprintf(first, sizeof(first), "%s", pi_access_at(map, 0)->key);
    assert_int_equal(strlen(first), PI_KEY_SIZE - 1);
    assert_memory_equal(first, "stored.", 7);
    /* it is in credential ids, so it stays */
    assert_string_equal(first, "stored.6fb96ab5bc7e4c3cb47ac4b30693fe23");
    assert_int_equal(make(*state, VAULT STORED("y", "s", "one") "label = L\nusers = bob\nhosts = web1\n"), 0);
    assert_string_equal(pi_access_at(map, 0)->key, first);
    assert_int_equal(pi_request_key("svc", NULL, pi_access_at(map, 0), request), 0);
    assert_int_equal(pi_request_key("SVC", "", pi_access_at(map, 0), same), 0);
    assert_string_equal(request, same);
    assert_string_not_equal(request, first);
    assert_int_equal(pi_request_key("svc2", NULL, pi_access_at(map, 0), same), 0);
    assert_string_not_equal(request, same);
    assert_int_equal(pi_request_key("svc", "CORP", pi_access_at(map, 0), same), 0);
    assert_string_not_equal(request, same);
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        (void)snprintf(text, sizeof(text), VAULT "%susers = ann\nhosts = *\n", other[i]);
        case_label("%s", other[i]);
        assert_int_equal(make(*state, text), 0);
        (void)snprintf(keys[i], sizeof(keys[i]), "%s", pi_access_at(map, 0)->key);
        assert_string_not_equal(keys[i], first);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
    assert_memory_equal(keys[6], "shared.", 7);
}

TEST(a_credential_shows_what_a_find_shows)
{
    enum pi_entitlement may;
    struct question q;

    assert_int_equal(
        make(*state,
             VAULT SHARED("a", "CORP\\adm\\x") "users = ann\nhosts = *\n" STORED(
                 "b", "Web1", "root") "stored_type = 7\nusername = .\\root\nusers = ann\nhosts = *\n"),
        0);
    const struct pi_credential *a = pi_access_at(map, 0), *b = pi_access_at(map, 1);
    assert_true(a->shared);
    assert_string_equal(a->list, "Admins");
    assert_string_equal(a->system, "corp.test");
    assert_string_equal(a->full_account, "CORP\\adm\\x");
    assert_string_equal(a->domain, "CORP");
    assert_string_equal(a->account, "adm\\x");
    assert_string_equal(a->username, "CORP\\adm\\x");
    assert_null(a->label);
    assert_false(b->shared);
    assert_null(b->list);
    assert_null(b->domain);
    assert_string_equal(b->account, "root");
    assert_string_equal(b->username, ".\\root");
    assert_int_equal(b->type, 7);
    assert_ptr_equal(pi_access_credential(map, b->key), b);
    assert_null(pi_access_credential(map, "stored.00000000000000000000000000000000"));
    assert_int_equal(pi_access_judge(map, ask(&q, "ann", ""), "stored.0", &may), 0);
    assert_int_equal(may, PI_NO_CREDENTIAL);
}

TEST(the_sections_of_another_vault_are_not_in_the_map)
{
    struct fixture *f = *state;

    assert_int_equal(
        make(f, VAULT
             "[vault two]\ntype = privileged_identity\nurl = https://two\nlogin_name = s\n"
             "provisional = yes\n" STORED("a", "s", "one") "vault = erpm\nusers = ann\nhosts = *\n" STORED(
                 "b", "s", "two") "vault = two\nusers = ann\nhosts = *\n"),
        0);
    assert_find("ann", "", "one ");
    pi_found_free(&found);
    pi_access_free(map);
    assert_int_equal(pi_access_new(f->conf, &f->conf->vaults[1], &map, &f->errors), 0);
    assert_find("ann", "", "two ");
}

TEST(an_explanation_counts_what_is_left_out)
{
    struct buf text = BUF_INIT(1 << 20);

    (void)buf_str(&text, VAULT STORED("first", "s", "one") "users = ann\nhosts = web1\n" STORED(
                             "second", "s", "two") "users = bob\nhosts = *\n");
    for (int i = 0; i < 60; i++)
        (void)buf_printf(
            &text, "[access n%d]\nstored_system = h%d\nstored_account = a\nusers = CORP\\*\nhosts = db%d\n",
            i, i, i % 2);
    assert_int_equal(make(*state, buf_cstr(&text)), 0);
    buf_free(&text);
    assert_find("ann", "web1", "one ");
    assert_int_equal(found.named, 1);
    assert_string_equal(found.section[0], "first");
    assert_int_equal(found.by_user, 61);
    assert_int_equal(found.by_host, 0);
    assert_find("ann", "web2", "");
    assert_int_equal(found.by_host, 1);
    pi_found_free(&found);
    struct question q;
    assert_int_equal(pi_access_find(map, ask(&q, "CORP\\eve", "db1"), &found), 0);
    assert_int_equal(found.n, 30);
    assert_int_equal(found.named, 60);
    assert_int_equal(found.by_host, 30);
    assert_int_equal(found.by_user, 2);
    assert_string_equal(found.section[49], "n49");
}

/* ---- files of users ---- */

TEST(a_file_has_one_user_a_line)
{
    struct fixture *f = *state;

    (void)fixture_file(f, "users",
                       "# admins\r\n\r\n  CORP\\ann\t\r\nann of web\nEXT\\*\nCORP\\ann\n#bob\nlast", 0644);
    assert_int_equal(make(f,
                          VAULT STORED("a", "s", "one") "users_file = @DIR@/users\nhosts = *\n" STORED(
                              "b", "s", "two") "users_file = @DIR@/users\nusers = bob CORP\\ann\nhosts = "
                                               "web1\n" STORED("c", "s", "three") "users = bob "
                                                                                  "CORP\\ann\nhosts = *\n"),
                     0);
    assert_find("CORP\\ann", "web1", "one two three ");
    assert_int_equal(found.named, 3);
    assert_find("ann of web", "web1", "one two ");
    assert_find("EXT\\x", "web2", "one ");
    assert_find("bob", "web1", "two three ");
    assert_find("bob", "web2", "three ");
    assert_find("last", "", "one ");
    assert_find("ann", "web1", "");
    assert_find("#bob", "web1", "");
}

TEST(every_mistake_of_a_file_is_named_with_its_line)
{
    struct fixture *f = *state;
    static const char *const wanted[] = {
        "users:1: `*` would be everybody; name domains, as DOMAIN\\*\n",
        "users:3: `CORP\\a*` is no pattern: only DOMAIN\\* stands for several users\n",
        "users:4: `\ufffd` is not valid UTF-8\n",
        "more:2: `\\ann` has no domain before the backslash\n",
    };

    (void)fixture_file(f, "users", "*\nCORP\\ann\nCORP\\a*\n\xff\n", 0644);
    (void)fixture_file(f, "more", "CORP\\ann\n\\ann\n", 0644);
    assert_int_equal(
        make(f, VAULT STORED("a", "s", "one") "users_file = @DIR@/users\nhosts = *\n" STORED(
                    "b", "s",
                    "two") "users_file = @DIR@/more\nhosts = *\n" STORED("c", "s",
                                                                         "three") "users_file = "
                                                                                  "@DIR@/users\nhosts = *\n"),
        -EINVAL);
    assert_null(map);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        case_label("%s", wanted[i]);
        if (!strstr(buf_cstr(&f->errors), wanted[i]))
            print_error("in: %s\n", buf_cstr(&f->errors));
        assert_non_null(strstr(buf_cstr(&f->errors), wanted[i]));
    }
    assert_int_equal(fixture_messages(f), 4);
}

TEST(a_file_that_is_no_text_is_refused)
{
    struct fixture *f = *state;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s", fixture_file(f, "users", "ann\n", 0644));
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite("ann\0\nbob\n", 1, 9, out), 9);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(make(f, VAULT STORED("a", "s", "one") "users_file = @DIR@/users\nhosts = *\n"), -EINVAL);
    assert_non_null(strstr(buf_cstr(&f->errors), "users:1: "));
}

/* ---- many ---- */

TEST(ten_thousand_sections_answer_by_those_that_name_the_user)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(8 << 20), users = BUF_INIT(1 << 20);

    for (int i = 0; i < 2000; i++)
        (void)buf_printf(&users, "CORP\\user%d\n", i);
    (void)fixture_file(f, "users", buf_cstr(&users), 0644);
    (void)buf_str(&text, VAULT);
    for (int i = 0; i < 10000; i++)
        (void)buf_printf(&text,
                         "[access n%d]\nstored_system = web%d\nstored_account = root\nusers = CORP\\own%d\n"
                         "users_file = %s/users\nhosts = web%d\n",
                         i, i, i, f->dir, i);
    assert_int_equal(fixture_load_bytes(f, text.data, text.len), 0);
    assert_int_equal(pi_access_new(f->conf, &f->conf->vaults[0], &map, &f->errors), 0);
    buf_free(&text);
    buf_free(&users);
    assert_int_equal(pi_access_count(map), 10000);
    for (int i = 0; i < 10000; i++) { /* a look at each section would be 100 million of them */
        struct question q;
        char user[32], host[32];

        (void)snprintf(user, sizeof(user), "CORP\\own%d", i);
        (void)snprintf(host, sizeof(host), "web%d", i);
        pi_found_free(&found);
        assert_int_equal(pi_access_find(map, ask(&q, user, host), &found), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(found.named, 1);
    }
    struct question q;
    pi_found_free(&found);
    assert_int_equal(pi_access_find(map, ask(&q, "CORP\\user7", "web9 web7"), &found), 0);
    assert_int_equal(found.named, 10000);
    assert_int_equal(found.n, 2);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ROW(users_are_compared_in_ascii_case_and_otherwise_exactly),
        ROW(a_user_without_domain_has_the_default_domain_where_there_is_one),
        ROW(hosts_are_patterns_over_the_forms_of_the_session),
        ROW(two_sections_for_one_credential_have_both_rights),
        ROW(what_makes_a_credential_makes_its_key),
        ROW(a_credential_shows_what_a_find_shows),
        ROW(the_sections_of_another_vault_are_not_in_the_map),
        ROW(an_explanation_counts_what_is_left_out),
        ROW(a_file_has_one_user_a_line),
        ROW(every_mistake_of_a_file_is_named_with_its_line),
        ROW(a_file_that_is_no_text_is_refused),
        ROW(ten_thousand_sections_answer_by_those_that_name_the_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
