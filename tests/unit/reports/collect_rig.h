/*
 * collect_rig.h - a collector with a site, a writer and a clock of the test's, and a real store.
 *
 * The site has sessions, which begin and end as the clock goes on, and answers a call when the test lets it.
 * The writer carries out its tasks at once when the test lets it. So every order of events can be made.
 */
#ifndef JG_TESTS_COLLECT_RIG_H
#define JG_TESTS_COLLECT_RIG_H

#include "fake_clock.h"
#include "reports/collect/collect.h"
#include "reports_rig.h"

#define RIG_NAME "head office"
#define NEVER    INT64_MAX

struct made { /* a session at the site */
    int64_t number, start;
    int64_t end; /* NEVER: it runs until the test says otherwise */
    unsigned variant;
    bool abnormal;     /* it has no end in any report, though it is over at `end` */
    bool says_so;      /* abnormal, with an event Session End */
    bool gone;         /* no report knows it any more, the lists still do */
    bool poison;       /* an answer that has it breaks before it */
    int64_t listed_at; /* it is in lists from then on */
};

struct fake_call {
    struct report_call *call;
    enum report_ask ask;
    struct report_window window;
    int64_t from;
    enum report_page_kind page;
    unsigned page_number;
    char known[65];
    char (*lsids)[33];
    size_t n;
    bool paused;
    struct fake_call *next;
};

struct collect_rig {
    struct reports_rig store;
    struct fake_clock clock;
    struct timers *timers;
    struct collector *collector;
    struct collect_params params;
    struct collect_site_params site;
    struct collect_gateway_params gateway;

    /* the site */
    struct report_site base;
    struct made *made;
    size_t nmade;
    int64_t skew; /* seconds */
    bool no_time; /* get_api_info has none: the Date header */
    enum report_grant command;
    struct fake_call *calls; /* oldest first */
    uint64_t asked[REPORT_NASKS];
    enum report_end fault[REPORT_NASKS]; /* REPORT_OK = none */
    int faults[REPORT_NASKS];            /* how many answers; -1 = all */
    int64_t retry_after_ms;
    int64_t slow_lists; /* rows over which a list breaks; 0 = none does */
    unsigned accounts, items, teams;
    char archive[65];                      /* digest; "" = the site has no lines */
    uint64_t waiting_max;                  /* the most bytes that ever waited */
    void (*stepped)(struct collect_rig *); /* after each answer, with what it was written; NULL */

    /* the writer */
    struct writer writer;
    struct writer_queue queue;
    struct writer_state state;
    enum db_outcome away;           /* DB_OK: it is there */
    uint64_t transactions, dies_at; /* dies_at: after so many nothing is carried out; 0 = never */
    bool finished, stopped;
};

void collect_rig_init(struct collect_rig *);
void collect_rig_start(struct collect_rig *); /* opens the store too */
void collect_rig_stop(struct collect_rig *);  /* in order */
void collect_rig_crash(struct collect_rig *); /* what was not committed is lost; start() goes on */
void collect_rig_end(struct collect_rig *);

struct made *collect_rig_add(struct collect_rig *, int64_t start, int64_t end);
/* `n` closed sessions, spread over the days before now. */
void collect_rig_month(struct collect_rig *, size_t n, int days);

int64_t collect_rig_now(struct collect_rig *); /* the site's */
bool collect_rig_answer(struct collect_rig *); /* the oldest call that is not paused */
bool collect_rig_write(struct collect_rig *);  /* one transaction */
void collect_rig_settle(struct collect_rig *); /* answers and writes until only time would change something */
void collect_rig_run(struct collect_rig *, int64_t seconds); /* time passes, and all that is due happens */
/* Every session of the site is stored as the site has it, once; tallies equal a recount. */
void collect_rig_check(struct collect_rig *);
const struct collect_site_state *collect_rig_site(struct collect_rig *);
const char *collect_rig_word(struct collect_rig *); /* "Action Required credentials" */

#endif
