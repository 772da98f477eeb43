/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.c - the terminal of the live screen; see terminal.h.
 *
 * Colours are the terminal's own eight on its own background, so that they fit a dark and a light one.
 * Without colours bold, underline and reverse remain.
 */
#include "top/terminal.h"

#include "top/keys.h"
#include "top/terminal_kind.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CTRL_L 0x0c

static SCREEN *terminal;
static bool coloured;

static void set_colours(void)
{
    static const short colours[NSTYLES] = {
        [STYLE_GOOD] = COLOR_GREEN, [STYLE_WARN] = COLOR_YELLOW, [STYLE_BAD] = COLOR_RED};

    if (!has_colors() || start_color() == ERR || use_default_colors() == ERR)
        return;
    coloured = true;
    for (int i = 0; i < NSTYLES; i++)
        if (colours[i])
            (void)init_pair((short)i, colours[i], -1);
}

bool terminal_open(bool colours)
{
    if (!terminal_kind_is_known()) /* newterm() keeps memory where it fails */
        return false;
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return false;
    (void)set_term(terminal);
    coloured = false;
    if (colours)
        set_colours();
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)curs_set(0);
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(25);
    return true;
}

void terminal_close(void)
{
    if (!terminal)
        return;
    (void)endwin();
    delscreen(terminal);
    terminal = NULL;
}

void terminal_size(size_t *rows, size_t *cols)
{
    *rows = (size_t)getmaxy(stdscr);
    *cols = (size_t)getmaxx(stdscr);
}

void terminal_resized(void)
{
    struct winsize size;

    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
        (void)resizeterm(size.ws_row, size.ws_col);
}

/* ---- output ---- */

static attr_t attributes_of(enum style style)
{
    static const attr_t attributes[NSTYLES] = {
        [STYLE_STRONG] = A_BOLD, [STYLE_HEAD] = A_BOLD | A_UNDERLINE, [STYLE_DIM] = A_DIM,
        [STYLE_BAD] = A_BOLD,    [STYLE_SELECTED] = A_REVERSE,
    };

    return attributes[style];
}

static void set_style(enum style style)
{
    bool pair = coloured && (style == STYLE_GOOD || style == STYLE_WARN || style == STYLE_BAD);

    (void)attr_set(attributes_of(style), (short)(pair ? style : 0), NULL);
}

static void show_line(int y, const struct screen_line *line)
{
    size_t from = 0;

    (void)move(y, 0);
    set_style(STYLE_PLAIN);
    for (size_t i = 0; i <= line->nspans; i++) {
        size_t to = i < line->nspans ? line->spans[i].at : line->text.len;

        if (to > from)
            (void)addnstr(line->text.data + from, (int)(to - from));
        from = to;
        if (i < line->nspans)
            set_style(line->spans[i].style);
    }
    set_style(STYLE_PLAIN);
}

void terminal_show(const struct screen *s)
{
    (void)erase();
    for (size_t y = 0; y < s->n; y++)
        show_line((int)y, &s->lines[y]);
    (void)wnoutrefresh(stdscr);
    (void)doupdate();
}

/* ---- input ---- */

static uint32_t function_key(wint_t code)
{
    static const struct {
        wint_t code;
        uint32_t key;
    } keys[] = {
        {KEY_UP, KEY_UP_},     {KEY_DOWN, KEY_DOWN_}, {KEY_PPAGE, KEY_PAGE_UP_},  {KEY_NPAGE, KEY_PAGE_DOWN_},
        {KEY_HOME, KEY_HOME_}, {KEY_END, KEY_END_},   {KEY_BACKSPACE, KEY_BACK_}, {KEY_ENTER, KEY_ENTER_},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].code == code)
            return keys[i].key;
    return KEY_NONE_;
}

uint32_t terminal_key(void)
{
    wint_t code;

    for (;;) {
        int kind = get_wch(&code);

        if (kind == ERR)
            return KEY_NONE_;
        if (kind == OK && code != CTRL_L)
            return (uint32_t)code;
        if (kind == OK)
            (void)clearok(curscr, TRUE);
        else if (function_key(code))
            return function_key(code);
    }
}
