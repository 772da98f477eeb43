/*
 * lease_index.h - every lease there is, whatever its state: by id, and in order of creation.
 *
 * The order has sequence numbers that never change, so that a reader may walk it in pages while leases come
 * and go. An id that has left the table is remembered for a while: a vault request that bears it is still
 * known as ours (contract 9.13).
 */
#ifndef JG_BROKER_LEASES_LEASE_INDEX_H
#define JG_BROKER_LEASES_LEASE_INDEX_H

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lease;

/* A place in the order. A hole keeps the number that was there, as an odd value no pointer has. */
union lease_index_place {
    struct lease *lease;
    uint64_t hole; /* number * 2 + 1 */
};

struct lease_index {
    union lease_index_place *order;
    size_t n, cap; /* entries in order, holes included */
    size_t live;
    uint64_t seq;    /* the last one given */
    uint32_t *slots; /* by id: place in order + 1, 0 = free, SLOT_LEFT = was used */
    size_t nslots, used;
    uint32_t *remembered; /* by hash; a newer id may push an older one out */
};

void lease_index_free(struct lease_index *);                   /* the leases are the caller's */
int lease_index_add(struct lease_index *, struct lease *);     /* 0 or -ENOMEM */
void lease_index_remove(struct lease_index *, struct lease *); /* it must be in */
struct lease *lease_index_find(const struct lease_index *, const char id[ID_SIZE]);
void lease_index_remember(struct lease_index *, const char id[ID_SIZE]);
/* Is it the id of a lease of ours, of now or of not long ago? */
bool lease_index_knows(const struct lease_index *, const char id[ID_SIZE]);
/* The first lease created after `seq` (0 = the oldest), and its own number; NULL = none. */
struct lease *lease_index_after(const struct lease_index *, uint64_t seq, uint64_t *own);

#endif
