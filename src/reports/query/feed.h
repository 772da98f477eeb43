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
 * A page follows from the database and the request alone: the command and HTTP give the same bytes. URLs of
 * recordings and chats are signed keys, and are in no record.
 *
 * Not here: who may read (web/), datasets of the page (query.h).
 */
#ifndef JG_REPORTS_QUERY_FEED_H
#define JG_REPORTS_QUERY_FEED_H

#include "reports/query/query.h"

enum feed_dataset { FEED_SESSIONS, FEED_EVENTS, FEED_ACCOUNTS, FEED_SYSLOG, FEED_NDATASETS };
enum feed_format { FEED_NDJSON, FEED_OCSF, FEED_CSV, FEED_NFORMATS };

#define FEED_CURSOR_SIZE 80                /* with its NUL */
#define FEED_LIMIT_MAX   1000              /* records of a page */
#define FEED_PAGE_MAX    (4 * 1024 * 1024) /* bytes of a page */

struct feed_mark { /* where a record ends */
    size_t end;    /* bytes of the page up to there */
    int64_t seq, position;
};

struct feed_request {
    enum feed_dataset dataset;
    enum feed_format format;
    char cursor[FEED_CURSOR_SIZE]; /* "" = none */
    int64_t since;                 /* Unix seconds, where there is no cursor; QUERY_NONE = from the oldest */
    int64_t until;                 /* Unix seconds: what was stored since then stays out; QUERY_NONE */
    unsigned limit;                /* 1 to FEED_LIMIT_MAX */
    bool no_header;                /* CSV: without the line of names: a page behind another */
    struct feed_mark *marks;       /* `limit` of them, filled for each record; NULL = not wanted */
};

struct feed_answer {
    char next[FEED_CURSOR_SIZE]; /* where the next page begins, whether or not there were records */
    bool more;                   /* further records are there already */
    int64_t records;
    int64_t first_seq, last_seq; /* of the records; 0 without any */
    int64_t database;            /* what tells databases apart */
};

const char *feed_dataset_name(enum feed_dataset); /* "sessions" */
bool feed_dataset_named(const char *name, enum feed_dataset *);
bool feed_format_named(const char *name, enum feed_format *);
const char *feed_content_type(enum feed_format);

/* From the oldest record on: ndjson, FEED_LIMIT_MAX records. */
struct feed_request feed_request(enum feed_dataset);

/*
 * `text` is what stands behind the `?`, still encoded; "" and NULL are none: cursor, since (RFC 3339, a date
 * or an age), limit, format. QUERY_OK, QUERY_NOT_FOUND (no such dataset), QUERY_INVALID, QUERY_INVALID_CURSOR
 * (of what can be seen without the database), QUERY_NO_MEMORY. Any thread may call it.
 */
enum query_outcome feed_parse(const char *dataset, const char *text, const struct query_context *,
                              struct feed_request *, struct query_error *);

/*
 * Appends one page to `out`, whose limit is at least FEED_PAGE_MAX, in one read transaction. Of the context
 * the hosts are used. QUERY_OK, QUERY_INVALID_CURSOR, QUERY_DATABASE (db->error says why), QUERY_NO_MEMORY.
 * What is appended before a failure is to be thrown away. The calling thread owns the connection.
 */
enum query_outcome feed_read(struct db *, const struct query_context *, const struct feed_request *,
                             struct buf *out, struct feed_answer *, struct query_error *);

/* The cursor behind a record of a page. 0 or -ENOMEM. */
int feed_mark_cursor(const struct feed_request *, const struct feed_answer *, const struct feed_mark *,
                     char cursor[FEED_CURSOR_SIZE]);

#endif
