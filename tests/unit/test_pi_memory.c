/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_memory.c - memory that runs out: each allocation of a profile, a map, a find, an answer and a
 * comment fails once. Nothing leaks, what is half made is not handed out, and an answer that could not be
 * read is of unknown outcome. The linker puts the functions below between the code and the allocator.
 */
#include "backends/privileged_identity/access.h"
#include "backends/privileged_identity/answers.h"
#include "backends/privileged_identity/comment.h"
#include "check.h"
#include "conf_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST       5000 /* allocations of one scenario */
#define LEASE_MARK "[jumpgate lease]"

static long fails_at = -1; /* allocations until one fails; -1 = none does */

#define WRAP(type, name, params, args)                                                                       \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        return fails_at >= 0 && fails_at-- == 0 ? NULL : __real_##name args;                                 \
    }
WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *old, size_t n), (old, n))
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t n), (text, n))
WRAP(void *, secret_alloc, (size_t n), (n))

static struct fixture *fixture;
static char path[128];
static struct pi_profile *profile;

static int setup(void **state)
{
    json_init();
    (void)fixture_setup(state);
    fixture = *state;
    profile = pi_profile_new("json-v2");
    return profile ? 0 : -1;
}

static int teardown(void **state)
{
    pi_profile_free(profile);
    return fixture_teardown(state);
}

/* Runs it with each allocation failing until none does. */
static void each(int (*scenario)(void))
{
    long n;

    for (n = 0; n < MOST; n++) {
        case_label("allocation %ld", n);
        fails_at = n;
        int err = scenario();
        bool failed = fails_at < 0;
        fails_at = -1;
        if (!failed) {
            assert_int_equal(err, 0);
            break;
        }
        assert_true(err == 0 || err == -ENOMEM);
    }
    assert_in_range(n, 1, MOST - 1);
}

static int load_profile(void)
{
    struct buf errors = BUF_INIT(4096), before = BUF_INIT(65536), after = BUF_INIT(65536);
    struct pi_profile *p = pi_profile_new("rest");
    int err = p ? 0 : -ENOMEM;

    if (p)
        pi_profile_print(p, &before);
    if (p)
        err = pi_profile_load(p, path, &errors);
    if (p && err && !before.failed) {
        pi_profile_print(p, &after);
        assert_true(after.failed || (after.len == before.len && !memcmp(after.data, before.data, after.len)));
    }
    pi_profile_free(p);
    buf_free(&errors);
    buf_free(&before);
    buf_free(&after);
    return err;
}

TEST(a_profile_is_whole_or_as_it_was)
{
    (void)snprintf(path, sizeof(path), "%s",
                   fixture_file(fixture, "profile",
                                "[spin_stored]\npath = S\nbody = {\"t\":\"{token}\",\"a\":\"{account}\"}\n"
                                "[checkout_stored]\nok = a\n[texts]\ndone = a \"b c\"\n",
                                0600));
    each(load_profile);
}

static int make_map(void)
{
    static const char *const forms[] = {"web1", "10.0.0.1"};
    const struct pi_session session = {.username = "ann", .domain = "CORP", .forms = forms, .nforms = 2};
    struct buf errors = BUF_INIT(4096);
    struct pi_access *map = NULL;
    struct pi_found found = {.n = 0};
    enum pi_entitlement may = PI_NOT_ENTITLED;
    int err = pi_access_new(fixture->conf, &fixture->conf->vaults[0], &map, &errors);

    assert_int_equal(err == 0, map != NULL);
    if (!err)
        err = pi_access_find(map, &session, &found);
    if (!err) {
        assert_int_equal(found.n, 2);
        err = pi_access_judge(map, &session, found.list[1]->key, &may);
        assert_int_equal(may == PI_ENTITLED, !err);
    }
    pi_found_free(&found);
    pi_access_free(map);
    buf_free(&errors);
    return err;
}

TEST(a_map_is_whole_or_not_there)
{
    (void)fixture_file(fixture, "users", "CORP\\ann\nCORP\\*\n", 0644);
    assert_loads(
        fixture,
        "[listener main]\naddress = 127.0.0.1:8443\n[client pra]\ntoken_sha256 = " FIXTURE_TOKEN
        "\nallow = broker\n[vault erpm]\ntype = privileged_identity\nurl = https://erpm\n"
        "login_name = svc\nprovisional = yes\n"
        "[access a]\nstored_system = s\nstored_account = CORP\\one\nusers = CORP\\ann\nhosts = web?\n"
        "[access b]\nshared_list = l\nshared_system = s\nshared_account = two\nlabel = L\n"
        "username = u\nusers_file = @DIR@/users\nhosts = *\n");
    each(make_map);
}

static const struct pi_http *http;
static enum pi_operation operation;
static enum vault_result wanted;

static int read_answer(void)
{
    struct pi_answer a;

    pi_answer_read(profile, operation, http, &a);
    int err = a.fault.code == FAULT_INTERNAL ? -ENOMEM : 0;
    if (err) {
        assert_int_equal(a.result, VAULT_FAILED);
        assert_int_equal(a.unknown, operation == PI_CHECKOUT_STORED);
        assert_int_equal(a.secret.len, 0);
    } else {
        assert_int_equal(a.result, wanted);
    }
    pi_answer_free(&a);
    return err;
}

TEST(an_answer_is_read_or_of_unknown_outcome)
{
    static const struct {
        enum pi_operation operation;
        int status;
        const char *body;
        enum vault_result result;
    } cases[] = {
        {PI_CHECKOUT_STORED, 200, "{\"OperationMessage\":\"x\",\"Password\":\"secret\"}", VAULT_OK},
        {PI_CHECKOUT_STORED, 500, "{\"Message\":\"checked out by ann\"}", VAULT_CONFLICT},
        {PI_CHECKOUT_STORED, 500, "<Fault><Reason><Text>checked out</Text></Reason></Fault>", VAULT_CONFLICT},
        {PI_SIGN_IN, 200, "{\"OperationMessage\":\"0123456789\"}", VAULT_OK},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pi_http one = {
            .status = cases[i].status, .type = "", .body = cases[i].body, .len = strlen(cases[i].body)};

        http = &one;
        operation = cases[i].operation;
        wanted = cases[i].result;
        each(read_answer);
    }
}

/* It is longer than what a buffer has at first, and its end names the lease. */
static int make_comment(void)
{
    char reason[601], *comment;
    size_t n;

    for (size_t i = 0; i < 300; i++)
        memcpy(reason + 2 * i, "\u00e9", 3);
    comment = pi_comment(reason, NULL, "lease");
    if (!comment)
        return -ENOMEM;
    n = strlen(comment);
    assert_true(n > strlen(LEASE_MARK) && strcmp(comment + n - strlen(LEASE_MARK), LEASE_MARK) == 0);
    free(comment);
    return 0;
}

TEST(a_comment_is_whole_or_not_there)
{
    each(make_comment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_profile_is_whole_or_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_map_is_whole_or_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_read_or_of_unknown_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(a_comment_is_whole_or_not_there, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
