/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf_table.c - the table of the configuration keeps its own rules, and the files made of it are
 * current.
 */
#include "check.h"
#include "conf/conf_checks.h"
#include "conf_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(rows_are_grouped_and_unique)
{
    for (size_t i = 0; i < conf_gateway_table.nrows; i++) {
        const struct conf_row *row = &conf_gateway_table.rows[i];
        if (i)
            assert_true(row->section >= conf_gateway_table.rows[i - 1].section);
        assert_ptr_equal(conf_row_find(&conf_gateway_table, row->section, row->name), row);
        assert_true(row->size > 0);
        assert_true(row->offset + row->size <= conf_gateway_table.sections[row->section].size);
    }
}

TEST(rows_explain_themselves)
{
    for (size_t i = 0; i < conf_gateway_table.nrows; i++) {
        const struct conf_row *row = &conf_gateway_table.rows[i];
        bool has_default = row->fallback && *row->fallback;
        if (!row->help || strlen(row->help) < 10 || row->help[strlen(row->help) - 1] != '.')
            fail_msg("%s: the help is no sentence", row->name);
        if (!has_default && !row->example)
            fail_msg("%s has neither default nor example", row->name);
        if (!has_default && !(row->flags & CONF_REQUIRED) && !row->unset)
            fail_msg("%s does not say what happens without it", row->name);
        if (row->flags & CONF_REQUIRED)
            assert_null(row->fallback);
    }
}

/* A default, printed and parsed again, is itself; and none is out of its range. */
TEST(defaults_pass_their_parsers)
{
    for (size_t i = 0; i < conf_gateway_table.nrows; i++) {
        const struct conf_row *row = &conf_gateway_table.rows[i];
        char why[CONF_WHY_SIZE] = "";
        void *object = calloc(1, conf_gateway_table.sections[row->section].size);
        struct buf once = BUF_INIT(4096), twice = BUF_INIT(4096);
        assert_non_null(object);
        row->type->clear(row, object);
        if (row->fallback && row->type->parse(row, row->fallback, object, why))
            fail_msg("%s = %s: %s", row->name, row->fallback, why);
        row->type->print(row, object, &once);
        if (row->fallback && *row->fallback) {
            assert_int_equal(row->type->parse(row, buf_cstr(&once), object, why), 0);
            row->type->print(row, object, &twice);
            assert_string_equal(buf_cstr(&once), buf_cstr(&twice));
        }
        row->type->clear(row, object);
        free(object);
        buf_free(&once);
        buf_free(&twice);
    }
}

TEST(numbers_know_their_range)
{
    for (size_t i = 0; i < conf_gateway_table.nrows; i++) {
        const struct conf_row *row = &conf_gateway_table.rows[i];
        uint64_t room[64];
        char why[CONF_WHY_SIZE];
        struct buf text = BUF_INIT(64);
        if (!row->type->units)
            continue;
        assert_true(row->min < row->max);
        assert_int_equal(row->size, sizeof(uint64_t));
        assert_true(conf_gateway_table.sections[row->section].size <= sizeof(room));
        conf_number_print(row->type, row->max, &text);
        assert_int_equal(row->type->parse(row, buf_cstr(&text), room, why), 0);
        buf_clear(&text);
        (void)buf_printf(&text, "%llu%s", (unsigned long long)row->max + 1, row->type->units[0].name);
        assert_int_not_equal(row->type->parse(row, buf_cstr(&text), room, why), 0);
        assert_non_null(strstr(why, "must be from "));
        buf_free(&text);
    }
}

/* ---- what is generated ---- */

static void read_whole(const char *path, struct buf *out)
{
    FILE *in = fopen(path, "r");
    char chunk[4096];
    size_t n;

    if (!in)
        fail_msg("cannot open %s", path);
    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        assert_int_equal(buf_append(out, chunk, n), 0);
    assert_int_equal(fclose(in), 0);
}

static void assert_current(const char *path, void (*print)(struct buf *))
{
    struct buf file = BUF_INIT(1024 * 1024), printed = BUF_INIT(1024 * 1024);

    read_whole(path, &file);
    print(&printed);
    assert_false(printed.failed);
    if (file.len != printed.len || memcmp(file.data, printed.data, file.len) != 0)
        fail_msg("%s is not the output of `jumpgate config`; write it anew", path);
    buf_free(&file);
    buf_free(&printed);
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
        cmocka_unit_test(rows_are_grouped_and_unique),
        cmocka_unit_test(rows_explain_themselves),
        cmocka_unit_test(defaults_pass_their_parsers),
        cmocka_unit_test(numbers_know_their_range),
        cmocka_unit_test(example_file_is_current),
        cmocka_unit_test(reference_is_current),
        cmocka_unit_test_setup_teardown(example_file_loads, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(example_keys_are_all_known, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
