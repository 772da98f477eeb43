/*
 * fair_queue.h - a queue of several parties that takes one item of each party after the other.
 *
 * Items of one party keep their order; parties with items alternate. A party that adds a thousand items
 * delays itself: an item of another party waits for one item of each party at most.
 *
 * Items and parties live inside the objects of their owner; nothing is allocated here. A party keeps its
 * address while one of its items is queued. An item is in one queue at most.
 */
#ifndef JG_BASE_QUEUE_FAIR_QUEUE_H
#define JG_BASE_QUEUE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct fair_queue_party;

struct fair_queue_item {
    struct fair_queue_party *party; /* NULL = not queued */
    TAILQ_ENTRY(fair_queue_item) link;
};
TAILQ_HEAD(fair_queue_items, fair_queue_item);

struct fair_queue_party {
    struct fair_queue_items items;
    size_t n; /* its queued items; a zeroed party is an empty one */
    TAILQ_ENTRY(fair_queue_party) link;
};

struct fair_queue {
    TAILQ_HEAD(, fair_queue_party) parties; /* those with queued items; the first one is next */
    size_t nparties, n;                     /* parties and items queued */
};

void fair_queue_init(struct fair_queue *);
/* `first`: before the party's other items, and the party before the others. */
void fair_queue_add(struct fair_queue *, struct fair_queue_party *, struct fair_queue_item *, bool first);
void fair_queue_remove(struct fair_queue *, struct fair_queue_item *); /* it must be in this queue */
/* The next item; NULL = the queue is empty. */
struct fair_queue_item *fair_queue_next(const struct fair_queue *);
/* Takes the next item out; its party goes to the end. NULL = the queue is empty. */
struct fair_queue_item *fair_queue_take(struct fair_queue *);
/* How many items are taken before a new one of this party: an estimate, since other parties may add more. */
size_t fair_queue_ahead(const struct fair_queue *, const struct fair_queue_party *);

#endif
