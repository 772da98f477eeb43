/*
 * knobs.h - tables of those behaviours that only the simulated product's vendor knows.
 *
 * A row is one question with its possible answers. Value 0 is always the default, so a zeroed array of values
 * is the default product. Options and admin ports name a row `knob`.
 */
#ifndef SIM_KNOBS_H
#define SIM_KNOBS_H

#include "base/buf.h"

#define KNOB_VALUES 10

struct knob_row {
    const char *name; /* NULL = its number */
    const char *question;
    const char *values[KNOB_VALUES]; /* the first is the default; NULL = no more */
};

struct knob_table {
    const struct knob_row *rows; /* one without a question is no knob */
    size_t n;
};

/* Name and value in any letter case; 0 or -EINVAL. */
int knob_set(const struct knob_table *, int *values, const char *name, const char *value);
/* "NAME=VALUE"; 0 or -EINVAL. */
int knob_set_text(const struct knob_table *, int *values, const char *text);
/* One line for each row. */
void knob_help(const struct knob_table *, struct buf *);

#endif
