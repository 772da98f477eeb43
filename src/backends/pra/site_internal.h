/*
 * site_internal.h - the inside of struct pra_site, and which file does what with it.
 *
 *   site.c            life, reload, counters of what others report
 *   site_check.c      probes and checks
 *   site_poll.c       listings and the cursor
 *   site_terminate.c  terminations
 *   site_clock.c      the site's clock, deadlines
 *   site_state.c      what the answers add up to: state and detail
 *   site_view.c       what is shown
 *   site_metrics.c    the same as metrics
 *
 * site_clock.c and site_state.c are below the others: they see every call, and start a check by its deadline
 * alone.
 */
#ifndef JG_BACKENDS_PRA_SITE_INTERNAL_H
#define JG_BACKENDS_PRA_SITE_INTERNAL_H

#include "backends/pra/site.h"

#define PRA_SKEW_MAX_MS      60000
#define PRA_STEP_MS          10000            /* from such a change on, one of the two clocks has been set */
#define PRA_STEP_APART_MS    60000            /* between two checks that a Date has asked for */
#define PRA_INTERVAL_MAX_MS  (2u * 60 * 1000) /* an interval that failures have doubled */
#define PRA_SWITCH_MS        (15 * 60 * 1000) /* how far the listing after a failover looks back in addition */
#define PRA_WINDOW_S         21600            /* the longest time of one listing */
#define PRA_REFUSED_EVENT_MS (5u * 60 * 1000) /* how long refused events are named */
#define PRA_SYNC_STALE_MS    (60 * 60 * 1000) /* age of the last data sync from which it is named */
#define PRA_JUMPOINTS_MAX    1000             /* of `all` that are kept */
#define PRA_PAGES_MAX        100              /* of Jumpoints */

struct pra_metrics;

struct pra_jumpoint_set { /* the configured names, or all there are */
    struct pra_jumpoint_view *rows;
    size_t n;
    size_t room; /* names may be added up to here; 0 = the names are given */
};

struct pra_site {
    struct pra_site_params params; /* its texts are not used, but for name */
    struct pra_site_hooks hooks;
    struct pra_client *client;
    struct timers *timers;
    const struct clock *clock;
    char *name;
    bool closing;

    struct pra_probe {
        struct deadline timer;
        struct pra_call call;
        unsigned failures;         /* in a row */
        struct pra_result failure; /* the last of them */
        bool known, healthy;
        bool looking; /* in standby: check_health follows the probe */
    } probe;

    struct pra_check {
        struct deadline timer;
        struct pra_call call;
        unsigned failures;
        bool ended, running;
        bool again;                /* it is wanted once more, when it has ended */
        struct pra_result failure; /* of the last one; PRA_OK = none */
        struct pra_result jumpoints_failure;
        struct pra_jumpoint_set fresh; /* while pages come */
    } check;
    bool has_info, has_health;
    struct pra_info info;
    struct pra_health health;
    bool has_jumpoints;
    struct pra_jumpoint_set jumpoints;
    struct pra_jumpoint_set wanted; /* the configured names, clean */
    bool has_skew, skew_is_exact;   /* exact: from get_api_info */
    int64_t skew_ms;
    int64_t skew_error_ms; /* it may be wrong by so much */
    bool has_date_skew;    /* an answer has had a Date since skew_is_exact */
    int64_t date_skew_ms;  /* by the Date of the last answer */
    bool has_step;         /* a Date has asked for a check */
    uint64_t step_at_ms;

    struct pra_poll {
        struct deadline timer;
        struct pra_call call;
        unsigned failures;
        struct pra_result failure;
        bool running, denied;
        size_t next_row;    /* of the listing at hand */
        int64_t cursor_ms;  /* the site's clock, 0 = none */
        int64_t end_ms;     /* what the cursor becomes after the listing at hand */
        int64_t extra_ms;   /* looked back in addition, after a failover */
        bool is_idle;       /* the last tick had nothing to ask for */
        bool has_look_back; /* to look_back_ms (gateway's clock) */
        int64_t look_back_ms;
        bool has_doubt; /* what has ended since doubt_ms (the site's clock) may have been missed */
        int64_t doubt_ms;
        unsigned wanted, asked; /* how often one of these three was set; when the poll began */
        int64_t sure_cursor_ms; /* the cursor when the skew was last measured */
        uint64_t sure_at_ms;
        bool advanced, more; /* in this poll; another window follows */
        bool has_success;
        uint64_t success_at_ms;
    } poll;

    TAILQ_HEAD(pra_terminations, pra_termination) terminations;

    enum pra_state state;
    unsigned failures; /* calls in a row without a valid answer */
    struct pra_result last_failure;
    bool has_success;
    uint64_t success_at_ms;
    bool has_refused_event;
    uint64_t refused_event_at_ms;

    struct pra_metrics *metrics; /* NULL = not registered */
    uint64_t leases_ended[PRA_NSOURCES], sessions_ended[PRA_NSOURCES], rows_skipped;
    uint64_t events[PRA_NEVENTS][PRA_NEVENT_OUTCOMES];
    uint64_t termination_counts[PRA_NTERMINATIONS];
    void (*closed)(void *arg);
    void *arg;
};

/* site_state.c */
void pra_site_observe(void *site, enum pra_call_kind,
                      const struct pra_result *); /* each call that was made */
void pra_site_update(struct pra_site *);          /* something has changed */
void pra_site_detail(const struct pra_site *, char out[PRA_DETAIL_SIZE]);
bool pra_site_is_standby(const struct pra_site *);
size_t pra_site_missing(const struct pra_site *, struct pra_missing out[PRA_MISSING_MAX]);
/* The interval after so many failures in a row; `relaxed`: doubled where few calls are left. */
uint64_t pra_site_interval(const struct pra_site *, uint64_t base_ms, unsigned failures, bool relaxed);
static inline bool pra_is_failure(const struct pra_result *r)
{
    return r->fault != PRA_OK && r->fault != PRA_NO_ROWS;
}

/* site_clock.c */
int64_t pra_site_wall(const struct pra_site *); /* the site's clock, as far as it is known */
/* The Date header has less to say than get_api_info: it counts where that names no time. */
void pra_site_note_date(struct pra_site *, const struct pra_call *);
void pra_site_note_time(struct pra_site *, const struct pra_call *, int64_t time_ms); /* it named its time */

/* site_check.c */
void pra_site_probe(struct pra_site *);      /* begins probing */
void pra_site_check(struct pra_site *);      /* a check, now or after the one that runs */
void pra_site_check_stop(struct pra_site *); /* both */
void pra_jumpoints_free(struct pra_jumpoint_set *);

/* site_poll.c */
void pra_site_poll_soon(struct pra_site *, uint64_t delay_ms); /* at the latest; unless one runs */
void pra_site_poll_switched(struct pra_site *);                /* another appliance, or another role */
void pra_site_poll_stop(struct pra_site *);
bool pra_site_poll_is_passing(
    const struct pra_site *); /* rows of a valid listing, one iteration after another */
/* Counts an ended session; 0 leases are none. */
void pra_site_ended(struct pra_site *, enum pra_end_source, size_t leases);

/* site_metrics.c: registers what can be scraped; again after the configured Jumpoints have changed. */
int pra_site_metrics_start(struct pra_site *); /* 0 or -ENOMEM */
void pra_site_metrics_stop(struct pra_site *); /* any number of times */

/* site_terminate.c */
void pra_site_terminations_stop(struct pra_site *);

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
