/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog_archive.c - a ZIP archive of logs; see syslog_archive.h.
 *
 * libzip reads the list of members as a whole when it opens the archive, with names, extra fields and
 * comments of up to 64 KiB each, until the bytes of the list are used up, however many members the end record
 * names. So both are looked at before: every end record that could be taken for the archive's must name at
 * most the members and the bytes of their list that are allowed.
 */
#include "reports/pra/syslog_archive.h"

#include "base/text.h"
#include "reports/pra/syslog_lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#define PIECE      65536
#define STEP_BYTES (1u << 20)
#define TAIL       (65535 + 22 + 20) /* an end record, its comment, and the locator before it */
#define SLACK      4096              /* bytes that are allowed whatever the ratio */
#define LIST_MAX   (4u << 20)        /* bytes of the list of members: 4 KiB for each of 1000 */

const struct syslog_archive_limits syslog_archive_limits = {1000, UINT64_C(2) << 30, UINT64_C(8) << 30, 200};

struct member {
    zip_uint64_t index;
    uint64_t packed;
    int64_t rotation; /* larger = older; 0 = the log that is written at present */
    bool gz;
    const char *name; /* libzip's */
};

struct syslog_archive {
    int fd;
    const struct syslog_archive_limits *limits;
    struct syslog_lines *lines;
    zip_t *zip;
    struct member *members;
    size_t n, at;     /* at: the one that is read */
    zip_file_t *file; /* NULL = it is not open */
    z_stream gz;
    bool opened, gz_open, gz_ended;
    uint64_t member_bytes, bytes;
    int ended; /* once it is not 1 */
    const char *why;
    char packed[PIECE], text[PIECE];
};

static int fail(struct syslog_archive *a, int err, const char *why)
{
    a->why = why;
    return err;
}

/* ---- the end record ---- */

static uint64_t number(const unsigned char *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | p[bytes];
    return value;
}

struct listed { /* by an end record, or the most of several */
    uint64_t members, bytes;
};

static void take_most(struct listed *most, uint64_t members, uint64_t bytes)
{
    most->members = members > most->members ? members : most->members;
    most->bytes = bytes > most->bytes ? bytes : most->bytes;
}

/* The large end record that a locator points to; where there is none it is over every limit. */
static void take_zip64(struct listed *most, int fd, const unsigned char *locator)
{
    unsigned char record[56];
    uint64_t at = number(locator + 8, 8);

    if (at > INT64_MAX || pread(fd, record, sizeof(record), (off_t)at) != (ssize_t)sizeof(record))
        take_most(most, UINT64_MAX, UINT64_MAX);
    else
        take_most(most, number(record + 32, 8), number(record + 40, 8));
}

/* The most that any end record in the tail names. A number of ones only stands for that of a large record. */
static struct listed most_listed(int fd, const unsigned char *tail, size_t n)
{
    struct listed most = {0};

    for (size_t i = 0; i + 20 <= n; i++)
        if (!memcmp(tail + i, "PK\5\6", 4)) {
            uint64_t members = number(tail + i + 10, 2), bytes = number(tail + i + 12, 4);
            take_most(&most, members == 0xffff ? 0 : members, bytes == 0xffffffff ? 0 : bytes);
        } else if (!memcmp(tail + i, "PK\6\7", 4)) {
            take_zip64(&most, fd, tail + i);
        }
    return most;
}

static int check_listed(struct syslog_archive *a, struct listed most)
{
    if (most.members > a->limits->members)
        return fail(a, -EMSGSIZE, "the archive has too many members");
    return most.bytes > LIST_MAX ? fail(a, -EMSGSIZE, "the archive's list of members is too long") : 0;
}

static int check_members(struct syslog_archive *a)
{
    off_t size = lseek(a->fd, 0, SEEK_END);
    off_t from = size > TAIL ? size - TAIL : 0;
    unsigned char *tail = malloc(TAIL);
    int err = 0;

    if (!tail)
        return -ENOMEM;
    ssize_t n = size < 0 ? -1 : pread(a->fd, tail, TAIL, from);
    if (n < 0)
        err = fail(a, -EIO, "the archive cannot be read");
    else
        err = check_listed(a, most_listed(a->fd, tail, (size_t)n));
    free(tail);
    return err;
}

/* ---- members ---- */

static bool is_gz(const char *name, size_t *len)
{
    bool gz = *len > 3 && !strcmp(name + *len - 3, ".gz");

    *len -= gz ? 3 : 0;
    return gz;
}

#define DATE_MAX 99999999 /* YYYYMMDD */

/* NAME.N and NAME-YYYYMMDD. */
static int64_t rotation_of(const char *name, size_t len)
{
    size_t from = len;
    char digits[12];
    int64_t n = 0;

    while (from && name[from - 1] >= '0' && name[from - 1] <= '9')
        from--;
    if (!from || !text_copy_n(digits, sizeof(digits), name + from, len - from) ||
        !text_int(digits, 0, DATE_MAX, &n))
        return 0;
    return name[from - 1] == '.' ? n : name[from - 1] == '-' ? DATE_MAX - n + 1 : 0;
}

/* The oldest first. */
static int by_age(const void *one, const void *other)
{
    const struct member *a = one, *b = other;

    if (a->rotation != b->rotation)
        return a->rotation > b->rotation ? -1 : 1;
    int order = strcmp(a->name, b->name);
    return order ? order : a->index < b->index ? -1 : 1;
}

static int list_member(struct syslog_archive *a, zip_uint64_t index)
{
    struct member *m = &a->members[a->n];
    zip_stat_t stat;

    if (zip_stat_index(a->zip, index, 0, &stat) || !(stat.valid & ZIP_STAT_NAME))
        return fail(a, -EINVAL, "a member cannot be read");
    size_t len = strlen(stat.name);
    if (len && stat.name[len - 1] == '/')
        return 0;
    *m = (struct member){.index = index, .name = stat.name};
    m->packed = stat.valid & ZIP_STAT_COMP_SIZE ? stat.comp_size : 0;
    m->gz = is_gz(stat.name, &len);
    m->rotation = rotation_of(stat.name, len);
    a->n++;
    return 0;
}

static int open_zip(struct syslog_archive *a)
{
    zip_error_t error;
    int fd = dup(a->fd);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");

    if (!file) {
        if (fd >= 0)
            (void)close(fd);
        return fail(a, -EIO, "the archive cannot be read");
    }
    zip_error_init(&error);
    zip_source_t *source = zip_source_filep_create(file, 0, 0, &error);
    if (!source)
        (void)fclose(file);
    a->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (source && !a->zip)
        zip_source_free(source);
    bool memory = zip_error_code_zip(&error) == ZIP_ER_MEMORY;
    zip_error_fini(&error);
    if (a->zip)
        return 0;
    return memory ? -ENOMEM : fail(a, -EINVAL, "it is no ZIP archive, or it is damaged");
}

static int open_archive(struct syslog_archive *a)
{
    int err = check_members(a);

    if (!err)
        err = open_zip(a);
    if (err)
        return err;
    zip_int64_t n = zip_get_num_entries(a->zip, 0);
    if (n < 0 || (uint64_t)n > a->limits->members)
        return fail(a, -EMSGSIZE, "the archive has too many members");
    a->members = calloc((size_t)n + 1, sizeof(*a->members));
    if (!a->members)
        return -ENOMEM;
    for (zip_int64_t i = 0; i < n && !err; i++)
        err = list_member(a, (zip_uint64_t)i);
    qsort(a->members, a->n, sizeof(*a->members), by_age);
    return err;
}

/* ---- bytes ---- */

static int open_member(struct syslog_archive *a)
{
    const struct member *m = &a->members[a->at];

    a->member_bytes = 0;
    a->file = zip_fopen_index(a->zip, m->index, 0);
    if (!a->file)
        return fail(a, -EINVAL, "a member cannot be read");
    if (!m->gz)
        return 0;
    a->gz = (z_stream){0};
    a->gz_ended = false;
    if (inflateInit2(&a->gz, 15 + 16) != Z_OK)
        return -ENOMEM;
    a->gz_open = true;
    return 0;
}

static void close_member(struct syslog_archive *a)
{
    if (a->gz_open)
        (void)inflateEnd(&a->gz);
    a->gz_open = false;
    if (a->file)
        (void)zip_fclose(a->file);
    a->file = NULL;
}

static int count(struct syslog_archive *a, size_t n)
{
    uint64_t packed = a->members[a->at].packed;

    a->member_bytes += n;
    a->bytes += n;
    if (a->member_bytes > a->limits->member_bytes)
        return fail(a, -EMSGSIZE, "a member of the archive is too large");
    if (a->bytes > a->limits->bytes)
        return fail(a, -EMSGSIZE, "the archive is too large");
    if (a->member_bytes > SLACK && (a->member_bytes - SLACK) / a->limits->ratio > packed)
        return fail(a, -EMSGSIZE, "a member of the archive is compressed too much");
    return 0;
}

static int read_zip(struct syslog_archive *a, char *to)
{
    zip_int64_t n = zip_fread(a->file, to, PIECE);

    return n < 0 ? fail(a, -EINVAL, "a member is damaged") : (int)n;
}

/* One step of inflate. Bytes, 0 at the end. */
static int inflate_some(struct syslog_archive *a)
{
    a->gz.next_out = (Bytef *)a->text;
    a->gz.avail_out = PIECE;
    while (a->gz.avail_out == PIECE) {
        if (!a->gz.avail_in) {
            int n = read_zip(a, a->packed);
            if (n < 0)
                return n;
            if (!n)
                return a->gz_ended ? 0 : fail(a, -EINVAL, "a compressed log is cut");
            a->gz.next_in = (Bytef *)a->packed;
            a->gz.avail_in = (uInt)n;
        }
        if (a->gz_ended && inflateReset(&a->gz) != Z_OK)
            return -ENOMEM;
        int state = inflate(&a->gz, Z_NO_FLUSH);
        a->gz_ended = state == Z_STREAM_END;
        if (state == Z_MEM_ERROR)
            return -ENOMEM;
        if (state != Z_OK && state != Z_STREAM_END)
            return fail(a, -EINVAL, "a compressed log is damaged");
    }
    return (int)(PIECE - a->gz.avail_out);
}

/* Bytes that were read, 0 when the member is at its end, or -errno. */
static int read_some(struct syslog_archive *a, struct batch_out *out)
{
    int err = a->file ? 0 : open_member(a);
    int n = err ? err : a->members[a->at].gz ? inflate_some(a) : read_zip(a, a->text);

    if (n > 0)
        err = count(a, (size_t)n);
    if (n < 0 || err)
        return n < 0 ? n : err;
    err = n ? syslog_lines_feed(a->lines, a->text, (size_t)n, out) : syslog_lines_end_file(a->lines, out);
    return err ? err : n;
}

static int step(struct syslog_archive *a, struct batch_out *out)
{
    size_t done = 0;

    if (!a->opened) {
        int err = open_archive(a);
        if (err)
            return err;
        a->opened = true;
    }
    while (a->at < a->n && done < STEP_BYTES && !batch_is_full(out)) {
        int n = read_some(a, out);
        if (n < 0)
            return n;
        if (!n) {
            close_member(a);
            a->at++;
        }
        done += (size_t)n;
    }
    return a->at < a->n;
}

int syslog_archive_step(struct syslog_archive *a, struct batch_out *out)
{
    if (a->ended == 1)
        a->ended = step(a, out);
    return a->ended;
}

/* ---- life ---- */

struct syslog_archive *syslog_archive_new(int fd, int64_t now_s, const struct syslog_archive_limits *limits)
{
    struct syslog_archive *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->fd = fd;
    a->limits = limits;
    a->ended = 1;
    a->why = "";
    a->lines = syslog_lines_new(now_s);
    if (a->lines)
        return a;
    free(a);
    return NULL;
}

void syslog_archive_free(struct syslog_archive *a)
{
    if (!a)
        return;
    close_member(a);
    if (a->zip)
        zip_discard(a->zip);
    free(a->members);
    syslog_lines_free(a->lines);
    free(a);
}

const char *syslog_archive_why(const struct syslog_archive *a)
{
    return a->why;
}

uint64_t syslog_archive_left_out(const struct syslog_archive *a)
{
    return syslog_lines_left_out(a->lines);
}
