/*
 * site.h - one PRA site over time: is it there, is it in order, which sessions have ended.
 *
 *   probe      every probe_interval, without a token: is it there and healthy?
 *   check      at the start, on reload, after an outage, every check_interval: permissions, clock, role,
 * Jumpoints poll       every poll_interval while a lease has a key: which sessions have ended since the
 * cursor? terminate  when an operator asks
 *
 * The site knows neither leases nor HTTP routes: it asks and reports through struct pra_site_hooks. It is
 * never needed to broker; whatever it does shows in pra_site_view() only. A session has ended when a
 * complete, valid answer says so, and at no other time.
 *
 * Life: pra_site_new -> pra_site_start -> ... -> [pra_site_stop ->] pra_site_close -> closed(). All on the
 * loop's thread; every interval and limit is in struct pra_site_params.
 *
 * Not here: single calls (client.h), events of the site and their answers (handlers), leases (broker).
 */
#ifndef JG_BACKENDS_PRA_SITE_H
#define JG_BACKENDS_PRA_SITE_H

#include "backends/pra/client.h"
#include "backends/pra/permissions.h"

struct pra_site;

enum pra_end_source { PRA_END_POLL, PRA_END_EVENT, PRA_END_TERMINATE, PRA_NSOURCES };

struct pra_site_hooks { /* all run on the loop */
    /* Creation (gateway's wall clock) of the oldest lease or check-out in flight that has a key; false = no
     * key, and the site is asked nothing. */
    bool (*oldest_key)(void *ctx, int64_t *created_ms);
    /* It is proven that this session has ended: ends its leases; returns how many. lsid = 32 lower-case
     * digits. */
    size_t (*session_ended)(void *ctx, const char *lsid, enum pra_end_source source);
    /* Makes the cursor (the site's clock) durable, after the ends that were passed before it. At most once a
     * poll. */
    void (*save_cursor)(void *ctx, int64_t cursor_ms);
    void *ctx;
};

struct pra_site_params {
    struct pra_params client;
    uint64_t probe_interval_ms, check_interval_ms;
    uint64_t poll_interval_ms; /* 0 = no polling */
    uint64_t poll_overlap_ms, catch_up_ms;
    bool terminate, ecm;          /* the kill switch is on; the account also serves the ECM plug-in */
    const char *const *jumpoints; /* names that must be connected; copied */
    size_t njumpoints;
    bool all_jumpoints;
};

/* Takes the secret, whatever it returns. `cursor_ms` is the last one saved, 0 = none. NULL and why. */
struct pra_site *pra_site_new(struct loop *, const struct pra_site_params *, struct secret *secret,
                              const struct pra_site_hooks *, int64_t cursor_ms, char why[256]);
/* Begins to call, and registers the metrics (base/metrics.h). 0 or -ENOMEM. */
int pra_site_start(struct pra_site *);
/* Other parameters (name, url and client_id stay) and, unless it is the same, another secret (taken; NULL =
 * the old one). A check follows at once. 0 or -ENOMEM, and then nothing has changed. */
int pra_site_reload(struct pra_site *, const struct pra_site_params *, struct secret *secret);
/* The gateway is about to stop: ends every call at once and makes none any more. Terminations end with
 * PRA_TERMINATE_UNAVAILABLE, _ERROR or _LOST within this call, later ones with _UNAVAILABLE. Rows of a valid
 * listing are still passed on; what is shown stays as it is. Nothing but pra_site_close() undoes it. */
void pra_site_stop(struct pra_site *);
/* The same, and no row is passed on. closed() comes when nothing is left. */
void pra_site_close(struct pra_site *, void (*closed)(void *arg), void *arg);

/* ---- kill switch ---- */

enum pra_termination_outcome {
    PRA_TERMINATE_DONE,          /* the session was terminated */
    PRA_TERMINATE_ALREADY_ENDED, /* the site refused, and shows that the session has ended */
    PRA_TERMINATE_ERROR,         /* another error of the site, or no sense in its answer */
    PRA_TERMINATE_REFUSED,       /* the account may not */
    PRA_TERMINATE_UNAVAILABLE,   /* nothing was sent: down, standby, or client refused */
    PRA_TERMINATE_LOST,          /* no answer: the session may have been terminated */
    PRA_NTERMINATIONS
};

/* Lives inside its owner's object; zeroed before its first use. done() comes once, never before
 * pra_site_terminate() has returned 0, and may free it. */
struct pra_termination {
    char lsid[LSID_SIZE]; /* 32 lower-case digits */
    uint64_t timeout_ms;  /* for all of it; 0 = call_timeout */
    void (*done)(struct pra_termination *);

    enum pra_termination_outcome outcome;
    size_t ended;            /* leases that were ended, in DONE and ALREADY_ENDED */
    uint64_t retry_after_ms; /* in UNAVAILABLE */
    char text[PRA_TEXT_SIZE + 80];

    /* private */
    struct pra_site *site;
    struct pra_call call;
    struct deadline deadline;
    TAILQ_ENTRY(pra_termination) link;
};

/* Sent whatever `terminate` of the parameters says: that is the caller's to check. 0 or -ENOMEM. */
int pra_site_terminate(struct pra_site *, struct pra_termination *) __attribute__((warn_unused_result));
const char *pra_termination_name(enum pra_termination_outcome); /* "already_ended" */

/* ---- events that came in (handlers) ---- */

enum pra_event_kind { PRA_EVENT_BEGIN, PRA_EVENT_END, PRA_EVENT_OTHER, PRA_EVENT_NONE, PRA_NEVENTS };
enum pra_event_outcome {
    PRA_EVENT_ACCEPTED,
    PRA_EVENT_IGNORED,
    PRA_EVENT_MALFORMED,
    PRA_EVENT_REFUSED,
    PRA_EVENT_UNAVAILABLE,
    PRA_NEVENT_OUTCOMES
};

/* Counts it; refused ones are named in the detail for five minutes. */
void pra_site_event(struct pra_site *, enum pra_event_kind, enum pra_event_outcome);
/* An end that came by another way than this folder's: one session, so many leases (0 is not counted). */
void pra_site_count_ended(struct pra_site *, enum pra_end_source, size_t leases);

/* ---- what is shown ---- */

enum pra_state {
    PRA_STATE_UNKNOWN, /* no check has ended yet */
    PRA_STATE_UP,
    PRA_STATE_DEGRADED,
    PRA_STATE_STANDBY, /* the backup of a failover pair */
    PRA_STATE_REFUSED, /* the site refuses client id or secret */
    PRA_STATE_DOWN,    /* two calls in a row without a valid answer */
    PRA_NSTATES
};

struct pra_jumpoint_view {
    char *name;
    bool found, enabled, connected;
};

#define PRA_DETAIL_SIZE 2048
#define PRA_MISSING_MAX 8

struct pra_site_view {
    const char *name;
    enum pra_state state;
    char detail[PRA_DETAIL_SIZE]; /* every cause, the worst first; "" in good order */
    bool has_success;
    uint64_t last_success_age_ms;
    bool has_skew;
    int64_t skew_ms;                 /* the site's clock minus the gateway's */
    const struct pra_info *info;     /* NULL = not known; these live until the next check */
    const struct pra_health *health; /* NULL = not known */
    struct pra_missing {
        const char *permission, *feature;
    } missing[PRA_MISSING_MAX];
    size_t nmissing;
    enum pra_list_verdict lists[PRA_NLISTS];
    bool has_jumpoints; /* false: the site has not named them yet, and all are wanted */
    const struct pra_jumpoint_view *jumpoints; /* the configured ones, or all */
    size_t njumpoints;
    int64_t cursor_ms; /* the site's clock, 0 = none */
    bool has_poll;
    uint64_t last_poll_age_ms, cursor_age_ms;
    uint64_t leases_ended[PRA_NSOURCES], sessions_ended[PRA_NSOURCES];
    uint64_t rows_skipped; /* of listings: without an lsid form */
    uint64_t calls, tokens;
    uint64_t events[PRA_NEVENTS][PRA_NEVENT_OUTCOMES];
    uint64_t terminations[PRA_NTERMINATIONS];
    const struct pra_call_counts *counts; /* of each enum pra_call_kind */
};

void pra_site_view(const struct pra_site *, struct pra_site_view *);
const char *pra_state_name(enum pra_state);
const char *pra_source_name(enum pra_end_source);
const char *pra_event_name(enum pra_event_kind);
const char *pra_event_outcome_name(enum pra_event_outcome);

#endif
