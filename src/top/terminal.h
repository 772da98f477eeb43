/*
 * terminal.h - the terminal on which the live screen is shown; the only part that uses ncurses.
 *
 * Life: terminal_open() -> terminal_show(), terminal_key() -> terminal_close(), which restores the terminal
 * as it was. One at a time. ncurses sends to the terminal what differs from the screen before, and nothing
 * else.
 *
 * The caller keeps the signals; after SIGWINCH it calls terminal_resized().
 */
#ifndef JG_TOP_TERMINAL_H
#define JG_TOP_TERMINAL_H

#include "top/screen.h"

#include <stdint.h>

/* Takes over the terminal on standard input and output. False = its kind (TERM) is not known. */
bool terminal_open(bool colours);
void terminal_close(void); /* one that is not open is fine */
void terminal_size(size_t *rows, size_t *cols);
void terminal_resized(void);
void terminal_show(const struct screen *);
/* The next key that was pressed (keys.h); 0 = none. */
uint32_t terminal_key(void);

#endif
