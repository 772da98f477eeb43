/*
 * intent.h - a vault request that is about to be asked for, or was, with an answer we never saw.
 *
 * An intent exists from before POST Requests until what became of it is known. If that is not known it hunts:
 * it looks for its lease id in the reasons of the user's live requests and gives back what it finds.
 */
#ifndef JG_BROKER_INTENT_H
#define JG_BROKER_INTENT_H

#include "backends/backend.h"
#include "base/id.h"

struct leases;
struct intent;

/* NULL = out of memory. `ends_ms`: monotonic end of what is asked for. */
struct intent *intent_open(struct leases *, struct vault *, const char *user, const char lease_id[ID_SIZE],
                           uint64_t ends_ms, int64_t expires_wall_ms);
void intent_close(struct intent *); /* the outcome is known; NULL is fine */
/* The outcome is not known: the intent now belongs to the lease table and settles itself. */
void intent_hunt(struct intent *);
/* Is this the lease id of an intent, that is of a request of ours that nobody holds yet? */
bool intent_known(const struct leases *, const char lease_id[ID_SIZE]);
void intents_free(struct leases *); /* cancels hunts */

#endif
