/*
 * link.h - one connection of a client, plain or TLS, over TCP or a Unix socket.
 *
 * Life: link_open() -> on_ready -> link_send() and on_data in any order -> on_lost, or link_close(). No
 * callback comes before link_open() has returned, none after link_close() or on_lost. A link frees itself
 * when its socket has closed, so that it may be closed from its own callbacks.
 *
 * TLS is OpenSSL on memory BIOs, with the server's certificate and address verified. With `session` set a
 * link offers the ticket found there and leaves the newest it is given.
 */
#ifndef LOAD_LINK_H
#define LOAD_LINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

struct load;
struct link;

struct link_to { /* where links go; the same for all of a run */
    struct sockaddr_storage address;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* of a Unix socket; "" = TCP */
    char host[64];                                          /* what the certificate must name */
    SSL_CTX *tls;                                           /* NULL = plain */
};

struct link_app {
    void (*on_ready)(void *arg);
    void (*on_data)(void *arg, const char *bytes, size_t n);
    void (*on_lost)(void *arg, const char *why);
};

/* NULL = could not be made. `session` may be NULL; it must outlive the link or its link_close(). */
struct link *link_open(struct load *, const struct link_app *, void *arg, SSL_SESSION **session);
int link_send(struct link *, const char *bytes, size_t n); /* 0, -ENOMEM, -EPROTO or libuv's error */
void link_close(struct link *);                            /* NULL is fine */
bool link_resumed(const struct link *);                    /* the handshake was shortened by a ticket */

/* "127.0.0.1:80", "[::1]:80" or "unix:/path". */
bool link_parse(struct link_to *, const char *text);
/* A context that verifies by the authorities of `ca_file`, and keeps tickets if told so. NULL: see OpenSSL.
 */
SSL_CTX *link_tls_new(const char *ca_file, bool resume);

#endif
