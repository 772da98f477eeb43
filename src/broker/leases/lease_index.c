/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_index.c - a hash by id that keeps the order of creation, and the ids of the past; see lease_index.h.
 *
 * The past ids are a direct-mapped cache of hashes: constant size, and the last tens of thousands of leases
 * are nearly all in it. The slot is one part of the hash, the value in it another: 48 bits of it count. An id
 * that is pushed out only costs the recognition of a stray request that turns up long after its lease has
 * ended.
 */
#include "broker/leases/lease_index.h"

#include "base/uthash_nofail.h"
#include "broker/leases/lease_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAST_IDS 65536U

void lease_index_free(struct lease_index *index)
{
    HASH_CLEAR(hh, index->by_id);
    free(index->past);
    *index = (struct lease_index){0};
}

int lease_index_add(struct lease_index *index, struct lease *lease)
{
    lease->number = ++index->last_number;
    HASH_ADD(hh, index->by_id, id, strlen(lease->id), lease);
    return lease->hh.tbl ? 0 : -ENOMEM;
}

void lease_index_remove(struct lease_index *index, struct lease *lease)
{
    if (index->next == lease)
        index->next = lease->hh.next;
    HASH_DEL(index->by_id, lease);
}

struct lease *lease_index_find(const struct lease_index *index, const char *id)
{
    struct lease *lease;

    HASH_FIND(hh, index->by_id, id, strlen(id), lease);
    return lease;
}

/* ---- the walk ---- */

void lease_index_walk(struct lease_index *index, uint64_t after)
{
    index->next = index->by_id;
    while (index->next && index->next->number <= after)
        index->next = index->next->hh.next;
}

struct lease *lease_index_next(struct lease_index *index)
{
    struct lease *lease = index->next;

    if (lease)
        index->next = lease->hh.next;
    return lease;
}

/* ---- ids of the past ---- */

static uint64_t id_hash(const char id[ID_SIZE])
{
    uint64_t h = 1469598103934665603U;

    for (const char *p = id; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211U;
    return h ^ (h >> 29);
}

void lease_index_remember(struct lease_index *index, const char id[ID_SIZE])
{
    uint64_t h = id_hash(id);

    if (!index->past)
        index->past = calloc(PAST_IDS, sizeof *index->past);
    if (index->past)
        index->past[h % PAST_IDS] = (uint32_t)(h >> 32);
}

bool lease_index_knows(const struct lease_index *index, const char id[ID_SIZE])
{
    uint64_t h = id_hash(id);

    return lease_index_find(index, id) || (index->past && index->past[h % PAST_IDS] == (uint32_t)(h >> 32));
}
