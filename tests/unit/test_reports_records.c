/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_records.c - the memory of records: alignment, zeroes, limit, arrays that grow.
 */
#include "base/sanitized.h"
#include "check.h"
#include "reports/records.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if SANITIZED
#include <sanitizer/asan_interface.h>
#endif

TEST(pieces_are_aligned_zeroed_and_apart)
{
    struct record_arena a = {0};
    unsigned char *pieces[600];

    for (size_t i = 0; i < 600; i++) {
        pieces[i] = record_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 600; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
    record_arena_free(&a);
    assert_null(a.chunks);
    assert_int_equal(a.used, 0);
}

TEST(a_large_piece_leaves_the_room_of_the_chunk_before_it)
{
    struct record_arena a = {0};
    char *first = record_alloc(&a, 16), *large = record_alloc(&a, 3 * 1024 * 1024);
    char *second = record_alloc(&a, 16);

    assert_non_null(large);
    assert_ptr_equal(second, first + 16);
    memset(large, 1, 3 * 1024 * 1024);
    record_arena_free(&a);
}

TEST(nothing_is_handed_out_beyond_the_limit)
{
    struct record_arena a = {.limit = 1024};
    size_t n = 0;

    while (record_alloc(&a, 100))
        n++;
    assert_int_equal(n, 9); /* of 112 bytes */
    assert_true(a.used <= a.limit);
    assert_non_null(record_alloc(&a, 1));
    assert_null(record_alloc(&a, SIZE_MAX));
    assert_null(record_alloc(&a, SIZE_MAX / 2));
    assert_null(record_text(&a, "", SIZE_MAX));
    record_arena_free(&a);
    assert_non_null(record_alloc(&a, 100)); /* as new, with its limit */
    assert_int_equal(a.limit, 1024);
    record_arena_free(&a);
}

TEST(texts_are_copies_that_end_with_nul)
{
    struct record_arena a = {0};
    char bytes[] = {'a', 'b', 'c'};
    const char *text = record_text(&a, bytes, 3), *empty = record_text(&a, NULL, 0);

    bytes[0] = 'x';
    assert_string_equal(text, "abc");
    assert_string_equal(empty, "");
    record_arena_free(&a);
}

TEST(arrays_grow_and_keep_their_elements)
{
    struct record_arena a = {0};
    struct record_pair *pairs = NULL;
    size_t n = 0, room = 0;

    for (size_t i = 0; i < 5000; i++) {
        struct record_pair *p = record_append(&a, &pairs, &n, &room, sizeof(*pairs));

        assert_non_null(p);
        assert_ptr_equal(p, &pairs[i]);
        assert_null(p->name);
        p->name = record_text(&a, (const char *)&i, sizeof(i));
    }
    assert_int_equal(n, 5000);
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(pairs[i].name, &i, sizeof(i));
    record_arena_free(&a);
}

TEST(an_array_that_may_not_grow_stays_as_it_is)
{
    struct record_arena a = {.limit = 4 * sizeof(struct record_pair) + 8};
    struct record_pair *pairs = NULL;
    size_t n = 0, room = 0;

    for (int i = 0; i < 4; i++)
        assert_non_null(record_append(&a, &pairs, &n, &room, sizeof(*pairs)));
    struct record_pair *before = pairs;
    assert_null(record_append(&a, &pairs, &n, &room, sizeof(*pairs)));
    assert_ptr_equal(pairs, before);
    assert_int_equal(n, 4);
    record_arena_free(&a);
}

TEST(a_sanitizer_knows_what_was_not_handed_out)
{
#if SANITIZED
    struct record_arena a = {0};
    char *p = record_alloc(&a, 10);

    assert_false(__asan_address_is_poisoned(p + 9));
    assert_true(__asan_address_is_poisoned(p + 16));
    assert_true(__asan_address_is_poisoned(p + 12));
    record_arena_free(&a);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(a_large_piece_leaves_the_room_of_the_chunk_before_it),
        cmocka_unit_test(nothing_is_handed_out_beyond_the_limit),
        cmocka_unit_test(texts_are_copies_that_end_with_nul),
        cmocka_unit_test(arrays_grow_and_keep_their_elements),
        cmocka_unit_test(an_array_that_may_not_grow_stays_as_it_is),
        cmocka_unit_test(a_sanitizer_knows_what_was_not_handed_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
