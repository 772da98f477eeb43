/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_command.c - `jumpgate reports`: session reports are a program of their own, jumpgate-reports; see
 * commands.h.
 *
 * It is the file beside this one and no other: no search path is asked. Its libraries (ODBC, expat, ZIP, time
 * zones) are never in the gateway's process.
 */
#include "commands/commands.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "jumpgate-reports"

/* The file beside this program. */
static bool find_program(char path[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    if (n < 0 || (size_t)n >= sizeof(own) - 1)
        return false;
    own[n] = '\0';
    slash = strrchr(own, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    n = snprintf(path, PATH_MAX, "%s" NAME, own);
    return n > 0 && n < PATH_MAX;
}

int command_reports_exec(char **words)
{
    char path[PATH_MAX];

    if (!find_program(path)) {
        fputs("jumpgate: cannot tell where this program is\n", stderr);
        return EXIT_FAILED;
    }
    /* `words` begin with the word "reports", which gives way to the program's name. */
    words[0] = (char[]){NAME};
    (void)execv(path, words);
    if (errno == ENOENT)
        fprintf(stderr,
                "jumpgate: session reports are not installed: there is no %s (package jumpgate-reports)\n",
                path);
    else
        fprintf(stderr, "jumpgate: cannot run %s: %s\n", path, strerror(errno));
    return EXIT_FAILED;
}
