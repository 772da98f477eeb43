/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_priority_queue.c - who is next in line (base/queue/priority_queue.h, base/queue/fair_queue.h), and the
 * wait that is foretold (base/queue/wait_estimate.h).
 */
#include "base/queue/priority_queue.h"
#include "check.h"
#include "fake_clock.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake_clock fc;
static struct priority_queue priority_queue;

static int begin(void **state)
{
    (void)state;
    fake_clock_init(&fc);
    fake_clock_advance(&fc, 1000000);
    priority_queue_init(&priority_queue, &fc.clock);
    return 0;
}

static void add(struct priority_queue_item *item, enum call_class class, struct fair_queue_party *party)
{
    priority_queue_add(&priority_queue, item, class, party, false);
}

/* ---- order ---- */

TEST(parties_take_turns)
{
    struct fair_queue_party script = {0}, ann = {0}, bob = {0};
    struct priority_queue_item many[4], hers[2], his;
    const struct priority_queue_item *order[] = {&many[0], &hers[0], &his,    &many[1],
                                                 &hers[1], &many[2], &many[3]};

    for (size_t i = 0; i < COUNT(many); i++)
        add(&many[i], CALL_NEW, &script);
    add(&hers[0], CALL_NEW, &ann);
    add(&hers[1], CALL_NEW, &ann);
    assert_int_equal(fair_queue_ahead(&priority_queue.first, &bob), 2);
    add(&his, CALL_NEW, &bob);
    assert_int_equal(fair_queue_ahead(&priority_queue.first, &bob),
                     5); /* three parties, then two before his second */
    assert_int_equal(fair_queue_ahead(&priority_queue.first, &script),
                     14); /* all there are, and as many that will come */
    assert_int_equal(fair_queue_ahead(&priority_queue.first, &(struct fair_queue_party){0}), 3);
    for (size_t i = 0; i < COUNT(order); i++)
        assert_ptr_equal(priority_queue_take(&priority_queue), order[i]);
    assert_null(priority_queue_take(&priority_queue));
    assert_int_equal(script.n + ann.n + bob.n + priority_queue.first.nparties, 0);
}

TEST(one_is_removed_from_the_middle)
{
    struct fair_queue_party ann = {0}, bob = {0};
    struct priority_queue_item a, b, front, back;

    add(&a, CALL_NEW, &ann);
    add(&b, CALL_NEW, &bob);
    add(&back, CALL_BACKGROUND, NULL);
    priority_queue_add(&priority_queue, &front, CALL_NEW, &bob, true);
    assert_ptr_equal(priority_queue_peek(&priority_queue), &front);
    priority_queue_remove(&priority_queue, &a);
    priority_queue_remove(&priority_queue, &back);
    assert_int_equal(priority_queue.n[CALL_NEW], 2);
    assert_ptr_equal(priority_queue_take(&priority_queue), &front);
    assert_ptr_equal(priority_queue_take(&priority_queue), &b);
    assert_null(priority_queue_take(&priority_queue));
}

/* What was begun goes before what begins, and that before the rest. */
TEST(classes_go_in_order)
{
    struct priority_queue_item background, returned, first, begun;

    add(&background, CALL_BACKGROUND, NULL);
    add(&returned, CALL_CHECKIN, NULL);
    add(&first, CALL_NEW, NULL);
    add(&begun, CALL_CONTINUE, NULL);
    assert_ptr_equal(priority_queue_take(&priority_queue), &begun);
    assert_ptr_equal(priority_queue_take(&priority_queue), &first);
    assert_ptr_equal(priority_queue_take(&priority_queue), &returned);
    assert_ptr_equal(priority_queue_take(&priority_queue), &background);
}

/* However many people wait, what is given back gets its third, and the background its sixteenth. */
TEST(every_class_is_served)
{
    struct priority_queue_item first[64], returned[64], background[64];
    size_t went[CALL_NCLASSES] = {0};

    for (size_t i = 0; i < 64; i++) {
        add(&first[i], CALL_NEW, NULL);
        add(&returned[i], CALL_CHECKIN, NULL);
        add(&background[i], CALL_BACKGROUND, NULL);
    }
    for (size_t i = 0; i < 48; i++) {
        const struct priority_queue_item *item = priority_queue_take(&priority_queue);

        assert_ptr_equal(item->class == CALL_NEW       ? &first[went[item->class]]
                         : item->class == CALL_CHECKIN ? &returned[went[item->class]]
                                                       : &background[went[item->class]],
                         item);
        went[item->class]++;
    }
    assert_int_equal(went[CALL_CHECKIN], 16);
    assert_int_equal(went[CALL_BACKGROUND], 2);
    assert_int_equal(went[CALL_NEW], 30);
}

/* ---- the wait ---- */

static struct priority_queue_item crowd[2000];

static void fill(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        add(&crowd[i], CALL_NEW, NULL);
}

static uint64_t wait_ms(void)
{
    return priority_queue_wait_ms(&priority_queue, &priority_queue.no_party, 5);
}

static void pass(size_t n, uint64_t each_ms)
{
    for (size_t i = 0; i < n; i++) {
        fake_clock_advance(&fc, each_ms);
        assert_non_null(priority_queue_take(&priority_queue));
    }
}

TEST(the_estimate_follows_the_rate)
{
    assert_int_equal(wait_ms(), 0);
    fill(0, 1000);
    assert_int_equal(wait_ms(), 1001 * 5); /* nothing is known yet: the usual */
    pass(200, 10);
    assert_in_range(wait_ms(), 7900, 8100);
    pass(500, 2); /* it is quicker now, and that is learned within the window */
    assert_in_range(wait_ms(), 600, 2400);
    pass(300, 10);
    assert_int_equal(wait_ms(), 0); /* the queue is empty, whatever was measured */
}

/* As the calls of a user whose connection is free. */
TEST(calls_that_pass_the_queue_count_in_the_estimate)
{
    fill(0, 1000);
    for (size_t i = 0; i < 200; i++) {
        fake_clock_advance(&fc, 10);
        priority_queue_serve(&priority_queue, &crowd[999 - i]);
    }
    assert_in_range(wait_ms(), 7900, 8100);
    assert_int_equal(priority_queue.n[CALL_NEW], 800);
}

/* Many at once, then nothing: what counts is how many in what time. */
TEST(bursts_do_not_mislead_the_estimate)
{
    fill(0, 2000);
    for (int round = 0; round < 20; round++) {
        pass(1, 100);
        pass(9, 0);
    }
    assert_in_range(wait_ms(), 17000, 19900); /* 1,800 at 10 ms */
}

TEST(calls_that_need_not_wait_tell_nothing)
{
    for (size_t i = 0; i < 1000; i++) {
        add(&crowd[0], CALL_NEW, NULL);
        assert_non_null(priority_queue_take(&priority_queue));
        fake_clock_advance(&fc, 1);
    }
    fill(0, 10);
    assert_int_equal(wait_ms(), 11 * 5);
}

/* A vault that hangs: the queue stands still, and the estimate grows with that time. */
TEST(a_queue_that_stands_still_is_noticed)
{
    fill(0, 300);
    pass(200, 1);
    assert_in_range(wait_ms(), 95, 110);
    fake_clock_advance(&fc, 4000);
    assert_in_range(wait_ms(), 4000, 4200);
}

/* It hung and goes on: the estimate soon falls. After a while the measurement is forgotten. */
TEST(old_measurements_are_forgotten)
{
    fill(0, 1000);
    pass(200, 1);
    fake_clock_advance(&fc, 20000);
    pass(1, 0);
    assert_true(wait_ms() > 20000);
    pass(400, 1);
    assert_true(wait_ms() < 20000);
    pass(399, 1);
    fake_clock_advance(&fc, WAIT_ESTIMATE_FORGET_MS + 1);
    fill(0, 10);
    assert_int_equal(wait_ms(), 11 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(parties_take_turns, begin),
        cmocka_unit_test_setup(one_is_removed_from_the_middle, begin),
        cmocka_unit_test_setup(classes_go_in_order, begin),
        cmocka_unit_test_setup(every_class_is_served, begin),
        cmocka_unit_test_setup(the_estimate_follows_the_rate, begin),
        cmocka_unit_test_setup(calls_that_pass_the_queue_count_in_the_estimate, begin),
        cmocka_unit_test_setup(bursts_do_not_mislead_the_estimate, begin),
        cmocka_unit_test_setup(calls_that_need_not_wait_tell_nothing, begin),
        cmocka_unit_test_setup(a_queue_that_stands_still_is_noticed, begin),
        cmocka_unit_test_setup(old_measurements_are_forgotten, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
