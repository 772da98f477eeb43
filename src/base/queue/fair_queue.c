/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fair_queue.c - see fair_queue.h.
 *
 * The ring is a queue of parties: the one in front has its turn and goes to the back. A party joins the ring
 * at the back with its first item and leaves it with its last.
 */
#include "base/queue/fair_queue.h"

void fair_queue_init(struct fair_queue *t)
{
    TAILQ_INIT(&t->parties);
    t->nparties = t->n = 0;
}

static void join(struct fair_queue *t, struct fair_queue_party *party)
{
    TAILQ_INIT(&party->items);
    TAILQ_INSERT_TAIL(&t->parties, party, link);
    t->nparties++;
}

void fair_queue_add(struct fair_queue *t, struct fair_queue_party *party, struct fair_queue_item *item,
                    bool first)
{
    if (!party->n++)
        join(t, party);
    t->n++;
    item->party = party;
    if (!first) {
        TAILQ_INSERT_TAIL(&party->items, item, link);
        return;
    }
    TAILQ_INSERT_HEAD(&party->items, item, link);
    TAILQ_REMOVE(&t->parties, party, link);
    TAILQ_INSERT_HEAD(&t->parties, party, link);
}

void fair_queue_remove(struct fair_queue *t, struct fair_queue_item *item)
{
    struct fair_queue_party *party = item->party;

    TAILQ_REMOVE(&party->items, item, link);
    item->party = NULL;
    t->n--;
    if (--party->n)
        return;
    TAILQ_REMOVE(&t->parties, party, link);
    t->nparties--;
}

struct fair_queue_item *fair_queue_take(struct fair_queue *t)
{
    struct fair_queue_party *party = TAILQ_FIRST(&t->parties);
    struct fair_queue_item *item = party ? TAILQ_FIRST(&party->items) : NULL;

    if (!item)
        return NULL;
    TAILQ_REMOVE(&t->parties, party, link);
    TAILQ_INSERT_TAIL(&t->parties, party, link);
    fair_queue_remove(t, item);
    return item;
}

/*
 * In each round before its own every party has one turn, itself included; in its own all but itself. Who has
 * something in line already will be passed by others who come meanwhile: about as many as are there now.
 */
size_t fair_queue_ahead(const struct fair_queue *t, const struct fair_queue_party *party)
{
    size_t own = party->n;
    size_t ahead = own * t->nparties + t->nparties - (own > 0);

    size_t most = own ? 2 * t->n : t->n;

    return ahead < most ? ahead : most;
}
