/*
 * year.h - a year of sessions as PRA sites report them, the same for the same seed.
 *
 * 2 sites, 20 jump groups (the n-th is chosen 1/n as often as the first), 500 users, 5,000 endpoints and 10
 * Jumpoints; 40 events a session. Each session follows from the seed and its number alone; numbers are in the
 * order of time.
 */
#ifndef JG_BENCH_REPORT_YEAR_H
#define JG_BENCH_REPORT_YEAR_H

#include "reports/records.h"

#define YEAR_EVENTS  40
#define YEAR_SECONDS (365 * 86400)

struct year {
    uint64_t seed;
    int64_t end;       /* Unix seconds: the last session starts shortly before it */
    uint64_t sessions; /* in it */
};

struct year_session {
    const char *host_name;
    const struct record_session *session;
    int closed; /* 0: the site never said its end */
};

/* NULL in `session` when memory runs out. */
struct year_session year_session(const struct year *, struct record_arena *, uint64_t number);

#endif
