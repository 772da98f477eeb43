/*
 * group_commit.h - when a commit begins, so that those who wait for the disk at the same time share one.
 *
 *   group_commit_add() --> waits --go()--> flies --gather_landed()--> …
 *
 * A flush costs the same for one record as for a hundred, in time and in changes of threads. Whoever is alone
 * flies at once. Where several were on their way together last time, the next flight waits until as many have
 * come again, GROUP_COMMIT_WAIT_MS at most. What nobody awaits takes the next flight that goes anyway, or
 * after a while one of its own: until then its owner may replace it by something newer. One flight at a time.
 *
 * The owner keeps what waits; here it is only counted. go() takes all of it, and group_commit_done() follows
 * when it has become durable or failed, never from within go(). It returns false if there was nothing to
 * take.
 */
#ifndef JG_BASE_QUEUE_GROUP_COMMIT_H
#define JG_BASE_QUEUE_GROUP_COMMIT_H

#include "base/timers.h"

#define GROUP_COMMIT_WAIT_MS 2

struct group_commit {
    /* the owner's */
    struct timers *timers;
    bool (*go)(struct group_commit *);
    uint64_t delay_ms;       /* how long what nobody awaits waits for company */
    uint64_t delay_alone_ms; /* where there was none lately */
    /* private */
    struct deadline due;
    bool committing, any;  /* something waits */
    size_t awaited, batch; /* what somebody awaits: waiting, on its way */
    size_t expected;       /* awaited by several at once, when the last one landed */
};

/* Something more waits, or somebody awaits now what waited already. May call go(). */
void group_commit_add(struct group_commit *, bool awaited);
void group_commit_done(struct group_commit *); /* may call go() */
void group_commit_stop(struct group_commit *); /* no more go(); any number of times */

#endif
