/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_index.c - a hash by id that keeps the order of creation; see lease_index.h.
 */
#include "broker/leases/lease_index.h"

#include "base/uthash_nofail.h"
#include "broker/leases/lease_table.h"

#include <errno.h>
#include <string.h>

void lease_index_free(struct lease_index *index)
{
    HASH_CLEAR(hh, index->by_id);
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
