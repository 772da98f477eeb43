/*
 * help.h - the help that the rows of command_table.h give.
 */
#ifndef JG_COMMANDS_LINE_HELP_H
#define JG_COMMANDS_LINE_HELP_H

#include "commands/line/command_table.h"

#include <stdio.h>

/* All commands. */
void help_overview(FILE *);
/* One command: usage, what it does, flags, examples, exit codes. `parent` NULL = it is no sub-command. */
void help_command(FILE *, const struct command *parent, const struct command *);
/* The usage lines alone. */
void help_usage(FILE *, const struct command *parent, const struct command *);

#endif
