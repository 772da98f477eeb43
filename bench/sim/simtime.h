/*
 * simtime.h - deadlines on a clock that can be moved, driven by the loop.
 *
 * The model's deadlines live in a heap of their own, on a simclock. One deadline of the loop is armed for the
 * earliest of them. When a test moves the clock, simtime_moved() fires every deadline that is due.
 */
#ifndef SIM_SIMTIME_H
#define SIM_SIMTIME_H

#include "loop/loop.h"
#include "sim/fields.h"
#include "sim/simclock.h"

struct simtime {
    struct simclock clock;
    struct timers *timers; /* the model's */
    struct loop *loop;
    struct deadline next; /* the earliest of `timers`, on the loop */
    bool stopped;
};

/* 0 or -ENOMEM. */
int simtime_init(struct simtime *, struct loop *);
/* The clock was moved: fires what is due. */
void simtime_moved(struct simtime *);
/* The change {"frozen":…,"wall":…,"advance_ms":…} of an admin port; what is wrong is in the fields. */
void simtime_change(struct simtime *, struct fields *);
/* No deadline fires from now on; any number of times. */
void simtime_stop(struct simtime *);
void simtime_free(struct simtime *);

#endif
