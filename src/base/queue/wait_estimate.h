/*
 * wait_estimate.h - how quickly a line moves, and how long somebody who joins it now will wait.
 *
 * The idea: the time in which somebody waited, divided by the number of those who went meanwhile, both
 * fading with the time a line is watched (WAIT_ESTIMATE_WINDOW_MS). An empty line tells nothing and is not
 * counted; so neither idle hours nor a burst that is served at once make a line look fast. A line that has
 * stood still for longer than its pace is expected to stand as long again: that is how a vault that hangs is
 * noticed.
 *
 * What was learned is forgotten when nobody has waited for WAIT_ESTIMATE_FORGET_MS. Nothing is ever predicted
 * for who has nobody before him: a wrong estimate must not keep a line empty.
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
    uint64_t since_ms;      /* the last one went, or the line stopped being empty */
};

void wait_estimate_begin(struct wait_estimate *, uint64_t now_ms); /* the first one joins an empty line */
void wait_estimate_left(struct wait_estimate *, uint64_t now_ms,
                        bool more); /* one went; more: others wait still */
/* The wait of who has `ahead` before him. `usual_ms`: the pace where nothing is known yet. */
uint64_t wait_estimate_ms(const struct wait_estimate *, uint64_t now_ms, size_t ahead, double usual_ms);

#endif
