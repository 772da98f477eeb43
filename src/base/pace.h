/*
 * pace.h - how quickly a line moves, and how long somebody who joins it now will wait.
 *
 * The idea: the time in which somebody waited, divided by the number of those who went meanwhile, both
 * fading with the time a line is watched (PACE_WINDOW_MS). An empty line tells nothing and is not counted;
 * so neither idle hours nor a burst that is served at once make a line look fast. A line that has stood still
 * for longer than its pace is expected to stand as long again: that is how a vault that hangs is noticed.
 *
 * What was learned is forgotten when nobody has waited for PACE_FORGET_MS. Nothing is ever predicted for who
 * has nobody before him: a wrong estimate must not keep a line empty.
 */
#ifndef JG_BASE_PACE_H
#define JG_BASE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_WINDOW_MS 1000
#define PACE_FORGET_MS 10000

struct pace {
    double waited_ms, went; /* both fading */
    uint64_t since_ms;      /* the last one went, or the line stopped being empty */
};

void pace_begin(struct pace *, uint64_t now_ms);           /* the first one joins an empty line */
void pace_went(struct pace *, uint64_t now_ms, bool more); /* one went; more: others wait still */
/* The wait of who has `ahead` before him. `usual_ms`: the pace where nothing is known yet. */
uint64_t pace_wait_ms(const struct pace *, uint64_t now_ms, size_t ahead, double usual_ms);

#endif
