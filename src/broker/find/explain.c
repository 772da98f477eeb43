/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - finished records in a bounded cache by request id, the oldest first, and the bytes of all
 * records.
 *
 *     begin --> open --add, add, ...--> end --> kept --too old, too many, too large, same id again--> freed
 *
 * One count of bytes covers open and kept records. make_room() drops kept records, oldest first, until the
 * new piece fits; where only open ones are left it returns false, and the piece is left out. So the bound
 * holds for any sequence of calls: a burst of operations loses explanations and takes no more memory.
 *
 * Ages are compared in begin, end and find; there is no timer, since the bytes are bounded anyway.
 *
 * Invariant: a request id that comes again belongs to the later record.
 */
#include "broker/find/explain.h"

#include "base/bounded_cache.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_NOTES 8

struct explain_record {
    struct cache_entry entry; /* first; in use once the record is finished */
    struct explain *of;
    struct explain_view view;
    struct explain_note *notes;
    size_t room;  /* for notes */
    size_t bytes; /* all of it */
    uint64_t began_ms;
    void *texts; /* of the view, but for the detail */
    void *detail;
};

struct explain {
    struct explain_opts opts;
    struct bounded_cache kept; /* finished records, the oldest first */
    size_t bytes;              /* of all records */
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

static void free_entry(struct cache_entry *entry)
{
    record_free((struct explain_record *)(void *)entry);
}

static bool make_room(struct explain *explain, size_t bytes)
{
    while (explain->bytes + bytes > explain->opts.max_bytes) {
        struct cache_entry *oldest = bounded_cache_first(&explain->kept);

        if (!oldest)
            return false;
        bounded_cache_drop(&explain->kept, oldest);
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
    explain->kept = (struct bounded_cache){
        .clock = opts->clock, .max_entries = opts->max_records, .free_entry = free_entry};
    bounded_cache_init(&explain->kept);
    return explain;
}

void explain_free(struct explain *explain)
{
    if (explain)
        bounded_cache_clear(&explain->kept);
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
    bounded_cache_drop_old(&explain->kept, explain->opts.keep_ms);
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
    if (!keep_texts(texts, 4, &record->texts, &size) || !make_room(explain, size + sizeof(*record))) {
        free(record->texts);
        free(record);
        return NULL;
    }
    charge(record, size + sizeof(*record));
    return record;
}

/* Makes room for one more note; false = there is none. */
static bool grow_notes(struct explain_record *record)
{
    size_t room = record->room ? record->room * 2 : FIRST_NOTES, more = room - record->room;
    struct explain_note *notes;

    if (record->view.nnotes < record->room)
        return true;
    if (record->view.nnotes >= EXPLAIN_NOTES_MAX || !make_room(record->of, more * sizeof(*notes)))
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
    if (!grow_notes(record) || !keep_texts(texts, sizeof(texts) / sizeof(texts[0]), &kept.texts, &size)) {
        record->view.cut = true;
        return;
    }
    if (!make_room(record->of, size)) {
        record->view.cut = true;
        free(kept.texts);
        return;
    }
    charge(record, size);
    record->notes[record->view.nnotes++] = kept;
}

void explain_cut(struct explain_record *record)
{
    if (record)
        record->view.cut = true;
}

void explain_end(struct explain_record *record, const char *outcome, const char *detail, uint64_t rows,
                 uint64_t list_age_ms)
{
    size_t size;

    if (!record)
        return;
    bounded_cache_drop_old(&record->of->kept, record->of->opts.keep_ms);
    record->view.took_ms = clock_now(record->of->opts.clock) - record->began_ms;
    record->view.rows = rows;
    record->view.list_age_ms = list_age_ms;
    record->view.outcome = outcome;
    record->view.detail = detail && *detail ? detail : NULL;
    const char **text[] = {&record->view.detail};

    if (!keep_texts(text, 1, &record->detail, &size) || !make_room(record->of, size)) {
        record_free(record);
        return;
    }
    charge(record, size);
    if (!bounded_cache_put(&record->of->kept, &record->entry, record->view.request_id,
                           strlen(record->view.request_id), 0))
        record_free(record);
}

/* ---- look-up ---- */

const struct explain_view *explain_find(struct explain *explain, const char *request_id)
{
    struct cache_entry *entry;

    if (!explain)
        return NULL;
    bounded_cache_drop_old(&explain->kept, explain->opts.keep_ms);
    entry = bounded_cache_find(&explain->kept, request_id, strlen(request_id));
    return entry ? &((struct explain_record *)(void *)entry)->view : NULL;
}

size_t explain_bytes(const struct explain *explain)
{
    return explain->bytes;
}

size_t explain_count(const struct explain *explain)
{
    return explain->kept.n;
}
