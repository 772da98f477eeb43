/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_line.c - who is next in line (base/line.h, base/turns.h), and the wait that is foretold (base/pace.h).
 */
#include "base/line.h"
#include "check.h"
#include "fake_clock.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake_clock fc;
static struct line line;

static int begin(void **state)
{
    (void)state;
    fake_clock_init(&fc);
    fake_clock_advance(&fc, 1000000);
    line_init(&line, &fc.clock);
    return 0;
}

static void add(struct line_item *item, enum line_class class, struct turn_party *party)
{
    line_add(&line, item, class, party, false);
}

/* ---- order ---- */

static void parties_take_turns(void **state)
{
    struct turn_party script = {0}, ann = {0}, bob = {0};
    struct line_item many[4], hers[2], his;
    const struct line_item *order[] = {&many[0], &hers[0], &his, &many[1], &hers[1], &many[2], &many[3]};

    (void)state;
    for (size_t i = 0; i < COUNT(many); i++)
        add(&many[i], LINE_FIRST, &script);
    add(&hers[0], LINE_FIRST, &ann);
    add(&hers[1], LINE_FIRST, &ann);
    assert_int_equal(turns_ahead(&line.first, &bob), 2);
    add(&his, LINE_FIRST, &bob);
    assert_int_equal(turns_ahead(&line.first, &bob), 5);    /* three parties, then two before his second */
    assert_int_equal(turns_ahead(&line.first, &script), 14); /* all there are, and as many that will come */
    assert_int_equal(turns_ahead(&line.first, &(struct turn_party){0}), 3);
    for (size_t i = 0; i < COUNT(order); i++)
        assert_ptr_equal(line_take(&line), order[i]);
    assert_null(line_take(&line));
    assert_int_equal(script.n + ann.n + bob.n + line.first.nparties, 0);
}

static void one_goes_out_of_line(void **state)
{
    struct turn_party ann = {0}, bob = {0};
    struct line_item a, b, front, back;

    (void)state;
    add(&a, LINE_FIRST, &ann);
    add(&b, LINE_FIRST, &bob);
    add(&back, LINE_BACKGROUND, NULL);
    line_add(&line, &front, LINE_FIRST, &bob, true);
    assert_ptr_equal(line_peek(&line), &front);
    line_remove(&line, &a);
    line_remove(&line, &back);
    assert_int_equal(line_count(&line), 2);
    assert_ptr_equal(line_take(&line), &front);
    assert_ptr_equal(line_take(&line), &b);
    assert_null(line_take(&line));
}

/* What was begun goes before what begins, and that before the rest. */
static void classes_go_in_order(void **state)
{
    struct line_item background, returned, first, begun;

    (void)state;
    add(&background, LINE_BACKGROUND, NULL);
    add(&returned, LINE_RETURN, NULL);
    add(&first, LINE_FIRST, NULL);
    add(&begun, LINE_BEGUN, NULL);
    assert_ptr_equal(line_take(&line), &begun);
    assert_ptr_equal(line_take(&line), &first);
    assert_ptr_equal(line_take(&line), &returned);
    assert_ptr_equal(line_take(&line), &background);
}

/* However many people wait, what is given back gets its third, and the background its sixteenth. */
static void nobody_starves(void **state)
{
    struct line_item first[64], returned[64], background[64];
    size_t went[LINE_NCLASSES] = {0};

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        add(&first[i], LINE_FIRST, NULL);
        add(&returned[i], LINE_RETURN, NULL);
        add(&background[i], LINE_BACKGROUND, NULL);
    }
    for (size_t i = 0; i < 48; i++) {
        const struct line_item *item = line_take(&line);

        assert_ptr_equal(item->class == LINE_FIRST    ? &first[went[item->class]]
                         : item->class == LINE_RETURN ? &returned[went[item->class]]
                                                      : &background[went[item->class]],
                         item);
        went[item->class]++;
    }
    assert_int_equal(went[LINE_RETURN], 16);
    assert_int_equal(went[LINE_BACKGROUND], 2);
    assert_int_equal(went[LINE_FIRST], 30);
}

/* ---- the wait ---- */

static struct line_item crowd[2000];

static void fill(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        add(&crowd[i], LINE_FIRST, NULL);
}

static uint64_t wait_ms(void)
{
    return line_wait_ms(&line, &line.nobody, 5);
}

static void pass(size_t n, uint64_t each_ms)
{
    for (size_t i = 0; i < n; i++) {
        fake_clock_advance(&fc, each_ms);
        assert_non_null(line_take(&line));
    }
}

static void the_wait_follows_the_pace(void **state)
{
    (void)state;
    assert_int_equal(wait_ms(), 0);
    fill(0, 1000);
    assert_int_equal(wait_ms(), 1001 * 5); /* nothing is known yet: the usual */
    pass(200, 10);
    assert_in_range(wait_ms(), 7900, 8100);
    pass(500, 2); /* it is quicker now, and that is learned within the window */
    assert_in_range(wait_ms(), 600, 2400);
    pass(300, 10);
    assert_int_equal(wait_ms(), 0); /* nobody is there any more, whatever was learned */
}

/* Many at once, then nothing: what counts is how many in what time. */
static void bursts_do_not_mislead(void **state)
{
    (void)state;
    fill(0, 2000);
    for (int round = 0; round < 20; round++) {
        pass(1, 100);
        pass(9, 0);
    }
    assert_in_range(wait_ms(), 17000, 19900); /* 1,800 at 10 ms */
}

static void who_need_not_wait_tells_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        add(&crowd[0], LINE_FIRST, NULL);
        assert_non_null(line_take(&line));
        fake_clock_advance(&fc, 1);
    }
    fill(0, 10);
    assert_int_equal(wait_ms(), 11 * 5);
}

/* A vault that hangs: the line stands, so the wait grows with the time it stands. */
static void a_line_that_stands_is_noticed(void **state)
{
    (void)state;
    fill(0, 300);
    pass(200, 1);
    assert_in_range(wait_ms(), 95, 110);
    fake_clock_advance(&fc, 4000);
    assert_in_range(wait_ms(), 4000, 4200);
}

/* It hung and goes on: soon nobody is frightened any more. And after a while nothing is known. */
static void old_news_is_forgotten(void **state)
{
    (void)state;
    fill(0, 1000);
    pass(200, 1);
    fake_clock_advance(&fc, 20000);
    pass(1, 0);
    assert_true(wait_ms() > 20000);
    pass(400, 1);
    assert_true(wait_ms() < 20000);
    pass(399, 1);
    fake_clock_advance(&fc, PACE_FORGET_MS + 1);
    fill(0, 10);
    assert_int_equal(wait_ms(), 11 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(parties_take_turns, begin),
        cmocka_unit_test_setup(one_goes_out_of_line, begin),
        cmocka_unit_test_setup(classes_go_in_order, begin),
        cmocka_unit_test_setup(nobody_starves, begin),
        cmocka_unit_test_setup(the_wait_follows_the_pace, begin),
        cmocka_unit_test_setup(bursts_do_not_mislead, begin),
        cmocka_unit_test_setup(who_need_not_wait_tells_nothing, begin),
        cmocka_unit_test_setup(a_line_that_stands_is_noticed, begin),
        cmocka_unit_test_setup(old_news_is_forgotten, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
