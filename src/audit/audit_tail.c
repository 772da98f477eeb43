/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_tail.c - the end of an audit trail, read backwards; see audit_tail.h.
 *
 * Pieces of PIECE bytes are read from the end to the front. The front of a piece is most often the end of a
 * line that begins in the piece before: it is kept and appended to that piece.
 */
#include "audit/audit_tail.h"

#include "audit/audit_chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     (512 * 1024)
#define FILES_MAX 64 /* older files that are looked at */
#define PATH_SIZE 4096

struct reading {
    int (*line)(void *arg, const char *line, size_t n);
    void *arg;
    uint64_t left;
    char *piece; /* PIECE, and a line */
    struct audit_tail *past;
};

struct older {
    int fd;
    uint64_t seq;
    char name[AUDIT_TAIL_NAME];
};

int audit_tail_read_at(int fd, char *to, size_t n, uint64_t offset)
{
    while (n) {
        ssize_t got = pread(fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* The lines of n bytes, the last one first. *kept: bytes in front whose line begins further ahead. */
static int give_lines(struct reading *r, size_t n, bool from_start, size_t *kept)
{
    int result = 0;

    *kept = 0;
    while (n && !result) {
        const char *before = n > 1 ? memrchr(r->piece, '\n', n - 1) : NULL;
        size_t start = before ? (size_t)(before - r->piece) + 1 : 0;

        if (!before && !from_start) {
            *kept = n > AUDIT_LINE_MAX ? 0 : n; /* what is longer is no line of ours */
            return 0;
        }
        result = r->line(r->arg, r->piece + start, n - start);
        n = start;
    }
    return result;
}

static int read_back(struct reading *r, int fd)
{
    struct stat st;
    size_t kept = 0;
    int result = fstat(fd, &st) ? -errno : 0;
    uint64_t at = result ? 0 : (uint64_t)st.st_size;

    while (at && r->left && !result) {
        size_t n = at < PIECE ? (size_t)at : PIECE;

        n = n < r->left ? n : (size_t)r->left;
        memmove(r->piece + n, r->piece, kept);
        at -= n;
        r->left -= n;
        r->past->bytes += n;
        result = audit_tail_read_at(fd, r->piece, n, at);
        if (!result)
            result = give_lines(r, n + kept, at == 0, &kept);
    }
    r->past->files++;
    r->past->whole = at == 0;
    return result;
}

/* ---- older files ---- */

/* *seq is its number if it begins as a trail does, else 0. 0 or -ENOMEM. */
static int first_seq(int fd, char *room, uint64_t *seq)
{
    struct audit_line line;
    struct stat st;

    *seq = 0;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    size_t n = st.st_size < AUDIT_LINE_MAX ? (size_t)st.st_size : AUDIT_LINE_MAX;
    const char *end = audit_tail_read_at(fd, room, n, 0) ? NULL : memchr(room, '\n', n);
    int err = end ? audit_line_read(room, (size_t)(end - room) + 1, &line, NULL) : -EINVAL;

    if (!err)
        *seq = line.link.seq;
    return err == -EINVAL ? 0 : err;
}

static bool is_packed(const char *name)
{
    static const char *const ends[] = {".gz", ".bz2", ".xz", ".zst", ".lz4"};
    size_t n = strlen(name);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t m = strlen(ends[i]);
        if (n > m && strcmp(name + n - m, ends[i]) == 0)
            return true;
    }
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const struct older *x = a, *y = b;

    return (x->seq < y->seq) - (x->seq > y->seq);
}

/* Opens what belongs to the trail besides its own file, whose name is `own`: *found are there. 0 or -ENOMEM.
 */
static int open_older(struct reading *r, DIR *dir, const char *own, struct older all[FILES_MAX],
                      size_t *found)
{
    const char *dot = strrchr(own, '.');
    size_t stem = dot && dot != own ? (size_t)(dot - own) : strlen(own), n = 0;
    const struct dirent *e;
    int err = 0;

    while (!err && n < FILES_MAX && (e = readdir(dir))) {
        if (strncmp(e->d_name, own, stem) != 0 || strcmp(e->d_name, own) == 0)
            continue;
        if (is_packed(e->d_name)) {
            r->past->packed = true;
            continue;
        }
        all[n].fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (all[n].fd < 0)
            continue;
        (void)snprintf(all[n].name, sizeof(all[n].name), "%s", e->d_name);
        err = first_seq(all[n].fd, r->piece, &all[n].seq);
        if (all[n].seq)
            n++;
        else
            (void)close(all[n].fd);
    }
    if (n)
        qsort(all, n, sizeof(all[0]), newest_first);
    *found = n;
    return err;
}

static int read_older(struct reading *r, const char *directory, const char *own)
{
    struct older all[FILES_MAX];
    DIR *dir = opendir(directory);
    size_t n = 0;
    int result = dir ? open_older(r, dir, own, all, &n) : 0;

    if (n)
        memcpy(r->past->older, all[0].name, sizeof(all[0].name));
    for (size_t i = 0; i < n; i++) {
        if (!result && r->left)
            result = read_back(r, all[i].fd);
        else
            r->past->whole = false;
        (void)close(all[i].fd);
    }
    if (dir)
        (void)closedir(dir);
    return result;
}

static int read_own(struct reading *r, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno; /* older ones may be there all the same */
    int result = read_back(r, fd);

    (void)close(fd);
    return result;
}

int audit_tail_read(const char *path, uint64_t max_bytes, int (*line)(void *arg, const char *line, size_t n),
                    void *arg, struct audit_tail *past)
{
    char directory[PATH_SIZE] = ".";
    const char *slash = strrchr(path, '/');
    struct reading r = {.line = line, .arg = arg, .left = max_bytes, .past = past};
    int result;

    *past = (struct audit_tail){.whole = true};
    if (slash && snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path),
                          path) >= (int)sizeof(directory))
        return -ENAMETOOLONG;
    r.piece = malloc(PIECE + AUDIT_LINE_MAX);
    if (!r.piece)
        return -ENOMEM;
    result = read_own(&r, path);
    if (!result && past->whole)
        result = read_older(&r, directory, slash ? slash + 1 : path);
    free(r.piece);
    return result;
}
