/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_man.c - the table of a configuration as a man page of section 5.
 *
 * The page is generated when the program is built, so that it has each key of this version.
 */
#include "base/roff.h"
#include "conf/table/conf_table.h"

#include <stdio.h>

static void print_value(struct buf *out, const struct conf_row *row)
{
    struct buf line = BUF_INIT(4096);
    bool has_default = row->fallback && *row->fallback;

    conf_describe(&line, row);
    if (has_default)
        (void)buf_printf(&line, "; default `%s`", row->fallback);
    else if (row->flags & CONF_REQUIRED)
        (void)buf_str(&line, "; required");
    else
        (void)buf_printf(&line, "; without it: %s", row->unset ? row->unset : "empty");
    if (!has_default)
        (void)buf_printf(&line, "; for example `%s`", row->example);
    if (row->flags & CONF_STATIC)
        (void)buf_str(&line, "; changed by a restart only");
    (void)buf_char(&line, '.');
    const char *text = buf_cstr(&line);

    if (text && !line.failed)
        roff_paragraphs(out, text);
    else
        out->failed = true;
    buf_free(&line);
}

static void print_row(struct buf *out, const struct conf_row *row)
{
    (void)buf_str(out, ".TP\n\\fB");
    roff_fixed(out, row->name, strlen(row->name));
    (void)buf_str(out, "\\fR\n");
    roff_paragraphs(out, row->help);
    (void)buf_str(out, ".IP\n");
    print_value(out, row);
}

static void print_section(struct buf *out, const struct conf_table *table, size_t s)
{
    const struct conf_section_info *info = &table->sections[s];
    char title[64];

    (void)snprintf(title, sizeof(title), "[%s%s]", info->name, info->named ? " NAME" : "");
    roff_macro(out, "SH", title);
    roff_paragraphs(out, info->help);
    for (size_t i = 0; i < table->nrows; i++)
        if (table->rows[i].section == s)
            print_row(out, &table->rows[i]);
}

/* "JUMPGATE.CONF" */
static void print_title(struct buf *out, const char *name)
{
    for (; *name; name++)
        (void)buf_char(out, *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name);
}

void conf_table_man(const struct conf_table *table, struct buf *out)
{
    const struct conf_pages *pages = table->pages;

    (void)buf_str(out, ".TH ");
    print_title(out, pages->man_name);
    (void)buf_printf(out,
                     " 5 \"\" \"jumpgate " JG_VERSION "\" \"File Formats\"\n"
                     ".nh\n.ad l\n"
                     ".SH NAME\n%s \\- configuration of %s\n"
                     ".SH SYNOPSIS\n\\fB/etc/jumpgate/%s\\fR\n"
                     ".SH DESCRIPTION\n",
                     pages->man_name, pages->man_program, pages->man_name);
    roff_paragraphs(out, pages->man_intro);
    for (size_t s = 0; s < table->nsections; s++)
        print_section(out, table, s);
    (void)buf_printf(out, ".SH EXAMPLE\nThe smallest useful file:\n.PP\n.RS 4\n.nf\n%s.fi\n.RE\n",
                     pages->man_example);
    (void)buf_printf(out, ".SH SEE ALSO\n%s\n", pages->man_see_also);
}
