/*
 * decide.h - decisions of the collector as pure functions: how large a window is, what an outcome means, what
 * state a session is in, how long a back-off lasts, which word a site has.
 */
#ifndef JG_REPORTS_COLLECT_DECIDE_H
#define JG_REPORTS_COLLECT_DECIDE_H

#include "reports/collect/collect.h"

/* ---- what an end of a call means ---- */

enum end_act {
    END_WHOLE,   /* nothing is missing */
    END_UNKNOWN, /* "Invalid lsid." */
    END_DENIED,  /* the source is off until the account may */
    END_WAIT,    /* as long as the site says, else a minute */
    END_BACKOFF, /* 5 s, doubling to 10 min */
    END_STOPPED
};

struct end_rule {
    enum end_act act;
    bool halves;   /* a smaller window or batch may get through */
    bool blames;   /* asked for one session alone, this may be the session's fault */
    bool certain;  /* Action Required at the first time, not only when the source is late */
    unsigned rank; /* of its reason among several, the greater goes first */
};
const struct end_rule *end_rule(enum report_end);
/* The reason word of a failure: report_end_reason(), or the nearest of its words. */
const char *end_reason(enum report_end, int status);

/* Before attempt n + 1, n = 1, 2, …: the last quarter is at random. */
uint64_t decide_backoff_ms(unsigned failures, uint64_t *random);
/* The same for a session that failed so often; from the fifth time on a day. Seconds. */
int64_t decide_session_wait(int64_t tries, uint64_t *random);

/* ---- windows of listings ---- */

#define WINDOW_FIRST 86400
#define WINDOW_LEAST 60
#define WINDOW_MOST  (7 * 86400)
#define WINDOW_MANY  20000 /* rows: halves */
#define WINDOW_FEW   5000  /* rows: three answers under it double */

struct windows {
    int64_t width; /* seconds */
    unsigned few;  /* answers in a row with few rows */
};
void windows_init(struct windows *);
void windows_answered(struct windows *, uint64_t rows);
void windows_failed(struct windows *);

/* ---- sessions ---- */

enum todo_why { WHY_LISTED, WHY_BACKFILL, WHY_SWEEP, WHY_RUNNING, WHY_RECHECK, WHY_INACTIVE, WHY_NWHYS };
const char *todo_why_name(enum todo_why); /* as in jg_todo */
enum todo_why todo_why_named(const char *);

/* Is a session that a listing names to be fetched? */
bool decide_listed(enum todo_why, bool by_start, const struct store_known *);

struct session_view { /* of the site, at the time of the answer */
    int64_t now;      /* by the site's clock */
    int64_t running_max;
    enum todo_why why;
    bool command_denied; /* the site does not say whether a session is active */
};
enum store_state decide_state(const struct record_session *, const struct session_view *);
/* When a stored session is read again, by the site's clock; RECORD_NONE = not again. */
int64_t decide_recheck(const struct collect_settings *, int64_t end, int64_t now);

/* ---- words ---- */

#define SKEW_WARNING_MS  30000
#define SKEW_ACTION_MS   300000
#define CREDENTIALS_DAYS 7 /* of refused credentials, then the site is Off */

#endif
