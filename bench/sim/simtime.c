/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simtime.c - the bridge between a simulator's clock and the loop; see simtime.h.
 */
#include "sim/simtime.h"

#include "base/container_of.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

static void on_due(struct deadline *d);

static void arm(void *arg)
{
    struct simtime *t = arg;
    uint64_t ms = timers_next(t->timers);

    if (ms == UINT64_MAX || (t->clock.frozen && ms > 0) || t->stopped) {
        timer_stop(loop_timers(t->loop), &t->next);
        return;
    }
    if (timer_start(loop_timers(t->loop), &t->next, ms, on_due))
        abort(); /* a simulator whose deadlines never come gives every test a wrong result */
}

static void on_due(struct deadline *d)
{
    struct simtime *t = CONTAINER_OF(d, struct simtime, next);

    (void)timers_run(t->timers);
    arm(t);
}

int simtime_init(struct simtime *t, struct loop *loop)
{
    *t = (struct simtime){.loop = loop};
    simclock_init(&t->clock, loop_clock(loop));
    t->timers = timers_new(&t->clock.clock);
    if (!t->timers)
        return -ENOMEM;
    timers_on_change(t->timers, arm, t);
    return 0;
}

void simtime_moved(struct simtime *t)
{
    while (timers_next(t->timers) == 0)
        (void)timers_run(t->timers);
    arm(t);
}

void simtime_change(struct simtime *t, struct fields *f)
{
    bool frozen = t->clock.frozen;
    uint64_t advance = 0;
    int64_t wall = 0;

    fields_bool(f, "frozen", &frozen);
    fields_u64(f, "advance_ms", &advance);
    fields_date(f, "wall", &wall);
    if (f->rc)
        return;
    simclock_freeze(&t->clock, frozen);
    if (wall)
        simclock_set_wall(&t->clock, wall);
    simclock_advance(&t->clock, advance);
    simtime_moved(t);
}

void simtime_stop(struct simtime *t)
{
    t->stopped = true;
    timer_stop(loop_timers(t->loop), &t->next);
}

void simtime_free(struct simtime *t)
{
    timers_free(t->timers);
    t->timers = NULL;
}
