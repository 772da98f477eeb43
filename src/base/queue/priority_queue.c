/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority_queue.c - see priority_queue.h.
 *
 * `taken` counts all that went; the shares of CALL_CHECKIN and CALL_BACKGROUND are residues of it, so they
 * need no memory of who was passed over.
 */
#include "base/queue/priority_queue.h"

void priority_queue_init(struct priority_queue *l, const struct clock *clock)
{
    *l = (struct priority_queue){.clock = clock};
    fair_queue_init(&l->first);
    for (size_t i = 0; i < CALL_NCLASSES; i++)
        TAILQ_INIT(&l->others[i]);
}

void priority_queue_add(struct priority_queue *l, struct priority_queue_item *item, enum call_class class,
                        struct fair_queue_party *party, bool front)
{
    item->class = class;
    if (class == CALL_NEW) {
        if (!l->n[class])
            wait_estimate_begin(&l->wait_estimate, clock_now(l->clock));
        fair_queue_add(&l->first, party ? party : &l->nobody, &item->slot, front);
    } else if (front) {
        TAILQ_INSERT_HEAD(&l->others[class], &item->slot, link);
    } else {
        TAILQ_INSERT_TAIL(&l->others[class], &item->slot, link);
    }
    l->n[class]++;
}

void priority_queue_remove(struct priority_queue *l, struct priority_queue_item *item)
{
    l->n[item->class]--;
    if (item->class == CALL_NEW)
        fair_queue_remove(&l->first, &item->slot);
    else
        TAILQ_REMOVE(&l->others[item->class], &item->slot, link);
}

/* CALL_NCLASSES = nobody is in line. */
static enum call_class choose(const struct priority_queue *l)
{
    enum call_class class = CALL_CONTINUE;

    if (l->n[CALL_CHECKIN] && l->taken % CHECKIN_EVERY == CHECKIN_EVERY - 1)
        return CALL_CHECKIN;
    if (l->n[CALL_BACKGROUND] && l->taken % BACKGROUND_EVERY == BACKGROUND_EVERY - 1)
        return CALL_BACKGROUND;
    while (class < CALL_NCLASSES && !l->n[class])
        class ++;
    return class;
}

static struct fair_queue_item *head(const struct priority_queue *l, enum call_class class)
{
    const struct fair_queue_party *party;

    if (class == CALL_NCLASSES)
        return NULL;
    if (class != CALL_NEW)
        return TAILQ_FIRST(&l->others[class]);
    party = TAILQ_FIRST(&l->first.parties);
    return party ? TAILQ_FIRST(&party->items) : NULL;
}

struct priority_queue_item *priority_queue_peek(const struct priority_queue *l)
{
    return (struct priority_queue_item *)(void *)head(l, choose(l)); /* it is the first member */
}

struct priority_queue_item *priority_queue_take(struct priority_queue *l)
{
    enum call_class class = choose(l);
    struct fair_queue_item *item = head(l, class);

    if (!item)
        return NULL;
    l->taken++;
    l->n[class]--;
    if (class != CALL_NEW) {
        TAILQ_REMOVE(&l->others[class], item, link);
    } else {
        (void)fair_queue_take(&l->first);
        wait_estimate_left(&l->wait_estimate, clock_now(l->clock), l->n[class] > 0);
    }
    return (struct priority_queue_item *)(void *)item;
}

size_t priority_queue_count(const struct priority_queue *l)
{
    size_t n = 0;

    for (size_t i = 0; i < CALL_NCLASSES; i++)
        n += l->n[i];
    return n;
}

uint64_t priority_queue_wait_ms(const struct priority_queue *l, const struct fair_queue_party *party,
                                double usual_ms)
{
    return wait_estimate_ms(&l->wait_estimate, clock_now(l->clock),
                            fair_queue_ahead(&l->first, party ? party : &l->nobody), usual_ms);
}
