/*
 * lists.h - data by JSON: an object of named lists, each read by a function of the simulator.
 *
 * The lists are applied in the order of the table, so that entries may name what comes before them. What was
 * applied before a mistake stays. All: 0, or -EINVAL, -ENOMEM and a message in `why`.
 */
#ifndef SIM_LISTS_H
#define SIM_LISTS_H

#include "base/buf.h"

#include <cJSON.h>
#include <stddef.h>

struct list_row {
    const char *name;
    int (*apply)(void *model, const cJSON *entry, struct buf *why);
};

struct list_table {
    const struct list_row *rows;
    size_t n;
};

/* One list by name, its entries in an array or a single object. */
int lists_apply_one(const struct list_table *, void *model, const char *list, const cJSON *entries,
                    struct buf *why);
int lists_apply(const struct list_table *, void *model, const cJSON *scenario, struct buf *why);
int lists_load_text(const struct list_table *, void *model, const char *text, size_t len, struct buf *why);
int lists_load_file(const struct list_table *, void *model, const char *path, struct buf *why);

#endif
