/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pi_token.c - the token that all calls of a Privileged Identity share: sign-in, renewal, pauses after
 * refusals, refused tokens, sign-out.
 */
#include "pi_rig.h"

#include "backends/privileged_identity/internal.h"

#include <errno.h>

#define REFUSED                                                                                              \
    "{\"OperationMessage\":\"Login failed: unknown user or bad password\",\"OperationSucceeded\":false}"
#define MFA   "{\"OperationMessage\":\"A one-time code is needed\",\"OperationSucceeded\":false}"
#define DEAD  "{\"OperationMessage\":\"Invalid token\",\"OperationSucceeded\":false}"
#define GIVEN "{\"Password\":\"" PI_PASS "\"}"

static struct rig_ask a, b, c;

static int setup(void **state)
{
    (void)state;
    pi_rig_init();
    return 0;
}

static void init_all(void)
{
    pi_ask_init(&a);
    pi_ask_init(&b);
    pi_ask_init(&c);
}

static void free_all(void)
{
    ask_free(&a);
    ask_free(&b);
    ask_free(&c);
}

static const struct pi *pi(void)
{
    return pi_of(rig.vault);
}

TEST(one_sign_in_serves_all_that_wait)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    assert_int_equal(pi_read(&c, PI_ADM1), 0);
    assert_int_equal(rig_waiting(), 1);
    (void)rig_call(0);
    assert_string_equal(rig.last_body,
                        "{\"LoginType\":1,\"Username\":\"svc-gateway\",\"Password\":\"winter Sun 9\"}");
    assert_lacks(rig.last_target, "?");
    pi_sign_in(PI_TOKEN_1);
    assert_int_equal(rig_waiting(), 3);
    for (int i = 0; i < 3; i++) {
        struct call *call = rig_call(0);

        assert_contains(rig.last_body, PI_TOKEN_1);
        rig_answer(call, 200, GIVEN);
    }
    assert_int_equal(a.call.result + b.call.result + c.call.result, 3 * VAULT_OK);
    assert_true(secret_owns(pi()->token->text.p));
    free_all();
}

TEST(authenticator_makes_login_type_2)
{
    rig.conf.authenticator = (char *)(uintptr_t) "CORP";
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    (void)rig_call(0);
    assert_contains(rig.last_body, "\"LoginType\":2");
    assert_contains(rig.last_body, "\"Authenticator\":\"CORP\"");
    rig.vault->ops->cancel(rig.vault, &a.call);
    pi_sign_in(PI_TOKEN_1); /* it goes on without the call */
    assert_non_null(pi()->token);
    free_all();
}

TEST(no_password_is_sent_where_the_profile_has_none)
{
    struct fault f;

    pi_rig_profile("[sign_in]\npath = Login\nbody = {\"Username\":\"{user}\"}\n");
    rig.conf.login_password_file = NULL;
    pi_rig_start();
    init_all();
    assert_int_equal(rig.vault->ops->admit(rig.vault, "svc-gateway", SECONDS(10), &f), 0);
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    assert_non_null(rig_call(0));
    assert_string_equal(rig.last_body, "{\"Username\":\"svc-gateway\"}");
    rig.vault->ops->cancel(rig.vault, &a.call);
    free_all();
}

TEST(old_token_is_replaced_and_signed_out_with_its_last_call)
{
    rig.conf.token_max_age_ms = SECONDS(20);
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_advance(SECONDS(5));
    struct call *first = rig_call(0);
    a.call.timeout_ms = MINUTES(1);
    rig_advance(SECONDS(15));
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    struct call *sign_in = rig_call(1);
    assert_string_equal(rig.last_target, PI_LOGIN);
    assert_int_equal(rig_waiting(), 2); /* no sign-out yet */
    rig_answer(sign_in, 200, "{\"OperationMessage\":\"" PI_TOKEN_2 "\"}");
    struct call *second = rig_call(1);
    assert_contains(rig.last_body, PI_TOKEN_2);
    rig_answer(second, 200, GIVEN);
    rig_answer(first, 200, GIVEN);
    assert_int_equal(a.done + b.done, 2);
    pi_signed_out(PI_TOKEN_1);
    assert_int_equal(rig_waiting(), 0);
    free_all();
}

TEST(unused_token_is_signed_out)
{
    pi_rig_start();
    pi_checked_out(&a, PI_ADM1);
    rig_advance(MINUTES(5) - 1);
    assert_int_equal(rig_waiting(), 0);
    rig_advance(1);
    pi_signed_out(PI_TOKEN_1);
    assert_null(pi()->token);
    ask_free(&a);
}

TEST(refused_sign_in_pauses_everything_and_doubles)
{
    static const uint64_t pauses[] = {SECONDS(60), MINUTES(2),  MINUTES(4), MINUTES(8),
                                      MINUTES(16), MINUTES(30), MINUTES(30)};
    struct vault_state now;

    pi_rig_start();
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        init_all();
        assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
        assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
        rig_answer(rig_call(0), 200, REFUSED);
        rig_advance(0);
        assert_int_equal(a.call.result, VAULT_REFUSED);
        assert_int_equal(b.call.result, VAULT_REFUSED);
        assert_int_equal(a.call.fault.code, FAULT_VAULT_REFUSED_USER);
        assert_contains(a.call.fault.detail, "unknown user");
        rig_advance(pauses[i] - 1);
        assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
        rig_advance(0);
        assert_int_equal(c.call.result, VAULT_REFUSED);
        assert_int_equal(rig_waiting(), 0);
        rig.vault->ops->state(rig.vault, &now);
        assert_true(now.refuses);
        assert_contains(now.detail, "unknown user");
        rig_advance(1);
        rig.vault->ops->state(rig.vault, &now);
        assert_false(now.refuses);
        free_all();
    }
    assert_int_equal(rig.total, sizeof(pauses) / sizeof(pauses[0]));
}

TEST(every_form_of_a_refusal_pauses)
{
    static const struct {
        int status;
        const char *type, *body;
    } cases[] = {
        {401, "", ""},
        {403, "application/json", "{}"},
        {200, "application/json", "null"},
        {200, "application/json", "{\"OperationMessage\":\"short\"}"},
        {200, "application/json", "{\"OperationMessage\":\"has a blank in it\"}"},
        {200, "text/plain", "go away"},
        {200, "application/json", "{\"OperationMessage\":\"t0ken-one-0123456789\",\"Success\":false}"},
        {500, "application/json", "{\"Message\":\"bad password\"}"},
        {400, "text/xml", "<Fault><Text>bad password</Text></Fault>"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%s", cases[i].body);
        if (i)
            pi_rig_init();
        pi_rig_start();
        init_all();
        assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
        rig_reply(rig_call(0), &(struct rig_answer){.status = cases[i].status,
                                                    .content_type = cases[i].type,
                                                    .body = cases[i].body});
        rig_advance(0);
        assert_int_equal(a.call.result, VAULT_REFUSED);
        assert_false(a.call.unknown);
        rig_advance(SECONDS(60) - 1);
        assert_int_equal(pi_checkout(&b, PI_ADM1), 0);
        assert_int_equal(rig_waiting(), 0);
        rig_advance(1);
        assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
        pi_sign_in(PI_TOKEN_1);
        rig_answer(rig_call(0), 200, GIVEN);
        assert_int_equal(c.call.result, VAULT_OK);
        free_all();
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            pi_rig_teardown(NULL);
    }
}

TEST(second_factor_pauses_for_half_an_hour)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 200, MFA);
    rig_advance(0);
    assert_int_equal(a.call.result, VAULT_REFUSED);
    assert_contains(a.call.fault.detail, "exempt this identity from MFA");
    assert_true(a.call.fault.second_factor);
    rig_advance(MINUTES(30) - 1);
    assert_int_equal(pi_checkout(&b, PI_ADM1), 0);
    assert_int_equal(rig_waiting(), 0);
    rig_advance(1);
    assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 200, GIVEN);
    free_all();
}

TEST(reload_ends_the_pause)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 401, "");
    rig_advance(SECONDS(1));
    pi_rig_reload();
    assert_int_equal(pi_checkout(&b, PI_ADM1), 0);
    rig_answer(rig_call(0), 401, "");
    rig_advance(SECONDS(60)); /* it begins at a minute again */
    assert_int_equal(b.call.result, VAULT_REFUSED);
    assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 200, GIVEN);
    assert_int_equal(c.call.result, VAULT_OK);
    free_all();
}

TEST(failed_sign_in_is_no_refusal)
{
    static const struct {
        int err, status;
        const char *type, *body;
        enum fault_code code;
    } cases[] = {
        {-ECONNRESET, 0, NULL, NULL, FAULT_VAULT_UNAVAILABLE},
        {-ETIMEDOUT, 0, NULL, NULL, FAULT_DEADLINE_EXCEEDED},
        {0, 503, "", "busy", FAULT_VAULT_UNAVAILABLE},
        {0, 502, "text/html", "<html>", FAULT_VAULT_ERROR},
        {0, 200, "text/html", "<html>", FAULT_VAULT_ERROR},
        {0, 404, "", "", FAULT_VAULT_ERROR},
        {0, 302, "", "", FAULT_VAULT_ERROR},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        case_label("%d %d", cases[i].err, cases[i].status);
        if (i)
            pi_rig_init();
        rig.conf.retries = 0;
        pi_rig_start();
        init_all();
        assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
        if (cases[i].err)
            rig_fail(rig_call(0), cases[i].err, true);
        else
            rig_reply(rig_call(0), &(struct rig_answer){.status = cases[i].status,
                                                        .content_type = cases[i].type,
                                                        .body = cases[i].body,
                                                        .retry_after = "7"});
        rig_advance(0);
        assert_int_equal(a.call.result, VAULT_FAILED);
        assert_int_equal(a.call.fault.code, cases[i].code);
        assert_false(a.call.unknown);
        assert_int_equal(pi_checkout(&b, PI_ADM1), 0); /* held off: the last fault at once */
        assert_int_equal(rig_waiting(), 0);
        rig_advance(SECONDS(2));
        assert_int_equal(b.call.fault.code, cases[i].code);
        assert_true(b.call.fault.retry_after_s > 0);
        assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
        pi_sign_in(PI_TOKEN_1);
        rig_answer(rig_call(0), 200, GIVEN);
        assert_int_equal(c.call.result, VAULT_OK);
        free_all();
        if (i + 1 < sizeof(cases) / sizeof(cases[0]))
            pi_rig_teardown(NULL);
    }
}

/* Both were sent with the first token: one new sign-in, and each is sent once more. */
TEST(refused_token_is_dropped_and_the_calls_go_once_more)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    rig_answer(rig_call(0), 200, DEAD);
    rig_answer(rig_call(0), 401, "");
    assert_int_equal(rig_waiting(), 1); /* no sign-out of a dead token */
    pi_sign_in(PI_TOKEN_2);
    assert_int_equal(rig_waiting(), 2);
    rig_answer(rig_call(0), 200, GIVEN);
    rig_answer(rig_call(0), 200, GIVEN);
    assert_int_equal(a.call.result + b.call.result, 2 * VAULT_OK);
    assert_false(a.call.unknown);
    free_all();
}

TEST(one_odd_credential_takes_the_identity_from_no_one)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 403, "");
    pi_sign_in(PI_TOKEN_2);
    rig_answer(rig_call(0), 403, "");
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_int_equal(a.call.fault.code, FAULT_VAULT_REFUSED_USER);
    assert_false(a.call.unknown);
    assert_int_equal(rig_waiting(), 0);
    ask_again(&a, "");
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0); /* the fresh token stays, and makes no further sign-in */
    rig_answer(rig_call(0), 403, "");
    assert_int_equal(a.done, 1);
    assert_int_equal(rig_waiting(), 0);
    assert_int_equal(pi_checkout(&b, PI_WEB1), 0);
    (void)rig_call(0);
    assert_contains(rig.last_body, PI_TOKEN_2);
    rig_answer(rig_call(0), 200, GIVEN); /* a success: a refusal counts again */
    ask_again(&a, "");
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    rig_answer(rig_call(0), 403, "");
    (void)rig_call(0);
    assert_string_equal(rig.last_target, PI_LOGIN);
    pi_sign_in(PI_TOKEN_1);
    rig_answer(rig_call(0), 403, "");
    assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
    rig_answer(rig_call(0), 403, "");
    assert_int_equal(c.done, 1);
    ask_again(&c, "");
    rig_advance(SECONDS(60)); /* time ends it as well */
    assert_int_equal(pi_checkout(&c, PI_ADM1), 0);
    rig_answer(rig_call(0), 403, "");
    pi_sign_in(PI_TOKEN_2);
    rig_answer(rig_call(0), 200, GIVEN);
    assert_int_equal(c.call.result, VAULT_OK);
    free_all();
}

TEST(page_with_403_refuses_no_token)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    rig_reply(rig_call(0),
              &(struct rig_answer){.status = 403, .content_type = "text/html", .body = "<html>"});
    assert_int_equal(a.call.result, VAULT_FAILED);
    assert_true(a.call.unknown);
    assert_non_null(pi()->token);
    free_all();
}

TEST(stop_signs_out_and_ends_calls)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    pi_rig_teardown(NULL);
    assert_int_equal(a.done, 1);
    assert_true(a.call.unknown);
    free_all();
    pi_rig_init(); /* for the teardown */
}

TEST(stop_during_a_sign_in)
{
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_rig_teardown(NULL);
    assert_int_equal(a.done, 1);
    assert_false(a.call.unknown);
    free_all();
    pi_rig_init();
}

TEST(token_in_the_header)
{
    pi_rig_profile("[checkout_shared]\ntoken = header\nbody = {\"A\":\"{account}\"}\n");
    pi_rig_start();
    init_all();
    assert_int_equal(pi_checkout(&a, PI_ADM1), 0);
    pi_sign_in(PI_TOKEN_1);
    struct call *call = rig_call(0);
    assert_contains(rig.last_headers, "AuthenticationToken: " PI_TOKEN_1 "\r\n");
    assert_string_equal(rig.last_body, "{\"A\":\"CORP\\\\adm1\"}");
    rig_answer(call, 200, GIVEN);
    free_all();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, pi_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_sign_in_serves_all_that_wait),
        T(authenticator_makes_login_type_2),
        T(no_password_is_sent_where_the_profile_has_none),
        T(old_token_is_replaced_and_signed_out_with_its_last_call),
        T(unused_token_is_signed_out),
        T(refused_sign_in_pauses_everything_and_doubles),
        T(every_form_of_a_refusal_pauses),
        T(second_factor_pauses_for_half_an_hour),
        T(reload_ends_the_pause),
        T(failed_sign_in_is_no_refusal),
        T(refused_token_is_dropped_and_the_calls_go_once_more),
        T(one_odd_credential_takes_the_identity_from_no_one),
        T(page_with_403_refuses_no_token),
        T(stop_signs_out_and_ends_calls),
        T(stop_during_a_sign_in),
        T(token_in_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
