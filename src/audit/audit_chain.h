/*
 * audit_chain.h - the form of the audit trail: one line, its link to the line before, and the head.
 *
 *   {"check":"16 hex","seq":N,"time":"2026-11-21T20:31:35.123Z","prev":"64 hex","event":"…",…}
 *
 * `prev` is the SHA-256 of the whole line before, line end included; `seq` grows by one. `check` is the
 * beginning of the SHA-256 of what follows it in its own line, so that a change of the last line shows before
 * there is a next one. Lines that the trail writes about itself have events beginning with `audit_`:
 *
 *   audit_begin     first line of a new trail
 *   audit_continue  first line of a later file: last_seq, last_hash, cause
 *   audit_torn      the bytes before it are not a line of the trail: junk_bytes, junk_sha256, cause (torn,
 *                   altered)
 *   audit_cut       the file did not end with the line written last: last_seq, last_hash, cause
 *   audit_failing   from here on records cannot be written: error
 *   audit_gap       records can be written again: lost (records that are missing), delayed, from, to
 *
 * The head is the position of the trail: number and hash of its last line, and the first number of the
 * current file. It is a small file of its own, so that a cut at the end of the trail shows.
 *
 * Not here: opening a file (audit_file.c).
 */
#ifndef JG_AUDIT_AUDIT_CHAIN_H
#define JG_AUDIT_AUDIT_CHAIN_H

#include "base/buf.h"

#include <stdint.h>

#define AUDIT_HASH_SIZE  65
#define AUDIT_TIME_SIZE  25
#define AUDIT_EVENT_SIZE 48
#define AUDIT_LINE_MAX   32768
#define AUDIT_HEAD_SIZE  136
#define AUDIT_START      "{\"check\":\"" /* how every line begins */

/* A line and what the next one needs to know of it; seq 0 = no line yet. */
struct audit_link {
    uint64_t seq;
    char hash[AUDIT_HASH_SIZE];
};

struct audit_line {
    struct audit_link link;
    char prev[AUDIT_HASH_SIZE];
    char time[AUDIT_TIME_SIZE];
    char event[AUDIT_EVENT_SIZE];
};

struct audit_head {
    struct audit_link last;
    uint64_t first; /* number of the current file's first line */
};

/* Before the first line. */
void audit_link_none(struct audit_link *);

/* Appends the line that follows `at` and moves `at` on. 0, -EMSGSIZE, -ENOMEM. */
int audit_line_write(struct buf *, struct audit_link *at, int64_t wall_ms, const char *members, size_t n);

/* The same for a record of the trail about itself: a whole JSON object, which is freed; the time is now. */
int audit_line_write_own(struct buf *, struct audit_link *at, struct buf *object);

/*
 * Reads one line, its line end included. 0 = it is one of ours. -EINVAL = it is not, and *why says what is
 * wrong with it. -ENOMEM = nothing is known of it. `why` may be NULL.
 */
int audit_line_read(const char *line, size_t n, struct audit_line *out, const char **why);

/*
 * Text of constant length, so that a new one covers an old one whole. The number of the last line stands at
 * both ends: a head whose writing has stopped in the middle reads as none.
 */
void audit_head_write(const struct audit_head *, char out[AUDIT_HEAD_SIZE]);
bool audit_head_read(const char *text, size_t n, struct audit_head *);
size_t audit_head_length(void);

#endif
