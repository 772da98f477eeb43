/*
 * simclock.h - the vault's clock: the real one, moved or stopped at will.
 *
 * Both clocks of base/clock.h move together. Frozen, nothing in the model ages until it is advanced or let
 * go; the wall clock can be set on its own, so that a test sees the dates it expects.
 */
#ifndef SIM_SIMCLOCK_H
#define SIM_SIMCLOCK_H

#include "base/clock.h"

#include <stdbool.h>

struct simclock {
    struct clock clock; /* give this to the model */
    const struct clock *real;
    uint64_t now_ahead;
    int64_t wall_ahead;
    bool frozen;
    uint64_t frozen_now; /* of the real clock */
    int64_t frozen_wall;
};

void simclock_init(struct simclock *, const struct clock *real);
void simclock_advance(struct simclock *, uint64_t ms);
void simclock_set_wall(struct simclock *, int64_t wall_ms);
void simclock_freeze(struct simclock *, bool on);

#endif
