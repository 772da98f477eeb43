/*
 * group_commit.h - when a commit begins, so that records that wait for the disk at the same time share one
 * flush.
 *
 *   group_commit_add() --> waiting --commit()--> batch under way --group_commit_done()--> ...
 *
 * The idea: a flush costs the same for one record as for a hundred, in time and in changes of threads. A
 * record that is alone is committed at once. Where the last batch had several awaited records, the next batch
 * begins when as many wait again, or after GROUP_COMMIT_WAIT_MS. A record that no caller awaits joins the
 * next batch; if there is none within its delay, it gets a batch of its own. Until then its owner may replace
 * it by something newer.
 *
 * Invariant: one batch is under way at a time.
 *
 * Not here: the records. The owner keeps them; here they are only counted. commit() takes all of them and
 * returns false if there are none. group_commit_done() follows when they are durable or have failed, never
 * from within commit().
 */
#ifndef JG_BASE_QUEUE_GROUP_COMMIT_H
#define JG_BASE_QUEUE_GROUP_COMMIT_H

#include "base/timers.h"

#define GROUP_COMMIT_WAIT_MS 2

struct group_commit {
    /* the owner's */
    struct timers *timers;
    bool (*commit)(struct group_commit *);
    uint64_t delay_ms; /* that a record which no caller awaits waits for a batch */
    /* private */
    struct deadline due;
    bool committing, any;  /* a record waits */
    size_t awaited, batch; /* awaited records: waiting, under way */
    size_t expected;       /* awaited records of the last batch, with those added while it was under way */
};

/* One more record waits, or a caller begins to await one that waits already. May call commit(). */
void group_commit_add(struct group_commit *, bool awaited);
void group_commit_done(struct group_commit *); /* may call commit() */
void group_commit_stop(struct group_commit *); /* no more commit(); any number of times */

#endif
