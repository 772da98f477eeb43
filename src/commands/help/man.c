/* SPDX-License-Identifier: Apache-2.0 */
/*
 * man.c - jumpgate(1) from the rows of the commands; see pages.h.
 */
#include "base/roff.h"
#include "commands/help/help.h"
#include "commands/help/pages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

void command_each(void (*each)(struct buf *, const struct command *parent, const struct command *),
                  struct buf *out)
{
    for (const struct command *row = command_table; row->name; row++) {
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
    (void)buf_printf(out, "\\fBjumpgate\\ %s%s%s\\fR", parent ? parent->name : "", parent ? "\\ " : "",
                     row->name);
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
        roff_fixed(out, "jumpgate ", 9);
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

    (void)snprintf(title, sizeof(title), "jumpgate %s%s%s", parent ? parent->name : "", parent ? " " : "",
                   row->name);
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

static const char description[] =
    "`jumpgate` brokers credentials of BeyondTrust Password Safe for sessions of BeyondTrust Privileged "
    "Remote "
    "Access. `jumpgate run` is the gateway; the other commands prepare it, look at it and end leases. "
    "`status`, "
    "`explain`, `leases`, `top` and `reload` call the running gateway over a socket in its state directory, "
    "so they run as "
    "the "
    "gateway's user or as root.\n\n"
    "`jumpgate COMMAND --help` prints what this page says of one command. No flag takes a secret.";

static const char tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nThe command did what it was asked to.\n"
    ".TP\n1\nIt failed; the reason is on standard error.\n"
    ".TP\n2\nThe command line was wrong.\n"
    ".PP\nA command may have more codes, which its section lists.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBNO_COLOR\\fR\nWhere it is set and not empty, nothing is coloured. Output "
    "is coloured on a terminal only.\n"
    ".TP\n\\fBTERM\\fR\nNothing is coloured where it is \\fBdumb\\fR or missing.\n"
    ".TP\n\\fBCREDENTIALS_DIRECTORY\\fR\nWhere the secrets are that systemd hands over; "
    "see \\fBjumpgate.conf\\fR(5). "
    "Where it is not set, check and doctor of root take those of jumpgate.service.\n"
    ".SH FILES\n"
    ".TP\n\\fI/etc/jumpgate/jumpgate.conf\\fR\nThe configuration that is used without "
    "\\fB\\-c\\fR.\n"
    ".TP\n\\fI/var/lib/jumpgate\\fR\nThe lease store and the audit trail, and the socket "
    "of the commands.\n"
    ".SH SEE ALSO\n\\fBjumpgate.conf\\fR(5), \\fBsystemctl\\fR(1), "
    "\\fBjournalctl\\fR(1)\n";

void command_man(struct buf *out)
{
    (void)buf_str(out, ".TH JUMPGATE 1 \"\" \"jumpgate " JG_VERSION "\" \"User Commands\"\n"
                       ".nh\n.ad l\n"
                       ".SH NAME\n"
                       "jumpgate \\- broker Password Safe credentials for Privileged Remote Access\n"
                       ".SH SYNOPSIS\n"
                       "\\fBjumpgate\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n"
                       ".SH DESCRIPTION\n");
    roff_paragraphs(out, description);
    (void)buf_str(out, ".SH COMMANDS\n");
    command_each(section, out);
    (void)buf_str(out, ".SH OPTIONS\n.TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nPrint the version.\n"
                       ".TP\n\\fB\\-\\-help\\fR\nPrint the commands; behind a command, its help.\n");
    (void)buf_str(out, tail);
}
