/*
 * by_hand.h - an operator checks a credential in of which the gateway has no row (keyed.h): after its store
 * was lost nothing tells what it had checked out.
 *
 * The vault request is held by no one from its beginning on. It has a row before the check-in is sent, so a
 * restart goes on with it, and check-outs of the key wait for it.
 */
#ifndef JG_BROKER_LEASES_BY_HAND_H
#define JG_BROKER_LEASES_BY_HAND_H

#include "broker/leases/lease_table.h"

/*
 * The key has no record. The handle is taken over, also where this fails. The vault request is being given
 * back, and still there when this returns. NULL = out of memory, and nothing is sent.
 */
struct vault_request *return_by_hand(struct leases *, struct vault *, const char *credential_id,
                                     const char *key, char *handle);

#endif
