/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_contract_finishes.c - sessions that have ended, in a shared store; see store_contract.h.
 */
#include "store_contract.h"

#include "check.h"

#include <stdio.h>
#include <string.h>

#define LSID  "0123456789abcdef0123456789abcdef"
#define LSID2 "{01234567-89AB-CDEF-0123-456789abcdef}"

struct given {
    struct store_step step; /* first */
    bool done;
    enum store_outcome outcome;
    bool shows_lease;
};

static void on_done(struct store_step *step, enum store_outcome outcome)
{
    struct given *g = (struct given *)step;

    g->done = true;
    g->outcome = outcome;
    g->shows_lease = step->lease_now;
}

static struct holder holder_of(const char *session, const char *lsid)
{
    return (struct holder){"mrivera", "ACME", session, lsid, "cred", "web01", "root", 1000};
}

static struct given step_of(enum store_step_kind kind, const char *mark, struct holder who, int64_t since)
{
    return (struct given){.step = {.kind = kind,
                                   .since = since,
                                   .request = {.mark = mark,
                                               .owner = "",
                                               .state = REQUEST_ASKED,
                                               .vault = "safe",
                                               .url = "",
                                               .user = "ACME\\mrivera",
                                               .name = "",
                                               .last_error = "",
                                               .handle = "",
                                               .asker = who},
                                   .lease.id = "",
                                   .instead = "",
                                   .done = on_done}};
}

static void give(struct store_under_test *t, struct given *steps, size_t n)
{
    struct store_steps list = STAILQ_HEAD_INITIALIZER(list);

    for (size_t i = 0; i < n; i++)
        STAILQ_INSERT_TAIL(&list, &steps[i].step, link);
    assert_int_equal(t->store->ops->steps(t->store, &list), 0);
    for (size_t i = 0; i < n; i++)
        while (!steps[i].done)
            t->go_on(t);
}

static struct given given(struct store_under_test *t, struct given step)
{
    give(t, &step, 1);
    return step;
}

/* Where it is applied its row goes again. */
static struct given ask(struct store_under_test *t, struct holder who, int64_t since)
{
    struct given asked = given(t, step_of(STEP_ASK, "mark-x", who, since));

    if (asked.outcome == STORE_APPLIED)
        assert_int_equal(given(t, step_of(STEP_CLOSE, "mark-x", who, 0)).outcome, STORE_APPLIED);
    return asked;
}

static void assert_asks(struct store_under_test *t, struct holder who, int64_t since)
{
    assert_int_equal(ask(t, who, since).outcome, STORE_APPLIED);
}

/* The moment of the FINISH. */
static int64_t assert_finished(struct store_under_test *t, struct holder who, int64_t since, int which)
{
    struct given asked = ask(t, who, since);

    assert_int_equal(asked.outcome, STORE_OTHERWISE);
    assert_false(asked.shows_lease);
    assert_true(asked.step.finishes[which].moment > since);
    assert_true(asked.step.finishes[which].moment <= asked.step.moment);
    assert_int_equal(asked.step.finishes[!which].moment, 0);
    assert_asks(t, who, asked.step.finishes[which].moment);
    return asked.step.finishes[which].moment;
}

static int64_t finish(struct store_under_test *t, struct holder who, int64_t since, uint64_t over_ms)
{
    struct given over = step_of(STEP_FINISH, "", who, since);

    over.step.over_ms = over_ms;
    give(t, &over, 1);
    assert_int_equal(over.outcome, STORE_APPLIED);
    assert_true(over.step.moment > since);
    return over.step.moment;
}

static void finish_of_a_session(struct store_under_test *t)
{
    const struct holder who = holder_of("one", ""), other = holder_of("two", "");
    struct holder spelled = who;
    int64_t before = ask(t, who, 1).step.moment;

    spelled.username = "MRivera";
    assert_true(t->store->ops->moment(t->store) >= before);
    (void)finish(t, who, before, 0);
    int64_t over = assert_finished(t, who, before, 0);

    assert_int_equal(assert_finished(t, spelled, before, 0), over);
    assert_asks(t, other, before);
    assert_asks(t, who, 0);
    (void)finish(t, spelled, over, 0); /* once more */
    assert_true(assert_finished(t, who, over, 0) > over);
}

static void finish_of_an_lsid(struct store_under_test *t)
{
    const struct holder who = holder_of("three", LSID2), other = holder_of("three", "");
    const struct holder lsid = {"", "", "", LSID, "", "", "", 0};
    int64_t before = ask(t, who, 1).step.moment;

    (void)finish(t, lsid, before, 0);
    (void)assert_finished(t, who, before, 1);
    assert_asks(t, other, before);
}

/* Another end of the session may have been later, whichever is written last. */
static void how_long_ago(struct store_under_test *t)
{
    const struct holder who = holder_of("four", "");
    struct given asked = ask(t, who, 1);
    int64_t before = asked.step.moment;
    uint64_t over_ms = asked.step.sent_ms - 5000;

    int64_t first = finish(t, who, before, over_ms);

    assert_in_range(ask(t, who, before).step.finishes[0].ago_ms, 5000, 65000);
    (void)finish(t, who, first, over_ms);
    assert_in_range(ask(t, who, before).step.finishes[0].ago_ms, 5000, 65000);
    (void)finish(t, who, before, over_ms);
    assert_int_equal(ask(t, who, before).step.finishes[0].ago_ms, 0);
}

/* Steps of one list see each other. */
static void in_one_list(struct store_under_test *t)
{
    const struct holder who = holder_of("five", "");
    int64_t before = ask(t, who, 1).step.moment;
    struct given steps[] = {step_of(STEP_ASK, "mark-x", who, before), step_of(STEP_FINISH, "", who, before),
                            step_of(STEP_ASK, "mark-y", who, before)};

    give(t, steps, 3);
    assert_int_equal(steps[0].outcome, STORE_APPLIED);
    assert_int_equal(steps[1].outcome, STORE_APPLIED);
    assert_int_equal(steps[2].outcome, STORE_OTHERWISE);
    assert_true(steps[2].step.finishes[0].moment > before);
    assert_int_equal(given(t, step_of(STEP_CLOSE, "mark-x", who, 0)).outcome, STORE_APPLIED);
}

struct asked {
    struct store_question question; /* first */
    bool done;
    enum store_answer answer;
};

static void on_answer(struct store_question *q, enum store_answer answer)
{
    struct asked *a = (struct asked *)q;

    a->done = true;
    a->answer = answer;
}

static void moments(struct store_under_test *t)
{
    int64_t before = ask(t, holder_of("six", ""), 1).step.moment;
    struct asked a = {.question = {.kind = QUESTION_MOMENT, .until_ms = UINT64_MAX / 2, .done = on_answer}};

    assert_int_equal(t->store->ops->ask(t->store, &a.question), 0);
    while (!a.done)
        t->go_on(t);
    assert_int_equal(a.answer, STORE_OPEN);
    assert_true(a.question.moment >= before);
}

void store_contract_finishes(struct store_under_test *t)
{
    t->empty(t);
    finish_of_a_session(t);
    finish_of_an_lsid(t);
    how_long_ago(t);
    in_one_list(t);
    moments(t);
    t->empty(t);
}
