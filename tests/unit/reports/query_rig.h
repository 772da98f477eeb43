/*
 * query_rig.h - a reports database of made-up records, stored by the real store, and queries on it as the
 * page makes them.
 *
 * The records have what queries could get wrong: names with commas, backslashes, wildcards, letters beyond
 * ASCII, and without a name; more labels than a tile shows; sessions at the borders of days and months,
 * over two changes of a clock; two sites.
 */
#ifndef JG_TESTS_QUERY_RIG_H
#define JG_TESTS_QUERY_RIG_H

#include "reports/query/query.h"
#include "reports_rig.h"

#include <cJSON.h>

#define RIG_OTHER_HOST "vendor.example.org"
#define RIG_NOW        (RIG_T0 + 400 * INT64_C(86400)) /* 2027-02-05 */

struct query_rig {
    struct reports_rig store;
    struct db *reader;
    struct query_context ctx;
    struct query_site sites[2];
    struct record_arena arena;
    uint64_t random;
    int64_t sessions; /* stored so far */
    struct query_result result;
    struct query_error error;
};

void query_rig_make(struct query_rig *, uint64_t seed);
void query_rig_end(struct query_rig *);

uint64_t query_rig_random(struct query_rig *, uint64_t below);
/* Sessions and check-outs of the 400 days before RIG_NOW, each in its own transaction of 100. */
void query_rig_sessions(struct query_rig *, int n);
/* One closed session that began then, of a user; its lsid in a static place. */
const char *query_rig_session(struct query_rig *, int64_t start, const char *user);
/* Activity, syslog, inventory. */
void query_rig_activity(struct query_rig *);

/* Each parses `query`, runs it on the reader and reads the JSON; the test fails where that fails. */
cJSON *query_rig_tile(struct query_rig *, const char *tile, const char *query);
cJSON *query_rig_records(struct query_rig *, const char *dataset, const char *query);
/* The records of a link: /records/DATASET?QUERY. */
cJSON *query_rig_follow(struct query_rig *, const char *href);
/* The whole export. Free by free(). */
char *query_rig_export(struct query_rig *, const char *dataset, const char *query, enum query_format);
/* What becomes of it: its outcome, and the error in rig->error. */
enum query_outcome query_rig_parse(struct query_rig *, enum query_call, const char *name, const char *query);

#endif
