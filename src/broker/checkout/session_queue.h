/*
 * session_queue.h - the check-outs in flight of each session, one at a time for each credential.
 */
#ifndef JG_BROKER_CHECKOUT_SESSION_QUEUE_H
#define JG_BROKER_CHECKOUT_SESSION_QUEUE_H

#include "broker/checkout/checkout.h"

int session_queue_join(struct checkout *); /* before it begins; 0 or -ENOMEM */
/* Done or given up: the next one of the credential may begin. Any number of times. */
void session_queue_leave(struct checkout *);
/* The session's first; the others follow by `of_queue`. */
struct checkout *session_queue_first(const struct broker *, const struct session_leases *);

#endif
