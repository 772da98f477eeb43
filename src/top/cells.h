/*
 * cells.h - texts in columns of a terminal.
 *
 * A letter takes one cell, a wide one two, a mark none: the width is that of the C library (wcwidth), which
 * the terminal library uses as well, so that both agree. The locale of LC_CTYPE has UTF-8, or `ascii` is set:
 * each other letter is written as `?` then.
 *
 * Texts have been made visible before (utf8_visible), so they have no controls. What the C library knows no
 * width of becomes U+FFFD. A letter keeps at most MARKS_MAX marks; a mark without a letter is left out.
 */
#ifndef JG_TOP_CELLS_H
#define JG_TOP_CELLS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define MARKS_MAX 4

enum align { ALIGN_LEFT, ALIGN_RIGHT };

/* Cells that the text takes when it is written whole. */
size_t cells_width(const char *text, bool ascii);
/* Writes the text into exactly `width` cells: padded with blanks, or cut, with `~` as the last one. */
void cells_put(struct buf *, const char *text, size_t width, enum align, bool ascii);

#endif
