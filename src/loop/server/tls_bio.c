/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_bio.c - a BIO over two buffers; see tls_bio.h.
 */
#include "loop/server/tls_bio.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int bio_read(BIO *bio, char *to, int n)
{
    struct tls_bio *b = BIO_get_data(bio);
    size_t there = b->in.len - b->in_at;
    size_t take = there < (size_t)n ? there : (size_t)n;

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    if (!take) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, b->in.data + b->in_at, take);
    b->in_at += take;
    if (b->in_at == b->in.len) {
        buf_free(&b->in);
        b->in_at = 0;
    }
    return (int)take;
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
    struct tls_bio *b = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    return buf_append(&b->out, bytes, (size_t)n) ? -1 : n;
}

static long bio_ctrl(BIO *bio, int command, long num, void *ptr)
{
    struct tls_bio *b = BIO_get_data(bio);

    (void)num;
    (void)ptr;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_PENDING: return b ? (long)(b->in.len - b->in_at) : 0;
    default: return 0;
    }
}

/* OpenSSL has some hundred types for a process, and takes none back. */
static int own_type(void)
{
    static int type = -1;

    if (type < 0)
        type = BIO_get_new_index();
    return type;
}

BIO_METHOD *tls_bio_method(void)
{
    int type = own_type();
    BIO_METHOD *m = type < 0 ? NULL : BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "jumpgate");

    if (m && BIO_meth_set_read(m, bio_read) == 1 && BIO_meth_set_write(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

void tls_bio_attach(BIO *bio, struct tls_bio *bytes, size_t max_in)
{
    *bytes = (struct tls_bio){.in = BUF_INIT(max_in), .out = BUF_INIT(SIZE_MAX / 4)};
    BIO_set_data(bio, bytes);
    BIO_set_init(bio, 1);
}

void tls_bio_free(struct tls_bio *b)
{
    buf_free(&b->in);
    buf_free(&b->out);
}

int tls_bio_feed(struct tls_bio *b, const char *bytes, size_t n)
{
    if (b->in_at) {
        buf_consume(&b->in, b->in_at);
        b->in_at = 0;
    }
    return buf_append(&b->in, bytes, n) ? -ENOMEM : 0;
}

int tls_bio_take(struct tls_bio *b, struct buf *out)
{
    int err = 0;

    if (!b->out.len)
        return 0;
    if (out->len == 0) {
        buf_move(out, &b->out);
        return 0;
    }
    err = buf_append(out, b->out.data, b->out.len);
    buf_free(&b->out);
    return err;
}
