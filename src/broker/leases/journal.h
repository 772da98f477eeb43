/*
 * journal.h - the broker's side of the lease store: which rows must be durable, and whether they are yet.
 *
 * The lease table says what the row of a lease is to be; the journal sees to it that the store has it. Per
 * lease id at most one write is committing and one waits, the latest: a row that it replaces is never
 * written. A journal line exists only while its row is not durable as last given, so an open lease at rest
 * costs nothing here.
 *
 *   put / remove --> queued --> committing --written--> freed: durable (queued again after another put)
 *                      ^            |failed
 *                      +--- stuck <-+   tried again when the store can write
 *
 * All lines that are queued are one commit of the store, so a row that takes over from another is durable no
 * later than the removal of that other, in whatever order they were put (as long as the store does not fail).
 * A row that a check-out waits for is committed at once or with its batch (base/queue/group_commit.h). The
 * row of a lease that ends is delayed: it is often replaced soon, and journal_await() ends the delay. Without
 * a store everything is durable at once.
 *
 * The cursor of a PRA site is a line as well, so it is durable no earlier than every row put before it.
 */
#ifndef JG_BROKER_LEASES_JOURNAL_H
#define JG_BROKER_LEASES_JOURNAL_H

#include "base/timers.h"
#include "stores/store.h"

struct journal;
struct journal_line;

struct journal_wait {
    void (*done)(struct journal_wait *, int err); /* 0 = durable; -errno = the store failed for now */
    struct journal_line *line;                    /* NULL = not waiting */
    LIST_ENTRY(journal_wait) link;
};

struct journal *journal_new(struct timers *, struct store *); /* store may be NULL; NULL = out of memory */
/* What is queued or on its way goes on by itself; what is stuck is lost, as in a crash. NULL is fine. */
void journal_free(struct journal *);
/* Reads all rows. Rows that are put meanwhile are kept until this ends. 0 or -errno. */
int journal_load(struct journal *, int (*row)(void *arg, const struct lease_row *), void *arg);
/* The cursors, likewise. */
int journal_load_cursors(struct journal *, int (*row)(void *arg, const struct cursor_row *), void *arg);
bool journal_writable(const struct journal *);
bool journal_quiet(const struct journal *); /* nothing is queued or on its way */
size_t journal_stuck(const struct journal *);

/* The row is copied. 0 or -ENOMEM (then the store keeps what it has). */
int journal_put(struct journal *, const struct lease_row *) __attribute__((warn_unused_result));
void journal_remove(struct journal *, const char *id);
/*
 * The row is copied. 0 or -ENOMEM: also after a row was lost for want of memory, since the cursor may not
 * cover an end that the store does not have. The next process then looks further back.
 */
int journal_put_cursor(struct journal *, const struct cursor_row *) __attribute__((warn_unused_result));
/* 0 = durable already, 1 = `done` will be called (not before this returns), -EIO = the store cannot write. */
int journal_await(struct journal *, const char *id, struct journal_wait *,
                  void (*done)(struct journal_wait *, int err));
/* The same for all that has been put or removed so far. */
int journal_await_all(struct journal *, struct journal_wait *, void (*done)(struct journal_wait *, int err));
void journal_unwait(struct journal_wait *); /* any number of times */

#endif
