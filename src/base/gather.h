/*
 * gather.h - when a commit begins, so that those who wait for the disk at the same time share one.
 *
 *   gather_add() --> waits --go()--> flies --gather_landed()--> …
 *
 * A flush costs the same for one record as for a hundred, in time and in changes of threads. Whoever is alone
 * flies at once. Where several were on their way together last time, the next flight waits until as many have
 * come again, GATHER_MS at most. What nobody awaits takes the next flight that goes anyway, or after
 * a while one of its own: until then its owner may replace it by something newer. One flight at a time.
 *
 * The owner keeps what waits; here it is only counted. go() takes all of it, and gather_landed() follows when
 * it has become durable or failed, never from within go(). It returns false if there was nothing to take.
 */
#ifndef JG_BASE_GATHER_H
#define JG_BASE_GATHER_H

#include "base/timers.h"

#define GATHER_MS 2

struct gather {
    /* the owner's */
    struct timers *timers;
    bool (*go)(struct gather *);
    uint64_t linger_ms;       /* how long what nobody awaits waits for company */
    uint64_t linger_alone_ms; /* where there was none lately */
    /* private */
    struct deadline due;
    bool flying, any;      /* something waits */
    size_t awaited, flown; /* what somebody awaits: waiting, on its way */
    size_t crowd;          /* awaited by several at once, when the last one landed */
};

/* Something more waits, or somebody awaits now what waited already. May call go(). */
void gather_add(struct gather *, bool awaited);
void gather_landed(struct gather *); /* may call go() */
void gather_stop(struct gather *);   /* no more go(); any number of times */

#endif
