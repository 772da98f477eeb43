/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_table_rules.c - what holds for the table of every configuration; see conf_table_rules.h.
 */
#include "conf_table_rules.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void rows_are_grouped_and_unique(const struct conf_table *table)
{
    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];
        if (i)
            assert_true(row->section >= table->rows[i - 1].section);
        assert_ptr_equal(conf_row_find(table, row->section, row->name), row);
        assert_true(row->size > 0);
        assert_true(row->offset + row->size <= table->sections[row->section].size);
    }
}

static void rows_explain_themselves(const struct conf_table *table)
{
    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];
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
static void defaults_pass_their_parsers(const struct conf_table *table)
{
    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];
        char why[CONF_WHY_SIZE] = "";
        void *object = calloc(1, table->sections[row->section].size);
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

static void numbers_know_their_range(const struct conf_table *table)
{
    for (size_t i = 0; i < table->nrows; i++) {
        const struct conf_row *row = &table->rows[i];
        uint64_t room[128];
        char why[CONF_WHY_SIZE];
        struct buf text = BUF_INIT(64);
        if (!row->type->units || row->size != sizeof(uint64_t))
            continue;
        assert_true(row->min < row->max);
        assert_true(table->sections[row->section].size <= sizeof(room));
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

void assert_current(const char *path, void (*print)(struct buf *))
{
    struct buf file = BUF_INIT(1024 * 1024), printed = BUF_INIT(1024 * 1024);

    read_whole(path, &file);
    print(&printed);
    assert_false(printed.failed);
    if (file.len != printed.len || memcmp(file.data, printed.data, file.len) != 0)
        fail_msg("%s is not what the program prints; write it once more", path);
    buf_free(&file);
    buf_free(&printed);
}

void assert_table_rules(const struct conf_table *table)
{
    rows_are_grouped_and_unique(table);
    rows_explain_themselves(table);
    defaults_pass_their_parsers(table);
    numbers_know_their_range(table);
}
