/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.c - lines of text with styles; see screen.h.
 */
#include "top/screen.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES (64U << 10)
#define LINES_STEP     64

struct screen screen_start(size_t rows, size_t cols, bool ascii)
{
    return (struct screen){.rows = rows, .cols = cols, .ascii = ascii};
}

void screen_free(struct screen *s)
{
    for (size_t i = 0; i < s->n; i++)
        buf_free(&s->lines[i].text);
    free(s->lines);
    s->lines = NULL;
    s->n = 0;
}

struct screen_line *screen_line(struct screen *s, size_t at)
{
    if (s->rows && at >= s->rows)
        return NULL;
    while (s->n <= at) {
        if (s->n % LINES_STEP == 0) {
            struct screen_line *more = realloc(s->lines, (s->n + LINES_STEP) * sizeof(*more));

            if (!more) {
                s->failed = true;
                return NULL;
            }
            s->lines = more;
        }
        s->lines[s->n++] = (struct screen_line){.text = BUF_INIT(LINE_MAX_BYTES)};
    }
    return &s->lines[at];
}

size_t screen_left(const struct screen *s)
{
    return s->rows ? s->rows - s->n : SIZE_MAX;
}

void line_style(struct screen_line *line, enum style style)
{
    if (line && line->nspans < SPANS_MAX)
        line->spans[line->nspans++] = (struct span){line->text.len, style};
}

void line_cell(const struct screen *s, struct screen_line *line, const char *text, size_t width,
               enum align align)
{
    if (!line || line->width >= s->cols)
        return;
    if (width > s->cols - line->width)
        width = s->cols - line->width;
    cells_put(&line->text, text, width, align, s->ascii);
    line->width += width;
}

void line_text(const struct screen *s, struct screen_line *line, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    line_cell(s, line, text, cells_width(text, s->ascii), ALIGN_LEFT);
}

void line_to(const struct screen *s, struct screen_line *line, size_t column)
{
    if (line && line->width < column)
        line_cell(s, line, "", column - line->width, ALIGN_LEFT);
}

void line_right(const struct screen *s, struct screen_line *line, const char *text)
{
    size_t width = cells_width(text, s->ascii);

    if (!line || line->width + width + 1 > s->cols)
        return;
    line_to(s, line, s->cols - width);
    line_cell(s, line, text, width, ALIGN_LEFT);
}
