/* SPDX-License-Identifier: Apache-2.0 */
/* test_ps_reachability.c - which outcomes make a vault away, how many of them, and what brings it back. */
#include "check.h"
#include "ps_rig.h"

#include <errno.h>

#define USER "ACME\\mrivera"

static struct rig_ask ask;

static int setup(void **state)
{
    (void)state;
    ask_init(&ask, USER);
    rig_init();
    return 0;
}

static int teardown(void **state)
{
    ask_free(&ask);
    return rig_teardown(state);
}

/* A vault with one session of USER, idle. */
static void ready(void)
{
    rig_start_signed_in(&ask, USER);
}

static struct vault_state state_of(void)
{
    struct vault_state vs;

    rig.vault->ops->state(rig.vault, &vs);
    return vs;
}

/* The time of the next probe, which the test answers. */
static void await_probe(uint64_t ms)
{
    size_t before = rig.probes;

    assert_null(rig.probe);
    rig_advance(ms - 1);
    assert_int_equal(rig.probes, before);
    rig_advance(1);
    assert_int_equal(rig.probes, before + 1);
    assert_non_null(rig.probe);
    assert_true(rig.probe->call->begun); /* whatever the deadline of its place in line */
}

static const struct rig_answer no_user = {.status = 401};

static bool is_short; /* of memory for another deadline */

int __real_timer_start(struct timers *, struct deadline *, uint64_t ms, void (*fire)(struct deadline *));
int __wrap_timer_start(struct timers *, struct deadline *, uint64_t ms, void (*fire)(struct deadline *));
int __wrap_timer_start(struct timers *timers, struct deadline *d, uint64_t ms,
                       void (*fire)(struct deadline *))
{
    return is_short && !timer_running(d) ? -ENOMEM : __real_timer_start(timers, d, ms, fire);
}

/* Else a vault that is away would stay so. */
TEST(probes_go_on_without_memory_for_a_deadline)
{
    rig.hold_probes = true;
    rig_start();
    rig_advance(0);
    is_short = true;
    rig_reply(rig.probe->call, &no_user);
    await_probe(15000);
    rig_fail(rig.probe->call, -ECONNREFUSED, false);
    is_short = false;
    await_probe(500);
}

TEST(probes_without_traffic)
{
    rig.hold_probes = true;
    rig_start();
    assert_false(state_of().known);
    assert_int_equal(rig.probes, 1);
    rig_reply(rig.probe->call, &(struct rig_answer){.status = 403, .date = "Sun, 06 Nov 1994 08:49:37 GMT"});
    assert_true(state_of().reachable);
    assert_true(state_of().skew_ms < 0);
    await_probe(15000);
    assert_int_equal(rig.probe->call->owner, 0); /* the connection of the probe before */
    assert_string_equal(rig.probe->headers, "");
    rig_fail(rig.probe->call, -ECONNREFUSED, false);
    assert_true(state_of().reachable); /* once is no proof */
    assert_string_equal(state_of().detail, "");
    await_probe(500);
    assert_int_not_equal(rig.probe->call->owner, 0); /* and no use of a connection that is there */
    assert_string_equal(rig.probe->headers, "Connection: close\r\n");
    rig_fail(rig.probe->call, -ECONNREFUSED, false);
    assert_false(state_of().reachable);
    assert_true(state_of().known);
    assert_contains(state_of().detail, "planned");
    await_probe(SECONDS(5));
    rig_fail(rig.probe->call, -ECONNRESET, false);
    assert_false(state_of().reachable);
    await_probe(SECONDS(5));
    rig_reply(rig.probe->call, &no_user);
    assert_true(state_of().reachable);
    assert_int_equal(state_of().last_success_age_ms, 0);
    await_probe(15000);
    rig_reply(rig.probe->call, &no_user);
}

/* Before the first answer there is nothing to doubt. */
/* An end is in the vault's time: no lease may end early because the gateway's clock was set. */
TEST(the_vaults_time_goes_on_when_the_own_clock_is_set)
{
    rig.hold_probes = true;
    rig_start();
    rig_reply(rig.probe->call, &(struct rig_answer){.status = 403, .date = "Sun, 06 Nov 1994 08:49:37 GMT"});
    int64_t vault_ms = rig.fc.wall + state_of().skew_ms;

    rig.fc.wall += MINUTES(5);
    assert_int_equal(rig.fc.wall + state_of().skew_ms, vault_ms);
    rig.fc.wall -= MINUTES(20);
    assert_int_equal(rig.fc.wall + state_of().skew_ms, vault_ms);
}

TEST(the_first_failure_of_all_decides)
{
    rig.hold_probes = true;
    rig_start();
    rig_fail(rig.probe->call, -ECONNREFUSED, false);
    assert_true(state_of().known);
    assert_false(state_of().reachable);
}

static void fail_list(const struct rig_answer *page, int err)
{
    ask_init(&ask, USER);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    if (err)
        rig_fail(rig_call(0), err, true);
    else
        rig_reply(rig_call(0), page);
    ask_free(&ask);
}

/* What counts as a failure, and that it takes two with no answer between them. */
TEST(one_failure_is_no_absence)
{
    static const struct {
        struct rig_answer answer;
        int err;
        bool failure;
    } rows[] = {
        {.err = -ECONNREFUSED, .failure = true},
        {.err = -ECONNRESET, .failure = true},
        {.err = -EPROTO, .failure = true},
        {{.status = 502, .body = "<html>Bad Gateway</html>", .content_type = "text/html"}, 0, true},
        {{.status = 503, .body = "<html>down</html>"}, 0, true},
        {{.status = 500, .body = "{\"Message\":\"An error has occurred.\"}"}, 0, false},
        {{.status = 503, .body = "\"maintenance\""}, 0, false},
        {{.status = 429, .body = ""}, 0, false},
        {{.status = 404, .body = "<html>no such page</html>"}, 0, false},
        {{.status = 200, .body = "nonsense"}, 0, false},
        {.err = -EMSGSIZE, .failure = false},
    };

    rig.conf.retries = 0;
    ready();
    rig.hold_probes = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("row %zu", i);
        size_t before = rig.probes;
        for (int answered = 1; answered >= 0; answered--) {
            fail_list(&rows[i].answer, rows[i].err);
            assert_true(state_of().reachable);
            fail_list(&rows[i].answer, rows[i].err); /* of calls that fall together none is the second */
            assert_true(state_of().reachable);
            rig_advance(500);
            assert_int_equal(rig.probes != before, rows[i].failure);
            if (!rows[i].failure)
                break;
            before = rig.probes;
            if (answered) {
                rig_reply(rig.probe->call, &no_user);
                assert_true(state_of().reachable);
                rig_advance(SECONDS(5)); /* the doubt is over */
                assert_int_equal(rig.probes, before);
            } else {
                rig_reply(rig.probe->call, &(struct rig_answer){.status = 503, .body = "<html>down</html>"});
                assert_false(state_of().reachable);
                assert_string_equal(state_of().detail, "a page with status 503 came in the vault's place");
                fail_list(&(struct rig_answer){.status = 200, .body = "[]"}, 0);
                assert_true(state_of().reachable); /* one answer is enough */
            }
        }
    }
}

TEST(no_probe_with_traffic)
{
    ready();
    for (int i = 0; i < 100; i++) {
        rig_advance(SECONDS(1));
        assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
        rig_answer(rig_call(0), 200, "[]");
        ask_free(&ask);
        ask_init(&ask, USER);
    }
    assert_int_equal(rig.probes, 1);
}

/* A call without an answer for two seconds, and not even a connection for the probe. */
TEST(frozen_vault_is_noticed)
{
    ready();
    rig.hold_probes = true;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    await_probe(SECONDS(2));
    rig.in_line = true;
    rig.connecting = 1;
    rig_advance(2499);
    assert_true(state_of().reachable);
    rig_advance(1);
    assert_false(state_of().reachable);
    assert_null(rig.probe);
    assert_contains(state_of().detail, "no new connection");
    rig.in_line = false;
    rig_answer(rig_call(0), 200, "[]");
    assert_true(state_of().reachable);
    ask_free(&ask);
}

/* All connections are in use: that the probe has none yet says nothing. */
TEST(a_probe_that_waits_for_its_turn_is_no_failure)
{
    ready();
    rig.hold_probes = true;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    await_probe(SECONDS(2));
    rig.in_line = true;
    rig_advance(SECONDS(7));
    assert_non_null(rig.probe);
    assert_true(state_of().reachable);
    rig_answer(rig_call(0), 200, "[]");
    rig.in_line = false;
    rig_fail(rig.probe->call, -ETIMEDOUT, false); /* the vault has answered since it was sent */
    assert_true(state_of().reachable);
    ask_free(&ask);
}

/* Answers that take nine of ten seconds, the probe's as well. */
TEST(a_slow_vault_is_reachable)
{
    ready();
    rig.hold_probes = true;
    for (int i = 0; i < 5; i++) {
        ask_init(&ask, USER);
        assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
        await_probe(SECONDS(2));
        rig_advance(SECONDS(7));
        assert_true(state_of().reachable);
        rig_answer(rig_call(0), 200, "[]");
        rig_advance(SECONDS(2));
        rig_reply(rig.probe->call, &no_user);
        assert_true(state_of().reachable);
        ask_free(&ask);
    }
}

/* One call is late, the probe is not. */
TEST(one_late_answer_is_no_failure)
{
    ready();
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_advance(SECONDS(10));
    assert_true(rig.probes > 1);
    rig_fail(rig_call(0), -ETIMEDOUT, true);
    assert_true(state_of().reachable);
    rig_advance(SECONDS(2));
    assert_true(state_of().reachable);
}

/* Neither the call nor the probe has an answer in the call's whole time. */
TEST(silence_is_absence)
{
    rig.conf.call_timeout_ms = SECONDS(2);
    ready();
    rig.hold_probes = true;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    await_probe(SECONDS(1)); /* half of call_timeout, so that the probe can be answered */
    rig_advance(SECONDS(1));
    assert_true(state_of().reachable);
    rig_fail(rig_call(0), -ETIMEDOUT, true);
    assert_false(state_of().reachable);
    rig_reply(rig.probe->call, &no_user);
    assert_true(state_of().reachable);
}

/* Without traffic: late once makes a doubt, and the confirming probe has the whole time of a call. */
TEST(a_late_probe_is_confirmed)
{
    ready();
    rig.hold_probes = true;
    await_probe(SECONDS(15));
    assert_int_equal(rig.probe->call->timeout_ms, SECONDS(4));
    rig_advance(SECONDS(4));
    rig_fail(rig.probe->call, -ETIMEDOUT, true);
    assert_true(state_of().reachable);
    await_probe(500);
    assert_int_equal(rig.probe->call->timeout_ms, SECONDS(10));
    rig_advance(SECONDS(9));
    assert_true(state_of().reachable);
    rig_advance(SECONDS(1));
    rig_fail(rig.probe->call, -ETIMEDOUT, true);
    assert_false(state_of().reachable); /* after 29.5 seconds */
}

TEST(a_callers_impatience_is_no_failure)
{
    ready();
    ask.call.timeout_ms = 20;
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_fail(rig_call(0), -ETIMEDOUT, true);
    assert_true(state_of().reachable);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(probes_without_traffic),
        T(the_vaults_time_goes_on_when_the_own_clock_is_set),
        T(probes_go_on_without_memory_for_a_deadline),
        T(the_first_failure_of_all_decides),
        T(one_failure_is_no_absence),
        T(no_probe_with_traffic),
        T(frozen_vault_is_noticed),
        T(a_probe_that_waits_for_its_turn_is_no_failure),
        T(a_slow_vault_is_reachable),
        T(one_late_answer_is_no_failure),
        T(silence_is_absence),
        T(a_late_probe_is_confirmed),
        T(a_callers_impatience_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
