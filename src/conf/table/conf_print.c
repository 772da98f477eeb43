/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_print.c - prints the table of a configuration: an annotated file, and a page of Markdown.
 *
 * Both are generated, so that a changed row changes them: conf/jumpgate.conf and docs/configuration.md are
 * such output for the gateway, and tests compare them byte for byte. In the annotated file every key is
 * commented out: an operator's file then shows the operator's decisions alone, and a later version may
 * improve a default. A key without default has an example.
 */
#include "conf/table/conf_table.h"

#include <inttypes.h>
#include <string.h>

#define COMMENT_WIDTH 98 /* letters after "# " */

/* Text as comment lines of at most COMMENT_WIDTH letters, broken at blanks. */
static void print_comment(struct buf *out, const char *text)
{
    size_t column = 0;
    const char *word;
    size_t len;

    while ((word = conf_next_word(&text, &len))) {
        if (column && column + 1 + len > COMMENT_WIDTH) {
            (void)buf_char(out, '\n');
            column = 0;
        }
        (void)buf_str(out, column ? " " : "# ");
        (void)buf_append(out, word, len);
        column += column ? len + 1 : len;
    }
    (void)buf_char(out, '\n');
}

void conf_describe(struct buf *out, const struct conf_row *row)
{
    switch (row->type->shape) {
    case SHAPE_ONE_OF: (void)buf_printf(out, "one of: %s", row->choices); break;
    case SHAPE_LIST_OF: (void)buf_printf(out, "list of: %s", row->choices); break;
    case SHAPE_AT_MOST: (void)buf_printf(out, "at most %" PRIu64 " %s", row->max, row->type->what); break;
    case SHAPE_RATE: (void)buf_printf(out, "%s, at most %" PRIu64 "/s", row->type->what, row->max); break;
    default:
        (void)buf_str(out, row->type == &conf_file && row->flags & CONF_SECRET ? "file with a secret"
                                                                               : row->type->what);
    }
    if (!row->type->units)
        return;
    (void)buf_str(out, " from ");
    conf_number_print(row->type, row->min, out);
    (void)buf_str(out, " to ");
    conf_number_print(row->type, row->max, out);
}

static bool has_default(const struct conf_row *row)
{
    return row->fallback && *row->fallback;
}

/* ---- the annotated file ---- */

static void print_traits(struct buf *out, const struct conf_row *row)
{
    struct buf line = BUF_INIT(2048);

    conf_describe(&line, row);
    if (has_default(row))
        (void)buf_printf(&line, "; default %s", row->fallback);
    else if (row->flags & CONF_REQUIRED)
        (void)buf_str(&line, "; required");
    else
        (void)buf_printf(&line, "; without it: %s", row->unset ? row->unset : "empty");
    if (row->flags & CONF_STATIC)
        (void)buf_str(&line, "; changed by a restart only");
    if (!has_default(row))
        (void)buf_str(&line, "; for example:");
    if (line.failed || !buf_cstr(&line))
        out->failed = true;
    else
        print_comment(out, line.data);
    buf_free(&line);
}

void conf_table_defaults(const struct conf_table *table, struct buf *out)
{
    (void)buf_str(out, table->pages->file_intro);
    for (size_t s = 0; s < table->nsections; s++) {
        const struct conf_section_info *info = &table->sections[s];
        (void)buf_str(out, "\n\n");
        print_comment(out, info->help);
        if (info->named)
            (void)buf_printf(out, "#[%s %s]\n", info->name, info->example);
        else
            (void)buf_printf(out, "[%s]\n", info->name);
        for (size_t i = 0; i < table->nrows; i++) {
            const struct conf_row *row = &table->rows[i];
            if (row->section != s)
                continue;
            (void)buf_char(out, '\n');
            print_comment(out, row->help);
            print_traits(out, row);
            (void)buf_printf(out, "#%s = %s\n", row->name, has_default(row) ? row->fallback : row->example);
        }
    }
}

/* ---- the page ---- */

/* A table cell: letters with a meaning in Markdown are escaped. */
static void print_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|<>*", *text))
            (void)buf_char(out, '\\');
        (void)buf_char(out, *text);
    }
}

static void print_doc_row(struct buf *out, const struct conf_row *row)
{
    (void)buf_printf(out, "| `%s` | ", row->name);
    conf_describe(out, row);
    if (has_default(row))
        (void)buf_printf(out, " | `%s` | ", row->fallback);
    else if (row->flags & CONF_REQUIRED)
        (void)buf_str(out, " | *required* | ");
    else
        (void)buf_printf(out, " | %s | ", row->unset ? row->unset : "empty");
    print_cell(out, row->help);
    if (row->flags & CONF_STATIC)
        (void)buf_str(out, " Changed by a restart only.");
    if (!has_default(row))
        (void)buf_printf(out, " Example: `%s`.", row->example);
    (void)buf_str(out, " |\n");
}

void conf_table_doc(const struct conf_table *table, struct buf *out)
{
    (void)buf_str(out, table->pages->doc_intro);
    for (size_t s = 0; s < table->nsections; s++) {
        const struct conf_section_info *info = &table->sections[s];
        (void)buf_printf(out, "\n## `[%s%s]`\n\n%s\n\n", info->name, info->named ? " NAME" : "", info->help);
        (void)buf_str(out, "| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
        for (size_t i = 0; i < table->nrows; i++)
            if (table->rows[i].section == s)
                print_doc_row(out, &table->rows[i]);
    }
}
