/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_admission.c - who is let into the line of a vault, and what becomes of a wait in vain.
 *
 * The wait for a connection is what the rig says (rig.outlook); that for a session is the backend's own.
 */
#include "ps_rig.h"

#include "base/metrics.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>

#define USER  "acme\\ann"
#define NMANY 40

static struct rig_ask ask, many[NMANY];
static struct fault fault;

static int begin(void **state)
{
    (void)state;
    rig_init();
    fault = (struct fault){0};
    return 0;
}

static int admit(const char *user, uint64_t left_ms)
{
    fault = (struct fault){0};
    return rig.vault->ops->admit(rig.vault, user, left_ms, &fault);
}

static void expect_refused(const char *why, unsigned retry_after_s)
{
    assert_int_equal(fault.code, FAULT_OVERLOADED);
    assert_contains(fault.detail, why);
    assert_int_equal(fault.retry_after_s, retry_after_s);
}

/* The value of a metric, by its name with its labels; -1 = there is none. */
static double metric_of(const char *name)
{
    struct buf page = BUF_INIT(1 << 20);
    double value = -1;

    metrics_render(&page);
    if (strstr(buf_cstr(&page), name))
        value = strtod(strstr(buf_cstr(&page), name) + strlen(name), NULL);
    buf_free(&page);
    return value;
}

static double counted(const char *reason)
{
    char name[80];

    (void)snprintf(name, sizeof(name), "jumpgate_vault_refusals_total{vault=\"safe\",reason=\"%s\"} ",
                   reason);
    return metric_of(name);
}

TEST(the_wait_and_the_lines_are_measured)
{
    rig_start();
    assert_true(metric_of("jumpgate_vault_wait_seconds{vault=\"safe\"} ") == 0);
    rig.outlook = (struct upstream_outlook){.wait_ms = 4500};
    assert_true(metric_of("jumpgate_vault_wait_seconds{vault=\"safe\"} ") == 4.5);
    rig.in_first_line = 3;
    assert_true(metric_of("jumpgate_vault_line{vault=\"safe\",class=\"begun\"} ") == 3);
    rig.in_first_line = 0;
    assert_true(metric_of("jumpgate_vault_line{vault=\"safe\",class=\"begun\"} ") == 0);
}

TEST(the_deadline_decides)
{
    rig_start();
    rig.outlook = (struct upstream_outlook){.wait_ms = SECONDS(1), .exchange_ms = 20};
    assert_int_equal(admit(USER, 2000), 0);
    assert_int_equal(admit(USER, 1999), -EAGAIN);
    expect_refused("deadline", 1);
    rig.outlook.exchange_ms = 400; /* the exchanges must fit in as well */
    assert_int_equal(admit(USER, 2000), -EAGAIN);
    rig.outlook = (struct upstream_outlook){.wait_ms = 4001};
    assert_int_equal(admit(USER, 8000), -EAGAIN);
    expect_refused("4001 ms", 5);
    assert_true(counted("deadline") == 3);
    struct vault_state now;

    rig.vault->ops->state(rig.vault, &now);
    assert_int_equal(now.refused, 3);
}

/* The queue is empty: slow answers of the past refuse no call. */
TEST(an_empty_queue_admits)
{
    rig_start();
    rig.outlook = (struct upstream_outlook){.wait_ms = 0, .exchange_ms = MINUTES(1)};
    assert_int_equal(admit(USER, 100), 0);
}

TEST(the_operator_decides)
{
    rig.conf.max_wait_ms = 250;
    rig_start();
    rig.outlook.wait_ms = 250;
    assert_int_equal(admit(USER, 60000), 0);
    rig.outlook.wait_ms = 251;
    assert_int_equal(admit(USER, 60000), -EAGAIN);
    expect_refused("max_wait", 1);
    assert_true(counted("max_wait") == 1);
}

/* n calls of one user, who has one session: all but the first wait. */
static void crowd(const char *user, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        ask_init(&many[i], user);
        assert_int_equal(ask_request(&many[i], NULL), 0);
    }
}

TEST(the_wait_for_a_session_counts)
{
    struct call *call;

    rig.conf.sessions_per_user = 1;
    rig_start();
    crowd(USER, 0, 10);
    rig_sign_in(USER, "sid=1");
    for (int i = 0; i < 5; i++) { /* one goes each 200 ms */
        rig_advance(200);
        assert_non_null(call = rig_call(0));
        rig_answer(call, 409, "\"no\"");
    }
    assert_int_equal(admit(USER, 1500), -EAGAIN); /* 4 wait: 5 times 200 ms */
    assert_int_equal(admit(USER, 2500), 0);
    assert_int_equal(admit("acme\\bob", 100), 0); /* that user has sessions of its own */
    for (size_t i = 5; i < 10; i++)
        rig.vault->ops->cancel(rig.vault, &many[i].call);
}

/* Near max_calls those with more than their share are refused; the others are not. */
TEST(a_burst_of_one_user_shuts_no_other_out)
{
    rig.conf.max_calls = 40;
    rig.conf.sessions_per_user = 1;
    rig_start();
    crowd("acme\\script", 0, 29);
    ask_init(&ask, "acme\\script");
    assert_int_equal(admit("acme\\script", 60000), 0);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0); /* the 30th */
    assert_int_equal(admit("acme\\script", 60000), -EAGAIN);
    expect_refused("share", 1);
    ask_init(&many[29], "acme\\script");
    assert_int_equal(ask_request(&many[29], NULL), -EAGAIN);
    assert_int_equal(many[29].call.fault.code, FAULT_OVERLOADED);
    assert_int_equal(admit(USER, 60000), 0);
    crowd(USER, 29, 33);
    assert_int_equal(admit("acme\\bob", 60000), 0);
    assert_true(counted("share") == 2);
    assert_true(counted("max_calls") == 0);
    rig.vault->ops->cancel(rig.vault, &ask.call);
}

/* What was begun has room where nothing new has. */
TEST(what_was_begun_goes_on)
{
    rig.conf.max_calls = 4;
    rig_start();
    crowd("a", 0, 2);
    crowd("b", 2, 4);
    assert_int_equal(admit("c", 60000), -EAGAIN);
    expect_refused("max_calls", 1);
    ask_init(&ask, "a");
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), -EAGAIN);
    assert_int_equal(ask.call.fault.code, FAULT_OVERLOADED);
    ask.call.begun = true;
    assert_int_equal(ask_credential(&ask), 0);
    for (size_t i = 4; i < 36; i++) { /* of what belongs together all: a quarter, and 32 */
        ask_init(&many[i], "c");
        many[i].call.admitted = true;
        assert_int_equal(ask_list(&many[i], KIND_LOCAL, "x"), 0);
    }
    ask_init(&many[36], "c");
    many[36].call.admitted = true;
    assert_int_equal(ask_list(&many[36], KIND_LOCAL, "x"), -EAGAIN);
    many[36].call.admitted = false;
    many[36].call.begun = true;
    assert_int_equal(ask_credential(&many[36]), -EAGAIN);
}

/* A call with effects that waited as long as it was worth while ends unsent, not unknown. */
TEST(a_call_that_waited_too_long_ends_unsent)
{
    struct call *call;

    rig.conf.sessions_per_user = 1;
    rig_start();
    crowd(USER, 0, 1);
    ask_init(&ask, USER);
    ask.call.wait_ms = 500;
    ask.call.timeout_ms = 10500;
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig_sign_in(USER, "sid=1");
    rig_advance(499);
    assert_int_equal(ask.done, 0);
    rig_advance(1);
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.result, VAULT_FAILED);
    assert_false(ask.call.unknown);
    assert_int_equal(ask.call.fault.code, FAULT_OVERLOADED);
    assert_true(ask.call.fault.retry_after_s >= 1);
    assert_true(counted("in_vain") == 1);

    ask_init(&ask, USER); /* the same in the line for a connection: what is left of the wait goes along */
    ask.call.wait_ms = 500;
    ask.call.timeout_ms = 10500;
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig_advance(100);
    assert_non_null(call = rig_call(0));
    rig_answer(call, 409, "\"no\"");
    assert_non_null(call = rig_call(0));
    assert_int_equal(call->wait_ms, 400);
    assert_int_equal(call->timeout_ms, SECONDS(10));
    rig_fail(call, -EAGAIN, false);
    assert_int_equal(ask.done, 1);
    assert_false(ask.call.unknown);
    assert_int_equal(ask.call.fault.code, FAULT_OVERLOADED);
    assert_true(counted("in_vain") == 2);
}

/* Once it has begun the limit of the wait is no limit any more, neither for the answer nor for a second try.
 */
TEST(begun_is_begun)
{
    struct call *call;

    rig_start();
    crowd(USER, 0, 1);
    rig_sign_in(USER, "sid=1");
    rig_answer(rig_call(0), 409, "\"no\"");
    ask_init(&ask, USER);
    ask.call.wait_ms = 500;
    ask.call.timeout_ms = 10500;
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig_advance(600);
    assert_non_null(call = rig_call(0));
    rig_answer(call, 500, "\"busy\"");
    rig_advance(SECONDS(1));
    assert_int_equal(ask.done, 0);
    assert_non_null(call = rig_call(0));
    assert_int_equal(call->wait_ms, 0);
    rig_answer(call, 409, "\"no\"");
    assert_int_equal(ask.done, 1);
    assert_true(counted("in_vain") == 0);
}

/* A call that would wait in vain is not queued at all. */
TEST(a_call_that_would_wait_too_long_is_not_queued)
{
    rig_start();
    rig.outlook.wait_ms = 600;
    ask_init(&ask, USER);
    ask.call.wait_ms = 599;
    assert_int_equal(ask_request(&ask, NULL), -EAGAIN);
    assert_int_equal(ask.call.fault.code, FAULT_OVERLOADED);
    ask.call.wait_ms = 600;
    assert_int_equal(ask_request(&ask, NULL), 0);
    rig.vault->ops->cancel(rig.vault, &ask.call);
}

/* On one session: the secret of what was requested before the next request, and each third for check-ins. */
TEST(order_on_a_session)
{
    static const char *const order[] = {"Credentials", "Checkin", "Requests"};
    struct rig_ask read, back;

    rig.conf.sessions_per_user = 1;
    rig_start();
    crowd(USER, 0, 1);
    rig_sign_in(USER, "sid=1");
    crowd(USER, 1, 2);
    ask_init(&back, USER);
    back.call.background = back.call.begun = true;
    assert_int_equal(ask_checkin(&back), 0);
    ask_init(&read, USER);
    read.call.begun = true;
    assert_int_equal(ask_credential(&read), 0);
    rig_answer(rig_call(0), 409, "\"no\"");
    for (size_t i = 0; i < 3; i++) {
        struct call *call = rig_call(0);

        assert_contains(rig.last_target, order[i]);
        rig_answer(call, 409, "\"no\"");
    }
    assert_int_equal(many[1].done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_wait_and_the_lines_are_measured, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(the_deadline_decides, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(an_empty_queue_admits, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(the_operator_decides, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(the_wait_for_a_session_counts, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(a_burst_of_one_user_shuts_no_other_out, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_goes_on, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(a_call_that_waited_too_long_ends_unsent, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(begun_is_begun, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(a_call_that_would_wait_too_long_is_not_queued, begin, rig_teardown),
        cmocka_unit_test_setup_teardown(order_on_a_session, begin, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
