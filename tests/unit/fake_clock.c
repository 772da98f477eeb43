/* SPDX-License-Identifier: Apache-2.0 */
/* fake_clock.c - see the header. */
#include "fake_clock.h"

static uint64_t fake_now(void *arg)
{
    return ((struct fake_clock *)arg)->now;
}

static int64_t fake_wall(void *arg)
{
    return ((struct fake_clock *)arg)->wall;
}

void fake_clock_init(struct fake_clock *fc)
{
    *fc = (struct fake_clock){.clock = {fake_now, fake_wall, fc}, .now = 1000000, .wall = 1773135000000};
}

void fake_clock_advance(struct fake_clock *fc, uint64_t ms)
{
    fc->now += ms;
    fc->wall += (int64_t)ms;
}

void fake_clock_run(struct fake_clock *fc, struct timers *timers, uint64_t ms)
{
    uint64_t end = fc->now + ms;

    for (;;) {
        uint64_t next = timers_run(timers);

        if (next == UINT64_MAX || fc->now + next > end)
            break;
        fake_clock_advance(fc, next);
    }
    fake_clock_advance(fc, end - fc->now);
    (void)timers_run(timers);
}
