/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal_kind.c - is the terminal's kind known? See terminal_kind.h.
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
    (void)del_curterm(cur_term);
    return true;
}
