/*
 * reconcile.h - comparing what we believe with what the vault says is checked out.
 */
#ifndef JG_BROKER_LEASES_RECONCILE_H
#define JG_BROKER_LEASES_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

struct active_request;
struct leases;
struct intent;
struct reconcile;
struct vault;

/* `every_ms` 0 = only at the start; `per_s` 0 = no limit. NULL = out of memory. */
struct reconcile *reconcile_new(struct leases *, uint64_t every_ms, double per_s);
void reconcile_free(struct reconcile *); /* cancels what is on its way; NULL is fine */
/* Everything is in the table: the first round follows. 0 or -ENOMEM. */
int reconcile_start(struct reconcile *);
/* A hunt wants to see its user's list: a call sent from now on. intent_found() or intent_not_found() follows.
 */
void reconcile_ask(struct reconcile *, struct intent *);
/* A request of ours that nobody holds: it goes back. `mark`: the lease id in its reason. */
void reconcile_stray(struct leases *, struct vault *, const char *user, const struct active_request *,
                     const char *mark);
void reconcile_leave(struct reconcile *, struct intent *); /* any number of times */

#endif
