/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns.c - see turns.h.
 *
 * The ring is a queue of parties: the one in front has its turn and goes to the back. A party joins the ring
 * at the back with its first item and leaves it with its last.
 */
#include "base/turns.h"

void turns_init(struct turns *t)
{
    TAILQ_INIT(&t->parties);
    t->nparties = t->n = 0;
}

static void join(struct turns *t, struct turn_party *party)
{
    TAILQ_INIT(&party->items);
    TAILQ_INSERT_TAIL(&t->parties, party, link);
    t->nparties++;
}

void turns_add(struct turns *t, struct turn_party *party, struct turn_item *item, bool first)
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

void turns_remove(struct turns *t, struct turn_item *item)
{
    struct turn_party *party = item->party;

    TAILQ_REMOVE(&party->items, item, link);
    item->party = NULL;
    t->n--;
    if (--party->n)
        return;
    TAILQ_REMOVE(&t->parties, party, link);
    t->nparties--;
}

struct turn_item *turns_take(struct turns *t)
{
    struct turn_party *party = TAILQ_FIRST(&t->parties);
    struct turn_item *item = party ? TAILQ_FIRST(&party->items) : NULL;

    if (!item)
        return NULL;
    TAILQ_REMOVE(&t->parties, party, link);
    TAILQ_INSERT_TAIL(&t->parties, party, link);
    turns_remove(t, item);
    return item;
}

/*
 * In each round before its own every party has one turn, itself included; in its own all but itself. Who has
 * something in line already will be passed by others who come meanwhile: about as many as are there now.
 */
size_t turns_ahead(const struct turns *t, const struct turn_party *party)
{
    size_t own = party->n;
    size_t ahead = own * t->nparties + t->nparties - (own > 0);

    size_t most = own ? 2 * t->n : t->n;

    return ahead < most ? ahead : most;
}
