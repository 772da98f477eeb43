/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather.c - when a commit begins; see gather.h.
 *
 * How many may be expected is not asked of anybody: `crowd` is what the last flight carried and what had come
 * while it was in the air. One client after the other makes a crowd of one, which never waits; a crowd that
 * has gone home costs one flight a wait of GATHER_MS.
 *
 * A deadline that cannot be had (no memory) means going at once.
 */
#include "base/gather.h"

static void fly(struct gather *g)
{
    timer_stop(g->timers, &g->due);
    g->flying = true;
    g->any = false;
    g->flown = g->awaited;
    g->awaited = 0;
    if (!g->go(g))
        g->flying = false;
}

static void on_due(struct deadline *d)
{
    fly((struct gather *)(void *)((char *)d - offsetof(struct gather, due)));
}

static uint64_t patience(const struct gather *g)
{
    if (g->awaited)
        return GATHER_MS;
    return g->crowd > 1 ? g->linger_ms : g->linger_alone_ms;
}

static void decide(struct gather *g)
{
    uint64_t delay = patience(g);

    if (g->flying || !g->any)
        return;
    if (g->awaited && g->awaited >= g->crowd)
        fly(g);
    else if (!(timer_running(&g->due) && g->due.at_ms <= clock_now(timers_clock(g->timers)) + delay) &&
             timer_start(g->timers, &g->due, delay, on_due))
        fly(g);
}

void gather_add(struct gather *g, bool awaited)
{
    g->any = true;
    g->awaited += awaited;
    decide(g);
}

void gather_landed(struct gather *g)
{
    g->flying = false;
    g->crowd = g->flown + g->awaited;
    decide(g);
}

void gather_stop(struct gather *g)
{
    timer_stop(g->timers, &g->due);
    g->any = false;
    g->awaited = 0;
}
