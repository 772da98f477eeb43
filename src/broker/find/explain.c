/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - a queue of finished records, oldest in front, and a hash over their request ids.
 *
 *     begin --> open --add, add, ...--> end --> kept --too old, too many, too large, same id again--> gone
 *
 * One count of bytes covers open and kept records. room_for() drops kept records from the front until the new
 * piece fits; if only open ones are left it says no, and the piece is left out. So the bound holds whatever
 * the callers do, and a burst of operations costs explanations, never memory.
 *
 * Age is looked at when somebody comes (begin, end, find); there is no timer for it, as the bytes are bounded
 * anyway.
 *
 * Invariant: a record is in `kept` exactly if it is in `by_id`. A request id that comes again belongs to the
 * later record.
 */
#include "broker/find/explain.h"

#include "base/utf8.h"
#include "base/uthash_nofail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define FIRST_NOTES 8

struct explain_record {
    struct explain *of;
    struct explain_view view;
    struct explain_note *notes;
    size_t room;  /* for notes */
    size_t bytes; /* all of it */
    uint64_t began_ms, ended_ms;
    void *texts; /* of the view, but for the detail */
    void *detail;
    TAILQ_ENTRY(explain_record) link;
    UT_hash_handle hh;
};

struct explain {
    struct explain_opts opts;
    TAILQ_HEAD(record_list, explain_record) kept;
    struct explain_record *by_id;
    size_t count, bytes;
};

/* ---- texts ---- */

static size_t text_size(const char *text)
{
    return text ? strnlen(text, EXPLAIN_TEXT_MAX) + 1 : 0;
}

/* Moves *text into the block at *at. The cut is never within a letter. */
static void keep_text(const char **text, char **at)
{
    size_t n = text_size(*text);

    if (!n)
        return;
    n = utf8_fit(*text, n - 1) + 1;
    memcpy(*at, *text, n - 1);
    (*at)[n - 1] = '\0';
    *text = *at;
    *at += n;
}

/* Copies n texts into one block of memory; NULL for none. *size = its size; false = out of memory. */
static bool keep_texts(const char **text[], size_t n, void **block, size_t *size)
{
    char *at;

    *size = 0;
    for (size_t i = 0; i < n; i++)
        *size += text_size(*text[i]);
    *block = at = *size ? malloc(*size) : NULL;
    if (!at)
        return !*size;
    for (size_t i = 0; i < n; i++)
        keep_text(text[i], &at);
    return true;
}

/* ---- the memory ---- */

static void record_free(struct explain_record *record)
{
    record->of->bytes -= record->bytes;
    for (size_t i = 0; i < record->view.nnotes; i++)
        free(record->notes[i].texts);
    free(record->notes);
    free(record->texts);
    free(record->detail);
    free(record);
}

static void forget(struct explain_record *record)
{
    struct explain *explain = record->of;

    HASH_DEL(explain->by_id, record);
    TAILQ_REMOVE(&explain->kept, record, link);
    explain->count--;
    record_free(record);
}

static void forget_old(struct explain *explain)
{
    uint64_t now = clock_now(explain->opts.clock);
    struct explain_record *oldest;

    while ((oldest = TAILQ_FIRST(&explain->kept)) && now - oldest->ended_ms >= explain->opts.keep_ms)
        forget(oldest);
}

static bool room_for(struct explain *explain, size_t bytes)
{
    while (explain->bytes + bytes > explain->opts.max_bytes) {
        if (TAILQ_EMPTY(&explain->kept))
            return false;
        forget(TAILQ_FIRST(&explain->kept));
    }
    return true;
}

static void charge(struct explain_record *record, size_t bytes)
{
    record->bytes += bytes;
    record->of->bytes += bytes;
}

struct explain *explain_new(const struct explain_opts *opts)
{
    struct explain *explain = calloc(1, sizeof(*explain));

    if (!explain)
        return NULL;
    explain->opts = *opts;
    TAILQ_INIT(&explain->kept);
    return explain;
}

void explain_free(struct explain *explain)
{
    if (!explain)
        return;
    while (!TAILQ_EMPTY(&explain->kept))
        forget(TAILQ_FIRST(&explain->kept));
    free(explain);
}

/* ---- a record ---- */

struct explain_record *explain_begin(struct explain *explain, const char *request_id, const char *operation,
                                     const struct session *session)
{
    struct explain_record *record;
    size_t size;

    if (!explain || !explain->opts.max_records || !request_id || !*request_id)
        return NULL;
    forget_old(explain);
    record = calloc(1, sizeof(*record));
    if (!record)
        return NULL;
    record->of = explain;
    record->began_ms = clock_now(explain->opts.clock);
    record->view = (struct explain_view){
        .request_id = request_id,
        .operation = operation,
        .username = session->username,
        .domain = session->domain,
        .session = session->id,
        .began_wall_ms = clock_wall(explain->opts.clock),
    };
    const char **texts[] = {&record->view.request_id, &record->view.username, &record->view.domain,
                            &record->view.session};
    if (!keep_texts(texts, 4, &record->texts, &size) || !room_for(explain, size + sizeof(*record))) {
        free(record->texts);
        free(record);
        return NULL;
    }
    charge(record, size + sizeof(*record));
    return record;
}

/* Room for one more note: false = there is none to be had. */
static bool grow(struct explain_record *record)
{
    size_t room = record->room ? record->room * 2 : FIRST_NOTES, more = room - record->room;
    struct explain_note *notes;

    if (record->view.nnotes < record->room)
        return true;
    if (record->view.nnotes >= EXPLAIN_NOTES_MAX || !room_for(record->of, more * sizeof(*notes)))
        return false;
    notes = realloc(record->notes, room * sizeof(*notes));
    if (!notes)
        return false;
    charge(record, more * sizeof(*notes));
    record->notes = notes;
    record->view.notes = notes;
    record->room = room;
    return true;
}

void explain_add(struct explain_record *record, const struct explain_note *note)
{
    struct explain_note kept = *note;
    const char **texts[] = {&kept.vault, &kept.user, &kept.value, &kept.detail};
    size_t size;

    if (!record)
        return;
    if (!grow(record) || !keep_texts(texts, sizeof(texts) / sizeof(texts[0]), &kept.texts, &size)) {
        record->view.cut = true;
        return;
    }
    if (!room_for(record->of, size)) {
        record->view.cut = true;
        free(kept.texts);
        return;
    }
    charge(record, size);
    record->notes[record->view.nnotes++] = kept;
}

static struct explain_record *find(struct explain *explain, const char *request_id)
{
    struct explain_record *record = NULL;

    HASH_FIND_STR(explain->by_id, request_id, record);
    return record;
}

/* Into the queue and the hash; false when there is no memory for the hash. */
static bool keep(struct explain_record *record)
{
    struct explain *explain = record->of;
    struct explain_record *same = find(explain, record->view.request_id);

    if (same)
        forget(same);
    while (explain->count >= explain->opts.max_records)
        forget(TAILQ_FIRST(&explain->kept));
    HASH_ADD_KEYPTR(hh, explain->by_id, record->view.request_id, strlen(record->view.request_id), record);
    if (!record->hh.tbl)
        return false;
    TAILQ_INSERT_TAIL(&explain->kept, record, link);
    explain->count++;
    return true;
}

void explain_end(struct explain_record *record, const char *outcome, const char *detail, uint64_t rows,
                 uint64_t list_age_ms)
{
    size_t size;

    if (!record)
        return;
    forget_old(record->of);
    record->ended_ms = clock_now(record->of->opts.clock);
    record->view.took_ms = record->ended_ms - record->began_ms;
    record->view.rows = rows;
    record->view.list_age_ms = list_age_ms;
    record->view.outcome = outcome;
    record->view.detail = detail && *detail ? detail : NULL;
    const char **text[] = {&record->view.detail};

    if (!keep_texts(text, 1, &record->detail, &size) || !room_for(record->of, size)) {
        record_free(record);
        return;
    }
    charge(record, size);
    if (!keep(record))
        record_free(record);
}

/* ---- looking ---- */

const struct explain_view *explain_find(struct explain *explain, const char *request_id)
{
    struct explain_record *record;

    if (!explain)
        return NULL;
    forget_old(explain);
    record = find(explain, request_id);
    return record ? &record->view : NULL;
}

size_t explain_bytes(const struct explain *explain)
{
    return explain->bytes;
}

size_t explain_count(const struct explain *explain)
{
    return explain->count;
}
