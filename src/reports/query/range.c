/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range.c - the range of time of a query; see query_internal.h.
 *
 * A relative range begins at a border of the query's zone, so that its first bucket is whole, and ends now,
 * the current second included.
 */
#include "reports/query/query_internal.h"

#define NO_TIME        "is no time with its offset (2026-11-28T14:00:00Z)"
#define DAY            86400
#define RANGE_MAX_DAYS 3653 /* 10 years */

const char *const range_words[RANGE_NWORDS] = {[RANGE_24H] = "24h", [RANGE_7D] = "7d",   [RANGE_30D] = "30d",
                                               [RANGE_90D] = "90d", [RANGE_12M] = "12m", [RANGE_ALL] = "all"};

static const struct {
    enum zone_unit unit;
    int back; /* of these units, before the one that now is in */
} borders[RANGE_NWORDS] = {
    [RANGE_24H] = {ZONE_HOUR, 23}, [RANGE_7D] = {ZONE_DAY, 6},     [RANGE_30D] = {ZONE_DAY, 29},
    [RANGE_90D] = {ZONE_DAY, 89},  [RANGE_12M] = {ZONE_MONTH, 11},
};

static enum query_outcome read_word(struct query *q, const char *word, struct query_error *error)
{
    for (int i = 0; i < RANGE_CUSTOM; i++) {
        if (strcmp(range_words[i], word) != 0)
            continue;
        q->range = (enum range_word)i;
        q->to = q->ctx->now + 1;
        q->from = zone_border(q->zone, q->ctx->now, borders[i].unit, -borders[i].back);
        if (q->range == RANGE_ALL) {
            q->from = ALWAYS_FROM;
            q->to = ALWAYS_TO;
        }
        return QUERY_OK;
    }
    return refuse(error, "range", "must be 24h, 7d, 30d, 90d, 12m or all");
}

enum query_outcome range_read(struct query *q, const char *range, const char *from, const char *to,
                              struct query_error *error)
{
    if (range && (from || to))
        return refuse(error, "range", "does not go with `from` and `to`");
    if (!from && !to)
        return read_word(q, range ? range : range_words[RANGE_30D], error);
    q->range = RANGE_CUSTOM;
    q->from_text = from;
    q->to_text = to;
    q->to = q->ctx->now + 1;
    if (!from)
        return refuse(error, "to", "needs `from`");
    if (!zone_read(from, &q->from))
        return refuse(error, "from", NO_TIME);
    if (to && !zone_read(to, &q->to))
        return refuse(error, "to", NO_TIME);
    if (q->from >= q->to)
        return refuse(error, "from", "must be before `to`");
    if (q->to - q->from > (int64_t)RANGE_MAX_DAYS * DAY)
        return refuse(error, "from", "is more than 10 years before `to`");
    return QUERY_OK;
}
