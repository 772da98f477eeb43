/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_rig.c - see archive_rig.h.
 */
#include "archive_rig.h"

#include "check.h"
#include "reading_rig.h"
#include "reports/pra/syslog_archive.h"

#include <stdlib.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

static void *gzip(const char *text, size_t len, size_t *n)
{
    z_stream z = {0};
    size_t room = len + 1024;
    unsigned char *out = malloc(room);

    assert_non_null(out);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *n = room - z.avail_out;
    (void)deflateEnd(&z);
    return out;
}

static void add_member(zip_t *zip, const struct archive_member *m)
{
    size_t n = m->len ? m->len : strlen(m->text);

    if (!n) {
        assert_true(zip_dir_add(zip, m->name, 0) >= 0);
        return;
    }
    void *bytes = m->gz ? gzip(m->text, n, &n) : memcpy(malloc(n + 1), m->text, n);
    zip_source_t *source = zip_source_buffer(zip, bytes, n, 1);

    assert_non_null(source);
    assert_true(zip_file_add(zip, m->name, source, 0) >= 0);
}

void archive_make(struct buf *out, const struct archive_member *members, size_t n)
{
    char path[] = "/tmp/jumpgate-archive-XXXXXX", piece[4096];
    int fd = mkstemp(path), err;

    assert_true(fd >= 0);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &err);
    assert_non_null(zip);
    for (size_t i = 0; i < n; i++)
        add_member(zip, &members[i]);
    assert_int_equal(zip_close(zip), 0);
    (void)close(fd);
    FILE *file = fopen(path, "rb"); /* libzip has put another file in its place */
    assert_non_null(file);
    for (size_t got; (got = fread(piece, 1, sizeof(piece), file));)
        assert_int_equal(buf_append(out, piece, got), 0);
    (void)fclose(file);
    assert_int_equal(unlink(path), 0);
}

int archive_file(const void *bytes, size_t n)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fflush(file), 0);
    int fd = dup(fileno(file));
    (void)fclose(file);
    assert_true(fd >= 0);
    return fd;
}

static void give(void *ctx, struct report_batch *batch)
{
    reading_write(ctx, batch);
}

int archive_read(int fd, int64_t now_s, struct buf *records, uint64_t *left_out, const char **why)
{
    struct batch_out out = {.give = give, .ctx = records};
    struct syslog_archive *a = syslog_archive_new(fd, now_s, &syslog_archive_limits);
    static char words[128];
    int state;

    assert_non_null(a);
    do {
        state = syslog_archive_step(a, &out);
        batch_flush(&out);
    } while (state == 1);
    *left_out = syslog_archive_left_out(a);
    (void)snprintf(words, sizeof(words), "%s", syslog_archive_why(a));
    *why = words;
    syslog_archive_free(a);
    batch_free(&out);
    (void)buf_cstr(records);
    return state;
}
