/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_source.c - lines from a file, a pipe or standard input, plain or gzip; see audit_source.h.
 *
 * Bytes go from the descriptor into `raw`, and from there, unpacked or as they are, into `text`, from which
 * lines are given. `at` is where the next piece begins. What was given is dropped from `text` when space is
 * needed; a pipe cannot be read twice, so the first KEPT_MAX bytes of its text are kept until
 * audit_source_again(), or until more than that has been read.
 *
 * Damage in gzip data ends the text there: it is no error of reading, and `harm` names it.
 */
#include "audit/audit_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define RAW_BYTES   65536
#define KEPT_MAX    (AUDIT_SOURCE_AGAIN + 2 * AUDIT_PIECE_MAX)
#define TEXT_BYTES  (KEPT_MAX + 2 * AUDIT_PIECE_MAX)
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with the gzip header */

struct audit_source {
    int fd;
    struct audit_source_id id;
    bool regular, begun, raw_end, ended;
    bool gzip, between; /* between two gzip members */
    bool keep;          /* `text` still has the beginning */
    bool inside;        /* the last piece had no line end */
    z_stream z;
    const char *harm, *packed;
    uint64_t bytes;
    size_t raw_n; /* bytes in `raw` that are not taken yet begin at raw_at */
    size_t raw_at;
    size_t at, n; /* of `text` */
    unsigned char raw[RAW_BYTES];
    char text[TEXT_BYTES];
};

static const struct {
    const char *name;
    unsigned char n, magic[6];
} other_forms[] = {
    {"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {"bzip2", 3, {'B', 'Z', 'h'}},
    {"lz4", 4, {0x04, 0x22, 0x4d, 0x18}},
};

/* ---- bytes ---- */

/* Reads more behind what is in `raw`. 0 or -errno; at the end raw_end is set. */
static int read_raw(struct audit_source *s)
{
    ssize_t n;

    if (s->raw_at == s->raw_n)
        s->raw_at = s->raw_n = 0;
    do
        n = read(s->fd, s->raw + s->raw_n, RAW_BYTES - s->raw_n);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->raw_end = n == 0;
    s->raw_n += (size_t)n;
    s->bytes += (uint64_t)n;
    return 0;
}

static void find_form(struct audit_source *s)
{
    static const unsigned char magic[] = {0x1f, 0x8b};

    s->gzip = s->raw_n >= sizeof(magic) && memcmp(s->raw, magic, sizeof(magic)) == 0;
    for (size_t i = 0; i < sizeof(other_forms) / sizeof(other_forms[0]); i++)
        if (s->raw_n >= other_forms[i].n && memcmp(s->raw, other_forms[i].magic, other_forms[i].n) == 0)
            s->packed = other_forms[i].name;
}

/* The first bytes decide what it is; a pipe may give them one by one. */
static int begin(struct audit_source *s)
{
    int err = 0;

    while (!err && !s->raw_end && s->raw_n < sizeof(other_forms[0].magic))
        err = read_raw(s);
    if (err)
        return err;
    s->begun = true;
    find_form(s);
    if (s->gzip && inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
        return -ENOMEM;
    return 0;
}

static void copy_plain(struct audit_source *s)
{
    size_t room = TEXT_BYTES - s->n, there = s->raw_n - s->raw_at, n = there < room ? there : room;

    memcpy(s->text + s->n, s->raw + s->raw_at, n);
    s->raw_at += n;
    s->n += n;
}

static void end_damaged(struct audit_source *s, const char *harm)
{
    s->harm = harm;
    s->ended = true;
}

/* One step of unpacking. 0 or -errno. */
static int unpack(struct audit_source *s)
{
    size_t room = TEXT_BYTES - s->n < AUDIT_PIECE_MAX ? TEXT_BYTES - s->n : AUDIT_PIECE_MAX;

    if (s->between && inflateReset(&s->z) != Z_OK)
        return -EINVAL;
    bool first = s->between;
    s->between = false;
    s->z.next_in = s->raw + s->raw_at;
    s->z.avail_in = (unsigned)(s->raw_n - s->raw_at);
    s->z.next_out = (unsigned char *)s->text + s->n;
    s->z.avail_out = (unsigned)room;
    int result = inflate(&s->z, Z_NO_FLUSH);
    s->raw_at = s->raw_n - s->z.avail_in;
    s->n += room - s->z.avail_out;
    if (result == Z_STREAM_END)
        s->between = true;
    else if (result == Z_MEM_ERROR)
        return -ENOMEM;
    else if (result != Z_OK && result != Z_BUF_ERROR)
        end_damaged(s, first ? "bytes behind the compressed data are not gzip" : "the gzip data are damaged");
    return 0;
}

static void end_of_raw(struct audit_source *s)
{
    s->ended = true;
    if (s->gzip && !s->between)
        s->harm = "the gzip data are cut off";
}

/* Makes room: what was given is dropped, unless it is kept to begin again. */
static void make_room(struct audit_source *s)
{
    if (s->keep && s->n <= KEPT_MAX)
        return;
    s->keep = false;
    memmove(s->text, s->text + s->at, s->n - s->at);
    s->n -= s->at;
    s->at = 0;
}

/* More text behind what is there, or the end. 0 or -errno. */
static int fill(struct audit_source *s)
{
    size_t before;
    int err = s->begun ? 0 : begin(s);

    make_room(s);
    before = s->n;
    while (!err && !s->ended && s->n == before) {
        if (s->raw_at < s->raw_n && s->gzip)
            err = unpack(s);
        else if (s->raw_at < s->raw_n)
            copy_plain(s);
        if (s->n > before || s->ended || err)
            break;
        if (s->raw_at == s->raw_n && s->raw_end)
            end_of_raw(s);
        else if (s->raw_at == s->raw_n)
            err = read_raw(s);
    }
    return err;
}

/* ---- lines ---- */

int audit_source_line(struct audit_source *s, struct audit_piece *p)
{
    size_t looked = 0;

    for (;;) {
        size_t there = s->n - s->at, n = there < AUDIT_PIECE_MAX ? there : AUDIT_PIECE_MAX;
        const char *from = s->text + s->at, *end = memchr(from + looked, '\n', n - looked);

        if (end || n == AUDIT_PIECE_MAX || (s->ended && n)) {
            n = end ? (size_t)(end - from) + 1 : n;
            *p = (struct audit_piece){.text = from, .n = n, .rest = s->inside};
            s->inside = !end;
            s->at += n;
            return 1;
        }
        if (s->ended)
            return 0;
        looked = n;
        int err = fill(s);
        if (err)
            return err;
    }
}

int audit_source_again(struct audit_source *s)
{
    s->inside = false;
    if (s->keep) {
        s->at = 0;
        s->keep = false;
        return 0;
    }
    if (!s->regular)
        return -EOVERFLOW;
    if (lseek(s->fd, 0, SEEK_SET) != 0)
        return -errno;
    if (s->begun && s->gzip)
        (void)inflateEnd(&s->z);
    s->z = (z_stream){0};
    s->begun = s->raw_end = s->ended = s->gzip = s->between = false;
    s->harm = s->packed = NULL;
    s->bytes = 0;
    s->raw_at = s->raw_n = s->at = s->n = 0;
    return 0;
}

/* ---- life ---- */

static int take_descriptor(struct audit_source *s, const char *name)
{
    struct stat st;

    s->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    s->regular = S_ISREG(st.st_mode) && s->fd != STDIN_FILENO;
    s->id = (struct audit_source_id){.device = st.st_dev, .inode = st.st_ino};
    return 0;
}

int audit_source_open(struct audit_source **out, const char *name)
{
    struct audit_source *s = calloc(1, sizeof(*s));
    int err;

    *out = NULL;
    if (!s)
        return -ENOMEM;
    err = take_descriptor(s, name);
    if (err) {
        audit_source_close(s);
        return err;
    }
    s->keep = !s->regular;
    *out = s;
    return 0;
}

void audit_source_close(struct audit_source *s)
{
    if (!s)
        return;
    if (s->begun && s->gzip)
        (void)inflateEnd(&s->z);
    if (s->fd > STDIN_FILENO)
        (void)close(s->fd);
    free(s);
}

bool audit_source_is_file(const struct audit_source *s)
{
    return s->regular;
}

struct audit_source_id audit_source_id(const struct audit_source *s)
{
    return s->id;
}

uint64_t audit_source_bytes(const struct audit_source *s)
{
    return s->bytes;
}

const char *audit_source_harm(const struct audit_source *s)
{
    return s->harm;
}

const char *audit_source_packed(const struct audit_source *s)
{
    return s->packed;
}
