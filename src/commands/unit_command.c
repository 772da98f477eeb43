/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_command.c - the line for a command that needs the unit's credentials; see unit_command.h.
 *
 * The names come from the configuration ($CREDENTIALS_DIRECTORY/NAME), the files from the LoadCredential=
 * lines of the unit and of its drop-ins; a name without such a line is taken from the directory of the
 * package.
 */
#include "commands/unit_command.h"

#include "conf/conf.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES   4096
#define NAME_BYTES   256
#define SECRETS      "/etc/jumpgate/secrets/"
#define OUT_MAX      (64 * 1024)
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* Later files win, as for systemd. */
static const char *const unit_files[] = {
    "/lib/systemd/system/jumpgate.service",          "/usr/lib/systemd/system/jumpgate.service",
    "/etc/systemd/system/jumpgate.service",          "/usr/lib/systemd/system/jumpgate.service.d/*.conf",
    "/etc/systemd/system/jumpgate.service.d/*.conf", "/run/systemd/system/jumpgate.service.d/*.conf",
};

/* LoadCredential=NAME:FILE of one file. */
static bool find_in_file(const char *path, const char *name, char file[LINE_BYTES])
{
    static const char key[] = "LoadCredential=";
    char line[LINE_BYTES];
    FILE *in = fopen(path, "re");
    size_t n = strlen(name);
    bool found = false;

    while (in && fgets(line, sizeof(line), in)) {
        const char *value = line + sizeof(key) - 1;

        if (strncmp(line, key, sizeof(key) - 1) != 0 || strncmp(value, name, n) != 0 || value[n] != ':')
            continue;
        (void)snprintf(file, LINE_BYTES, "%.*s", (int)strcspn(value + n + 1, "\r\n"), value + n + 1);
        found = true;
    }
    if (in)
        (void)fclose(in);
    return found;
}

static void find_file(const char *root, const char *name, char file[LINE_BYTES])
{
    char pattern[LINE_BYTES];

    (void)snprintf(file, LINE_BYTES, SECRETS "%s", name);
    for (size_t i = 0; i < sizeof(unit_files) / sizeof(unit_files[0]); i++) {
        glob_t all;

        (void)snprintf(pattern, sizeof(pattern), "%s%s", root, unit_files[i]);
        if (glob(pattern, 0, NULL, &all) != 0)
            continue;
        for (size_t k = 0; k < all.gl_pathc; k++)
            (void)find_in_file(all.gl_pathv[k], name, file);
        globfree(&all);
    }
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

void unit_command_write(struct buf *out, const char *root, const char *conf_file, const char *command)
{
    const char *has = getenv("CREDENTIALS_DIRECTORY");
    char line[LINE_BYTES], name[NAME_BYTES], file[LINE_BYTES], option[LINE_BYTES + 2 * NAME_BYTES];
    int fd = has && *has ? -1 : open(conf_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

void unit_command_hint(const char *conf_file, const char *command)
{
    struct buf line = BUF_INIT(OUT_MAX);

    unit_command_write(&line, "", conf_file, command);
    if (line.len && !line.failed)
        fprintf(
            stderr,
            "jumpgate: the configuration names credentials of the systemd unit, which this command was not "
            "given. With them:\n  %.*s\n",
            (int)line.len, line.data);
    buf_free(&line);
}
