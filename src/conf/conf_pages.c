/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_pages.c - the texts around the rows of the gateway's configuration: the annotated file
 * (conf/jumpgate.conf), the page (docs/configuration.md), the man page.
 *
 * Not here: the rows (conf_rows.c), the printers (table/conf_print.c, table/conf_man.c).
 */
#include "conf/conf_sections.h"

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
    "An INI file: `[section]` headers, then lines `key = value`. Sections `listener`, `client`, `vault`,\n"
    "`access` and `pra` have a name of 1 to 63 letters of `A-Z a-z 0-9 . _ -`; `gateway` and `store` have "
    "none. The\n"
    "first three may occur any number of times, and at least one of each is needed; `access` may occur\n"
    "any number of times as well, `pra` at most once. A `#` or `;` at the start of a line or after a blank "
    "begins a comment. A value ends with its "
    "line, indentation means nothing, and\n"
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

static const char man_intro[] =
    "The configuration of `jumpgate`, by default `/etc/jumpgate/jumpgate.conf`. It is an INI file: "
    "`[section]` "
    "headers, then lines `key = value`. The sections `listener`, `client`, `vault`, `access` and `pra` have "
    "a name, "
    "`gateway` and `store` have none. At "
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

const struct conf_pages conf_gateway_pages = {
    .file_intro = file_intro,
    .doc_intro = doc_intro,
    .man_name = "jumpgate.conf",
    .man_program = "jumpgate",
    .man_intro = man_intro,
    .man_example = example,
    .man_see_also = "\\fBjumpgate\\fR(1), \\fBsystemd.exec\\fR(5)",
};

void conf_print_defaults(struct buf *out)
{
    conf_table_defaults(&conf_gateway_table, out);
}

void conf_print_doc(struct buf *out)
{
    conf_table_doc(&conf_gateway_table, out);
}

void conf_print_man(struct buf *out)
{
    conf_table_man(&conf_gateway_table, out);
}
