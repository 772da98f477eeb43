/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - the help as text; see help.h.
 *
 * Lines are at most WIDTH letters where the words allow it. All texts are the table's own and plain ASCII, so
 * bytes are letters.
 */
#include "commands/line/help.h"

#include <string.h>

#define WIDTH       90
#define FLAG_COLUMN 24 /* where the help of a flag begins */
#define NAME_COLUMN 12 /* where the summary of a command begins */

/* Writes words from column `at` on, and further lines from column `indent`. */
static size_t write_wrapped(FILE *out, const char *text, size_t n, size_t indent, size_t at)
{
    for (const char *end = text + n; text < end;) {
        size_t word = strcspn(text, " ");

        if (word > (size_t)(end - text))
            word = (size_t)(end - text);
        if (at > indent && at + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', out);
            at++;
        }
        (void)fwrite(text, 1, word, out);
        at += word;
        text += word < (size_t)(end - text) ? word + 1 : word;
    }
    return at;
}

/* A term and its text beside it, or below it where it is too long. */
static void write_term(FILE *out, const char *term, size_t column, const char *text)
{
    size_t at = 2 + strlen(term);

    fprintf(out, "  %s", term);
    if (at + 2 > column)
        fprintf(out, "\n%*s", (int)column, "");
    else
        fprintf(out, "%*s", (int)(column - at), "");
    (void)write_wrapped(out, text, strlen(text), column, column);
    fputc('\n', out);
}

static void write_paragraphs(FILE *out, const char *text)
{
    for (const char *end; text; text = end ? end + 2 : NULL) {
        end = strstr(text, "\n\n");
        (void)write_wrapped(out, text, end ? (size_t)(end - text) : strlen(text), 0, 0);
        fputs("\n\n", out);
    }
}

/* ---- usage ---- */

/* Keeps what is in brackets on one line. */
static void write_item(FILE *out, const char *item, size_t n, size_t indent, size_t *at)
{
    if (*at + 1 + n > WIDTH) {
        fprintf(out, "\n%*s", (int)indent, "");
        *at = indent;
    }
    fprintf(out, " %.*s", (int)n, item);
    *at += 1 + n;
}

/* Length of the item: up to a blank outside of brackets. */
static size_t item_length(const char *text)
{
    size_t n = 0;

    for (int depth = 0; text[n] && (text[n] != ' ' || depth); n++)
        depth += text[n] == '[' || text[n] == '{' ? 1 : text[n] == ']' || text[n] == '}' ? -1 : 0;
    return n;
}

static void write_items(FILE *out, const char *items, size_t indent, size_t *at)
{
    while (*items) {
        size_t n = item_length(items);

        write_item(out, items, n, indent, at);
        items += items[n] ? n + 1 : n;
    }
}

static void usage_line(FILE *out, const char *before, const struct command *parent,
                       const struct command *command, const char *form)
{
    int n = fprintf(out, "%s%s %s%s%s", before, command_program()->name, parent ? parent->name : "",
                    parent ? " " : "", command->name);
    size_t at = n < 0 ? 0 : (size_t)n, indent = at;

    if (form) {
        write_items(out, form, indent, &at);
        fputc('\n', out);
        return;
    }
    for (const struct command_flag *flag = command->flags; flag && flag->name; flag++) {
        char item[128];
        int len = snprintf(item, sizeof(item), "[%s%s%s]", flag->name, flag->value ? " " : "",
                           flag->value ? flag->value : "");

        write_item(out, item, len < 0 ? 0 : strlen(item), indent, &at);
    }
    if (command->operands)
        write_items(out, command->operands, indent, &at);
    fputc('\n', out);
}

void help_usage(FILE *out, const struct command *parent, const struct command *command)
{
    const char *before = "usage: ";

    for (const struct command *sub = command->subs; sub && sub->name; sub++, before = "       ")
        for (size_t i = 0; i == 0 || (sub->forms && sub->forms[i]); i++)
            usage_line(out, i ? "       " : before, command, sub, sub->forms ? sub->forms[i] : NULL);
    for (size_t i = 0; !command->subs && (i == 0 || (command->forms && command->forms[i])); i++)
        usage_line(out, i ? "       " : before, parent, command, command->forms ? command->forms[i] : NULL);
}

/* ---- one command ---- */

static void write_flags(FILE *out, const struct command *command)
{
    fputs("options:\n", out);
    for (const struct command_flag *flag = command->flags; flag && flag->name; flag++) {
        char term[128], help[512];
        int n = snprintf(help, sizeof(help), "%s", flag->help);

        (void)snprintf(term, sizeof(term), "%s%s%s", flag->name, flag->value ? " " : "",
                       flag->value ? flag->value : "");
        for (size_t i = 0; flag->choice && flag->choice[i] && n > 0 && (size_t)n < sizeof(help); i++)
            n += snprintf(help + n, sizeof(help) - (size_t)n, "%s%s", i ? ", " : ": ", flag->choice[i]);
        write_term(out, term, FLAG_COLUMN, help);
    }
    write_term(out, "--help", FLAG_COLUMN, "print this text");
}

static void write_examples(FILE *out, const struct command *command)
{
    if (!command->examples)
        return;
    fputs("\nexamples:\n", out);
    for (const struct command_example *e = command->examples; e->line; e++) {
        fprintf(out, "  %s %s\n", command_program()->name, e->line);
        if (e->what) {
            fputs("      ", out);
            (void)write_wrapped(out, e->what, strlen(e->what), 6, 6);
            fputc('\n', out);
        }
    }
}

static void write_exits(FILE *out, const struct command *command)
{
    if (!command->exits)
        return;
    fputs("\nexit codes:\n", out);
    for (const struct command_exit *e = command->exits; e->meaning; e++) {
        char code[16];

        (void)snprintf(code, sizeof(code), "%d", e->code);
        write_term(out, code, 8, e->meaning);
    }
}

void help_command(FILE *out, const struct command *parent, const struct command *command)
{
    fprintf(out, "%s %s%s%s - %s\n\n", command_program()->name, parent ? parent->name : "", parent ? " " : "",
            command->name, command->summary);
    help_usage(out, parent, command);
    fputc('\n', out);
    if (command->about)
        write_paragraphs(out, command->about);
    if (command->subs) {
        fputs("commands:\n", out);
        for (const struct command *sub = command->subs; sub->name; sub++)
            write_term(out, sub->name, NAME_COLUMN, sub->summary);
        fprintf(out, "\n`%s %s COMMAND --help` has the options, examples and exit codes of one.\n",
                command_program()->name, command->name);
        return;
    }
    write_flags(out, command);
    write_examples(out, command);
    write_exits(out, command);
}

void help_overview(FILE *out)
{
    const struct program *program = command_program();

    fprintf(out, "%s\n\nusage: %s COMMAND [OPTION...]\n\ncommands:\n", program->about, program->name);
    for (const struct command *row = program->commands; row->name; row++)
        write_term(out, row->name, NAME_COLUMN, row->summary);
    fprintf(out,
            "\n  -V, --version  print the version\n"
            "  --help         print this text\n\n"
            "`%s COMMAND --help` has the options, examples and exit codes of one.\n",
            program->name);
    if (program->also) {
        fputc('\n', out);
        (void)write_wrapped(out, program->also, strlen(program->also), 0, 0);
        fputc('\n', out);
    }
}
