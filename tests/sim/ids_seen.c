/* SPDX-License-Identifier: Apache-2.0 */
/* ids_seen.c - see the header. */
#include "ids_seen.h"

#include "base/id.h"
#include "base/uthash_nofail.h"

#include <stdio.h>
#include <stdlib.h>

struct id_seen {
    char id[ID_SIZE];
    UT_hash_handle hh;
};

bool ids_seen_has(const struct id_seen *set, const char *id)
{
    const struct id_seen *seen = NULL;

    HASH_FIND_STR(set, id, seen);
    return seen;
}

void ids_seen_add(struct id_seen **set, const char *id)
{
    if (ids_seen_has(*set, id))
        return;
    struct id_seen *seen = calloc(1, sizeof *seen), *all = *set;

    if (!seen)
        abort();
    (void)snprintf(seen->id, sizeof seen->id, "%s", id);
    HASH_ADD_STR(all, id, seen);
    if (!seen->hh.tbl)
        abort();
    *set = all;
}

void ids_seen_free(struct id_seen **set)
{
    struct id_seen *seen, *next, *all = *set;

    HASH_ITER(hh, all, seen, next)
    {
        HASH_DEL(all, seen);
        free(seen);
    }
    *set = NULL;
}
