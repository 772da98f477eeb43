/*
 * hash_table.h - a hash table whose nodes live inside the objects it holds.
 *
 * A node costs 16 bytes and no allocation of its own, so an open lease stays small. The table knows neither
 * keys nor their comparison: the caller hashes, walks the few nodes with that hash and compares itself.
 *
 *     for (n = table_first(&t, hash); n; n = table_next(n))
 *         if (same(n, key)) ...
 *
 * Hashes are seeded at start, since session ids and user names come from outside. A table that cannot grow
 * for want of memory goes on with longer chains; only the very first entry can fail.
 */
#ifndef JG_BASE_HASH_TABLE_H
#define JG_BASE_HASH_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint32_t hash;
    uint32_t spare; /* the owner's, so that the padding is not lost */
};

struct table {
    struct table_node **slots;
    size_t nslots; /* a power of two, or 0 */
    size_t n;
};

void table_free(struct table *); /* the nodes are the caller's */
uint32_t table_hash(const void *bytes, size_t n);
uint32_t table_hash_person(const char *name); /* equal for names that are person_same() */
int table_add(struct table *, struct table_node *, uint32_t hash); /* 0 or -ENOMEM */
void table_remove(struct table *, struct table_node *);            /* it must be in */
struct table_node *table_first(const struct table *, uint32_t hash);
struct table_node *table_next(const struct table_node *); /* the next one of equal hash */
/* Calls fn for every node; fn may remove and free the node it is given, and no other. */
void table_each(struct table *, void (*fn)(struct table_node *, void *arg), void *arg);

#endif
