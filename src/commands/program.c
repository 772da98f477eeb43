/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - jumpgate as a program: its table of commands, and the texts of its pages around them.
 *
 * Not here: the rows (command_table.c).
 */
#include "commands/commands.h"

static const char man_about[] =
    "`jumpgate` brokers credentials of BeyondTrust Password Safe for sessions of BeyondTrust Privileged "
    "Remote "
    "Access. `jumpgate run` is the gateway; the other commands prepare it, look at it and end leases. "
    "`status`, "
    "`explain`, `leases`, `top` and `reload` call the running gateway over a socket in its state directory, "
    "so they run as "
    "the "
    "gateway's user or as root.\n\n"
    "`jumpgate reports COMMAND` runs session reports, a program of its own with its own configuration: the "
    "file "
    "`jumpgate-reports` beside this one.\n\n"
    "`jumpgate COMMAND --help` prints what this page says of one command. No flag takes a secret.";

static const char man_tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n0\nThe command did what it was asked to.\n"
    ".TP\n1\nIt failed; the reason is on standard error.\n"
    ".TP\n2\nThe command line was wrong.\n"
    ".PP\nA command may have more codes, which its section lists.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBNO_COLOR\\fR\nWhere it is set and not empty, nothing is coloured. Output "
    "is coloured on a terminal only.\n"
    ".TP\n\\fBTERM\\fR\nNothing is coloured where it is \\fBdumb\\fR or missing.\n"
    ".TP\n\\fBCREDENTIALS_DIRECTORY\\fR\nWhere the secrets are that systemd hands over; "
    "see \\fBjumpgate.conf\\fR(5). "
    "Where it is not set, check and doctor of root take those of jumpgate.service.\n"
    ".SH FILES\n"
    ".TP\n\\fI/etc/jumpgate/jumpgate.conf\\fR\nThe configuration that is used without "
    "\\fB\\-c\\fR.\n"
    ".TP\n\\fI/var/lib/jumpgate\\fR\nThe lease store and the audit trail, and the socket "
    "of the commands.\n"
    ".SH SEE ALSO\n\\fBjumpgate.conf\\fR(5), \\fBsystemctl\\fR(1), "
    "\\fBjournalctl\\fR(1)\n";

static const char doc_intro[] =
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

const struct program jumpgate_program = {
    .name = "jumpgate",
    .symbol = "jumpgate",
    .conf = "/etc/jumpgate/jumpgate.conf",
    .commands = command_table,
    .about = "jumpgate brokers Password Safe credentials for Privileged Remote Access.",
    .also = "`jumpgate reports COMMAND` runs session reports, a program of its own: jumpgate-reports.",
    .man_name = "jumpgate \\- broker Password Safe credentials for Privileged Remote Access",
    .man_about = man_about,
    .man_tail = man_tail,
    .doc_intro = doc_intro,
};
