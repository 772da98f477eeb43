/*
 * lease_life.h - how leases begin and end, and the vault requests with them.
 *
 *   lease_intend() --> lease_settle() --> lease_open() --release, end of time, "gone"--> lease_close()
 *
 * A lease is ended at once: what takes time, the check-in, is the vault request's (checkin.h).
 */
#ifndef JG_BROKER_LEASES_LEASE_LIFE_H
#define JG_BROKER_LEASES_LEASE_LIFE_H

#include "broker/leases/lease_table.h"

/* ---- leases ---- */

/* A lease in state INTENT that has no row yet. NULL = out of memory. */
struct lease *lease_intend(struct leases *, const struct session *, const char *credential_id,
                           const char id[ID_SIZE]);
/* The request id is known: the row becomes OPEN. The check-out still holds the vault request. 0 or -ENOMEM.
 */
int lease_settle(struct lease *, struct vault_request *);
/* The request turned out dead: the lease is an INTENT again, without intent as yet. */
void lease_unsettle(struct lease *);
/* The hold of a check-out on the vault request becomes the session's lease. */
void lease_open(struct lease *);
/* The same where the session has a lease on this request already: the hold ends. */
void lease_join(struct lease *);
/* Ends an open lease; the vault request is checked in if that was its last holder. `why` is for log and
 * audit. */
void lease_close(struct lease *, const char *why);

/* The same for a lease whose PRA session has ended. */
void lease_close_ended(struct lease *, const struct session_end *);

/* ---- vault requests ---- */

/* Sets the end and starts the timed release. `ends_ms` is monotonic. */
void vault_request_set_end(struct vault_request *, uint64_t ends_ms, int64_t expires_wall_ms);
/*
 * Ends its leases if its time is over but its timer has not fired yet. False = its time is not over; after
 * true the vault request may be gone.
 */
bool vault_request_expire(struct vault_request *);
/*
 * One check-out less holds it; the last holder's going ends it. `lease`, if not NULL, is the one that
 * check-out had settled or meant to: it becomes the vault request's cover, or is discarded.
 */
void vault_request_unhold(struct vault_request *, struct lease *);
/* A vault request that waits for its next attempt is HELD again, by one check-out. False = it is too late. */
bool vault_request_reopen(struct vault_request *);

#endif
