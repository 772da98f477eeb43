/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_check.c - a configuration of Privileged Identity against its profile: rows that are missing or only
 * guessed, and the line that says what is provisional.
 */
#include "backends/privileged_identity/check.h"
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <string.h>

#define ENDS                                                                                                 \
    "[listener main]\naddress = 127.0.0.1:8443\n[client pra]\ntoken_sha256 = " FIXTURE_TOKEN                 \
    "\nallow = broker\n"
#define OPEN   ENDS "[vault erpm]\ntype = privileged_identity\nurl = https://erpm.example\nlogin_name = svc\n"
#define VAULT  OPEN "login_password_file = @DIR@/key\n"
#define WHO    "users = ann\nhosts = *\n"
#define STORED "[access st]\nstored_system = s\nstored_account = a\n" WHO
#define SHARED "[access sh]\nshared_list = l\nshared_system = s\nshared_account = a\n" WHO
#define FILED  "provisional = yes\nprofile_file = @DIR@/profile\n"
#define BODY   "body = {\"t\":\"{token}\",\"a\":\"{account}\"}\n"

static int check(struct fixture *f, const char *text, const char *profile)
{
    char file[128];

    if (profile)
        (void)fixture_file(f, "profile", profile, 0644);
    assert_loads(f, text);
    buf_clear(&f->errors);
    (void)snprintf(file, sizeof(file), "%s/test.conf", f->dir);
    return pi_check(f->conf, file, &f->errors);
}

static const struct {
    const char *text, *profile;
    unsigned line; /* 0 = it is sound */
    const char *message;
} cases[] = {
    {VAULT "provisional = yes\n", NULL, 0, NULL},
    {VAULT "provisional = yes\n" SHARED, NULL, 0, NULL},
    {VAULT "provisional = guessed\n" SHARED STORED, NULL, 0, NULL},
    {VAULT "provisional = yes\n" STORED, NULL, 12,
     "[access st]: the row checkin_stored is guessed in profile json-v2: set provisional = "
     "guessed in [vault erpm]"},
    {VAULT "provisional = yes\n" STORED "[access more]\nstored_system = s\nstored_account = b\n" WHO, NULL,
     12, "[access st] and one more: the row checkin_stored is guessed"},
    {VAULT "provisional = yes\nprofile = rest\n" SHARED, NULL, 13,
     "[access sh]: the row checkout_shared is guessed in profile rest"},
    {VAULT "provisional = guessed\nprofile = json-v1\n" SHARED STORED, NULL, 0, NULL},
    {VAULT FILED SHARED STORED, "[checkin_stored]\npath = Other\n", 0, NULL},
    {VAULT FILED SHARED, "[checkin_shared]\npath =\n", 13,
     "[access sh]: the row checkin_shared is none in profile json-v2: write it into `profile_file` "
     "of [vault erpm]"},
    {OPEN "provisional = yes\n", NULL, 9,
     "[vault erpm] lacks `login_password_file`: the row sign_in sends the password"},
    {OPEN FILED, "[sign_in]\nbody = {\"u\":\"{user}\"}\n", 0, NULL},
    {VAULT "provisional = guessed\nspin = stored\n", NULL, 6,
     "`spin`: the row spin_stored is none in profile json-v2"},
    {VAULT "provisional = guessed\nspin = shared\n", NULL, 6, "`spin`: the row spin_shared is none"},
    {VAULT "provisional = guessed\nspin = all\n", NULL, 6, "`spin`: the row spin_stored is none"},
    {VAULT FILED "spin = stored\n", "[spin_stored]\npath = S\n" BODY, 0, NULL},
    {VAULT FILED "spin = all\n", "[spin_stored]\npath = S\n" BODY, 6, "`spin`: the row spin_shared is none"},
    {VAULT FILED, "[sign_in]\npath =\n", 6, "sign-in: the row sign_in is none in profile json-v2"},
};

TEST(a_row_that_is_needed_must_be_there_and_allowed)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[512];

        case_label("%s", cases[i].text + strlen(ENDS));
        int err = check(f, cases[i].text, cases[i].profile);
        (void)snprintf(wanted, sizeof(wanted), "%s/test.conf:%u: %s", f->dir, cases[i].line,
                       cases[i].message ? cases[i].message : "");
        if (cases[i].line && !strstr(buf_cstr(&f->errors), wanted))
            print_error("wanted: %s\nsaid: %s\n", wanted, buf_cstr(&f->errors));
        if (cases[i].line)
            assert_non_null(strstr(buf_cstr(&f->errors), wanted));
        assert_int_equal(f->errors.len > 0, cases[i].line > 0);
        assert_int_equal(err, cases[i].line ? -EINVAL : 0);
    }
}

TEST(mistakes_of_the_files_are_named_as_well)
{
    struct fixture *f = *state;

    (void)fixture_file(f, "users", "*\n", 0644);
    assert_int_equal(
        check(f,
              VAULT FILED
              "[access st]\nstored_system = s\nstored_account = a\nusers_file = @DIR@/users\nhosts = *\n",
              "[sign_in]\npaht = x\n"),
        -EINVAL);
    assert_non_null(
        strstr(buf_cstr(&f->errors), "/profile:2: unknown key `paht` in [sign_in]; did you mean `path`?"));
    assert_non_null(strstr(buf_cstr(&f->errors), "/users:1: `*` would be everybody"));
}

TEST(a_vault_of_another_type_is_passed_over)
{
    assert_int_equal(
        check(*state, ENDS "[vault safe]\nurl = https://v/public/v3\napi_key_file = @DIR@/key\n", NULL), 0);
}

TEST(a_line_says_what_is_provisional)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *profile, *wanted;
    } lines[] = {
        {VAULT "provisional = yes\n", NULL,
         "erpm: provisional: profile json-v2, sign_in seen, checkout_shared seen, checkin_shared seen, "
         "checkout_stored "
         "seen, checkin_stored guessed, spin none, list none, impersonate none\n"},
        {VAULT FILED "spin = shared\n", "[spin_shared]\npath = S\n" BODY,
         "erpm: provisional: profile json-v2, sign_in seen, checkout_shared seen, checkin_shared seen, "
         "checkout_stored "
         "seen, checkin_stored guessed, spin_stored none, spin_shared overridden, list none, impersonate "
         "none\n"
         "erpm: spin: where the identity ignores check-outs, a change of a password may end a person's "
         "check-out\n"},
        {VAULT FILED "profile = rest\n",
         "[spin_stored]\npath = S\n" BODY "[list_stored]\npath = L\nmethod = GET\ntoken = header\n"
         "[list_shared]\npath = L\nmethod = GET\ntoken = header\n[checkin_shared]\npath =\n",
         "erpm: provisional: profile rest, sign_in seen, checkout_shared guessed, checkin_shared none, "
         "checkout_stored "
         "guessed, checkin_stored guessed, spin_stored overridden, spin_shared none, list overridden, "
         "impersonate none\n"},
        {ENDS "[vault safe]\nurl = https://v/public/v3\napi_key_file = @DIR@/key\n", NULL, ""},
        {VAULT "provisional = yes\n[vault more]\ntype = privileged_identity\nurl = https://more.example\n"
               "login_name = svc\nlogin_password_file = @DIR@/key\nprovisional = yes\n",
         NULL,
         "erpm: provisional: profile json-v2, sign_in seen, checkout_shared seen, checkin_shared seen, "
         "checkout_stored "
         "seen, checkin_stored guessed, spin none, list none, impersonate none\n"
         "more: provisional: profile json-v2, sign_in seen, checkout_shared seen, checkin_shared seen, "
         "checkout_stored "
         "seen, checkin_stored guessed, spin none, list none, impersonate none\n"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct buf out = BUF_INIT(4096);

        case_label("%zu", i);
        assert_int_equal(check(f, lines[i].text, lines[i].profile), 0);
        assert_int_equal(pi_check_print(f->conf, &out), 0);
        assert_string_equal(out.len ? buf_cstr(&out) : "", lines[i].wanted);
        buf_free(&out);
    }
}

/* A check-in takes the names from the row of its request. */
TEST(names_that_no_row_keeps_are_a_mistake)
{
    struct fixture *f = *state;
    char letters[4 * 256 + 1], text[8192];

    for (size_t i = 0; i < 256; i++)
        memcpy(letters + 4 * i, "\xf0\x9f\x94\x91", 5);
    (void)snprintf(text, sizeof(text),
                   VAULT "provisional = yes\n[access sh]\nshared_list = %s\nshared_system = %s\n"
                         "shared_account = a\n" WHO,
                   letters, letters);
    assert_int_equal(check(f, text, NULL), -EINVAL);
    assert_non_null(strstr(buf_cstr(&f->errors), "longer together than a row of the store keeps"));
    letters[4 * 200] = '\0';
    (void)snprintf(text, sizeof(text),
                   VAULT "provisional = yes\n[access sh]\nshared_list = %s\nshared_system = %s\n"
                         "shared_account = a\n" WHO,
                   letters, letters);
    assert_int_equal(check(f, text, NULL), 0);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        ROW(a_row_that_is_needed_must_be_there_and_allowed),
        ROW(mistakes_of_the_files_are_named_as_well),
        ROW(names_that_no_row_keeps_are_a_mistake),
        ROW(a_vault_of_another_type_is_passed_over),
        ROW(a_line_says_what_is_provisional),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
