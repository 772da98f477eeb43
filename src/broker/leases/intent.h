/*
 * intent.h - a vault request that is about to be asked for, or was, with an answer we never saw.
 *
 * An intent exists from before POST Requests until what became of it is known. If that is not known it
 * recovers: it looks for its lease id in the reasons of the user's live requests and gives back what it
 * finds.
 */
#ifndef JG_BROKER_LEASES_INTENT_H
#define JG_BROKER_LEASES_INTENT_H

#include "backends/backend.h"
#include "base/id.h"

#include <sys/queue.h>

struct leases;
struct lease;
struct intent;

/* What the vault's list of live requests said to a recovery. */
enum intent_news { INTENT_NOT_THERE, INTENT_NOT_READ };

struct intent_link {
    LIST_ENTRY(intent_link) link; /* of those that wait for the same list: reconcile.c */
    bool linked;
};

/*
 * Of a lease in state INTENT, whose `intent` it becomes. NULL = out of memory. `ends_ms`: monotonic end of
 * what is asked for.
 */
struct intent *intent_open(struct leases *, struct lease *, struct vault *, const char *user,
                           uint64_t ends_ms, int64_t expires_wall_ms);
/* The outcome is known, and the lease is the caller's to settle or to discard; NULL is fine. */
void intent_close(struct intent *);
/* The outcome is not known: intent and lease now belong to the lease table and settle themselves. */
void intent_recover(struct intent *);
/* The same for one of the store, from the next turn on. */
void intent_restore(struct intent *);

struct vault *intent_vault(const struct intent *);
const char *intent_user(const struct intent *);
int64_t intent_expires(const struct intent *);
/* The number that the request has if it is at this vault: request_identity.c. 0 = not known. */
int64_t intent_request_id(const struct intent *);
void intent_expect(struct intent *, int64_t request_id);

/* ---- for reconcile.c ---- */

struct intent_link *intent_link(struct intent *);
struct intent *intent_of_link(struct intent_link *);
/* Is this its request? By the mark in the reason, or by the account where the vault has cut the mark. */
bool intent_matches(const struct intent *, const struct active_request *);
void intent_found(struct intent *,
                  int64_t request_id); /* gives it back, or proves a vault request ours; ends it */
void intent_not_found(struct intent *, enum intent_news); /* may end it */

#endif
