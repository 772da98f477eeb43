/*
 * command_line.h - from argv to one call of a command.
 *
 * The words are compared with the rows of command_table.h: names of commands and sub-commands, flags and
 * their values, the number of operands. What is wrong is said on stderr with the nearest right word, and the
 * exit code is EXIT_USAGE. A flag may stand before or behind the sub-command, and as `--flag VALUE` or
 * `--flag=VALUE`; what follows `--` is no flag.
 *
 * No flag takes a secret: every user of the machine can read a command line.
 */
#ifndef JG_COMMANDS_LINE_COMMAND_LINE_H
#define JG_COMMANDS_LINE_COMMAND_LINE_H

#include "base/buf.h"
#include "base/did_you_mean.h"
#include "commands/line/command_table.h"

#include <stdbool.h>
#include <stddef.h>

struct command_args {
    const struct command *parent, *command; /* parent NULL = it is no sub-command */
    const char *conf;                       /* the configuration; NULL where the row has no FLAG_CONF */
    char **words;                           /* the operands */
    size_t nwords;
    const char *values[COMMAND_FLAGS_MAX]; /* in the order of the row's flags; NULL = not given */
};

/* Runs what the words behind the program's name say. The exit code. `words` end with NULL; they are moved. */
int command_line(const struct program *, char **words);

/* Was the flag given? False for a flag that the row does not have. */
bool args_given(const struct command_args *, const char *flag);
/* Its value; NULL = not given. */
const char *args_value(const struct command_args *, const char *flag);
/* Says that the words do not fit together, and how they would. EXIT_USAGE. */
int args_wrong(const struct command_args *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The row of that name; NULL = there is none. `rows` may be NULL. */
const struct command *command_find(const struct command *rows, const char *name);
/* Says that the word is not known, the nearest one, and whose help says more: that of `of`, or with NULL of
 * the program. EXIT_USAGE. */
int command_wrong_word(const char *what, const char *word, const struct did_you_mean *,
                       const struct command *parent, const struct command *of);

/* What was written to standard output is on its way. EXIT_DONE, or EXIT_FAILED after saying that it is not: a
 * full disk, a closed pipe. */
int command_finish_output(void);
/* `PROGRAM: WHY` on stderr. EXIT_FAILED. */
int command_failed(const char *why);
/* Prints what was written into the buffer as a line, and frees it. EXIT_DONE; EXIT_FAILED after saying that
 * memory was short for it. */
int command_print(struct buf *);

/* `help` of any program: the help of a command, and what else its rows give. */
int command_help(const struct command_args *);

#endif
