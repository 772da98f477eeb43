/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen_trail.c - see the header.
 *
 * A line's `event` is looked for near its beginning, where the chain's own members end.
 */
#include "seen_trail.h"

#include "ends.h"

#include "audit/audit_verify.h"
#include "base/id.h"
#include "base/uthash_nofail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES   256
#define EVENT_WITHIN 240

/* Of the attempts of a check-in: so many may come at once, with starts, releases that hurry it, and pauses
 * that are short at first; later each pause is 45 s to a minute. */
#define ATTEMPTS_AT_ONCE 20
#define PAUSE_MS         40000

struct checkout_seen {
    char lease_id[ID_SIZE];
    bool found; /* by the check that runs */
    UT_hash_handle hh;
};

/* How often the check-in of a lease's request was tried, as the trail has it. */
struct attempts_seen {
    char lease_id[ID_SIZE];
    unsigned most, first;
    uint64_t first_ms;
    UT_hash_handle hh;
};

struct seen_trail {
    struct world *world;
    struct node *node;
    struct checkout_seen *checkouts;
    struct attempts_seen *attempts;
    const struct vdisk *disk; /* of the check that runs */
    unsigned rotated;         /* files with an older name */
};

/* ---- lines ---- */

static bool is_event(const char *line, size_t n, const char *event)
{
    char member[64];
    int m = snprintf(member, sizeof member, "\",\"event\":\"%s\"", event);

    return memmem(line, n < EVENT_WITHIN ? n : EVENT_WITHIN, member, (size_t)m);
}

static bool has_text(const char *line, size_t n, const char *text)
{
    return memmem(line, n, text, strlen(text));
}

/* The lease id of a line; false = it has none. */
static bool lease_of(const char *line, size_t n, char id[ID_SIZE])
{
    static const char name[] = "\"lease_id\":\"";
    const char *at = memmem(line, n, name, sizeof name - 1);

    if (at)
        (void)snprintf(id, ID_SIZE, "%.*s", ID_SIZE - 1, at + sizeof name - 1);
    return at;
}

static bool is_checkout(const char *line, size_t n, char id[ID_SIZE])
{
    return is_event(line, n, "checkout") && has_text(line, n, "\"outcome\":\"ok\"") && lease_of(line, n, id);
}

static struct checkout_seen *find_checkout(const struct seen_trail *t, const char *id)
{
    struct checkout_seen *seen = NULL;

    HASH_FIND_STR(t->checkouts, id, seen);
    return seen;
}

static void note_checkout(struct seen_trail *t, const char *line, size_t n)
{
    char id[ID_SIZE];

    if (!is_checkout(line, n, id) || find_checkout(t, id))
        return;
    struct checkout_seen *seen = calloc(1, sizeof *seen);

    if (!seen)
        abort();
    memcpy(seen->lease_id, id, sizeof id);
    HASH_ADD_STR(t->checkouts, lease_id, seen);
    if (!seen->hh.tbl)
        abort();
}

static struct attempts_seen *attempts_of(struct seen_trail *t, const char *id)
{
    struct attempts_seen *seen = NULL;

    HASH_FIND_STR(t->attempts, id, seen);
    if (seen)
        return seen;
    seen = calloc(1, sizeof *seen);
    if (!seen)
        abort();
    (void)snprintf(seen->lease_id, sizeof seen->lease_id, "%s", id);
    HASH_ADD_STR(t->attempts, lease_id, seen);
    if (!seen->hh.tbl)
        abort();
    return seen;
}

/* A vault that fails is not asked all the time. */
static void check_pauses(struct seen_trail *t, struct attempts_seen *seen)
{
    uint64_t now_ms = t->world->now_ms;

    if (!seen->first_ms) {
        seen->first_ms = now_ms;
        seen->first = seen->most;
    }
    if (seen->most - seen->first > ATTEMPTS_AT_ONCE + (now_ms - seen->first_ms) / PAUSE_MS)
        world_fail(t->world, "the check-in of lease %s is tried %u times within %u ms", seen->lease_id,
                   seen->most - seen->first, (unsigned)(now_ms - seen->first_ms));
}

/* The count of attempts outlives the process. */
static void note_attempt(struct seen_trail *t, const char *line, size_t n, bool kept)
{
    static const char name[] = "\"attempts\":";
    const char *at = memmem(line, n, name, sizeof name - 1);
    char id[ID_SIZE];

    if (!is_event(line, n, "checkin_failed") || !at || !lease_of(line, n, id))
        return;
    unsigned attempts = (unsigned)strtoul(at + sizeof name - 1, NULL, 10);
    struct attempts_seen *seen = attempts_of(t, id);

    counts_add(t->world->counts, kept && seen->most, "trail.attempts_judged");
    if (attempts < seen->most && kept)
        world_fail(t->world, "check-in attempt %u of lease %s follows attempt %u", attempts, id, seen->most);
    seen->most = attempts > seen->most ? attempts : seen->most;
    check_pauses(t, seen);
}

static void note_event(struct seen_trail *t, const char *line, size_t n)
{
    static const char *const events[] = {"audit_torn", "audit_cut",     "audit_continue",
                                         "audit_gap",  "audit_failing", "store_rows_lost"};

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (is_event(line, n, events[i]))
            counts_add(t->world->counts, 1, "trail.%s", events[i]);
    if (is_event(line, n, "fenced"))
        t->node->fenced_ms = 0;
}

void seen_trail_durable(struct seen_trail *t, const char *bytes, size_t n, size_t *seen, bool attempts_kept)
{
    const char *end;

    *seen = *seen < n ? *seen : n;
    for (; (end = memchr(bytes + *seen, '\n', n - *seen)); *seen = (size_t)(end + 1 - bytes)) {
        const char *line = bytes + *seen;
        size_t length = (size_t)(end + 1 - line);

        note_checkout(t, line, length);
        note_attempt(t, line, length, attempts_kept);
        note_event(t, line, length);
        ends_durable(t->world->ends, t->node, line, length);
    }
}

void seen_trail_found(struct seen_trail *t, const char *bytes, size_t n, size_t *seen)
{
    struct audit_line unused;
    const char *end;

    *seen = *seen < n ? *seen : n;
    for (; (end = memchr(bytes + *seen, '\n', n - *seen)); *seen = (size_t)(end + 1 - bytes)) {
        const char *line = bytes + *seen;

        if (!audit_line_read(line, (size_t)(end + 1 - line), &unused,
                             NULL)) /* not one that a crash has torn */
            ends_record(t->world->ends, t->node, line, (size_t)(end + 1 - line));
    }
}

bool seen_trail_has_checkout(const struct seen_trail *t, const char *lease_id)
{
    return find_checkout(t, lease_id);
}

/* ---- the whole trail ---- */

/*
 * Of several lines that were written at once a later one may be on the disk without those before it. The
 * gateway goes on behind it, and the verifier names what is missing, as it must.
 */
static bool is_torn(const struct seen_trail *t, const struct audit_remark *r)
{
    size_t n = 0, at = 0;
    const char *p = r->file ? vdisk_content(t->disk, r->file, &n) : NULL;

    for (uint64_t line = 1; p && line < r->line; line++) {
        const char *end = memchr(p + at, '\n', n - at);

        if (!end)
            return false;
        at = (size_t)(end + 1 - p);
    }
    if (!p || !r->line || at >= n)
        return false;
    const char *end =
        memchr(p + at, '\n', n - at); /* NULL: the end of a file that was renamed before the crash */

    return vdisk_torn_at(t->disk, r->file, at) &&
           vdisk_torn_at(t->disk, r->file, end ? (size_t)(end - p) : n - 1);
}

static void on_remark(void *arg, const struct audit_remark *r)
{
    struct seen_trail *t = arg;

    if (r->note)
        counts_add(t->world->counts, 1, "trail.notes");
    else if (is_torn(t, r))
        counts_add(t->world->counts, 1, "trail.torn_within");
    else
        world_fail(t->world, "the audit trail, %s line %" PRIu64 " (seq %" PRIu64 "): %s",
                   r->file ? strrchr(r->file, '/') + 1 : "all", r->line, r->seq, r->text);
}

static void check_line(struct seen_trail *t, struct audit_verify *v, const char *line, size_t n)
{
    char id[ID_SIZE];
    struct checkout_seen *seen = is_checkout(line, n, id) ? find_checkout(t, id) : NULL;

    if (seen)
        seen->found = true;
    audit_verify_line(v, line, n);
}

static void check_file(struct seen_trail *t, struct audit_verify *v, const char *path)
{
    size_t n;
    const char *p = vdisk_content(t->disk, path, &n), *end = p + n;

    if (!n)
        return;
    audit_verify_file(v, path);
    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));

        stop = stop ? stop + 1 : end;
        check_line(t, v, p, (size_t)(stop - p));
        p = stop;
    }
}

static void check_found(struct seen_trail *t)
{
    struct checkout_seen *seen, *next;

    HASH_ITER(hh, t->checkouts, seen, next)
    {
        if (!seen->found)
            world_fail(t->world, "the audit trail has lost the check-out of lease %s", seen->lease_id);
        seen->found = false;
    }
}

static void rotated_name(const char *state_dir, unsigned n, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s/audit-%06u.jsonl", state_dir, n);
}

void seen_trail_check(struct seen_trail *t, struct vdisk *disk, const char *state_dir)
{
    char path[PATH_BYTES], names[2][PATH_BYTES];
    struct audit_head head;
    struct audit_summary sum;
    size_t n;

    (void)snprintf(path, sizeof path, "%s/audit.head", state_dir);
    const char *text = vdisk_content(disk, path, &n);
    bool has_head = text && audit_head_read(text, n, &head);
    t->disk = disk;
    struct audit_verify *v = audit_verify_new(has_head ? &head : NULL, on_remark, t);

    if (!v)
        abort();
    for (unsigned i = 1; i <= t->rotated; i++) {
        rotated_name(state_dir, i, names[i % 2]);
        check_file(t, v, names[i % 2]);
    }
    (void)snprintf(path, sizeof path, "%s/audit.jsonl", state_dir);
    check_file(t, v, path);
    if (audit_verify_end(v, &sum))
        abort();
    audit_verify_free(v);
    check_found(t);
    counts_add(t->world->counts, 1, "trail.verified");
}

void seen_trail_rotate(struct seen_trail *t, struct vdisk *disk, const char *state_dir)
{
    char from[PATH_BYTES], to[PATH_BYTES];

    (void)snprintf(from, sizeof from, "%s/audit.jsonl", state_dir);
    rotated_name(state_dir, t->rotated + 1, to);
    if (vdisk_rename(disk, from, to) == 0)
        t->rotated++;
}

/* ---- life ---- */

struct seen_trail *seen_trail_new(struct node *n)
{
    struct seen_trail *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->world = n->world;
    t->node = n;
    return t;
}

static void free_attempts(struct seen_trail *t)
{
    struct attempts_seen *seen, *next;

    HASH_ITER(hh, t->attempts, seen, next)
    {
        HASH_DEL(t->attempts, seen);
        free(seen);
    }
}

void seen_trail_free(struct seen_trail *t)
{
    struct checkout_seen *seen, *next;

    HASH_ITER(hh, t->checkouts, seen, next)
    {
        HASH_DEL(t->checkouts, seen);
        free(seen);
    }
    free_attempts(t);
    free(t);
}
