/*
 * screen.h - lines of text with styles, as a terminal shows them.
 *
 * A line is written from left to right in cells (cells.h); a style counts from where it is set to the next
 * one. Each line begins plain. A line is never wider than the screen.
 */
#ifndef JG_TOP_SCREEN_H
#define JG_TOP_SCREEN_H

#include "base/buf.h"
#include "top/cells.h"

enum style {
    STYLE_PLAIN,
    STYLE_STRONG,
    STYLE_HEAD, /* names of columns */
    STYLE_DIM,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_SELECTED,
    NSTYLES
};

#define SPANS_MAX 24

struct span {
    size_t at; /* byte of the line's text */
    enum style style;
};

struct screen_line {
    struct buf text;
    size_t width; /* cells so far */
    struct span spans[SPANS_MAX];
    size_t nspans;
};

struct screen {
    size_t rows, cols; /* lines at most, 0 = any number; cells of a line */
    size_t n;          /* lines so far */
    struct screen_line *lines;
    bool ascii;
    bool failed; /* memory ran out */
};

struct screen screen_start(size_t rows, size_t cols, bool ascii);
void screen_free(struct screen *);
/* A new line, or line `at`, which may not be there yet; NULL where the screen is full or memory ran out. */
struct screen_line *screen_line(struct screen *, size_t at);
size_t screen_left(const struct screen *); /* lines that are still free */

/* Each writes to a line; NULL is fine. What is beyond the screen's width is left out. */
void line_style(struct screen_line *, enum style);
void line_cell(const struct screen *, struct screen_line *, const char *text, size_t width, enum align);
void line_text(const struct screen *, struct screen_line *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void line_to(const struct screen *, struct screen_line *, size_t column); /* blanks up to this column */
/* The text so that it ends at the right margin, where there is room. */
void line_right(const struct screen *, struct screen_line *, const char *text);

#endif
