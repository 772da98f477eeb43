/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal_kind.c - is the terminal's kind known, and can it show a screen? See terminal_kind.h.
 */
#include "top/terminal_kind.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

bool terminal_kind_is_known(void)
{
    int found;

    if (setupterm(NULL, STDOUT_FILENO, &found) == ERR)
        return false;
    bool places = cursor_address && *cursor_address; /* a dumb terminal has no cursor to place */
    (void)del_curterm(cur_term);
    return places;
}
