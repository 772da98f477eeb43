/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.c - the audit trail of a gateway over all its files; see trail.h.
 *
 * An open file is kept with the position behind the last line read from it. When the caller's position is
 * another one, for instance after a transaction that was rolled back, the file is found again.
 *
 *   find: the newest file that has the line of the position, or the one whose first line follows it
 *   end of a file: the file whose first line follows, else (a break) the next one that begins later, be it a
 *   new trail with small numbers, else one with larger numbers
 */
#include "reports/collect/trail.h"

#include "audit/audit_source.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     65536 /* longer than any sound line */
#define FILES_MAX 1024

struct reader {
    int fd; /* of a plain file, else -1 */
    struct audit_source *packed;
    dev_t device;
    ino_t inode;
    off_t offset; /* of what is in `piece` from `at` on */
    char *piece;
    size_t at, n;
};

struct file {
    char *path;
    struct audit_line first;
    bool packed;
    dev_t device;
    ino_t inode;
    struct timespec changed;
};

struct trail {
    char *pattern;
    struct reader reader;
    bool open;
    struct audit_link here;     /* behind the last line read */
    char time[AUDIT_TIME_SIZE]; /* of that line; "" = not known */
    bool junk;                  /* bytes that are no line were read behind it */
    bool counted;               /* what follows it is a break that is counted */
    uint64_t listing;           /* of the files, when the end was last looked behind */
};

/* ---- a file ---- */

static void reader_close(struct reader *r)
{
    if (r->fd >= 0)
        (void)close(r->fd);
    audit_source_close(r->packed);
    free(r->piece);
    *r = (struct reader){.fd = -1};
}

static int reader_open_packed(struct reader *r, const char *path)
{
    return audit_source_open(&r->packed, path);
}

/* 1, 0, -errno. */
static int is_gzip(int fd)
{
    unsigned char magic[2];
    ssize_t n = pread(fd, magic, sizeof(magic), 0);

    if (n < 0)
        return -errno;
    return n == sizeof(magic) && magic[0] == 0x1f && magic[1] == 0x8b;
}

static int reader_open(struct reader *r, const char *path)
{
    struct stat st;

    *r = (struct reader){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (r->fd < 0)
        return -errno;
    if (fstat(r->fd, &st) || !S_ISREG(st.st_mode)) {
        reader_close(r);
        return -EINVAL;
    }
    r->device = st.st_dev;
    r->inode = st.st_ino;
    int packed = is_gzip(r->fd);
    if (packed < 0) {
        reader_close(r);
        return packed;
    }
    if (packed) {
        (void)close(r->fd);
        r->fd = -1;
        return reader_open_packed(r, path);
    }
    r->piece = malloc(PIECE);
    if (!r->piece)
        reader_close(r);
    return r->fd < 0 ? -ENOMEM : 0;
}

/* Bytes behind those that are there. 1, 0 at the end, -errno. */
static int reader_fill(struct reader *r)
{
    ssize_t got;

    memmove(r->piece, r->piece + r->at, r->n - r->at);
    r->n -= r->at;
    r->at = 0;
    do
        got = pread(r->fd, r->piece + r->n, PIECE - r->n, r->offset + (off_t)r->n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    r->n += (size_t)got;
    return got > 0;
}

/* A line with its end, or PIECE bytes without one. 1, 0 at the end, -errno. */
static int reader_line(struct reader *r, const char **text, size_t *n)
{
    if (r->packed) {
        struct audit_piece piece;
        int got = audit_source_line(r->packed, &piece);
        *text = piece.text;
        *n = got > 0 ? piece.n : 0;
        return got;
    }
    for (;;) {
        const char *end = memchr(r->piece + r->at, '\n', r->n - r->at);
        int got = 1;

        if (!end && r->n - r->at < PIECE)
            got = reader_fill(r);
        else {
            *text = r->piece + r->at;
            *n = end ? (size_t)(end - *text) + 1 : PIECE;
            r->at += *n;
            r->offset += (off_t)*n;
            return 1;
        }
        if (got <= 0)
            return got;
    }
}

/* A file that was cut is another one. */
static bool reader_was_cut(const struct reader *r)
{
    struct stat st;

    return r->fd >= 0 && (fstat(r->fd, &st) || st.st_size < r->offset);
}

/* ---- the files of the pattern ---- */

/* A file that is gone, closed to us or of another kind belongs to no trail; the others must be read. */
static bool is_no_file(int err)
{
    return err == -ENOENT || err == -EACCES || err == -EINVAL || err == -ELOOP;
}

/* The first line of a file: 0; -EINVAL where it has none, *partial: it is being written; or -errno. */
static int first_line(const char *path, struct file *f, bool *partial)
{
    struct reader r;
    const char *text;
    size_t n;
    int err = reader_open(&r, path);

    if (err)
        return is_no_file(err) ? -EINVAL : err;
    err = -EINVAL;
    for (int i = 0, got = 1; err == -EINVAL && got > 0 && i < 16; i++) {
        got = reader_line(&r, &text, &n);
        if (got)
            err = got < 0 ? got : audit_line_read(text, n, &f->first, NULL);
    }
    *partial |= err && r.piece && r.n >= strlen(AUDIT_START) &&
                memcmp(r.piece, AUDIT_START, strlen(AUDIT_START)) == 0;
    f->packed = r.packed != NULL;
    f->device = r.device;
    f->inode = r.inode;
    reader_close(&r);
    return err;
}

static int by_age(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    if (x->first.link.seq != y->first.link.seq)
        return x->first.link.seq < y->first.link.seq ? -1 : 1;
    if (x->packed != y->packed)
        return x->packed ? -1 : 1; /* of two copies the plain one counts as newer */
    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    return (x->changed.tv_nsec > y->changed.tv_nsec) - (x->changed.tv_nsec < y->changed.tv_nsec);
}

struct files {
    struct file *rows;
    size_t n;
    uint64_t listing; /* a digest of which there are; 0 = one of them is being written */
};

static void files_free(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->rows[i].path);
    free(f->rows);
    *f = (struct files){.n = 0};
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3U;
}

static int list_files(const char *pattern, bool with_first, struct files *out)
{
    glob_t found = {.gl_pathc = 0};
    int err = glob(pattern, 0, NULL, &found), failed = 0;
    bool partial = false;

    *out = (struct files){.listing = 0xcbf29ce484222325U};
    if (err && err != GLOB_NOMATCH)
        return err == GLOB_NOSPACE ? -ENOMEM : -EACCES;
    if (with_first)
        out->rows = calloc(found.gl_pathc + 1, sizeof(*out->rows));
    for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX; i++) {
        struct stat st;
        struct file *f = out->rows ? &out->rows[out->n] : NULL;

        if (stat(found.gl_pathv[i], &st) || !S_ISREG(st.st_mode))
            continue;
        out->listing = mix(mix(out->listing, st.st_ino), st.st_size == 0);
        err = f ? first_line(found.gl_pathv[i], f, &partial) : -EINVAL;
        if (err && err != -EINVAL)
            failed = err;
        if (err)
            continue;
        f->changed = st.st_mtim;
        f->path = strdup(found.gl_pathv[i]);
        if (f->path)
            out->n++;
        else
            failed = -ENOMEM;
    }
    globfree(&found);
    if (partial)
        out->listing = 0;
    if (with_first && !out->rows)
        return -ENOMEM;
    if (out->n)
        qsort(out->rows, out->n, sizeof(*out->rows), by_age);
    return failed;
}

/* ---- the place to go on ---- */

static int open_at_start(struct trail *t, const struct file *f, const struct audit_link *at)
{
    int err;

    reader_close(&t->reader);
    err = reader_open(&t->reader, f->path);
    t->open = err == 0;
    t->here = *at;
    t->time[0] = '\0';
    t->junk = t->counted = false;
    return err;
}

/* *found: the line of the position is in this file, which is open behind it. 0 or -errno. */
static int open_behind(struct trail *t, const struct file *f, const struct audit_link *at, bool *found)
{
    struct audit_line line;
    const char *text;
    size_t n;

    *found = false;
    if (f->first.link.seq > at->seq)
        return 0;
    int err = open_at_start(t, f, at);
    if (err)
        return is_no_file(err) ? 0 : err;
    int got;
    while ((got = reader_line(&t->reader, &text, &n)) > 0) {
        err = audit_line_read(text, n, &line, NULL);
        if (err == -ENOMEM)
            return err;
        if (err || line.link.seq < at->seq)
            continue;
        (void)text_copy(t->time, sizeof(t->time), line.time);
        *found = line.link.seq == at->seq && strcmp(line.link.hash, at->hash) == 0;
        return 0;
    }
    return got;
}

static bool follows(const struct file *f, const struct audit_link *at)
{
    return f->first.link.seq == at->seq + 1 && strcmp(f->first.prev, at->hash) == 0;
}

static void note_break(struct trail_progress *p, const char *why, uint64_t seq)
{
    p->broken++;
    (void)snprintf(p->why, sizeof(p->why), "line %llu: %s", (unsigned long long)seq, why);
}

/* Opens the file in which the position is; without it, all is read from the oldest file on, which adds
 * nothing twice. */
static int find(struct trail *t, struct audit_link *at, struct trail_progress *p)
{
    struct files files;
    int err = list_files(t->pattern, true, &files);
    bool found = false;

    t->listing = 0;
    for (size_t i = files.n; !err && !found && at->seq && i-- > 0;) {
        err = open_behind(t, &files.rows[i], at, &found);
        if (!err && !found)
            found = follows(&files.rows[i], at) && open_at_start(t, &files.rows[i], at) == 0;
    }
    if (!err && !found && files.n) {
        if (at->seq)
            note_break(p, "the last line that was read is in no file; all files are read again", at->seq);
        audit_link_none(at);
        err = open_at_start(t, &files.rows[0], at);
    } else if (!err && !found) {
        err = -ENOENT;
    }
    files_free(&files);
    return err;
}

static bool is_read(const struct trail *t, const struct file *f)
{
    return f->device == t->reader.device && f->inode == t->reader.inode;
}

/* Times of a trail are texts of one form and of UTC. */
static bool begins_later(const struct file *f, const char *time)
{
    return *time && strcmp(f->first.time, time) > 0;
}

static const struct file *next_of(const struct trail *t, const struct files *files)
{
    const struct file *later = NULL, *larger = NULL;

    for (size_t i = 0; i < files->n; i++) {
        const struct file *f = &files->rows[i];

        if (is_read(t, f))
            continue;
        if (follows(f, &t->here))
            return f;
        if (begins_later(f, t->time) && (!later || strcmp(f->first.time, later->first.time) < 0))
            later = f;
        if (!larger && f->first.link.seq > t->here.seq)
            larger = f;
    }
    return later ? later : larger;
}

/* At the end of a file: opens the one that follows. 1 = it did, 0 = there is none, -errno. */
static int go_on(struct trail *t, struct trail_progress *p)
{
    struct files files;
    const struct file *next;
    int err = list_files(t->pattern, false, &files);

    if (err || files.listing == t->listing)
        return err;
    err = list_files(t->pattern, true, &files);
    t->listing = files.listing;
    next = err ? NULL : next_of(t, &files);
    if (next && !follows(next, &t->here))
        note_break(p, "lines are missing before it", next->first.link.seq);
    if (next) {
        struct audit_link at = t->here;
        err = open_at_start(t, next, &at);
        t->counted = !follows(next, &at);
        t->listing = 0; /* there may be one behind it */
    }
    files_free(&files);
    return err ? err : next != NULL;
}

/* ---- reading ---- */

/* Does the line follow? Junk before it is accounted for by a line audit_torn. */
static void check_chain(struct trail *t, const struct audit_line *line, struct trail_progress *p)
{
    bool linked = line->link.seq == t->here.seq + 1 && strcmp(line->prev, t->here.hash) == 0;

    if (!t->here.seq && line->link.seq > 1)
        linked = true; /* older files are not there any more */
    if (!linked && !t->counted)
        note_break(p, "it does not follow the line before", line->link.seq);
    else if (linked && t->junk && strcmp(line->event, "audit_torn") != 0)
        note_break(p, "what stands before it is no line of the trail", line->link.seq);
    t->junk = t->counted = false;
}

static int next_line(struct trail *t, const char **text, size_t *n, struct trail_progress *p)
{
    for (;;) {
        int got = reader_line(&t->reader, text, n);

        if (got != 0)
            return got;
        if (reader_was_cut(&t->reader)) {
            t->open = false;
            return -EAGAIN;
        }
        got = go_on(t, p);
        if (got <= 0)
            return got;
    }
}

int trail_read(struct trail *t, struct audit_link *at, unsigned most,
               int (*line)(void *arg, const struct audit_line *, const char *text, size_t n), void *arg,
               struct trail_progress *p)
{
    int err = 0;

    *p = (struct trail_progress){.lines = 0};
    if (!t->open || t->here.seq != at->seq || strcmp(t->here.hash, at->hash) != 0)
        err = find(t, at, p);
    while (!err && p->lines < most) {
        struct audit_line read;
        const char *text;
        size_t n;
        int got = next_line(t, &text, &n, p);

        if (got == -EAGAIN) {
            p->more = true; /* cut, as by copytruncate: found again with the next call */
            break;
        }
        if (got <= 0) {
            err = got;
            break;
        }
        err = audit_line_read(text, n, &read, NULL);
        if (err == -EINVAL) {
            t->junk = true;
            err = 0;
            continue;
        }
        if (!err) {
            check_chain(t, &read, p);
            err = line(arg, &read, text, n);
        }
        if (err)
            break;
        t->here = *at = read.link;
        (void)text_copy(t->time, sizeof(t->time), read.time);
        (void)text_copy(p->time, sizeof(p->time), read.time);
        p->lines++;
    }
    if (err) {
        t->open = false;
        if (err < 0 && !p->why[0])
            (void)snprintf(p->why, sizeof(p->why), "%s", strerror(-err));
    }
    p->more |= p->lines == most;
    return err;
}

/* ---- life ---- */

struct trail *trail_new(const char *pattern)
{
    struct trail *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->reader.fd = -1;
    audit_link_none(&t->here);
    t->pattern = strdup(pattern);
    if (t->pattern)
        return t;
    free(t);
    return NULL;
}

void trail_free(struct trail *t)
{
    if (!t)
        return;
    reader_close(&t->reader);
    free(t->pattern);
    free(t);
}
