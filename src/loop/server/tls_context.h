/*
 * tls_context.h - the part of a TLS context that tls.c alone uses; the public part is in tls.h.
 *
 * The context is a listener's TLS configuration as OpenSSL holds it, and makes the SSL objects of
 * connections.
 */
#ifndef JG_LOOP_SERVER_TLS_CONTEXT_H
#define JG_LOOP_SERVER_TLS_CONTEXT_H

#include "loop/server/tls.h"

#include <openssl/ssl.h>

SSL *tls_context_ssl(struct tls_context *); /* a new connection's, or NULL */
BIO *tls_context_bio(struct tls_context *); /* of tls_bio.h, not attached yet; or NULL */

/* A late request for the certificate was sent; has a handshake ended since, or a certificate arrived? */
void tls_context_asked(SSL *);
bool tls_context_answered(const SSL *);

bool tls_context_asks(const struct tls_context *); /* no handshake without a certificate of the client */
/* The client's certificate against authorities and revocation lists of this context. `chain` may be NULL. */
bool tls_context_trusts(const struct tls_context *, X509 *, STACK_OF(X509) * chain);

/* Writes up to `max` texts, each from malloc. Names that a text cannot hold faithfully are left out. */
size_t tls_certificate_sans(X509 *, const char **sans, size_t max);

/* In words, for the log. */
void tls_certificate_words(X509 *, struct http_shown *);

#endif
