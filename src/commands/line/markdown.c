/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markdown.c - a page of Markdown from the rows of the commands (docs/commands.md); see pages.h.
 *
 * The help of each command stands there as it is printed: the page and `--help` cannot differ.
 */
#include "commands/line/help.h"
#include "commands/line/pages.h"

#include <stdio.h>
#include <stdlib.h>

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
    (void)buf_str(out, command_program()->doc_intro);
    add_block(out, "All commands", NULL, NULL);
    command_each(add_row, out);
}
