/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - OpenSSL on memory BIOs: bytes in, bytes out, no socket.
 *
 * The idea: OpenSSL reads from `in` and writes to `out` through a small BIO of our own. Its own memory BIO
 * keeps the largest buffer it ever had, which for thousands of idle connections is most of their memory; here
 * both buffers are freed when they are empty. OpenSSL's own buffers, one record each way, go when the owner
 * has dealt with a delivery (tls_rest), not after each record as SSL_MODE_RELEASE_BUFFERS would have it: a
 * handshake has some ten records, and each buffer is wiped as it goes.
 *
 * Life of a connection: handshake (driven by tls_feed) -> established -> tls_read / tls_write ->
 * tls_shutdown. With ask_late the client is asked for its certificate once more, by renegotiation in TLS 1.2
 * and by post-handshake authentication in TLS 1.3; the handshake that follows runs inside tls_read.
 *
 * Invariants: the error queue of OpenSSL is empty before each call into it, so that an error is of this
 * connection. A connection that failed once answers -EPROTO for ever. Verification, where a CA is configured,
 * is never relaxed; with ask_late it is the certificate that may be missing, not its proof.
 *
 * Not here: the context (tls_context.c), sockets (connection.c).
 */
#include "loop/server/tls.h"

#include "loop/server/tls_context.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS_MAGIC  0x746c7373U
#define MAX_CIPHER (1024 * 1024) /* ciphertext waiting to be read; the owner reads after each feed */

struct tls {
    unsigned magic;
    struct tls_context *context;
    SSL *ssl;
    struct buf in, out;
    size_t in_at; /* bytes of `in` that OpenSSL has taken */
    bool established, failed, asked;
    char why[120];
    const char *sans[HTTP_SANS];
    size_t nsans;
};

/* ---- the BIO ---- */

int tls_bio_read(BIO *bio, char *to, int n)
{
    struct tls *t = BIO_get_data(bio);
    size_t there = t->in.len - t->in_at;
    size_t take = there < (size_t)n ? there : (size_t)n;

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    if (!take) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, t->in.data + t->in_at, take);
    t->in_at += take;
    if (t->in_at == t->in.len) {
        buf_free(&t->in);
        t->in_at = 0;
    }
    return (int)take;
}

int tls_bio_write(BIO *bio, const char *bytes, int n)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    return buf_append(&t->out, bytes, (size_t)n) ? -1 : n;
}

long tls_bio_ctrl(BIO *bio, int command, long num, void *ptr)
{
    struct tls *t = BIO_get_data(bio);

    (void)num;
    (void)ptr;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_PENDING: return t ? (long)(t->in.len - t->in_at) : 0;
    default: return 0;
    }
}

/* ---- life ---- */

struct tls *tls_new(struct tls_context *context)
{
    struct tls *t = calloc(1, sizeof(*t));
    BIO *bio = tls_context_bio(context);

    if (!t || !bio)
        goto fail;
    t->magic = TLS_MAGIC;
    t->in = BUF_INIT(MAX_CIPHER);
    t->out = BUF_INIT(SIZE_MAX / 4);
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    t->ssl = tls_context_ssl(context);
    if (!t->ssl)
        goto fail;
    t->context = tls_context_ref(context);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_accept_state(t->ssl);
    return t;

fail:
    BIO_free(bio);
    free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_context_unref(t->context); /* after the BIO, whose functions are the context's */
    buf_free(&t->in);
    buf_free(&t->out);
    for (size_t i = 0; i < t->nsans; i++)
        free((void *)(uintptr_t)t->sans[i]);
    t->magic = 0;
    free(t);
}

/* Notes why, once; what OpenSSL says are static texts. */
static int failed(struct tls *t, const char *where)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verify = SSL_get_verify_result(t->ssl);

    if (!t->failed) {
        const char *proof = verify == X509_V_OK ? "" : X509_verify_cert_error_string(verify);

        snprintf(t->why, sizeof(t->why), "%s: %s%s%s", where, reason ? reason : "unexpected end",
                 *proof ? ": " : "", proof);
    }
    t->failed = true;
    ERR_clear_error();
    return -EPROTO;
}

const char *tls_why(const struct tls *t)
{
    return t->why[0] ? t->why : "tls error";
}

int tls_feed(struct tls *t, const char *bytes, size_t n)
{
    int done;

    if (t->failed)
        return -EPROTO;
    if (t->in_at) {
        buf_consume(&t->in, t->in_at);
        t->in_at = 0;
    }
    if (buf_append(&t->in, bytes, n))
        return -ENOMEM;
    if (t->established)
        return 0;
    ERR_clear_error();
    done = SSL_do_handshake(t->ssl);
    if (done == 1) {
        t->established = true;
        return 0;
    }
    if (SSL_get_error(t->ssl, done) == SSL_ERROR_WANT_READ)
        return 0;
    return failed(t, "tls handshake");
}

ssize_t tls_read(struct tls *t, char *to, size_t n)
{
    int got;

    if (t->failed)
        return -EPROTO;
    if (!t->established)
        return 0;
    ERR_clear_error();
    got = SSL_read(t->ssl, to, n > INT_MAX ? INT_MAX : (int)n);
    if (got > 0)
        return got;
    switch (SSL_get_error(t->ssl, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return 0;
    case SSL_ERROR_ZERO_RETURN: return -ECONNRESET;
    default: return failed(t, "tls read");
    }
}

int tls_write(struct tls *t, const char *bytes, size_t n)
{
    size_t done = 0;

    if (t->failed || !t->established)
        return -EPROTO;
    ERR_clear_error();
    if (n && SSL_write_ex(t->ssl, bytes, n, &done) != 1)
        return failed(t, "tls write");
    return 0;
}

int tls_output(struct tls *t, struct buf *out)
{
    int err = 0;

    if (!t->out.len)
        return 0;
    if (out->len == 0) {
        buf_move(out, &t->out);
        return 0;
    }
    err = buf_append(out, t->out.data, t->out.len);
    buf_free(&t->out);
    return err;
}

/* After a handshake of TLS 1.3 what OpenSSL has to say by itself is a ticket, or an answer to a new key.
 * Before it, and in TLS 1.2, it is what the client waits for. */
bool tls_can_wait(const struct tls *t)
{
    return t->established && !t->failed && SSL_version(t->ssl) >= TLS1_3_VERSION;
}

/* Where the head of a record is there and its body is not, releases of OpenSSL before 3.0.14 would free the
 * buffer that waits for it: hence the question where the reader stands. */
void tls_rest(struct tls *t)
{
    if (!t->failed && strcmp(SSL_rstate_string(t->ssl), "RH") == 0 && !SSL_has_pending(t->ssl))
        (void)SSL_free_buffers(t->ssl);
}

void tls_shutdown(struct tls *t)
{
    if (t->failed || !t->established)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl); /* 0: ours is out, theirs is not awaited */
    ERR_clear_error();
}

bool tls_answers(const struct tls *t)
{
    return t->out.len > 0 && !t->failed;
}

bool tls_established(const struct tls *t)
{
    return t->established;
}

/* ---- who is there ---- */

/* A resumed session brings the certificate of the handshake it resumes, which may have expired meanwhile. */
bool tls_has_peer_certificate(const struct tls *t)
{
    const X509 *certificate = SSL_get0_peer_certificate(t->ssl);

    return certificate && SSL_get_verify_result(t->ssl) == X509_V_OK &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

bool tls_still_trusted(const struct tls *t, struct tls_trust *trust)
{
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);

    if (!certificate)
        return !tls_context_asks(trust->now);
    for (size_t i = 0; i < trust->n; i++)
        if (X509_cmp(trust->kept[i].certificate, certificate) == 0)
            return trust->kept[i].trusted;
    bool ok = tls_context_trusts(trust->now, certificate, SSL_get_peer_cert_chain(t->ssl));
    if (trust->n < TLS_TRUST_KEPT) {
        trust->kept[trust->n].certificate = certificate;
        trust->kept[trust->n++].trusted = ok;
    }
    return ok;
}

size_t tls_peer_sans(struct tls *t, const char *const **sans)
{
    *sans = t->sans;
    if (t->nsans == 0 && tls_has_peer_certificate(t))
        t->nsans = tls_certificate_sans(SSL_get0_peer_certificate(t->ssl), t->sans, HTTP_SANS);
    return t->nsans;
}

int tls_ask_certificate(struct tls *t)
{
    int ok;

    if (t->failed || !t->established)
        return -EPROTO;
    ERR_clear_error();
    SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
    if (SSL_version(t->ssl) >= TLS1_3_VERSION)
        ok = SSL_verify_client_post_handshake(t->ssl) == 1 && SSL_do_handshake(t->ssl) == 1;
    else
        ok = SSL_renegotiate(t->ssl) == 1 && SSL_do_handshake(t->ssl) == 1;
    if (!ok) {
        ERR_clear_error(); /* the client offered no way to be asked; the connection itself is well */
        return -ENOTSUP;
    }
    t->asked = true;
    tls_context_asked(t->ssl);
    return 0;
}

bool tls_asked_done(const struct tls *t)
{
    return t->asked && tls_context_answered(t->ssl);
}
