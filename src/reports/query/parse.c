/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - the URL's query, checked: one row per parameter; see query.h.
 *
 * Parameters are taken apart first, then read in the order in which they need each other: the zone before
 * times, everything before the cursor, which is bound to it.
 */
#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/query_internal.h"
#include "reports/query/tiles.h"

#include <stdio.h>
#include <stdlib.h>

#define QUERY_TEXT_MAX 65536
#define LIMIT_DEFAULT  50
#define LIMIT_MAX      200
#define EVENTS_DEFAULT 200
#define CALL(call)     (1U << (call))
#define FRAME          (CALL(QUERY_TILE) | GRID)
#define GRID           (CALL(QUERY_RECORDS) | CALL(QUERY_EXPORT))
#define PAGES          (CALL(QUERY_RECORDS) | CALL(QUERY_EVENTS))
#define ALL_BUT_VALUES (FRAME | CALL(QUERY_SESSION) | CALL(QUERY_EVENTS))

enum { /* parameters that stand once, then those that may repeat */
       P_RANGE,
       P_FROM,
       P_TO,
       P_TZ,
       P_SORT,
       P_LIMIT,
       P_AFTER,
       P_BEFORE,
       P_COLUMNS,
       P_BOM,
       P_PREFIX,
       P_TYPE,
       P_NSINGLE,
       P_SITE = P_NSINGLE,
       P_GROUP,
       P_USER,
       P_ENDPOINT,
       P_NPARAMETERS
};

static const struct {
    const char *name;
    unsigned calls;
} parameters[P_NPARAMETERS] = {
    [P_RANGE] = {"range", FRAME},
    [P_FROM] = {"from", FRAME},
    [P_TO] = {"to", FRAME},
    [P_TZ] = {"tz", ALL_BUT_VALUES},
    [P_SORT] = {"sort", GRID},
    [P_LIMIT] = {"limit", PAGES},
    [P_AFTER] = {"after", PAGES},
    [P_BEFORE] = {"before", CALL(QUERY_RECORDS)},
    [P_COLUMNS] = {"columns", GRID},
    [P_BOM] = {"bom", CALL(QUERY_EXPORT)},
    [P_PREFIX] = {"prefix", CALL(QUERY_VALUES)},
    [P_TYPE] = {"type", CALL(QUERY_EVENTS)},
    [P_SITE] = {"site", FRAME},
    [P_GROUP] = {"group", FRAME},
    [P_USER] = {"user", FRAME},
    [P_ENDPOINT] = {"endpoint", FRAME},
};

struct pair {
    const char *name, *value;
};

struct parsing {
    struct query *q;
    struct query_error *error;
    const char *once[P_NSINGLE];
    struct pair filters[FILTERS_MAX];
    size_t nfilters;
};

/* ---- one parameter ---- */

static struct text_list *list_of(struct query *q, int parameter)
{
    return parameter == P_SITE    ? &q->site
           : parameter == P_GROUP ? &q->group
           : parameter == P_USER  ? &q->user
                                  : &q->endpoint;
}

static enum query_outcome take_filter(struct parsing *p, const char *name, const char *value)
{
    if (!(CALL(p->q->call) & GRID))
        return refuse(p->error, name, "is not known here");
    if (p->nfilters == FILTERS_MAX)
        return refuse(p->error, name, "is one filter too many: at most 32 in one query");
    p->filters[p->nfilters++] = (struct pair){name, value};
    return QUERY_OK;
}

static enum query_outcome take_repeated(struct parsing *p, int parameter, const char *value)
{
    struct text_list *list = list_of(p->q, parameter);

    if (list->n >= LIST_MAX || p->q->nvalues >= VALUES_MAX)
        return refuse(p->error, parameters[parameter].name, "stands more than 100 times");
    if (parameter == P_SITE && !*value)
        return QUERY_OK; /* of a form whose choice is "All sites" */
    return list_add(p->q, list, value);
}

static enum query_outcome take_parameter(struct parsing *p, const char *name, const char *value)
{
    if (strncmp(name, "f.", 2) == 0)
        return take_filter(p, name, value);
    for (int i = 0; i < P_NPARAMETERS; i++) {
        if (strcmp(parameters[i].name, name) != 0)
            continue;
        if (!(parameters[i].calls & CALL(p->q->call)))
            break;
        if (i >= P_NSINGLE)
            return take_repeated(p, i, value);
        if (p->once[i])
            return refuse(p->error, name, "is given twice");
        p->once[i] = value;
        return QUERY_OK;
    }
    return refuse(p->error, name, "is not known here");
}

static enum query_outcome take_pair(struct parsing *p, char *pair)
{
    char *value = strchr(pair, '=');

    if (value)
        *value++ = '\0';
    else
        value = pair + strlen(pair);
    if (!text_url_decode(pair, true) || !utf8_valid(pair, strlen(pair)))
        return refuse(p->error, "", "the query has a name that is not UTF-8 or wrongly encoded");
    if (!text_url_decode(value, true) || !utf8_valid(value, strlen(value)))
        return refuse(p->error, pair, "is not UTF-8 or wrongly encoded");
    return take_parameter(p, pair, value);
}

static enum query_outcome take_apart(struct parsing *p, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    char *copy = record_alloc(&p->q->texts, len + 1);
    enum query_outcome outcome = QUERY_OK;

    if (len > QUERY_TEXT_MAX)
        return refuse(p->error, "", "the query is longer than 64 kB");
    if (!copy)
        return QUERY_NO_MEMORY;
    memcpy(copy, text ? text : "", len);
    for (char *pair = copy; outcome == QUERY_OK && pair;) {
        char *end = strchr(pair, '&');
        if (end)
            *end = '\0';
        if (*pair)
            outcome = take_pair(p, pair);
        pair = end ? end + 1 : NULL;
    }
    return outcome;
}

/* ---- what the parameters mean ---- */

static enum query_outcome read_zone(struct parsing *p)
{
    struct query *q = p->q;

    q->zone_name = p->once[P_TZ];
    q->zone = zone_open(q->zone_name ? q->zone_name : q->ctx->time_zone);
    if (!q->zone && q->zone_name)
        return refuse(p->error, "tz", "is not a name of the IANA time zone database (Europe/Berlin, UTC)");
    if (!q->zone)
        q->zone = zone_open("UTC");
    q->utc = zone_open("UTC");
    return q->zone && q->utc ? QUERY_OK : QUERY_NO_MEMORY;
}

static bool has_text(const char *const *texts, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(texts[i], text) == 0)
            return true;
    return false;
}

/* The sites that are asked for, of those that may be seen. */
static enum query_outcome read_hosts(struct query *q)
{
    if (!q->site.n) {
        q->all_hosts = q->ctx->all_hosts;
        q->hosts = q->ctx->hosts;
        q->nhosts = q->ctx->nhosts;
        return QUERY_OK;
    }
    const char **hosts = record_alloc(&q->texts, q->site.n * sizeof(*hosts));
    if (!hosts)
        return QUERY_NO_MEMORY;
    q->hosts = hosts;
    for (size_t i = 0; i < q->site.n; i++) {
        char *host = (char *)record_text(&q->texts, q->site.texts[i], strlen(q->site.texts[i]));
        if (!host)
            return QUERY_NO_MEMORY;
        for (char *c = host; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        if (q->ctx->all_hosts || has_text(q->ctx->hosts, q->ctx->nhosts, host))
            hosts[q->nhosts++] = host;
    }
    return QUERY_OK;
}

static enum query_outcome read_sort(struct parsing *p)
{
    struct query *q = p->q;
    const char *sort = p->once[P_SORT] ? p->once[P_SORT] : q->dataset->sort;

    q->descending = *sort == '-';
    q->sort = dataset_column(q->dataset, sort + (q->descending ? 1 : 0));
    if (!q->sort || !(q->sort->flags & COL_SORT))
        return refuse(p->error, "sort", "names a column that this dataset is not sorted by");
    return QUERY_OK;
}

static enum query_outcome read_limit(struct parsing *p)
{
    struct query *q = p->q;

    q->limit = q->call == QUERY_EVENTS ? EVENTS_DEFAULT : LIMIT_DEFAULT;
    if (p->once[P_LIMIT] && !text_int(p->once[P_LIMIT], 1, LIMIT_MAX, &q->limit))
        return refuse(p->error, "limit", "must be 1 to 200");
    return QUERY_OK;
}

static enum query_outcome add_column(struct parsing *p, const struct dataset_column *column)
{
    struct query *q = p->q;

    if (!column)
        return refuse(p->error, "columns", "names a column that this dataset does not have");
    for (size_t i = 0; i < q->ncolumns; i++)
        if (q->columns[i] == column)
            return refuse(p->error, "columns", "names a column twice");
    if (q->ncolumns == COLUMNS_MAX)
        return refuse(p->error, "columns", "names too many columns");
    q->columns[q->ncolumns++] = column;
    return QUERY_OK;
}

static enum query_outcome read_columns(struct parsing *p)
{
    const struct dataset *d = p->q->dataset;
    const char *names = p->once[P_COLUMNS];
    char name[64];

    for (size_t i = 0; !names && i < d->ncolumns; i++)
        if (d->columns[i].flags & COL_SHOWN)
            p->q->columns[p->q->ncolumns++] = &d->columns[i];
    while (names) {
        size_t n = strcspn(names, ",");
        bool fits = text_copy_n(name, sizeof(name), names, n);
        enum query_outcome outcome = add_column(p, fits ? dataset_column(d, name) : NULL);
        if (outcome != QUERY_OK)
            return outcome;
        names = names[n] ? names + n + 1 : NULL;
    }
    return QUERY_OK;
}

static enum query_outcome read_filters(struct parsing *p)
{
    enum query_outcome outcome = QUERY_OK;

    for (size_t i = 0; outcome == QUERY_OK && i < p->nfilters; i++) {
        const struct dataset_column *column = dataset_column(p->q->dataset, p->filters[i].name + 2);
        if (!column)
            return refuse(p->error, p->filters[i].name, "names a column that this dataset does not have");
        outcome = filter_add(p->q, column, p->filters[i].value, p->error);
    }
    return outcome;
}

static enum query_outcome read_bom(struct parsing *p)
{
    const char *bom = p->once[P_BOM];

    p->q->bom = bom && strcmp(bom, "1") == 0;
    return !bom || p->q->bom || strcmp(bom, "0") == 0 ? QUERY_OK : refuse(p->error, "bom", "must be 0 or 1");
}

/* Of the events of a session: read by query_session_events(), which knows the session. */
static enum query_outcome read_place(struct parsing *p)
{
    struct query *q = p->q;

    q->after = p->once[P_AFTER];
    q->before = p->once[P_BEFORE];
    q->prefix = p->once[P_PREFIX] ? p->once[P_PREFIX] : "";
    q->type = p->once[P_TYPE];
    if (q->after && q->before)
        return refuse(p->error, "before", "does not go with `after`");
    if (q->call != QUERY_RECORDS || (!q->after && !q->before))
        return QUERY_OK;
    if (cursor_read(q, q->after ? q->after : q->before, &q->cursor))
        return QUERY_OK;
    (void)refuse(p->error, q->after ? "after" : "before", "is no cursor of this dataset, order and filters");
    return QUERY_INVALID_CURSOR;
}

static enum query_outcome read_grid(struct parsing *p)
{
    enum query_outcome outcome = read_sort(p);

    if (outcome == QUERY_OK)
        outcome = read_columns(p);
    if (outcome == QUERY_OK)
        outcome = read_filters(p);
    if (outcome == QUERY_OK)
        outcome = read_bom(p);
    return outcome;
}

static enum query_outcome read_all(struct parsing *p, const char *text)
{
    struct query *q = p->q;
    enum query_outcome outcome = take_apart(p, text);

    if (outcome == QUERY_OK)
        outcome = read_zone(p);
    if (outcome == QUERY_OK && CALL(q->call) & FRAME)
        outcome = range_read(q, p->once[P_RANGE], p->once[P_FROM], p->once[P_TO], p->error);
    if (outcome == QUERY_OK)
        outcome = read_hosts(q);
    if (outcome == QUERY_OK)
        outcome = read_limit(p);
    if (outcome == QUERY_OK && CALL(q->call) & GRID)
        outcome = read_grid(p);
    if (outcome == QUERY_OK && q->tile)
        outcome = tile_filters(q, p->error);
    return outcome == QUERY_OK ? read_place(p) : outcome;
}

enum query_outcome query_parse(enum query_call call, const char *name, const char *text,
                               const struct query_context *ctx, struct query **query,
                               struct query_error *error)
{
    struct query *q = calloc(1, sizeof(*q));
    struct parsing p = {.q = q, .error = error};
    enum query_outcome outcome = QUERY_OK;

    *query = NULL;
    *error = (struct query_error){.parameter = ""};
    if (!q)
        return QUERY_NO_MEMORY;
    q->call = call;
    q->ctx = ctx;
    if (call == QUERY_TILE) {
        q->tile = tile_named(name);
        q->dataset = q->tile && q->tile->dataset ? dataset_named(q->tile->dataset) : NULL;
    } else if (name) {
        q->dataset = dataset_named(name);
    }
    if (call == QUERY_TILE ? !q->tile : name && !q->dataset)
        outcome = QUERY_NOT_FOUND;
    if (outcome == QUERY_OK)
        outcome = read_all(&p, text);
    if (outcome == QUERY_OK)
        *query = q;
    else
        query_free(q);
    return outcome;
}
