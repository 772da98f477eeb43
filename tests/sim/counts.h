/*
 * counts.h - how often what has happened, by name: the holes in what the seeds reach are seen here.
 */
#ifndef JG_TESTS_SIM_COUNTS_H
#define JG_TESTS_SIM_COUNTS_H

#include <stdint.h>
#include <stdio.h>

struct counts;

struct counts *counts_new(void);
void counts_free(struct counts *);
/* Adds to the count of this name, which printf() makes. */
void counts_add(struct counts *, uint64_t n, const char *name, ...) __attribute__((format(printf, 3, 4)));
uint64_t counts_get(const struct counts *, const char *name);
void counts_merge(struct counts *to, const struct counts *from);
/* In the order of the names, one a line: `name number`, and back. */
void counts_write(struct counts *, FILE *);
void counts_read(struct counts *, FILE *);

#endif
