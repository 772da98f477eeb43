/* SPDX-License-Identifier: Apache-2.0 */
/* counts.c - see the header. */
#include "counts.h"

#include "base/uthash_nofail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 64

struct count {
    char name[NAME_SIZE];
    uint64_t n;
    UT_hash_handle hh;
};

struct counts {
    struct count *table;
};

struct counts *counts_new(void)
{
    struct counts *c = calloc(1, sizeof *c);

    if (!c)
        abort();
    return c;
}

void counts_free(struct counts *c)
{
    struct count *row, *next;

    HASH_ITER(hh, c->table, row, next)
    {
        HASH_DEL(c->table, row);
        free(row);
    }
    free(c);
}

static void add(struct counts *c, const char *name, uint64_t n)
{
    struct count *row = NULL;

    HASH_FIND_STR(c->table, name, row);
    if (!row) {
        row = calloc(1, sizeof *row);
        if (!row)
            abort();
        (void)snprintf(row->name, sizeof row->name, "%s", name);
        HASH_ADD_STR(c->table, name, row);
        if (!row->hh.tbl)
            abort();
    }
    row->n += n;
}

void counts_add(struct counts *c, uint64_t n, const char *name, ...)
{
    char text[NAME_SIZE];
    va_list ap;

    va_start(ap, name);
    (void)vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    add(c, text, n);
}

uint64_t counts_get(const struct counts *c, const char *name)
{
    struct count *row = NULL;

    HASH_FIND_STR(c->table, name, row);
    return row ? row->n : 0;
}

void counts_merge(struct counts *to, const struct counts *from)
{
    for (const struct count *row = from->table; row; row = row->hh.next)
        add(to, row->name, row->n);
}

static int by_name(const struct count *a, const struct count *b)
{
    return strcmp(a->name, b->name);
}

void counts_write(struct counts *c, FILE *to)
{
    HASH_SORT(c->table, by_name);
    for (const struct count *row = c->table; row; row = row->hh.next)
        (void)fprintf(to, "%-40s %" PRIu64 "\n", row->name, row->n);
}

void counts_read(struct counts *c, FILE *from)
{
    char name[NAME_SIZE];
    uint64_t n;

    while (fscanf(from, "%63s %" SCNu64, name, &n) == 2)
        add(c, name, n);
}
