/*
 * collect_internal.h - the collector behind collect.h: what its files share.
 *
 * Files, each above those it calls: decide.c (decisions as pure functions), trail.c (files of audit trails),
 * task.c (tasks, clocks), clock.c (a site's clock), word.c (a site's word), source.c (what all sources have
 * in common), listing.c (closed, backfill, sweep, running), probe.c, fetch.c, activity.c (team, vault,
 * syslog), inventory.c, info.c, gateway.c (audit trails), upkeep.c (retention, indexes, working hours),
 * site.c (a site's life), state.c (the snapshot), collect.c (the collector's life).
 *
 * A round of a source: begin() asks, batch() makes tasks of what comes, ended() submits the task that moves
 * the cursor, and its done() ends the round by source_succeeded() or source_failed(). So a round ends exactly
 * once, and a source has one call at a time. Tasks are carried out in order: the last task of a round finds
 * all others carried out.
 *
 * Times are Unix seconds. The `now` of a site is by its own clock (collect_site_now()), that of the
 * database's own columns and of jg_todo is ours (collect_now()).
 */
#ifndef JG_REPORTS_COLLECT_COLLECT_INTERNAL_H
#define JG_REPORTS_COLLECT_COLLECT_INTERNAL_H

#include "base/container_of.h"
#include "base/lsid.h"
#include "reports/collect/collect.h"
#include "reports/collect/decide.h"

#include <stdatomic.h>
#include <sys/queue.h>

#define COLLECT_WAITING_MAX (4 * 1024 * 1024) /* bytes that wait for the writer: no answer is read on */
#define COLLECT_WAITING_LOW (2 * 1024 * 1024)
#define COLLECT_BACKLOG     50000  /* sessions to fetch over which the vendor's event indexes are off */
#define COLLECT_TODO_MAX    200000 /* over which a backfill lists no further window */
#define COLLECT_TRIES       5      /* of a session, after which it waits a day */
#define COLLECT_ONCE_TRIES  3      /* of a source, after which a round gives it up */
#define COLLECT_ERROR_SIZE  512
#define DAY                 86400

struct source;
struct collect_site;

/* ---- a source ---- */

struct source_row {
    const char *name;
    enum report_urgency urgency;
    unsigned fetch; /* bits of enum collect_fetch that want it; 0 = always on */
    int ask;        /* enum report_ask whose grant it needs; -1 = none */
    int64_t (*interval)(const struct collect_site *);
    void (*begin)(struct source *); /* NULL: it has no calls of its own */
    void (*batch)(struct source *, struct report_batch *);
    void (*ended)(struct source *, const struct report_outcome *);
    void (*refused)(struct source *, const char *lsid, const char *why); /* NULL = counted only */
    void (*info)(struct source *, const struct report_info *);
};

enum round_result { ROUND_OPEN, ROUND_COMPLETE, ROUND_FAILED };

struct source {
    struct collect_site *site;
    const struct source_row *row;
    enum collect_source id;
    struct report_call call;
    struct deadline wait;
    bool busy;   /* a round is open */
    bool held;   /* it is due, and waits for the database or for the site's first answer */
    bool paused; /* its call is */
    bool again;  /* something came during the round: begin the next one at once */
    bool denied;
    bool lost;           /* memory ran out: a part of the answer is missing */
    atomic_bool spoiled; /* by the writer's thread: a task of the round was at fault, so the cursor stays */
    enum round_result result; /* of a `once` */
    unsigned failures;        /* in a row */
    enum report_end end;      /* of the last call that failed */
    int status;
    const char *permission; /* that it lacks */
    int64_t started, last_success;
    char cursor[STORE_POSITION_SIZE];
    char error[COLLECT_ERROR_SIZE];
    uint64_t calls[REPORT_NENDS], call_ms;
};

/* ---- listings ---- */

struct listed_part { /* of an answer, until its task is made */
    struct record_arena arena;
    struct record_listed *rows;
    size_t n;
    STAILQ_ENTRY(listed_part) link;
};
STAILQ_HEAD(listed_parts, listed_part);

struct lister {
    struct windows windows;
    bool by_start;    /* the phase: closed sessions by their end first, then all by their start */
    int64_t from, to; /* what is still to be listed */
    int64_t asked_to; /* end of the window that is asked for */
    bool more;        /* further windows follow at once */
    uint64_t rows;    /* of the answer */
    struct listed_parts parts;
    size_t bytes;
};

/* ---- fetching ---- */

struct wanted { /* a session that is asked for */
    char lsid[LSID_SIZE];
    enum todo_why why;
    int64_t tries;
    bool came; /* it is in the answer, or was refused */
};

struct wanted_list {
    struct wanted *rows;
    size_t n, room;
};

struct fetcher {
    struct wanted_list asked, alone; /* alone: asked for one by one, before anything else */
    size_t at;                       /* of asked: where the next session is looked for first */
    unsigned most, batch;            /* lsids of a call: configured, and of the next one */
    unsigned streak;                 /* failed calls in a row that were repeated at once */
    bool all_due;                    /* the database had no more that is due */
    unsigned sessions_failed;        /* in this round */
};

#define FORGOTTEN_MAX 256

struct forgotten { /* an lsid that the site did not know: lists may name it for a while */
    char lsid[LSID_SIZE];
    int64_t until;
};

struct probe { /* a running session: is it active? */
    char lsid[LSID_SIZE];
    int64_t asked; /* when; RECORD_NONE = never */
    bool wanted;
    TAILQ_ENTRY(probe) link;
};
TAILQ_HEAD(probes, probe);

/* ---- inventory ---- */

struct stock_part {
    struct record_arena arena;
    enum report_kind kind;
    void *rows;
    size_t n;
    STAILQ_ENTRY(stock_part) link;
};
STAILQ_HEAD(stock_parts, stock_part);

struct stock {
    unsigned list; /* index into the table of lists */
    unsigned page;
    bool skip[STORE_NKINDS];  /* the round of this kind is not whole */
    bool named[STORE_NKINDS]; /* a list of it was there */
    struct stock_parts parts[STORE_NKINDS];
    size_t bytes;
    char error[COLLECT_ERROR_SIZE];      /* a kind has too many rows */
    struct report_outcome first_failure; /* of a list that was left out */
};

/* ---- a site ---- */

struct collect_site {
    struct collector *collector;
    char *name, *host_name;
    bool enabled, gone; /* gone: no longer configured, freed when its tasks are done */
    unsigned fetch, batch;
    struct report_site *site;                 /* NULL: nothing is asked */
    struct working_hours *hours, *next_hours; /* hours: the writer's thread uses them; next: they follow */
    char *hours_text;
    struct source sources[COLLECT_NSOURCES];
    bool planned; /* closed and backfill know where they begin */
    bool missing; /* sessions of the backfill's range are not stored yet */
    int64_t missing_from;
    struct lister closed, backfill, sweep, running;
    struct fetcher fetcher;
    struct probes probes;
    char probed[LSID_SIZE]; /* the one that is asked for */
    struct stock stock;
    size_t tasks; /* of it, submitted and not done */

    bool loaded;  /* cursors are read */
    bool greeted; /* the first get_api_info has ended: others may ask */
    bool has_skew, has_info_time, command_denied;
    int64_t info_time_ms;              /* of the answer that is being read; 0 = none */
    int64_t newest[COLLECT_NSOURCES];  /* of a round: the newest time of a row */
    bool since_done[COLLECT_NSOURCES]; /* `since` was asked for */
    int64_t skew_ms;
    int64_t clock_ms;     /* the site's time as it was last said, */
    uint64_t clock_at_ms; /* and when that was, by the clock that is never set */
    enum report_grant grants[REPORT_NASKS];
    char api_version[64];
    char *permissions; /* JSON */
    int64_t todo, failed;
    uint64_t dropped, refused, texts_cut, sessions_new, sessions_changed;
    struct forgotten *forgotten; /* a ring of FORGOTTEN_MAX; NULL = none yet */
    size_t next_forgotten;

    enum collect_word word;
    char reason[128];
    char loaded_reason[128]; /* of Action Required, when the program started; "" = it was another word */
    int64_t since, last_success;
    bool put_wanted, put_running; /* the row of jg_site */
    int64_t put_at;
    LIST_ENTRY(collect_site) link;
};
LIST_HEAD(collect_sites, collect_site);

struct gateway;

/* ---- the collector ---- */

/* Calls from lower files to higher ones. */
struct collect_hooks {
    void (*check_end)(struct collector *);    /* of a round, or of stopping */
    void (*todo_changed)(struct collector *); /* the number of sessions to fetch */
    void (*derive_again)(struct collector *); /* a cursor COLLECT_DERIVED is not as it was */
    void (*site_idle)(struct collect_site *); /* a removed one, whose last task is done */
};

struct collector {
    const struct collect_hooks *hooks;
    struct collect_settings settings;
    struct timers *timers;
    struct writer *writer;
    struct collect_sites sites, gone;
    struct collect_site **order; /* of the configuration */
    size_t nsites;
    struct gateway **gateway_order;
    size_t ngateways;
    bool once, partial, started, stopping, ended, away; /* away: the database */
    int64_t since, until;
    size_t tasks; /* of all */
    uint64_t random;
    struct deadline upkeep;
    struct working_hours **retired;
    size_t nretired;
    bool last_upkeep; /* of a round: it was submitted */
    struct upkeep_state {
        bool retaining, indexing, rederiving, rederive_again;
        bool indexes, indexes_known;
        uint64_t retain_at_ms; /* by the clock that is never set */
    } keeping;
    int64_t away_since;
    void (*finished)(void *arg);
    void *finished_arg;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct collect_state *state;
};

int64_t collect_now(const struct collector *);            /* ours */
int64_t collect_site_now(const struct collect_site *);    /* the site's */
int64_t collect_site_today(const struct collect_site *);  /* the site's, but not behind `until` */
int64_t collect_site_oldest(const struct collect_site *); /* what is older is not fetched (`keep`) */

/* ---- tasks ---- */

struct site_task { /* every task of a site begins with it */
    struct writer_task task;
    struct collect_site *site;
    struct source *source; /* NULL = of none */
    int64_t now;           /* ours, when it was made */
    enum db_outcome (*apply)(struct site_task *, struct report_store *);
    void (*after)(struct site_task *, enum db_outcome, const char *why); /* then it is freed */
    void (*release)(struct site_task *);                                 /* what it holds; NULL = nothing */
};
/* Zeroed, `size` bytes; NULL when out of memory. */
void *site_task_new(struct collect_site *, struct source *, size_t size);
void site_task_submit(struct site_task *);
void site_task_free(struct site_task *);

/* Of the collector as a whole. */
void collect_submit(struct collector *, struct writer_task *);
void collect_task_done(struct collector *); /* in done() of such a task */

/* Wanted by the configuration. */
static inline bool source_is_wanted(const struct source *s)
{
    const struct collect_site *site = s->site;

    return site->enabled && site->site && s->row->begin && (!s->row->fetch || (site->fetch & s->row->fetch));
}

/* ---- source.c ---- */

void source_init(struct source *, struct collect_site *, enum collect_source);
/* Begins a round after so long; a round that is open is followed by one at once where ms is 0. */
void source_schedule(struct source *, uint64_t ms);
void source_wake(struct source *);
/* The urgency and sink of its call; then the site's operation is called with &s->call. */
struct report_call *source_call(struct source *);
/* What such an operation returned: a failure ends the round. */
void source_asked(struct source *, int err);
void source_succeeded(struct source *, uint64_t next_ms); /* next_ms: SOURCE_INTERVAL, or when */
#define SOURCE_INTERVAL UINT64_MAX
/* By an outcome that is not whole. */
void source_failed(struct source *, const struct report_outcome *);
/* By something else: the database, memory, `why` for the operator. */
void source_broke(struct source *, const char *why);
void source_stop(struct source *);
void source_release(struct source *); /* it was held; begins now */

/*
 * The last task of a round that had a call: it moves the cursor where the answer was whole and no task of the
 * round was at fault, and ends the round by what `outcome` says.
 */
struct last_task {
    struct site_task base;
    struct report_outcome outcome;
    char position[STORE_POSITION_SIZE]; /* "" = it stays */
    const char *broke;                  /* the round fails for this; NULL = it does not */
    void (*over)(struct source *);      /* in place of source_succeeded() at the interval; NULL = that */
};
struct last_task *last_task_new(struct source *, const struct report_outcome *, size_t size);
enum db_outcome last_task_apply(struct site_task *, struct report_store *);
void last_task_after(struct site_task *, enum db_outcome, const char *why);

/* ---- the sources ---- */

extern const struct source_row info_row, closed_row, backfill_row, sweep_row, running_row, fetch_row,
    probe_row, recheck_row, team_row, vault_row, syslog_row, inventory_row;

void listing_init(struct collect_site *);
void listing_stop(struct collect_site *); /* what a cancelled answer brought */
void listing_free(struct collect_site *);
void listing_forget(struct collect_site *, const char *lsid); /* the site does not know it */
bool listing_backfills(const struct collect_site *);
bool listing_is_complete(const struct collect_site *); /* of a round: no listing will add sessions */

void fetch_init(struct collect_site *);
void fetch_free(struct collect_site *);
void probe_add(struct collect_site *, const char *lsid); /* it may be inactive */
void probe_drop(struct collect_site *, const char *lsid);
bool probe_is_empty(const struct collect_site *);

void inventory_init(struct collect_site *);
void inventory_reset(struct collect_site *);

/* ---- clock.c, word.c ---- */

/* True: get_api_info is to be asked again. */
bool clock_take_date(struct collect_site *, const struct report_outcome *);
void clock_set_skew(struct collect_site *, int64_t skew_ms, int64_t site_ms);
/* The site's present in seconds, whatever our clock was set to since the site said its time; it has
 * (has_skew). */
int64_t clock_said(const struct collect_site *);
void collect_site_judge(struct collect_site *); /* computes its word; stores what changed */
void collect_site_put(struct collect_site *);

/* ---- site.c ---- */

struct collect_site *collect_site_new(struct collector *, const struct collect_site_params *, char why[256]);
int collect_site_change(struct collect_site *, const struct collect_site_params *, char why[256]);
void collect_site_free(struct collect_site *);
int collect_site_load(struct collect_site *);             /* reads its cursors, then begins */
void collect_site_hold(struct collect_site *, bool held); /* the database is away, or back */
void collect_site_stop(struct collect_site *);

/* ---- gateway.c ---- */

struct gateway *gateway_new(struct collector *, const struct collect_gateway_params *);
int gateway_start(struct gateway *);
void gateway_stop(struct gateway *);
void gateway_free(struct gateway *);
bool gateway_is(const struct gateway *, const struct collect_gateway_params *);
void gateway_state(const struct gateway *, struct collect_gateway_state *);
enum round_result gateway_result(const struct gateway *);
void gateway_hold(struct gateway *, bool held);

/* ---- state.c, collect.c, upkeep.c ---- */

void state_free(struct collect_state *); /* NULL is fine */

int upkeep_start(struct collector *);
void upkeep_stop(struct collector *);
void upkeep_last(struct collector *); /* at the end of a round */
/* The store may still point to them. */
void collect_retire_hours(struct collector *, struct working_hours *);
void upkeep_indexes(struct collector *); /* todo has changed */
/* Derived columns again where the cursor COLLECT_DERIVED of a site is not what its working hours say. */
void upkeep_derive(struct collector *);
#define COLLECT_DERIVED "hours"

#endif
