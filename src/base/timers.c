/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.c - a binary heap of deadlines, earliest first.
 *
 * heap[0] is never used, so that slot 0 can mean "not running" and a zeroed deadline is a stopped one. Equal
 * times fire in the order of their start. timers_run() fires only what was started before it began (order <
 * fence): a deadline that restarts itself with delay 0 waits for the next run, the loop cannot starve.
 *
 * Invariant: the heap has room for all deadlines that run and for those that are reserved and do not run
 * (`idle`).
 */
#include "base/timers.h"

#include "base/crash_message.h"

#include <errno.h>
#include <stdlib.h>

struct timers {
    const struct clock *clock;
    struct deadline **heap;
    size_t n, cap, idle;
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

static bool is_earlier(const struct deadline *a, const struct deadline *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void place_at(struct timers *t, struct deadline *d, size_t slot)
{
    t->heap[slot] = d;
    d->slot = (uint32_t)slot; /* grow_heap() bounds it */
}

/* Moves the deadline at `slot` to where it belongs, up or down. */
static void sift(struct timers *t, size_t slot)
{
    struct deadline *d = t->heap[slot];

    while (slot > 1 && is_earlier(d, t->heap[slot / 2])) {
        place_at(t, t->heap[slot / 2], slot);
        slot /= 2;
    }
    for (size_t child = slot * 2; child <= t->n; child = slot * 2) {
        if (child < t->n && is_earlier(t->heap[child + 1], t->heap[child]))
            child++;
        if (!is_earlier(t->heap[child], d))
            break;
        place_at(t, t->heap[child], slot);
        slot = child;
    }
    place_at(t, d, slot);
}

static int grow_heap(struct timers *t)
{
    if (t->n + t->idle + 1 < t->cap)
        return 0;
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct deadline **heap = cap <= UINT32_MAX ? realloc(t->heap, cap * sizeof(struct deadline *)) : NULL;
    if (!heap)
        return -ENOMEM;
    t->heap = heap;
    t->cap = cap;
    return 0;
}

static void report_change(struct timers *t, const struct deadline *first_before)
{
    const struct deadline *first = t->n ? t->heap[1] : NULL;

    if (t->changed && (first != first_before || !first))
        t->changed(t->arg);
}

/* There is room for it. */
static void start(struct timers *t, struct deadline *d, uint64_t delay_ms, void (*fire)(struct deadline *))
{
    const struct deadline *first = t->n && t->heap[1] != d ? t->heap[1] : NULL;
    uint64_t now = clock_now(t->clock);

    if (!d->slot) {
        t->idle -= d->reserved;
        t->n++;
        place_at(t, d, t->n);
    }
    d->fire = fire;
    d->at_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
    d->order = ++t->order;
    sift(t, d->slot);
    report_change(t, first);
}

int timer_start(struct timers *t, struct deadline *d, uint64_t delay_ms, void (*fire)(struct deadline *))
{
    int err = d->slot || d->reserved ? 0 : grow_heap(t);

    if (!err)
        start(t, d, delay_ms, fire);
    return err;
}

int timer_reserve(struct timers *t, struct deadline *d)
{
    int err = d->slot || d->reserved ? 0 : grow_heap(t);

    if (err)
        return err;
    t->idle += !d->slot && !d->reserved;
    d->reserved = true;
    return 0;
}

void timer_set(struct timers *t, struct deadline *d, uint64_t delay_ms, void (*fire)(struct deadline *))
{
    if (!d->reserved) {
        crash_message("timers", "a deadline without a place was set");
        abort();
    }
    start(t, d, delay_ms, fire);
}

static void take_out(struct timers *t, struct deadline *d)
{
    size_t slot = d->slot;
    struct deadline *last = t->heap[t->n];

    t->n--;
    t->idle += d->reserved;
    d->slot = 0;
    if (last == d)
        return;
    place_at(t, last, slot);
    sift(t, slot);
}

void timer_stop(struct timers *t, struct deadline *d)
{
    if (!d->slot)
        return;
    const struct deadline *first = t->heap[1] != d ? t->heap[1] : NULL;
    take_out(t, d);
    report_change(t, first);
}

void timer_unreserve(struct timers *t, struct deadline *d)
{
    timer_stop(t, d);
    t->idle -= d->reserved;
    d->reserved = false;
}

uint64_t timers_run(struct timers *t)
{
    uint64_t fence = t->order;
    uint64_t now = clock_now(t->clock);

    while (t->n && t->heap[1]->at_ms <= now && t->heap[1]->order <= fence) {
        struct deadline *d = t->heap[1];
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
    return t->heap[1]->at_ms > now ? t->heap[1]->at_ms - now : 0;
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
