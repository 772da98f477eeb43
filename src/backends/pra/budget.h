/*
 * budget.h - how many calls a site gets, and when the next one may go.
 *
 * Two limits: `rate`, kept by an even distance between calls, and PRA_HOUR_MAX in any hour. The last
 * PRA_HOUR_KEPT calls of the hour are for urgent ones. Besides, the site may ask for a pause, or say how many
 * calls of its own limit are left; urgent calls and probes go on then.
 *
 * Pure: time is passed in. What the site says about its limit is believed for PRA_REMAINING_MS, since a
 * client that sends nothing would never hear that the number has risen.
 */
#ifndef JG_BACKENDS_PRA_BUDGET_H
#define JG_BACKENDS_PRA_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define PRA_HOUR_MAX      3000
#define PRA_HOUR_KEPT     100
#define PRA_REMAINING_MS  (10u * 60 * 1000)
#define PRA_REMAINING_LOW 200  /* below it only urgent calls and probes */
#define PRA_REMAINING_FEW 1000 /* below it intervals are doubled */
#define PRA_PAUSE_MS      30000
#define PRA_PAUSE_MAX_MS  (3600u * 1000)

/* From PRA_LIVE on they wait while the site asks for a pause, from PRA_BACKGROUND on also while few calls are
 * left. The gateway has no live ones and none behind PRA_BACKGROUND. */
enum pra_urgency { PRA_URGENT, PRA_PROBES, PRA_LIVE, PRA_BACKGROUND, PRA_BACKFILL, PRA_LAST, PRA_NURGENCIES };

struct pra_budget {
    double rate_per_s;
    unsigned hourly;       /* 0 = PRA_HOUR_MAX */
    int64_t remaining_low; /* 0 = PRA_REMAINING_LOW */
    uint64_t pause_ms;     /* 0 = PRA_PAUSE_MS */
    uint64_t next_ms;      /* before it no call goes */
    uint64_t minute;       /* the minute of the newest of the counts */
    uint16_t counts[61];   /* calls by minute, modulo 61 */
    uint64_t paused_until_ms;
    bool has_remaining;
    int64_t remaining;
    uint64_t remaining_at_ms;
};

/* Milliseconds until a call of this urgency may go; 0 = now. */
uint64_t pra_budget_wait(struct pra_budget *, uint64_t now_ms, enum pra_urgency);
void pra_budget_take(struct pra_budget *, uint64_t now_ms); /* a call goes now */
/* The site asks for a pause, of which at most PRA_PAUSE_MAX_MS is kept; 0 = without saying how long. */
void pra_budget_pause(struct pra_budget *, uint64_t now_ms, uint64_t asked_ms);
/* What is left of it; 0 = there is none. */
static inline uint64_t pra_budget_pause_left(const struct pra_budget *b, uint64_t now_ms)
{
    return b->paused_until_ms > now_ms ? b->paused_until_ms - now_ms : 0;
}
/* How long the pause is where it does not say. */
static inline uint64_t pra_budget_usual_pause(const struct pra_budget *b)
{
    return b->pause_ms ? b->pause_ms : PRA_PAUSE_MS;
}
/* The value of X-RateLimit-Remaining; "" and what is no number are ignored. */
void pra_budget_remaining(struct pra_budget *, uint64_t now_ms, const char *value);
/* Does the site say that fewer than `limit` calls are left? */
bool pra_budget_below(const struct pra_budget *, uint64_t now_ms, int64_t limit);

#endif
