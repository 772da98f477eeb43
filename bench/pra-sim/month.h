/*
 * month.h - sessions that are made up: any number of them over some days, computed when they are asked for.
 *
 * A session is its index. Everything about it follows from the seed and the index, so that a million sessions
 * need no memory, and two programs with the same seed and the same end of the period have the same ones:
 *
 *     [0, sessions)              began and were closed before `until_s`; starts grow with the index
 *     [sessions, + running)      began before `until_s` and end after it, by the site's clock
 *     above                      begin after `until_s`, `live_hour` of them in an hour; starts grow
 *
 * More of them begin in working hours than at night and at weekends. One in 200 is closed abnormally: it has
 * no end time, and half of those have a Session End event. One in eight of these gets its end time three
 * hours later. One in 100 changes after its end (a correction). What a test changes is kept apart, by index.
 *
 * Times are Unix seconds. Not here: events (month_events.h), people and endpoints (month_items.h), XML.
 */
#ifndef PRA_SIM_MONTH_H
#define PRA_SIM_MONTH_H

#include "pra-sim/sessions.h"

#define MONTH_PEOPLE    3
#define MONTH_LONGEST_S (11 * INT64_C(3600)) /* no session of the first group is longer */
#define MONTH_FIXED_S   (3 * INT64_C(3600))  /* from an abnormal end to the end time that comes late */

struct month_opts {
    uint64_t sessions, running, live_hour, events, seed, days;
    uint64_t users, endpoints, groups, jumpoints;
    uint64_t vault_accounts, vault_activity, team_activity, syslog_messages; /* over the days */
    uint64_t stream_hour; /* records of each of the three kinds in each hour after until_s */
    int64_t until_s;
};

struct month_change { /* of one session, by a test */
    uint64_t index;
    int64_t closed_s; /* 0 = as made up */
    bool abnormal;    /* with closed_s */
    enum session_gone gone;
    unsigned revision; /* added to its own */
    UT_hash_handle hh;
};

struct month_times {
    int64_t start_s, closed_s; /* closed_s: also where the end is not shown */
    int64_t planned_s;         /* closed_s, had no test ended it */
    bool abnormal;
    bool fixed; /* its end time comes late */
};

struct month_zipf { /* ranks, the first the most frequent */
    uint32_t *below;
    uint64_t n;
};

struct month {
    struct month_opts opts;
    int64_t begin_s;
    double *before;                         /* weight of the hours before each, days * 24 + 1 of them */
    struct month_zipf groups, users, ranks; /* ranks: of an endpoint in its group */
    struct month_change *changes;
};

struct month_session {
    uint64_t index;
    uint64_t key; /* chance of this session */
    char lsid[LSID_SIZE];
    struct month_times times;
    enum session_state state;
    unsigned revision; /* 1, more after a correction */
    bool recording;
    uint64_t item;
    uint64_t user[MONTH_PEOPLE]; /* the first is the owner */
    unsigned npeople;
    int64_t now_s;
};

/* Missing numbers (0) take the usual ones, but not sessions, running and live_hour. NULL = out of memory. */
struct month *month_new(const struct month_opts *);
void month_free(struct month *);

/* How many there are: indexes below it have begun by that time. */
uint64_t month_count(const struct month *, int64_t now_s);
struct month_times month_times(const struct month *, uint64_t index);
enum session_state month_state(const struct month_times *, int64_t now_s);
void month_session(const struct month *, uint64_t index, int64_t now_s, struct month_session *);
/* The first index of the first group that begins at that time or later. */
uint64_t month_first_at(const struct month *, int64_t at_s);
/* lsid: 32 lower-case hex digits. False = none of these. */
bool month_find(const struct month *, const char *lsid, uint64_t *index);
void month_lsid(const struct month *, uint64_t index, char out[LSID_SIZE]);

const struct month_change *month_changed(const struct month *, uint64_t index); /* NULL = not */
struct month_change *month_change(struct month *, uint64_t index);              /* made when missing */
enum session_gone month_gone(const struct month *, uint64_t index);

/* When that share (0 to 1) of the period's weight has passed: more of it in working hours. */
int64_t month_time_of(const struct month *, double share);
/* In [0, 1). */
double month_fraction(uint64_t chance);
/* Chance: the same for the same session and purpose. */
uint64_t month_chance(uint64_t key, uint64_t purpose);
uint64_t month_rank(const struct month_zipf *, uint64_t chance);

#endif
