/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c - how many calls a site gets; see budget.h.
 *
 * An hour is counted as the present minute and the sixty before it, so no hour, whenever it begins, has more
 * than the sum.
 */
#include "backends/pra/budget.h"

#include "base/text.h"

#include <string.h>

#define MINUTES 61
#define MINUTE  60000u

static void forget_old(struct pra_budget *b, uint64_t now_ms)
{
    uint64_t minute = now_ms / MINUTE;

    if (minute >= b->minute + MINUTES)
        memset(b->counts, 0, sizeof(b->counts));
    else
        while (b->minute < minute)
            b->counts[++b->minute % MINUTES] = 0;
    b->minute = minute;
}

/* Milliseconds until fewer than `limit` calls are counted. */
static uint64_t wait_for_hour(const struct pra_budget *b, uint64_t now_ms, unsigned limit)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < MINUTES; i++)
        sum += b->counts[i];
    for (unsigned age = MINUTES - 1; sum >= limit; age--) {
        sum -= b->counts[(b->minute + MINUTES - age) % MINUTES];
        if (sum < limit || !age) /* this minute is forgotten when it is 61 minutes old */
            return (b->minute + MINUTES - age) * MINUTE - now_ms;
    }
    return 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t pra_budget_wait(struct pra_budget *b, uint64_t now_ms, enum pra_urgency urgency)
{
    unsigned most = b->hourly ? b->hourly : PRA_HOUR_MAX;
    unsigned kept = most > 10 * PRA_HOUR_KEPT ? PRA_HOUR_KEPT : most / 10;
    unsigned limit = urgency == PRA_URGENT || urgency == PRA_LIVE ? most : most - kept;

    forget_old(b, now_ms);
    uint64_t wait = b->next_ms > now_ms ? b->next_ms - now_ms : 0;
    wait = larger(wait, wait_for_hour(b, now_ms, limit));
    if (urgency < PRA_LIVE)
        return wait;
    wait = larger(wait, pra_budget_pause_left(b, now_ms));
    if (urgency == PRA_LIVE)
        return wait;
    if (pra_budget_below(b, now_ms, b->remaining_low ? b->remaining_low : PRA_REMAINING_LOW))
        wait = larger(wait, b->remaining_at_ms + PRA_REMAINING_MS - now_ms);
    return wait;
}

void pra_budget_take(struct pra_budget *b, uint64_t now_ms)
{
    double apart = b->rate_per_s > 0 ? 1000.0 / b->rate_per_s : 0;

    forget_old(b, now_ms);
    b->counts[b->minute % MINUTES]++;
    b->next_ms = now_ms + (uint64_t)apart + (apart > (double)(uint64_t)apart);
}

void pra_budget_pause(struct pra_budget *b, uint64_t now_ms, uint64_t asked_ms)
{
    uint64_t pause = asked_ms ? asked_ms : pra_budget_usual_pause(b);

    b->paused_until_ms =
        larger(b->paused_until_ms, now_ms + (pause < PRA_PAUSE_MAX_MS ? pause : PRA_PAUSE_MAX_MS));
}

void pra_budget_remaining(struct pra_budget *b, uint64_t now_ms, const char *value)
{
    int64_t left;

    if (!text_int(value, 0, INT64_MAX, &left))
        return;
    b->has_remaining = true;
    b->remaining = left;
    b->remaining_at_ms = now_ms;
}

bool pra_budget_below(const struct pra_budget *b, uint64_t now_ms, int64_t limit)
{
    return b->has_remaining && b->remaining < limit && now_ms < b->remaining_at_ms + PRA_REMAINING_MS;
}
