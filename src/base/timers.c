/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.c - a heap of deadlines, earliest first.
 *
 * Each has four children, and the heap holds the times beside the pointers: with a hundred thousand leases a
 * deadline that goes is replaced by one that sinks through all levels, and each level should cost one line of
 * the cache. So half as many levels, and nobody's object is looked at but where two times are equal.
 *
 * The root is heap[1], so that slot 0 can mean "not running" and a zeroed deadline is a stopped one.
 * Equal times fire in the order of their start. timers_run() fires only what was started before it began
 * (order < fence): a deadline that restarts itself with delay 0 waits for the next run, the loop cannot
 * starve.
 */
#include "base/timers.h"

#include <errno.h>
#include <stdlib.h>

#define CHILDREN 4

struct entry {
    uint64_t at_ms; /* that of the deadline */
    struct deadline *deadline;
};

struct timers {
    const struct clock *clock;
    struct entry *heap;
    size_t n, cap;
    uint64_t order;
    void (*changed)(void *arg);
    void *arg;
};

struct timers *timers_new(const struct clock *clock)
{
    struct timers *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->clock = clock;
    return t;
}

void timers_free(struct timers *t)
{
    if (!t)
        return;
    free(t->heap);
    free(t);
}

static bool earlier(const struct entry *a, const struct entry *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->deadline->order < b->deadline->order;
}

static void put(struct timers *t, const struct entry *e, size_t slot)
{
    t->heap[slot] = *e;
    e->deadline->slot = slot;
}

static size_t parent_of(size_t slot)
{
    return (slot - 2) / CHILDREN + 1;
}

static size_t first_child_of(size_t slot)
{
    return (slot - 1) * CHILDREN + 2;
}

/* The earliest child of `slot`; `slot` itself where it has none. */
static size_t next_below(const struct timers *t, size_t slot)
{
    size_t first = first_child_of(slot), best = first;

    if (first > t->n)
        return slot;
    for (size_t child = first + 1; child < first + CHILDREN && child <= t->n; child++)
        if (earlier(&t->heap[child], &t->heap[best]))
            best = child;
    return best;
}

/* Puts the entry where it belongs, up or down from `slot`, which is free. */
static void settle(struct timers *t, struct entry e, size_t slot)
{
    size_t child;

    while (slot > 1 && earlier(&e, &t->heap[parent_of(slot)])) {
        put(t, &t->heap[parent_of(slot)], slot);
        slot = parent_of(slot);
    }
    while ((child = next_below(t, slot)) != slot && earlier(&t->heap[child], &e)) {
        put(t, &t->heap[child], slot);
        slot = child;
    }
    put(t, &e, slot);
}

static int grow(struct timers *t)
{
    if (t->n + 1 < t->cap)
        return 0;
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct entry *heap = reallocarray(t->heap, cap, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    t->heap = heap;
    t->cap = cap;
    return 0;
}

static const struct deadline *earliest(const struct timers *t)
{
    return t->n ? t->heap[1].deadline : NULL;
}

/* `before`: the earliest until now, or NULL when that is one which moves or goes. */
static void tell(struct timers *t, const struct deadline *before)
{
    const struct deadline *first = earliest(t);

    if (t->changed && (first != before || !first))
        t->changed(t->arg);
}

int timer_start(struct timers *t, struct deadline *d, uint64_t delay_ms, void (*fire)(struct deadline *))
{
    const struct deadline *first = earliest(t) != d ? earliest(t) : NULL;
    uint64_t now = clock_now(t->clock);

    if (!d->slot) {
        int err = grow(t);
        if (err)
            return err;
        d->slot = ++t->n;
    }
    d->fire = fire;
    d->at_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
    d->order = ++t->order;
    settle(t, (struct entry){d->at_ms, d}, d->slot);
    tell(t, first);
    return 0;
}

static void take_out(struct timers *t, struct deadline *d)
{
    struct entry last = t->heap[t->n];
    size_t slot = d->slot;

    t->n--;
    d->slot = 0;
    if (last.deadline != d)
        settle(t, last, slot);
}

void timer_stop(struct timers *t, struct deadline *d)
{
    if (!d->slot)
        return;
    const struct deadline *first = earliest(t) != d ? earliest(t) : NULL;
    take_out(t, d);
    tell(t, first);
}

uint64_t timers_run(struct timers *t)
{
    uint64_t fence = t->order;
    uint64_t now = clock_now(t->clock);

    while (t->n && t->heap[1].at_ms <= now && t->heap[1].deadline->order <= fence) {
        struct deadline *d = t->heap[1].deadline;
        take_out(t, d);
        d->fire(d);
    }
    return timers_next(t);
}

uint64_t timers_next(const struct timers *t)
{
    if (!t->n)
        return UINT64_MAX;
    uint64_t now = clock_now(t->clock);
    return t->heap[1].at_ms > now ? t->heap[1].at_ms - now : 0;
}

size_t timers_count(const struct timers *t)
{
    return t->n;
}

const struct clock *timers_clock(const struct timers *t)
{
    return t->clock;
}

void timers_on_change(struct timers *t, void (*changed)(void *arg), void *arg)
{
    t->changed = changed;
    t->arg = arg;
}
