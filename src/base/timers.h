/*
 * timers.h - all deadlines of a loop in one heap.
 *
 * A deadline lives inside the object that waits (no allocation, no handle per request). The loop arms one
 * libuv timer for the earliest of them; a test calls timers_run() with its own clock.
 *
 * Rules: a fired or stopped deadline may be started again at once, also from its own `fire`; `fire` may free
 * the object. A deadline of delay 0 fires on the next timers_run(), never inside timer_start(): use it to
 * leave the stack of the caller.
 *
 * What nothing else would begin again has a place of its own in the heap, taken while its owner is made
 * (timer_reserve()): its start cannot fail.
 */
#ifndef JG_BASE_TIMERS_H
#define JG_BASE_TIMERS_H

#include "base/clock.h"

#include <stdbool.h>

struct timers;

struct deadline {
    void (*fire)(struct deadline *);
    uint64_t at_ms; /* monotonic */
    uint64_t order; /* equal times fire in the order of their start */
    uint32_t slot;  /* 0 = not running */
    bool reserved;  /* it has a place, running or not */
};

struct timers *timers_new(const struct clock *clock);
void timers_free(struct timers *); /* nothing may be running any more; NULL is fine */

/* 0 or -ENOMEM. Starting a running deadline moves it. */
int timer_start(struct timers *, struct deadline *, uint64_t delay_ms, void (*fire)(struct deadline *))
    __attribute__((warn_unused_result));
void timer_stop(struct timers *, struct deadline *); /* any number of times */

/* A place for this deadline, until timer_unreserve(). 0 or -ENOMEM. */
int timer_reserve(struct timers *, struct deadline *) __attribute__((warn_unused_result));
/* As timer_start(), of a deadline that has a place. */
void timer_set(struct timers *, struct deadline *, uint64_t delay_ms, void (*fire)(struct deadline *));
/* Stops it as well; any number of times, also without a place. */
void timer_unreserve(struct timers *, struct deadline *);

static inline bool timer_running(const struct deadline *d)
{
    return d->slot != 0;
}

/* Fires what is due, each deadline at most once per call. Returns milliseconds to the next, or UINT64_MAX. */
uint64_t timers_run(struct timers *);
/* Milliseconds to the earliest (0 = overdue), or UINT64_MAX. */
uint64_t timers_next(const struct timers *);
size_t timers_count(const struct timers *);
const struct clock *timers_clock(const struct timers *);

/* Called after each change of the earliest deadline, so that the loop can arm its timer. */
void timers_on_change(struct timers *, void (*changed)(void *arg), void *arg);

#endif
