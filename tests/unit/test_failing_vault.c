/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_vault.c - each allocation of the Password Safe backend fails once, while it is opened, signs
 * in by key and by OAuth, and does every operation.
 *
 * An operation that began is answered once. Where the vault has made a request, the answer says so, or that
 * it may be so. Once nothing fails any more the same operation succeeds, and closing leaves nothing.
 */
#include "check.h"
#include "failing_calls.h"
#include "ps_rig.h"

#include <stdlib.h>

#define USER "CORP\\alice"

static bool request_made;

static void answer_one(struct call *call)
{
    struct rig_answer answer = {.status = 200, .body = "[]"};

    if (strstr(rig.last_target, "/token")) {
        answer.body = "{\"access_token\":\"tok\",\"expires_in\":3600,\"token_type\":\"bearer\"}";
    } else if (strstr(rig.last_target, "/Auth/")) {
        answer.body = "{\"UserId\":1}";
        answer.cookies = "ASP.NET_SessionId=q3v0; path=/; secure\n";
    } else if (strstr(rig.last_target, "/Credentials/") || strstr(rig.last_target, "/ISARequests")) {
        answer.body = "\"pa\\u0073s\"";
    } else if (strstr(rig.last_target, "/Checkin")) {
        answer = (struct rig_answer){.status = 204};
    } else if (strstr(rig.last_target, "AccessPolicies")) {
        answer.body = "[{\"AccessPolicyID\":5}]";
    } else if (!strcmp(rig.last_method, "POST")) {
        request_made = true;
        answer = (struct rig_answer){.status = 201, .body = "9114"};
    } else if (strstr(rig.last_target, "/Requests")) {
        answer.body =
            "[{\"RequestID\":9114,\"SystemID\":17,\"AccountID\":203,\"Reason\":\"a\",\"Status\":\"Active\","
            "\"ExpiresDate\":\"2026-03-10T12:00:00\"}]";
    } else if (strstr(rig.last_target, "/ManagedAccounts")) {
        answer.body = "[{\"PlatformID\":2,\"SystemId\":17,\"SystemName\":\"srv01\",\"AccountId\":203,"
                      "\"AccountName\":\"ro\\\"ot\",\"DomainName\":null,\"DefaultReleaseDuration\":120,"
                      "\"MaximumReleaseDuration\":525600}]";
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

enum what { LIST, POLICY, REQUEST, REQUESTS, CREDENTIAL, CHECKIN, DIRECT, DIRECTORY, NWHATS };

static int begin(struct rig_ask *ask, enum what what)
{
    const struct vault_ops *ops = rig.vault->ops;
    struct checkout_want args = {.account_key = "l.17.203.0", .minutes = 60, .reason = "to m\"end"};

    switch (what) {
    case LIST: return ask_list(ask, KIND_LOCAL, "srv01");
    case POLICY: return ops->policy(rig.vault, args.account_key, args.minutes, &ask->call);
    case REQUEST: return ask_request(ask, "to m\"end");
    case REQUESTS: return ops->requests(rig.vault, &ask->call);
    case CREDENTIAL: return ask_credential(ask);
    case CHECKIN: return ask_checkin(ask);
    case DIRECT: args.direct = true; return ops->checkout(rig.vault, &args, &ask->call);
    default: return ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask->call);
    }
}

static char last_detail[FAULT_DETAIL_SIZE];

/* True = it went well. */
static bool operate(enum what what)
{
    static struct rig_ask ask;
    bool well;

    ask_init(&ask, USER);
    request_made = false;
    if (begin(&ask, what)) {
        assert_int_equal(ask.done, 0);
        assert_false(request_made);
        return false;
    }
    answer_all(&ask);
    assert_int_equal(ask.done, 1);
    well = ask.call.result == VAULT_OK;
    assert_true(well || ask.call.fault.code != FAULT_NONE);
    if (request_made && what == REQUEST)
        assert_true(well || ask.call.unknown);
    (void)snprintf(last_detail, sizeof last_detail, "%s", ask.call.fault.detail);
    ask_free(&ask);
    return well;
}

static void open_vault(void)
{
    char why[256] = "";

    rig.vault = password_safe_new(NULL, &rig.conf, why);
    if (!rig.vault) {
        assert_true(*why);
        assert_int_equal(timers_count(rig.timers), 0);
        failing_calls_stop();
        rig.vault = password_safe_new(NULL, &rig.conf, why);
        failing_calls_start();
    }
    assert_non_null(rig.vault);
    rig_advance(0);
}

static void do_all(void)
{
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
    struct password_safe_next *next = password_safe_prepare(&rig.conf, (char[256]){0});

    if (next)
        password_safe_reload(rig.vault, next);
    rig_advance(MINUTES(20)); /* the session has rested too long: it is signed out */
    answer_all(NULL);
    failing_calls_stop();
    assert_true(operate(LIST));
    rig_teardown(NULL);
}

static void by_key(void)
{
    rig_init();
    failing_calls_start();
    do_all();
}

static void by_oauth(void)
{
    rig_init();
    rig_init_oauth();
    failing_calls_start();
    do_all();
}

TEST(each_call_with_a_key)
{
    failing_calls_each("by key", by_key);
}

TEST(each_call_with_oauth)
{
    failing_calls_each("by OAuth", by_oauth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_with_a_key),
        cmocka_unit_test(each_call_with_oauth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
