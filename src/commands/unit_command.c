/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_command.c - a command that needs the unit's credentials: run with them, or the line that does; see
 * unit_command.h.
 *
 * The names come from the configuration ($CREDENTIALS_DIRECTORY/NAME), the files from the LoadCredential=
 * lines of the unit and of its drop-ins; a name without such a line is taken from the directory of the
 * package.
 */
#include "commands/unit_command.h"

#include "conf/conf.h"

#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD_RUN  "/usr/bin/systemd-run"
#define BOOTED       "/run/systemd/system" /* is there where systemd is the first process */
#define CAPABILITIES "AmbientCapabilities="
#define WORDS_MAX    256
#define LINE_BYTES   4096
#define NAME_BYTES   256
#define SECRETS      "/etc/jumpgate/secrets/"
#define OUT_MAX      (64 * 1024)
#define CANNOT_READ  ": cannot read " /* of conf/conf_files.c, before the file */
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* Later files win, as for systemd. */
static const char *const unit_files[] = {
    "/lib/systemd/system/jumpgate.service",          "/usr/lib/systemd/system/jumpgate.service",
    "/etc/systemd/system/jumpgate.service",          "/usr/lib/systemd/system/jumpgate.service.d/*.conf",
    "/etc/systemd/system/jumpgate.service.d/*.conf", "/run/systemd/system/jumpgate.service.d/*.conf",
};

static const char *const run_options[] = {"--quiet", "--pipe", "--wait", "--collect"};
static const char *const user_options[] = {"--property=User=jumpgate", "--property=Group=jumpgate",
                                           "--property=SupplementaryGroups=jumpgate-clients"};

/* What follows `key` in its last line of one file. */
static bool find_in_file(const char *path, const char *key, char value[LINE_BYTES])
{
    char line[LINE_BYTES];
    FILE *in = fopen(path, "re");
    size_t n = strlen(key);
    bool found = false;

    while (in && fgets(line, sizeof(line), in)) {
        if (strncmp(line, key, n) != 0)
            continue;
        (void)snprintf(value, LINE_BYTES, "%.*s", (int)strcspn(line + n, "\r\n"), line + n);
        found = true;
    }
    if (in)
        (void)fclose(in);
    return found;
}

static bool find_in_unit(const char *root, const char *key, char value[LINE_BYTES])
{
    char pattern[LINE_BYTES];
    bool found = false;

    for (size_t i = 0; i < sizeof(unit_files) / sizeof(unit_files[0]); i++) {
        glob_t all;

        (void)snprintf(pattern, sizeof(pattern), "%s%s", root, unit_files[i]);
        if (glob(pattern, 0, NULL, &all) != 0)
            continue;
        for (size_t k = 0; k < all.gl_pathc; k++)
            found = find_in_file(all.gl_pathv[k], key, value) || found;
        globfree(&all);
    }
    return found;
}

/* The file that the unit has for a credential. */
static void find_file(const char *root, const char *name, char file[LINE_BYTES])
{
    char key[NAME_BYTES + sizeof("LoadCredential=:")];

    (void)snprintf(key, sizeof(key), "LoadCredential=%s:", name);
    if (!find_in_unit(root, key, file))
        (void)snprintf(file, LINE_BYTES, SECRETS "%s", name);
}

/* The name behind a prefix for credentials, in a line of the configuration that is no comment. */
static bool credential_in(const char *line, char name[NAME_BYTES])
{
    static const char *const prefixes[] = {"$CREDENTIALS_DIRECTORY/", "${CREDENTIALS_DIRECTORY}/", "%d/"};
    const char *value = strchr(line, '=');
    size_t n;

    if (!value || line[strspn(line, " \t")] == '#' || line[strspn(line, " \t")] == ';')
        return false;
    value += 1 + strspn(value + 1, " \t");
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(value, prefixes[i], strlen(prefixes[i])) != 0)
            continue;
        value += strlen(prefixes[i]);
        n = strspn(value, NAME_LETTERS);
        (void)snprintf(name, NAME_BYTES, "%.*s", (int)n, value);
        return n;
    }
    return false;
}

bool unit_command_lacks(const char *text)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    const char *unread = strstr(text, CANNOT_READ);
    size_t n = folder ? strlen(folder) : 0;

    if (!n)
        return strstr(text, "CREDENTIALS_DIRECTORY is not set");
    return unread && strncmp(unread + strlen(CANNOT_READ), folder, n) == 0;
}

bool unit_command_has_credentials(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    return folder && *folder;
}

/* ---- run with them ---- */

struct unit_call {
    char *words[WORDS_MAX];
    size_t n;
    bool credential, failed;
};

static void add_word(struct unit_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_word(struct unit_call *c, const char *fmt, ...)
{
    char *word = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (c->n >= WORDS_MAX - 1 || vasprintf(&word, fmt, ap) < 0)
        c->failed = true;
    else
        c->words[c->n++] = word;
    va_end(ap);
}

/* A file that is not there is left to the command, which names the key and the line. */
static void add_credentials(struct unit_call *c, const char *conf_file)
{
    int fd = open(conf_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char line[LINE_BYTES], name[NAME_BYTES], file[LINE_BYTES];
    FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

    while (in && fgets(line, sizeof(line), in)) {
        if (!credential_in(line, name))
            continue;
        find_file("", name, file);
        if (access(file, R_OK) != 0)
            c->failed = true;
        c->credential = true;
        add_word(c, "--property=LoadCredential=%s:%s", name, file);
    }
    if (in)
        (void)fclose(in);
    else if (fd >= 0)
        (void)close(fd);
}

static void add_environment(struct unit_call *c)
{
    static const char *const passed[] = {"TERM", "NO_COLOR", "LANG", "LC_ALL"};

    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if (getenv(passed[i]))
            add_word(c, "--setenv=%s=%s", passed[i], getenv(passed[i]));
}

/* This program, and the words that it was started with. */
static void add_self(struct unit_call *c)
{
    char self[LINE_BYTES];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    FILE *in = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t size = 0;
    bool first = true;

    if (n <= 0 || !in)
        c->failed = true;
    else
        add_word(c, "%.*s", (int)n, self);
    while (in && getdelim(&word, &size, '\0', in) > 0) {
        if (!first)
            add_word(c, "%s", word);
        first = false;
    }
    free(word);
    if (in)
        (void)fclose(in);
}

void unit_command_run(const char *conf_file, bool as_gateway)
{
    struct unit_call c = {.n = 0};
    char capabilities[LINE_BYTES];

    if (geteuid() != 0 || unit_command_has_credentials() || *conf_file != '/' || access(BOOTED, F_OK) != 0)
        return;
    add_word(&c, SYSTEMD_RUN);
    for (size_t i = 0; i < sizeof(run_options) / sizeof(run_options[0]); i++)
        add_word(&c, "%s", run_options[i]);
    for (size_t i = 0; as_gateway && i < sizeof(user_options) / sizeof(user_options[0]); i++)
        add_word(&c, "%s", user_options[i]);
    if (as_gateway && find_in_unit("", CAPABILITIES, capabilities)) /* a port under 1024 needs one */
        add_word(&c, "--property=" CAPABILITIES "%s", capabilities);
    add_credentials(&c, conf_file);
    add_environment(&c);
    add_word(&c, "--");
    add_self(&c);
    if (c.credential && !c.failed)
        (void)execv(SYSTEMD_RUN, c.words); /* where it is not, the command goes on without */
    for (size_t i = 0; i < c.n; i++)
        free(c.words[i]);
}

/* ---- the line ---- */

void unit_command_write(struct buf *out, const char *root, const char *conf_file, const char *command)
{
    char line[LINE_BYTES], name[NAME_BYTES], file[LINE_BYTES], option[LINE_BYTES + 2 * NAME_BYTES];
    int fd = open(conf_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
    bool any = false;

    while (in && fgets(line, sizeof(line), in)) {
        if (!credential_in(line, name))
            continue;
        if (!any)
            (void)buf_str(out, "systemd-run --pipe --wait --collect -p User=jumpgate -p Group=jumpgate "
                               "-p SupplementaryGroups=jumpgate-clients");
        any = true;
        find_file(root, name, file);
        (void)snprintf(option, sizeof(option), " -p LoadCredential=%s:%s", name, file);
        const char *text = buf_cstr(out);
        if (text && !strstr(text, option))
            (void)buf_str(out, option);
    }
    if (in)
        (void)fclose(in);
    else if (fd >= 0)
        (void)close(fd);
    if (any)
        (void)buf_printf(out, " /usr/bin/jumpgate %s", command);
}

/* What this process was started with, behind its name. */
static void write_own_words(struct buf *out)
{
    FILE *in = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t size = 0;
    bool first = true;

    while (in && getdelim(&word, &size, '\0', in) > 0) {
        if (!first)
            (void)buf_printf(out, strpbrk(word, " \t\\\"$&;|<>()*?") ? "%s'%s'" : "%s%s", out->len ? " " : "",
                             word);
        first = false;
    }
    free(word);
    if (in)
        (void)fclose(in);
}

void unit_command_hint(const char *conf_file)
{
    struct buf line = BUF_INIT(OUT_MAX), words = BUF_INIT(OUT_MAX);

    write_own_words(&words);
    const char *command = buf_cstr(&words);

    if (command && !words.failed)
        unit_command_write(&line, "", conf_file, command);
    buf_free(&words);
    if (line.len && !line.failed)
        fprintf(stderr,
                "jumpgate: the configuration names credentials of the systemd unit. With them:\n  %.*s\n",
                (int)line.len, line.data);
    buf_free(&line);
}
