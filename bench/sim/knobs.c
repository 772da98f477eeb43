/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knobs.c - the rows of a table by name and value; see knobs.h.
 */
#include "sim/knobs.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>

#define NAME 48

static const char *name_of(const struct knob_table *t, size_t i, char number[NAME])
{
    (void)snprintf(number, NAME, "%zu", i);
    return t->rows[i].name ? t->rows[i].name : number;
}

static int set_row(const struct knob_row *row, int *value, const char *text)
{
    for (int i = 0; i < KNOB_VALUES && row->values[i]; i++) {
        if (!text_equal_nocase(row->values[i], text))
            continue;
        *value = i;
        return 0;
    }
    return -EINVAL;
}

int knob_set(const struct knob_table *t, int *values, const char *name, const char *value)
{
    char number[NAME];

    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].question && text_equal_nocase(name_of(t, i, number), name))
            return set_row(&t->rows[i], &values[i], value);
    return -EINVAL;
}

int knob_set_text(const struct knob_table *t, int *values, const char *text)
{
    size_t n = strcspn(text, "=");
    char name[NAME];

    if (!text[n] || !text_copy_n(name, sizeof(name), text, n))
        return -EINVAL;
    return knob_set(t, values, name, text + n + 1);
}

void knob_help(const struct knob_table *t, struct buf *b)
{
    char number[NAME];

    for (size_t n = 0; n < t->n; n++) {
        const struct knob_row *row = &t->rows[n];
        if (!row->question)
            continue;
        (void)buf_printf(b, row->name ? "  %-20s %-42s" : "  %2s  %-42s", name_of(t, n, number),
                         row->question);
        for (int i = 0; i < KNOB_VALUES && row->values[i]; i++)
            (void)buf_printf(b, "%s%s%s", i ? " | " : "", row->values[i], i ? "" : " (default)");
        (void)buf_char(b, '\n');
    }
}
