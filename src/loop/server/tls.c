/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - OpenSSL on memory BIOs: bytes in, bytes out, no socket.
 *
 * The idea: OpenSSL reads and writes two buffers (tls_bio.c). OpenSSL's own buffers, one record each way, are
 * freed when the owner has processed a delivery (tls_rest), not after each record as SSL_MODE_RELEASE_BUFFERS
 * would do: a handshake has some ten records, and each buffer is wiped as it is freed.
 *
 * Life of a connection: handshake (driven by tls_feed) -> established -> tls_read / tls_write ->
 * tls_shutdown. With ask_late the client is asked for its certificate once more, by renegotiation in TLS 1.2
 * and by post-handshake authentication in TLS 1.3; the handshake that follows runs inside tls_read.
 *
 * Invariants: the error queue of OpenSSL is empty before each call into it, so that an error is of this
 * connection. A connection that failed once answers -EPROTO for ever. Verification, where a CA is configured,
 * is never relaxed; with ask_late the certificate may be missing, but never unverified.
 *
 * Not here: the buffers (tls_bio.c), the context (tls_context.c), sockets (connection.c).
 */
#include "loop/server/tls.h"

#include "loop/server/tls_bio.h"
#include "loop/server/tls_context.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CIPHER (1024 * 1024) /* ciphertext waiting to be read; the owner reads after each feed */

struct tls {
    struct tls_context *context;
    SSL *ssl;
    struct tls_bio bytes;
    bool established, failed, asked, answered;
    char why[120];
    const char *refused;      /* why the certificate was, as OpenSSL says it; NULL = it was not */
    struct http_shown *shown; /* the refused certificate; NULL = none, or no memory */
    const char *sans[HTTP_SANS];
    size_t nsans;
};

/* ---- a certificate that is refused ---- */

static int ssl_owner = -1; /* index of the struct tls in its SSL */

/* Looks on: what OpenSSL has found stays as it is. After the handshake the certificate is no longer there. */
static int on_verified(int ok, X509_STORE_CTX *proof)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(proof, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = ssl && ssl_owner >= 0 ? SSL_get_ex_data(ssl, ssl_owner) : NULL;
    X509 *certificate = X509_STORE_CTX_get0_cert(proof);

    if (ok || !t || t->refused)
        return ok;
    t->refused = X509_verify_cert_error_string(X509_STORE_CTX_get_error(proof));
    t->shown = certificate ? malloc(sizeof(*t->shown)) : NULL;
    if (t->shown)
        tls_certificate_words(certificate, t->shown);
    return ok;
}

static void watch_verification(struct tls *t)
{
    if (ssl_owner < 0)
        ssl_owner = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (ssl_owner >= 0 && SSL_set_ex_data(t->ssl, ssl_owner, t) == 1)
        SSL_set_verify(t->ssl, SSL_get_verify_mode(t->ssl), on_verified);
}

const char *tls_refused_certificate(const struct tls *t, struct http_shown *shown)
{
    *shown = (struct http_shown){.subject = ""};
    if (t->refused && t->shown)
        *shown = *t->shown;
    return t->refused;
}

bool tls_shown_certificate(const struct tls *t, struct http_shown *shown)
{
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);

    if (!certificate || SSL_get_verify_result(t->ssl) != X509_V_OK)
        return false;
    tls_certificate_words(certificate, shown);
    return true;
}

/* ---- life ---- */

struct tls *tls_new(struct tls_context *context)
{
    struct tls *t = calloc(1, sizeof(*t));
    BIO *bio = tls_context_bio(context);

    if (!t || !bio)
        goto fail;
    tls_bio_attach(bio, &t->bytes, MAX_CIPHER);
    t->ssl = tls_context_ssl(context);
    if (!t->ssl)
        goto fail;
    t->context = tls_context_ref(context);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_accept_state(t->ssl);
    watch_verification(t);
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
    tls_bio_free(&t->bytes);
    for (size_t i = 0; i < t->nsans; i++)
        free((void *)(uintptr_t)t->sans[i]);
    free(t->shown);
    free(t);
}

/* Keeps the first reason; OpenSSL's reasons are static texts. */
static int tls_failed(struct tls *t, const char *where)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verify = SSL_get_verify_result(t->ssl);

    if (!t->failed) {
        const char *proof = verify == X509_V_OK ? "" : X509_verify_cert_error_string(verify);

        snprintf(t->why, sizeof(t->why), "%s: %s%s%s", where, reason ? reason : "unexpected end",
                 *proof ? ": " : "", proof);
    }
    if (code && ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        t->refused = "the client has shown none";
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
    if (tls_bio_feed(&t->bytes, bytes, n))
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
    return tls_failed(t, "tls handshake");
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
    default: return tls_failed(t, "tls read");
    }
}

int tls_write(struct tls *t, const char *bytes, size_t n)
{
    size_t done = 0;

    if (t->failed || !t->established)
        return -EPROTO;
    ERR_clear_error();
    if (n && SSL_write_ex(t->ssl, bytes, n, &done) != 1)
        return tls_failed(t, "tls write");
    return 0;
}

int tls_output(struct tls *t, struct buf *out)
{
    return tls_bio_take(&t->bytes, out);
}

/* After a handshake of TLS 1.3 OpenSSL's own output is a ticket or an answer to a key update. Before it, and
 * in TLS 1.2, the client waits for it. */
bool tls_can_wait(const struct tls *t)
{
    return t->established && !t->failed && SSL_version(t->ssl) >= TLS1_3_VERSION;
}

/* Where the head of a record is there and its body is not, releases of OpenSSL before 3.0.14 would free the
 * buffer that waits for it: hence the check of the reader's state. */
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
    (void)SSL_shutdown(t->ssl); /* 0: close_notify is sent; the client's is not awaited */
    ERR_clear_error();
}

bool tls_answers(const struct tls *t)
{
    return t->bytes.out.len > 0 && !t->failed;
}

bool tls_established(const struct tls *t)
{
    return t->established;
}

/* ---- the client's certificate ---- */

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

/* A resumed session brings the certificate of the handshake it resumes, which may have expired meanwhile. */
int tls_read_peer(struct tls *t, struct http_peer *peer)
{
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    bool verified = certificate && SSL_get_verify_result(t->ssl) == X509_V_OK;
    int until = verified ? X509_cmp_current_time(X509_get0_notAfter(certificate)) : -1;
    int err = until ? 0 : -ENOMEM;

    if (until > 0 && t->nsans == 0)
        err = tls_certificate_sans(certificate, t->sans, HTTP_SANS, &t->nsans);
    ERR_clear_error();
    peer->certificate = until > 0 && !err;
    peer->sans = t->sans;
    peer->nsans = peer->certificate ? t->nsans : 0;
    return err;
}

/* The client's Finished ends the handshake that a late request began, with or without a certificate. */
static void on_message(int writing, int version, int type, const void *bytes, size_t n, SSL *ssl, void *arg)
{
    struct tls *t = arg;

    (void)version;
    (void)ssl;
    if (!writing && type == SSL3_RT_HANDSHAKE && n > 0 && *(const unsigned char *)bytes == SSL3_MT_FINISHED)
        t->answered = true;
}

int tls_ask_certificate(struct tls *t)
{
    int ok;

    if (t->failed || !t->established)
        return -EPROTO;
    ERR_clear_error();
    SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_msg_callback(t->ssl, on_message);
    SSL_set_msg_callback_arg(t->ssl, t);
    if (SSL_version(t->ssl) >= TLS1_3_VERSION)
        ok = SSL_verify_client_post_handshake(t->ssl) == 1 && SSL_do_handshake(t->ssl) == 1;
    else
        ok = SSL_renegotiate(t->ssl) == 1 && SSL_do_handshake(t->ssl) == 1;
    if (!ok) {
        ERR_clear_error(); /* the client offered no way to be asked; the connection itself is sound */
        return -ENOTSUP;
    }
    t->asked = true;
    return 0;
}

bool tls_asked_done(const struct tls *t)
{
    return t->asked && t->answered;
}
