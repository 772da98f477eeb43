/*
 * store_internal.h - the store behind store.h: what its files share.
 *
 * Files: store.c (opening, transactions, statements), todo.c (todo rows, cursors, sites), session.c
 * (sessions), session_digest.c, session_derive.c, tally.c (deltas), recount.c, rederive.c, retain.c,
 * activity.c (team, vault, syslog), inventory.c (rounds), uses.c (check-outs).
 */
#ifndef JG_REPORTS_STORE_STORE_INTERNAL_H
#define JG_REPORTS_STORE_STORE_INTERNAL_H

#include "reports/db/lock.h"
#include "reports/store/inserter.h"
#include "reports/store/store.h"
#include "reports/store/tally.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <string.h>

#define KEPT_SLOTS 256 /* of statements; a power of two, far more than there are */
#define TEXT_MAX   (8 * 1024 * 1024)

enum store_table { /* whose rows have ids that the store gives */
                   ROWS_SESSION,
                   ROWS_EVENT,
                   ROWS_EVENT_DATA,
                   ROWS_INFORMATION,
                   ROWS_REPRESENTATIVE,
                   ROWS_CUSTOMER,
                   ROWS_ATTRIBUTE,
                   ROWS_SHELL,
                   ROWS_NTABLES
};

struct site_hours {
    char *host_name;
    const struct working_hours *hours;
    struct site_hours *next;
};

struct round_key {
    int64_t id;
    uint64_t type; /* of jump items: hash of the type's name */
};

struct round {
    char host_name[256]; /* "" = no round */
    int64_t now;
    struct round_key *seen;
    size_t n, room;
    bool changed; /* a row was written */
};

struct report_store {
    struct db *db;
    struct db_lock *lock; /* the collector's; NULL */
    uint64_t connections; /* of the database, when ids and seq were read */
    bool vendor_indexes, in_transaction;
    int64_t seq, committed_seq;
    const struct clock *clock;
    int64_t noted_at; /* the second of the newest row of jg_commit that is committed */
    struct {
        const char *sql; /* the address is the key */
        struct db_stmt *stmt;
    } kept[KEPT_SLOTS];
    struct inserter ins[ROWS_NTABLES];
    int64_t next_id[ROWS_NTABLES];
    struct db_stmt *add_tally, *add_slot, *put_commit, *put_site, *put_cursor, *put_team, *put_vault,
        *put_syslog, *put_use, *put_item[STORE_NKINDS];
    struct tally tally;
    struct site_hours *hours;
    struct round rounds[STORE_NKINDS];
    struct buf scratch;
    EVP_MD_CTX *digest;
    EVP_MD *sha256;
    struct store_counts counts, committed;
};

/* ---- statements (store.c) ---- */

/* The prepared statement of a text that stays at its address; in it, {} is the engine's LIMIT ?. NULL:
 * failed, db->error says why. */
struct db_stmt *store_stmt(struct report_store *, const char *sql);
/* Prepared once by the schema's upsert; as store_stmt(). */
struct db_stmt *store_upsert(struct report_store *, struct db_stmt **kept, const char *table,
                             const char *keys, enum schema_upsert);
enum db_outcome store_fail(struct report_store *, enum db_outcome, const char *why);
/* A column in a condition that no index is to serve. Without statistics an engine takes any index of equal
 * width: the vendor's on types and names of events lead to every session's. */
#define NO_INDEX(column) "coalesce(" column ", '')"

/* The outcome of the last failure: behind a NULL. */
static inline enum db_outcome store_failed(const struct report_store *s)
{
    return s->db->error.outcome;
}
static inline int64_t store_next_seq(struct report_store *s)
{
    return ++s->seq;
}

static inline void put_int(struct report_store *s, struct db_stmt *stmt, int n, int64_t v)
{
    if (v == RECORD_NONE)
        s->db->ops->bind_null(stmt, n);
    else
        s->db->ops->bind_int(stmt, n, v);
}
static inline void put_text(struct report_store *s, struct db_stmt *stmt, int n, const char *text)
{
    if (text)
        s->db->ops->bind_text(stmt, n, text, strlen(text));
    else
        s->db->ops->bind_null(stmt, n);
}
/* Cut at the column's number of characters. */
static inline void put_cut(struct report_store *s, struct db_stmt *stmt, int n, const char *text, int size)
{
    if (text)
        s->db->ops->bind_text(stmt, n, text, text_cut(text, size));
    else
        s->db->ops->bind_null(stmt, n);
}
static inline int64_t get_int(struct report_store *s, struct db_stmt *stmt, int n)
{
    return s->db->ops->column_is_null(stmt, n) ? RECORD_NONE : s->db->ops->column_int(stmt, n);
}
static inline const char *get_text(struct report_store *s, struct db_stmt *stmt, int n)
{
    return s->db->ops->column_text(stmt, n, NULL);
}
/* Runs a statement that gives no row. */
static inline enum db_outcome store_run(struct report_store *s, struct db_stmt *stmt)
{
    return stmt ? db_run(s->db, stmt) : store_failed(s);
}
/* A text with one number as its parameter. */
enum db_outcome store_run_id(struct report_store *, const char *sql, int64_t id);

/* Begins, or ends by commit or rollback, a transaction that a call has of its own. */
enum db_outcome store_end(struct report_store *, enum db_outcome);

bool store_same_text(const char *a, const char *b); /* NULL equals NULL only */

/* ---- sessions ---- */

#define EVENT_INJECTION        "Credential Injection Attempt"
#define EVENT_INJECTION_FAILED "Credential Injection Attempt Failed"
#define EVENT_SHELL            "Command Shell Session Started"

extern const char *const store_state_names[]; /* of enum store_state */
enum store_state store_state_named(const char *name);

/* The digest as hex; 0 or -ENOMEM. */
int session_digest(struct report_store *, const struct record_session *, char hex[65]);

struct derived {
    const char *user_name, *endpoint_name, *jump_item_type;
    int64_t injections, injections_failed, duration_seconds;
    bool outside_hours;
};
/* What is made of a session: from a record, or from its stored rows (rederive.c). */
struct derive_from {
    const char *host_name;
    int64_t start, end;
    const char *owner; /* user name of the representative that owns it; NULL */
    const char *primary_rep, *primary_customer;
    bool has_jumpoint;
    int64_t jump_group_id;
    const char *event_jump_item_type; /* of event data; NULL */
    bool shell_started;
    int64_t injections, injections_failed;
};
/* Of a site; NULL = it has none. */
const struct working_hours *session_hours(const struct report_store *, const char *host_name);
enum db_outcome session_derive(struct report_store *, const struct derive_from *, struct derived *);
/* Sites write -1 for no Jumpoint, or leave the element out. */
bool has_jumpoint(int64_t id, const char *name);
/* The word of the Configuration API that this is, in any letter case; NULL = none. */
const char *jump_item_type_word(const char *text);

/* Deletes what belongs to a session, but not its own row. */
enum db_outcome session_delete_rows(struct report_store *, int64_t session_id);
/* Reads what a stored session counts by; the texts are in `texts`. DB_ROW: there it is; DB_OK: it is not. */
enum db_outcome read_counted(struct report_store *, int64_t session_id, struct record_arena *texts,
                             struct counted *counted);
/* Subtracts (-1) or adds (1) what a stored session counts. */
enum db_outcome tally_stored(struct report_store *, int64_t session_id, int sign);

/* ---- check-outs ---- */

/* Joins check-outs without a session to this one; reads its stored events. */
enum db_outcome uses_join_session(struct report_store *, int64_t session_id, const char *lsid,
                                  const char *user_name);

#endif
