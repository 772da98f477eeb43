/*
 * tiles.h - the tiles of the dashboard: one row each; see tiles.c.
 *
 * A tile is a dataset, filters on it and the column that its rows are grouped by. The filters are written as
 * a link has them, so a number and the grid that its link opens come from the same text.
 */
#ifndef JG_REPORTS_QUERY_TILES_H
#define JG_REPORTS_QUERY_TILES_H

#include "reports/query/query_internal.h"

enum tile_kind { TILE_NUMBER, TILE_SERIES, TILE_BARS, TILE_TABLE, TILE_NKINDS };

enum {
    TILE_ALL_TIME = 1,  /* ignores the range */
    TILE_SITE_ONLY = 2, /* ignores group, user and endpoint */
    TILE_SECONDS = 4,   /* items have the sum of the durations too */
};

struct tile_label {          /* an item that is there even with no row */
    const char *label, *row; /* row: the label as rows and tallies have it */
    const char *filter;      /* of its link, encoded */
};

struct tile {
    const char *id, *title;
    enum tile_kind kind;
    const char *dataset;       /* NULL: of the collector */
    const char *by;            /* a column of it; NULL = not grouped */
    const char *by_expression; /* where it is not the column's */
    const char *filters;       /* encoded: of what is counted and of every link; NULL */
    const char *all_filters;   /* of what is counted, and of links to more than one label; NULL */
    const char *dim;           /* of jg_tally; NULL = rows are counted */
    const char *dim_of_site;   /* the same over all jump groups, with fewer rows; NULL */
    const char *dim_column;    /* of jg_tally: what is the label there */
    bool dim_by_day;           /* tallies of days too, not of months alone */
    unsigned flags;
    const struct tile_label *labels; /* of these alone; NULL = of any */
    size_t nlabels;
};

#define TILE_TOP 10 /* labels that are items of their own; the others are one */

const struct tile *tile_named(const char *id); /* NULL = there is none */
/* Adds a tile's filters to its query. */
enum query_outcome tile_filters(struct query *, struct query_error *);
void tile_write_ignored(struct jsonw *, const struct tile *); /* member `ignores` */
/* What the tile counts within: the query's range, or all time. */
struct window tile_window(const struct query *);

/* ---- tile_count.c ---- */

struct counts { /* rows by label, most first */
    struct sql sql;
    struct db_stmt *stmt;
};

/* Counts rows by label. */
enum db_outcome counts_open(struct counts *, struct db *, const struct query *, const struct window *);
/* DB_ROW: the label stays until the next call; NULL and "" are "". */
enum db_outcome counts_next(struct counts *, struct db *, const char **label, int64_t *n, int64_t *seconds);
void counts_close(struct counts *, struct db *);

/* Whether the sessions or events of a grid can be counted from tallies, and their number. */
bool tally_can_count(const struct query *);
enum db_outcome tally_count(struct db *, const struct query *, int64_t *n);

/* ---- tile_series.c ---- */

/* Writes the series' items; *total is their sum. */
enum query_outcome series_write(struct db *, const struct query *, struct jsonw *, int64_t *total);

#endif
