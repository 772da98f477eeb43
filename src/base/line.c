/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.c - see line.h.
 *
 * `taken` counts all that went; the shares of LINE_RETURN and LINE_BACKGROUND are residues of it, so they need
 * no memory of who was passed over.
 */
#include "base/line.h"

void line_init(struct line *l, const struct clock *clock)
{
    *l = (struct line){.clock = clock};
    turns_init(&l->first);
    for (size_t i = 0; i < LINE_NCLASSES; i++)
        TAILQ_INIT(&l->others[i]);
}

void line_add(struct line *l, struct line_item *item, enum line_class class, struct turn_party *party,
              bool front)
{
    item->class = class;
    if (class == LINE_FIRST) {
        if (!l->n[class])
            pace_begin(&l->pace, clock_now(l->clock));
        turns_add(&l->first, party ? party : &l->nobody, &item->turn, front);
    } else if (front) {
        TAILQ_INSERT_HEAD(&l->others[class], &item->turn, link);
    } else {
        TAILQ_INSERT_TAIL(&l->others[class], &item->turn, link);
    }
    l->n[class]++;
}

void line_remove(struct line *l, struct line_item *item)
{
    l->n[item->class]--;
    if (item->class == LINE_FIRST)
        turns_remove(&l->first, &item->turn);
    else
        TAILQ_REMOVE(&l->others[item->class], &item->turn, link);
}

/* LINE_NCLASSES = nobody is in line. */
static enum line_class choose(const struct line *l)
{
    enum line_class class = LINE_BEGUN;

    if (l->n[LINE_RETURN] && l->taken % LINE_RETURN_EVERY == LINE_RETURN_EVERY - 1)
        return LINE_RETURN;
    if (l->n[LINE_BACKGROUND] && l->taken % LINE_BACKGROUND_EVERY == LINE_BACKGROUND_EVERY - 1)
        return LINE_BACKGROUND;
    while (class < LINE_NCLASSES && !l->n[class])
        class ++;
    return class;
}

static struct turn_item *head(const struct line *l, enum line_class class)
{
    const struct turn_party *party;

    if (class == LINE_NCLASSES)
        return NULL;
    if (class != LINE_FIRST)
        return TAILQ_FIRST(&l->others[class]);
    party = TAILQ_FIRST(&l->first.parties);
    return party ? TAILQ_FIRST(&party->items) : NULL;
}

struct line_item *line_peek(const struct line *l)
{
    return (struct line_item *)(void *)head(l, choose(l)); /* it is the first member */
}

struct line_item *line_take(struct line *l)
{
    enum line_class class = choose(l);
    struct turn_item *item = head(l, class);

    if (!item)
        return NULL;
    l->taken++;
    l->n[class]--;
    if (class != LINE_FIRST) {
        TAILQ_REMOVE(&l->others[class], item, link);
    } else {
        (void)turns_take(&l->first);
        pace_went(&l->pace, clock_now(l->clock), l->n[class] > 0);
    }
    return (struct line_item *)(void *)item;
}

size_t line_count(const struct line *l)
{
    size_t n = 0;

    for (size_t i = 0; i < LINE_NCLASSES; i++)
        n += l->n[i];
    return n;
}

uint64_t line_wait_ms(const struct line *l, const struct turn_party *party, double usual_ms)
{
    return pace_wait_ms(&l->pace, clock_now(l->clock), turns_ahead(&l->first, party ? party : &l->nobody),
                        usual_ms);
}
