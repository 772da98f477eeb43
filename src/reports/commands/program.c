/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - jumpgate-reports as a program: its table of commands, and the texts of its pages around them.
 *
 * Not here: the rows (command_table.c).
 */
#include "reports/commands/commands.h"

static const char man_about[] =
    "`jumpgate-reports` collects what BeyondTrust Privileged Remote Access sites report about sessions into "
    "an SQL "
    "database, shows it in the browser, and gives it to other systems. `jumpgate-reports run` is the "
    "service; the "
    "other commands prepare it and look after its database. It is a program of its own: it knows no vault, "
    "and works "
    "when the gateway is down.\n\n"
    "`jumpgate reports COMMAND` runs the same commands.\n\n"
    "`jumpgate-reports COMMAND --help` prints what this page says of one command. No flag takes a secret.";

static const char man_tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nThe command did what it was asked to.\n"
    ".TP\n1\nIt failed; the reason is on standard error.\n"
    ".TP\n2\nThe command line was wrong.\n"
    ".PP\nA command may have more codes, which its section lists.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBCREDENTIALS_DIRECTORY\\fR\nWhere the secrets are that systemd hands over; "
    "see \\fBreports.conf\\fR(5).\n"
    ".SH FILES\n"
    ".TP\n\\fI/etc/jumpgate/reports.conf\\fR\nThe configuration that is used without \\fB\\-c\\fR.\n"
    ".TP\n\\fI/var/lib/jumpgate\\-reports\\fR\nThe database of SQLite, the audit trail, the collector's "
    "lock.\n"
    ".SH SEE ALSO\n\\fBreports.conf\\fR(5), \\fBjumpgate\\fR(1), \\fBsystemctl\\fR(1), "
    "\\fBjournalctl\\fR(1)\n";

static const char doc_intro[] =
    "# Commands of session reports\n"
    "\n"
    "This page is the output of `jumpgate-reports help --doc`: it has the help of each command as\n"
    "`jumpgate-reports COMMAND --help` prints it. `jumpgate reports COMMAND` runs the same commands: the\n"
    "file `jumpgate-reports` beside `jumpgate` takes the place of the process.\n"
    "\n"
    "- Every command that needs the configuration takes `-c FILE`, and without it\n"
    "  `/etc/jumpgate/reports.conf`.\n"
    "- Exit code 0 is success, 1 a failure whose reason is on standard error, 2 a wrong command line.\n"
    "  What a command has beside them is in its help.\n"
    "- No flag takes a secret: every user of the machine can read a command line.\n";

const struct program reports_program = {
    .name = "jumpgate-reports",
    .symbol = "jumpgate_reports",
    .conf = "/etc/jumpgate/reports.conf",
    .commands = reports_commands,
    .about = "jumpgate-reports collects and shows what PRA sites report about sessions.",
    .man_name =
        "jumpgate\\-reports \\- collect and show what Privileged Remote Access reports about sessions",
    .man_about = man_about,
    .man_tail = man_tail,
    .doc_intro = doc_intro,
};
