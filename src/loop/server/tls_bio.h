/*
 * tls_bio.h - a BIO over two buffers: ciphertext in, ciphertext out.
 *
 * The idea: OpenSSL's own memory BIO keeps the largest buffer it ever had, which for thousands of idle
 * connections is most of their memory. Here both buffers are freed when they are empty.
 *
 * Life: tls_bio_attach -> tls_bio_feed, OpenSSL's calls, tls_bio_take ... -> tls_bio_free, after the BIO
 * itself. A method outlives every BIO made of it. Private to tls.c and tls_context.c.
 */
#ifndef JG_LOOP_SERVER_TLS_BIO_H
#define JG_LOOP_SERVER_TLS_BIO_H

#include "base/buf.h"

#include <openssl/bio.h>

struct tls_bio {
    struct buf in, out;
    size_t in_at; /* bytes of `in` that OpenSSL has taken */
};

BIO_METHOD *tls_bio_method(void); /* NULL = out of memory; ended by BIO_meth_free() */

/* The BIO reads from and writes to `bytes` from now on; `in` holds at most `max_in` bytes. */
void tls_bio_attach(BIO *, struct tls_bio *bytes, size_t max_in);
void tls_bio_free(struct tls_bio *);
int tls_bio_feed(struct tls_bio *, const char *bytes, size_t n); /* 0 or -ENOMEM */
int tls_bio_take(struct tls_bio *,
                 struct buf *out); /* moves what OpenSSL wrote to the end of `out`; 0 or -ENOMEM */

#endif
