/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the commands of jumpgate.
 *
 * One row per command: its name, the flags it knows, what it does. The rows give the usage text, and the
 * nearest name when one is mistyped. Exit codes: 0 done, 1 the command failed (its reason is on stderr), 2
 * the command line was wrong.
 *
 * No flag takes a secret: what stands on a command line can be read by every user of the machine.
 *
 * Not here: serving (run.c), the configuration itself (base/conf.h).
 */
#include "base/buf.h"
#include "base/conf.h"
#include "base/nearest.h"
#include "run.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXIT_FAILED 1
#define EXIT_USAGE  2
#define OUTPUT_MAX  (4 * 1024 * 1024)

struct args {
    const char *conf; /* -c FILE */
    bool defaults, doc;
};

struct command {
    const char *name;
    const char *flags; /* what may follow, for the usage text */
    const char *help;
    bool takes_conf; /* -c FILE, and it is needed */
    bool takes_form; /* --defaults, --doc */
    int (*run)(const struct args *);
};

static int on_run(const struct args *);
static int on_check(const struct args *);
static int on_config(const struct args *);

/* clang-format off */
static const struct command commands[] = {
    { .name = "run", .flags = "-c FILE", .takes_conf = true, .run = on_run,
      .help = "serve until SIGTERM" },
    { .name = "check", .flags = "-c FILE", .takes_conf = true, .run = on_check,
      .help = "name all mistakes of a configuration" },
    { .name = "config", .flags = "[--defaults|--doc]", .takes_form = true, .run = on_config,
      .help = "print an annotated configuration, or its reference in Markdown" },
};
/* clang-format on */

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("jumpgate brokers Password Safe credentials for Privileged Remote Access.\n\nusage:\n", out);
    for (size_t i = 0; i < NCOMMANDS; i++)
        fprintf(out, "  jumpgate %-7s %-19s %s\n", commands[i].name, commands[i].flags, commands[i].help);
    fputs("  jumpgate --version                   print the version\n"
          "  jumpgate --help                      print this text\n",
          out);
}

/* Output that did not arrive (a full disk, a closed pipe) is a failure, not a success. */
static int finish(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        fputs("jumpgate: cannot write to standard output\n", stderr);
        return EXIT_FAILED;
    }
    return 0;
}

static int wrong_word(const char *what, const char *word, struct nearest *near)
{
    char hint[80];

    fprintf(stderr, "jumpgate: unknown %s `%s`%s\n", what, word, nearest_hint(near, hint, sizeof(hint)));
    fputs("try: jumpgate --help\n", stderr);
    return EXIT_USAGE;
}

/* ---- commands ---- */

static int on_run(const struct args *args)
{
    return command_run(args->conf);
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
    return finish();
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
    return failed ? EXIT_FAILED : finish();
}

/* ---- the command line ---- */

static int unknown_flag(const struct command *command, const char *word)
{
    struct nearest near = NEAREST(word);

    if (command->takes_conf)
        nearest_offer(&near, "-c");
    if (command->takes_form) {
        nearest_offer(&near, "--defaults");
        nearest_offer(&near, "--doc");
    }
    nearest_offer(&near, "--help");
    return wrong_word(word[0] == '-' ? "flag" : "argument", word, &near);
}

static int usage_error(const struct command *command, const char *why)
{
    fprintf(stderr, "jumpgate: %s\nusage: jumpgate %s %s\n", why, command->name, command->flags);
    return EXIT_USAGE;
}

static int run_command(const struct command *command, char **words)
{
    struct args args = {0};

    for (; *words; words++) {
        if (strcmp(*words, "--help") == 0) {
            print_help(stdout);
            return finish();
        }
        if (command->takes_conf && strcmp(*words, "-c") == 0) {
            if (!words[1])
                return usage_error(command, "-c needs the name of a file");
            if (args.conf)
                return usage_error(command, "-c is given twice");
            args.conf = *++words;
        } else if (command->takes_form && strcmp(*words, "--defaults") == 0) {
            args.defaults = true;
        } else if (command->takes_form && strcmp(*words, "--doc") == 0) {
            args.doc = true;
        } else {
            return unknown_flag(command, *words);
        }
    }
    if (command->takes_conf && !args.conf)
        return usage_error(command, "-c FILE is missing");
    if (args.defaults && args.doc)
        return usage_error(command, "--defaults and --doc exclude each other");
    return command->run(&args);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    struct nearest near = NEAREST(argv[1]);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argv + 2);
        nearest_offer(&near, commands[i].name);
    }
    nearest_offer(&near, "--version");
    nearest_offer(&near, "--help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return finish();
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("jumpgate " JG_VERSION);
        return finish();
    }
    return wrong_word(argv[1][0] == '-' ? "flag" : "command", argv[1], &near);
}
