/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_commit.c - when a commit begins; see group_commit.h.
 *
 * `expected` is an estimate from the batch before: what it carried and what was added while it was under way.
 * One client that writes one record after the other makes `expected` 1, which never waits. When many clients
 * stop writing, one batch waits GROUP_COMMIT_WAIT_MS in vain.
 *
 * Without memory for a deadline the batch begins at once.
 */
#include "base/queue/group_commit.h"

#include "base/container_of.h"

static void begin_batch(struct group_commit *g)
{
    timer_stop(g->timers, &g->due);
    g->committing = true;
    g->any = false;
    g->batch = g->awaited;
    g->awaited = 0;
    if (!g->commit(g))
        g->committing = false;
}

static void on_due(struct deadline *d)
{
    begin_batch(CONTAINER_OF(d, struct group_commit, due));
}

static void begin_if_due(struct group_commit *g)
{
    uint64_t delay = g->awaited ? GROUP_COMMIT_WAIT_MS : g->delay_ms;

    if (g->committing || !g->any)
        return;
    if (g->awaited && g->awaited >= g->expected)
        begin_batch(g);
    else if (!(timer_running(&g->due) && g->due.at_ms <= clock_now(timers_clock(g->timers)) + delay) &&
             timer_start(g->timers, &g->due, delay, on_due))
        begin_batch(g);
}

void group_commit_add(struct group_commit *g, bool awaited)
{
    g->any = true;
    g->awaited += awaited;
    begin_if_due(g);
}

void group_commit_done(struct group_commit *g)
{
    g->committing = false;
    g->expected = g->batch + g->awaited;
    begin_if_due(g);
}

void group_commit_stop(struct group_commit *g)
{
    timer_stop(g->timers, &g->due);
    g->any = false;
    g->awaited = 0;
}
