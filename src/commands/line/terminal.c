/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.c - is a person looking, and what is different then; see terminal.h.
 */
#include "commands/line/terminal.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ANSWER_SIZE 16

bool terminal_is(FILE *out)
{
    return isatty(fileno(out)) == 1;
}

unsigned terminal_width(FILE *out)
{
    struct winsize size = {0};

    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool terminal_colours(FILE *out)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");

    return terminal_is(out) && !(off && *off) && term && *term && strcmp(term, "dumb") != 0;
}

const char *terminal_code(bool colours, enum terminal_style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_TITLE] = "\033[1m", [STYLE_GOOD] = "\033[32m",
        [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",  [STYLE_DIM] = "\033[2m",
    };

    return colours ? codes[style] : "";
}

void terminal_text(FILE *out, const char *text)
{
    struct buf visible = BUF_INIT(SIZE_MAX / 2);

    utf8_visible(&visible, text, strlen(text));
    if (!visible.failed)
        (void)fwrite(visible.data, 1, visible.len, out);
    else
        (void)fputs("(out of memory)", out);
    buf_free(&visible);
}

void terminal_styled(FILE *out, enum terminal_style style, const char *text)
{
    bool colours = style != STYLE_PLAIN && terminal_colours(out);

    fputs(terminal_code(colours, style), out);
    terminal_text(out, text);
    fputs(terminal_code(colours, STYLE_PLAIN), out);
}

bool terminal_can_ask(void)
{
    return terminal_is(stdin) && terminal_is(stderr);
}

bool terminal_ask(const char *question)
{
    char answer[ANSWER_SIZE];

    if (!terminal_can_ask())
        return false;
    fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    if (!fgets(answer, sizeof(answer), stdin))
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
