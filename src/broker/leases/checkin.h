/*
 * checkin.h - checking a vault request in: repeated until the vault confirms it or the request has ended.
 *
 * The check-in belongs to the vault request, so it continues when the release or the check-out that caused
 * it has ended. An operation that waits for the outcome has a struct vault_request_watch in its own object.
 *
 * It is the states VR_QUEUED, VR_CHECKING_IN and VR_RETRY (request_states.h). A check-in that is sent is not
 * cancelled.
 *
 * Not here: the order in which the check-ins of a vault are sent (checkin_queue.h).
 */
#ifndef JG_BROKER_LEASES_CHECKIN_H
#define JG_BROKER_LEASES_CHECKIN_H

#include "broker/leases/lease_table.h"

/* Waits for the outcome of a check-in: called once, then unlinked; on_ended may watch again. */
struct vault_request_watch {
    /* ended: the vault request is gone; else an attempt has failed. */
    void (*on_ended)(struct vault_request_watch *, bool ended);
    struct vault_request *request; /* NULL = not watching */
    LIST_ENTRY(vault_request_watch) link;
};

struct watch_list;

/* Its last holder has gone: a caller waits for the outcome, unless its time or its session has ended. */
void vault_request_note_haste(struct vault_request *);
/* A caller waits for the outcome: the next attempt is made now rather than later. */
void vault_request_hurry(struct vault_request *);
/* Of one that is being given back. False = it cannot be watched (out of memory). */
bool vault_request_watch(struct vault_request *, struct vault_request_watch *);
void vault_request_unwatch(struct vault_request_watch *); /* any number of times */
/* Why its last attempt has failed; never freed. */
const char *vault_request_checkin_error(const struct vault_request *);
/* Aside, since those that are called watch again, unlink each other, or are freed. */
void vault_request_move_watches(struct vault_request *, struct watch_list *to);
/* Each one is unlinked before it is called, and may watch again. */
void watch_list_notify(struct watch_list *, bool ended);
/* VR_LAPSED: an operator has seen it. */
void vault_request_forget(struct vault_request *);

#endif
