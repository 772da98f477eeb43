/*
 * journal.h - gathers the steps of the lease table into commits of the store, and says what is durable.
 *
 * A step is never replaced and never overtakes another, but for two: a STEP_RETURN that is still queued when
 * its request ends becomes the STEP_CLOSE, since both would be in one commit; and a step that is put with
 * journal_put_recorded() waits for the audit trail, while others pass it. All steps that are queued are one
 * commit of the store, and one commit is under way at a time.
 *
 *   put --> queued --> given to the store --applied--> freed: durable
 *             ^            |  \--otherwise--> logged: the lease table and the store differ
 *             |            v
 *             +-------- away: kept, before all newer ones, and given again when the store can write
 *                         \--a check-out waits for it (STEP_ASK, STEP_AGAIN)--> given up: it never happens
 *
 * A step that is put with a wait is committed at once or with its batch (base/queue/group_commit.h). The
 * others are delayed: the end of a lease is awaited by few. journal_await_all() ends the delay. A table at
 * rest costs nothing here. Without a store everything is durable at once.
 *
 * A shared store (stores/store.h) itself waits until it can write: the queue is never stuck there, and what
 * is OTHERWISE or was fenced is for those that wait (`step`, -ECANCELED), and no fault of the table.
 *
 * The cursor of a PRA site is a step as well, so it is durable no earlier than every step put before it.
 */
#ifndef JG_BROKER_LEASES_JOURNAL_H
#define JG_BROKER_LEASES_JOURNAL_H

#include "base/timers.h"
#include "broker/audit.h"
#include "stores/store.h"

struct journal;
struct journal_entry;

struct journal_wait {
    /* 0 = durable; -errno = the store failed for now; -ESTALE = the step was not as expected; -ECANCELED =
     * the gateway was fenced, or the step was not sent in time: it never happens. */
    void (*done)(struct journal_wait *, int err);
    const struct store_step *step; /* in done(), of a shared store: with the rows as they are now */
    bool follows;                  /* it is called when the step has happened or never will, and not before */
    struct journal_entry *entry;   /* NULL = not waiting */
    LIST_ENTRY(journal_wait) link;
};

struct journal *journal_new(struct timers *, struct store *); /* store may be NULL; NULL = out of memory */
/* What is queued goes to the store; what the store cannot write is lost, as in a crash. NULL is fine. */
void journal_free(struct journal *);
/* Reads all rows. Steps that are put meanwhile are kept until this ends. 0 or -errno. */
int journal_load(struct journal *, const struct store_reader *, void *arg);
bool journal_writable(const struct journal *);
bool journal_quiet(const struct journal *);       /* nothing waits or is on its way, but for what is stuck */
size_t journal_stuck(const struct journal *);     /* steps that wait until the store can write */
uint64_t journal_refused(const struct journal *); /* steps so far whose rows were not as expected */

/*
 * The step and its texts are copied. 0 = durable already, 1 = queued: `wait`, if not NULL, will be called
 * (not before this returns). -EIO = the store cannot write, so `wait` will not be called; the step is kept
 * for later, but for one that is given up. -ENOMEM, also for a cursor after another step was lost for want of
 * memory: it may not cover an end that the store does not have.
 */
int journal_put(struct journal *, const struct store_step *, struct journal_wait *wait,
                void (*done)(struct journal_wait *, int err));
/*
 * Puts the last step of a request, or the one before it, when all records that the trail has taken by now are
 * on disk: whoever owns the row after a kill writes its record then. These steps keep their order. After ten
 * seconds the step is put all the same; at once, where the trail cannot be written and need not be. No
 * operation waits for it, nor does journal_await_all(). `audit` may be NULL. 0, 1 or -ENOMEM.
 */
int journal_put_recorded(struct journal *, const struct store_step *, struct audit *);
/* Puts a STEP_RETURN, which no operation waits for: `wait`, which waits for nothing, follows it until it is
 * durable. 0, 1 or -ENOMEM. */
int journal_put_return(struct journal *, const struct store_step *, struct journal_wait *wait);
/* The request has ended: its STEP_RETURN becomes a STEP_CLOSE. False = it is not queued any more. */
bool journal_close_returned(struct journal_wait *);
/* Of a shared store: the gateway was fenced. What is queued never happens; -ECANCELED for all that waits. */
void journal_void(struct journal *);
void journal_resume(struct journal *); /* the store may take steps again: what is kept is given now */
/* For all that has been put so far. 0 = durable already, 1 = `done` will be called, -EIO = the store cannot
 * write. */
int journal_await_all(struct journal *, struct journal_wait *, void (*done)(struct journal_wait *, int err));
void journal_unwait(struct journal_wait *); /* any number of times */

#endif
