/*
 * tls_context.h - what tls.c and tls_context.c share; nobody else includes it.
 *
 * The context is the configuration of a listener as OpenSSL understands it, and maker of its connections.
 */
#ifndef JG_LOOP_SERVER_TLS_CONTEXT_H
#define JG_LOOP_SERVER_TLS_CONTEXT_H

#include "loop/server/tls.h"

#include <openssl/ssl.h>

SSL *tls_context_ssl(struct tls_context *); /* a new connection's, or NULL */
BIO *tls_context_bio(struct tls_context *); /* an empty BIO over the functions below, or NULL */

/* A late question was sent; did a handshake end since, or a certificate come? */
void tls_context_asked(SSL *);
bool tls_context_answered(const SSL *);

bool tls_context_asks(const struct tls_context *); /* no handshake without a certificate of the client */
/* The client's certificate against authorities and revocation lists of this context. `chain` may be NULL. */
bool tls_context_trusts(const struct tls_context *, X509 *, STACK_OF(X509) * chain);

/* Writes up to `max` texts, each from malloc. Names that a text cannot hold faithfully are left out. */
size_t tls_certificate_sans(X509 *, const char **sans, size_t max);

/* tls.c: the BIO over a struct tls */
int tls_bio_read(BIO *, char *to, int n);
int tls_bio_write(BIO *, const char *bytes, int n);
long tls_bio_ctrl(BIO *, int command, long num, void *ptr);

#endif
