/*
 * wait_estimate.h - how fast a queue moves, and how long an item that joins it now waits.
 *
 * The idea: the time in which the queue was not empty, divided by the number of items that left it meanwhile;
 * both fade over WAIT_ESTIMATE_WINDOW_MS. The time in which the queue is empty does not count, so neither
 * idle hours nor a burst that is served at once make the queue look fast. A queue that no item has left
 * for longer than its usual interval is expected to stay so for as long again: so a vault that hangs shows in
 * the estimate.
 *
 * The estimate is forgotten when the queue was empty for WAIT_ESTIMATE_FORGET_MS. An item with none before it
 * has no wait: a wrong estimate must not keep a queue empty.
 */
#ifndef JG_BASE_QUEUE_WAIT_ESTIMATE_H
#define JG_BASE_QUEUE_WAIT_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_ESTIMATE_WINDOW_MS 1000
#define WAIT_ESTIMATE_FORGET_MS 10000

struct wait_estimate {
    double waited_ms, went; /* both fading */
    uint64_t since_ms;      /* the last item left, or the queue stopped being empty */
};

void wait_estimate_begin(struct wait_estimate *, uint64_t now_ms); /* the first item joins an empty queue */
void wait_estimate_left(struct wait_estimate *, uint64_t now_ms,
                        bool more); /* one item left; more: others still wait */
/* The wait of an item with `ahead` before it. `usual_ms`: the interval where none is measured yet. */
uint64_t wait_estimate_ms(const struct wait_estimate *, uint64_t now_ms, size_t ahead, double usual_ms);

#endif
