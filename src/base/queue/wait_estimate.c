/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_estimate.c - see wait_estimate.h.
 */
#include "base/queue/wait_estimate.h"

#define LONGEST_MS (3600.0 * 1000)

void wait_estimate_begin(struct wait_estimate *p, uint64_t now_ms)
{
    if (now_ms - p->since_ms > WAIT_ESTIMATE_FORGET_MS)
        p->waited_ms = p->went = 0;
    p->since_ms = now_ms;
}

/* An item that came and left in one moment has not waited and does not count. */
void wait_estimate_left(struct wait_estimate *p, uint64_t now_ms, bool more)
{
    double passed = (double)(now_ms - p->since_ms),
           fading = WAIT_ESTIMATE_WINDOW_MS / (WAIT_ESTIMATE_WINDOW_MS + passed);

    if (passed <= 0 && !more)
        return;
    p->waited_ms = p->waited_ms * fading + passed;
    p->went = p->went * fading + 1;
    p->since_ms = now_ms;
}

uint64_t wait_estimate_ms(const struct wait_estimate *p, uint64_t now_ms, size_t ahead, double usual_ms)
{
    double each = p->went > 0 ? p->waited_ms / p->went : usual_ms;
    double still = (double)(now_ms - p->since_ms), wait;

    if (!ahead)
        return 0;
    wait = each * (double)(ahead + 1) + (still > each ? still - each : 0);
    return (uint64_t)(wait < LONGEST_MS ? wait : LONGEST_MS);
}
