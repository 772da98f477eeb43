/*
 * checkin.h - checking a vault request in: repeated until the vault confirms it or the request has ended.
 *
 * The check-in belongs to the vault request, so it continues when the release or the check-out that caused
 * it has ended. An operation that waits for the outcome has a struct vault_request_watch in its own object.
 *
 * Life of a check-in: vault_request_check_in(), when the last holder is gone -> attempts -> every watch is
 * called and the vault request is freed. A check-in that is sent is not cancelled; before that,
 * vault_request_reopen() (lease_life.h) may stop it.
 *
 * Not here: the order in which the check-ins of a vault are sent (checkin_queue.h).
 */
#ifndef JG_BROKER_LEASES_CHECKIN_H
#define JG_BROKER_LEASES_CHECKIN_H

#include "broker/leases/lease_table.h"

/* Waits for the outcome of a check-in: called once, then unlinked; on_ended may watch again. */
struct vault_request_watch {
    /* ended: the vault request is gone; else the attempt failed, or another check-out has reopened it. */
    void (*on_ended)(struct vault_request_watch *, bool ended);
    struct vault_request *request; /* NULL = not watching */
    LIST_ENTRY(vault_request_watch) link;
};

/* Of a vault request that is HELD and has lost its last holder. `write_row`: a restart must not find it OPEN.
 */
void vault_request_check_in(struct vault_request *, bool write_row);
bool vault_request_in_flight(const struct vault_request *); /* a check-in is on its way, or in the queue */
/* A caller waits for the outcome: the next attempt is made now rather than later. */
void vault_request_hurry(struct vault_request *);
/* RETURNING only. False = it cannot be watched (out of memory). */
bool vault_request_watch(struct vault_request *, struct vault_request_watch *);
void vault_request_unwatch(struct vault_request_watch *); /* any number of times */
void vault_request_forget(struct vault_request *);        /* LAPSED: an operator has seen it */

#endif
