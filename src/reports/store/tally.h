/*
 * tally.h - counts by day, month and 15 minutes, as deltas that are summed until the transaction commits.
 *
 * A session counts at its start, an event at its own time. Taking a session out again is the same with sign
 * -1, so a change is a subtraction and an addition; what sums to 0 is not written.
 */
#ifndef JG_REPORTS_STORE_TALLY_H
#define JG_REPORTS_STORE_TALLY_H

#include "reports/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_SLOT 900 /* seconds of a row of jg_slot */
#define TALLY_DAY  86400

enum tally_dim {
    DIM_ALL,
    DIM_JUMPOINT,
    DIM_TYPE,
    DIM_DURATION, /* of closed sessions; label = lower bound in seconds */
    DIM_OUTSIDE,  /* outside working hours; label = user */
    DIM_ABNORMAL,
    DIM_USER, /* by month only, as the next three */
    DIM_ENDPOINT,
    DIM_SITE_USER, /* over all jump groups, as the next: jump_group_name is "" */
    DIM_SITE_ENDPOINT,
    DIM_EVENT,  /* of events; label = type */
    DIM_REASON, /* of failed injections; label = failure_reason */
    TALLY_NDIMS
};
extern const char *const tally_dims[TALLY_NDIMS];
bool tally_by_month_only(enum tally_dim);
bool tally_over_groups(enum tally_dim);
/* Lower bounds of the durations that are told apart, in seconds. */
#define TALLY_NDURATIONS 7
extern const int64_t tally_durations[TALLY_NDURATIONS];

struct tally_row { /* of jg_tally */
    uint64_t hash;
    char grain;
    enum tally_dim dim;
    int64_t slot;
    const char *host_name, *jump_group_name, *label;
    size_t host_len, group_len, label_len;
    int64_t n, seconds;
};

enum { SLOT_SESSIONS, SLOT_SECONDS, SLOT_ABNORMAL, SLOT_OUTSIDE, SLOT_INJECTIONS, SLOT_FAILED, SLOT_NSUMS };

struct tally_slot { /* of jg_slot */
    uint64_t hash;
    int64_t slot;
    const char *host_name;
    size_t host_len;
    int64_t sums[SLOT_NSUMS];
};

struct tally {
    struct record_arena texts;
    void **rows; /* of struct tally_row: a hash table by open addressing */
    size_t nrows, row_slots;
    void **slots; /* of struct tally_slot, likewise */
    size_t nslots, slot_slots;
};

struct counted { /* what of a session counts */
    const char *host_name, *jump_group_name, *jumpoint_name, *jump_item_type, *user_name, *endpoint_name;
    int64_t start, duration_seconds; /* the second may be RECORD_NONE */
    bool closed, abnormal, outside_hours;
};

/* 0 or -ENOMEM: then the transaction must not be committed. */
int tally_session(struct tally *, const struct counted *, int sign);
/* reason: of a failed injection, "" = not given; NULL for every other event. */
int tally_event(struct tally *, const struct counted *session, const char *type, int64_t timestamp,
                const char *reason, int sign);
void tally_clear(struct tally *);
void tally_free(struct tally *);

int64_t tally_month(int64_t unix_time); /* start of its month, UTC */
int64_t tally_floor(int64_t unix_time, int64_t of);

#endif
