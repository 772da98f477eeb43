/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed.c - the feed: requests, and pages of records; see feed.h.
 */
#include "reports/query/feed_internal.h"

#include "base/text.h"
#include "base/utf8.h"
#include "reports/query/moment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *content_type;
    void (*write)(const struct feed_batch *, const struct feed_record *, struct buf *);
} formats[FEED_NFORMATS] = {
    [FEED_NDJSON] = {"ndjson", "application/x-ndjson", feed_write_ndjson},
    [FEED_OCSF] = {"ocsf", "application/x-ndjson", feed_write_ocsf},
    [FEED_CSV] = {"csv", "text/csv; charset=utf-8; header=present", feed_write_csv},
};

bool feed_format_named(const char *name, enum feed_format *format)
{
    for (int i = 0; i < FEED_NFORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *format = (enum feed_format)i;
            return true;
        }
    }
    return false;
}

const char *feed_content_type(enum feed_format format)
{
    return formats[format].content_type;
}

struct feed_request feed_request(enum feed_dataset dataset)
{
    return (struct feed_request){
        .dataset = dataset, .since = QUERY_NONE, .until = QUERY_NONE, .limit = FEED_LIMIT_MAX};
}

/* ---- the query of a URL ---- */

static enum query_outcome refused(struct query_error *error, const char *parameter, const char *why)
{
    (void)text_copy(error->parameter, sizeof(error->parameter), parameter);
    (void)text_copy(error->why, sizeof(error->why), why);
    return QUERY_INVALID;
}

static const char *take_cursor(struct feed_request *r, const char *value, int64_t now)
{
    (void)now;
    if (!feed_cursor_form(value) || !text_copy(r->cursor, sizeof(r->cursor), value))
        return "is not a cursor of this feed";
    return NULL;
}

static const char *take_since(struct feed_request *r, const char *value, int64_t now)
{
    return moment_read(value, now, &r->since) ? NULL : MOMENT_NEEDS;
}

static const char *take_limit(struct feed_request *r, const char *value, int64_t now)
{
    int64_t limit;

    (void)now;
    if (!text_only(value, "0123456789") || !text_int(value, 1, FEED_LIMIT_MAX, &limit))
        return "must be a number from 1 to 1000";
    r->limit = (unsigned)limit;
    return NULL;
}

static const char *take_format(struct feed_request *r, const char *value, int64_t now)
{
    (void)now;
    return feed_format_named(value, &r->format) ? NULL : "must be ndjson, ocsf or csv";
}

enum { P_CURSOR, P_SINCE, P_LIMIT, P_FORMAT, NPARAMETERS };
static const struct {
    const char *name;
    const char *(*take)(struct feed_request *, const char *value, int64_t now); /* NULL, or what is wrong */
} parameters[NPARAMETERS] = {[P_CURSOR] = {"cursor", take_cursor},
                             [P_SINCE] = {"since", take_since},
                             [P_LIMIT] = {"limit", take_limit},
                             [P_FORMAT] = {"format", take_format}};

static enum query_outcome take(struct feed_request *r, char *name, char *value, int64_t now,
                               bool given[NPARAMETERS], struct query_error *error)
{
    if (!text_url_decode(name, true) || !utf8_valid(name, strlen(name)))
        return refused(error, "", "the query is not valid percent-encoded UTF-8");
    if (!text_url_decode(value, true) || !utf8_valid(value, strlen(value)))
        return refused(error, name, "is not valid percent-encoded UTF-8");
    for (int i = 0; i < NPARAMETERS; i++) {
        if (strcmp(parameters[i].name, name) != 0)
            continue;
        if (given[i])
            return refused(error, name, "is given twice");
        given[i] = true;
        const char *why = parameters[i].take(r, value, now);
        if (!why)
            return QUERY_OK;
        (void)refused(error, name, why);
        return i == P_CURSOR ? QUERY_INVALID_CURSOR : QUERY_INVALID;
    }
    return refused(error, name, "is unknown");
}

enum query_outcome feed_parse(const char *dataset, const char *text, const struct query_context *ctx,
                              struct feed_request *r, struct query_error *error)
{
    enum feed_dataset number;
    bool given[NPARAMETERS] = {false};
    enum query_outcome outcome = QUERY_OK;
    char *copy = strdup(text ? text : ""), *rest = copy, *pair;

    *error = (struct query_error){.why = ""};
    if (!copy)
        return QUERY_NO_MEMORY;
    if (feed_dataset_named(dataset, &number))
        *r = feed_request(number);
    else
        outcome = QUERY_NOT_FOUND;
    while (outcome == QUERY_OK && (pair = strsep(&rest, "&"))) {
        char *value = strchr(pair, '=');

        if (!*pair)
            continue;
        if (value)
            *value++ = '\0';
        outcome = take(r, pair, value ? value : pair + strlen(pair), ctx->now, given, error);
    }
    if (outcome == QUERY_OK && given[P_CURSOR] && given[P_SINCE])
        outcome = refused(error, "since", "cannot be given with a cursor");
    free(copy);
    return outcome;
}

/* ---- where a page begins and ends ---- */

/*
 * The newest seq of what was stored before `when`. jg_commit has the seq before each second; what was stored
 * before its first row has an unknown time. *before = there is a row for an earlier second.
 */
static enum db_outcome seq_before(struct db *db, int64_t when, int64_t newest, int64_t *seq, bool *before)
{
    struct sql first = sql_start(db->dialect, 0), earlier = sql_start(db->dialect, 0);
    int64_t any = 0;

    sql_str(&first, "SELECT coalesce(min(\"seq\"), ");
    sql_int(&first, newest);
    sql_str(&first, ") FROM \"jg_commit\" WHERE \"at\" >= ");
    sql_int(&first, when);
    sql_str(&earlier, "SELECT count(*) FROM \"jg_commit\" WHERE \"at\" = (SELECT min(\"at\") FROM "
                      "\"jg_commit\") AND \"at\" < ");
    sql_int(&earlier, when);
    enum db_outcome outcome = sql_number(db, &first, seq);
    if (outcome == DB_OK)
        outcome = sql_number(db, &earlier, &any);
    *before = any > 0;
    sql_free(&first);
    sql_free(&earlier);
    return outcome;
}

struct page { /* one that is being made */
    struct db *db;
    const struct query_context *ctx;
    const struct feed_request *request;
    struct feed_layout layout;
    struct feed_batch batch;
    struct feed_bounds at; /* behind the newest record of the page */
    struct buf record;     /* of one record */
    struct buf *out;
    size_t begin; /* of the page in `out` */
    bool full;
    struct feed_answer *answer;
};

static enum db_outcome begin_since(struct page *p, int64_t newest)
{
    bool before;

    if (p->request->since == QUERY_NONE)
        return DB_OK;
    enum db_outcome outcome = seq_before(p->db, p->request->since, newest, &p->at.seq, &before);
    if (outcome == DB_OK && !before)
        p->at.seq = 0;
    return outcome;
}

static enum query_outcome find_bounds(struct page *p, struct query_error *error)
{
    struct feed_place place;
    int64_t newest;
    bool before;
    enum db_outcome outcome = db_get_int(p->db, "SELECT max(\"seq\") FROM \"jg_counter\"", 0, &newest);

    if (outcome == DB_OK)
        outcome = db_get_int(p->db, "SELECT min(\"applied_at\") FROM \"jg_schema\"", 0, &p->answer->database);
    p->at = (struct feed_bounds){.seq = 0, .position = FEED_WHOLE, .until = newest};
    if (outcome == DB_OK && p->request->until != QUERY_NONE)
        outcome = seq_before(p->db, p->request->until, newest, &p->at.until, &before);
    if (outcome != DB_OK)
        return QUERY_DATABASE;
    if (!p->request->cursor[0])
        return begin_since(p, newest) == DB_OK ? QUERY_OK : QUERY_DATABASE;
    int err = feed_cursor_read(p->request->dataset, p->answer->database, p->request->cursor, &place);
    if (err == -ENOMEM)
        return QUERY_NO_MEMORY;
    if (err || place.seq > newest) {
        (void)refused(error, "cursor",
                      err ? "is not a cursor of this feed and database" : "is ahead of the database");
        return QUERY_INVALID_CURSOR;
    }
    p->at.seq = place.seq;
    p->at.position = p->layout.source->of_session ? place.position : FEED_WHOLE;
    return QUERY_OK;
}

/* ---- records ---- */

/* A record that fits into no page by itself is shortened. */
static bool write_record(struct page *p, struct feed_record *r)
{
    for (int i = 0; i < 2; i++) {
        buf_clear(&p->record);
        p->record.failed = false;
        formats[p->request->format].write(&p->batch, r, &p->record);
        if (!p->record.failed)
            return true;
        r->shortened = true;
    }
    return false;
}

/* Appends what fits of the batch; QUERY_NO_MEMORY is the only failure. */
static enum query_outcome add_batch(struct page *p)
{
    struct feed_answer *a = p->answer;

    for (size_t i = 0; i < p->batch.n; i++) {
        struct feed_record *r = &p->batch.records[i];

        if (!write_record(p, r))
            return QUERY_NO_MEMORY;
        if (p->out->len - p->begin + p->record.len > FEED_PAGE_MAX) {
            p->full = true;
            return QUERY_OK;
        }
        if (buf_append(p->out, p->record.data, p->record.len))
            return QUERY_NO_MEMORY;
        a->first_seq = a->records++ ? a->first_seq : r->seq;
        a->last_seq = r->seq;
        p->at.seq = r->seq;
        p->at.position = p->layout.source->of_session ? r->position : FEED_WHOLE;
        if (p->request->marks)
            p->request->marks[a->records - 1] =
                (struct feed_mark){p->out->len - p->begin, p->at.seq, p->at.position};
    }
    return QUERY_OK;
}

/* Is there a record behind the last one? */
static enum query_outcome look_further(struct page *p)
{
    if (feed_batch_read(&p->batch, p->db, p->ctx, &p->at, 1) != DB_OK)
        return QUERY_DATABASE;
    p->answer->more = p->batch.n > 0;
    return QUERY_OK;
}

static enum query_outcome add_records(struct page *p)
{
    enum query_outcome outcome = QUERY_OK;

    p->batch.last = p->at.seq >= p->at.until && p->at.position == FEED_WHOLE;
    while (outcome == QUERY_OK && !p->batch.last && !p->full && p->answer->records < p->request->limit) {
        size_t left = p->request->limit - (size_t)p->answer->records;

        if (feed_batch_read(&p->batch, p->db, p->ctx, &p->at, left < FEED_BATCH ? left : FEED_BATCH) != DB_OK)
            return QUERY_DATABASE;
        outcome = add_batch(p);
    }
    p->answer->more = p->full;
    if (outcome == QUERY_OK && !p->full && !p->batch.last)
        outcome = look_further(p);
    if (!p->answer->more && p->at.until > p->at.seq) { /* all up to there has been looked at */
        p->at.seq = p->at.until;
        p->at.position = FEED_WHOLE;
    }
    return outcome;
}

static enum query_outcome make_page(struct page *p, struct query_error *error)
{
    enum query_outcome outcome = find_bounds(p, error);

    if (outcome != QUERY_OK)
        return outcome;
    if (p->request->format == FEED_CSV && !p->request->no_header)
        feed_write_csv_header(&p->layout, p->out);
    outcome = add_records(p);
    if (outcome != QUERY_OK)
        return outcome;
    const struct feed_place place = {p->at.seq, p->at.position};
    if (p->out->failed ||
        feed_cursor_write(p->request->dataset, p->answer->database, &place, p->answer->next))
        return QUERY_NO_MEMORY;
    return QUERY_OK;
}

int feed_mark_cursor(const struct feed_request *r, const struct feed_answer *a, const struct feed_mark *mark,
                     char cursor[FEED_CURSOR_SIZE])
{
    return feed_cursor_write(r->dataset, a->database, &(struct feed_place){mark->seq, mark->position},
                             cursor);
}

enum query_outcome feed_read(struct db *db, const struct query_context *ctx, const struct feed_request *r,
                             struct buf *out, struct feed_answer *answer, struct query_error *error)
{
    struct page p = {.db = db,
                     .ctx = ctx,
                     .request = r,
                     .record = BUF_INIT(FEED_PAGE_MAX - FEED_HEADER_MAX),
                     .out = out,
                     .begin = out->len,
                     .answer = answer};
    enum query_outcome outcome = QUERY_NO_MEMORY;

    *answer = (struct feed_answer){.next = ""};
    *error = (struct query_error){.why = ""};
    if (!feed_layout_init(&p.layout, r->dataset) && !feed_batch_init(&p.batch, &p.layout))
        outcome = db->ops->begin(db, false) == DB_OK ? QUERY_OK : QUERY_DATABASE;
    if (outcome == QUERY_OK) {
        outcome = make_page(&p, error);
        struct db_error why = db->error;
        db->ops->rollback(db); /* nothing was written */
        db->error = why;
    }
    if (outcome == QUERY_DATABASE && db->error.outcome == DB_NO_MEMORY)
        outcome = QUERY_NO_MEMORY;
    feed_batch_free(&p.batch);
    feed_layout_free(&p.layout);
    buf_free(&p.record);
    return outcome;
}
