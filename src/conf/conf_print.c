/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_print.c - prints the table of the configuration: an annotated file, and a page of Markdown.
 *
 * Both are generated, so that a changed row changes them: conf/jumpgate.conf is the output of
 * conf_print_defaults(), docs/configuration.md that of conf_print_doc(), and tests compare them byte for
 * byte. In the annotated file every key is commented out: an operator's file then shows the operator's
 * decisions alone, and a later version may improve a default. A key without default has an example.
 */
#include "conf/conf_table.h"

#include <inttypes.h>
#include <string.h>

#define COMMENT_WIDTH 98 /* letters after "# " */

static const char file_intro[] =
    "# jumpgate.conf - configuration of jumpgate\n"
    "#\n"
    "# This file is the output of `jumpgate config --defaults`. Every key is commented out, with its\n"
    "# default or, where it has none, with an example. To change one, remove the # before it. At least\n"
    "# one [listener NAME], one [client NAME] and one [vault NAME] section are needed; remove the #\n"
    "# before those headers too. `jumpgate check -c FILE` names all mistakes at once.\n"
    "#\n"
    "# A # or ; at the start of a line or after a blank begins a comment. Durations need a unit: 500ms\n"
    "# 10s 15m 2h. Sizes are in bytes, or 64k 16M 1G. Lists are separated by blanks. Secrets are never\n"
    "# written in this file: keys that end in _file name the file that holds one. Such a name may begin\n"
    "# with $CREDENTIALS_DIRECTORY/, where systemd puts what LoadCredential= names.\n";

static const char doc_intro[] =
    "# Configuration\n"
    "\n"
    "This page is the output of `jumpgate config --doc`; `jumpgate config --defaults` prints the same\n"
    "keys as an annotated file to start from (`conf/jumpgate.conf`). `jumpgate check -c FILE` names all\n"
    "mistakes of a file at once, each with its line, and exits 0 when there is none.\n"
    "\n"
    "## The file\n"
    "\n"
    "An INI file: `[section]` headers, then lines `key = value`. Sections `listener`, `client`, `vault`\n"
    "and `pra` have a name of 1 to 63 letters of `A-Z a-z 0-9 . _ -`. The first three may occur any number\n"
    "of times, and at least one of each is needed; `pra` occurs at most once. A `#` or `;` at the start of\n"
    "a line or after a blank begins a comment. A value ends with its line, indentation means nothing, and\n"
    "quotes are letters like any other, but in `jumpoints`. Unknown sections and keys, and keys or\n"
    "sections that occur twice, are mistakes.\n"
    "\n"
    "- Durations need a unit: `500ms`, `10s`, `15m`, `2h`.\n"
    "- Sizes are in bytes, or in units of 1024: `64k`, `16M`, `1G`.\n"
    "- Lists are separated by blanks.\n"
    "- Switches are `yes` or `no` (`true`, `false`, `on`, `off` as well).\n"
    "- Secrets are never written in the file. Keys that end in `_file` (and `tls_key`, `client_key`) name\n"
    "  a file that holds one; only its owner should be able to read it. Such a name may begin with\n"
    "  `$CREDENTIALS_DIRECTORY/` (or `${CREDENTIALS_DIRECTORY}/`, or `%d/`), where systemd puts what the\n"
    "  unit's `LoadCredential=` names.\n"
    "- SIGHUP (`systemctl reload jumpgate`) reads the file again, and the files it names: all of it is\n"
    "  taken, or, when there is a mistake, nothing. What only a restart can change says so below;\n"
    "  sections of listeners, vaults and the site can come and go with a restart only. See\n"
    "  `docs/reload.md`.\n"
    "\n"
    "The smallest useful file:\n"
    "\n"
    "```ini\n"
    "[listener main]\n"
    "address = 127.0.0.1:8443\n"
    "\n"
    "[client pra]\n"
    "token_sha256 = 4f1d...64 hexadecimal digits\n"
    "allow = broker\n"
    "\n"
    "[vault main]\n"
    "url = https://vault.example.com/BeyondTrust/api/public/v3\n"
    "api_key_file = $CREDENTIALS_DIRECTORY/api-key\n"
    "run_as = {domain}\\{username}\n"
    "```\n";

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
    if (row->type == &conf_choice || row->type == &conf_word)
        (void)buf_printf(out, "one of: %s", row->choices);
    else if (row->type == &conf_permissions || row->type == &conf_forms)
        (void)buf_printf(out, "list of: %s", row->choices);
    else if (row->type == &conf_templates)
        (void)buf_printf(out, "at most %" PRIu64 " templates", row->max);
    else if (row->type == &conf_words || row->type == &conf_pairs)
        (void)buf_printf(out, "at most %" PRIu64 " %s", row->max,
                         row->type == &conf_words ? "words" : "pairs");
    else if (row->type == &conf_networks || row->type == &conf_jumpoints || row->type == &conf_digests)
        (void)buf_printf(out, "at most %" PRIu64 " %s", row->max, row->type->what);
    else if (row->type == &conf_file && row->flags & CONF_SECRET)
        (void)buf_str(out, "file with a secret");
    else
        (void)buf_str(out, row->type->what);
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

void conf_print_defaults(struct buf *out)
{
    (void)buf_str(out, file_intro);
    for (int s = 0; s < SECTION_N; s++) {
        const struct conf_section_info *info = &conf_sections[s];
        (void)buf_str(out, "\n\n");
        print_comment(out, info->help);
        if (info->named)
            (void)buf_printf(out, "#[%s %s]\n", info->name, info->example);
        else
            (void)buf_printf(out, "[%s]\n", info->name);
        for (size_t i = 0; i < conf_nrows; i++) {
            const struct conf_row *row = &conf_rows[i];
            if ((int)row->section != s)
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

void conf_print_doc(struct buf *out)
{
    (void)buf_str(out, doc_intro);
    for (int s = 0; s < SECTION_N; s++) {
        const struct conf_section_info *info = &conf_sections[s];
        (void)buf_printf(out, "\n## `[%s%s]`\n\n%s\n\n", info->name, info->named ? " NAME" : "", info->help);
        (void)buf_str(out, "| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
        for (size_t i = 0; i < conf_nrows; i++)
            if ((int)conf_rows[i].section == s)
                print_doc_row(out, &conf_rows[i]);
    }
}
