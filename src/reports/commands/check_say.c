/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_say.c - one line of `check --connect`; see check_say.h.
 */
#include "reports/commands/check_say.h"

#include "commands/line/terminal.h"

#include <stdarg.h>
#include <stdio.h>

bool check_say(bool good, const char *what, const char *topic, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    terminal_text(stdout, what);
    printf(": %s: ", topic);
    terminal_text(stdout, text);
    putchar('\n');
    return good;
}
