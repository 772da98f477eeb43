/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_file.c - the audit trail on disk; see audit_file.h.
 *
 * Opening: open, lock, read the end of the file, compare it with the known position of the trail (the head,
 * or this process's memory), and write the line that follows from it:
 *
 *   empty, nothing known       audit_begin
 *   empty, the trail is known  audit_continue with number and hash of its last line
 *   bytes behind the last line audit_torn: they are kept, and end with CLOSE_OFF
 *   it ends elsewhere          audit_cut: the numbers continue from the known position, so that the gap shows
 *   another kind of file       refused: nothing is written to it
 *
 * A write that fails is undone (ftruncate), so that a line is whole and durable or not in the file; if that
 * fails as well, nothing is written until it succeeds. In a file that can only be appended to the next check
 * finds the rest and closes it off. The head is written after every append and
 * not synced by itself: after a power cut it may lag behind the trail, but is never ahead of it.
 */
#include "audit/audit_file.h"

#include "audit/audit_tail.h"
#include "base/digest.h"
#include "base/durable.h"
#include "base/jsonw.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_FIRST  (256 * 1024)
#define TAIL_MAX    (64 * 1024 * 1024)
#define CHUNK       (1024 * 1024) /* allocated at once */
#define OPENING     (8 * 1024)
#define AGAIN_BYTES (2 * 1024 * 1024) /* what one append has at most, and more: audit_thread.c */
#define CLOSE_OFF   "~\n"             /* a line that lacks but its end must not become a good one */

static int disk_reserve(int fd, off_t offset, off_t length)
{
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
}

const struct audit_disk audit_disk_system = {.write = write, .sync = fdatasync, .reserve = disk_reserve};

/* The end of a file. */
struct tail {
    struct audit_link last; /* seq 0 = no line of ours was found */
    uint64_t first;         /* number of the file's first line, 0 = not known */
    uint64_t junk_bytes;    /* behind that line */
    bool torn;              /* one piece without a line end: an interrupted write */
    bool open_end;          /* the last byte is no line end */
    char junk_sha256[AUDIT_HASH_SIZE];
};

/* ---- reading the end ---- */

static int read_at(int fd, uint64_t offset, size_t n, struct buf *out)
{
    char *to = buf_add(out, n);

    return to ? audit_tail_read_at(fd, to, n, offset) : -ENOMEM;
}

/* The last sound line within the bytes; *found is where it ends, 0 = there is none. 0 or -ENOMEM. */
static int find_last(const char *bytes, size_t n, bool whole, struct audit_link *last, size_t *found)
{
    struct audit_line line;

    *found = 0;
    for (size_t end = n; end > 0;) {
        const char *before = end > 1 ? memrchr(bytes, '\n', end - 1) : NULL;
        size_t start = before ? (size_t)(before - bytes) + 1 : 0;

        if (!before && !whole)
            return 0; /* its beginning is not here */
        int err = audit_line_read(bytes + start, end - start, &line, NULL);
        if (!err) {
            *last = line.link;
            *found = end;
        }
        if (err != -EINVAL)
            return err;
        end = start;
    }
    return 0;
}

/* What closes the junk off is counted and hashed with it. */
static int describe_junk(struct buf *b, size_t from, struct tail *t)
{
    unsigned char digest[DIGEST_SIZE];
    size_t n = b->len - from;

    if (n == 0)
        return 0;
    t->torn = memchr(b->data + from, '\n', n) == NULL;
    t->open_end = b->data[b->len - 1] != '\n';
    if (t->open_end && buf_str(b, CLOSE_OFF))
        return -ENOMEM;
    t->junk_bytes = b->len - from;
    int err = digest_sha256(b->data + from, b->len - from, digest);
    text_hex(t->junk_sha256, digest, sizeof(digest));
    return err;
}

static bool looks_like_ours(const struct buf *b)
{
    size_t n = sizeof(AUDIT_START) - 1;

    return b->len && memcmp(b->data, AUDIT_START, b->len < n ? b->len : n) == 0;
}

static int read_tail(int fd, uint64_t size, struct tail *t)
{
    int err = 0;

    for (size_t window = TAIL_FIRST; !err; window *= 8) {
        bool whole = window >= size;
        size_t n = whole ? (size_t)size : window;
        struct buf b = BUF_INIT(TAIL_MAX + sizeof(CLOSE_OFF));

        err = n > TAIL_MAX ? -EMEDIUMTYPE : read_at(fd, size - n, n, &b);
        size_t end = 0;
        if (!err)
            err = find_last(b.data, b.len, whole, &t->last, &end);
        if (!err && whole && !end && !looks_like_ours(&b))
            err = -EMEDIUMTYPE;
        bool done = !err && (end || whole);
        if (done)
            err = describe_junk(&b, end, t);
        buf_free(&b);
        if (done)
            break;
    }
    return err;
}

/* Where its first line is not sound the file counts from its last one. 0, -errno. */
static int read_first(int fd, uint64_t size, struct tail *t)
{
    struct buf b = BUF_INIT(AUDIT_LINE_MAX);
    struct audit_line line;
    int err = read_at(fd, 0, size < AUDIT_LINE_MAX ? (size_t)size : AUDIT_LINE_MAX, &b);
    const char *end = !err && b.len ? memchr(b.data, '\n', b.len) : NULL;

    t->first = t->last.seq;
    if (end)
        err = audit_line_read(b.data, (size_t)(end - b.data) + 1, &line, NULL);
    if (end && !err)
        t->first = line.link.seq;
    buf_free(&b);
    return err == -EINVAL ? 0 : err;
}

/* ---- the lines that say how it goes on ---- */

/* audit_begin, audit_continue, audit_cut: an event, why, and where the trail stood. */
static int add_known(struct buf *lines, struct audit_link *at, const char *event, const char *cause,
                     const struct audit_link *known)
{
    struct buf b = BUF_INIT(OPENING);
    struct jsonw w = jsonw_start(&b);

    jsonw_object(&w, NULL);
    jsonw_str(&w, "event", event);
    if (known->seq) {
        jsonw_str(&w, "cause", cause);
        jsonw_int(&w, "last_seq", (int64_t)known->seq);
        jsonw_str(&w, "last_hash", known->hash);
    }
    jsonw_end(&w);
    return audit_line_write_own(lines, at, &b);
}

static int add_torn(struct buf *lines, struct audit_link *at, const struct tail *t, bool torn)
{
    struct buf b = BUF_INIT(OPENING);
    struct jsonw w = jsonw_start(&b);

    if (t->open_end && buf_str(lines, CLOSE_OFF))
        return -ENOMEM;
    jsonw_object(&w, NULL);
    jsonw_str(&w, "event", "audit_torn");
    jsonw_str(&w, "cause", torn ? "torn" : "altered");
    jsonw_int(&w, "junk_bytes", (int64_t)t->junk_bytes);
    jsonw_str(&w, "junk_sha256", t->junk_sha256);
    jsonw_end(&w);
    return audit_line_write_own(lines, at, &b);
}

static bool same_link(const struct audit_link *a, const struct audit_link *b)
{
    return a->seq == b->seq && strcmp(a->hash, b->hash) == 0;
}

/*
 * What follows from how the file ends; `at` is then where the trail goes on. A file that is ahead of what is
 * known is right when that knowledge may lag (`lag`), else another process has written to it.
 */
static int add_opening(const struct audit_file *f, const struct tail *t, bool empty, const char *cause,
                       bool lag, struct buf *lines, struct audit_link *at)
{
    const struct audit_link *known = &f->head.last;
    int err = 0;

    if (empty) {
        *at = *known;
        return add_known(lines, at, known->seq ? "audit_continue" : "audit_begin", cause, known);
    }
    *at = t->last.seq ? t->last : *known;
    /* Of several lines that were written at once a crash may leave any part. */
    if (t->junk_bytes)
        err = add_torn(lines, at, t, t->torn || (lag && t->last.seq >= known->seq));
    bool ahead = lag && t->last.seq > known->seq;
    if (err || !known->seq || !t->last.seq || ahead || same_link(&t->last, known))
        return err;
    if (at->seq < known->seq)
        at->seq = known->seq;
    return add_known(lines, at, "audit_cut", cause, known);
}

/* ---- the head ---- */

/* A head that cannot be written lags; the lines themselves are safe, and opening copes. */
static void write_head(const struct audit_file *f)
{
    char text[AUDIT_HEAD_SIZE];

    audit_head_write(&f->head, text);
    (void)!pwrite(f->head_fd, text, audit_head_length(), 0);
}

/* 0600, or with a group 0640 and that group's; other permissions that the file has are taken away. */
static int set_readers(int fd, const struct stat *st, gid_t group)
{
    mode_t mode = group == AUDIT_NO_GROUP ? 0600 : 0640;

    if (group != AUDIT_NO_GROUP && st->st_gid != group && fchown(fd, (uid_t)-1, group))
        return -errno;
    return (st->st_mode & 0777) != mode && fchmod(fd, mode) ? -errno : 0;
}

static int open_head(struct audit_file *f)
{
    char text[AUDIT_HEAD_SIZE];
    struct stat st;

    f->head_fd = open(f->head_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (f->head_fd < 0 || fstat(f->head_fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADF;
    int err = f->group == AUDIT_NO_GROUP ? 0 : set_readers(f->head_fd, &st, f->group);
    if (err)
        return err;
    ssize_t n = pread(f->head_fd, text, sizeof(text), 0);
    if (n <= 0 || !audit_head_read(text, (size_t)n, &f->head))
        audit_link_none(&f->head.last);
    return 0;
}

/* ---- taking a file ---- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_locked(const char *path, gid_t group, struct stat *st)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600), err = 0;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB))
        err = -errno;
    else if (fstat(fd, st))
        err = -errno;
    else if (!S_ISREG(st->st_mode))
        err = -EMEDIUMTYPE;
    else
        err = set_readers(fd, st, group);
    if (err) {
        (void)close(fd);
        return err;
    }
    return fd;
}

/* Space that was allocated and not needed goes back. */
static void let_go(struct audit_file *f, int fd, uint64_t size)
{
    if (fd < 0)
        return;
    if (f->reserved_to > size && !f->unsure)
        (void)!ftruncate(fd, (off_t)size);
    (void)close(fd);
}

static void keep_old(struct audit_file *f, const struct audit_file *old, ino_t number)
{
    if (f->unsure && f->fd != old->fd) {
        f->left_lines = true;
        f->left_number = number;
        f->left_size = f->size;
    }
    if (f->fd >= 0 && f->fd != old->fd)
        (void)close(f->fd);
    f->fd = old->fd;
    f->size = old->size;
    f->reserved_to = old->reserved_to;
    f->unsure = old->unsure;
    f->undone = old->undone;
    f->again = old->again;
    f->head = old->head;
}

/* The end of a file: what one append has at most, and more. */
static int write_end_again(int fd, uint64_t size)
{
    return durable_again(fd, size < AGAIN_BYTES ? 0 : size - AGAIN_BYTES, size);
}

/*
 * Where a sync has failed, in this process or one before, the last lines may be visible and not durable: they
 * are written again, for the sync of the next line. A file that can only be appended to stays as it is.
 */
static int write_again(const struct audit_file *f)
{
    int flags = fcntl(f->fd, F_GETFL);

    if (flags < 0 || fcntl(f->fd, F_SETFL, flags & ~O_APPEND))
        return errno == EPERM ? 0 : -errno;
    int err = write_end_again(f->fd, f->size);

    return fcntl(f->fd, F_SETFL, flags) ? -errno : err;
}

/* Lines that failed in a file that could not be taken over then. 0, -errno. */
static int cut_left(const struct audit_file *f, int fd, struct stat *st)
{
    if (!f->left_lines || st->st_ino != f->left_number || (uint64_t)st->st_size <= f->left_size)
        return 0;
    if (ftruncate(fd, (off_t)f->left_size))
        return errno == EPERM ? 0 : -errno;
    st->st_size = (off_t)f->left_size;
    return 0;
}

/* Makes the file at the path ours. On failure everything is as before. */
static int take_over(struct audit_file *f, const char *cause, bool lag)
{
    const struct audit_file old = *f;
    struct buf lines = BUF_INIT(2 * OPENING);
    struct audit_link at;
    struct tail tail = {0};
    struct stat st, mine;
    bool same =
        f->fd >= 0 && lstat(f->path, &st) == 0 && fstat(f->fd, &mine) == 0 && is_same_file(&st, &mine);
    int fd = same ? f->fd : open_locked(f->path, f->group, &st);
    if (fd < 0)
        return fd;
    int err = same ? 0 : cut_left(f, fd, &st);

    if (err) {
        (void)close(fd);
        return err;
    }
    f->fd = fd;
    f->size = (uint64_t)st.st_size;
    f->reserved_to = f->size;
    f->unsure = false;
    f->again = (lag || (same && old.again)) && f->size;
    err = f->size ? read_tail(fd, f->size, &tail) : 0;
    if (!err)
        err = add_opening(f, &tail, f->size == 0, cause, lag, &lines, &at);
    if (!err && f->size)
        err = read_first(fd, f->size, &tail);
    if (!err && !same && old.undone && f->disk->sync(old.fd)) /* no line may come back behind our last one */
        err = -errno;
    if (!err && !same) /* before its lines: a file that could not be taken over has none */
        err = durable_name(f->path);
    if (!err) {
        f->head.first = f->size && tail.first ? tail.first : f->head.last.seq + 1;
        f->head.last = f->size ? tail.last : f->head.last;
        err = lines.len ? audit_file_append(f, &lines, &at) : 0;
        if (!f->again) /* a head is never ahead of what is durable */
            write_head(f);
    }
    buf_free(&lines);
    if (err)
        keep_old(f, &old, st.st_ino);
    else if (!same)
        let_go(f, old.fd, old.size);
    f->left_lines &= err != 0;
    return err;
}

/* ---- from outside ---- */

static void explain_failure(const struct audit_file *f, int err, char why[320])
{
    const char *path = f->path;

    if (err == -EWOULDBLOCK)
        (void)snprintf(why, 320, "%.200s is in use by another jumpgate; give each its own audit_file", path);
    else if (err == -EMEDIUMTYPE)
        (void)snprintf(why, 320,
                       "%.200s is no audit file of jumpgate; move it away or name another audit_file", path);
    else if (err == -EBADF)
        (void)snprintf(why, 320, "%.200s is no regular file; move it away", f->head_path);
    else if (err == -ELOOP)
        (void)snprintf(why, 320, "%.200s or its head is a link; name the file itself", path);
    else if (err == -EPERM && f->group != AUDIT_NO_GROUP)
        (void)snprintf(why, 320,
                       "%.200s cannot be given to the group of `audit_group`: put the gateway's user into it",
                       path);
    else
        (void)snprintf(why, 320, "cannot use the audit file %.200s: %.80s", path, strerror(-err));
}

static int on_newest_line(void *last, const char *line, size_t n)
{
    struct audit_line read;

    int err = audit_line_read(line, n, &read, NULL);

    if (err)
        return err == -ENOMEM ? err : 0; /* the one before it */
    *(struct audit_link *)last = read.link;
    return 1;
}

/*
 * The trail goes on behind the last line of a file that has another name now, which a process may have left
 * visible and not durable. 0, -errno.
 */
static int make_older_durable(const struct audit_file *f, const char *name)
{
    char path[AUDIT_PATH_MAX + AUDIT_TAIL_NAME];
    const char *slash = strrchr(f->path, '/');
    struct stat st;

    (void)snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash + 1 - f->path) : 0, f->path, name);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool writable = fd >= 0;

    if (!writable)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st)) {
        int err = errno == ENOENT ? 0 : -errno; /* rotation has compressed it meanwhile */

        if (fd >= 0)
            (void)close(fd);
        return err;
    }
    int err = writable ? write_end_again(fd, (uint64_t)st.st_size) : 0;

    if (!err && f->disk->sync(fd))
        err = -errno;
    (void)close(fd);
    return err;
}

/* The head may lag behind the last line, also behind that of a file that has another name now. */
static int find_newest(struct audit_file *f)
{
    struct audit_link last;
    struct audit_tail past;
    int found = audit_tail_read(f->path, TAIL_FIRST, on_newest_line, &last, &past);

    if (found == 1 && last.seq > f->head.last.seq)
        f->head.last = last;
    if (found == 1 && *past.older)
        return make_older_durable(f, past.older);
    return found == -ENOMEM ? found : 0; /* a file that cannot be read is reported when it is taken */
}

static int begin_file(struct audit_file *f)
{
    struct stat st;
    int err = open_head(f);

    if (!err)
        err = find_newest(f);
    if (!err) {
        bool missing = lstat(f->path, &st) != 0 && errno == ENOENT;

        err = take_over(f, missing ? "missing" : "cut", true);
    }
    if (err)
        audit_file_close(f);
    return err;
}

int audit_file_open_group(struct audit_file *f, const char *path, const char *head_path, gid_t group,
                          const struct audit_disk *disk, char why[320])
{
    *f = (struct audit_file){.disk = disk, .group = group, .fd = -1, .head_fd = -1};
    audit_link_none(&f->head.last);
    bool fits =
        text_copy(f->path, sizeof(f->path), path) && text_copy(f->head_path, AUDIT_PATH_MAX, head_path);
    int err = fits ? begin_file(f) : -ENAMETOOLONG;

    if (err)
        explain_failure(f, err, why);
    return err;
}

int audit_file_open(struct audit_file *f, const char *path, const char *head_path,
                    const struct audit_disk *disk, char why[320])
{
    return audit_file_open_group(f, path, head_path, AUDIT_NO_GROUP, disk, why);
}

void audit_file_close(struct audit_file *f)
{
    let_go(f, f->fd, f->size);
    if (f->head_fd >= 0) {
        (void)fdatasync(f->head_fd);
        (void)close(f->head_fd);
    }
    f->fd = f->head_fd = -1;
}

/* "" = everything is as it was left. A file that was renamed, with nothing or a new empty one in its place,
 * is what rotation leaves; it is no break. */
static const char *what_happened(const struct audit_file *f)
{
    struct stat named, mine;
    bool there = lstat(f->path, &named) == 0;

    if (fstat(f->fd, &mine))
        return "lost";
    if (mine.st_nlink == 0)
        return "deleted";
    if (!there)
        return "moved";
    if (!is_same_file(&named, &mine))
        return named.st_size ? "replaced" : "moved";
    if ((uint64_t)mine.st_size < f->size)
        return "truncated";
    return (uint64_t)mine.st_size > f->size ? "altered" : "";
}

/*
 * The rest of a failed write is cut off before anything else: its records are written once more, and are in
 * the trail once. A file that can only be appended to keeps it. 0, -errno.
 */
static int cut_rest(struct audit_file *f)
{
    struct stat st;

    if (!f->unsure)
        return 0;
    if (fstat(f->fd, &st))
        return -errno;
    if ((uint64_t)st.st_size > f->size && ftruncate(f->fd, (off_t)f->size))
        return errno == EPERM ? 0 : -errno;
    f->unsure = false;
    f->reserved_to = f->size; /* cutting has given the reserve back */
    return 0;
}

int audit_file_check(struct audit_file *f)
{
    if (f->fd < 0)
        return begin_file(f); /* it could not be opened yet */
    int err = cut_rest(f);

    if (err)
        return err;
    const char *cause = what_happened(f);

    if (f->unsure && strcmp(cause, "altered") == 0)
        return take_over(f, "failed", true); /* the rest of our own failed write */
    f->unsure = false;
    if (!*cause)
        return 0;
    if (f->left_lines && strcmp(cause, "replaced") == 0)
        return take_over(f, "moved", true); /* the beginning of our own that failed */
    err = take_over(f, cause, false);
    if (!err && strcmp(cause, "moved") != 0) {
        f->breaks++;
        (void)text_copy(f->last_break, sizeof(f->last_break), cause);
    }
    return err;
}

int audit_file_rotate(struct audit_file *f)
{
    if (f->fd < 0 || strcmp(what_happened(f), "moved") != 0)
        return audit_file_check(f);
    int err = cut_rest(f);

    return err ? err : take_over(f, "rotated", false);
}

int audit_file_room(struct audit_file *f, size_t n)
{
    uint64_t need = f->size + n + AUDIT_RESERVE;

    if (f->no_reserve || need <= f->reserved_to)
        return 0;
    if (f->disk->reserve(f->fd, (off_t)f->size, (off_t)(need + CHUNK - f->size)) == 0) {
        f->reserved_to = need + CHUNK;
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
        f->no_reserve = true;
        return 0;
    }
    if (f->disk->reserve(f->fd, (off_t)f->size, (off_t)(need - f->size)) != 0)
        return -errno;
    f->reserved_to = need;
    return 0;
}

static int write_all(struct audit_file *f, const char *p, size_t n)
{
    while (n) {
        ssize_t done = f->disk->write(f->fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int audit_file_append(struct audit_file *f, const struct buf *lines, const struct audit_link *last)
{
    int err = f->again ? write_again(f) : 0;

    if (!err)
        err = write_all(f, lines->data, lines->len);
    if (!err && f->disk->sync(f->fd) != 0)
        err = -errno;
    if (err) {
        f->unsure = f->undone = true;
        (void)cut_rest(f); /* or the next check does */
        return err;
    }
    f->undone = f->again = false;
    f->size += lines->len;
    f->head.last = *last;
    write_head(f);
    return 0;
}
