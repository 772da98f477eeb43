/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fair_queue.c - see fair_queue.h.
 *
 * The ring is a queue of parties: the first party gives its next item and moves to the end. A party joins the
 * ring at the end with its first item and leaves it with its last.
 */
#include "base/queue/fair_queue.h"

void fair_queue_init(struct fair_queue *queue)
{
    TAILQ_INIT(&queue->parties);
    queue->nparties = queue->n = 0;
}

static void join_ring(struct fair_queue *queue, struct fair_queue_party *party)
{
    TAILQ_INIT(&party->items);
    TAILQ_INSERT_TAIL(&queue->parties, party, link);
    queue->nparties++;
}

void fair_queue_add(struct fair_queue *queue, struct fair_queue_party *party, struct fair_queue_item *item,
                    bool first)
{
    if (!party->n++)
        join_ring(queue, party);
    queue->n++;
    item->party = party;
    if (!first) {
        TAILQ_INSERT_TAIL(&party->items, item, link);
        return;
    }
    TAILQ_INSERT_HEAD(&party->items, item, link);
    TAILQ_REMOVE(&queue->parties, party, link);
    TAILQ_INSERT_HEAD(&queue->parties, party, link);
}

void fair_queue_remove(struct fair_queue *queue, struct fair_queue_item *item)
{
    struct fair_queue_party *party = item->party;

    TAILQ_REMOVE(&party->items, item, link);
    item->party = NULL;
    queue->n--;
    if (--party->n)
        return;
    TAILQ_REMOVE(&queue->parties, party, link);
    queue->nparties--;
}

struct fair_queue_item *fair_queue_next(const struct fair_queue *queue)
{
    const struct fair_queue_party *party = TAILQ_FIRST(&queue->parties);

    return party ? TAILQ_FIRST(&party->items) : NULL;
}

struct fair_queue_item *fair_queue_take(struct fair_queue *queue)
{
    struct fair_queue_item *item = fair_queue_next(queue);

    if (!item)
        return NULL;
    struct fair_queue_party *party = item->party;

    TAILQ_REMOVE(&queue->parties, party, link);
    TAILQ_INSERT_TAIL(&queue->parties, party, link);
    fair_queue_remove(queue, item);
    return item;
}

/*
 * In each round before the new item's, every party gives one item, its own party included; in the new item's
 * round all other parties do. While a party's own items are taken, other parties add more: about as many as
 * are queued now.
 */
size_t fair_queue_ahead(const struct fair_queue *queue, const struct fair_queue_party *party)
{
    size_t own = party->n;
    size_t ahead = own * queue->nparties + queue->nparties - (own > 0);

    size_t most = own ? 2 * queue->n : queue->n;

    return ahead < most ? ahead : most;
}
