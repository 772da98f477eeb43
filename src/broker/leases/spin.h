/*
 * spin.h - what follows the confirmed check-in of a vault request whose secret was handed out: the vault is
 * asked to change the password (vault_ops.after_checkin).
 *
 *   checking_in --confirmed, its secret was handed out--> spin_due --its delay--> spin_queued --> spinning
 *                                                          ^   ^                   |               | | |
 *                                                          |   +-- certainly not done, up to 5 times |
 *   asked <--a check-out takes it back, before it is sent--+-----------------------+               | |
 *                                                          |          ended, or quiet <--accepted----+ |
 *                                                          +--confirmed-- queued (check-in) <--answer lost
 *
 * Only a key that comes again has a spin (keyed.h), and in the states of this file nothing is checked out.
 * Its row is SPINNING. Before the call is sent the row says so (SPIN_SENT), so that a restart knows whether a
 * call may still arrive: then the key takes no check-out until a further check-in is confirmed and `settle`
 * has passed, as after an answer that was lost.
 *
 * What is due stays due through a check-out that takes it back, and through the loss of an answer
 * (vault_request.spin). It ends accepted, or failed: after the last repetition, where another identity has
 * the credential, or where the vault changes no password any more.
 *
 * Not here: whether one is due, and when (spin_debt.h); the check-out's side (checkout/turn.c); what keys
 * wait for (key_doubt.h).
 */
#ifndef JG_BROKER_LEASES_SPIN_H
#define JG_BROKER_LEASES_SPIN_H

#include "broker/leases/lease_table.h"
#include "broker/leases/request_states.h"

/* Nothing of it has been sent: a check-out may take it back. */
static inline bool spin_is_to_come(const struct vault_request *r)
{
    return r->state == VR_SPIN_DUE || r->state == VR_SPIN_QUEUED;
}

static inline bool spin_is_under_way(const struct vault_request *r)
{
    return spin_is_to_come(r) || r->state == VR_SPINNING;
}

/* A check-out wants the key: takes the call back where certainly nothing of it has reached the vault. */
void spin_recall(struct vault_request *);
/* spin_is_to_come(): the check-out that asks holds the request from now on. VR_ASKED. */
void spin_take_back(struct vault_request *);
/* Its row was SPINNING. `delay_ms`: before a check-in that is due now. */
void spin_restored(struct vault_request *, uint64_t delay_ms);

#endif
