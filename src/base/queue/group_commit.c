/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_commit.c - when a commit begins; see group_commit.h.
 *
 * How many may be expected is not asked of anybody: `crowd` is what the last flight carried and what had come
 * while it was in the air. One client after the other makes a crowd of one, which never waits; a crowd that
 * has gone home costs one flight a wait of GROUP_COMMIT_WAIT_MS.
 *
 * A deadline that cannot be had (no memory) means going at once.
 */
#include "base/queue/group_commit.h"

#include "base/container_of.h"

static void fly(struct group_commit *g)
{
    timer_stop(g->timers, &g->due);
    g->committing = true;
    g->any = false;
    g->batch = g->awaited;
    g->awaited = 0;
    if (!g->go(g))
        g->committing = false;
}

static void on_due(struct deadline *d)
{
    fly(CONTAINER_OF(d, struct group_commit, due));
}

static uint64_t patience(const struct group_commit *g)
{
    if (g->awaited)
        return GROUP_COMMIT_WAIT_MS;
    return g->expected > 1 ? g->delay_ms : g->delay_alone_ms;
}

static void decide(struct group_commit *g)
{
    uint64_t delay = patience(g);

    if (g->committing || !g->any)
        return;
    if (g->awaited && g->awaited >= g->expected)
        fly(g);
    else if (!(timer_running(&g->due) && g->due.at_ms <= clock_now(timers_clock(g->timers)) + delay) &&
             timer_start(g->timers, &g->due, delay, on_due))
        fly(g);
}

void group_commit_add(struct group_commit *g, bool awaited)
{
    g->any = true;
    g->awaited += awaited;
    decide(g);
}

void group_commit_done(struct group_commit *g)
{
    g->committing = false;
    g->expected = g->batch + g->awaited;
    decide(g);
}

void group_commit_stop(struct group_commit *g)
{
    timer_stop(g->timers, &g->due);
    g->any = false;
    g->awaited = 0;
}
