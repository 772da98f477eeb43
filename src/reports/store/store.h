/*
 * store.h - rows in: what the collector has read becomes rows, tallies and cursors of the reports database.
 *
 * One writer per database, on one thread; every call blocks and belongs between store_begin() and
 * store_commit(), unless it says otherwise. What stands between the two is written whole or not at all:
 * a session with its child rows, tallies and todo row, a listing with its cursor. After an outcome other
 * than DB_OK the caller calls store_rollback(); the text is in store_error().
 *
 * All of it is idempotent: the same record once more changes nothing but `fetched_at`. Names of sites
 * (host_name) and lsids are in lower case; texts end with NUL; times are Unix seconds; RECORD_NONE and NULL
 * are absent. Records are read during the call only.
 *
 * `seq` is one number for the whole database: every row that is new or changed takes the next one in the
 * writing transaction, so that a reader of `seq > n` misses nothing. jg_commit says when each was stored.
 *
 * Not here: when to ask which site (collect/), reading for people (query/).
 */
#ifndef JG_REPORTS_STORE_STORE_H
#define JG_REPORTS_STORE_STORE_H

#include "base/buf.h"
#include "base/clock.h"
#include "reports/db/db.h"
#include "reports/records.h"
#include "reports/store/working_hours.h"

struct report_store;

struct store_params {
    const struct db_ops *ops;
    struct db_params db;
    bool vendor_indexes;
    uint64_t verify_whole_max; /* bytes up to which a file of SQLite is verified whole (db/verify.h) */
    bool migrate;              /* brings an older schema of this program up; else it is refused */
    const struct clock *clock; /* by which jg_commit is written; NULL = the system's */
    /* The collector's lock is held from open to close, under this name (db/lock.h); NULL = no lock. */
    const char *holder;
    const char *lock_file; /* of SQLite */
};

/* Opens, and makes or checks the schema; `now` is for its record. NULL: *error says why and what to do. */
struct report_store *store_open(const struct store_params *, int64_t now, struct db_error *error);
void store_close(struct report_store *); /* rolls back; NULL is fine */
struct db *store_db(struct report_store *);
const struct db_error *store_error(const struct report_store *);
/* Any thread, until store_close(): running and later statements end with DB_INTERRUPTED until
 * store_resume(). */
void store_interrupt(struct report_store *);
void store_resume(struct report_store *);

enum db_outcome store_begin(struct report_store *);
/* DB_OK: it is there; DB_AWAY: it may be there, and the same once more changes nothing then; else nothing of
 * it is. */
enum db_outcome store_commit(struct report_store *);
void store_rollback(struct report_store *);
int64_t store_seq(const struct report_store *); /* the newest that is given */

/* ---- sites ---- */

struct store_site {
    const char *host_name, *name; /* name: of its section */
    const char *state, *reason;   /* "Connected"; NULL */
    int64_t since, skew_ms;       /* since: of the state */
    const char *api_version, *permissions;
    int64_t last_success;
    bool enabled;
};
enum db_outcome store_put_site(struct report_store *, const struct store_site *);
/* Calls `row` for each stored site; a value other than 0 ends it. Needs no transaction, and `row` must not
 * call the store. */
enum db_outcome store_sites(struct report_store *, int (*row)(void *arg, const struct store_site *),
                            void *arg);
/* A site that is configured no more: its state is Off, its rows stay. */
enum db_outcome store_site_off(struct report_store *, const char *host_name, int64_t now);
/* When this site's people work; `hours` outlives the store. Without it no session is outside. No transaction
 * is needed. 0 or -ENOMEM. */
int store_set_hours(struct report_store *, const char *host_name, const struct working_hours *hours);

/* ---- sessions ---- */

enum store_state { STORE_RUNNING, STORE_CLOSED, STORE_ABNORMAL };

struct store_session {
    const char *host_name;
    const struct record_session *session;
    enum store_state state;
    int has_recording; /* of the listing: 0, 1; -1 = not known: by the session's URLs and shells */
    int64_t now;       /* stored_at, fetched_at, changed_at */
};

enum store_change { STORE_NEW, STORE_SAME, STORE_CHANGED };

/*
 * One session with all its rows. STORE_SAME: its digest (URLs not among it) and state are the stored ones;
 * URLs and fetched_at are written. STORE_CHANGED: `id` stays, child rows are replaced, old tallies are
 * subtracted, revision + 1, seq moves. Check-outs that belong to it are joined.
 */
enum db_outcome store_session(struct report_store *, const struct store_session *, enum store_change *change);
/* A stored session gets another state (abnormal: its site knows it no more, or it never ended). *found =
 * there is one. */
enum db_outcome store_session_state(struct report_store *, const char *host_name, const char *lsid,
                                    enum store_state, int64_t now, bool *found);

struct store_known {
    bool stored;
    enum store_state state;
    int64_t start, end, fetched_at, revision;
};
/* What is stored of a session; needs no transaction. */
enum db_outcome store_known(struct report_store *, const char *host_name, const char *lsid,
                            struct store_known *known);
/* Calls `row` for each session that runs, oldest first; a value other than 0 ends it. Needs no transaction,
 * and `row` must not call the store. */
enum db_outcome store_running(struct report_store *, const char *host_name,
                              int (*row)(void *arg, const char *lsid, int64_t start, int64_t fetched_at),
                              void *arg);

/* ---- todo: sessions to fetch ---- */

struct store_todo {
    const char *lsid;
    const char *why; /* "listed", "running", "recheck", … */
    int64_t tries, next_at;
    const char *error; /* of the last try; NULL */
};
/* Puts it in, or moves its next_at to the earlier time, unless it has failed: then it waits as long as
 * store_todo_failed() said. *added = it is new; may be NULL. */
enum db_outcome store_todo_add(struct report_store *, const char *host_name, const char *lsid,
                               const char *why, int64_t next_at, bool *added);
/* Puts it in where it is absent. */
enum db_outcome store_todo_add_absent(struct report_store *, const char *host_name, const char *lsid,
                                      const char *why, int64_t next_at, bool *added);
/* A try failed: tries + 1. */
enum db_outcome store_todo_failed(struct report_store *, const char *host_name, const char *lsid,
                                  const char *error, int64_t next_at);
enum db_outcome store_todo_done(struct report_store *, const char *host_name, const char *lsid);
/* At most `limit` rows that are due at `now`, the earliest first; as store_running(). */
enum db_outcome store_todo_due(struct report_store *, const char *host_name, int64_t now, int limit,
                               int (*row)(void *arg, const struct store_todo *), void *arg);
/* All rows, and those that have failed at least `tries` times. Needs no transaction. */
enum db_outcome store_todo_count(struct report_store *, const char *host_name, int64_t tries, int64_t *all,
                                 int64_t *failed);

/* ---- cursors ---- */

#define STORE_POSITION_SIZE 256

enum db_outcome store_set_cursor(struct report_store *, const char *host_name, const char *source,
                                 const char *position, int64_t now);
/* "" where there is none. Needs no transaction. */
enum db_outcome store_get_cursor(struct report_store *, const char *host_name, const char *source,
                                 char position[STORE_POSITION_SIZE]);

/* ---- activity and syslog: each once, by a digest; *added may be NULL ---- */

enum db_outcome store_team(struct report_store *, const char *host_name, const struct record_team *,
                           bool *added);
enum db_outcome store_vault_activity(struct report_store *, const char *host_name,
                                     const struct record_vault_activity *, bool *added);
enum db_outcome store_syslog(struct report_store *, const char *host_name, const struct record_syslog *,
                             bool *added);

/* ---- inventory: rounds ---- */

enum store_kind { STORE_VAULT_ACCOUNTS, STORE_JUMP_ITEMS, STORE_JUMPOINTS, STORE_NKINDS };

/*
 * A round names every row of a kind that the site has: begin, rows, end. What the round did not name gets
 * gone_at = now; what it names again loses it. The rows of a round may be in several transactions; a round
 * that is not ended changes nothing of what it did not name. One round per kind at a time. begin needs no
 * transaction. *gone may be NULL.
 */
void store_round_begin(struct report_store *, enum store_kind, const char *host_name, int64_t now);
enum db_outcome store_vault_account(struct report_store *, const struct record_vault_account *);
enum db_outcome store_jump_item(struct report_store *, const struct record_jump_item *);
enum db_outcome store_jumpoint(struct report_store *, const struct record_jumpoint *);
enum db_outcome store_round_end(struct report_store *, enum store_kind, uint64_t *gone);
/* Since the begin of the kind's last round: a row was new, other than before, or gone. */
bool store_round_changed(const struct report_store *, enum store_kind);

/* ---- check-outs of gateways, from their audit trails ---- */

struct store_use {
    const char *lease_id, *gateway;
    /* Of the event `checkout`: */
    const char *lsid;    /* in any form; else: */
    const char *session; /* PRA's session as the caller gave it */
    const char *user_name, *domain, *credential_id, *vault, *system, *account, *kind;
    int64_t checkout, expires;
    /* Of `lease_end`, `release`, `operator_release`: */
    int64_t released;
    const char *reason;
    /* Of `checkin`: */
    int64_t checkin;
    const char *checkin_outcome;
};
/*
 * One event of a lease: absent fields (NULL, RECORD_NONE) leave the row's as they are, so the events of a
 * lease may come one after another and again. It is joined to its session: by lsid, by `session` where it is
 * an lsid, by credential_id (an injection of the same credential and user within 120 s); column joined_by
 * says which.
 */
enum db_outcome store_use(struct report_store *, const struct store_use *);

/* ---- retention, recount, indexes ---- */

struct store_keep { /* what is older goes; RECORD_NONE = none of it */
    int64_t sessions, activity, syslog;
};
#define STORE_CHUNK 500
/* One transaction of its own, at most STORE_CHUNK rows of each kind; *more = call it again. */
enum db_outcome store_retain(struct report_store *, const struct store_keep *, bool *more);

/* Rebuilds tallies and slots from the stored rows, in a transaction of its own. dry_run: counts the rows
 * that differ (both ways), and changes nothing. `differences` may be NULL. */
enum db_outcome store_recount(struct report_store *, bool dry_run, int64_t *differences);
/*
 * Computes the derived columns of at most STORE_CHUNK sessions behind *after (an id; 0 = from the first), of
 * one site where host_name is not NULL, in a transaction of its own; a session that differs gets a new
 * revision. *after moves, and is 0 at the end. `changed` may be NULL. dry_run: counts only.
 */
enum db_outcome store_rederive(struct report_store *, const char *host_name, int64_t now, bool dry_run,
                               int64_t *after, int64_t *changed);
/* The vendor's indexes on events: off while a large backlog is worked off, on (built) at its end. Outside of
 * a transaction. */
enum db_outcome store_event_indexes(struct report_store *, bool on);

struct store_counts { /* since store_open() */
    uint64_t sessions_new, sessions_same, sessions_changed, events, commits;
};
void store_counts(const struct report_store *, struct store_counts *);

#endif
