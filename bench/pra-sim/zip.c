/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zip.c - a ZIP writer; see zip.h. Sizes stay below 4 GB and members below 65,536, so there is no ZIP64.
 */
#include "pra-sim/zip.h"

#include <string.h>
#include <zlib.h>

#define LOCAL_MAGIC     0x04034b50u
#define DIRECTORY_MAGIC 0x02014b50u
#define END_MAGIC       0x06054b50u
#define DIRECTORY_MAX   ((size_t)64 << 20)
#define WINDOW_RAW      (-15)
#define WINDOW_GZIP     (15 + 16)

static void put(struct buf *b, uint32_t value, unsigned bytes)
{
    for (; bytes; bytes--, value >>= 8)
        (void)buf_char(b, (char)(value & 0xff));
}

/* One stream of deflated bytes; any failure fails the buffer. */
static void deflate_into(struct buf *out, const void *bytes, size_t n, int window)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
    size_t most;
    char *place;

    if (deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = true;
        return;
    }
    most = deflateBound(&z, (uLong)n);
    place = buf_add(out, most);
    if (place) {
        z.next_out = (Bytef *)place;
        z.avail_out = (uInt)most;
        out->failed |= deflate(&z, Z_FINISH) != Z_STREAM_END;
        out->len -= z.avail_out;
    }
    (void)deflateEnd(&z);
}

void zip_gzip(struct buf *out, const void *bytes, size_t n)
{
    deflate_into(out, bytes, n, WINDOW_GZIP);
}

struct zip zip_start(struct buf *out)
{
    return (struct zip){.out = out, .directory = BUF_INIT(DIRECTORY_MAX)};
}

struct member {
    const char *name;
    uint32_t flags, method, crc, packed, size, at;
};

/* What the local head and the directory have in common. */
static void put_member(struct buf *b, const struct member *m)
{
    put(b, 20, 2); /* version that is needed */
    put(b, m->flags, 2);
    put(b, m->method, 2);
    put(b, 0x6000, 2);                       /* 12:00 */
    put(b, (46u << 9) | (3u << 5) | 31u, 2); /* 2026-03-31 */
    put(b, m->crc, 4);
    put(b, m->packed, 4);
    put(b, m->size, 4);
    put(b, (uint32_t)strlen(m->name), 2);
    put(b, 0, 2); /* extra field */
}

/* Head, bytes, and the row of the directory. */
static void add_packed(struct zip *z, struct member *m, struct buf *packed)
{
    m->flags = 0x800u | (z->encrypted ? 1 : 0);
    m->at = (uint32_t)z->out->len;
    m->packed = (uint32_t)packed->len;
    m->crc ^= z->wrong_crc ? 1u : 0u;
    if (z->big_sizes)
        m->size = 0xfffffff0u;
    put(z->out, LOCAL_MAGIC, 4);
    put_member(z->out, m);
    (void)buf_str(z->out, m->name);
    (void)buf_append(z->out, packed->data ? packed->data : "", packed->len);
    z->out->failed |= packed->failed;
    put(&z->directory, DIRECTORY_MAGIC, 4);
    put(&z->directory, 20, 2);
    put_member(&z->directory, m);
    put(&z->directory, 0, 2); /* comment */
    put(&z->directory, 0, 2); /* disk */
    put(&z->directory, 0, 2);
    put(&z->directory, 0, 4);
    put(&z->directory, m->at, 4);
    (void)buf_str(&z->directory, m->name);
    z->members++;
}

void zip_add(struct zip *z, const char *name, const void *bytes, size_t n)
{
    struct buf packed = BUF_INIT(z->out->max);
    struct member m = {.name = name, .method = z->stored ? 0 : 8, .size = (uint32_t)n};

    m.crc = (uint32_t)crc32(0, bytes, (uInt)n);
    if (z->stored)
        (void)buf_append(&packed, bytes, n);
    else
        deflate_into(&packed, bytes, n, WINDOW_RAW);
    add_packed(z, &m, &packed);
    buf_free(&packed);
}

/* Deflated zeros; their checksum too. */
static void zeros_into(struct buf *out, uint64_t n, int window, uint32_t *crc)
{
    static const unsigned char block[1 << 16];
    z_stream z = {0};
    int rc = deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);

    *crc = 0;
    while (rc == Z_OK) {
        uInt part = n < sizeof(block) ? (uInt)n : (uInt)sizeof(block);
        char *place = buf_add(out, sizeof(block));
        if (!place)
            break;
        z.next_in = (Bytef *)(uintptr_t)block;
        z.avail_in = part;
        z.next_out = (Bytef *)place;
        z.avail_out = sizeof(block);
        *crc = (uint32_t)crc32(*crc, block, part);
        n -= part;
        rc = deflate(&z, n ? Z_NO_FLUSH : Z_FINISH);
        out->len -= z.avail_out;
    }
    out->failed |= rc != Z_STREAM_END;
    (void)deflateEnd(&z);
}

void zip_add_zeros(struct zip *z, const char *name, uint64_t n, bool gzip)
{
    struct buf packed = BUF_INIT(z->out->max);
    struct member m = {.name = name, .method = 8, .size = (uint32_t)n};

    zeros_into(&packed, n, gzip ? WINDOW_GZIP : WINDOW_RAW, &m.crc);
    if (!gzip) {
        add_packed(z, &m, &packed);
    } else {
        z->out->failed |= packed.failed;
        zip_add(z, name, packed.data ? packed.data : "", packed.len);
    }
    buf_free(&packed);
}

void zip_end(struct zip *z)
{
    uint32_t at = (uint32_t)z->out->len;

    (void)buf_append(z->out, z->directory.data ? z->directory.data : "", z->directory.len);
    put(z->out, END_MAGIC, 4);
    put(z->out, 0, 4); /* disks */
    put(z->out, z->members, 2);
    put(z->out, z->members, 2);
    put(z->out, (uint32_t)z->directory.len, 4);
    put(z->out, at, 4);
    put(z->out, 0, 2); /* comment */
    z->out->failed |= z->directory.failed;
    buf_free(&z->directory);
}
