/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_loop.c - the loop: deadlines, hooks, signals, and its end.
 */
#include "check.h"
#include "loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ticker {
    struct deadline deadline;
    struct loop *loop;
    unsigned fired, again;
};

static void on_tick(struct deadline *deadline)
{
    struct ticker *t = (struct ticker *)deadline;

    t->fired++;
    if (t->again) {
        t->again--;
        assert_int_equal(timer_start(loop_timers(t->loop), deadline, 1, on_tick), 0);
    }
}

struct watcher {
    struct deadline deadline;
    struct loop *loop;
    uint64_t began_ms, next_ms; /* by the loop's clock, in the first turn and the second */
};

static void on_second_turn(struct deadline *deadline)
{
    struct watcher *t = (struct watcher *)deadline;

    t->next_ms = clock_now(loop_clock(t->loop));
}

static void on_first_turn(struct deadline *deadline)
{
    struct watcher *t = (struct watcher *)deadline;

    t->began_ms = clock_now(loop_clock(t->loop));
    while (clock_now(&clock_system) < t->began_ms + 3)
        continue;
    assert_true(clock_now(loop_clock(t->loop)) == t->began_ms);
    assert_int_equal(timer_start(loop_timers(t->loop), deadline, 0, on_second_turn), 0);
}

/* Within a turn the clock stands still, in the next one it has caught up, and outside it is the system's. */
TEST(the_clock_stands_still_within_an_iteration)
{
    struct watcher t = {.loop = loop_new()};

    assert_int_equal(timer_start(loop_timers(t.loop), &t.deadline, 0, on_first_turn), 0);
    assert_int_equal(loop_run(t.loop), 0);
    assert_true(t.next_ms >= t.began_ms + 3);
    uint64_t now = clock_now(loop_clock(t.loop));
    while (clock_now(&clock_system) < now + 2)
        continue;
    assert_true(clock_now(loop_clock(t.loop)) >= now + 2);
    assert_int_equal(loop_free(t.loop), 0);
}

TEST(deadlines_keep_the_loop_running)
{
    struct loop *loop = loop_new();
    struct ticker a = {.loop = loop, .again = 3}, b = {.loop = loop};

    assert_int_equal(timer_start(loop_timers(loop), &a.deadline, 2, on_tick), 0);
    assert_int_equal(timer_start(loop_timers(loop), &b.deadline, 0, on_tick), 0);
    assert_int_equal(loop_run(loop), 0); /* returns when nothing is left */
    assert_int_equal(a.fired, 4);
    assert_int_equal(b.fired, 1);
    assert_true(loop_lag_ms(loop) >= 0);
    assert_int_equal(loop_free(loop), 0);
}

/* What is due again at once leaves the loop its turns. */
static void on_at_once(struct deadline *deadline)
{
    struct ticker *t = (struct ticker *)deadline;

    t->fired++;
    assert_int_equal(timer_start(loop_timers(t->loop), deadline, 0, on_at_once), 0);
}

struct stopper {
    struct loop_hook hook;
    struct loop *loop;
    unsigned turns;
};

static void on_stopper(struct loop_hook *hook)
{
    struct stopper *s = (struct stopper *)hook;

    if (++s->turns == 5)
        loop_stop(s->loop);
}

TEST(a_deadline_due_again_at_once_leaves_the_loop_its_iterations)
{
    struct loop *loop = loop_new();
    struct ticker a = {.loop = loop};
    struct stopper s = {.hook.iteration = on_stopper, .loop = loop};

    loop_on_iteration(loop, &s.hook);
    assert_int_equal(timer_start(loop_timers(loop), &a.deadline, 0, on_at_once), 0);
    (void)loop_run(loop);
    assert_int_equal(s.turns, 5);
    assert_in_range(a.fired, 3, 6);
    timer_stop(loop_timers(loop), &a.deadline);
    loop_off_iteration(loop, &s.hook);
    assert_int_equal(loop_free(loop), 0);
}

static unsigned steps(struct loop *loop, enum loop_work work)
{
    unsigned n = 0;

    while (n < 1000 && loop_step(loop, work))
        n++;
    return n;
}

/* Each kind of work has room of its own, and new room in the next turn. */
TEST(each_kind_of_work_has_steps_of_its_own)
{
    struct loop *loop = loop_new();
    unsigned n = steps(loop, LOOP_REQUESTS);

    assert_in_range(n, 1, 999);
    assert_int_equal(steps(loop, LOOP_REQUESTS), 0);
    assert_in_range(steps(loop, LOOP_ANSWERS), 1, 999);
    (void)loop_iterate(loop);
    assert_int_equal(steps(loop, LOOP_REQUESTS), n);
    assert_ptr_equal(loop_of(loop_uv(loop)), loop);
    assert_int_equal(loop_free(loop), 0);
}

static uint64_t fake_now(void *arg)
{
    return *(uint64_t *)arg;
}

static int64_t fake_wall(void *arg)
{
    return (int64_t) * (uint64_t *)arg;
}

TEST(a_clock_can_be_given)
{
    uint64_t now = 5;
    struct clock clock = {fake_now, fake_wall, &now};
    struct loop *loop = loop_new_clock(&clock);
    struct ticker a = {.loop = loop};

    assert_int_equal(clock_now(loop_clock(loop)), 5);
    assert_int_equal(timer_start(loop_timers(loop), &a.deadline, 3600000, on_tick), 0);
    loop_iterate(loop);
    assert_int_equal(a.fired, 0);
    now += 3600000;
    loop_iterate(loop);
    assert_int_equal(a.fired, 1);
    assert_int_equal(loop_free(loop), 0);
}

TEST(a_left_deadline_is_noticed)
{
    uint64_t now = 5;
    struct clock clock = {fake_now, fake_wall, &now};
    struct loop *loop = loop_new_clock(&clock);
    struct ticker a = {.loop = loop};

    assert_int_equal(timer_start(loop_timers(loop), &a.deadline, 1000, on_tick), 0);
    assert_int_equal(loop_free(loop), -EBUSY);
    timer_stop(loop_timers(loop), &a.deadline);
    assert_int_equal(loop_free(loop), 0);
}

TEST(a_left_handle_is_noticed)
{
    struct loop *loop = loop_new();
    uv_async_t async;

    assert_int_equal(uv_async_init(loop_uv(loop), &async, NULL), 0);
    assert_int_equal(loop_free(loop), -EBUSY);
    uv_close((uv_handle_t *)&async, NULL);
    assert_int_equal(loop_free(loop), 0);
}

struct counting_hook {
    struct loop_hook hook;
    struct loop *loop;
    struct loop_hook *removes;
    unsigned turns;
};

static void on_turn(struct loop_hook *hook)
{
    struct counting_hook *c = (struct counting_hook *)hook;

    c->turns++;
    if (c->removes)
        loop_off_iteration(c->loop, c->removes);
}

TEST(hooks_may_be_removed_while_they_run)
{
    struct loop *loop = loop_new();
    struct counting_hook a = {.hook.iteration = on_turn, .loop = loop};
    struct counting_hook b = {.hook.iteration = on_turn, .loop = loop};
    struct counting_hook c = {.hook.iteration = on_turn, .loop = loop};

    loop_on_iteration(loop, &a.hook);
    loop_on_iteration(loop, &b.hook);
    loop_on_iteration(loop, &c.hook);
    loop_iterate(loop);
    assert_int_equal(a.turns + b.turns + c.turns, 3);
    a.removes = &b.hook; /* the one whose turn comes next */
    loop_iterate(loop);
    assert_int_equal(b.turns, 1);
    assert_int_equal(c.turns, 2);
    a.removes = &a.hook; /* itself */
    loop_iterate(loop);
    loop_iterate(loop);
    assert_int_equal(a.turns, 3);
    assert_int_equal(c.turns, 4);
    loop_off_iteration(loop, &b.hook); /* is not there any more */
    loop_off_iteration(loop, &c.hook);
    assert_int_equal(loop_free(loop), 0);
}

static void on_signal(void *arg, int signum)
{
    *(int *)arg = signum;
}

TEST(signals_arrive_and_keep_nothing_running)
{
    struct loop *loop = loop_new();
    int got = 0;

    assert_int_equal(loop_on_signal(loop, SIGUSR1, on_signal, &got), 0);
    assert_int_equal(loop_run(loop), 0); /* a signal alone keeps nothing running */
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    for (int i = 0; i < 1000 && !got; i++)
        loop_iterate(loop);
    assert_int_equal(got, SIGUSR1);
    for (int i = 0; i < 7; i++)
        assert_int_equal(loop_on_signal(loop, SIGUSR2, on_signal, &got), 0);
    assert_int_equal(loop_on_signal(loop, SIGUSR2, on_signal, &got), -ENOSPC);
    assert_int_equal(loop_free(loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_keep_the_loop_running),
        cmocka_unit_test(the_clock_stands_still_within_an_iteration),
        cmocka_unit_test(a_deadline_due_again_at_once_leaves_the_loop_its_iterations),
        cmocka_unit_test(each_kind_of_work_has_steps_of_its_own),
        cmocka_unit_test(a_clock_can_be_given),
        cmocka_unit_test(a_left_deadline_is_noticed),
        cmocka_unit_test(a_left_handle_is_noticed),
        cmocka_unit_test(hooks_may_be_removed_while_they_run),
        cmocka_unit_test(signals_arrive_and_keep_nothing_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
