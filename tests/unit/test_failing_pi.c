/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_pi.c - each allocation of the backend of Privileged Identity fails once, while it is opened,
 * signs in, does every operation, is reloaded and closed.
 *
 * An operation that began is answered once. Where the vault has given a password out, the answer has it, or
 * says that it may be so. Once nothing fails any more the same operation succeeds, and closing leaves
 * nothing.
 */
#include "check.h"
#include "failing_calls.h"
#include "pi_rig.h"

#include <stdlib.h>

#define ROWS                                                                                                 \
    "[spin_shared]\npath = Spin\nbody = {\"T\":\"{token}\",\"A\":\"{account}\"}\n"                           \
    "[list_shared]\npath = ListShared\nbody = {\"T\":\"{token}\",\"L\":\"{list}\"}\n"                        \
    "[list_stored]\nmethod = GET\npath = ListStored\ntoken = header\n"                                       \
    "[texts]\ndone = \"complete\"\n"

static bool given_out;
static int checkins; /* in a row */

static void answer_one(struct call *call)
{
    struct rig_answer answer = {.status = 200, .body = "{\"OperationMessage\":\"complete\"}"};

    checkins = strstr(rig.last_target, "CheckIn") ? checkins + 1 : 0;
    if (checkins > 3)
        answer.body = "{\"Message\":\"not checked out\",\"Success\":false}";
    else if (strstr(rig.last_target, "DoLogin"))
        answer.body = "{\"OperationMessage\":\"" PI_TOKEN_1 "\",\"OperationSucceeded\":true}";
    else if (strstr(rig.last_target, "List"))
        answer.body = "[\"root\",{\"AccountName\":\"CORP\\\\adm1\"}]";
    else if (strstr(rig.last_target, "CheckOut")) {
        given_out = true;
        answer.body = "{\"Password\":\"" PI_PASS "\"}";
    }
    rig_reply(call, &answer);
}

static void answer_all(const struct rig_ask *ask)
{
    for (int i = 0; i < 300 && !(ask && ask->done); i++) {
        struct call *call = rig_call(0);

        if (call)
            answer_one(call);
        rig_advance(call ? 0 : 100);
    }
}

enum what { CHECKOUT, READ, CHECKIN, SPIN, FIND, JUDGE, NWHATS };

static int begin(struct rig_ask *ask, enum what what)
{
    switch (what) {
    case CHECKOUT: return pi_checkout(ask, PI_ADM1);
    case READ: return pi_read(ask, PI_ADM1);
    case CHECKIN: return pi_checkin(ask, PI_ADM1);
    case SPIN: return pi_spin(ask, PI_ADM1);
    case FIND: return pi_entitled_all(ask, "ann", "web1");
    default: return pi_entitled_to(ask, "ann", "web1", PI_WEB1);
    }
}

static char last_detail[FAULT_DETAIL_SIZE];

/* True = it went well. */
static bool operate(enum what what)
{
    static struct rig_ask ask;

    pi_ask_init(&ask);
    given_out = false;
    int err = begin(&ask, what);
    if (err) {
        assert_int_equal(ask.done, 0);
        assert_false(given_out);
        ask_free(&ask);
        return false;
    }
    answer_all(&ask);
    assert_int_equal(ask.done, 1);
    bool well = ask.call.result == VAULT_OK || ask.call.result == VAULT_GONE;
    assert_true(well || ask.call.fault.code != FAULT_NONE);
    if (given_out)
        assert_true(well || ask.call.unknown);
    (void)snprintf(last_detail, sizeof(last_detail), "%s", ask.call.fault.detail);
    ask_free(&ask);
    return well;
}

static void open_vault(void)
{
    char why[256] = "";

    rig.vault = privileged_identity_new(NULL, &pi_conf, &rig.conf, why);
    if (!rig.vault) {
        assert_true(*why);
        assert_int_equal(timers_count(rig.timers), 0);
        failing_calls_stop();
        pi_rig_start();
        failing_calls_start();
    }
    failing_calls_stop();
    pi_rig_keys();
    failing_calls_start();
    rig_advance(0);
}

static void reload(void)
{
    char why[256] = "";
    struct privileged_identity_next *next = privileged_identity_prepare(&pi_conf, &rig.conf, why);

    if (next)
        privileged_identity_reload(rig.vault, next);
    else
        assert_true(*why);
}

static void do_all(void)
{
    failing_calls_start();
    open_vault();
    for (int what = 0; what < NWHATS; what++) {
        if (operate((enum what)what))
            continue;
        failing_calls_stop();
        rig_advance(MINUTES(2)); /* a sign-in that failed is not tried at once */
        if (!operate((enum what)what))
            fail_msg("operation %d: %s", what, last_detail);
        failing_calls_start();
    }
    reload();
    rig_advance(MINUTES(20)); /* the token was not used for too long: it is signed out */
    answer_all(NULL);
    failing_calls_stop();
    assert_true(operate(CHECKOUT));
    pi_rig_teardown(NULL);
}

static void shared_and_listed(void)
{
    pi_rig_init();
    pi_rig_profile(ROWS);
    rig.conf.checkin_each = true;
    do_all();
}

static void by_authenticator(void)
{
    pi_rig_init();
    pi_rig_profile("[checkout_shared]\ntoken = header\nbody = {\"A\":\"{account}\"}\n" ROWS);
    rig.conf.authenticator = (char *)(uintptr_t) "CORP";
    do_all();
}

TEST(each_call_of_everything)
{
    failing_calls_each("everything", shared_and_listed);
}

TEST(each_call_with_an_authenticator)
{
    failing_calls_each("authenticator", by_authenticator);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_everything),
        cmocka_unit_test(each_call_with_an_authenticator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
