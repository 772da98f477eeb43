/*
 * clock.h - the only source of time.
 *
 * Two clocks, never mixed: `now_ms` is monotonic and decides (deadlines, ages, back-off); `wall_ms` is shown
 * and stored (lease ends, log lines). A test hands in its own clock and moves it; nothing else asks the
 * system.
 */
#ifndef JG_BASE_CLOCK_H
#define JG_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
    uint64_t (*now_ms)(void *arg); /* monotonic milliseconds */
    int64_t (*wall_ms)(void *arg); /* milliseconds since 1970-01-01 UTC */
    void *arg;
};

/* The system's clocks. */
extern const struct clock clock_system;

static inline uint64_t clock_now(const struct clock *c)
{
    return c->now_ms(c->arg);
}

static inline int64_t clock_wall(const struct clock *c)
{
    return c->wall_ms(c->arg);
}

/* Monotonic microseconds of the system, for measuring (metrics, benchmarks), not for deciding. */
uint64_t clock_measure_us(void);

#define CLOCK_RFC3339_SIZE 32

/* Writes `2026-03-10T09:30:12Z` (whole seconds, UTC), `-` for what is not within 1970 to 9999. Returns `out`.
 */
const char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);
/* The same with milliseconds: `2026-03-10T09:30:12.345Z`. */
const char *clock_rfc3339_ms(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);
/* For answers: as clock_rfc3339(), but NULL for 0 (not known) and for what is not within these years. */
const char *clock_rfc3339_or_null(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);

/* Reads an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`). 0 and *wall_ms, or -EINVAL. */
int clock_parse_http_date(const char *text, int64_t *wall_ms);
/* The same, and the older forms that servers put into the Expires of a cookie (`Tue, 12-Oct-1999 07:00:00
 * GMT`). */
int clock_parse_cookie_date(const char *text, int64_t *wall_ms);

/*
 * Reads the vault's zone-less timestamps, UTC assumed, with any number of fraction digits
 * (docs/password-safe.md), and those with a trailing Z. 0 and *wall_ms (below 0
 * before 1970), or -EINVAL, also for a day that is in no calendar.
 */
int clock_parse_vault_date(const char *text, int64_t *wall_ms);
int64_t clock_vault_date(const char *text); /* the same, 0 = it is none */

#endif
