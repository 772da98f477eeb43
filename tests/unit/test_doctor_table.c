/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_doctor_table.c - the stages of the doctor: names and codes are unlike, and docs/doctor.md has the rows
 * of the table, in its order and no others.
 */
#include "commands/commands.h"
#include "commands/doctor/table.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096

TEST(names_and_codes_are_unlike)
{
    (void)state;
    for (size_t i = 0; i < STAGE_N; i++) {
        assert_non_null(doctor_rows[i].name);
        assert_non_null(doctor_rows[i].what);
        assert_null(strchr(doctor_rows[i].what, '|'));
        assert_int_not_equal(doctor_rows[i].exit_code, 0);
        assert_int_not_equal(doctor_rows[i].exit_code, 2);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(doctor_rows[i].name, doctor_rows[k].name);
            assert_int_not_equal(doctor_rows[i].exit_code, doctor_rows[k].exit_code);
        }
    }
}

/* A row of the page that names a stage: a number, and a name in code. */
static bool is_stage_row(const char *line)
{
    int code = 0, end = 0;

    return sscanf(line, "| %d | `%n", &code, &end) == 1 && end > 0;
}

TEST(page_has_the_rows)
{
    FILE *page = fopen("../../docs/doctor.md", "r");
    struct buf found = BUF_INIT(1U << 20), wanted = BUF_INIT(1U << 20);
    char line[LINE_MAX_BYTES];

    (void)state;
    assert_non_null(page);
    while (fgets(line, sizeof(line), page))
        if (is_stage_row(line))
            (void)buf_str(&found, line);
    (void)fclose(page);
    doctor_table_print(STAGE_CONFIGURATION, STAGE_N, &wanted);
    assert_string_equal(buf_cstr(&found), buf_cstr(&wanted));
    buf_free(&found);
    buf_free(&wanted);
}

/* The help names each stage with its code. */
TEST(help_has_the_codes)
{
    const struct command *doctor = command_table;
    const struct command_exit *row;
    size_t stage = 0;

    while (doctor->name && strcmp(doctor->name, "doctor") != 0)
        doctor++;
    assert_non_null(doctor->name);
    for (row = doctor->exits; row->meaning; row++) {
        size_t len = stage < STAGE_N ? strlen(doctor_rows[stage].name) : 0;
        if (row->code == 0 || row->code == EXIT_USAGE)
            continue;
        assert_true(stage < STAGE_N);
        assert_int_equal(row->code, doctor_rows[stage].exit_code);
        assert_memory_equal(row->meaning, doctor_rows[stage].name, len);
        assert_int_equal(row->meaning[len], ':');
        stage++;
    }
    assert_int_equal(stage, STAGE_N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_codes_are_unlike),
        cmocka_unit_test(page_has_the_rows),
        cmocka_unit_test(help_has_the_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
