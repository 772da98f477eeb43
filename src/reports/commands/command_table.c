/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_table.c - the rows of the commands of jumpgate-reports; see commands/line/command_table.h.
 */
#include "commands/line/exit.h"
#include "reports/commands/commands.h"

#define CONF_ROW                                                                                             \
    {                                                                                                        \
        .name = "-c", .takes = FLAG_CONF, .value = "FILE",                                                   \
        .help = "the configuration (default: /etc/jumpgate/reports.conf)"                                    \
    }

#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }

/* clang-format off */

static const char *const feed_formats[] = {"ndjson", "ocsf", "csv", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

#define USER_EXITS \
    .exits = (const struct command_exit[]){ \
        { EXIT_DONE, "printed, or written into the file" }, \
        { EXIT_FAILED, "nothing is changed; the reason is on standard error" }, \
        { EXIT_USAGE, "the command line is wrong" }, \
        END }

static const struct command user_subs[] = {
    { .name = "list", .run = reports_user_list,
      .summary = "show the users of the page",
      .about = "A line for each [user NAME]: name, how it signs in, what it may do, its sites.",
      .flags = (const struct command_flag[]){ CONF_ROW, END },
      .examples = (const struct command_example[]){ { "user list", NULL }, END },
      USER_EXITS },
    { .name = "add", .run = reports_user_add, .operands = "NAME", .min_words = 1, .max_words = 1,
      .summary = "make a section for a user, with a password",
      .about = "Asks for the password twice, without showing it, and prints the section, or puts it at the end of the "
               "configuration. The file is exchanged as a whole, and keeps its owner and mode. A running program takes "
               "it with a reload.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--allow", FLAG_TEXT, "WORDS", "view export recordings admin, in quotes (default: view)", NULL },
          { "--sites", FLAG_TEXT, "NAMES", "names of [pra NAME] sections, in quotes (default: all sites)", NULL },
          { "--password-stdin", FLAG_SWITCH, NULL, "take the password from the first line of standard input", NULL },
          { "--append", FLAG_SWITCH, NULL, "put the section into the configuration", NULL },
          END },
      .examples = (const struct command_example[]){
          { "user add ann --allow 'view export' --append", "asks for the password" },
          { "user add bob --password-stdin < password", "prints the section" },
          END },
      USER_EXITS },
    { .name = "password", .run = reports_user_password, .operands = "NAME", .min_words = 1, .max_words = 1,
      .summary = "change the password of a user",
      .about = "Asks for the password twice, without showing it, and puts its scrypt form into the section [user NAME] of "
               "the configuration. The file is exchanged as a whole, and keeps its owner and mode. A running program "
               "takes it with a reload, and signs the user out.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--password-stdin", FLAG_SWITCH, NULL, "take the password from the first line of standard input", NULL },
          END },
      .examples = (const struct command_example[]){
          { "user password ann", "asks" },
          END },
      USER_EXITS },
    END
};

const struct command reports_commands[] = {
    { .name = "run", .run = reports_run,
      .summary = "collect, and serve the page and the feed, until SIGTERM",
      .about = "SIGHUP reloads the configuration, all or nothing. SIGTERM and SIGINT drain and end. SIGUSR1 reopens "
               "the log files.",
      .flags = (const struct command_flag[]){ CONF_ROW, END },
      .examples = (const struct command_example[]){
          { "run", NULL },
          { "run -c ./reports.conf", NULL },
          END },
      .exits = (const struct command_exit[]){
          { RUN_STOPPED, "stopped" },
          { RUN_REFUSED, "not started, and a restart does not help: a mistake in the configuration, a damaged "
                         "database, one of another program; the reason is on standard error" },
          { RUN_USAGE, "the command line is wrong" },
          { RUN_RETRY, "not started, or not stopped cleanly, and a restart may help: a port in use, a database that "
                       "is away, another process that collects" },
          END } },
    { .name = "collect", .run = reports_collect,
      .summary = "ask every site once, and end",
      .about = "One full round of every source. Another process that collects into the database must not run. --since "
               "moves the start of collecting back: what is older than the first start comes that way, and the audit trail "
               "records it as `backfill`. At its end a line for each site says how many sessions are new and changed, which "
               "sources were complete, and what the site needs; a line for each gateway says whether its trail was read.\n\n"
               "TIME is RFC 3339, a date (UTC) or an age such as 30d.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--once", FLAG_SWITCH, NULL, "one round; needed, `run` collects for ever", NULL },
          { "--site", FLAG_TEXT, "NAME", "only the site of the section [pra NAME]", NULL },
          { "--since", FLAG_TEXT, "TIME", "begin there, for sessions that ended or began since then", NULL },
          { "--until", FLAG_TEXT, "TIME", "ask for nothing later", NULL },
          END },
      .examples = (const struct command_example[]){
          { "collect --once", NULL },
          { "collect --once --site main --since 365d", "fills a new database" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "every source was complete" },
          { EXIT_FAILED, "nothing was complete, or it could not begin; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          { REPORTS_SOME_FAILED, "some sources were not complete" },
          END } },
    { .name = "export", .run = reports_export, .operands = "sessions|events|accounts|syslog", .min_words = 1, .max_words = 1,
      .summary = "write the feed to standard output",
      .about = "Every record once per revision, in the order in which it was stored: the bytes of GET /feed. The last line "
               "on standard error is the next cursor, `cursor=...`; going on from it leaves nothing out.\n\n"
               "TIME is RFC 3339, a date (UTC) or an age such as 30d, and goes by the time of storing.",
      .forms = (const char *const[]){
          "[-c FILE] [--since TIME] [--until TIME] [--format FORMAT] [--follow] sessions|events|accounts|syslog",
          "[-c FILE] --cursor CURSOR [--until TIME] [--format FORMAT] [--follow] sessions|events|accounts|syslog", NULL },
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--since", FLAG_TEXT, "TIME", "begin with what was stored then (default: with the oldest)", NULL },
          { "--cursor", FLAG_ANY_TEXT, "CURSOR", "begin behind this one; empty: with the oldest", NULL },
          { "--until", FLAG_TEXT, "TIME", "leave out what was stored later", NULL },
          { "--format", FLAG_TEXT, "FORMAT", "one of (default: ndjson)", feed_formats },
          { "--follow", FLAG_SWITCH, NULL, "go on with what is stored later, until SIGTERM", NULL },
          END },
      .examples = (const struct command_example[]){
          { "export sessions > sessions.ndjson", NULL },
          { "export --format ocsf --follow events", "for a log shipper" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "written" },
          { EXIT_FAILED, "not written, or not all; the reason is on standard error, before the cursor" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "migrate", .run = reports_migrate,
      .summary = "bring the tables of the database up to this version",
      .about = "`run` does the same when it starts. A database with tables of other columns is refused, and what "
               "differs is listed. A file of SQLite is first read whole, and refused where it is damaged.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--dry-run", FLAG_SWITCH, NULL, "say what would be done, and change nothing", NULL },
          { "--recount", FLAG_SWITCH, NULL,
            "count the tallies again, and derive columns again; without --dry-run no process may collect", NULL },
          END },
      .examples = (const struct command_example[]){
          { "migrate --dry-run", NULL },
          { "migrate --recount --dry-run", "are the tallies right?" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the database is of this version; with --dry-run, or would be" },
          { EXIT_FAILED, "it is not; with --recount --dry-run also: a number differs" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "check", .run = reports_check_command,
      .summary = "name all mistakes of a configuration",
      .about = "Every finding is one line on standard error with file and line.\n\n"
               "--connect also asks each site for a token, its permissions and its clock, and the database for its "
               "tables and rights, one line each on standard output. Rights are found by doing what `run` does, on no "
               "row, in a transaction that is rolled back. A file of SQLite is read whole for damage, about 3 s of CPU "
               "for a gigabyte.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--connect", FLAG_SWITCH, NULL, "ask sites and database as well", NULL },
          END },
      .examples = (const struct command_example[]){
          { "check", NULL },
          { "check -c ./reports.conf --connect", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "no mistake; there may be warnings" },
          { EXIT_FAILED, "there are mistakes, or with --connect something does not answer as it should" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "user", .subs = user_subs, .sub_needed = true,
      .summary = "make and list the users of the page, change a password" },
    { .name = "config", .run = reports_config,
      .summary = "print all keys of the configuration with their defaults",
      .forms = (const char *const[]){ "[--defaults]", "--doc", "--man", NULL },
      .flags = (const struct command_flag[]){
          { "--defaults", FLAG_SWITCH, NULL, "an annotated file to start from (the default)", NULL },
          { "--doc", FLAG_SWITCH, NULL, "the page docs/reports-configuration.md", NULL },
          { "--man", FLAG_SWITCH, NULL, "the man page reports.conf(5)", NULL },
          END },
      .examples = (const struct command_example[]){
          { "config > reports.conf", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "version", .run = reports_version,
      .summary = "print the version, and the versions of the libraries",
      .examples = (const struct command_example[]){
          { "version", "what a report of a fault should contain" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "help", .run = command_help, .operands = "[COMMAND [SUB-COMMAND]]", .max_words = 2,
      .summary = "print the help of all commands, or of one",
      .forms = (const char *const[]){ "[COMMAND [SUB-COMMAND]]", "--man", "--doc", "--completion SHELL", NULL },
      .flags = (const struct command_flag[]){
          { "--man", FLAG_SWITCH, NULL, "the man page jumpgate-reports(1)", NULL },
          { "--doc", FLAG_SWITCH, NULL, "the page docs/reports-commands.md", NULL },
          { "--completion", FLAG_TEXT, "SHELL", "completion for a shell, one of", shells },
          END },
      .examples = (const struct command_example[]){
          { "help user add", NULL },
          { "help --man > jumpgate-reports.1", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "there is no such command" },
          END } },
    END
};
