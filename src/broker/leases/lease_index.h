/*
 * lease_index.h - every lease there is, whatever its state: by id, and in order of creation.
 *
 * Each lease gets a number that never changes, so that a reader may walk the order in pages while leases come
 * and go.
 */
#ifndef JG_BROKER_LEASES_LEASE_INDEX_H
#define JG_BROKER_LEASES_LEASE_INDEX_H

#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

struct lease;

struct lease_index {
    struct lease *by_id;  /* a hash that keeps the order in which leases were added */
    struct lease *next;   /* of the walk */
    uint64_t last_number; /* the last one given */
};

void lease_index_free(struct lease_index *);                   /* the leases are the caller's */
int lease_index_add(struct lease_index *, struct lease *);     /* 0 or -ENOMEM */
void lease_index_remove(struct lease_index *, struct lease *); /* it must be in */
struct lease *lease_index_find(const struct lease_index *, const char *id);
/*
 * A walk over the leases with a number above `after`, oldest first. Any lease may be added or removed between
 * two steps. One walk at a time.
 */
void lease_index_walk(struct lease_index *, uint64_t after);
struct lease *lease_index_next(struct lease_index *); /* NULL = the walk is over */

#endif
