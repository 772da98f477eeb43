/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pra_terminate.c - each outcome of a termination, what is sent for it, and what ends.
 */
#include "test_pra_site.h"

#include <errno.h>
#include <stdio.h>

static struct reply *answers = world.answers;

static struct asked {
    struct pra_termination t; /* first */
    int done;
} asked[12];

static void on_done(struct pra_termination *t)
{
    ((struct asked *)t)->done++;
}

static struct pra_termination *begin(size_t i, uint64_t timeout_ms)
{
    struct asked *a = &asked[i];

    memset(a, 0, sizeof(*a));
    (void)snprintf(a->t.lsid, sizeof(a->t.lsid), "%s", RIG_LSID);
    a->t.timeout_ms = timeout_ms;
    a->t.done = on_done;
    assert_int_equal(pra_site_terminate(world.site, &a->t), 0);
    assert_int_equal(a->done, 0);
    return &a->t;
}

/* A site in good order, some time after its start. */
static void open_site(void)
{
    world_open(0);
    live(5 * SECOND);
    memset(world.n, 0, sizeof(world.n));
    world.leases = 3;
}

#define ENDED                                                                                                \
    "<session_list><session lsid=\"" RIG_LSID                                                                \
    "\"><end_time timestamp=\"1733140000\"/></session></session_list>"
#define RUNNING "<session_list><session lsid=\"" RIG_LSID "\"><end_time/></session></session_list>"

static const struct row {
    struct reply terminate, look;
    enum pra_termination_outcome outcome;
    size_t looks;
    const char *text;
} rows[] = {
    {{.body = "<success>Successfully terminated</success>"}, {0}, PRA_TERMINATE_DONE, 0, ""},
    {{.body = "<r><success>Successfully terminated</success></r>"}, {0}, PRA_TERMINATE_DONE, 0, ""},
    {{.body = "<error>Session not active</error>"},
     {.body = ENDED},
     PRA_TERMINATE_ALREADY_ENDED,
     1,
     "Session not active"},
    {{.body = "<error>Session not active</error>"},
     {.body = RUNNING},
     PRA_TERMINATE_ERROR,
     1,
     "Session not active"},
    {{.body = "<error>Session not active</error>"},
     {.body = "<session_list/>"},
     PRA_TERMINATE_ERROR,
     1,
     "Session not"},
    {{.body = "<error>bad</error>"}, {.body = "<error>Invalid lsid.</error>"}, PRA_TERMINATE_ERROR, 1, "bad"},
    {{.body = "<error>bad</error>"},
     {.body = "<error>No sessions found</error>"},
     PRA_TERMINATE_ERROR,
     1,
     "bad"},
    {{.body = "<error>bad</error>"}, {.err = -ETIMEDOUT}, PRA_TERMINATE_ERROR, 1, "bad"},
    {{.body = "<error>bad</error>"}, {.status = 403}, PRA_TERMINATE_ERROR, 1, "bad"},
    {{.body = "<html>x</html>"}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "web page"},
    {{.body = "<done/>"}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "makes no sense"},
    {{.body = ""}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "makes no sense"},
    {{.status = 500}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "status 500"},
    {{.status = 503}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "not available"},
    {{.status = 302}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "redirect"},
    {{.status = 429}, {.body = ENDED}, PRA_TERMINATE_ERROR, 0, "rate limit"},
    {{.status = 403, .body = "<error>no full access</error>"},
     {.body = ENDED},
     PRA_TERMINATE_REFUSED,
     0,
     "no full access"},
    {{.err = -ETIMEDOUT}, {.body = ENDED}, PRA_TERMINATE_LOST, 0, "no answer in time"},
    {{.err = -ECONNRESET}, {.body = ENDED}, PRA_TERMINATE_LOST, 0, "connection ended"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_REFUSED},
     {0},
     PRA_TERMINATE_UNAVAILABLE,
     0,
     "refuses the connection"},
    {{.err = -ECONNREFUSED, .fault = CALL_FAULT_ISSUER}, {0}, PRA_TERMINATE_UNAVAILABLE, 0, "issuer"},
};

TEST(each_answer_has_its_outcome)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        bool ends = row->outcome == PRA_TERMINATE_DONE || row->outcome == PRA_TERMINATE_ALREADY_ENDED;

        open_site();
        answers[PRA_CALL_TERMINATE] = row->terminate;
        answers[PRA_CALL_SESSION] = row->look;
        struct pra_termination *t = begin(0, 0);
        live(3 * SECOND);
        assert_int_equal(asked[0].done, 1);
        if (t->outcome != row->outcome)
            print_error("row %zu\n", i);
        assert_int_equal(t->outcome, row->outcome);
        assert_int_equal(world.n[PRA_CALL_TERMINATE], 1); /* never twice */
        assert_int_equal(world.n[PRA_CALL_SESSION], row->looks);
        assert_int_equal(world.by_source[PRA_END_TERMINATE], ends);
        assert_int_equal(t->ended, ends ? 3 : 0);
        assert_int_equal(view()->leases_ended[PRA_END_TERMINATE], ends ? 3 : 0);
        assert_int_equal(view()->terminations[row->outcome], 1);
        assert_non_null(strstr(t->text, row->text));
        assert_int_equal(*t->text != 0, row->outcome != PRA_TERMINATE_DONE);
        assert_int_equal(t->retry_after_ms > 0, row->outcome == PRA_TERMINATE_UNAVAILABLE);
        world_teardown(NULL);
        world_setup(NULL);
    }
}

TEST(a_known_lack_of_permission_sends_nothing)
{
    set_permissions("<perm_command>read_only</perm_command>");
    open_site();
    struct pra_termination *t = begin(0, 0);
    live(SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_REFUSED);
    assert_int_equal(world.n[PRA_CALL_TERMINATE], 0);
}

TEST(an_unknown_permission_is_tried)
{
    set_permissions("");
    open_site();
    struct pra_termination *t = begin(0, 0);
    live(SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_DONE);
}

TEST(a_site_that_is_down_is_not_asked)
{
    open_site();
    answers[PRA_CALL_PROBE].err = -ETIMEDOUT;
    live_until(PRA_STATE_DOWN, 40 * SECOND);
    struct pra_termination *t = begin(0, 0);
    live(0);
    assert_int_equal(t->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_int_equal(t->retry_after_ms, 15 * SECOND);
    assert_int_equal(world.n[PRA_CALL_TERMINATE], 0);
    assert_non_null(strstr(t->text, "no answer in time"));
}

TEST(a_site_in_standby_is_not_asked)
{
    answers[PRA_CALL_HEALTH].body = HEALTH_OF("backup");
    open_site();
    struct pra_termination *t = begin(0, 0);
    live(0);
    assert_int_equal(t->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_int_equal(world.n[PRA_CALL_TERMINATE], 0);
}

TEST(a_refused_client_asks_nothing_while_the_pause_lasts)
{
    answers[PRA_CALL_TOKEN] = (struct reply){.status = 401};
    open_site();
    struct pra_termination *t = begin(0, 0);
    live(0);
    assert_int_equal(t->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_in_range(t->retry_after_ms, 50 * SECOND, 60 * SECOND);
    assert_int_equal(world.n[PRA_CALL_TOKEN] + world.n[PRA_CALL_TERMINATE], 0);
}

TEST(a_token_that_cannot_be_had_sends_nothing)
{
    answers[PRA_CALL_TOKEN] = (struct reply){.status = 500};
    open_site();
    live(10 * SECOND);
    struct pra_termination *t = begin(0, 0);
    live(SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_int_equal(world.n[PRA_CALL_TERMINATE], 0);
}

TEST(a_refused_token_is_replaced_and_the_termination_is_sent_then)
{
    open_site();
    answers[PRA_CALL_TERMINATE].hold = true;
    struct pra_termination *t = begin(0, 0);
    live(SECOND);
    struct reply good = answers[PRA_CALL_TERMINATE];
    answers[PRA_CALL_TERMINATE] = (struct reply){.status = 401};
    release("terminate_session");
    answers[PRA_CALL_TERMINATE] = good;
    answers[PRA_CALL_TERMINATE].hold = false;
    live(SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_DONE);
    /* A token that is refused again is a refusal of the account. */
    answers[PRA_CALL_TERMINATE] = (struct reply){.status = 401};
    t = begin(1, 0);
    live(2 * SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_REFUSED);
}

TEST(the_callers_time_limits_all_of_it)
{
    open_site();
    answers[PRA_CALL_TERMINATE].hold = answers[PRA_CALL_SESSION].hold = true;
    struct pra_termination *sent = begin(0, 2 * SECOND);
    live(2 * SECOND - 1);
    assert_int_equal(asked[0].done, 0);
    live(1);
    assert_int_equal(sent->outcome, PRA_TERMINATE_LOST);
    assert_int_equal(rig_waiting(), 0);
    struct pra_termination *usual = begin(1, 0);
    live(10 * SECOND);
    assert_int_equal(usual->outcome, PRA_TERMINATE_LOST); /* call_timeout */
    answers[PRA_CALL_TERMINATE].body = "<error>bad</error>";
    struct pra_termination *looking = begin(2, 3 * SECOND);
    live(SECOND);
    release("terminate_session");
    live(2 * SECOND);
    assert_int_equal(asked[2].done, 1);
    assert_int_equal(looking->outcome, PRA_TERMINATE_ERROR); /* it was not terminated */
    assert_string_equal(looking->text, "bad");
}

TEST(what_was_not_sent_in_time_is_unavailable)
{
    open_site();
    answers[PRA_CALL_TOKEN].hold = true;
    live(49 * MINUTE); /* the token is old */
    memset(world.n, 0, sizeof(world.n));
    struct pra_termination *t = begin(0, 2 * SECOND);
    live(2 * SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_int_equal(world.n[PRA_CALL_TERMINATE], 0);
}

TEST(a_pause_of_the_site_does_not_hold_a_termination)
{
    open_site();
    answers[PRA_CALL_PROBE].status = 503;
    answers[PRA_CALL_PROBE].retry_after = "600";
    live(16 * SECOND);
    struct pra_termination *t = begin(0, 0);
    live(SECOND);
    assert_int_equal(t->outcome, PRA_TERMINATE_DONE);
}

TEST(several_at_once_each_have_their_answer)
{
    open_site();
    for (size_t i = 0; i < 12; i++)
        (void)begin(i, 0);
    live(4 * SECOND);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(asked[i].done, 1);
        assert_int_equal(asked[i].t.outcome, PRA_TERMINATE_DONE);
    }
    assert_int_equal(view()->terminations[PRA_TERMINATE_DONE], 12);
}

TEST(closing_ends_terminations)
{
    open_site();
    answers[PRA_CALL_TERMINATE].hold = true;
    struct pra_termination *sent = begin(0, 0);
    struct pra_termination *waits = begin(1, 0); /* for its turn */
    assert_int_equal(rig_waiting(), 1);
    world_close();
    assert_int_equal(asked[0].done + asked[1].done, 2);
    assert_int_equal(sent->outcome, PRA_TERMINATE_LOST);
    assert_int_equal(waits->outcome, PRA_TERMINATE_UNAVAILABLE);
}

TEST(stopping_ends_terminations_and_later_ones_are_unavailable)
{
    open_site();
    answers[PRA_CALL_TERMINATE].hold = true;
    struct pra_termination *sent = begin(0, 0);

    answers[PRA_CALL_SESSION].hold = true;
    pra_site_stop(world.site);
    assert_int_equal(asked[0].done, 1);
    assert_int_equal(sent->outcome, PRA_TERMINATE_LOST);
    assert_int_equal(rig_waiting(), 0);
    struct pra_termination *late = begin(1, 0);

    live(SECOND);
    assert_int_equal(asked[1].done, 1);
    assert_int_equal(late->outcome, PRA_TERMINATE_UNAVAILABLE);
    assert_int_equal(rig_waiting(), 0);
}

TEST(stopping_while_the_session_is_looked_at_leaves_the_site_s_error)
{
    open_site();
    answers[PRA_CALL_TERMINATE].body = "<error>Session not active</error>";
    answers[PRA_CALL_SESSION].hold = true;
    struct pra_termination *t = begin(0, 0);

    live(SECOND);
    assert_int_equal(rig_waiting(), 1);
    pra_site_stop(world.site);
    assert_int_equal(t->outcome, PRA_TERMINATE_ERROR);
    assert_string_equal(t->text, "Session not active");
}

TEST(outcomes_have_names)
{
    static const char *const names[] = {"terminated", "already_ended", "error",
                                        "refused",    "unavailable",   "lost"};

    for (int i = 0; i < PRA_NTERMINATIONS; i++)
        assert_string_equal(pra_termination_name((enum pra_termination_outcome)i), names[i]);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        IN_WORLD(each_answer_has_its_outcome),
        IN_WORLD(a_known_lack_of_permission_sends_nothing),
        IN_WORLD(an_unknown_permission_is_tried),
        IN_WORLD(a_site_that_is_down_is_not_asked),
        IN_WORLD(a_site_in_standby_is_not_asked),
        IN_WORLD(a_refused_client_asks_nothing_while_the_pause_lasts),
        IN_WORLD(a_token_that_cannot_be_had_sends_nothing),
        IN_WORLD(a_refused_token_is_replaced_and_the_termination_is_sent_then),
        IN_WORLD(the_callers_time_limits_all_of_it),
        IN_WORLD(what_was_not_sent_in_time_is_unavailable),
        IN_WORLD(a_pause_of_the_site_does_not_hold_a_termination),
        IN_WORLD(several_at_once_each_have_their_answer),
        IN_WORLD(closing_ends_terminations),
        IN_WORLD(stopping_ends_terminations_and_later_ones_are_unavailable),
        IN_WORLD(stopping_while_the_session_is_looked_at_leaves_the_site_s_error),
        cmocka_unit_test(outcomes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
