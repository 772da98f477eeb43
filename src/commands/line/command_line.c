/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_line.c - from argv to one call of a command; see command_line.h.
 *
 * Two passes over the words: the first finds the sub-command and a `--help`, for which it needs to know which
 * flags of all sub-commands have a value; the second takes flags and operands by the row that was found. The
 * operands are moved to the front of the words themselves, so there is no limit to their number.
 */
#include "commands/line/command_line.h"

#include "base/did_you_mean.h"
#include "commands/line/help.h"
#include "commands/line/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HINT_SIZE 80
#define WRONG_MAX (1U << 16)

int command_failed(const char *why)
{
    fprintf(stderr, "%s: ", command_program()->name);
    terminal_text(stderr, why);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int command_print(struct buf *out)
{
    int code = out->failed ? command_failed("out of memory") : EXIT_DONE;

    if (code == EXIT_DONE)
        printf("%.*s\n", (int)out->len, out->data);
    buf_free(out);
    return code;
}

int command_finish_output(void)
{
    return fflush(stdout) || ferror(stdout) ? command_failed("cannot write to standard output") : EXIT_DONE;
}

/* ---- what is wrong ---- */

/* "check", "leases release" */
static void write_name(FILE *out, const struct command *parent, const struct command *command)
{
    if (parent)
        fprintf(out, "%s ", parent->name);
    fputs(command->name, out);
}

int command_wrong_word(const char *what, const char *word, const struct did_you_mean *near,
                       const struct command *parent, const struct command *of)
{
    char hint[HINT_SIZE];

    fprintf(stderr, "%s: unknown %s `", command_program()->name, what);
    terminal_text(stderr, word);
    fprintf(stderr, "`%s\ntry: %s ", did_you_mean_hint(near, hint, sizeof(hint)), command_program()->name);
    if (of) {
        write_name(stderr, parent, of);
        fputc(' ', stderr);
    }
    fputs("--help\n", stderr);
    return EXIT_USAGE;
}

int args_wrong(const struct command_args *args, const char *fmt, ...)
{
    struct buf text = BUF_INIT(WRONG_MAX);
    va_list ap;

    va_start(ap, fmt);
    (void)buf_vprintf(&text, fmt, ap);
    va_end(ap);
    const char *why = buf_cstr(&text);

    fprintf(stderr, "%s: ", command_program()->name);
    terminal_text(stderr, why && !text.failed ? why : "the words do not fit together");
    fputc('\n', stderr);
    buf_free(&text);
    help_usage(stderr, args->parent, args->command);
    return EXIT_USAGE;
}

/* ---- rows ---- */

const struct command *command_find(const struct command *rows, const char *name)
{
    for (; rows && rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

/* Is the word this flag, alone or as --flag=VALUE? */
static bool is_flag(const struct command_flag *flag, const char *word)
{
    size_t n = strlen(flag->name);

    return strncmp(word, flag->name, n) == 0 &&
           (!word[n] || (word[n] == '=' && flag->takes != FLAG_SWITCH && flag->name[1] == '-'));
}

static const struct command_flag *find_flag(const struct command *command, const char *word)
{
    for (const struct command_flag *flag = command->flags; flag && flag->name; flag++)
        if (is_flag(flag, word))
            return flag;
    return NULL;
}

static const char *value_of(const struct command_args *args, const char *flag)
{
    for (size_t i = 0; args->command->flags && args->command->flags[i].name; i++)
        if (strcmp(args->command->flags[i].name, flag) == 0)
            return args->values[i];
    return NULL;
}

bool args_given(const struct command_args *args, const char *flag)
{
    return value_of(args, flag);
}

const char *args_value(const struct command_args *args, const char *flag)
{
    return value_of(args, flag);
}

/* ---- the first pass ---- */

/* Has the word a value behind it, by the row or by one of its sub-commands? */
static bool value_follows(const struct command *command, const char *word)
{
    const struct command_flag *flag = find_flag(command, word);

    for (const struct command *sub = command->subs; !flag && sub && sub->name; sub++)
        flag = find_flag(sub, word);
    return flag && flag->takes != FLAG_SWITCH && strcmp(word, flag->name) == 0;
}

/* The first word that is neither flag nor value; *help says whether one of the words asks for help. */
static char **first_word(const struct command *command, char **words, bool *help)
{
    char **first = NULL;

    for (; *words && strcmp(*words, "--") != 0; words++) {
        if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0)
            *help = true;
        else if (value_follows(command, *words))
            words += words[1] ? 1 : 0;
        else if (**words != '-' && !first)
            first = words;
    }
    return first;
}

static void remove_word(char **word)
{
    for (; *word; word++)
        word[0] = word[1];
}

static int unknown_sub(const struct command *command, const char *word)
{
    struct did_you_mean near = DID_YOU_MEAN(word);

    for (const struct command *sub = command->subs; sub->name; sub++)
        did_you_mean_offer(&near, sub->name);
    return command_wrong_word("command", word, &near, NULL, command);
}

/* ---- the second pass ---- */

static int unknown_word(const struct command_args *args, const char *word)
{
    struct did_you_mean near = DID_YOU_MEAN(word);
    const struct command *command = args->command;

    for (const struct command_flag *flag = command->flags; flag && flag->name; flag++)
        did_you_mean_offer(&near, flag->name);
    did_you_mean_offer(&near, "--help");
    for (const struct command *sub = args->parent ? args->parent->subs : NULL; sub && sub->name; sub++)
        if (find_flag(sub, word))
            return args_wrong(args, "%s goes with `%s %s`", word, args->parent->name, sub->name);
    return command_wrong_word(word[0] == '-' ? "flag" : "argument", word, &near, args->parent, command);
}

static const char *value_kind(const struct command_flag *flag)
{
    return flag->takes == FLAG_TEXT || flag->takes == FLAG_ANY_TEXT ? "a value: " : "the name of a file: ";
}

static int check_choice(const struct command_args *args, const struct command_flag *flag, const char *value)
{
    struct did_you_mean near = DID_YOU_MEAN(value);
    char hint[HINT_SIZE];

    for (size_t i = 0; flag->choice && flag->choice[i]; i++) {
        if (strcmp(flag->choice[i], value) == 0)
            return EXIT_DONE;
        did_you_mean_offer(&near, flag->choice[i]);
    }
    if (!flag->choice)
        return EXIT_DONE;
    return args_wrong(args, "%s cannot be `%s`%s", flag->name, value,
                      did_you_mean_hint(&near, hint, sizeof(hint)));
}

/* Takes the flag at *words and, where it has one, its value. 0 or the exit code. */
static int take_flag(struct command_args *args, const struct command_flag *flag, char ***words)
{
    const char **member = &args->values[flag - args->command->flags];
    const char *given = **words + strlen(flag->name);

    if (flag->takes == FLAG_SWITCH) {
        *member = "";
        return EXIT_DONE;
    }
    if (!*given && !(*words)[1])
        return args_wrong(args, "%s needs %s%s", flag->name, value_kind(flag), flag->value);
    if (*member)
        return args_wrong(args, "%s is given twice", flag->name);
    *member = *given ? given + 1 : *++*words;
    if (!**member && flag->takes != FLAG_ANY_TEXT)
        return args_wrong(args, "%s is empty", flag->name);
    return check_choice(args, flag, *member);
}

static int take_words(struct command_args *args, char **words)
{
    bool only_operands = false;
    int code = EXIT_DONE;

    args->words = words;
    for (char **next = words; *next && !code; next++) {
        const struct command_flag *flag = only_operands ? NULL : find_flag(args->command, *next);

        if (flag)
            code = take_flag(args, flag, &next);
        else if (!only_operands && strcmp(*next, "--") == 0)
            only_operands = true;
        else if ((**next == '-' && (*next)[1] && !only_operands) || args->nwords == args->command->max_words)
            code = unknown_word(args, *next);
        else if (!**next)
            code = args_wrong(args, "an argument is empty");
        else
            words[args->nwords++] = *next;
    }
    return code;
}

/* -c, or its default. A file that is there and cannot be read is the configuration's matter. */
static int find_conf(struct command_args *args)
{
    for (size_t i = 0; args->command->flags && args->command->flags[i].name; i++) {
        if (args->command->flags[i].takes != FLAG_CONF)
            continue;
        args->conf = args->values[i] ? args->values[i] : command_program()->conf;
        if (!args->values[i] && access(args->conf, F_OK) && errno == ENOENT)
            return args_wrong(args, "-c FILE is missing, and there is no %s", command_program()->conf);
    }
    return EXIT_DONE;
}

static int run_row(struct command_args *args, char **words)
{
    int code = take_words(args, words);

    if (!code && args->nwords < args->command->min_words)
        code = args_wrong(args, "%s is missing", args->command->operands);
    if (!code)
        code = find_conf(args);
    return code ? code : args->command->run(args);
}

static int run_command(const struct command *command, char **words)
{
    struct command_args args = {.command = command};
    bool help = false;
    char **word = first_word(command, words, &help);

    if (command->subs) {
        const struct command *sub = word ? command_find(command->subs, *word) : NULL;

        if (help && !sub) {
            help_command(stdout, NULL, command);
            return command_finish_output();
        }
        if (word && !sub)
            return unknown_sub(command, *word);
        args.parent = command;
        args.command = sub ? sub : command->subs;
        if (!sub && command->sub_needed)
            return args_wrong(&args, "%s needs `%s`", command->name, command->subs->name);
        if (sub)
            remove_word(word);
    }
    if (help) {
        help_command(stdout, args.parent, args.command);
        return command_finish_output();
    }
    return run_row(&args, words);
}

/* ---- the program ---- */

static int unknown_command(const char *word)
{
    struct did_you_mean near = DID_YOU_MEAN(word);

    for (const struct command *row = command_program()->commands; row->name; row++)
        did_you_mean_offer(&near, row->name);
    did_you_mean_offer(&near, "--version");
    did_you_mean_offer(&near, "--help");
    return command_wrong_word(word[0] == '-' ? "flag" : "command", word, &near, NULL, NULL);
}

int command_line(const struct program *is, char **words)
{
    const struct command *command = *words ? command_find(is->commands, *words) : NULL;

    command_program_is(is);
    if (!*words) {
        help_overview(stderr);
        return EXIT_USAGE;
    }
    if (command)
        return run_command(command, words + 1);
    if (strcmp(*words, "--help") == 0 || strcmp(*words, "-h") == 0) {
        help_overview(stdout);
        return command_finish_output();
    }
    if (strcmp(*words, "--version") == 0 || strcmp(*words, "-V") == 0) {
        printf("%s " JG_VERSION "\n", command_program()->name);
        return command_finish_output();
    }
    return unknown_command(*words);
}
