/*
 * terminal.h - what a command does differently where a person looks at its output: colours, a question.
 *
 * Colours are written only to a terminal, and not where NO_COLOR is set or TERM is dumb or missing. They
 * never carry a meaning alone: the words say the same.
 *
 * Texts of other systems (names, errors, session ids) never reach a terminal as they are, since it would obey
 * the escape sequences in them and reorder what a bidirectional mark is in: terminal_text() and
 * terminal_style() write hidden letters visibly (utf8_visible()). To a file or a pipe the same is written.
 */
#ifndef JG_COMMANDS_LINE_TERMINAL_H
#define JG_COMMANDS_LINE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

enum terminal_style {
    STYLE_PLAIN,
    STYLE_TITLE, /* bold */
    STYLE_GOOD,  /* green */
    STYLE_WARN,  /* yellow */
    STYLE_BAD,   /* red */
    STYLE_DIM,
};

bool terminal_is(FILE *);
/* Columns of the terminal; 0 = it is none, or does not say. */
unsigned terminal_width(FILE *);
/* May colours be written there? Asked once for each stream by those that write many of them. */
bool terminal_colours(FILE *);
/* The sequence that turns the style on, or with STYLE_PLAIN off; "" without colours. */
const char *terminal_code(bool colours, enum terminal_style);

/* Writes a text of any origin, hidden letters visibly. */
void terminal_text(FILE *, const char *text);
/* The same in a style. */
void terminal_styled(FILE *, enum terminal_style, const char *text);

/* Asks on the terminal of standard input and error; only y or yes is a yes. False without asking where one of
 * the two is no terminal. */
bool terminal_can_ask(void);
bool terminal_ask(const char *question);

#endif
