/*
 * intent.h - a vault request that is about to be asked for, or was, with an unknown outcome.
 *
 * An intent exists from before POST Requests until its outcome is known. If the answer is lost it recovers:
 * it looks for its lease id in the reasons of the user's live requests and checks in what it finds.
 *
 *   intent_open() --answer read--> intent_close()
 *        |
 *        +--answer lost, or found in the store at the start
 *             |
 *             v
 *          recovery: attempt --found--> vault request of ours (kept by its holders, or checked in) --> closed
 *                      ^  |
 *                      +--+ not there, or the list could not be read: the next attempt, later
 */
#ifndef JG_BROKER_LEASES_INTENT_H
#define JG_BROKER_LEASES_INTENT_H

#include "backends/backend.h"

struct leases;
struct lease;
struct intent;

/*
 * Of a lease in state INTENT, whose `intent` it becomes. NULL = out of memory. `name` of the request: "" =
 * not known. `ends_ms`: monotonic end of what is asked for.
 */
struct intent *intent_open(struct leases *, struct lease *, struct vault *, const char *user,
                           const char *name, uint64_t ends_ms, int64_t expires_wall_ms);
/* The outcome is known, and the lease is the caller's to settle or to discard; NULL is fine. */
void intent_close(struct intent *);
/* The outcome is not known: intent and lease now belong to the lease table and settle themselves. */
void intent_recover(struct intent *);
/* The same for an intent of the store, from a later iteration on. */
void intent_restore(struct intent *);
/* Is this its request? By the mark in the reason, or by the account where the vault has cut the mark. */
bool intent_matches(const struct intent *, const struct active_request *);

#endif
