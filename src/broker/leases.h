/*
 * leases.h - the inside of the lease table; for lease.c, loan.c, checkin.c and intent.c alone.
 */
#ifndef JG_BROKER_LEASES_H
#define JG_BROKER_LEASES_H

#include "broker/intent.h"
#include "broker/lease.h"

struct leases {
    struct timers *timers;
    const struct clock *clock;
    struct table sittings, loans, intents;
    size_t nleases;
    size_t in_flight; /* check-ins and hunts on their way */
    size_t retrying;  /* loans that wait for their next attempt */
    size_t hunts;
    bool closing; /* release_on_stop */
    struct leases_counters counters;
    uint64_t random;
};

enum lease_change {
    LEASE_OPENED,    /* a session got a lease */
    LEASE_CLOSED,    /* it ended */
    LOAN_CHECKED_IN, /* the vault confirmed */
    LOAN_ALREADY_GONE,
    LOAN_LAPSED,    /* the vault's own expiry came first */
    LOAN_FORGOTTEN, /* not ours to give back, or known to be gone */
};

/* The one place where the table's changes are told: counters and the debug log now, a store later. */
void leases_tell(struct leases *, enum lease_change, const struct loan *, const struct lease *);
/* Takes it out of the table, tells who watches, frees it. */
void loan_end(struct loan *, enum lease_change how);
/* Back-off for attempt n (1, 2, …): doubling from half a second to a minute, the last quarter at random. */
uint64_t leases_backoff(struct leases *, unsigned attempt);

#endif
