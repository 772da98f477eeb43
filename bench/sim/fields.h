/*
 * fields.h - reading the members of one JSON object, each only where it is given.
 *
 * The first mistake sticks in `rc` with its sentence in `why`; the rest is read on, the caller asks once.
 */
#ifndef SIM_FIELDS_H
#define SIM_FIELDS_H

#include "base/buf.h"

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct fields {
    const cJSON *entry;
    struct buf *why;
    int rc;
};

void fields_int(struct fields *, const char *name, int *out);
void fields_u64(struct fields *, const char *name, uint64_t *out);
void fields_bool(struct fields *, const char *name, bool *out);
void fields_text(struct fields *, const char *name, const char **out); /* points into the entry */
/* An ISO 8601 date, UTC, or null = 0; Unix milliseconds. */
void fields_date(struct fields *, const char *name, int64_t *out);
/* Says what is wrong or missing; returns the error. */
int fields_missing(struct fields *, const char *what);

#endif
