/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_man.c - the table of the configuration as a man page: jumpgate.conf(5).
 *
 * The page is generated when the program is built, so that it has each key of this version.
 */
#include "base/roff.h"
#include "conf/conf_table.h"

#include <stdio.h>

static const char intro[] =
    "The configuration of `jumpgate`, by default `/etc/jumpgate/jumpgate.conf`. It is an INI file: "
    "`[section]` "
    "headers, then lines `key = value`. The sections `listener`, `client`, `vault` and `pra` have a name. At "
    "least one of each of the first three is needed; `pra` occurs at most once. A # or ; at the start of a "
    "line or after a blank begins a comment. Unknown sections and keys, and those that occur twice, are "
    "mistakes; `jumpgate check` names all of them with their lines.\n\n"
    "Durations need a unit: 500ms, 10s, 15m, 2h. Sizes are in bytes, or in units of 1024: 64k, 16M, 1G. "
    "Lists "
    "are separated by blanks. Switches are yes or no.\n\n"
    "Secrets are never written in the file. Keys that end in `_file` (and `tls_key`, `client_key`) name a "
    "file "
    "that holds one. Such a name may begin with `$CREDENTIALS_DIRECTORY/`, where systemd puts what the "
    "unit's "
    "`LoadCredential=` names.\n\n"
    "SIGHUP makes the gateway read the file again: all of it is taken, or, where there is a mistake, "
    "nothing. "
    "What only a restart can change says so.";

static const char example[] = "[listener main]\n"
                              "address = 127.0.0.1:8443\n"
                              "\n"
                              "[client pra]\n"
                              "token_sha256 = 4f1d...64 hexadecimal digits\n"
                              "allow = broker\n"
                              "\n"
                              "[vault main]\n"
                              "url = https://vault.example.com/BeyondTrust/api/public/v3\n"
                              "api_key_file = /etc/jumpgate/secrets/api\\-key\n";

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

static void print_section(struct buf *out, int s)
{
    const struct conf_section_info *info = &conf_sections[s];
    char title[64];

    (void)snprintf(title, sizeof(title), "[%s%s]", info->name, info->named ? " NAME" : "");
    roff_macro(out, "SH", title);
    roff_paragraphs(out, info->help);
    for (size_t i = 0; i < conf_nrows; i++)
        if ((int)conf_rows[i].section == s)
            print_row(out, &conf_rows[i]);
}

void conf_print_man(struct buf *out)
{
    (void)buf_str(out, ".TH JUMPGATE.CONF 5 \"\" \"jumpgate " JG_VERSION "\" \"File Formats\"\n"
                       ".nh\n.ad l\n"
                       ".SH NAME\njumpgate.conf \\- configuration of jumpgate\n"
                       ".SH SYNOPSIS\n\\fB/etc/jumpgate/jumpgate.conf\\fR\n"
                       ".SH DESCRIPTION\n");
    roff_paragraphs(out, intro);
    for (int s = 0; s < SECTION_N; s++)
        print_section(out, s);
    (void)buf_printf(out, ".SH EXAMPLE\nThe smallest useful file:\n.PP\n.RS 4\n.nf\n%s.fi\n.RE\n", example);
    (void)buf_str(out, ".SH SEE ALSO\n\\fBjumpgate\\fR(1), \\fBsystemd.exec\\fR(5)\n");
}
