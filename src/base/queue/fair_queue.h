/*
 * fair_queue.h - a line in which each party gets one turn after the other.
 *
 * Items of one party stand in the order they came; the parties that have something in line take turns. So who
 * brings a thousand items waits for them himself, and somebody with one item waits for one turn of the others
 * at most.
 *
 * Items and parties live inside the objects of their owner; nothing is allocated here. A party stays where it
 * is as long as something of it is in line. An item is in one line at most.
 */
#ifndef JG_BASE_QUEUE_FAIR_QUEUE_H
#define JG_BASE_QUEUE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct fair_queue_party;

struct fair_queue_item {
    struct fair_queue_party *party; /* NULL = not in line */
    TAILQ_ENTRY(fair_queue_item) link;
};
TAILQ_HEAD(fair_queue_items, fair_queue_item);

struct fair_queue_party {
    struct fair_queue_items items;
    size_t n; /* of its items in line; 0 is a fresh party as well, so that zeroed memory will do */
    TAILQ_ENTRY(fair_queue_party) link;
};

struct fair_queue {
    TAILQ_HEAD(, fair_queue_party) parties; /* those with something in line; the first one is next */
    size_t nparties, n;                     /* parties and items in line */
};

void fair_queue_init(struct fair_queue *);
/* `first`: before the party's other items, and the party before the others. */
void fair_queue_add(struct fair_queue *, struct fair_queue_party *, struct fair_queue_item *, bool first);
void fair_queue_remove(struct fair_queue *, struct fair_queue_item *); /* it must be in this line */
/* Takes the next item out; its party goes to the end. NULL = nobody is in line. */
struct fair_queue_item *fair_queue_take(struct fair_queue *);
/* How many items will go before a new one of this party: an estimate, for others may come meanwhile. */
size_t fair_queue_ahead(const struct fair_queue *, const struct fair_queue_party *);

#endif
