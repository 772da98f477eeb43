/*
 * query_internal.h - a checked query: what the files behind query.h share.
 *
 * Files: query.c, parse.c (the URL's query), filter.c (f.COLUMN=OP:VALUE), range.c (times and buckets),
 * datasets.c, where.c (a query as a condition), scan.c (rows in the grid's order), cursor.c, records.c,
 * value.c (one value as JSON or CSV), export.c, values.c, tiles.c (the table), tile.c, tile_count.c (from
 * tallies and rows), tile_series.c, link.c (addresses of grids), session_page.c, session_events.c.
 *
 * Invariant: nothing changes a query after query_parse(), so any thread may read it.
 */
#ifndef JG_REPORTS_QUERY_QUERY_INTERNAL_H
#define JG_REPORTS_QUERY_QUERY_INTERNAL_H

#include "reports/query/datasets.h"
#include "reports/query/query.h"
#include "reports/query/sql.h"
#include "reports/records.h"
#include "reports/zones.h"

#define LIST_MAX    100  /* values of one list */
#define FILTERS_MAX 32   /* conditions on columns */
#define VALUES_MAX  1000 /* of all lists and conditions: SQL Server takes 2,000 parameters */
#define COLUMNS_MAX 32
#define KEYS_MAX    (1 + DATASET_ORDER)

#define ALWAYS_FROM INT64_MIN /* a range without a beginning */
#define ALWAYS_TO   INT64_MAX

/* ---- parts of a query ---- */

struct text_list {
    const char **texts; /* "" is not among them: */
    size_t n, room;
    bool empty; /* rows without a value too */
};

enum filter_op {
    OP_EQ,
    OP_NE,
    OP_IN,
    OP_NOTIN,
    OP_CONTAINS,
    OP_STARTS,
    OP_GE,
    OP_LE,
    OP_BETWEEN,
    OP_EMPTY,
    OP_NOPS
};

struct filter {
    const struct dataset_column *column;
    enum filter_op op;
    const char *written; /* "eq:alice", decoded */
    struct text_list list;
    const char *pattern;       /* of contains and starts: in the language of LIKE, escaped with ! */
    int64_t numbers[LIST_MAX]; /* of columns that are no text; as many as list.n */
    bool negated;              /* of OP_EMPTY */
};

struct cursor_key {
    bool null, is_text;
    const char *text;
    int64_t number;
};

struct cursor {
    struct cursor_key keys[KEYS_MAX];
    size_t n;
};

enum range_word {
    RANGE_24H,
    RANGE_7D,
    RANGE_30D,
    RANGE_90D,
    RANGE_12M,
    RANGE_ALL,
    RANGE_CUSTOM,
    RANGE_NWORDS
};
extern const char *const range_words[RANGE_NWORDS];

struct tile;

struct query {
    enum query_call call;
    const struct query_context *ctx;
    struct record_arena texts;
    const struct dataset *dataset;
    const struct tile *tile;

    struct zone *zone, *utc;
    const char *zone_name; /* as the request names it; NULL = it does not */
    enum range_word range;
    int64_t from, to; /* [from, to) */
    const char *from_text, *to_text;

    struct text_list site, group, user, endpoint; /* as asked */
    const char *const *hosts; /* sites that the answer is limited to: seen and asked for */
    size_t nhosts;
    bool all_hosts;

    struct filter *filters;
    size_t nfilters, filters_room;
    size_t nvalues; /* of all lists */
    const char *columns_text;
    const struct dataset_column *columns[COLUMNS_MAX];
    size_t ncolumns;
    const struct dataset_column *sort;
    bool descending;
    int64_t limit;
    const char *after, *before; /* as given; NULL */
    struct cursor cursor;
    const char *prefix, *type;
    bool bom;
};

static inline enum query_outcome query_of(enum db_outcome outcome)
{
    return outcome == DB_OK || outcome == DB_ROW ? QUERY_OK
           : outcome == DB_NO_MEMORY             ? QUERY_NO_MEMORY
                                                 : QUERY_DATABASE;
}

/* ---- query.c, filter.c, range.c ---- */

/* Fills the error; returns QUERY_INVALID. */
enum query_outcome refuse(struct query_error *, const char *parameter, const char *why);
/* Adds "" as `empty`. */
enum query_outcome list_add(struct query *, struct text_list *, const char *text);
/* One condition, `text` as in f.COLUMN=text, decoded. */
enum query_outcome filter_add(struct query *, const struct dataset_column *, const char *text,
                              struct query_error *);
/* The same as f.COLUMN=text, encoded; a text of this program, changed in place. */
enum query_outcome filter_add_encoded(struct query *, char *pair, struct query_error *);
/* range, from and to as texts or NULL. */
enum query_outcome range_read(struct query *, const char *range, const char *from, const char *to,
                              struct query_error *);

/* ---- where.c ---- */

struct window { /* of time */
    int64_t from, to;
};

/* Whether the condition, or one of the expressions to come, needs the session of a row. */
struct needs {
    bool time_last, group_last; /* rows come by another index: these are no reason to choose one */
    bool parent, parent_first;  /* second: its filters leave few rows, so that it is looked at first */
};

/* The condition of a query within a window: " WHERE …" or nothing. */
void where_write(struct sql *, const struct query *, const struct window *, struct needs *);
/* Appends one more condition: what stands before it. */
void where_and(struct sql *, bool *any);
/* " FROM …" with the join where it is needed. */
void from_write(struct sql *, const struct query *, const struct needs *);
/* expression IN list, of texts. */
void where_list(struct sql *, const char *expression, const struct text_list *, bool negated);
/* A condition on sites; nothing where there is none. `expression` is never null, but for a row without a
 * session, which is in no list. */
void where_hosts(struct sql *, const struct query *, const char *expression, bool *any);
/* One condition on a column. */
void where_filter(struct sql *, const struct filter *);
/* The condition that a text begins with, or contains, the pattern of a filter: any letter case (ASCII). */
void where_like(struct sql *, const char *expression, const char *pattern);
/* The pattern: `text` with its wildcards escaped, in lower case, between % where asked. NULL: no memory. */
const char *like_pattern(struct query *, const char *text, bool anywhere);

/* ---- scan.c: rows of a dataset in the grid's order ---- */

struct scan {
    struct db *db;
    const struct query *query;
    const struct cursor *behind; /* begins behind it; NULL */
    bool descending;
    int64_t left; /* rows; INT64_MAX = all */
    int segment;  /* rows without a value of the first key are a statement of their own */
    bool decided, group_last;
    struct sql sql;
    struct db_stmt *stmt;
};

size_t scan_keys(const struct query *, struct dataset_key keys[KEYS_MAX]);
void scan_open(struct scan *, struct db *, const struct query *, const struct cursor *behind, bool descending,
               int64_t limit);
/* DB_ROW: scan->stmt has the query's columns and then its keys; DB_OK: the end. */
enum db_outcome scan_next(struct scan *);
/* The position of the row; its texts go to the arena. 0 or -ENOMEM. */
int scan_position(const struct scan *, struct record_arena *, struct cursor *);
void scan_close(struct scan *);

/* ---- cursor.c ---- */

/* 0 or -ENOMEM. The text is of hex digits. */
int cursor_write(const struct query *, const struct cursor *, struct buf *out);
bool cursor_read(struct query *, const char *text, struct cursor *);

/* ---- value.c ---- */

struct jsonw;
#define CELL_MAX 2000 /* letters of a text in a grid; an export has all of it */

/* Column `n` of the row, as JSON; `cut` at CELL_MAX. */
void value_json(struct jsonw *, const char *name, const struct dataset_column *, const struct query *,
                const struct db *, struct db_stmt *, int n, bool cut);
void value_csv(struct buf *, const struct dataset_column *, const struct query *, const struct db *,
               struct db_stmt *, int n);
void csv_text(struct buf *, const char *text, size_t len);
void json_time(struct jsonw *, const char *name, const struct query *, int64_t when); /* QUERY_NONE = null */

/* ---- link.c ---- */

enum link_part { LINK_ALL_TIME = 1, LINK_SITE_ONLY = 2 };

/* /records/DATASET with the query's frame, within a window; `parts` of enum link_part. */
void link_begin(struct buf *, const struct query *, const struct dataset *, const struct window *,
                unsigned parts);
/* &f.COLUMN=OP: with values that are still to come. */
void link_filter(struct buf *, const char *column, const char *op);
/* One value, encoded; its commas escaped. */
void link_value(struct buf *, const char *value);
/* Encoded filters of a tile, with what {late} and {unmatched} are in this query; NULL adds nothing. */
void link_filters(struct buf *, const struct query *, const char *encoded);

#endif
