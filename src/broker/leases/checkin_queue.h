/*
 * checkin_queue.h - the check-ins of one vault that wait for their turn.
 *
 * When a hundred thousand leases end at once (a vault that was away, the end of a shift, a restart) their
 * check-ins must neither flood the vault nor make one user wait for all the others. So a bounded number of
 * check-ins is on its way to a vault at any time, each vault has a queue of its own, and within the queue the
 * users are served in turn (base/queue/fair_queue.h). A check-in whose outcome a caller waits for is put
 * first among the check-ins of its user, and that user first in the queue. A quarter of the places at the
 * vault is kept for those, so that check-ins that are in no hurry never make an operation wait for a slow
 * vault.
 *
 * Life cycle of an item: join --> start() --> done; checkin_queue_leave() takes it out before.
 *
 * Not here: what a check-in does (checkin.c).
 */
#ifndef JG_BROKER_LEASES_CHECKIN_QUEUE_H
#define JG_BROKER_LEASES_CHECKIN_QUEUE_H

#include "base/queue/fair_queue.h"

#include <stdbool.h>
#include <stddef.h>

struct checkin_queue_user;
struct conf_vault;

/*
 * Check-ins on their way to one vault at a time: this many, or a third of its connections where that is more.
 * A check-out takes two calls and its check-in one, so with less the check-ins of a busy vault would fall
 * behind. Never more than the vault has connections: the time of a call also runs while it waits for one.
 */
#define CHECKINS_IN_FLIGHT 16

struct checkin_queue {
    const struct conf_vault *conf;
    bool running;
    size_t in_flight;
    struct checkin_queue_user *users; /* those with an item in the queue */
    struct fair_queue fair_queue;
};

/* Embedded in a check-in. */
struct checkin_queue_item {
    struct checkin_queue_user *user; /* NULL = not in the queue */
    /* The item is next, and out of the queue. False = no call is on its way. */
    bool (*start)(struct checkin_queue_item *);
    bool first; /* a caller waits for the outcome */
    struct fair_queue_item slot;
};

void checkin_queue_init(struct checkin_queue *, const struct conf_vault *);
void checkin_queue_free(struct checkin_queue *); /* every item has left */
/* `first`: a caller waits for the outcome. 0 or -ENOMEM. May start the item at once. */
int checkin_queue_join(struct checkin_queue *, struct checkin_queue_item *, const char *user, bool first);
void checkin_queue_leave(struct checkin_queue *, struct checkin_queue_item *); /* any number of times */
/* A call that start() began has ended: the next item may start. */
void checkin_queue_done(struct checkin_queue *);
/* It was cancelled, and so will be whatever is in the queue: nothing starts. */
void checkin_queue_cancelled(struct checkin_queue *);

#endif
