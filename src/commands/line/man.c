/* SPDX-License-Identifier: Apache-2.0 */
/*
 * man.c - the man page of a program from the rows of its commands; see pages.h.
 */
#include "base/roff.h"
#include "commands/line/help.h"
#include "commands/line/pages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_each(void (*each)(struct buf *, const struct command *parent, const struct command *),
                  struct buf *out)
{
    for (const struct command *row = command_program()->commands; row->name; row++) {
        if (!row->subs)
            each(out, NULL, row);
        for (const struct command *sub = row->subs; sub && sub->name; sub++)
            each(out, row, sub);
    }
}

/* The phrase with a capital. */
static void sentence(struct buf *out, const char *phrase, const char *end)
{
    (void)buf_char(out, (char)toupper((unsigned char)*phrase));
    roff_inline(out, phrase + 1, strlen(phrase + 1));
    (void)buf_str(out, end);
}

/* "jumpgate leases list" */
static void bold_name(struct buf *out, const struct command *parent, const struct command *row)
{
    (void)buf_str(out, "\\fB");
    roff_fixed(out, command_program()->name, strlen(command_program()->name));
    (void)buf_printf(out, "\\ %s%s%s\\fR", parent ? parent->name : "", parent ? "\\ " : "", row->name);
}

/* A word of a usage line: a flag is bold, in capitals is the name of a value, brackets are themselves. */
static void usage_word(struct buf *out, const char *word, size_t n)
{
    while (n) {
        size_t mark = strspn(word, "[]{}|."), rest = strcspn(word + mark, "[]{}|. ");
        bool value;

        if (mark > n)
            mark = n;
        if (rest > n - mark)
            rest = n - mark;
        roff_fixed(out, word, mark);
        value = rest && word[mark] >= 'A' && word[mark] <= 'Z';
        if (rest) {
            (void)buf_str(out, value ? "\\fI" : "\\fB");
            roff_fixed(out, word + mark, rest);
            (void)buf_str(out, "\\fR");
        }
        if (!mark && !rest) { /* a blank */
            (void)buf_str(out, "\\ ");
            rest = 1;
        }
        word += mark + rest;
        n -= mark + rest;
    }
}

/* Blanks in brackets do not break a line. */
static void usage_items(struct buf *out, const char *form)
{
    while (*form) {
        size_t n = 0;

        for (int depth = 0; form[n] && (form[n] != ' ' || depth); n++)
            depth += form[n] == '[' || form[n] == '{' ? 1 : form[n] == ']' || form[n] == '}' ? -1 : 0;
        (void)buf_char(out, ' ');
        usage_word(out, form, n);
        form += form[n] ? n + 1 : n;
    }
}

static void usage_line(struct buf *out, const struct command *parent, const struct command *row,
                       const char *form)
{
    (void)buf_str(out, ".HP 4\n");
    bold_name(out, parent, row);
    if (form)
        usage_items(out, form);
    for (const struct command_flag *flag = form ? NULL : row->flags; flag && flag->name; flag++) {
        (void)buf_str(out, " [");
        usage_word(out, flag->name, strlen(flag->name));
        if (flag->value) {
            (void)buf_str(out, "\\ ");
            usage_word(out, flag->value, strlen(flag->value));
        }
        (void)buf_char(out, ']');
    }
    if (!form && row->operands)
        usage_items(out, row->operands);
    (void)buf_char(out, '\n');
}

static void synopsis(struct buf *out, const struct command *parent, const struct command *row)
{
    for (size_t i = 0; i == 0 || (row->forms && row->forms[i]); i++)
        usage_line(out, parent, row, row->forms ? row->forms[i] : NULL);
}

static void flag_item(struct buf *out, const struct command_flag *flag)
{
    (void)buf_str(out, ".TP\n");
    usage_word(out, flag->name, strlen(flag->name));
    if (flag->value) {
        (void)buf_char(out, ' ');
        usage_word(out, flag->value, strlen(flag->value));
    }
    (void)buf_char(out, '\n');
    sentence(out, flag->help, "");
    for (size_t i = 0; flag->choice && flag->choice[i]; i++)
        (void)buf_printf(out, "%s\\fB%s\\fR", i ? ", " : ": ", flag->choice[i]);
    (void)buf_str(out, ".\n");
}

static void examples(struct buf *out, const struct command *row)
{
    for (const struct command_example *e = row->examples; e && e->line; e++) {
        (void)buf_str(out, ".TP\n\\fB");
        roff_fixed(out, command_program()->name, strlen(command_program()->name));
        roff_fixed(out, " ", 1);
        roff_inline(out, e->line, strlen(e->line));
        (void)buf_str(out, "\\fR\n");
        if (e->what) {
            sentence(out, e->what, ".\n");
        } else {
            (void)buf_str(out, "\\&\n");
        }
    }
}

static void section(struct buf *out, const struct command *parent, const struct command *row)
{
    char title[80];

    (void)snprintf(title, sizeof(title), "%s %s%s%s", command_program()->name, parent ? parent->name : "",
                   parent ? " " : "", row->name);
    roff_macro(out, "SS", title);
    sentence(out, row->summary, ".\n");
    synopsis(out, parent, row);
    if (row->about) {
        (void)buf_str(out, ".PP\n");
        roff_paragraphs(out, row->about);
    }
    for (const struct command_flag *flag = row->flags; flag && flag->name; flag++)
        flag_item(out, flag);
    (void)buf_str(out, ".PP\nExit codes:\n");
    for (const struct command_exit *e = row->exits; e && e->meaning; e++) {
        (void)buf_printf(out, ".TP\n%d\n", e->code);
        roff_inline(out, e->meaning, strlen(e->meaning));
        (void)buf_char(out, '\n');
    }
    (void)buf_str(out, ".PP\nExamples:\n");
    examples(out, row);
}

/* "JUMPGATE" */
static void print_title(struct buf *out, const char *name)
{
    for (; *name; name++)
        (void)buf_char(out, (char)toupper((unsigned char)*name));
}

void command_man(struct buf *out)
{
    const struct program *program = command_program();

    (void)buf_str(out, ".TH ");
    print_title(out, program->name);
    (void)buf_str(out, " 1 \"\" \"jumpgate " JG_VERSION "\" \"User Commands\"\n"
                       ".nh\n.ad l\n"
                       ".SH NAME\n");
    (void)buf_str(out, program->man_name);
    (void)buf_str(out, "\n.SH SYNOPSIS\n\\fB");
    roff_fixed(out, program->name, strlen(program->name));
    (void)buf_str(out, "\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n"
                       ".SH DESCRIPTION\n");
    roff_paragraphs(out, program->man_about);
    (void)buf_str(out, ".SH COMMANDS\n");
    command_each(section, out);
    (void)buf_str(out, ".SH OPTIONS\n.TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nPrint the version.\n"
                       ".TP\n\\fB\\-\\-help\\fR\nPrint the commands; behind a command, its help.\n");
    (void)buf_str(out, program->man_tail);
}
