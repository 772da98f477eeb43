/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_profile.c - the profiles of Privileged Identity: the built-in rows, the file that replaces some of
 * them with each of its mistakes, and the bodies that are made of them.
 */
#include "backends/privileged_identity/profile.h"
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <string.h>

/* ---- a profile with a file over it ---- */

static struct pi_profile *profile;

static int load(struct fixture *f, const char *face, const char *text, mode_t mode)
{
    const char *path = fixture_file(f, "profile", text, mode);

    pi_profile_free(profile);
    profile = pi_profile_new(face);
    assert_non_null(profile);
    buf_clear(&f->errors);
    return pi_profile_load(profile, path, &f->errors);
}

static int teardown(void **state)
{
    pi_profile_free(profile);
    profile = NULL;
    return fixture_teardown(state);
}

static void assert_row(enum pi_operation op, const char *path, enum pi_certainty certainty)
{
    case_label("%s", pi_operation_name(op));
    assert_int_equal(profile->row[op].certainty, certainty);
    if (path)
        assert_string_equal(profile->row[op].path, path);
    else
        assert_null(profile->row[op].path);
}

TEST(the_built_in_rows_are_those_of_the_contract)
{
    static const char out_shared[] = "AccountStoreOps_SharedCredential_CheckOut";
    static const struct {
        const char *face, *base, *sign_in, *sign_out, *token;
        enum pi_certainty stored_out, shared;
    } faces[] = {
        {"json-v2", "/json/V2/AuthService.svc/", "DoLogin2", "DoLogout", "OperationMessage", PI_SEEN,
         PI_SEEN},
        {"rest", "/AuthService.svc/REST/", "Login", "Logout", "", PI_GUESSED, PI_GUESSED},
        {"json-v1", "/AuthService_JSON.svc/", "DoLogin", "DoLogout", "", PI_GUESSED, PI_GUESSED},
    };

    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(pi_profile_name(i), faces[i].face);
        pi_profile_free(profile);
        profile = pi_profile_new(faces[i].face);
        assert_non_null(profile);
        assert_string_equal(profile->base, faces[i].base);
        assert_row(PI_SIGN_IN, faces[i].sign_in, PI_SEEN);
        assert_row(PI_SIGN_OUT, faces[i].sign_out, PI_SEEN);
        assert_row(PI_CHECKOUT_STORED, "AccountStoreOps_StoredCredential_CheckOut", faces[i].stored_out);
        assert_row(PI_CHECKIN_STORED, "AccountStoreOps_StoredCredential_CheckIn", PI_GUESSED);
        assert_row(PI_CHECKOUT_SHARED, out_shared, faces[i].shared);
        assert_row(PI_CHECKIN_SHARED, "AccountStoreOps_SharedCredential_CheckIn", faces[i].shared);
        for (enum pi_operation op = PI_SPIN_STORED; op < PI_NOPERATIONS; op++)
            assert_row(op, NULL, PI_NONE);
        assert_string_equal(profile->row[PI_SIGN_IN].answer, faces[i].token);
        assert_string_equal(profile->row[PI_CHECKOUT_STORED].answer, "Password");
    }
    assert_null(pi_profile_name(3));
    assert_null(pi_profile_new("json-v3"));
}

TEST(a_guessed_row_is_allowed_only_where_guesses_are)
{
    static const struct {
        enum pi_certainty certainty;
        bool seen, guessed;
    } cases[] = {{PI_NONE, false, false},
                 {PI_SEEN, true, true},
                 {PI_GUESSED, false, true},
                 {PI_OVERRIDDEN, true, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pi_row row = {.certainty = cases[i].certainty};

        case_label("%s", pi_certainty_name(row.certainty));
        assert_int_equal(pi_row_allowed(&row, false), cases[i].seen);
        assert_int_equal(pi_row_allowed(&row, true), cases[i].guessed);
    }
}

/* ---- bodies ---- */

static void assert_body(enum pi_operation op, const char *const value[PI_NPLACES], const char *wanted)
{
    struct buf out = BUF_INIT(4096);

    assert_int_equal(pi_row_body(&profile->row[op], value, &out), 0);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_free(&out);
}

TEST(a_body_has_the_values_that_there_are)
{
    const char *shared[PI_NPLACES] = {[PI_TOKEN] = "T1",
                                      [PI_COMMENT] = "why \"so\"",
                                      [PI_ACCOUNT] = "CORP\\adm",
                                      [PI_LIST] = "Domain admins",
                                      [PI_SYSTEM] = "corp.test"};
    const char *stored[PI_NPLACES] = {[PI_TOKEN] = "T1",    [PI_COMMENT] = "", [PI_ACCOUNT] = "root",
                                      [PI_SYSTEM] = "web1", [PI_TYPE] = "12",  [PI_CUSTOM_TYPE] = ""};
    const char *login[PI_NPLACES] = {[PI_USER] = "svc", [PI_PASSWORD] = "p", [PI_LOGIN_TYPE] = "1"};

    profile = pi_profile_new("json-v2");
    assert_body(
        PI_CHECKOUT_SHARED, shared,
        "{\"AuthenticationToken\":\"T1\",\"Comment\":\"why \\\"so\\\"\",\"SharedCredentialIdentifier\":"
        "{\"AccountName\":\"CORP\\\\adm\",\"SharedCredentialListName\":\"Domain admins\","
        "\"SystemName\":\"corp.test\"}}");
    assert_body(
        PI_CHECKIN_STORED, stored,
        "{\"AuthenticationToken\":\"T1\",\"Comment\":\"\",\"AccountIdentificationInfo\":{\"AccountName\":"
        "\"root\",\"AccountStore\":{\"CustomTypeName\":\"\",\"TargetName\":\"web1\",\"Type\":12},"
        "\"PasswordList\":\"\"}}");
    assert_body(PI_SIGN_IN, login, "{\"LoginType\":1,\"Username\":\"svc\",\"Password\":\"p\"}");
    login[PI_AUTHENTICATOR] = "CORP";
    login[PI_LOGIN_TYPE] = "2";
    assert_body(PI_SIGN_IN, login,
                "{\"LoginType\":2,\"Username\":\"svc\",\"Password\":\"p\",\"Authenticator\":\"CORP\"}");
    login[PI_LOGIN_TYPE] = "2,\"x\":1";
    struct buf out = BUF_INIT(4096);
    assert_int_equal(pi_row_body(&profile->row[PI_SIGN_IN], login, &out), -EINVAL);
    buf_free(&out);
}

TEST(a_body_of_the_file_keeps_what_is_no_placeholder)
{
    static const char *const value[PI_NPLACES] = {[PI_TOKEN] = "T", [PI_ACCOUNT] = "a", [PI_TYPE] = "3"};

    assert_int_equal(
        load(*state, "json-v2",
             "[spin_stored]\npath = Spin\nbody = {\"t\":\"{token}\",\"n\":[1.5,-2,true,null,\"{type}\","
             "\"{comment}\"],\"o\":{\"c\":\"{comment}\"},\"a\":\"{account}\",\"z\":\"{ no } {}\"}\n",
             0644),
        0);
    assert_row(PI_SPIN_STORED, "Spin", PI_OVERRIDDEN);
    assert_body(PI_SPIN_STORED, value,
                "{\"t\":\"T\",\"n\":[1.5,-2,true,null,3],\"o\":{},\"a\":\"a\",\"z\":\"{ no } {}\"}");
}

TEST(a_token_in_the_header_is_not_in_the_body)
{
    static const char *const value[PI_NPLACES] = {[PI_TOKEN] = "T", [PI_ACCOUNT] = "a"};

    assert_int_equal(load(*state, "json-v2", "[checkin_shared]\ntoken = header\n", 0644), 0);
    assert_true(pi_row_has(&profile->row[PI_CHECKIN_SHARED], PI_TOKEN));
    assert_body(PI_CHECKIN_SHARED, value, "{\"SharedCredentialIdentifier\":{\"AccountName\":\"a\"}}");
}

/* ---- the file ---- */

static void assert_same_text(const char *a, const char *b)
{
    assert_true(!a == !b);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same(const struct pi_profile *a, const struct pi_profile *b)
{
    for (enum pi_operation op = 0; op < PI_NOPERATIONS; op++) {
        const struct pi_row *mine = &a->row[op], *its = &b->row[op];

        case_label("%s", pi_operation_name(op));
        assert_int_equal(!mine->certainty, !its->certainty);
        assert_int_equal(mine->post, its->post);
        assert_int_equal(mine->header, its->header);
        assert_same_text(mine->path, its->path);
        assert_same_text(mine->body_text, its->body_text);
        assert_true(cJSON_Compare(mine->body, its->body, true) || (!mine->body && !its->body));
        assert_same_text(mine->answer, its->answer);
        assert_same_text(mine->ok, its->ok);
    }
    for (size_t i = 0; i < PI_NCLASSES; i++) {
        case_label("%s", pi_class_name((enum pi_class)i));
        assert_int_equal(a->texts[i].n, b->texts[i].n);
        for (size_t k = 0; k < a->texts[i].n; k++)
            assert_string_equal(a->texts[i].item[k], b->texts[i].item[k]);
    }
}

TEST(what_is_printed_is_read_as_the_same)
{
    static const char other[] = "[spin_shared]\npath = Spin\nbody = {\"a\":\"{account}\",\"t\":\"{token}\"}\n"
                                "ok = Result=0\n[list_stored]\nmethod = GET\npath = a/b\ntoken = header\n"
                                "answer = ListValues.Value\n[checkout_stored]\nanswer =\nok = Success\n"
                                "[texts]\nconflict = held \"is with\"\n";

    for (size_t i = 0; i < 4; i++) {
        const char *face = i < 3 ? pi_profile_name(i) : "json-v2";
        struct pi_profile *first = pi_profile_new(face);
        struct buf text = BUF_INIT(65536);

        case_label("%s", face);
        if (i == 3)
            assert_int_equal(pi_profile_load(first, fixture_file(*state, "other", other, 0600),
                                             &((struct fixture *)*state)->errors),
                             0);
        pi_profile_print(first, &text);
        assert_non_null(buf_cstr(&text));
        assert_int_equal(load(*state, "json-v2", text.data, 0644), 0);
        assert_same(first, profile);
        assert_int_equal(profile->row[PI_SIGN_IN].certainty, PI_OVERRIDDEN);
        pi_profile_free(first);
        buf_free(&text);
    }
}

TEST(what_a_row_leaves_out_is_the_built_in_rows)
{
    assert_int_equal(
        load(*state, "json-v2", "[checkout_stored]\npath = Other\n[checkin_shared]\npath =\n", 0644), 0);
    assert_row(PI_CHECKOUT_STORED, "Other", PI_OVERRIDDEN);
    assert_string_equal(profile->row[PI_CHECKOUT_STORED].answer, "Password");
    assert_true(pi_row_has(&profile->row[PI_CHECKOUT_STORED], PI_CUSTOM_TYPE));
    assert_false(pi_row_has(&profile->row[PI_CHECKOUT_STORED], PI_LIST));
    assert_row(PI_CHECKIN_SHARED, NULL, PI_NONE);
    assert_row(PI_CHECKOUT_SHARED, "AccountStoreOps_SharedCredential_CheckOut", PI_SEEN);
    assert_false(profile->replaced[PI_CLASS_DONE]);
}

TEST(texts_replace_the_list_of_their_class_alone)
{
    assert_int_equal(load(*state, "rest", "[texts]\ndone = \"was given back\" ok\n", 0644), 0);
    assert_true(profile->replaced[PI_CLASS_DONE]);
    assert_int_equal(profile->texts[PI_CLASS_DONE].n, 2);
    assert_string_equal(profile->texts[PI_CLASS_DONE].item[0], "was given back");
    assert_false(profile->replaced[PI_CLASS_GONE]);
    assert_string_equal(profile->texts[PI_CLASS_GONE].item[0], "not checked out");
}

static const struct mistake {
    const char *text;
    unsigned line;
    const char *message;
} mistakes[] = {
    {"[checkout]\n", 1, "unknown section [checkout]"},
    {"[checkin_share]\n", 1, "unknown section [checkin_share]; did you mean `checkin_shared`?"},
    {"[sign_in a]\n", 1, "section [sign_in] takes no name"},
    {"[sign_in]\npath = A\n[sign_in]\n", 3, "section [sign_in] occurs twice"},
    {"[sign_in]\npaht = A\n", 2, "unknown key `paht` in [sign_in]; did you mean `path`?"},
    {"[sign_in]\npath = A\npath = B\n", 3, "`path` is set twice"},
    {"[sign_in]\nmethod = PUT\n", 2, "`method` knows only: GET POST"},
    {"[sign_in]\nmethod = GET\n", 2, "`method` must be POST for a sign-in"},
    {"[sign_in]\ntoken = header\n", 2, "`token` has no effect: a sign-in has none yet"},
    {"[sign_out]\ntoken = url\n", 2, "`token` knows only: body header"},
    {"[sign_in]\npath = /A\n", 2, "`path` needs the name of a call"},
    {"[sign_in]\npath = A?b=c\n", 2, "`path` needs the name of a call"},
    {"[sign_in]\npath = a/../b\n", 2, "`path` needs the name of a call"},
    {"[sign_in]\npath = http://h/A\n", 2, "`path` needs the name of a call"},
    {"[sign_in]\npath =\nmethod = POST\n", 2, "`path` is empty, which removes the row"},
    {"[sign_in]\nbody = {\n", 2, "`body` is no JSON that can be sent"},
    {"[sign_in]\nbody = {\"a\":1,\"a\":2}\n", 2, "`body` is no JSON that can be sent"},
    {"[sign_in]\nbody = {\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}\n", 2, "`body` is no JSON that can be sent"},
    {"[sign_in]\nbody = \"{user}\"\n", 2, "`body` must be a JSON object"},
    {"[sign_in]\nbody = {\"a\\\"b\":1}\n", 2, "`body` has a member whose name is not of plain"},
    {"[sign_in]\nbody = {\"u\":\"{usr}\"}\n", 2,
     "`body` holds the unknown placeholder {usr}; did you mean `user`?"},
    {"[sign_in]\nbody = {\"u\":\"{token}\"}\n", 2,
     "`body` holds {token}, which the operation sign_in has not"},
    {"[checkout_stored]\nbody = {\"u\":[{\"l\":\"{list}\"}]}\n", 2,
     "`body` holds {list}, which the operation"},
    {"[checkout_shared]\nbody = {\"u\":\"{type}\"}\n", 2, "`body` holds {type}, which the operation"},
    {"[list_shared]\npath = L\nbody = {\"u\":\"{system}\"}\n", 3,
     "`body` holds {system}, which the operation"},
    {"[sign_in]\nbody = {\"u\":\"CORP\\\\{user}\"}\n", 2, "`body` holds {user} within other text"},
    {"[sign_out]\nbody = {}\n", 2, "[sign_out] sends no token"},
    {"[checkin_shared]\nbody = {\"t\":\"{token}\"}\n", 2, "[checkin_shared] does not say which account"},
    {"[checkin_shared]\nmethod = GET\nbody = {\"t\":\"{token}\"}\n", 3,
     "`body` has no effect with method = GET"},
    {"[list_shared]\nmethod = GET\npath = L\n", 1, "[list_shared] sends no token"},
    {"[spin_stored]\nbody = {\"t\":\"{token}\"}\n", 1, "[spin_stored] lacks `path`"},
    {"[spin_stored]\npath = S\n", 1, "[spin_stored] lacks `body`"},
    {"[checkout_stored]\nanswer = a..b\n", 2, "`answer` needs the name of a member"},
    {"[checkout_stored]\nanswer = .a\n", 2, "`answer` needs the name of a member"},
    {"[checkout_stored]\nok = =1\n", 2, "`ok` needs MEMBER or MEMBER=VALUE"},
    {"[checkout_stored]\nok = A=\n", 2, "`ok` needs MEMBER or MEMBER=VALUE"},
    {"[texts]\nbusy = x\n", 2, "unknown key `busy` in [texts]"},
    {"[texts]\ngone = \"open\n", 2, "`gone` needs words, each with blanks in it within double quotes"},
    {"[texts]\ngone = a a\n", 2, "`gone` names `a` twice"},
    {"[texts]\ngone = \"\"\n", 2, "`gone` holds an empty word"},
    {"path = A\n", 1, "`path` stands before the first section"},
};

TEST(every_mistake_is_refused_at_its_line)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct pi_profile *before = pi_profile_new("json-v2");
        char line[512];

        case_label("%s", mistakes[i].text);
        assert_int_equal(load(f, "json-v2", mistakes[i].text, 0644), -EINVAL);
        (void)snprintf(line, sizeof(line), "%s/profile:%u: %s", f->dir, mistakes[i].line,
                       mistakes[i].message);
        if (!strstr(buf_cstr(&f->errors), line))
            print_error("wanted: %s\nsaid:   %s\n", line, buf_cstr(&f->errors));
        assert_non_null(strstr(buf_cstr(&f->errors), line));
        assert_same(before, profile);
        pi_profile_free(before);
    }
}

TEST(all_rows_with_mistakes_are_named_at_once)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "json-v2", "[spin_stored]\npath = S\n[spin_shared]\npath = S\n", 0644), -EINVAL);
    assert_non_null(strstr(buf_cstr(&f->errors), ":1: [spin_stored] lacks"));
    assert_non_null(strstr(buf_cstr(&f->errors), ":3: [spin_shared] lacks"));
}

TEST(a_file_that_others_can_write_is_refused)
{
    struct fixture *f = *state;
    static const mode_t modes[] = {0664, 0646, 0622};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        case_label("%o", modes[i]);
        assert_int_equal(load(f, "json-v2", "[sign_in]\npath = A\n", modes[i]), -EINVAL);
        assert_non_null(
            strstr(buf_cstr(&f->errors), ":1: its group or other users can write this file; chmod go-w it"));
        assert_string_equal(profile->row[PI_SIGN_IN].path, "DoLogin2");
    }
    assert_int_equal(load(f, "json-v2", "[sign_in]\npath = A\n", 0644), 0);
    assert_int_equal(pi_profile_load(profile, "/nowhere/at/all", &f->errors), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_built_in_rows_are_those_of_the_contract, fixture_setup, teardown),
        cmocka_unit_test(a_guessed_row_is_allowed_only_where_guesses_are),
        cmocka_unit_test_setup_teardown(a_body_has_the_values_that_there_are, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_of_the_file_keeps_what_is_no_placeholder, fixture_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_token_in_the_header_is_not_in_the_body, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_printed_is_read_as_the_same, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_row_leaves_out_is_the_built_in_rows, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(texts_replace_the_list_of_their_class_alone, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(every_mistake_is_refused_at_its_line, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(all_rows_with_mistakes_are_named_at_once, fixture_setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_others_can_write_is_refused, fixture_setup, teardown),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
