/*
 * lease_life.h - how leases begin and end, and what that does to their vault requests.
 *
 *   lease_ask() --> lease_settle() --> lease_open() --release, end of time, "gone"--> lease_close()
 *
 * A lease is ended at once: what takes time, the check-in, is the vault request's (checkin.h).
 */
#ifndef JG_BROKER_LEASES_LEASE_LIFE_H
#define JG_BROKER_LEASES_LEASE_LIFE_H

#include "broker/leases/lease_table.h"

struct journal_wait;

/* ---- leases ---- */

/*
 * A lease in state ASKING with a vault request of its own (VR_ASKED), which the check-out holds. `user`: who
 * is to ask. `ends_ms`: monotonic end of what is asked for. NULL = out of memory.
 */
struct lease *lease_ask(struct leases *, const struct lease_args *, struct vault *, const char *user);
/* The same for a vault request that is there and that the check-out holds. */
struct lease *lease_claim(struct vault_request *, const struct lease_args *);
/*
 * The vault request that the check-out holds is known: its row is put, as journal_put() does. It may be
 * another one than the lease's own, which then ends.
 */
int lease_settle(struct lease *, struct vault_request *, struct journal_wait *,
                 void (*done)(struct journal_wait *, int err));
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

/* HELD: its leases end after this time; another state: nothing. */
void vault_request_hold_for(struct vault_request *, uint64_t delay_ms);
/* Closes all its leases; it may be gone afterwards. `why` as in lease_close(). */
void vault_request_close_leases(struct vault_request *, const char *why);
/* Sets the end. `ends_ms` is monotonic. */
void vault_request_set_end(struct vault_request *, uint64_t ends_ms, int64_t expires_wall_ms);
/*
 * Ends its leases if its time is over but its timer has not fired yet. False = its time is not over; after
 * true the vault request may be gone.
 */
bool vault_request_expire(struct vault_request *);
/* Of a request whose key comes again: the lease's own end, as above. That of its request is no earlier. */
void keyed_set_end(struct lease *, uint64_t ends_ms, int64_t expires_wall_ms);
/* HELD: its deadline is that of the next lease to end. */
void keyed_arm(struct vault_request *);
/*
 * One check-out less holds it; the last holder's going ends it. `lease`, if not NULL, is the one that has
 * held it or was settled on it: it ends with that.
 */
void vault_request_unhold(struct vault_request *, struct lease *);
/* The hold of its own check-out ends, and certainly nothing is at the vault for it. */
void vault_request_withdraw(struct vault_request *);

#endif
