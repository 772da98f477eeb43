/*
 * sender.h - outbound events over the network: one HTTP client for each recipient.
 *
 * It fills `send` and `forget` of struct outbound. Certificates are verified against the recipient's CA file,
 * else against the system's store. A recipient's events go out one after the other.
 */
#ifndef PRA_SIM_SENDER_H
#define PRA_SIM_SENDER_H

#include "loop/loop.h"
#include "pra-sim/site.h"

struct sender;

/* NULL = out of memory. */
struct sender *sender_new(struct loop *, struct site *);
/* The recipient's address or CA file has changed: the call in flight is cancelled. */
void sender_renew(struct sender *, struct recipient *);
/* Ends all connections; sender_idle() once they are gone. */
void sender_close(struct sender *);
bool sender_idle(const struct sender *);
void sender_free(struct sender *); /* NULL is fine */

#endif
