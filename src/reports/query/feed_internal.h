/*
 * feed_internal.h - a page of the feed on its way from rows to bytes: what the files behind feed.h share.
 *
 *     feed.c (requests, the page) -> feed_rows.c (rows into records), feed_parts.c (what belongs to them)
 *                                 -> feed_write.c (ndjson, csv), feed_ocsf.c, feed_ocsf_classes.c
 *     feed_columns.c (which columns a dataset has), feed_values.c, feed_cursor.c
 *
 * Records are read in batches: first their own rows, then what belongs to all of them, a statement for each
 * kind. One statement is open at a time. The texts of a batch are in one buffer, by their place in it; a
 * batch ends early when they are as many as a page takes. A record whose rows do not fit is shortened: it is
 * written with texts cut and without what belongs to it, and says so, since it would otherwise hold up the
 * feed for good.
 */
#ifndef JG_REPORTS_QUERY_FEED_INTERNAL_H
#define JG_REPORTS_QUERY_FEED_INTERNAL_H

#include "reports/db/schema.h"
#include "reports/query/feed.h"
#include "reports/query/sql.h"

#define FEED_COLUMNS_MAX 56
#define FEED_PARTS_MAX   4
#define FEED_BATCH       250           /* records */
#define FEED_TEXTS       (2048 * 1024) /* bytes of texts behind which a batch takes no further record */
#define FEED_TEXTS_MAX   (FEED_TEXTS + 4 * FEED_PAGE_MAX)
#define FEED_PART_MAX    (2048 * 1024) /* bytes of one part of a record */
#define FEED_PARTS_SUM   (8192 * 1024) /* of all records of a batch: beyond, a smaller batch is read */
#define FEED_CUT         4096          /* bytes of a text of a record that is shortened */
#define FEED_HEADER_MAX  4096          /* bytes of the line of names in CSV */

/* ---- columns (feed_columns.c) ---- */

enum feed_kind {
    FEED_INT,
    FEED_BOOL,
    FEED_TIME, /* Unix seconds, written in RFC 3339 */
    FEED_TEXT,
    FEED_JSON, /* a text that is JSON already */
    FEED_PART, /* what belongs to the record, as JSON */
};

struct feed_column {
    const char *name;
    enum feed_kind kind;
    int place;   /* in the SELECT; of a part among the parts */
    bool mapped; /* ocsf: has a place of its own, so it is not in `unmapped` */
};

/* Rows of another table that belong to records, as one JSON text for each record. */
struct feed_part {
    const char *name;
    const char *table, *key; /* key: its column with the record's id */
    enum feed_shape {
        SHAPE_ROWS,  /* an array of objects: its columns without ids */
        SHAPE_PAIRS, /* an object of `name` and `value`; of equal names the second is name.2, and so on */
        SHAPE_COUNTS /* an object: how many rows there are of each `type` */
    } shape;
    const char *indexed; /* a column of the same name here and there, by which an index finds the rows; NULL =
                            the key is indexed */
};

struct feed_source { /* a dataset */
    const char *name;
    const char *table;      /* t: all of its columns but … */
    const char *omit;       /* these, separated by blanks, and URLs */
    const char *of_session; /* columns of the session before them, likewise; NULL = none */
    const char *from;       /* FROM … */
    const char *session;    /* whose `seq` and `host_name` a record goes by: t or s */
    const char *position;   /* among records of one seq */
    const char *id;         /* what parts go by */
    const char *json;       /* the column that is JSON already; NULL */
    const struct feed_part *parts;
    size_t nparts;
    const char *mapped; /* columns that ocsf has a place for, separated by blanks */
};

#define FEED_FIRST 3 /* seq, position and id are selected before the columns */

struct feed_layout {
    enum feed_dataset dataset;
    const struct feed_source *source;
    struct feed_column columns[FEED_COLUMNS_MAX];
    size_t ncolumns;
    struct buf select; /* SELECT with its columns */
};

int feed_layout_init(struct feed_layout *, enum feed_dataset); /* 0 or -ENOMEM */
void feed_layout_free(struct feed_layout *);
bool feed_has_word(const char *words, const char *word); /* among words separated by blanks; NULL has none */
bool feed_is_url(const char *column);

/* ---- records ---- */

struct feed_cell {
    bool null;
    int64_t number;
    size_t at, len; /* of a text: in feed_batch.texts */
};

enum feed_person { /* of ocsf: the first that owns the session, and the first endpoint */
                   SRC_USERNAME,
                   SRC_NAME,
                   SRC_ID,
                   SRC_IP,
                   SRC_HOST,
                   DST_IP,
                   DST_HOST,
                   FEED_NPERSONS
};

struct feed_record {
    int64_t seq, position, id;
    struct feed_cell cells[FEED_COLUMNS_MAX];
    struct feed_cell persons[FEED_NPERSONS];
    struct buf parts[FEED_PARTS_MAX];
    bool shortened;
};

struct feed_batch {
    const struct feed_layout *layout;
    struct feed_record *records; /* FEED_BATCH of them */
    size_t n;
    bool last; /* there are no records behind these */
    struct buf texts;
    size_t parts_sum;
};

struct feed_bounds {
    int64_t seq, position; /* records behind this place … */
    int64_t until;         /* … up to this seq */
};

int feed_batch_init(struct feed_batch *, const struct feed_layout *); /* 0 or -ENOMEM */
void feed_batch_free(struct feed_batch *);

/* The next records, `most` at most, with what belongs to them. */
enum db_outcome feed_batch_read(struct feed_batch *, struct db *, const struct query_context *,
                                const struct feed_bounds *, size_t most);
/* Fills the parts of all records. *over: they are more than FEED_PARTS_SUM. */
enum db_outcome feed_parts_read(struct feed_batch *, struct db *, bool *over);
/* ---- values of a record (feed_values.c) ---- */

/* Copies a column of the row. */
void feed_cell_read(struct feed_batch *, struct db *, struct db_stmt *, int n, bool text, struct feed_cell *);
const struct feed_cell *feed_cell(const struct feed_batch *, const struct feed_record *, const char *column);
/* The column's text into `out`, with a NUL; NULL where it is null, and cut where it is longer. */
const char *feed_text(const struct feed_batch *, const struct feed_cell *, char *out, size_t size);
/* Bytes of the longest beginning of at most `max` bytes that ends with a whole letter; the text is longer. */
size_t feed_fit(const char *text, size_t max);
/* The text of a cell that is not null, as it is written: cut in a record that is shortened. */
const char *feed_bytes(const struct feed_batch *, const struct feed_record *, const struct feed_cell *,
                       size_t *len);
/* The JSON of a column: a part, or one that is JSON already. */
const char *feed_json(const struct feed_batch *, const struct feed_record *, size_t column, size_t *len);

/* ---- formats: one record, to be called again with record->shortened where it does not fit ---- */

struct jsonw;
void feed_write_column(struct jsonw *, const struct feed_batch *, const struct feed_record *, size_t column);

void feed_write_ndjson(const struct feed_batch *, const struct feed_record *, struct buf *);
void feed_write_csv(const struct feed_batch *, const struct feed_record *, struct buf *);
void feed_write_csv_header(const struct feed_layout *, struct buf *);
void feed_write_ocsf(const struct feed_batch *, const struct feed_record *, struct buf *);

/* ---- cursors (feed_cursor.c) ---- */

#define FEED_WHOLE INT64_MAX /* position behind all records of its seq */

struct feed_place {
    int64_t seq, position;
};

/* `of` tells databases apart: a cursor is valid in the one that gave it. 0 or -ENOMEM. */
int feed_cursor_write(enum feed_dataset, int64_t of, const struct feed_place *, char out[FEED_CURSOR_SIZE]);
bool feed_cursor_form(const char *text); /* of the right form, whatever it says */
/* 0, -EINVAL or -ENOMEM. */
int feed_cursor_read(enum feed_dataset, int64_t of, const char *text, struct feed_place *);

#endif
