/*
 * roff.h - text of any kind as roff, the language of man pages (man(7) macros).
 *
 * A text is written so that a formatter shows exactly its letters: no escape, no control line, no dash or
 * quote of typography. Text between two backquotes is shown bold, without the backquotes.
 */
#ifndef JG_BASE_ROFF_H
#define JG_BASE_ROFF_H

#include "base/buf.h"

/* Within a line: no line end, no blank is changed. Not for the beginning of a line. */
void roff_inline(struct buf *, const char *text, size_t n);
/* The same with blanks at which no line may be broken. */
void roff_fixed(struct buf *, const char *text, size_t n);
/* A paragraph's text: lines of a usual length, broken at blanks, and a line end. An empty line in the text
 * begins a new paragraph. */
void roff_paragraphs(struct buf *, const char *text);
/* The argument of a macro, in quotes, and a line end: `.SH "..."`. */
void roff_macro(struct buf *, const char *macro, const char *argument);

#endif
