/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.c - texts in columns of a terminal; see cells.h.
 */
#include "top/cells.h"

#include "base/utf8.h"

#include <wchar.h>

struct cell { /* a letter with the marks behind it */
    const char *text;
    size_t bytes;
    size_t width;
    bool replaced; /* by `?` or U+FFFD */
};

static int width_of(uint32_t letter, bool ascii)
{
    if (letter < 0x80)
        return 1;
    return ascii ? 1 : wcwidth((wchar_t)letter);
}

static bool is_mark(const char *text, size_t n, size_t *len, bool ascii)
{
    uint32_t letter;

    *len = utf8_letter(text, n, &letter);
    return letter >= 0x80 && (ascii ? letter_kind(letter) == LETTER_MARK : wcwidth((wchar_t)letter) == 0);
}

/* Passes over the marks at *text; returns the bytes of those that are kept. */
static size_t take_marks(const char **text, size_t *n, bool ascii)
{
    size_t kept = 0, len;

    for (size_t marks = 0; *n && is_mark(*text, *n, &len, ascii); *text += len, *n -= len)
        kept += !ascii && marks++ < MARKS_MAX ? len : 0;
    return kept;
}

/* The next cell at *text, and moves behind it. False = there is none. */
static bool next_cell(const char **text, size_t *n, bool ascii, struct cell *out)
{
    uint32_t letter;

    (void)take_marks(text, n, ascii);
    if (!*n)
        return false;
    *out = (struct cell){.text = *text, .bytes = utf8_letter(*text, *n, &letter)};
    *text += out->bytes;
    *n -= out->bytes;
    int width = width_of(letter, ascii);
    out->replaced = width < 0 || (ascii && letter >= 0x80) || letter == UTF8_REPLACEMENT;
    out->width = width < 0 ? 1 : (size_t)width;
    out->bytes += take_marks(text, n, ascii);
    return true;
}

size_t cells_width(const char *text, bool ascii)
{
    size_t n = strlen(text), width = 0;
    struct cell cell;

    while (next_cell(&text, &n, ascii, &cell))
        width += cell.width;
    return width;
}

static void put_cell(struct buf *out, const struct cell *cell, bool ascii)
{
    if (cell->replaced)
        (void)buf_str(out, ascii ? "?" : "\xef\xbf\xbd");
    else
        (void)buf_append(out, cell->text, cell->bytes);
}

static void put_blanks(struct buf *out, size_t n)
{
    while (n--)
        (void)buf_char(out, ' ');
}

void cells_put(struct buf *out, const char *text, size_t width, enum align align, bool ascii)
{
    size_t whole = cells_width(text, ascii), n = strlen(text), used = 0;
    size_t limit = whole <= width || !width ? width : width - 1;
    struct cell cell;

    if (align == ALIGN_RIGHT && whole < width)
        put_blanks(out, width - whole);
    while (next_cell(&text, &n, ascii, &cell) && used + cell.width <= limit) {
        put_cell(out, &cell, ascii);
        used += cell.width;
    }
    if (whole > width && width) {
        (void)buf_char(out, '~');
        used++;
    }
    if (align == ALIGN_LEFT || whole > width)
        put_blanks(out, width - used);
}
