/*
 * datasets.h - what can be shown in a grid: one row per dataset, one row per column.
 *
 * A dataset has a table, t, and for some the session that a row belongs to, s (of sessions it is the same).
 * The four filters of the frame are expressions of it; NULL = it has nothing of the kind, and the filter is
 * left out. To add a column: one row.
 *
 * Expressions are SQL in which {now} is the time of the query, and {first} the engine's limit to one row.
 */
#ifndef JG_REPORTS_QUERY_DATASETS_H
#define JG_REPORTS_QUERY_DATASETS_H

#include <stdbool.h>
#include <stddef.h>

enum value_type { VALUE_TEXT, VALUE_NUMBER, VALUE_TIME, VALUE_BOOL, VALUE_DURATION, VALUE_NTYPES };
extern const char *const value_type_names[VALUE_NTYPES];

enum {
    COL_SHOWN = 1,  /* at first */
    COL_SORT = 2,   /* sorted by */
    COL_LOWER = 4,  /* stored in lower case */
    COL_PARENT = 8, /* of the session that the row belongs to */
    COL_FULL = 16,  /* never null */
    COL_LED = 32,   /* an index begins with it */
};

struct dataset_column {
    const char *name, *title;
    enum value_type type;
    unsigned flags;
    const char *expression;
};

#define DATASET_ORDER 3

struct dataset_key { /* of the order among equals, together unique; after them an index goes on */
    const char *expression;
    bool text;
};

struct dataset {
    const char *name, *title;
    const char *table;  /* FROM */
    const char *parent; /* its session: the join's table and condition; NULL = there is none */
    bool parent_absent; /* a row may have no session */
    const char *time;   /* Unix seconds, of the range; NULL = the range is left out */
    const char *host, *group, *user, *endpoint;
    bool host_of_parent, user_of_parent; /* group and endpoint always are */
    const char *sort;                    /* where the request names none */
    struct dataset_key order[DATASET_ORDER];
    size_t norder;
    const struct dataset_column *columns;
    size_t ncolumns;
};

extern const struct dataset datasets[];
extern const size_t ndatasets;

const struct dataset *dataset_named(const char *name);                                 /* NULL = none */
const struct dataset_column *dataset_column(const struct dataset *, const char *name); /* NULL = none */

#endif
