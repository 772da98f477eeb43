/*
 * query.h - what the page asks of the database: tiles, grids, the page of a session, exports.
 *
 *     query_parse() -> one of query_tile(), query_records() … or an export -> query_free()
 *
 * query_parse() takes the URL's query apart and checks all of it, without a database. The other functions
 * block on a connection that the calling thread owns, read only, and append JSON (or CSV) to a buffer. What
 * is appended before a failure is to be thrown away.
 *
 * The number of every item of a tile is the total of the grid that its link opens: both come from one
 * condition, made by one function.
 *
 * Answers hold the sites of the context alone, totals too. A check-out that is joined to no session belongs
 * to no site, and is shown only where all sites may be seen.
 *
 * Not here: HTTP, who may ask (web/), the feed (feed.h).
 */
#ifndef JG_REPORTS_QUERY_QUERY_H
#define JG_REPORTS_QUERY_QUERY_H

#include "base/buf.h"
#include "reports/db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_NONE INT64_MIN /* of a time: not known */

struct query_site {        /* one that is in the configuration, or was */
    const char *host_name; /* in lower case */
    const char *url_host;  /* host of its URL: links of its sessions lead nowhere else; NULL = none may */
    const char *state, *reason; /* "Connected"; reason may be NULL */
    int64_t since;              /* of the state; QUERY_NONE */
    int64_t last_success;       /* Unix seconds; QUERY_NONE = never */
    int64_t missing_from; /* a backfill runs: older sessions may be missing from here on; QUERY_NONE = none */
};

/* Of one request. What it points to outlives the query. */
struct query_context {
    int64_t now;           /* Unix seconds */
    const char *time_zone; /* where the request names none */
    const struct query_site *sites;
    size_t nsites;
    const char *const *hosts; /* host names of the sites that may be seen, in lower case */
    size_t nhosts;
    bool all_hosts;                        /* `hosts` is not looked at: all sites, removed ones too */
    int64_t late_release, unmatched_after; /* seconds */
    bool recordings;                       /* links to chats and recordings are shown */
    bool admin;                            /* the tile of the collector has links */
};

enum query_outcome {
    QUERY_OK,
    QUERY_INVALID,        /* the error names the parameter: 400 invalid_request */
    QUERY_INVALID_CURSOR, /* 400 invalid_cursor */
    QUERY_NOT_FOUND,      /* no such tile, dataset, column or session */
    QUERY_DATABASE,       /* db->error says why; DB_INTERRUPTED: the deadline */
    QUERY_NO_MEMORY       /* none left, or the buffer's limit is reached */
};

struct query_error {
    char parameter[64]; /* as the caller wrote it, cut; "" = none of them */
    char why[192];      /* completes "the parameter `x` …": "is given twice" */
};

enum query_call {
    QUERY_TILE,    /* name: a tile's id */
    QUERY_RECORDS, /* name: a dataset */
    QUERY_EXPORT,  /* name: a dataset */
    QUERY_VALUES,  /* name: a dataset; column */
    QUERY_SESSION, /* host name and lsid: query_session() */
    QUERY_EVENTS,  /* likewise: query_session_events() */
    QUERY_NCALLS
};

struct query;

/*
 * `text` is what stands behind the `?`, still encoded; "" and NULL are none. `name` by the call, else NULL.
 * QUERY_OK: *query is there until query_free(), and belongs to no thread. Else *query is NULL and *error is
 * filled for QUERY_INVALID and QUERY_INVALID_CURSOR. Any thread may call it.
 */
enum query_outcome query_parse(enum query_call, const char *name, const char *text,
                               const struct query_context *, struct query **query, struct query_error *error);
void query_free(struct query *); /* NULL is fine */

/* What the trail of audits wants to know of an answer. */
struct query_result {
    int64_t rows;
    bool links; /* links to chats or recordings are in it */
};

/* ---- without a database ---- */

/* {"tiles":[…]}; 0 or -ENOMEM, -EMSGSIZE. */
int query_tiles(struct buf *json);
/* The tile's place in that list, for metrics and layouts; -1 = there is none. */
int query_tile_named(const char *id);
int query_ntiles(void);
const char *query_tile_id(int tile);
/* {"columns":[…]} of a dataset; QUERY_NOT_FOUND, QUERY_NO_MEMORY. */
enum query_outcome query_columns(const char *dataset, struct buf *json);
bool query_dataset_exists(const char *dataset);
bool query_zone_exists(const char *time_zone); /* a name of the IANA time zone database */

/* ---- on a reader's connection; `result` may be NULL ---- */

enum query_outcome query_tile(struct db *, const struct query *, struct buf *json,
                              struct query_result *result);
/* One page of a grid. The total is null where counting takes longer than QUERY_COUNT_MS. */
#define QUERY_COUNT_MS 250
enum query_outcome query_records(struct db *, const struct query *, struct buf *json,
                                 struct query_result *result);
/* Values of a column, at most 50, that begin with `prefix` of the query. */
enum query_outcome query_values(struct db *, const struct query *, const char *column, struct buf *json,
                                struct query_result *result);
/* The page of a session; in any letter case. QUERY_NOT_FOUND also for one of a site that may not be seen. */
enum query_outcome query_session(struct db *, const struct query *, const char *host_name, const char *lsid,
                                 struct buf *json, struct query_result *result);
/* Its events, a page at a time: at most `limit` (200) and about 2 MiB. */
enum query_outcome query_session_events(struct db *, const struct query *, const char *host_name,
                                        const char *lsid, struct buf *json, struct query_result *result);

/* ---- export: the whole filtered set in the grid's order and columns, in one read transaction ---- */

enum query_format { QUERY_CSV, QUERY_NDJSON };
#define QUERY_PIECE 65536 /* bytes: a piece ends with the row that reaches it */

struct query_export;

/* Begins the read transaction; the query outlives the export. One export per connection. */
enum query_outcome query_export_open(struct db *, const struct query *, enum query_format,
                                     struct query_export **);
/* Appends the next piece: whole rows. *more = there is a further one. After a failure only close. */
enum query_outcome query_export_next(struct query_export *, struct buf *piece, bool *more);
int64_t query_export_rows(const struct query_export *); /* given so far */
void query_export_close(struct query_export *);         /* NULL is fine */
/* "sessions-20261128T140000Z.csv" by the context's now. */
void query_export_name(const struct query *, enum query_format, char name[64]);

#endif
