/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help_command.c - `help`: the help of a command, and what else its rows give; see command_line.h.
 */
#include "commands/line/command_line.h"
#include "commands/line/help.h"
#include "commands/line/pages.h"

#include <stdio.h>
#include <string.h>

#define PAGE_MAX (4U << 20)

static int print_page(void (*write)(struct buf *))
{
    struct buf out = BUF_INIT(PAGE_MAX);

    write(&out);
    bool failed = out.failed;
    if (!failed)
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    return failed ? command_failed("out of memory") : command_finish_output();
}

static int print_completion(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        return print_page(command_complete_bash);
    return print_page(strcmp(shell, "zsh") == 0 ? command_complete_zsh : command_complete_fish);
}

/* COMMAND [SUB-COMMAND] */
static int print_help(const struct command_args *args)
{
    const struct command *parent = NULL, *command = NULL, *rows = command_program()->commands;

    for (size_t i = 0; i < args->nwords; i++, rows = command->subs) {
        struct did_you_mean near = DID_YOU_MEAN(args->words[i]);

        for (const struct command *row = rows; row && row->name; row++)
            did_you_mean_offer(&near, row->name);
        parent = command;
        command = command_find(rows, args->words[i]);
        if (!command)
            return command_wrong_word("command", args->words[i], &near, NULL, parent);
    }
    if (command)
        help_command(stdout, parent, command);
    else
        help_overview(stdout);
    return command_finish_output();
}

int command_help(const struct command_args *args)
{
    bool man = args_given(args, "--man"), doc = args_given(args, "--doc");
    const char *shell = args_value(args, "--completion");
    int pages = man + doc + (shell != NULL);

    if (pages > 1 || (pages && args->nwords))
        return args_wrong(args, "--man, --doc, --completion and the name of a command exclude each other");
    return man     ? print_page(command_man)
           : doc   ? print_page(command_markdown)
           : shell ? print_completion(shell)
                   : print_help(args);
}
