/*
 * key_due.h - how many check-ins a keyed request needs (vault_can.checkins_each): as many as check-outs of it
 * were answered or lost, or are on their way, less those that the vault has confirmed.
 *
 * The row has the number before a further check-out is sent (row_count()), so that a restart knows it. A row
 * that has none is of a time when it was not counted: such a request is checked in until the vault says that
 * it has gone. Where it is too high, since the process has ended before a check-out was sent, the vault says
 * the same before the last one.
 */
#ifndef JG_BROKER_LEASES_KEY_DUE_H
#define JG_BROKER_LEASES_KEY_DUE_H

#include "broker/leases/lease_table.h"

uint32_t keyed_due(const struct vault_request *); /* 0 = not known, or not counted */
/* A further check-out is about to be sent. False = they are not counted. */
bool keyed_count(struct vault_request *);
/* It has certainly not happened. */
void keyed_uncount(struct vault_request *);
/* Nothing of it is checked out any more: what is due is that of the next check-out. */
void keyed_given_back(struct vault_request *);
/* The vault has confirmed n check-ins, and the request has not ended by it. */
void keyed_checked_in(struct vault_request *, uint32_t n);

#endif
