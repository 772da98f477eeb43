/*
 * recovery.h - looking for a vault request at the vault: one of unknown outcome, or of which it is not known
 * whose it is.
 *
 * If the answer to POST Requests is lost, the request is looked for among its user's live requests, by its
 * mark, and checked in where it is found. So is one that was restored and whose section leads to another
 * vault than before, by its name and a mark of the gateway.
 *
 *   looking --found--> queued: it is checked in; or ended: another record has it, and is thereby proven
 *     ^  |             then look_later once more, where a repeat of the call may still arrive
 *     |  |
 *     |  +--not there, or the list could not be read--> look_later --+
 *     +--------------------------------------------------------------+
 *
 * Not here: the lists themselves; one serves all that wait for the same user's (active_requests.h).
 */
#ifndef JG_BROKER_LEASES_RECOVERY_H
#define JG_BROKER_LEASES_RECOVERY_H

#include "broker/leases/lease_table.h"

/* Of one without holders: it belongs to the lease table, and settles itself. */
void vault_request_recover(struct vault_request *);
/* The same for one of the store, from a later iteration on. */
void vault_request_recover_later(struct vault_request *);
/* A sending of the call that asked for it may still arrive: unless its check-in is confirmed later than that,
 * its row stays at its end, and it is looked for once more. */
void vault_request_doubt(struct vault_request *);
/* Is this the request that its check-out has asked for? By the mark in the reason, or by the account where
 * the vault has cut the mark. */
bool vault_request_matches(const struct vault_request *, const struct active_request *);

#endif
