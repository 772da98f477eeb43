/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print_table.c - aligned columns; see print_table.h.
 */
#include "commands/print_table.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define CELL_MAX (64U << 20)

struct print_table print_table_start(const char *const *titles, size_t columns)
{
    struct print_table t = {.titles = titles, .columns = columns, .cells = BUF_INIT(SIZE_MAX / 2)};

    for (size_t i = 0; titles && i < columns; i++)
        t.width[i] = strlen(titles[i]);
    return t;
}

void print_table_cell(struct print_table *t, enum terminal_style style, const char *text)
{
    size_t column = t->n++ % t->columns;

    (void)buf_char(&t->cells, (char)style);
    size_t from = t->cells.len;

    if (text && *text)
        utf8_visible(&t->cells, text, strlen(text));
    else
        (void)buf_char(&t->cells, '-');
    t->failed = t->failed || buf_char(&t->cells, '\0') || t->cells.failed;
    size_t wide = t->failed ? 0 : utf8_count(t->cells.data + from);
    if (wide > t->width[column])
        t->width[column] = wide;
}

void print_table_cellf(struct print_table *t, enum terminal_style style, const char *fmt, ...)
{
    struct buf text = BUF_INIT(CELL_MAX);
    va_list ap;

    va_start(ap, fmt);
    (void)buf_vprintf(&text, fmt, ap);
    va_end(ap);
    const char *cell = buf_cstr(&text);

    print_table_cell(t, style, cell);
    t->failed = t->failed || !cell || text.failed;
    buf_free(&text);
}

static void write_cell(const struct print_table *t, FILE *out, size_t column, enum terminal_style style,
                       bool colours, const char *text)
{
    bool styled = style != STYLE_PLAIN;
    int blanks = column + 1 < t->columns ? (int)(t->width[column] - utf8_count(text)) + 2 : 0;

    fprintf(out, "%*s%s%s%s%*s", column ? 0 : (int)t->indent, "", styled ? terminal_code(colours, style) : "",
            text, styled ? terminal_code(colours, STYLE_PLAIN) : "", blanks, "");
    if (column + 1 == t->columns)
        fputc('\n', out);
}

int print_table_end(struct print_table *t, FILE *out)
{
    bool colours = terminal_colours(out);
    const char *cell = t->cells.data;
    int err = t->failed ? -ENOMEM : 0;

    for (size_t i = 0; !err && t->titles && i < t->columns; i++)
        write_cell(t, out, i, STYLE_TITLE, colours, t->titles[i]);
    for (size_t i = 0; !err && i < t->n; i++) {
        enum terminal_style style = (enum terminal_style) * cell++;

        write_cell(t, out, i % t->columns, style, colours, cell);
        cell += strlen(cell) + 1;
    }
    print_table_drop(t);
    return err;
}

void print_table_drop(struct print_table *t)
{
    buf_free(&t->cells);
}
