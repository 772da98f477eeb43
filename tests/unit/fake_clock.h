/*
 * fake_clock.h - a clock that a test moves by hand, so that an hour passes in a microsecond.
 *
 * Both clocks of base/clock.h advance together; `wall` may be shifted alone to play a wrong wall clock.
 * fake_clock_run() walks from deadline to deadline, as the loop would.
 */
#ifndef JG_TESTS_FAKE_CLOCK_H
#define JG_TESTS_FAKE_CLOCK_H

#include "base/timers.h"

struct fake_clock {
    struct clock clock; /* give &clock to what is tested */
    uint64_t now;
    int64_t wall;
};

void fake_clock_init(struct fake_clock *);
void fake_clock_advance(struct fake_clock *, uint64_t ms);
/* Advances by `ms`, stopping at each deadline on the way to run it. */
void fake_clock_run(struct fake_clock *, struct timers *, uint64_t ms);

#endif
