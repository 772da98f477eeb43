/*
 * turns.h - a line in which each party gets one turn after the other.
 *
 * Items of one party stand in the order they came; the parties that have something in line take turns. So who
 * brings a thousand items waits for them himself, and somebody with one item waits for one turn of the others
 * at most.
 *
 * Items and parties live inside the objects of their owner; nothing is allocated here. A party stays where it
 * is as long as something of it is in line. An item is in one line at most.
 */
#ifndef JG_BASE_TURNS_H
#define JG_BASE_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct turn_party;

struct turn_item {
    struct turn_party *party; /* NULL = not in line */
    TAILQ_ENTRY(turn_item) link;
};
TAILQ_HEAD(turn_items, turn_item);

struct turn_party {
    struct turn_items items;
    size_t n; /* of its items in line; 0 is a fresh party as well, so that zeroed memory will do */
    TAILQ_ENTRY(turn_party) link;
};

struct turns {
    TAILQ_HEAD(, turn_party) parties; /* those with something in line; the first one is next */
    size_t nparties, n;               /* parties and items in line */
};

void turns_init(struct turns *);
/* `first`: before the party's other items, and the party before the others. */
void turns_add(struct turns *, struct turn_party *, struct turn_item *, bool first);
void turns_remove(struct turns *, struct turn_item *); /* it must be in this line */
/* Takes the next item out; its party goes to the end. NULL = nobody is in line. */
struct turn_item *turns_take(struct turns *);
/* How many items will go before a new one of this party: an estimate, for others may come meanwhile. */
size_t turns_ahead(const struct turns *, const struct turn_party *);

#endif
