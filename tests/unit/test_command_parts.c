/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_command_parts.c - small parts of the commands: lengths of time, tables, which leases are chosen.
 */
#include "check.h"
#include "commands/commands.h"
#include "commands/leases/choice.h"
#include "commands/print_table.h"
#include "commands/span.h"

#include <stdlib.h>
#include <string.h>

TEST(spans_leave_out_what_does_not_count)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "0s"},       {0, "0s"},         {59, "59s"},        {60, "1m"},       {3599, "59m"},
        {3600, "1h 00m"}, {11100, "3h 05m"}, {86399, "23h 59m"}, {86400, "1d 0h"}, {90000, "1d 1h"},
    };
    char out[SPAN_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(span_text(cases[i].seconds, out), cases[i].text);
}

/* What the table prints; free() it. */
static char *print(struct print_table *t)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    assert_non_null(out);
    assert_int_equal(print_table_end(t, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

TEST(columns_are_as_wide_as_their_widest_cell)
{
    static const char *const titles[] = {"A", "LONG", "C"};
    struct print_table t = print_table_start(titles, 3);

    print_table_cell(&t, STYLE_BAD, "ä\u202e");
    print_table_cell(&t, STYLE_PLAIN, NULL);
    print_table_cellf(&t, STYLE_PLAIN, "%d", 7);
    print_table_cell(&t, STYLE_PLAIN, "b");
    print_table_cell(&t, STYLE_PLAIN, "wide cell");
    print_table_cell(&t, STYLE_PLAIN, "\033[2J");
    char *text = print(&t);

    assert_string_equal(text, "A        LONG       C\n"
                              "ä\\u202e  -          7\n"
                              "b        wide cell  \\u001b[2J\n");
    free(text);
}

TEST(table_without_titles_and_rows_is_nothing)
{
    struct print_table t = print_table_start(NULL, 2);
    char *text = print(&t);

    assert_string_equal(text, "");
    free(text);
}

TEST(choice_looks_at_vault_age_and_end)
{
    const struct lease_view view = {
        .credential_id = "j1.safe.l.34.17.0", .created_wall_ms = 1000, .expires_wall_ms = 5000};
    const struct {
        struct leases_choice choice;
        bool fits;
    } cases[] = {
        {{.now_wall_ms = 4000}, true},
        {{.now_wall_ms = 4000, .vault = "safe"}, true},
        {{.now_wall_ms = 4000, .vault = "saf"}, false},
        {{.now_wall_ms = 4000, .older_ms = 3000}, true},
        {{.now_wall_ms = 4000, .older_ms = 3001}, false},
        {{.now_wall_ms = 5000, .overdue = true}, false},
        {{.now_wall_ms = 5001, .overdue = true}, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%zu", i);
        assert_int_equal(leases_choice_fits(&cases[i].choice, &view), cases[i].fits);
    }
    assert_false(leases_choice_fits(&(struct leases_choice){.now_wall_ms = 9, .overdue = true},
                                    &(struct lease_view){.credential_id = ""}));
}

static int read_older(const char *value, struct leases_choice *out)
{
    static const struct command_flag flags[] = {{"--older-than", FLAG_TEXT, "TIME", "", NULL}, {0}};
    static const struct command row = {.name = "list", .flags = flags};
    const struct command_args args = {.command = &row, .values = {value}};

    return leases_choice_read(&args, out);
}

TEST(times_need_a_number_and_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0 = refused */
    } cases[] = {
        {"1s", 1000},
        {"15m", 900000},
        {"2h", 7200000},
        {"3d", 259200000},
        {"", 0},
        {"5", 0},
        {"s", 0},
        {"0s", 0},
        {"-1s", 0},
        {"1 s", 0},
        {"1sm", 0},
        {"1x", 0},
        {"+1s", 0},
        {"1.5h", 0},
        {"99999999999999999999s", 0},
        {"4000000000000d", 0},
    };
    struct leases_choice choice;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%s", cases[i].text);
        assert_int_equal(read_older(cases[i].text, &choice), cases[i].ms ? EXIT_DONE : EXIT_USAGE);
        if (cases[i].ms)
            assert_int_equal(choice.older_ms, cases[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_leave_out_what_does_not_count),
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(table_without_titles_and_rows_is_nothing),
        cmocka_unit_test(choice_looks_at_vault_age_and_end),
        cmocka_unit_test(times_need_a_number_and_a_unit),
    };

    command_program_is(&jumpgate_program);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
