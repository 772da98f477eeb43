/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_table.c - chains of nodes in a power-of-two number of slots, at most one node per slot on average.
 *
 * FNV-1a with a random start does not resist a caller who measures times, but callers are authenticated
 * clients and a long chain costs time only, so a heavier hash would buy nothing.
 */
#include "base/hash_table.h"

#include "base/id.h"
#include "base/person.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_SLOTS 64

static uint64_t hash_seed(void)
{
    static uint64_t seed;

    if (!seed) {
        char id[ID_SIZE];

        seed = 1469598103934665603U;
        if (id_new(id) == 0)
            for (const char *p = id; *p; p++)
                seed = (seed ^ (unsigned char)*p) * 1099511628211U;
    }
    return seed;
}

uint32_t table_hash(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t h = hash_seed();

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211U;
    return (uint32_t)(h ^ (h >> 32));
}

uint32_t table_hash_person(const char *name)
{
    uint64_t h = person_hash(hash_seed(), name);

    return (uint32_t)(h ^ (h >> 32));
}

void table_free(struct table *t)
{
    free(t->slots);
    *t = (struct table){0};
}

static int grow(struct table *t)
{
    size_t nslots = t->nslots ? t->nslots * 2 : FIRST_SLOTS;
    struct table_node **slots = calloc(nslots, sizeof(struct table_node *));

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < t->nslots; i++) {
        for (struct table_node *node = t->slots[i], *next; node; node = next) {
            struct table_node **slot = &slots[node->hash & (nslots - 1)];

            next = node->next;
            node->next = *slot;
            *slot = node;
        }
    }
    free(t->slots);
    t->slots = slots;
    t->nslots = nslots;
    return 0;
}

int table_add(struct table *t, struct table_node *node, uint32_t hash)
{
    if (t->n >= t->nslots && grow(t) && !t->nslots)
        return -ENOMEM;
    struct table_node **slot = &t->slots[hash & (t->nslots - 1)];

    node->hash = hash;
    node->next = *slot;
    *slot = node;
    t->n++;
    return 0;
}

void table_remove(struct table *t, struct table_node *node)
{
    struct table_node **at = &t->slots[node->hash & (t->nslots - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    t->n--;
}

struct table_node *table_first(const struct table *t, uint32_t hash)
{
    struct table_node *node = t->nslots ? t->slots[hash & (t->nslots - 1)] : NULL;

    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_next(const struct table_node *node)
{
    struct table_node *next = node->next;

    while (next && next->hash != node->hash)
        next = next->next;
    return next;
}

void table_each(struct table *t, void (*fn)(struct table_node *, void *arg), void *arg)
{
    for (size_t i = 0; i < t->nslots; i++) {
        for (struct table_node *node = t->slots[i], *next; node; node = next) {
            next = node->next;
            fn(node, arg);
        }
    }
}
