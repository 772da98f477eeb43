/*
 * keyed.h - vault requests whose key is known before the check-out and comes again (vault_can.keys_are_unique
 * is false): one check-out of a key at a time.
 *
 *   (none) --check-out--> asked --answered--> held --last holder gone--> queued, checking_in, retry
 *                          ^  |                 |                             |
 *                          |  +--answer lost    +--a read's answer lost       +--confirmed--> ended; or,
 * where taken    |  v                 v                                  an earlier answer was over settling
 * ----after `settle`----> queued                 lost, quiet --> ended
 *
 * The vault tells of no live requests, so what a lost check-out has made is given back by its key. A call
 * whose answer was lost may take effect until `settle` has passed: no check-in is sent while a check-out may
 * still arrive, and no check-out while a check-in may. So the record stays, and with it the row, until
 * neither can happen any more, and whoever wants the key waits for it (struct key_wait).
 *
 * Leases of such a request have each an end of their own (lease.ends_ms); the end of the last one begins the
 * check-in.
 *
 * Not here: the spin that may follow a confirmed check-in (spin.h); the doubt, and whose turn it is
 * (key_doubt.h); ends of leases (lease_life.h); the check-out's side (checkout/turn.c); the calls themselves
 * (checkin.c).
 */
#ifndef JG_BROKER_LEASES_KEYED_H
#define JG_BROKER_LEASES_KEYED_H

#include "broker/leases/lease_table.h"
#include "broker/leases/request_states.h"

/* SETTLING: the check-out that asks holds it from now on. */
void keyed_take_over(struct vault_request *);
/* The last holder has gone; `lease` as in vault_request_unhold(). */
void keyed_last_holder_gone(struct vault_request *, struct lease *);
/* Nothing is known of what the vault has: after keyed_doubt_checkout(). */
void keyed_recover(struct vault_request *);
/* It is being given back: an operator may give it up. */
bool keyed_is_droppable(const struct vault_request *);
/* That is done: true = a call is under way, after which it goes. It may be gone afterwards. */
bool keyed_drop(struct vault_request *);

#endif
