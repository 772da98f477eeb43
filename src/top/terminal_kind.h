/*
 * terminal_kind.h - is the terminal's kind known? In a file of its own, since <term.h> takes hundreds of
 * names.
 */
#ifndef JG_TOP_TERMINAL_KIND_H
#define JG_TOP_TERMINAL_KIND_H

#include <stdbool.h>

/* Is there a description of the terminal on standard output, by TERM, and can its cursor be placed? */
bool terminal_kind_is_known(void);

#endif
