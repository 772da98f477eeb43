/*
 * tls.h - OpenSSL on memory BIOs: bytes in, bytes out, no socket.
 *
 * A struct tls is one server-side TLS connection. The owner feeds ciphertext that came from the socket
 * (tls_feed), takes plaintext (tls_read), gives plaintext (tls_write), and moves what is in `out` to the
 * socket. TLS 1.2 and 1.3 only, no compression, no renegotiation by clients, tickets on. Verification of
 * client certificates, where a client_ca is given, is required and never relaxed.
 */
#ifndef JG_LOOP_SERVER_TLS_H
#define JG_LOOP_SERVER_TLS_H

#include "base/buf.h"
#include "loop/server/server.h"

struct tls_context;
struct tls;

/* The caller has the first reference. */
struct tls_context *tls_context_new(const struct http_tls_opts *, char why[256]);
struct tls_context *tls_context_ref(struct tls_context *);
void tls_context_unref(struct tls_context *);            /* NULL is fine */
int64_t tls_context_end(const struct tls_context *);     /* notAfter of the certificate, seconds since 1970 */
int64_t tls_context_crl_end(const struct tls_context *); /* next update of the revocation lists; 0 = none */
int tls_context_rotate(struct tls_context *);            /* the keys of session tickets; 0 or -EIO */

struct tls *tls_new(struct tls_context *); /* holds a reference; NULL = out of memory */
void tls_free(struct tls *);

/* 0, or -EPROTO (handshake or record failure; an alert may be waiting in the output), -ENOMEM. */
int tls_feed(struct tls *, const char *bytes, size_t n);
/* >0 bytes of plaintext, 0 = nothing now, -ECONNRESET = closed by the peer, -EPROTO. */
ssize_t tls_read(struct tls *, char *to, size_t n);
int tls_write(struct tls *, const char *bytes, size_t n); /* 0 or -EPROTO */
/* Moves pending ciphertext to the end of `out`. */
int tls_output(struct tls *, struct buf *out);
/* The output may wait for the next response: no peer needs it now. */
bool tls_can_wait(const struct tls *);
/* Ends a delivery: frees buffers that are needed only with the next one. */
void tls_rest(struct tls *);
void tls_shutdown(struct tls *);      /* close_notify into the output */
bool tls_answers(const struct tls *); /* it has something to say: tls_output() */
bool tls_established(const struct tls *);

/*
 * Writes of the peer whether there is a verified client certificate, and its subject alternative names as
 * "DNS:…" texts, which live as long as the tls. 0, or -ENOMEM: they are not known in full, and the connection
 * must end.
 */
int tls_read_peer(struct tls *, struct http_peer *);

/* Simulator: request the client's certificate now (renegotiation or post-handshake). */
int tls_ask_certificate(struct tls *);
/* The client has answered the request, with or without a certificate. */
bool tls_asked_done(const struct tls *);
/*
 * Would a newer context of its listener accept this connection, with its certificate or without one? Results
 * are kept in `trust`, since many connections have the same certificate.
 */
#define TLS_TRUST_KEPT 16
struct tls_trust {
    struct tls_context *now;
    struct {
        const struct x509_st *certificate; /* of a connection that is open while this is used */
        bool trusted;
    } kept[TLS_TRUST_KEPT];
    size_t n;
};
bool tls_still_trusted(const struct tls *, struct tls_trust *);
/* After an error: OpenSSL's reason, without data of the connection. */
const char *tls_why(const struct tls *);
/* Why the client's certificate was refused, or that there was none; NULL = it was not. `shown` is empty where
 * there was none. */
const char *tls_refused_certificate(const struct tls *, struct http_shown *shown);
/* The verified certificate, in words. */
bool tls_shown_certificate(const struct tls *, struct http_shown *);

#endif
