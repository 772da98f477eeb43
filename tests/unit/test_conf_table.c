/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_table.c - the table of the configuration keeps its own rules, and the files made of it are
 * current.
 */
#include "check.h"
#include "conf/conf_checks.h"
#include "conf_fixture.h"
#include "conf_table_rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(the_table_keeps_its_rules)
{
    assert_table_rules(&conf_gateway_table);
}

TEST(example_file_is_current)
{
    assert_current("../../conf/jumpgate.conf", conf_print_defaults);
}

TEST(reference_is_current)
{
    assert_current("../../docs/configuration.md", conf_print_doc);
}

TEST(example_file_loads)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(1024 * 1024);
    char digest[65];

    conf_print_defaults(&text);
    (void)buf_str(&text, "\n@GOOD@\n");
    assert_loads(f, buf_cstr(&text));
    assert_int_equal(f->errors.len, 0);
    memcpy(digest, f->conf->digest, sizeof(digest));
    assert_loads(f, "@GOOD@\n");
    assert_string_equal(digest, f->conf->digest);
    buf_free(&text);
}

/* With every `#key = value` switched on, what remains wrong are files and choices that exclude each other. */
TEST(example_keys_are_all_known)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT(1024 * 1024), all = BUF_INIT(1024 * 1024);
    char *line, *rest = NULL;

    conf_print_defaults(&text);
    assert_non_null(buf_cstr(&text));
    for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        (void)buf_printf(&all, "%s\n", line[0] == '#' && line[1] != ' ' ? line + 1 : line);
    (void)fixture_load(f, buf_cstr(&all));
    assert_non_null(buf_cstr(&f->errors));
    assert_null(strstr(f->errors.data, "unknown"));
    assert_null(strstr(f->errors.data, "lacks"));
    assert_null(strstr(f->errors.data, "; found `"));
    assert_null(strstr(f->errors.data, "neither"));
    buf_free(&text);
    buf_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_keeps_its_rules),
        cmocka_unit_test(example_file_is_current),
        cmocka_unit_test(reference_is_current),
        cmocka_unit_test_setup_teardown(example_file_loads, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(example_keys_are_all_known, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
