/*
 * reports_rig.h - a store of session reports on a real file, and sessions to put into it.
 *
 * Compiled with RIG_POSTGRESQL, the store is on a real server (postgres_rig.h) in place of a file: the first
 * rig_make() starts it, or ends the program with one line where there is none.
 */
#ifndef JG_TESTS_REPORTS_RIG_H
#define JG_TESTS_REPORTS_RIG_H

#include "reports/store/store.h"

#define RIG_HOST "pra.example.com"
#define RIG_T0   1767225600 /* 2026-01-01 00:00:00 UTC, a Thursday */

/* SQL of the tests in which the engines differ: all values of a text, separated by commas; a source of
 * indexes, to be followed by a condition on the name. */
#ifdef RIG_POSTGRESQL
#define RIG_STRIDE     20 /* of crash points: a server costs more time than a file */
#define RIG_SEEDS      1  /* of random histories, likewise */
#define RIG_LIST(text) "string_agg(" text ", ',')"
#define RIG_INDEXES    "pg_indexes WHERE schemaname = current_schema() AND indexname"
#else
#define RIG_STRIDE     1
#define RIG_SEEDS      3
#define RIG_LIST(text) "group_concat(" text ")"
#define RIG_INDEXES    "sqlite_master WHERE name"
#endif

struct reports_rig {
    char dir[64], path[96];
    struct report_store *store;
    struct db_error error;
    const struct clock *clock; /* of the store, from the next rig_open() on; NULL = the system's */
};

void rig_make(struct reports_rig *); /* a folder or a schema; no store yet */
struct store_params rig_params(const struct reports_rig *, bool read_only); /* to open it with */
bool rig_open(struct reports_rig *, bool vendor_indexes);
void rig_close(struct reports_rig *);
/* A connection that only reads, as the page's; the caller closes it before the rig is removed. */
struct db *rig_reader(struct reports_rig *);
void rig_remove(struct reports_rig *); /* closes too */
/* One number of the database. */
int64_t rig_int(struct reports_rig *, const char *sql);
/* One text of the database into a static place; "(null)", "(none)". */
const char *rig_text(struct reports_rig *, const char *sql);
void rig_exec(struct reports_rig *, const char *sql);
/* Rows in which tallies and slots differ from a recount. */
int64_t rig_differences(struct reports_rig *);

/* What is varied of a session; everything else follows from `number`. */
struct rig_session {
    int64_t number, start;
    int64_t end;      /* RECORD_NONE: it runs */
    unsigned variant; /* another one has other events, people and injections */
    size_t events;    /* 0 = by the variant */
};
struct record_session *rig_session(struct record_arena *, const struct rig_session *);
/* In a transaction of its own. */
enum store_change rig_store(struct reports_rig *, const struct record_session *, enum store_state,
                            int64_t now);
struct record_event *rig_event(struct record_arena *, struct record_session *, int64_t when,
                               const char *type);
void rig_pair(struct record_arena *, struct record_event *, const char *name, const char *value);

#endif
