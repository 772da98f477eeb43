/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_feed.c - the query of a call of the feed, and its cursors.
 *
 * First byte: the dataset. Then the text behind the `?`, and a text that is taken for a cursor.
 *
 * Promises: a query is refused with a parameter and why, or its numbers are within their bounds; a cursor is
 * read only where the same place gives the same text, and a place that was written is read as it was.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "reports/query/feed_internal.h"

#include <string.h>

static void check_query(const char *dataset, const char *text)
{
    static const struct query_context ctx = {.now = 1801785600, .time_zone = "UTC", .all_hosts = true};
    struct feed_request r;
    struct query_error error;
    enum query_outcome outcome = feed_parse(dataset, text, &ctx, &r, &error);

    FUZZ_ASSERT(outcome == QUERY_OK || outcome == QUERY_INVALID || outcome == QUERY_INVALID_CURSOR);
    FUZZ_ASSERT((outcome == QUERY_OK) == (error.why[0] == '\0'));
    if (outcome != QUERY_OK)
        return;
    FUZZ_ASSERT(r.limit >= 1 && r.limit <= FEED_LIMIT_MAX && r.format < FEED_NFORMATS);
    FUZZ_ASSERT(!r.cursor[0] || feed_cursor_form(r.cursor));
    FUZZ_ASSERT(!r.cursor[0] || r.since == QUERY_NONE);
}

static void check_cursor(enum feed_dataset dataset, const char *text)
{
    struct feed_place place = {0}, again;
    char written[FEED_CURSOR_SIZE];

    if (!feed_cursor_read(dataset, 5, text, &place)) {
        FUZZ_ASSERT(place.seq >= 0 && place.position >= 0);
        FUZZ_ASSERT(!feed_cursor_write(dataset, 5, &place, written));
        FUZZ_ASSERT(strlen(text) == strlen(written));
    }
    for (const char *p = text; *p; p++) /* a place out of the text's bytes */
        place.seq = (int64_t)(((uint64_t)place.seq * 31 + (unsigned char)*p) & INT64_MAX);
    place.position = place.seq % 2 ? FEED_WHOLE : place.seq >> 7;
    FUZZ_ASSERT(!feed_cursor_write(dataset, 7, &place, written));
    FUZZ_ASSERT(feed_cursor_form(written) && !feed_cursor_read(dataset, 7, written, &again));
    FUZZ_ASSERT(again.seq == place.seq && again.position == place.position);
    FUZZ_ASSERT(feed_cursor_read((dataset + 1) % FEED_NDATASETS, 7, written, &again));
    FUZZ_ASSERT(feed_cursor_read(dataset, 8, written, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = fuzz_input(data, size);
    enum feed_dataset dataset = (enum feed_dataset)(fuzz_byte(&in) % FEED_NDATASETS);
    char *query = fuzz_string(&in), *cursor = fuzz_string(&in);

    check_query(feed_dataset_name(dataset), query);
    check_cursor(dataset, cursor);
    free(query);
    free(cursor);
    return 0;
}
