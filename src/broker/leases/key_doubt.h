/*
 * key_doubt.h - what may still happen to a key whose calls were lost, and so whose turn it is (keyed.h).
 */
#ifndef JG_BROKER_LEASES_KEY_DOUBT_H
#define JG_BROKER_LEASES_KEY_DOUBT_H

#include "broker/leases/lease_table.h"

/* For so long a call whose answer was lost may take effect. */
uint64_t keyed_settle_ms(const struct vault_request *);
/* The answer of a check-out was lost just now. Without memory that is not kept. */
void keyed_doubt_checkout(struct vault_request *);
/* The same of a check-in, or of a spin. */
void keyed_doubt_checkin(struct vault_request *);
/* May one still arrive? */
bool keyed_checkout_may_arrive(const struct vault_request *);
bool keyed_checkin_may_arrive(const struct vault_request *);

/* What a check-out that wants the key does. */
enum key_turn {
    KEY_JOIN,      /* it is held: one holder more */
    KEY_TAKE_OVER, /* an earlier check-out may have made it: the same request is asked for again */
    KEY_TAKE_BACK, /* it was given back, and its spin has not been sent: it is asked for again */
    KEY_REFUSED,   /* it is held, and is not given twice, or would be for no time */
    KEY_WAIT       /* something is under way, or may still take effect */
};
/* *wait_ms: KEY_WAIT: at least so long, as far as it is known. */
enum key_turn keyed_turn(const struct vault_request *, uint64_t *wait_ms);

/* Made under another sign-in name than the vault's is now: it is not that one's to give back. */
bool keyed_is_of_other_identity(const struct vault_request *);
/* The vault must have ended it by itself, and no check-in may arrive any more. */
bool keyed_is_past_life(const struct vault_request *);
/* When its last lease ends at the latest: one vault minute before the vault ends it. INT64_MAX = never. */
int64_t keyed_latest_end(const struct vault_request *);

#endif
