/*
 * link_inside.h - the private parts of a link, for link.c (the socket) and link_tls.c (the ciphertext).
 */
#ifndef LOAD_LINK_INSIDE_H
#define LOAD_LINK_INSIDE_H

#include "base/buf.h"
#include "load/link.h"

struct link {
    struct load *load;
    const struct link_app *app;
    void *arg;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } at;
    uv_connect_t connect;
    uv_write_t write;
    struct buf next, wire; /* to be written; being written */
    SSL *ssl;              /* NULL = plain */
    SSL_SESSION **session; /* tickets come from and go to here, or NULL */
    bool writing, established, closing;
};

/* A new SSL, the client of a handshake not yet begun. 0 or -ENOMEM. */
int link_tls_attach(struct link *, const struct link_to *);
/* Ciphertext from the socket: goes on with the handshake, hands plaintext to the owner. 0 or -EPROTO. */
int link_tls_feed(struct link *, const char *bytes, size_t n);
int link_tls_handshake(struct link *); /* the next step into `next`; 0 or -EPROTO */
int link_tls_write(struct link *, const char *bytes, size_t n);
void link_tls_end(struct link *); /* close_notify into `next` */
void link_tls_free(struct link *);

#endif
