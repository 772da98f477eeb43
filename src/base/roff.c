/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roff.c - text as roff; see roff.h.
 */
#include "base/roff.h"

#define LINE_LETTERS  78
#define WORD_LETTERS  56
#define PIECE_LETTERS 32

/* Letters that roff gives a meaning or shows as another letter. */
static const char *escape_of(char letter)
{
    switch (letter) {
    case '\\': return "\\(rs";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '"': return "\\(dq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    default: return NULL;
    }
}

static void write_letters(struct buf *out, const char *text, size_t n, bool fixed, bool *bold)
{
    for (size_t i = 0; i < n; i++) {
        const char *escape = escape_of(text[i]);

        if (text[i] == '`' && bold) {
            *bold = !*bold;
            (void)buf_str(out, *bold ? "\\fB" : "\\fR");
        } else if (text[i] == ' ' && fixed) {
            (void)buf_str(out, "\\ ");
        } else if (escape) {
            (void)buf_str(out, escape);
        } else {
            (void)buf_char(out, text[i]);
        }
    }
}

/* A word that could be longer than a line of an indented paragraph may be broken. */
static void write_word(struct buf *out, const char *text, size_t n, bool *bold)
{
    for (size_t at = 0, piece; at < n; at += piece) {
        piece = n <= WORD_LETTERS || n - at <= PIECE_LETTERS ? n - at : PIECE_LETTERS;
        write_letters(out, text + at, piece, false, bold);
        if (at + piece < n)
            (void)buf_str(out, "\\:");
    }
}

void roff_inline(struct buf *out, const char *text, size_t n)
{
    bool bold = false;

    write_letters(out, text, n, false, &bold);
    if (bold)
        (void)buf_str(out, "\\fR");
}

void roff_fixed(struct buf *out, const char *text, size_t n)
{
    write_letters(out, text, n, true, NULL);
}

void roff_macro(struct buf *out, const char *macro, const char *argument)
{
    (void)buf_printf(out, ".%s \"", macro);
    write_letters(out, argument, strlen(argument), false, NULL);
    (void)buf_str(out, "\"\n");
}

void roff_paragraphs(struct buf *out, const char *text)
{
    size_t column = 0;
    bool bold = false;

    while (*text) {
        size_t word = strcspn(text, " \n");

        if (column + 1 + word > LINE_LETTERS) {
            (void)buf_char(out, '\n');
            column = 0;
        }
        if (column)
            (void)buf_char(out, ' ');
        else if (*text == '.') /* a quote there is escaped anyway */
            (void)buf_str(out, "\\&");
        write_word(out, text, word, &bold);
        column += word + 1;
        text += word;
        if (strncmp(text, "\n\n", 2) == 0) {
            (void)buf_str(out, "\n.PP\n");
            column = 0;
        }
        text += strspn(text, " \n");
    }
    (void)buf_str(out, bold ? "\\fR\n" : "\n");
}
