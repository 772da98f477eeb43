/*
 * known_users.h - vault users for whom this gateway has had vault requests, so that a vault can be asked for
 * their lists although the store has no request of theirs: it was restored from an older backup, or the
 * gateway was fenced.
 *
 * A user is watched for some rounds of the comparison (reconcile.h), so that a request of the cluster is seen
 * in two lists. Only where the store is shared: a store of the gateway's own loses no row without the
 * gateway.
 */
#ifndef JG_BROKER_LEASES_KNOWN_USERS_H
#define JG_BROKER_LEASES_KNOWN_USERS_H

#include <stddef.h>

struct leases;
struct vault;

/* A request of this user is in the table, or is to come into it. */
void known_users_note(struct leases *, struct vault *, const char *user);
/* Its list is asked for in the next rounds. */
void known_users_watch(struct leases *, struct vault *, const char *user);
/* All that are known; how many. */
size_t known_users_watch_all(struct leases *);
/* A round begins: the lists of those that are watched belong to it. How many are watched further. */
size_t known_users_expect(struct leases *);
void known_users_free(struct leases *);

#endif
