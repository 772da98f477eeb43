/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_pages.c - the texts around the rows of the configuration of session reports: the annotated file
 * (conf/reports.conf), the page (docs/reports-configuration.md), the man page.
 *
 * Not here: the rows (reports_rows.c), the printers (conf/table).
 */
#include "reports/conf/reports_sections.h"

static const char file_intro[] =
    "# reports.conf - configuration of jumpgate-reports\n"
    "#\n"
    "# This file is the output of `jumpgate-reports config --defaults`. Every key is commented out, with\n"
    "# its default or, where it has none, with an example. To change one, remove the # before it. One\n"
    "# [pra NAME] section for each site is needed, and [web] for the page; remove the # before those\n"
    "# headers too. `jumpgate-reports check -c FILE` names all mistakes at once.\n"
    "#\n"
    "# A # or ; at the start of a line or after a blank begins a comment. Durations need a unit: 500ms\n"
    "# 10s 15m 2h 30d. Sizes are in bytes, or 64k 16M 1G. Lists are separated by blanks. Secrets are\n"
    "# never written in this file: keys that end in _file name the file that holds one. Such a name may\n"
    "# begin with $CREDENTIALS_DIRECTORY/, where systemd puts what LoadCredential= names.\n";

static const char doc_intro[] =
    "# Configuration of session reports\n"
    "\n"
    "This page is the output of `jumpgate-reports config --doc`; `jumpgate-reports config --defaults`\n"
    "prints the same keys as an annotated file to start from (`conf/reports.conf`). `jumpgate-reports\n"
    "check -c FILE` names all mistakes of a file at once, each with its line; with `--connect` it also\n"
    "asks each site and the database.\n"
    "\n"
    "## The file\n"
    "\n"
    "`/etc/jumpgate/reports.conf` is an INI file in the form of the gateway's\n"
    "([configuration.md](configuration.md)), and another one: each program refuses sections that only\n"
    "the other has. Sections `pra`, `gateway`, `user` and `reader` have a name of 1 to 63 letters of\n"
    "`A-Z a-z 0-9 . _ -` and may occur any number of times. Unknown sections and keys, and keys or\n"
    "sections that occur twice, are mistakes.\n"
    "\n"
    "- Durations need a unit: `500ms`, `10s`, `15m`, `2h`, `30d`.\n"
    "- Sizes are in bytes, or in units of 1024: `64k`, `16M`, `1G`.\n"
    "- Lists are separated by blanks.\n"
    "- Switches are `yes` or `no` (`true`, `false`, `on`, `off` as well).\n"
    "- Secrets are never written in the file. Keys that end in `_file` (and `tls_key`) name a file that\n"
    "  holds one; only its owner should be able to read it. Such a name may begin with\n"
    "  `$CREDENTIALS_DIRECTORY/` (or `${CREDENTIALS_DIRECTORY}/`, or `%d/`), where systemd puts what the\n"
    "  unit's `LoadCredential=` names.\n"
    "- SIGHUP (`systemctl reload jumpgate-reports`) reads the file again, and the files it names: all of\n"
    "  it is taken, or, when there is a mistake, nothing. Sites, gateways, users and readers may come and\n"
    "  go. What only a restart can change says so below. A file of `$CREDENTIALS_DIRECTORY` is a copy\n"
    "  that systemd makes at a start only: a new secret there needs a restart as well.\n"
    "\n"
    "The smallest useful file:\n"
    "\n"
    "```ini\n"
    "[pra main]\n"
    "url = https://pra.example.com\n"
    "client_id = 0123456789abcdef0123456789abcdef01234567\n"
    "client_secret_file = $CREDENTIALS_DIRECTORY/pra-secret\n"
    "\n"
    "[web]\n"
    "address = 127.0.0.1:8444\n"
    "tls_certificate = /etc/jumpgate/tls/reports.pem\n"
    "tls_key = $CREDENTIALS_DIRECTORY/reports.key\n"
    "\n"
    "[user ann]\n"
    "password = $scrypt$ln=14,r=8,p=5$...\n"
    "allow = view export\n"
    "```\n";

static const char man_intro[] =
    "The configuration of `jumpgate-reports`, by default `/etc/jumpgate/reports.conf`. It is an INI file: "
    "`[section]` headers, then lines `key = value`. The sections `pra`, `gateway`, `user` and `reader` have "
    "a "
    "name and may occur any number of times. A # or ; at the start of a line or after a blank begins a "
    "comment. "
    "Unknown sections and keys, and those that occur twice, are mistakes; `jumpgate-reports check` names all "
    "of "
    "them with their lines.\n\n"
    "Durations need a unit: 500ms, 10s, 15m, 2h, 30d. Sizes are in bytes, or in units of 1024: 64k, 16M, 1G. "
    "Lists are separated by blanks. Switches are yes or no.\n\n"
    "Secrets are never written in the file. Keys that end in `_file` (and `tls_key`) name a file that holds "
    "one. "
    "Such a name may begin with `$CREDENTIALS_DIRECTORY/`, where systemd puts what the unit's "
    "`LoadCredential=` "
    "names.\n\n"
    "SIGHUP makes the program read the file again: all of it is taken, or, where there is a mistake, "
    "nothing. "
    "What only a restart can change says so. A file of $CREDENTIALS_DIRECTORY is a copy that systemd makes "
    "at a start only: a new secret there needs a restart as well.";

static const char example[] = "[pra main]\n"
                              "url = https://pra.example.com\n"
                              "client_id = 0123456789abcdef0123456789abcdef01234567\n"
                              "client_secret_file = /etc/jumpgate/secrets/pra\\-secret\n"
                              "\n"
                              "[web]\n"
                              "address = 127.0.0.1:8444\n"
                              "tls_certificate = /etc/jumpgate/tls/reports.pem\n"
                              "tls_key = /etc/jumpgate/tls/reports.key\n";

const struct conf_pages reports_pages = {
    .file_intro = file_intro,
    .doc_intro = doc_intro,
    .man_name = "reports.conf",
    .man_program = "jumpgate\\-reports",
    .man_intro = man_intro,
    .man_example = example,
    .man_see_also = "\\fBjumpgate\\-reports\\fR(1), \\fBjumpgate\\fR(1), \\fBsystemd.exec\\fR(5)",
};

void reports_conf_print_defaults(struct buf *out)
{
    conf_table_defaults(&reports_table, out);
}

void reports_conf_print_doc(struct buf *out)
{
    conf_table_doc(&reports_table, out);
}

void reports_conf_print_man(struct buf *out)
{
    conf_table_man(&reports_table, out);
}
