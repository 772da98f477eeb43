/*
 * reconcile.h - the comparison of the lease table with the vaults' own lists of live requests: what the vault
 * still lists for no lease is checked in, what it lists no more is closed (the rules are in reconcile.c).
 *
 * Life: reconcile_new() -> reconcile_start() begins the first round -> one round each `every_ms` ->
 * reconcile_free(). It owns no list; active_requests.h reads the lists and calls reconcile_owner()'s
 * functions.
 */
#ifndef JG_BROKER_LEASES_RECONCILE_H
#define JG_BROKER_LEASES_RECONCILE_H

#include <stdint.h>

struct active_request;
struct active_requests_owner;
struct leases;
struct reconcile;
struct vault;

/* `every_ms` 0 = only at the start. NULL = out of memory. */
struct reconcile *reconcile_new(struct leases *, uint64_t every_ms);
void reconcile_free(struct reconcile *); /* NULL is fine */
/* What judges the lists that are read. */
struct active_requests_owner *reconcile_owner(struct reconcile *);
/* The table is complete: the first round follows. */
void reconcile_start(struct reconcile *);
/* A round begins now. */
void reconcile_hurry(struct reconcile *);
/* A request of the gateway that is not in the table: it is checked in. `mark`: the lease id in its reason. */
void reconcile_stray(struct leases *, struct vault *, const char *user, const struct active_request *,
                     const char *mark);

#endif
