/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_wait.c - waits in their queues; see list_wait.h.
 */
#include "broker/lists/list_wait.h"

#include "base/container_of.h"

#include <utlist.h>

void list_wait_begin(struct list_wait *wait)
{
    *wait =
        (struct list_wait){.done = wait->done, .timeout_ms = wait->timeout_ms, .admitted = wait->admitted};
}

void list_wait_enqueue(struct list_wait *wait, struct list_wait **queue)
{
    wait->queue = queue;
    DL_APPEND(*queue, wait);
}

void list_wait_dequeue(struct list_wait *wait, struct timers *timers)
{
    DL_DELETE(*wait->queue, wait);
    wait->queue = NULL;
    timer_stop(timers, &wait->deadline);
}

static void on_hit(struct deadline *deadline)
{
    struct list_wait *wait = CONTAINER_OF(deadline, struct list_wait, deadline);

    DL_DELETE(*wait->queue, wait);
    wait->queue = NULL;
    wait->done(wait);
}

int list_wait_hit(struct list_wait *wait, struct timers *timers, struct list_wait **hits)
{
    int err = timer_start(timers, &wait->deadline, 0, on_hit);

    if (err)
        return err;
    wait->source = LIST_FROM_CACHE;
    list_wait_enqueue(wait, hits);
    return 0;
}
