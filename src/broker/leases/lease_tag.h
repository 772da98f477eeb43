/*
 * lease_tag.h - which lease ids are the gateway's own.
 *
 * All lease ids of a store begin with its tag, five letters that are drawn once. So the mark in the reason of
 * a vault request tells whose it is, however old the request is and whatever process made it. The ids of a
 * version that had no tags are known one by one, as far as a row of the store or the audit trail has named
 * them at the start.
 *
 * Life cycle: lease_tag_load() before any lease is made -> lease_tag_free().
 */
#ifndef JG_BROKER_LEASES_LEASE_TAG_H
#define JG_BROKER_LEASES_LEASE_TAG_H

#include "base/id.h"

struct store;
struct untagged_id;

struct lease_tag {
    char letters[ID_TAG_SIZE];
    struct untagged_id *untagged; /* a hash by id */
};

/* The store's tag; one is drawn where it has none, or where there is no store (NULL). 0 or -errno. A shared
 * store's is set when the gateway has joined: until then no id has a tag. */
int lease_tag_load(struct lease_tag *, struct store *);
void lease_tag_set(struct lease_tag *, const char *letters);
void lease_tag_free(struct lease_tag *);
/* A lease had this id: it is the gateway's own. Without memory an id without the tag is not known. */
void lease_tag_learn(struct lease_tag *, const char *id);
bool lease_tag_is_own(const struct lease_tag *, const char *id);

#endif
