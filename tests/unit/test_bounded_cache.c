/* SPDX-License-Identifier: Apache-2.0 */
/* test_bounded_cache.c - what goes first, and what is never kept. */
#include "check.h"

#include "base/bounded_cache.h"
#include "fake_clock.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct cache_entry entry; /* first */
    char key[8];
};

static struct fake_clock fake;
static struct bounded_cache cache;

static int setup(void **state)
{
    (void)state;
    fake_clock_init(&fake);
    cache = (struct bounded_cache){.clock = &fake.clock, .max_entries = 3, .max_weight = 10};
    bounded_cache_init(&cache);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bounded_cache_clear(&cache);
    assert_int_equal(cache.n, 0);
    assert_int_equal(cache.weight, 0);
    return 0;
}

static struct cache_entry *find(const char *key)
{
    return bounded_cache_find(&cache, key, strlen(key));
}

static bool put(const char *key, size_t weight)
{
    struct item *item = calloc(1, sizeof(*item));
    bool kept;

    assert_non_null(item);
    memcpy(item->key, key, strlen(key) + 1);
    kept = bounded_cache_put(&cache, &item->entry, item->key, strlen(key), weight);
    if (!kept)
        free(item);
    return kept;
}

TEST(least_recently_used_goes_first)
{
    assert_true(put("a", 1) && put("b", 1) && put("c", 1));
    bounded_cache_touch(&cache, find("a"));
    assert_true(put("d", 1));
    assert_null(find("b"));
    assert_true(find("a") && find("c") && find("d"));
}

TEST(weight_is_bounded_in_all)
{
    assert_true(put("a", 4) && put("b", 4));
    assert_true(put("c", 6));
    assert_null(find("a"));
    assert_true(find("b") && find("c"));
    assert_int_equal(cache.weight, 10);
    assert_false(put("d", 11)); /* alone over the bound: the others stay */
    assert_int_equal(cache.n, 2);
}

TEST(same_key_is_replaced)
{
    assert_true(put("a", 4));
    assert_true(put("a", 7));
    assert_int_equal(cache.n, 1);
    assert_int_equal(cache.weight, 7);
}

TEST(old_entries_are_dropped_by_age)
{
    assert_true(put("a", 1));
    fake_clock_advance(&fake, 5);
    assert_true(put("b", 1));
    fake_clock_advance(&fake, 5);
    assert_int_equal(bounded_cache_age(&cache, find("a")), 10);
    bounded_cache_drop_old(&cache, 10);
    assert_null(find("a"));
    assert_non_null(find("b"));
}

TEST(nothing_is_kept_without_room)
{
    cache.max_entries = 0;
    assert_false(put("a", 1));
    assert_null(bounded_cache_first(&cache));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(least_recently_used_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(weight_is_bounded_in_all, setup, teardown),
        cmocka_unit_test_setup_teardown(same_key_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(old_entries_are_dropped_by_age, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_kept_without_room, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
