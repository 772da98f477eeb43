/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_tag.c - which lease ids are the gateway's own; see lease_tag.h.
 */
#include "broker/leases/lease_tag.h"

#include "base/uthash_nofail.h"
#include "stores/store.h"

#include <stdlib.h>
#include <string.h>

struct untagged_id {
    UT_hash_handle hh;
    char id[ID_SIZE];
};

void lease_tag_set(struct lease_tag *t, const char *letters)
{
    if (strlen(letters) == ID_TAG_SIZE - 1)
        memcpy(t->letters, letters, ID_TAG_SIZE);
}

int lease_tag_load(struct lease_tag *t, struct store *store)
{
    const char *kept = store ? store->ops->tag(store) : "";
    char id[ID_SIZE];

    *t = (struct lease_tag){.untagged = NULL};
    if (store_is_shared(store))
        return 0;
    if (strlen(kept) == ID_TAG_SIZE - 1) {
        memcpy(t->letters, kept, ID_TAG_SIZE);
        return 0;
    }
    int err = id_new(id);

    if (err)
        return err;
    (void)id_tag(id, t->letters);
    return store && store->ops->set_tag ? store->ops->set_tag(store, t->letters) : 0;
}

void lease_tag_free(struct lease_tag *t)
{
    struct untagged_id *one, *next;

    HASH_ITER(hh, t->untagged, one, next)
    {
        HASH_DEL(t->untagged, one);
        free(one);
    }
}

static bool has_tag(const struct lease_tag *t, const char *id)
{
    return strlen(id) == ID_SIZE - 1 && memcmp(id, t->letters, ID_TAG_SIZE - 1) == 0;
}

static struct untagged_id *find(const struct lease_tag *t, const char *id)
{
    struct untagged_id *found;

    HASH_FIND(hh, t->untagged, id, strlen(id), found);
    return found;
}

void lease_tag_learn(struct lease_tag *t, const char *id)
{
    if (strlen(id) != ID_SIZE - 1 || lease_tag_is_own(t, id))
        return;
    struct untagged_id *one = calloc(1, sizeof *one);

    if (!one)
        return;
    memcpy(one->id, id, ID_SIZE);
    HASH_ADD(hh, t->untagged, id, ID_SIZE - 1, one);
    if (!one->hh.tbl)
        free(one);
}

bool lease_tag_is_own(const struct lease_tag *t, const char *id)
{
    return has_tag(t, id) || find(t, id);
}
