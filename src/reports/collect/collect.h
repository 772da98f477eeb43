/*
 * collect.h - the collector: what is asked of each PRA site and when, what an answer means, and how far the
 * collector has come.
 *
 * A site has sources (enum collect_source): each is a state machine with a row in a table, a cursor in the
 * database, an interval and a back-off. Answers become tasks of the one writer (writer.h), and a cursor moves
 * in the transaction of the rows that it stands for. So the process may end at any moment: the next start
 * goes on where the last commit was.
 *
 * Life: collect_new -> collect_start -> (collect_reload) -> collect_stop -> stopped() -> collect_free. All of
 * it is on one thread, that of its timers; nothing blocks.
 *
 * Not here: the network (pra/), SQL (store/), the thread of the writer and the configuration (collecting/).
 */
#ifndef JG_REPORTS_COLLECT_COLLECT_H
#define JG_REPORTS_COLLECT_COLLECT_H

#include "base/timers.h"
#include "reports/collect/writer.h"
#include "reports/pra/pra_site.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;

enum collect_source {               /* the order of collect_source_name() and of the state */
                      COLLECT_INFO, /* clock, permissions, version */
                      COLLECT_CLOSED,
                      COLLECT_BACKFILL,
                      COLLECT_FETCH,
                      COLLECT_RUNNING,
                      COLLECT_PROBE, /* is a running session active? */
                      COLLECT_RECHECK,
                      COLLECT_SWEEP,
                      COLLECT_TEAM,
                      COLLECT_VAULT,
                      COLLECT_SYSLOG,
                      COLLECT_INVENTORY,
                      COLLECT_NSOURCES
};
const char *collect_source_name(enum collect_source); /* "closed": also of its cursor in jg_cursor */

/* ---- what it is given; texts are copied, times are seconds ---- */

enum collect_fetch { /* bits: what is asked of a site */
                     COLLECT_FETCH_SESSIONS = 1,
                     COLLECT_FETCH_TEAM = 2,
                     COLLECT_FETCH_VAULT = 4,
                     COLLECT_FETCH_SYSLOG = 8,
                     COLLECT_FETCH_INVENTORY = 16
};

struct collect_site_params {
    const char *name, *host_name; /* host_name: in lower case, of one site only */
    bool enabled;
    unsigned fetch;                        /* bits of enum collect_fetch */
    unsigned batch;                        /* lsids of one call */
    struct report_site *site;              /* NULL where it is not enabled */
    const char *time_zone, *working_hours; /* of its people */
};

struct collect_gateway_params {
    const char *name, *audit; /* audit: pattern of the trail's files */
};

#define COLLECT_RECHECKS     16
#define COLLECT_ONCE_WAIT_MS 120000 /* a round waits no longer where a site asks for a pause */

struct collect_settings {
    int64_t backfill, keep, keep_syslog;
    int64_t poll_interval, running_interval, inventory_interval, syslog_interval;
    int64_t overlap, sweep;
    int64_t recheck[COLLECT_RECHECKS]; /* ages after a session's end, rising */
    size_t nrecheck;
    int64_t running_max, abnormal_after;
};

struct collect_params {
    struct collect_settings settings;
    const struct collect_site_params *sites;
    size_t nsites;
    const struct collect_gateway_params *gateways;
    size_t ngateways;
    bool partial; /* the sites are not all of the configuration: what is stored of others stays as it is */
    /* One full round of every source, then `finished`; nothing is repeated after that. */
    bool once;
    int64_t since,
        until; /* moves the start of collecting back; nothing later is asked; RECORD_NONE = not so */
    struct timers *timers; /* and its clock */
    struct writer *writer;
};

/* ---- life ---- */

/* NULL: out of memory, or why[] says what is wrong with the hours of a site. */
struct collector *collect_new(const struct collect_params *, char why[256]);
/* `finished` comes once, of a round (`once`) alone. 0 or -ENOMEM. */
int collect_start(struct collector *, void (*finished)(void *arg), void *arg);
/* Other settings, sites and gateways. A site is the same when host_name is; its struct report_site may be
 * another one. A site that is gone is stopped: its state becomes Off, and its rows stay. After this call no
 * struct report_site that is not in the params is used. 0, or -ENOMEM and nothing has changed. */
int collect_reload(struct collector *, const struct collect_params *);
/* Ends all calls at once; `stopped` comes when the writer has carried out what was submitted. */
void collect_stop(struct collector *, void (*stopped)(void *arg), void *arg);
void collect_free(struct collector *); /* after stopped(), or never started; NULL is fine */

/* ---- state, for the page, the metrics and the exit code ---- */

enum collect_word {
    COLLECT_PENDING,
    COLLECT_CONNECTED,
    COLLECT_ACTION_REQUIRED,
    COLLECT_OFF,
    COLLECT_NWORDS
};
const char *collect_word_name(enum collect_word); /* "Action Required" */

enum collect_activity {
    COLLECT_IDLE,    /* it waits for its time */
    COLLECT_WORKING, /* a call or a transaction of it is on its way */
    COLLECT_FAILING, /* it waits after a failure */
    COLLECT_DENIED,  /* the account may not: off until it may */
    COLLECT_UNUSED,  /* not wanted by the configuration, or over */
    COLLECT_NACTIVITIES
};
const char *collect_activity_name(enum collect_activity); /* "idle" */

struct collect_source_state {
    enum collect_source source;
    enum collect_activity activity;
    const char *cursor;      /* as it stands in the database; "" = none */
    int64_t last_success;    /* Unix seconds; RECORD_NONE = never */
    int64_t lag;             /* seconds between what is collected and now; RECORD_NONE = not known */
    const char *error;       /* of the failure that it has not got over; NULL = none */
    unsigned failures;       /* in a row */
    bool complete, given_up; /* of a round (`once`) that has ended; neither: it is not wanted */
    uint64_t calls[REPORT_NENDS];
    uint64_t call_ms; /* all calls together */
};

struct collect_site_state {
    const char *name, *host_name;
    enum collect_word word;
    const char *reason;   /* "credentials", "permission perm_…", …; NULL = none */
    int64_t since;        /* of word and reason */
    int64_t last_success; /* RECORD_NONE = never */
    int64_t skew_ms;      /* the site's clock less ours */
    const char *api_version;
    int64_t todo, failed;                    /* sessions to fetch; those that failed five times */
    int64_t rate_remaining;                  /* -1 = not known */
    uint64_t dropped, refused, texts_cut;    /* lsids the site knows no more; sessions over a limit */
    uint64_t sessions_new, sessions_changed; /* since the start */
    /* A backfill runs: sessions between these times may be missing. RECORD_NONE = none runs. */
    int64_t missing_from, missing_to;
    struct collect_source_state sources[COLLECT_NSOURCES];
};

struct collect_gateway_state {
    const char *name;
    const char *error;    /* the trail cannot be read, or its chain is broken; NULL = neither */
    uint64_t seq;         /* of the last line that is read */
    uint64_t broken;      /* places where the chain is broken */
    int64_t last_line;    /* time of that line; RECORD_NONE = none yet */
    int64_t last_success; /* when the trail was read; RECORD_NONE = never */
};

struct collect_state {
    struct collect_site_state *sites; /* sites of the configuration, in its order */
    size_t nsites;
    struct collect_gateway_state *gateways;
    size_t ngateways;
    struct writer_state database;
    bool indexes;    /* the vendor's indexes on events stand */
    bool rederiving; /* derived columns are computed again, after a change of working hours */
};
/* The stored cursor of COLLECT_BACKFILL: what is still to be listed, and where that began. A position of
 * before has no start: then it is `from`. */
struct collect_range {
    int64_t from, to, start;
};
bool collect_read_range(const char *position, struct collect_range *);
/* Of this moment. It stays until the next call, or until the collector goes on. NULL when out of memory. */
const struct collect_state *collect_state(struct collector *);

/* Of a round: sources that were complete, and those that were not. */
void collect_results(const struct collector *, unsigned *complete, unsigned *failed);

#endif
