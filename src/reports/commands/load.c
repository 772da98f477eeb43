/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - the configuration of a command, and its times; see load.h.
 */
#include "reports/commands/load.h"

#include "commands/line/findings.h"
#include "commands/line/terminal.h"
#include "reports/query/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ERRORS_MAX (1U << 20)

/* Is it about a credential that the command does not have? */
static bool lacks_credential(const struct findings *found)
{
    for (size_t i = 0; i < found->n; i++)
        if (strstr(found->list[i].text, "CREDENTIALS_DIRECTORY is not set"))
            return true;
    return false;
}

static void say_credentials(void)
{
    fprintf(stderr,
            "%s: a command outside of the service has no credentials. As root, systemd-run gives them:\n"
            "  systemd-run --pipe --wait --quiet -p DynamicUser=yes -p User=%s -p StateDirectory=%s \\\n"
            "      -p SupplementaryGroups=jumpgate -p LoadCredential=NAME:FILE ... %s COMMAND\n"
            "with NAME:FILE as in the lines LoadCredential= of `systemctl cat %s`\n",
            command_program()->name, command_program()->name, command_program()->name,
            command_program()->name, command_program()->name);
}

struct reports_conf *reports_load(const char *path, enum reports_files files)
{
    struct buf lines = BUF_INIT(ERRORS_MAX), out = BUF_INIT(ERRORS_MAX);
    struct findings found = {0};
    struct reports_conf *conf = NULL;
    int err = reports_conf_load(path, files, &conf, &lines);

    findings_take_lines(&found, path, &lines);
    if (err && !found.mistakes)
        findings_mistake(&found, 0, NULL, err, "cannot be used: %s", strerror(-err));
    findings_print(&found, path, &out);
    if (out.len)
        (void)fwrite(out.data, 1, out.len, stderr);
    if (lacks_credential(&found))
        say_credentials();
    findings_free(&found);
    buf_free(&out);
    buf_free(&lines);
    return conf;
}

int reports_moment(const struct command_args *args, const char *flag, int64_t *when)
{
    const char *text = args_value(args, flag);

    return !text || moment_read(text, time(NULL), when) ? EXIT_DONE
                                                        : args_wrong(args, "%s " MOMENT_NEEDS, flag);
}

int reports_failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: ", command_program()->name);
    terminal_text(stderr, what);
    fputs(": ", stderr);
    terminal_text(stderr, why);
    fputc('\n', stderr);
    return EXIT_FAILED;
}
