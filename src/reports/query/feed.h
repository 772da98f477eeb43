/*
 * feed.h - the feed: records for other programs, such as a SIEM, a page at a time.
 *
 *     feed_parse -> feed_read -> answer.next -> feed_read … with that cursor, while answer.more
 *
 * A page begins behind a cursor and goes in the order of `seq`: of each record the newest revision, so that a
 * reader that follows the cursors gets every record once per revision. Events go by the `seq` of their
 * session, then by their position in it; a session that changed comes with all of its events again. What
 * retention has deleted is in no page.
 *
 * A cursor names the dataset, `seq` and position, and the database it is of. It has no key in it: whoever
 * makes one up may begin at any place, and still sees the sites of the request alone. One that was cut,
 * changed, is of another dataset or database, or is ahead of the database is refused.
 *
 * A page is a pure function of the database, the cursor and the request: the command and HTTP give the same
 * bytes. URLs of recordings and chats are signed keys, and are in no record.
 *
 * Not here: who may read (web/), datasets of the page (query.h).
 */
#ifndef JG_REPORTS_QUERY_FEED_H
#define JG_REPORTS_QUERY_FEED_H

#include "base/buf.h"
#include "reports/db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum feed_dataset { FEED_SESSIONS, FEED_EVENTS, FEED_ACCOUNTS, FEED_SYSLOG, FEED_NDATASETS };
enum feed_format { FEED_NDJSON, FEED_OCSF, FEED_CSV, FEED_NFORMATS };

#define FEED_CURSOR_SIZE 96                /* with its NUL */
#define FEED_LIMIT_MAX   1000              /* records of a page */
#define FEED_PAGE_MAX    (4 * 1024 * 1024) /* bytes of a page */
#define FEED_NONE        INT64_MIN         /* of a time: not given */

struct feed_request {
    enum feed_dataset dataset;
    enum feed_format format;
    char cursor[FEED_CURSOR_SIZE]; /* "" = none */
    int64_t since;                 /* Unix seconds; FEED_NONE = from the oldest. Not both it and a cursor */
    int64_t until;                 /* Unix seconds: what was stored at or after it stays out; FEED_NONE */
    unsigned limit;                /* 1 to FEED_LIMIT_MAX */
    const char *const *sites;      /* host names that may be seen; read during feed_read() */
    size_t nsites;
    bool all_sites; /* `sites` is not looked at */
    bool no_header; /* CSV: without the line of column names: a page that continues another */
};

struct feed_fault {        /* why a request is refused */
    const char *code;      /* "invalid_request", "invalid_cursor"; NULL = it is not */
    const char *parameter; /* its name, in the query's memory or static */
    const char *why;       /* completes "the parameter `x` …": "must be 1 to 1000" */
};

struct feed_answer {
    char next[FEED_CURSOR_SIZE]; /* where the next page begins, whether or not there were records */
    bool more;                   /* there are further records already */
    uint64_t records;
    int64_t first_seq, last_seq; /* of the records; 0 without any */
};

const char *feed_dataset_name(enum feed_dataset); /* "sessions" */
bool feed_dataset_named(const char *name, enum feed_dataset *);
bool feed_format_named(const char *name, enum feed_format *);
const char *feed_content_type(enum feed_format);

/* A request of all sites from the oldest record on, ndjson, FEED_LIMIT_MAX. */
struct feed_request feed_request(enum feed_dataset);

/*
 * Takes the query string of a GET (decoded in place, so it is not the same afterwards): cursor, since, limit,
 * format. `now` in Unix seconds is what ages in `since` go back from. False and *fault: unknown, given twice,
 * or not valid.
 */
bool feed_parse(struct feed_request *, char *query, int64_t now, struct feed_fault *fault);

/*
 * Appends one page to `out`, whose limit is at least FEED_PAGE_MAX, in one read transaction of its own.
 * DB_OK: *answer is filled, or fault->code says that the cursor is not valid. Else db->error says why, and
 * what stands in `out` is to be thrown away. The calling thread owns the connection.
 */
enum db_outcome feed_read(struct db *, const struct feed_request *, struct buf *out,
                          struct feed_answer *answer, struct feed_fault *fault);

#endif
