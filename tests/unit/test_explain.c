/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of explanations: what is kept, for how long, in how much memory; and that a find tells its
 * story.
 */
#include "check.h"
#include "fake_clock.h"

#include "broker/find/explain.h"

#include <stdio.h>
#include <string.h>

#define KEEP_MS MINUTES(15)

struct memory {
    struct fake_clock clock;
    struct explain *explain;
};

static const struct session ann = {.id = "S-1", .username = "ann", .domain = "CORP"};

static void memory_open(struct memory *m, size_t records, size_t bytes)
{
    fake_clock_init(&m->clock);
    m->explain = explain_new(&(struct explain_opts){
        .clock = &m->clock.clock, .max_records = records, .max_bytes = bytes, .keep_ms = KEEP_MS});
    assert_non_null(m->explain);
}

static void memory_close(struct memory *m)
{
    explain_free(m->explain);
}

/* One finished record with n notes. */
static void tell(struct memory *m, const char *id, size_t n)
{
    struct explain_record *record = explain_begin(m->explain, id, "credentials/find", &ann);
    char value[32];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(value, sizeof(value), "web%zu", i);
        explain_add(record, &(struct explain_note){
                                .kind = EXPLAIN_NAME, .vault = "main", .form = "hostname", .value = value});
    }
    explain_end(record, "ok", NULL, 3, 250);
}

TEST(a_record_holds_its_notes)
{
    struct memory m;
    const struct explain_view *view;

    memory_open(&m, 10, 1 << 20);
    assert_null(explain_find(m.explain, "r-1"));
    tell(&m, "r-1", 20);
    view = explain_find(m.explain, "r-1");
    assert_non_null(view);
    assert_string_equal(view->request_id, "r-1");
    assert_string_equal(view->operation, "credentials/find");
    assert_string_equal(view->username, "ann");
    assert_string_equal(view->domain, "CORP");
    assert_string_equal(view->outcome, "ok");
    assert_null(view->detail);
    assert_int_equal(view->rows, 3);
    assert_int_equal(view->list_age_ms, 250);
    assert_int_equal(view->nnotes, 20);
    assert_string_equal(view->notes[19].value, "web19");
    assert_null(view->notes[19].user);
    assert_false(view->cut);
    memory_close(&m);
}

TEST(an_open_record_is_not_shown)
{
    struct memory m;
    struct explain_record *record;

    memory_open(&m, 10, 1 << 20);
    record = explain_begin(m.explain, "r-1", "credentials/find", &ann);
    assert_null(explain_find(m.explain, "r-1"));
    explain_end(record, "vault_error", "it broke", 0, 0);
    assert_string_equal(explain_find(m.explain, "r-1")->detail, "it broke");
    memory_close(&m);
}

TEST(without_a_record_notes_are_dropped)
{
    struct memory m;

    memory_open(&m, 0, 1 << 20);
    assert_null(explain_begin(m.explain, "r-1", "credentials/find", &ann));
    assert_null(explain_begin(NULL, "r-1", "credentials/find", &ann));
    assert_null(explain_find(NULL, "r-1"));
    explain_add(NULL, &(struct explain_note){.kind = EXPLAIN_NAME});
    explain_end(NULL, "ok", NULL, 0, 0);
    memory_close(&m);
}

TEST(a_record_is_forgotten_after_fifteen_minutes)
{
    struct memory m;

    memory_open(&m, 10, 1 << 20);
    tell(&m, "r-1", 1);
    fake_clock_advance(&m.clock, KEEP_MS - 1);
    tell(&m, "r-2", 1);
    assert_non_null(explain_find(m.explain, "r-1"));
    fake_clock_advance(&m.clock, 1);
    assert_null(explain_find(m.explain, "r-1"));
    assert_non_null(explain_find(m.explain, "r-2"));
    assert_int_equal(explain_count(m.explain), 1);
    memory_close(&m);
}

TEST(records_are_bounded_by_number)
{
    struct memory m;
    char id[16];

    memory_open(&m, 3, 1 << 20);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof(id), "r-%d", i);
        tell(&m, id, 2);
    }
    assert_int_equal(explain_count(m.explain), 3);
    assert_null(explain_find(m.explain, "r-6"));
    assert_non_null(explain_find(m.explain, "r-7"));
    assert_non_null(explain_find(m.explain, "r-9"));
    memory_close(&m);
}

TEST(records_are_bounded_by_bytes)
{
    const size_t limit = 64 << 10;
    struct memory m;
    char id[16];

    memory_open(&m, 1000, limit);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(id, sizeof(id), "r-%d", i);
        tell(&m, id, 40);
        assert_true(explain_bytes(m.explain) <= limit);
    }
    assert_in_range(explain_count(m.explain), 2, 20);
    assert_non_null(explain_find(m.explain, "r-199"));
    assert_null(explain_find(m.explain, "r-0"));
    memory_close(&m);
}

TEST(open_records_count_and_are_cut)
{
    const size_t limit = 64 << 10;
    struct explain_record *open[20];
    struct explain_note note = {.kind = EXPLAIN_NAME, .vault = "main", .form = "hostname", .value = "web01"};
    struct memory m;
    bool cut = false;

    memory_open(&m, 1000, limit);
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "r-%d", i);
        open[i] = explain_begin(m.explain, id, "credentials/find", &ann);
        for (int k = 0; k < 60; k++)
            explain_add(open[i], &note);
        assert_true(explain_bytes(m.explain) <= limit);
    }
    for (int i = 0; i < 20; i++) {
        const struct explain_view *view;
        char id[16];
        (void)snprintf(id, sizeof(id), "r-%d", i);
        explain_end(open[i], "ok", NULL, 0, 0);
        view = explain_find(m.explain, id);
        cut = cut || (view && view->cut);
    }
    assert_true(cut);
    assert_true(explain_bytes(m.explain) <= limit);
    memory_close(&m);
}

/* There is room for a note, and none for its texts. */
TEST(a_note_whose_texts_do_not_fit_is_left_out)
{
    struct memory m;
    struct explain_record *record;
    char text[EXPLAIN_TEXT_MAX + 1];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memory_open(&m, 10, 1 << 20);
    record = explain_begin(m.explain, "r-1", "credentials/find", &ann);
    explain_add(record, &(struct explain_note){.kind = EXPLAIN_USER, .detail = "x"});
    size_t limit = explain_bytes(m.explain) + EXPLAIN_TEXT_MAX;

    explain_end(record, "ok", NULL, 0, 0);
    memory_close(&m);
    memory_open(&m, 10, limit);
    record = explain_begin(m.explain, "r-1", "credentials/find", &ann);
    explain_add(record, &(struct explain_note){.kind = EXPLAIN_USER, .detail = "x"});
    explain_add(record, &(struct explain_note){.kind = EXPLAIN_USER, .detail = text});
    assert_true(explain_bytes(m.explain) <= limit);
    explain_end(record, "ok", NULL, 0, 0);
    assert_true(explain_find(m.explain, "r-1")->cut);
    assert_int_equal(explain_find(m.explain, "r-1")->nnotes, 1);
    memory_close(&m);
}

TEST(notes_of_one_record_are_bounded)
{
    struct memory m;

    memory_open(&m, 10, 1 << 20);
    tell(&m, "r-1", EXPLAIN_NOTES_MAX * 2);
    assert_true(explain_find(m.explain, "r-1")->nnotes >= EXPLAIN_NOTES_MAX);
    assert_true(explain_find(m.explain, "r-1")->nnotes < EXPLAIN_NOTES_MAX * 2);
    assert_true(explain_find(m.explain, "r-1")->cut);
    memory_close(&m);
}

TEST(the_later_of_two_records_with_one_id_counts)
{
    struct memory m;

    memory_open(&m, 10, 1 << 20);
    tell(&m, "r-1", 1);
    tell(&m, "r-1", 2);
    assert_int_equal(explain_count(m.explain), 1);
    assert_int_equal(explain_find(m.explain, "r-1")->nnotes, 2);
    memory_close(&m);
}

TEST(long_texts_are_cut_between_letters)
{
    struct memory m;
    struct explain_record *record;
    char text[1000];
    const char *kept;

    memory_open(&m, 10, 1 << 20);
    memset(text, 'a', EXPLAIN_TEXT_MAX - 1);
    (void)snprintf(text + EXPLAIN_TEXT_MAX - 1, 100, "\xc3\xa9\xc3\xa9 and more");
    record = explain_begin(m.explain, "r-1", "credentials/find", &ann);
    explain_add(record, &(struct explain_note){.kind = EXPLAIN_USER, .detail = text});
    explain_end(record, "ok", NULL, 0, 0);
    kept = explain_find(m.explain, "r-1")->notes[0].detail;
    assert_int_equal(strlen(kept), EXPLAIN_TEXT_MAX - 1);
    assert_int_equal(kept[EXPLAIN_TEXT_MAX - 2], 'a');
    memory_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_holds_its_notes),
        cmocka_unit_test(an_open_record_is_not_shown),
        cmocka_unit_test(without_a_record_notes_are_dropped),
        cmocka_unit_test(a_record_is_forgotten_after_fifteen_minutes),
        cmocka_unit_test(records_are_bounded_by_number),
        cmocka_unit_test(records_are_bounded_by_bytes),
        cmocka_unit_test(open_records_count_and_are_cut),
        cmocka_unit_test(a_note_whose_texts_do_not_fit_is_left_out),
        cmocka_unit_test(notes_of_one_record_are_bounded),
        cmocka_unit_test(the_later_of_two_records_with_one_id_counts),
        cmocka_unit_test(long_texts_are_cut_between_letters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
