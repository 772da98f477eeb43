/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the commands of jumpgate.
 *
 * One row per command: its name, the flags it knows, what it does; one row per flag. The rows give the usage
 * text, and the suggestion for a mistyped name. Exit codes: 0 done, 1 the command failed (its reason is on
 * stderr), 2 the command line was wrong; a command may have more of its own.
 *
 * No flag takes a secret: every user of the machine can read a command line.
 *
 * Not here: serving (run.c), leases (leases_command.c), the audit trail (audit_command.c), the configuration
 * itself (conf/conf.h).
 */
#include "base/buf.h"
#include "base/did_you_mean.h"
#include "commands/commands.h"
#include "conf/conf.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_FAILED  1
#define EXIT_USAGE   2
#define OUTPUT_MAX   (4 * 1024 * 1024)
#define WORDS_MAX    2
#define FLAGS_INDENT 19 /* in the usage text: where flags begin, */
#define FLAGS_WIDTH  19 /* and how wide they may be without having a line of their own */

enum takes {
    TAKES_CONF = 1, /* -c FILE, and it is needed */
    TAKES_FORM = 2,
    TAKES_REBUILD = 4,
    TAKES_LEASES = 8, /* words as well */
    TAKES_DOCTOR = 16,
    TAKES_ROOT = 32,
};

struct args {
    const char *conf;
    bool defaults, doc, rebuild, allow_root, json, all, pra, terminate;
    const char *user, *session, *state, *host, *vault;
    const char *words[WORDS_MAX]; /* that are no flags */
    size_t nwords;
};

struct command {
    const char *name;
    const char *flags; /* what may follow, for the usage text */
    const char *help;
    unsigned takes;
    int (*run)(const struct args *);
    int (*own)(char **words); /* instead of run: it reads its words itself */
};

struct flag {
    const char *name;
    unsigned of;       /* of which commands */
    const char *value; /* "the name of a file"; NULL = it takes none */
    size_t offset;     /* of its member in struct args */
};

static int on_run(const struct args *);
static int on_check(const struct args *);
static int on_config(const struct args *);
static int on_leases(const struct args *);
static int on_doctor(const struct args *);

/* clang-format off */
static const struct command commands[] = {
    { .name = "run", .flags = "-c FILE [--rebuild] [--allow-root]", .run = on_run,
      .takes = TAKES_CONF | TAKES_REBUILD | TAKES_ROOT,
      .help = "serve until SIGTERM" },
    { .name = "check", .flags = "-c FILE", .takes = TAKES_CONF, .run = on_check,
      .help = "name all mistakes of a configuration" },
    { .name = "leases", .takes = TAKES_CONF | TAKES_LEASES, .run = on_leases,
      .flags = "-c FILE [list [--json] [--user U] [--session S] [--state S] | release ID [--terminate] | release --all]",
      .help = "show or end the leases of the gateway" },
    { .name = "doctor", .takes = TAKES_CONF | TAKES_DOCTOR, .run = on_doctor,
      .flags = "-c FILE {--user [DOMAIN\\]U --host H [--vault NAME] | --pra} [--json]",
      .help = "find out why a user sees no credentials on a host, or what is wrong with the PRA site" },
    { .name = "audit", .flags = "verify FILE [FILE...]", .own = command_audit,
      .help = "find what was changed, removed or cut in the audit trail" },
    { .name = "config", .flags = "[--defaults|--doc]", .takes = TAKES_FORM, .run = on_config,
      .help = "print an annotated configuration, or its reference in Markdown" },
};

static const struct flag flags[] = {
    { "-c",         TAKES_CONF,    "the name of a file", offsetof(struct args, conf) },
    { "--rebuild",  TAKES_REBUILD, NULL,                 offsetof(struct args, rebuild) },
    { "--allow-root", TAKES_ROOT,  NULL,                 offsetof(struct args, allow_root) },
    { "--defaults", TAKES_FORM,    NULL,                 offsetof(struct args, defaults) },
    { "--doc",      TAKES_FORM,    NULL,                 offsetof(struct args, doc) },
    { "--json",     TAKES_LEASES | TAKES_DOCTOR, NULL,   offsetof(struct args, json) },
    { "--user",     TAKES_LEASES | TAKES_DOCTOR, "a user", offsetof(struct args, user) },
    { "--host",     TAKES_DOCTOR,  "a host",             offsetof(struct args, host) },
    { "--vault",    TAKES_DOCTOR,  "the name of a vault", offsetof(struct args, vault) },
    { "--pra",      TAKES_DOCTOR,  NULL,                 offsetof(struct args, pra) },
    { "--terminate", TAKES_LEASES, NULL,                 offsetof(struct args, terminate) },
    { "--session",  TAKES_LEASES,  "a PRA session id",   offsetof(struct args, session) },
    { "--state",    TAKES_LEASES,  "a state",            offsetof(struct args, state) },
    { "--all",      TAKES_LEASES,  NULL,                 offsetof(struct args, all) },
};
/* clang-format on */

#define NFLAGS    (sizeof(flags) / sizeof(flags[0]))
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("jumpgate brokers Password Safe credentials for Privileged Remote Access.\n\nusage:\n", out);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        const struct command *c = &commands[i];

        fprintf(out, "  jumpgate %-7s %-*s", c->name, FLAGS_WIDTH, c->flags);
        if (strlen(c->flags) > FLAGS_WIDTH)
            fprintf(out, "\n%*s", FLAGS_INDENT + FLAGS_WIDTH, "");
        fprintf(out, " %s\n", c->help);
    }
    fputs("  jumpgate --version                   print the version\n"
          "  jumpgate --help                      print this text\n",
          out);
}

/* Output that could not be written (a full disk, a closed pipe) is a failure. */
static int finish_output(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        fputs("jumpgate: cannot write to standard output\n", stderr);
        return EXIT_FAILED;
    }
    return 0;
}

static int wrong_word(const char *what, const char *word, struct did_you_mean *near)
{
    char hint[80];

    fprintf(stderr, "jumpgate: unknown %s `%s`%s\n", what, word, did_you_mean_hint(near, hint, sizeof(hint)));
    fputs("try: jumpgate --help\n", stderr);
    return EXIT_USAGE;
}

/* ---- commands ---- */

static int on_run(const struct args *args)
{
    return command_run(args->conf, args->rebuild, args->allow_root);
}

static int on_leases(const struct args *args)
{
    struct leases_command command = {
        .conf = args->conf,
        .words = args->words,
        .nwords = args->nwords,
        .json = args->json,
        .all = args->all,
        .user = args->user,
        .session = args->session,
        .state = args->state,
        .terminate = args->terminate,
    };
    int code = command_leases(&command);

    return code ? code : finish_output();
}

static int on_doctor(const struct args *args)
{
    struct doctor_args doctor = {.conf = args->conf,
                                 .user = args->user,
                                 .host = args->host,
                                 .vault = args->vault,
                                 .json = args->json,
                                 .pra = args->pra};

    return command_doctor(&doctor);
}

static int on_check(const struct args *args)
{
    struct buf errors = BUF_INIT(OUTPUT_MAX);
    struct conf *conf = NULL;
    int err = conf_load(args->conf, &conf, &errors);

    if (errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
    conf_free(conf);
    if (err)
        return EXIT_FAILED;
    printf("%s: ok\n", args->conf);
    return finish_output();
}

static int on_config(const struct args *args)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);
    bool failed;

    if (args->doc)
        conf_print_doc(&out);
    else
        conf_print_defaults(&out);
    failed = out.failed;
    if (!failed)
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    if (failed)
        fputs("jumpgate: out of memory\n", stderr);
    return failed ? EXIT_FAILED : finish_output();
}

/* ---- the command line ---- */

static int unknown_flag(const struct command *command, const char *word)
{
    struct did_you_mean near = DID_YOU_MEAN(word);

    for (size_t i = 0; i < NFLAGS; i++)
        if (flags[i].of & command->takes)
            did_you_mean_offer(&near, flags[i].name);
    did_you_mean_offer(&near, "--help");
    return wrong_word(word[0] == '-' ? "flag" : "argument", word, &near);
}

static int usage_error(const struct command *command, const char *flag, const char *why, const char *what)
{
    fprintf(stderr, "jumpgate: %s %s%s\nusage: jumpgate %s %s\n", flag, why, what, command->name,
            command->flags);
    return EXIT_USAGE;
}

/* Takes a flag and, where it has one, its value. 0 or the exit code. */
static int take_flag(const struct command *command, const struct flag *flag, char ***words, struct args *args)
{
    void *member = (char *)args + flag->offset;
    const char *value;

    if (!flag->value) {
        *(bool *)member = true;
        return 0;
    }
    memcpy(&value, member, sizeof(value));
    if (!(*words)[1])
        return usage_error(command, flag->name, "needs ", flag->value);
    if (value)
        return usage_error(command, flag->name, "is given twice", "");
    value = *++*words;
    memcpy(member, &value, sizeof(value));
    return 0;
}

static int take_word(const struct command *command, char ***words, struct args *args)
{
    const char *word = **words;

    for (size_t i = 0; i < NFLAGS; i++)
        if (flags[i].of & command->takes && strcmp(flags[i].name, word) == 0)
            return take_flag(command, &flags[i], words, args);
    if (word[0] == '-' || !(command->takes & TAKES_LEASES) || args->nwords == WORDS_MAX)
        return unknown_flag(command, word);
    args->words[args->nwords++] = word;
    return 0;
}

static int run_command(const struct command *command, char **words)
{
    struct args args = {0};
    int code = 0;

    for (; *words && !code; words++) {
        if (strcmp(*words, "--help") == 0) {
            print_help(stdout);
            return finish_output();
        }
        code = take_word(command, &words, &args);
    }
    if (code)
        return code;
    if (command->takes & TAKES_CONF && !args.conf)
        return usage_error(command, "-c", "FILE is missing", "");
    if (args.pra && (args.user || args.host || args.vault))
        return usage_error(command, "--pra", "looks at the site only, without --user, --host and --vault",
                           "");
    if (command->takes & TAKES_DOCTOR && !args.pra && !(args.user && *args.user && args.host && *args.host))
        return usage_error(command, "--user", "and --host are needed", "");
    if (args.defaults && args.doc)
        return usage_error(command, "--defaults", "and --doc exclude each other", "");
    return command->run(&args);
}

/* A descriptor opened later must not become standard output or error by accident: output would go into a
 * socket, a store, or a pipe of the loop. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (!fill_standard_streams())
        return EXIT_FAILED;
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    struct did_you_mean near = DID_YOU_MEAN(argv[1]);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].own ? commands[i].own(argv + 2) : run_command(&commands[i], argv + 2);
        did_you_mean_offer(&near, commands[i].name);
    }
    did_you_mean_offer(&near, "--version");
    did_you_mean_offer(&near, "--help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return finish_output();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("jumpgate " JG_VERSION);
        return finish_output();
    }
    return wrong_word(argv[1][0] == '-' ? "flag" : "command", argv[1], &near);
}
