/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority_queue.c - see priority_queue.h.
 *
 * `taken` counts all calls taken; the shares of CALL_CHECKIN and CALL_BACKGROUND are residues of it, so that
 * no class needs a count of its own.
 */
#include "base/queue/priority_queue.h"

void priority_queue_init(struct priority_queue *q, const struct clock *clock)
{
    *q = (struct priority_queue){.clock = clock};
    fair_queue_init(&q->first);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        TAILQ_INIT(&q->others[i]);
}

void priority_queue_add(struct priority_queue *q, struct priority_queue_item *item, enum call_class class,
                        struct fair_queue_party *party, bool front)
{
    item->class = class;
    if (class == CALL_NEW) {
        if (!q->n[class])
            wait_estimate_begin(&q->wait_estimate, clock_now(q->clock));
        fair_queue_add(&q->first, party ? party : &q->no_party, &item->slot, front);
    } else if (front) {
        TAILQ_INSERT_HEAD(&q->others[class], &item->slot, link);
    } else {
        TAILQ_INSERT_TAIL(&q->others[class], &item->slot, link);
    }
    q->n[class]++;
}

void priority_queue_remove(struct priority_queue *q, struct priority_queue_item *item)
{
    q->n[item->class]--;
    if (item->class == CALL_NEW)
        fair_queue_remove(&q->first, &item->slot);
    else
        TAILQ_REMOVE(&q->others[item->class], &item->slot, link);
}

void priority_queue_serve(struct priority_queue *q, struct priority_queue_item *item)
{
    priority_queue_remove(q, item);
    q->taken++;
    if (item->class == CALL_NEW)
        wait_estimate_left(&q->wait_estimate, clock_now(q->clock), q->n[CALL_NEW] > 0);
}

/* CALL_NCLASSES = the queue is empty. */
static enum call_class next_class(const struct priority_queue *q)
{
    enum call_class class = CALL_CONTINUE;

    if (q->n[CALL_CHECKIN] && q->taken % CHECKIN_EVERY == CHECKIN_EVERY - 1)
        return CALL_CHECKIN;
    if (q->n[CALL_BACKGROUND] && q->taken % BACKGROUND_EVERY == BACKGROUND_EVERY - 1)
        return CALL_BACKGROUND;
    while (class < CALL_NCLASSES && !q->n[class])
        class ++;
    return class;
}

static struct fair_queue_item *first_of_class(const struct priority_queue *q, enum call_class class)
{
    const struct fair_queue_party *party;

    if (class == CALL_NCLASSES)
        return NULL;
    if (class != CALL_NEW)
        return TAILQ_FIRST(&q->others[class]);
    party = TAILQ_FIRST(&q->first.parties);
    return party ? TAILQ_FIRST(&party->items) : NULL;
}

struct priority_queue_item *priority_queue_peek(const struct priority_queue *q)
{
    return (struct priority_queue_item *)(void *)first_of_class(q,
                                                                next_class(q)); /* it is the first member */
}

struct priority_queue_item *priority_queue_take(struct priority_queue *q)
{
    enum call_class class = next_class(q);
    struct fair_queue_item *item = first_of_class(q, class);

    if (!item)
        return NULL;
    q->taken++;
    q->n[class]--;
    if (class != CALL_NEW) {
        TAILQ_REMOVE(&q->others[class], item, link);
    } else {
        (void)fair_queue_take(&q->first);
        wait_estimate_left(&q->wait_estimate, clock_now(q->clock), q->n[class] > 0);
    }
    return (struct priority_queue_item *)(void *)item;
}

uint64_t priority_queue_wait_ms(const struct priority_queue *q, const struct fair_queue_party *party,
                                double usual_ms)
{
    return wait_estimate_ms(&q->wait_estimate, clock_now(q->clock),
                            fair_queue_ahead(&q->first, party ? party : &q->no_party), usual_ms);
}
