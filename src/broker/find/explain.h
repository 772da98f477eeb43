/*
 * explain.h - the record of why a find or a search came back as it did, kept for a while.
 *
 * A record is begun with the operation, collects notes while it runs (the vault users tried, the name forms
 * asked for, each vault call, each filter and what it removed), is kept from the operation's end on, and is
 * looked up by the request id. The records are bounded by number, by bytes and by time: the oldest is
 * dropped first, and a note that does not fit is left out, which the record says (`cut`). The bytes count
 * open records as well.
 *
 * A note holds names, numbers and details of faults; never a key, a cookie, a password or a vault's answer.
 * No operation depends on a record, so NULL (no request id, turned off, out of memory) is a valid record for
 * every function here.
 */
#ifndef JG_BROKER_FIND_EXPLAIN_H
#define JG_BROKER_FIND_EXPLAIN_H

#include "base/clock.h"
#include "broker/identity/session.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPLAIN_NOTES_MAX 200 /* of one record */
#define EXPLAIN_TEXT_MAX  320 /* letters of one text; the rest is left out */

struct explain;
struct explain_record;

enum explain_kind {
    EXPLAIN_USER,    /* vault, user, outcome (accepted, refused, no_rule, unwritable, failed), detail */
    EXPLAIN_NAME,    /* vault, form, value */
    EXPLAIN_CALL,    /* vault, user, what, kind_asked, value, outcome, status, rows, took_ms, source, age_ms,
                        detail */
    EXPLAIN_SECTION, /* vault, value: a section of the configuration that names the user */
    EXPLAIN_FILTER,  /* vault (NULL = of the whole list), what, rows (removed), left, detail */
    EXPLAIN_ABSENT   /* vault, outcome (the code of a fault), detail: a vault that did not answer */
};

/* Texts may be NULL; explain_add() copies vault, user, value and detail. The other texts are literals. */
struct explain_note {
    enum explain_kind kind;
    const char *vault, *user, *value, *detail;
    const char *what;       /* the call, or the filter */
    const char *kind_asked; /* of accounts */
    const char *form, *outcome;
    const char *source; /* vault, cache, shared, map */
    int status;         /* HTTP; 0 = there was none */
    uint64_t rows, left, took_ms, age_ms;
    void *texts; /* private */
};

/* A finished record, as it is shown. */
struct explain_view {
    const char *request_id, *operation;
    const char *username, *domain, *session; /* domain and session may be NULL */
    const char *outcome, *detail;            /* "ok" or the code of a fault, and its detail or NULL */
    uint64_t rows, list_age_ms, took_ms;
    int64_t began_wall_ms;
    bool cut;
    const struct explain_note *notes;
    size_t nnotes;
};

struct explain_opts {
    const struct clock *clock;
    size_t max_records; /* 0 = nothing is kept */
    size_t max_bytes;
    uint64_t keep_ms;
};

struct explain *explain_new(const struct explain_opts *); /* NULL = out of memory */
void explain_free(struct explain *);                      /* no record may be open; NULL is fine */

/* `operation` is a literal. */
struct explain_record *explain_begin(struct explain *, const char *request_id, const char *operation,
                                     const struct session *);
void explain_add(struct explain_record *, const struct explain_note *);
/* Notes were left out. */
void explain_cut(struct explain_record *);
/* The operation is over: explain owns the record from now on and may free it at any time. `outcome` is a
 * literal. */
void explain_end(struct explain_record *, const char *outcome, const char *detail, uint64_t rows,
                 uint64_t list_age_ms);

/* NULL = unknown, or dropped already. Valid until the next call of any of these functions. */
const struct explain_view *explain_find(struct explain *, const char *request_id);

size_t explain_bytes(const struct explain *);
size_t explain_count(const struct explain *); /* finished records */

#endif
