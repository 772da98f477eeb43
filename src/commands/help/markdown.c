/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markdown.c - docs/commands.md from the rows of the commands; see pages.h.
 *
 * The help of each command stands there as it is printed: the page and `--help` cannot differ.
 */
#include "commands/help/help.h"
#include "commands/help/pages.h"

#include <stdio.h>
#include <stdlib.h>

static const char intro[] =
    "# Commands\n"
    "\n"
    "This page is the output of `jumpgate help --doc`: it has the help of each command as `jumpgate\n"
    "COMMAND --help` prints it. `jumpgate help --man` prints the same as a man page.\n"
    "\n"
    "- Every command that needs the configuration takes `-c FILE`, and without it\n"
    "  `/etc/jumpgate/jumpgate.conf`.\n"
    "- Exit code 0 is success, 1 a failure whose reason is on standard error, 2 a wrong command line.\n"
    "  What a command has beside them is in its help.\n"
    "- `--json` prints for programs. The text for people may change from version to version, the\n"
    "  members of the JSON stay.\n"
    "- Output is coloured on a terminal only, and not where `NO_COLOR` is set or `TERM` is `dumb`.\n"
    "  Names and errors of other systems are shown with control characters and hidden letters as\n"
    "  `\\u202e`.\n"
    "- No flag takes a secret: every user of the machine can read a command line.\n"
    "\n"
    "Man pages and completion are generated when the program is built, into `man/` and `completion/` of\n"
    "the build folder: `jumpgate help --man`, `jumpgate config --man`, `jumpgate help --completion\n"
    "bash|zsh|fish`. Packages install them. Without a package, in bash: `source <(jumpgate help\n"
    "--completion bash)`.\n";

/* What `print` writes, in a block. */
static void add_block(struct buf *out, const char *heading, const struct command *parent,
                      const struct command *row)
{
    char *text = NULL;
    size_t n = 0;
    FILE *stream = open_memstream(&text, &n);

    if (!stream) {
        out->failed = true;
        return;
    }
    if (row)
        help_command(stream, parent, row);
    else
        help_overview(stream);
    if (fclose(stream))
        out->failed = true;
    else
        (void)buf_printf(out, "\n## %s\n\n```text\n%s```\n", heading, text);
    free(text);
}

static void add_row(struct buf *out, const struct command *parent, const struct command *row)
{
    char heading[80];

    (void)snprintf(heading, sizeof(heading), "%s%s%s", parent ? parent->name : "", parent ? " " : "",
                   row->name);
    add_block(out, heading, parent, row);
}

void command_markdown(struct buf *out)
{
    (void)buf_str(out, intro);
    add_block(out, "All commands", NULL, NULL);
    command_each(add_row, out);
}
