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

bool tls_context_asks(const struct tls_context *); /* no handshake without a certificate of the client */
/* The client's certificate against authorities and revocation lists of this context. `chain` may be NULL. */
bool tls_context_trusts(const struct tls_context *, X509 *, STACK_OF(X509) * chain);

/* Writes `n` texts, up to `max`, each from malloc. Names that a text cannot hold faithfully are left out. 0,
 * or -ENOMEM with those that were read until then. */
int tls_certificate_sans(X509 *, const char **sans, size_t max, size_t *n);

/* In words, for the log. */
void tls_certificate_words(X509 *, struct http_shown *);

#endif
