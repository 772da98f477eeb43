/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_calls.c - the calls of a Privileged Identity: what is sent, what an answer means, what is repeated,
 * what is of unknown outcome.
 */
#include "pi_rig.h"

#include "backends/privileged_identity/comment.h"
#include "backends/privileged_identity/internal.h"
#include "base/jsonw.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>

#define GIVEN    "{\"Password\":\"" PI_PASS "\"}"
#define BASE     "/ERPMWebService/json/V2/AuthService.svc/AccountStoreOps_"
#define OUT_ADM1 BASE "SharedCredential_CheckOut"
#define IN_ADM1  BASE "SharedCredential_CheckIn"

static struct rig_ask a, b, c;

static int setup(void **state)
{
    (void)state;
    pi_rig_init();
    pi_ask_init(&a);
    pi_ask_init(&b);
    pi_ask_init(&c);
    return 0;
}

static int teardown(void **state)
{
    ask_free(&a);
    ask_free(&b);
    ask_free(&c);
    pi_rig_teardown(state);
    return 0;
}

static double metric_of(const char *what)
{
    struct buf page = BUF_INIT(1U << 20);
    double value = -1;

    metrics_render(&page);
    const char *text = buf_cstr(&page), *at = strstr(text, what);
    if (at)
        value = strtod(at + strlen(what), NULL);
    buf_free(&page);
    return value;
}

/* ---- what is sent ---- */

TEST(check_out_repeat_and_check_in_of_a_shared_credential)
{
    char key[REQUEST_KEY_SIZE];

    pi_rig_start();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    struct call *call = rig_call(0);
    assert_string_equal(rig.last_method, "POST");
    assert_string_equal(rig.last_target, OUT_ADM1);
    assert_contains(rig.last_headers, "Content-Type: application/json\r\n");
    assert_contains(rig.last_headers, "Accept: application/json\r\n");
    assert_lacks(rig.last_headers, "Cookie");
    assert_string_equal(rig.last_body,
                        "{\"AuthenticationToken\":\"" PI_TOKEN_1
                        "\",\"Comment\":\"to mend \\\"it\\\" [jumpgate " PI_LEASE
                        "]\",\"SharedCredentialIdentifier\":{\"AccountName\":\"CORP\\\\adm1\","
                        "\"SharedCredentialListName\":\"Domain admins\",\"SystemName\":\"corp.test\"}}");
    assert_false(rig.last_safe);
    rig_answer(call, 200, GIVEN);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(a.call.origin, CHECKOUT_NEW);
    assert_true(secret_equal(&a.call.secret, PI_PASS, strlen(PI_PASS)));
    assert_true(secret_owns(a.call.secret.p));
    (void)snprintf(key, sizeof(key), "%s", a.call.request_key);
    assert_true(strncmp(key, "shared.", 7) == 0);
    ask_again(&a, "");

    assert_int_equal(pi_read(&a, PI_ADM1), 0);
    call = rig_call(0);
    assert_string_equal(rig.last_target, OUT_ADM1);
    assert_contains(rig.last_body, "\"Comment\":\"[jumpgate " PI_LEASE "]\"");
    rig_answer(call, 200, GIVEN);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_string_equal(a.call.request_key, key);
    ask_again(&a, "");

    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    call = rig_call(0);
    assert_string_equal(rig.last_target, IN_ADM1);
    assert_contains(rig.last_body, "\"Comment\":\"[jumpgate " PI_LEASE "]\"");
    assert_contains(rig.last_body, "\"AccountName\":\"CORP\\\\adm1\"");
    rig_answer(call, 200, "{\"OperationMessage\":\"Check-in complete\"}");
    assert_int_equal(a.call.result, VAULT_OK);
    assert_null(a.call.secret.p);
}

TEST(check_out_of_a_stored_credential)
{
    pi_rig_start();
    assert_int_equal(pi_checkout(&a, PI_WEB1), 0);
    pi_sign_in(PI_TOKEN_1);
    struct call *call = rig_call(0);
    assert_string_equal(rig.last_target, BASE "StoredCredential_CheckOut");
    assert_contains(rig.last_body,
                    "\"AccountIdentificationInfo\":{\"AccountName\":\"root\",\"AccountStore\":{"
                    "\"CustomTypeName\":\"\",\"TargetName\":\"web1.corp.test\",\"Type\":3},"
                    "\"PasswordList\":\"\"}");
    rig_answer(call, 200, GIVEN);
    assert_int_equal(a.call.result, VAULT_OK);
    assert_true(strncmp(a.call.request_key, "stored.", 7) == 0);
}

/* The row of a request is all that a check-in needs. */
TEST(check_in_needs_no_section)
{
    struct request_ref ref = {
        .key = "stored.x",
        .lease_id = PI_LEASE,
        .handle = "{\"system\":\"old1\",\"account\":\"sa\",\"type\":7,\"custom_type\":\"X\"}"};

    pi_rig_start();
    assert_int_equal(rig.vault->ops->checkin(rig.vault, &ref, "", &a.call), 0);
    pi_sign_in(PI_TOKEN_1);
    struct call *call = rig_call(0);
    assert_contains(rig.last_body, "\"TargetName\":\"old1\",\"Type\":7");
    assert_contains(rig.last_body, "\"CustomTypeName\":\"X\"");
    rig_answer(call, 200, "");
    assert_int_equal(a.call.result, VAULT_OK);
    static const char *const wrong[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"system\":\"a\"}",
        "{\"system\":\"a\",\"account\":\"b\"}",
        "{\"system\":\"a\",\"account\":\"b\",\"type\":-1,\"custom_type\":\"\"}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ref.handle = wrong[i];
        assert_int_equal(rig.vault->ops->checkin(rig.vault, &ref, "", &b.call), -EINVAL);
    }
}

TEST(keys_and_handles)
{
    char key[REQUEST_KEY_SIZE], again[REQUEST_KEY_SIZE], *handle;
    struct pi_names names;

    pi_rig_start();
    const struct vault_ops *ops = rig.vault->ops;
    assert_int_equal(ops->identify(rig.vault, pi_account_key[PI_ADM1], key, &handle), 0);
    assert_string_equal(handle,
                        "{\"list\":\"Domain admins\",\"system\":\"corp.test\",\"account\":\"CORP\\\\adm1\"}");
    assert_int_equal(pi_handle_read(handle, &names), 0);
    assert_true(names.shared);
    assert_string_equal(names.account, "CORP\\adm1");
    pi_names_free(&names);
    free(handle);
    assert_int_equal(ops->identify(rig.vault, "shared.00000000000000000000000000000000", again, &handle),
                     -EINVAL);
    assert_null(handle);
    assert_true(strcmp(key, pi_account_key[PI_ADM1]) != 0);
    assert_false(rig.vault->can.keys_are_unique || rig.vault->can.per_user || rig.vault->can.has_end);
    assert_true(rig.vault->can.secret_with_checkout && rig.vault->can.repeatable);
    assert_string_equal(rig.vault->principal, "svc-gateway");
    rig.conf.checkout_life_ms = HOURS(2);
    rig.conf.repeat_checkout = false;
    pi_rig_reload();
    assert_true(rig.vault->can.has_end);
    assert_false(rig.vault->can.repeatable);
    assert_int_equal(rig.vault->life_ms, HOURS(2));
}

TEST(what_the_vault_cannot_give_is_not_asked_for)
{
    const struct checkout_want key = {.account_key = pi_account_key[PI_ADM1], .type = CREDENTIAL_SSH_KEY};
    const struct checkout_want gone = {.account_key = "shared.00000000000000000000000000000000"};
    const struct checkout_want strange = {.account_key = "l.17.203.0"};

    pi_rig_start();
    assert_int_equal(rig.vault->ops->checkout(rig.vault, &key, &a.call), 0);
    assert_int_equal(rig.vault->ops->checkout(rig.vault, &gone, &b.call), 0);
    assert_int_equal(rig.vault->ops->checkout(rig.vault, &strange, &c.call), -EINVAL);
    assert_int_equal(a.done + b.done, 0);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_ABSENT);
    assert_int_equal(a.call.fault.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_contains(a.call.fault.detail, "has passwords alone");
    assert_int_equal(b.call.result, VAULT_ABSENT);
    assert_int_equal(b.call.fault.code, FAULT_CREDENTIAL_NOT_FOUND);
    assert_contains(b.call.fault.detail, "no [access] section");
    assert_int_equal(rig.total, 0);
}

/* 0 is the owner of the probes that use the connection that is there. */
TEST(calls_and_the_probe_that_decides_share_no_connection)
{
    rig.hold_probes = true;
    pi_rig_start();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    uint64_t owner = rig_call(0)->owner;
    assert_non_null(rig.probe);
    assert_int_not_equal(owner, 0);
    assert_int_not_equal(rig.probe->call->owner, 0);
    assert_int_not_equal(rig.probe->call->owner, owner);
}

TEST(comment_is_cut_in_its_middle)
{
    char reason[2000], *comment;

    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    memcpy(reason, "begin", 5);
    comment = pi_comment(reason, "T-1", PI_LEASE);
    assert_int_equal(utf8_count(comment), PI_COMMENT_LETTERS);
    assert_true(strncmp(comment, "beginxxx", 8) == 0);
    assert_contains(comment, "x...x");
    assert_string_equal(comment + strlen(comment) - strlen(" ticket T-1 [jumpgate " PI_LEASE "]"),
                        " ticket T-1 [jumpgate " PI_LEASE "]");
    free(comment);
    for (size_t i = 0; i + 3 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa4", 3); /* letters of two bytes are kept whole */
    comment = pi_comment(reason, NULL, PI_LEASE);
    assert_int_equal(utf8_count(comment), PI_COMMENT_LETTERS);
    assert_true(utf8_valid(comment, strlen(comment)));
    free(comment);
    comment = pi_comment(NULL, "", PI_LEASE);
    assert_string_equal(comment, "[jumpgate " PI_LEASE "]");
    free(comment);
    comment = pi_comment("why [jumpgate " PI_LEASE "]", "7", PI_LEASE); /* once, behind the ticket */
    assert_string_equal(comment, "why ticket 7 [jumpgate " PI_LEASE "]");
    free(comment);
    comment = pi_comment("[jumpgate " PI_LEASE "]", NULL, PI_LEASE);
    assert_string_equal(comment, "[jumpgate " PI_LEASE "]");
    free(comment);
    comment = pi_comment("a", "7", "");
    assert_string_equal(comment, "a ticket 7");
    free(comment);
    reason[249] = '\0';
    memset(reason, 'y', 249);
    comment = pi_comment(reason, NULL, NULL);
    assert_string_equal(comment, reason);
    free(comment);
}

/* ---- answers ---- */

enum call_of { CHECKOUT = 1, READ = 2, CHECKIN = 4, SPIN = 8, ALL = 15 };

static int begin(struct rig_ask *ask, enum call_of what)
{
    switch (what) {
    case CHECKOUT: return pi_checkout(ask, PI_ADM1);
    case READ: return pi_read(ask, PI_ADM1);
    case CHECKIN: return pi_checkin(ask, PI_ADM1);
    default: return pi_spin(ask, PI_ADM1);
    }
}

#define SPIN_ROW "[spin_shared]\npath = Spin\nbody = {\"T\":\"{token}\",\"A\":\"{account}\"}\n"

TEST(each_answer_has_its_result)
{
    static const struct {
        int status;
        const char *type, *body;
        unsigned what;
        enum vault_result result;
        enum fault_code code;
        bool unknown;
    } cases[] = {
        {200, "", "{\"OperationMessage\":\"Already checked out by CORP\\\\bob\"}", CHECKOUT | READ | SPIN,
         VAULT_CONFLICT, FAULT_VAULT_CONFLICT, false},
        {200, "", "{\"OperationMessage\":\"Already checked out by CORP\\\\bob\"}", CHECKIN, VAULT_GONE,
         FAULT_VAULT_CONFLICT, false},
        {200, "", "{\"OperationMessage\":\"is not checked out\"}", CHECKIN, VAULT_GONE, FAULT_VAULT_CONFLICT,
         false},
        {400, "", "{\"Message\":\"You must request this password\"}", CHECKOUT | READ, VAULT_PENDING,
         FAULT_APPROVAL_PENDING, false},
        {500, "", "{\"Message\":\"account not found\"}", ALL, VAULT_ABSENT, FAULT_CREDENTIAL_NOT_FOUND,
         false},
        {500, "text/xml",
         "<s:Envelope xmlns:s='x'><s:Fault><faultstring>Access denied</faultstring></s:Fault></s:Envelope>",
         ALL, VAULT_DENIED, FAULT_NOT_ENTITLED, false},
        {500, "", "{\"Message\":\"boom\"}", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "{\"OperationMessage\":\"a one-time code\"}", ALL, VAULT_FAILED, FAULT_VAULT_REFUSED_USER,
         true},
        {404, "", "", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {405, "text/html", "<html>", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {302, "", "", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {413, "", "", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {429, "", "", ALL, VAULT_FAILED, FAULT_VAULT_UNAVAILABLE, true},
        {503, "text/html", "<html>", ALL, VAULT_FAILED, FAULT_VAULT_UNAVAILABLE, true},
        {200, "text/html", "<html>", ALL, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "{\"Password\":\"\"}", CHECKOUT | READ, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "{\"Password\":null}", CHECKOUT | READ, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "", CHECKOUT | READ, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "\"" PI_PASS "\"", CHECKOUT | READ, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "{\"Password\":\"" PI_PASS "\",\"Success\":false}", CHECKOUT | READ, VAULT_FAILED,
         FAULT_VAULT_ERROR, true},
        {200, "", "{\"Password\":\"" PI_PASS "\",\"Password\":\"x\"}", CHECKOUT | READ, VAULT_FAILED,
         FAULT_VAULT_ERROR, true},
        {200, "", "{\"Password\":\"" PI_PASS "\",\"OperationMessage\":\"checked out\",\"Error\":1}",
         CHECKOUT | READ, VAULT_FAILED, FAULT_VAULT_ERROR, true},
        {200, "", "", CHECKIN | SPIN, VAULT_OK, 0, false},
        {204, "", "", CHECKIN | SPIN, VAULT_OK, 0, false},
        {200, "", "true", CHECKIN | SPIN, VAULT_OK, 0, false},
        {200, "", "null", CHECKIN | SPIN, VAULT_OK, 0, false},
        {200, "", "{\"Success\":true,\"Message\":\"whatever\"}", CHECKIN | SPIN, VAULT_OK, 0, false},
        {200, "", "{}", CHECKIN | SPIN, VAULT_OK, 0, false},
        {200, "", "{\"Message\":\"it is in the safe\"}", CHECKIN | SPIN, VAULT_FAILED, FAULT_VAULT_ERROR,
         true},
        {200, "", "false", CHECKIN | SPIN, VAULT_FAILED, FAULT_VAULT_ERROR, true},
    };

    rig.conf.retries = 2;
    pi_rig_profile(SPIN_ROW);
    pi_rig_start();
    pi_checked_out(&a, PI_ADM1);
    ask_free(&a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned what = CHECKOUT; what <= SPIN; what <<= 1) {
            if (!(cases[i].what & what))
                continue;
            case_label("%d %s call %u", cases[i].status, cases[i].body, what);
            pi_ask_init(&a);
            assert_int_equal(begin(&a, (enum call_of)what), 0);
            rig_reply(rig_call(0), &(struct rig_answer){.status = cases[i].status,
                                                        .content_type = cases[i].type,
                                                        .body = cases[i].body,
                                                        .retry_after = "9"});
            assert_int_equal(a.done, 1);
            assert_int_equal(rig_waiting(), 0); /* nothing with effects is repeated */
            assert_int_equal(a.call.result, cases[i].result);
            assert_int_equal(a.call.unknown, cases[i].unknown);
            assert_int_equal(a.call.fault.code, cases[i].code);
            assert_lacks(a.call.fault.detail, PI_PASS);
            if (cases[i].status == 503 || cases[i].status == 429)
                assert_int_equal(a.call.fault.retry_after_s, 9);
            assert_null(a.call.secret.p);
            ask_free(&a);
        }
    pi_ask_init(&a);
}

TEST(a_refused_token_with_a_password_may_have_done_it)
{
    pi_rig_start();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 401, "{\"Message\":\"no\",\"Password\":\"x\"}");
    pi_sign_in(PI_TOKEN_2);
    rig_answer(rig_call(0), 500, "{\"Message\":\"Access denied\"}");
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_true(a.call.unknown);
}

TEST(no_token_in_a_fault_and_the_own_name_in_a_conflict)
{
    pi_rig_start();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 500, "{\"Message\":\"Access denied for token " PI_TOKEN_1 "\"}");
    assert_int_equal(a.call.result, VAULT_DENIED);
    assert_lacks(a.call.fault.detail, PI_TOKEN_1);
    ask_again(&a, "");
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 500, "{\"Message\":\"It is checked out by svc-gateway.\"}");
    assert_int_equal(a.call.result, VAULT_CONFLICT);
    assert_true(a.call.holder_is_own && !a.call.unknown);
    ask_again(&a, "");
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 500, "{\"Message\":\"It is checked out by CORP\\\\ann.\"}");
    assert_int_equal(a.call.result, VAULT_CONFLICT);
    assert_false(a.call.holder_is_own);
}

TEST(lost_and_unsent_calls)
{
    pi_rig_start();
    pi_checked_out(&a, PI_ADM1);
    for (unsigned what = CHECKOUT; what <= CHECKIN; what <<= 1) {
        case_label("call %u", what);
        assert_int_equal(begin(&a, (enum call_of)what), 0);
        rig_fail(rig_call(0), -ETIMEDOUT, true);
        assert_true(a.done == 1 && a.call.unknown && a.call.result == VAULT_FAILED);
        ask_again(&a, "");
        assert_int_equal(begin(&a, (enum call_of)what), 0);
        rig_fail(rig_call(0), -ECONNRESET, true);
        assert_true(a.done == 1 && a.call.unknown);
        ask_again(&a, "");
        assert_int_equal(begin(&a, (enum call_of)what), 0);
        rig_fail(rig_call(0), -EMSGSIZE, true);
        assert_true(a.done == 1 && a.call.unknown && a.call.fault.too_large);
        ask_again(&a, "");
        /* Nothing of it was sent: it is tried again, `retries` times. */
        assert_int_equal(begin(&a, (enum call_of)what), 0);
        for (unsigned i = 0; i <= rig.conf.retries; i++) {
            assert_int_equal(a.done, 0);
            rig_fail(rig_call(0), -ECONNREFUSED, false);
            rig_advance(SECONDS(1));
        }
        assert_true(a.done == 1 && !a.call.unknown);
        assert_int_equal(a.call.fault.code, FAULT_VAULT_UNAVAILABLE);
        ask_again(&a, "");
    }
}

TEST(deadline_while_waiting_and_while_sent)
{
    pi_rig_start();
    a.call.timeout_ms = SECONDS(3);
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0); /* the sign-in takes too long */
    rig_advance(SECONDS(3));
    assert_int_equal(a.done, 1);
    assert_int_equal(a.call.fault.code, FAULT_DEADLINE_EXCEEDED);
    assert_false(a.call.unknown);
    pi_sign_in(PI_TOKEN_1);
    b.call.timeout_ms = SECONDS(4);
    assert_int_equal(pi_checkout(&b, PI_ADM1), 0);
    (void)rig_call(0);
    assert_int_equal(rig.last_timeout_ms, SECONDS(4));
    c.call.timeout_ms = SECONDS(60);
    assert_int_equal(pi_checkout(&c, PI_WEB1), 0);
    (void)rig_call(1);
    assert_int_equal(rig.last_timeout_ms, SECONDS(10)); /* call_timeout */
    rig_answer(rig_call(0), 200, GIVEN);
    rig_answer(rig_call(0), 200, GIVEN);
}

/* Its turn comes in the moment in which its time is over, before its deadline fires. */
TEST(call_whose_time_is_over_is_not_sent)
{
    pi_rig_start();
    a.call.timeout_ms = SECONDS(3);
    a.call.status = 200; /* of a call before */
    b.call.wait_ms = SECONDS(3);
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    fake_clock_advance(&rig.fc, SECONDS(3));
    pi_sign_in(PI_TOKEN_1);
    assert_int_equal(rig_waiting(), 0);
    rig_advance(0);
    assert_true(a.done == 1 && !a.call.unknown);
    assert_int_equal(a.call.fault.code, FAULT_DEADLINE_EXCEEDED);
    assert_int_equal(a.call.status, 0);
    assert_true(b.done == 1 && !b.call.unknown);
    assert_int_equal(b.call.fault.code, FAULT_OVERLOADED);
    assert_contains(b.call.fault.detail, "could not be sent in time");
}

static bool never(struct vault_call *call)
{
    (void)call;
    return false;
}

TEST(withheld_withdrawn_and_cancelled_calls)
{
    pi_rig_start();
    a.call.may_send = never;
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    assert_true(rig.vault->ops->withdraw(rig.vault, &b.call)); /* it waits for the sign-in */
    assert_false(rig.vault->ops->withdraw(rig.vault, &b.call));
    pi_sign_in(PI_TOKEN_1);
    assert_int_equal(rig_waiting(), 1);
    struct call *call = rig_call(0);
    assert_false(call->may_send(call));
    rig_fail(call, -ESTALE, false);
    assert_true(a.done == 1 && a.call.withheld && !a.call.unknown);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    assert_false(rig.vault->ops->withdraw(rig.vault, &b.call)); /* it is sent */
    rig.in_line = true;
    assert_true(rig.vault->ops->withdraw(rig.vault, &b.call)); /* it waits for a connection */
    rig.in_line = false;
    assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
    rig.vault->ops->cancel(rig.vault, &c.call);
    rig.vault->ops->cancel(rig.vault, &c.call);
    assert_int_equal(rig_waiting(), 0);
    assert_int_equal(b.done + c.done, 0);
}

/* `done` may start and cancel any call. */
static void checks_in(struct rig_ask *ask)
{
    ask->then = NULL;
    ask_again(ask, "");
    assert_int_equal(pi_checkin(ask, PI_ADM1), 0);
}

TEST(done_starts_another)
{
    pi_rig_start();
    a.then = checks_in;
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 200, GIVEN);
    (void)rig_call(0);
    assert_string_equal(rig.last_target, IN_ADM1);
    rig_answer(rig_call(0), 200, "");
    assert_int_equal(a.done, 1);
}

TEST(max_calls_and_one_users_share)
{
    static struct rig_ask many[8];

    rig.conf.max_calls = 8;
    pi_rig_start();
    for (size_t i = 0; i < 8; i++) { /* all of them: the one identity has no share */
        pi_ask_init(&many[i]);
        assert_int_equal(pi_checkout(&many[i], PI_ADM1), 0);
    }
    assert_int_equal(pi_checkout(&a, PI_ADM1), -EAGAIN);
    assert_int_equal(a.call.fault.code, FAULT_OVERLOADED);
    b.call.begun = true;
    assert_int_equal(pi_checkin(&b, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    while (rig_waiting())
        rig_answer(rig_call(0), 200, GIVEN);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(many[i].call.result, VAULT_OK);
        ask_free(&many[i]);
    }
}

/* ---- rows ---- */

TEST(row_that_is_missing_fails_the_call_and_nothing_is_sent)
{
    rig.conf.provisional = PROVISIONAL_YES; /* checkin_stored is guessed */
    pi_rig_start();
    assert_int_equal(pi_checkin(&a, PI_WEB1), 0);
    assert_int_equal(pi_spin(&b, PI_ADM1), 0);
    rig_advance(0);
    assert_true(a.done == 1 && a.call.result == VAULT_FAILED && !a.call.unknown);
    assert_contains(a.call.fault.detail, "checkin_stored");
    assert_contains(a.call.fault.detail, "guessed");
    assert_contains(b.call.fault.detail, "spin_shared");
    assert_contains(b.call.fault.detail, "none");
    assert_int_equal(rig.total, 0);
}

/* ---- checkin_calls = each ---- */

TEST(as_many_check_ins_as_are_due)
{
    rig.conf.checkin_each = true;
    pi_rig_start();
    assert_true(rig.vault->can.checkins_each);
    pi_checked_out(&a, PI_ADM1);
    pi_checkins_due = 3;
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a.done, 0);
        (void)rig_call(0);
        assert_string_equal(rig.last_target, IN_ADM1);
        rig_answer(rig_call(0), 200, "");
    }
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(a.call.checkins, 3);
    assert_int_equal(rig_waiting(), 0);
}

/* Those that are confirmed are told, so that the next attempt makes the others alone. */
TEST(check_ins_that_are_cut_off_tell_how_many_were_done)
{
    rig.conf.checkin_each = true;
    pi_rig_start();
    pi_checked_out(&a, PI_ADM1);
    pi_checkins_due = 3;
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 200, "");
    rig_fail(rig_call(0), -ECONNRESET, true);
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_true(a.call.unknown);
    assert_int_equal(a.call.checkins, 1);
    ask_again(&a, "");
    pi_checkins_due = 2;
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 400, "{\"Message\":\"not checked out\"}"); /* the lost one had its effect */
    assert_int_equal(a.call.result, VAULT_GONE);
    assert_int_equal(a.call.checkins, 0);
    assert_int_equal(rig_waiting(), 0);
}

TEST(one_check_in_where_one_is_enough)
{
    pi_rig_start();
    assert_false(rig.vault->can.checkins_each);
    pi_checked_out(&a, PI_ADM1);
    pi_checkins_due = 3;
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 200, "");
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(rig_waiting(), 0);
}

/* Of a row that has no number. */
TEST(check_ins_without_a_count_go_on_until_nothing_is_left)
{
    rig.conf.checkin_each = true;
    pi_rig_start();
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 200, "");
    rig_answer(rig_call(0), 200, "");
    assert_int_equal(a.done, 0);
    rig_answer(rig_call(0), 400, "{\"Message\":\"not checked out\"}");
    assert_int_equal(a.call.result, VAULT_OK);
    assert_int_equal(pi_checkin(&b, PI_ADM1), 0);
    rig_answer(rig_call(0), 400, "{\"Message\":\"not checked out\"}");
    assert_int_equal(b.call.result, VAULT_GONE);
}

/* A vault may say success to a check-in of nothing. */
TEST(check_ins_without_a_count_are_limited)
{
    int n = 0;

    rig.conf.checkin_each = true;
    pi_rig_start();
    assert_int_equal(pi_checkin(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    for (; !a.done && n < 1000; n++)
        rig_answer(rig_call(0), 200, "");
    assert_int_equal(n, 256);
    assert_int_equal(a.call.result, VAULT_OK);
}

/* ---- spin ---- */

TEST(spin_follows_as_it_is_configured)
{
    static const struct {
        enum conf_spin spin;
        int64_t shared, stored;
    } cases[] = {{SPIN_NO, -1, -1}, {SPIN_SHARED, 5000, -1}, {SPIN_STORED, -1, 5000}, {SPIN_ALL, 5000, 5000}};
    char key[REQUEST_KEY_SIZE], *handle;

    rig.conf.spin = SPIN_ALL; /* the log says that it has no effect */
    rig.conf.spin_delay_ms = SECONDS(5);
    pi_rig_profile(SPIN_ROW);
    pi_rig_start();
    for (size_t i = 0; i < 4; i++)
        for (int which = 0; which < PI_NACCESSES; which++) {
            rig.conf.spin = cases[i].spin;
            assert_int_equal(rig.vault->ops->identify(rig.vault, pi_account_key[which], key, &handle), 0);
            const struct request_ref ref = {.key = key, .handle = handle};
            assert_int_equal(rig.vault->ops->after_checkin_delay(rig.vault, &ref),
                             which == PI_ADM1 ? cases[i].shared : cases[i].stored);
            free(handle);
        }
    assert_int_equal(
        rig.vault->ops->after_checkin_delay(rig.vault, &(struct request_ref){.key = "", .handle = ""}), -1);
    assert_int_equal(pi_spin(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    (void)rig_call(0);
    assert_string_equal(rig.last_target, "/ERPMWebService/json/V2/AuthService.svc/Spin");
    rig_answer(rig_call(0), 200, "");
    assert_int_equal(a.call.result, VAULT_OK);
}

/* ---- figures ---- */

TEST(metrics_and_status)
{
    pi_rig_profile(SPIN_ROW);
    pi_rig_start();
    pi_checked_out(&a, PI_ADM1);
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 200, "{\"Message\":\"in use by ann\"}");
    assert_int_equal(pi_checkin(&b, PI_ADM1), 0);
    rig_fail(rig_call(0), -ECONNRESET, true);
    assert_int_equal(pi_spin(&c, PI_ADM1), 0);
    rig_answer(rig_call(0), 200, "");
    assert_true(metric_of("jumpgate_vault_conflicts_total{vault=\"erpm\"} ") == 1);
    assert_true(metric_of("jumpgate_vault_failures_total{vault=\"erpm\"} ") == 1);
    assert_true(metric_of("jumpgate_vault_unknown_outcomes_total{vault=\"erpm\",operation=\"checkin\"} ") ==
                1);
    assert_true(metric_of("jumpgate_vault_unknown_outcomes_total{vault=\"erpm\",operation=\"checkout\"} ") ==
                0);
    assert_true(metric_of("jumpgate_vault_unknown_outcomes_total{vault=\"erpm\",operation=\"spin\"} ") == 0);
    assert_true(
        metric_of("jumpgate_vault_call_duration_seconds_count{vault=\"erpm\",operation=\"sign_in\"} ") == 1);
    assert_true(
        metric_of("jumpgate_vault_call_duration_seconds_count{vault=\"erpm\",operation=\"checkout\"} ") == 2);
    rig_advance(SECONDS(30));
    struct buf text = BUF_INIT(4096);
    struct jsonw w = jsonw_start(&text);
    jsonw_object(&w, NULL);
    rig.vault->ops->describe(rig.vault, &w);
    jsonw_end(&w);
    assert_string_equal(buf_cstr(&text), "{\"provisional\":true,\"profile\":\"json-v2\",\"operations\":{"
                                         "\"sign_in\":\"seen\",\"sign_out\":\"seen\","
                                         "\"checkout_stored\":\"seen\",\"checkin_stored\":\"guessed\","
                                         "\"checkout_shared\":\"seen\",\"checkin_shared\":"
                                         "\"seen\",\"spin_stored\":\"none\",\"spin_shared\":\"overridden\","
                                         "\"list_stored\":\"none\",\"list_shared\":"
                                         "\"none\"},\"signed_in\":true,\"token_age_seconds\":30}");
    buf_free(&text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(check_out_repeat_and_check_in_of_a_shared_credential),
        T(check_out_of_a_stored_credential),
        T(check_in_needs_no_section),
        T(keys_and_handles),
        T(what_the_vault_cannot_give_is_not_asked_for),
        T(calls_and_the_probe_that_decides_share_no_connection),
        T(comment_is_cut_in_its_middle),
        T(each_answer_has_its_result),
        T(a_refused_token_with_a_password_may_have_done_it),
        T(no_token_in_a_fault_and_the_own_name_in_a_conflict),
        T(lost_and_unsent_calls),
        T(deadline_while_waiting_and_while_sent),
        T(call_whose_time_is_over_is_not_sent),
        T(withheld_withdrawn_and_cancelled_calls),
        T(done_starts_another),
        T(max_calls_and_one_users_share),
        T(row_that_is_missing_fails_the_call_and_nothing_is_sent),
        T(as_many_check_ins_as_are_due),
        T(check_ins_that_are_cut_off_tell_how_many_were_done),
        T(one_check_in_where_one_is_enough),
        T(check_ins_without_a_count_go_on_until_nothing_is_left),
        T(check_ins_without_a_count_are_limited),
        T(spin_follows_as_it_is_configured),
        T(metrics_and_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
