/*
 * command_table.h - the commands of a program, one row each.
 *
 * The rows are the only place that knows a command's name, flags, operands, examples and exit codes. From
 * them come the command line's rules (command_line.h), the help (help.h), man page and completion (pages.h).
 * Each program has a table of its own, in a struct program: the gateway's is in commands/command_table.c. A
 * new command is a row there and a function.
 *
 * A command with sub-commands (`leases release`) has a row for each of them; its own function is NULL.
 *
 * Invariants (test_command_table holds them): every text is there, a summary begins small and has no full
 * stop, names are unique, `forms` name exactly the flags of the row.
 */
#ifndef JG_COMMANDS_LINE_COMMAND_TABLE_H
#define JG_COMMANDS_LINE_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes that every command may have. */
#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

#define COMMAND_FLAGS_MAX 32 /* of one row */

struct command_args;

enum flag_value {
    FLAG_SWITCH, /* it takes none */
    FLAG_CONF,   /* the configuration: struct command_args `conf`, with its default */
    FLAG_FILE,
    FLAG_TEXT,
    FLAG_ANY_TEXT, /* it may be empty */
};

struct command_flag {
    const char *name; /* "--user"; NULL ends the list */
    enum flag_value takes;
    const char *value;         /* its name in the help: "USER"; NULL for a switch */
    const char *help;          /* one line */
    const char *const *choice; /* the only values there are, ended by NULL; NULL = any */
};

struct command_example {
    const char *line; /* as typed, without the name of the program; NULL ends the list */
    const char *what; /* what it does; NULL = the line says it */
};

struct command_exit {
    int code;
    const char *meaning; /* NULL ends the list */
};

struct command {
    const char *name;            /* one word; NULL ends the list */
    const char *summary;         /* what it does, in a few words */
    const char *about;           /* more, paragraphs parted by an empty line; NULL = nothing more */
    const char *const *forms;    /* what may follow the name, where flags exclude each other; NULL = all flags
                                    and the operands may be given together */
    const char *operands;        /* the words that are no flags: "FILE [FILE...]"; NULL = none */
    enum flag_value operand;     /* FLAG_FILE: they are names of files */
    size_t min_words, max_words; /* how many operands; max_words 0 = none */
    const struct command_flag *flags;
    const struct command_example *examples;
    const struct command_exit *exits;
    const struct command *subs; /* its sub-commands; the first is meant when none is named */
    bool sub_needed;            /* one has to be named */
    int (*run)(const struct command_args *);
};

struct program {
    const char *name;               /* "jumpgate" */
    const char *symbol;             /* the same as the name of a function in a shell's script */
    const char *conf;               /* the configuration that is used without -c */
    const struct command *commands; /* in the order of the help, ended by a row without a name */
    const char *about;              /* what it does: the first line of its help */
    const char *also;               /* a paragraph behind the commands; NULL = none */
    /* Texts of the pages around the commands: name and description of the man page, its end from EXIT STATUS
     * on, and the beginning of the page in Markdown. */
    const char *man_name, *man_about, *man_tail, *doc_intro;
};

/* The program that runs; command_line() sets it, and a test does. */
const struct program *command_program(void);
void command_program_is(const struct program *);

#endif
