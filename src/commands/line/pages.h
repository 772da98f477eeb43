/*
 * pages.h - what the rows of command_table.h give beside the help: a man page, a page of Markdown,
 * and completion for three shells. Each is generated, so that it has each command and flag of this version.
 */
#ifndef JG_COMMANDS_LINE_PAGES_H
#define JG_COMMANDS_LINE_PAGES_H

#include "base/buf.h"
#include "commands/line/command_table.h"

void command_man(struct buf *);      /* jumpgate(1), …: of the program that runs, like the others */
void command_markdown(struct buf *); /* docs/commands.md */
void command_complete_bash(struct buf *);
void command_complete_zsh(struct buf *);
void command_complete_fish(struct buf *);

/* Calls `each` for every row without sub-commands; `parent` NULL = it is a command itself. */
void command_each(void (*each)(struct buf *, const struct command *parent, const struct command *),
                  struct buf *);

#endif
