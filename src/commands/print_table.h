/*
 * print_table.h - aligned columns on standard output.
 *
 * Rows are kept until the end, so that every column is as wide as its widest cell; the last column is not
 * padded, and columns are two blanks apart. Cells may hold texts of any origin (terminal.h). An empty cell is
 * written as `-`, so that columns can be counted.
 *
 * Life: print_table_start() -> print_table_cell() for each cell, row by row -> print_table_end() or
 * print_table_drop().
 */
#ifndef JG_COMMANDS_PRINT_TABLE_H
#define JG_COMMANDS_PRINT_TABLE_H

#include "base/buf.h"
#include "commands/line/terminal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PRINT_TABLE_COLUMNS 16

struct print_table {
    const char *const *titles; /* NULL = none */
    size_t columns, n;         /* cells so far */
    unsigned indent;           /* blanks before each row */
    bool failed;               /* out of memory */
    struct buf cells;          /* of each its style, its text and a NUL */
    size_t width[PRINT_TABLE_COLUMNS];
};

/* `titles` outlive the table. */
struct print_table print_table_start(const char *const *titles, size_t columns);
/* The next cell. NULL is empty. */
void print_table_cell(struct print_table *, enum terminal_style, const char *text);
void print_table_cellf(struct print_table *, enum terminal_style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes all and frees. 0 or -ENOMEM. */
int print_table_end(struct print_table *, FILE *);
void print_table_drop(struct print_table *);

#endif
