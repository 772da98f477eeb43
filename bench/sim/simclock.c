/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simclock.c - a clock that can be moved; see simclock.h.
 */
#include "sim/simclock.h"

static uint64_t now(void *arg)
{
    const struct simclock *c = arg;

    return (c->frozen ? c->frozen_now : clock_now(c->real)) + c->now_ahead;
}

static int64_t wall(void *arg)
{
    const struct simclock *c = arg;

    return (c->frozen ? c->frozen_wall : clock_wall(c->real)) + c->wall_ahead;
}

void simclock_init(struct simclock *c, const struct clock *real)
{
    *c = (struct simclock){.real = real};
    c->clock = (struct clock){.now_ms = now, .wall_ms = wall, .arg = c};
}

void simclock_advance(struct simclock *c, uint64_t ms)
{
    c->now_ahead += ms;
    c->wall_ahead += (int64_t)ms;
}

void simclock_set_wall(struct simclock *c, int64_t wall_ms)
{
    c->wall_ahead += wall_ms - wall(c);
}

/* Time goes on where it stood: what passed meanwhile is taken off. */
void simclock_freeze(struct simclock *c, bool on)
{
    if (on == c->frozen)
        return;
    if (on) {
        c->frozen_now = clock_now(c->real);
        c->frozen_wall = clock_wall(c->real);
    } else {
        c->now_ahead -= clock_now(c->real) - c->frozen_now;
        c->wall_ahead -= clock_wall(c->real) - c->frozen_wall;
    }
    c->frozen = on;
}
