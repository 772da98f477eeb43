/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_tls.c - the client's side of TLS, on memory BIOs; see link.h.
 *
 * A ticket comes with or after the first bytes of the server, so it is taken in on_ticket() whenever it
 * arrives. The session of a link that is freed without close_notify could not be resumed, hence the
 * SSL_shutdown() in link_tls_end().
 */
#include "load/link_inside.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static char plaintext[65536];

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct link *link = SSL_get_app_data(ssl);

    if (!link || !link->session)
        return 0;
    SSL_SESSION_free(*link->session);
    *link->session = session;
    return 1; /* the reference is ours */
}

SSL_CTX *link_tls_new(const char *ca_file, bool resume)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    if (resume) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    }
    if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static bool expect_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* A copy is offered: OpenSSL would let a TLS 1.3 session be used once only, and not each handshake brings a
 * new ticket. */
static int offer_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    int good = copy ? SSL_set_session(ssl, copy) : 0;

    SSL_SESSION_free(copy);
    return good == 1 ? 0 : -ENOMEM;
}

int link_tls_attach(struct link *link, const struct link_to *to)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    link->ssl = SSL_new(to->tls);
    if (!link->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        return -ENOMEM;
    }
    SSL_set_bio(link->ssl, in, out);
    SSL_set_connect_state(link->ssl);
    SSL_set_app_data(link->ssl, link);
    if (!expect_host(link->ssl, to->host))
        return -ENOMEM;
    return link->session && *link->session ? offer_session(link->ssl, *link->session) : 0;
}

/* What OpenSSL has to say to the server goes to `next`. */
static int take_output(struct link *link)
{
    BIO *out = SSL_get_wbio(link->ssl);
    char *bytes;
    long n = BIO_get_mem_data(out, &bytes);

    if (n <= 0)
        return 0;
    int err = buf_append(&link->next, bytes, (size_t)n);
    return BIO_reset(out) == 1 ? err : -EPROTO;
}

/* 0 = done or waiting for more. */
static int verdict(struct link *link, int result)
{
    int why = result > 0 ? SSL_ERROR_NONE : SSL_get_error(link->ssl, result);
    int err = take_output(link);

    if (why == SSL_ERROR_NONE || why == SSL_ERROR_WANT_READ)
        return err;
    ERR_clear_error();
    return -EPROTO;
}

int link_tls_handshake(struct link *link)
{
    int result = SSL_do_handshake(link->ssl);
    int err = verdict(link, result);

    if (err || result != 1)
        return err;
    link->established = true;
    link->app->on_ready(link->arg);
    return 0;
}

static int read_plaintext(struct link *link)
{
    int n = 0;

    while (!link->closing && (n = SSL_read(link->ssl, plaintext, sizeof(plaintext))) > 0)
        link->app->on_data(link->arg, plaintext, (size_t)n);
    if (link->closing)
        return 0;
    return verdict(link,
                   n); /* -EPROTO also for close_notify: no proper server sends it to a waiting client */
}

int link_tls_feed(struct link *link, const char *bytes, size_t n)
{
    if (n > INT_MAX || BIO_write(SSL_get_rbio(link->ssl), bytes, (int)n) != (int)n)
        return -EPROTO;
    int err = link->established ? 0 : link_tls_handshake(link);
    return err || !link->established || link->closing ? err : read_plaintext(link);
}

int link_tls_write(struct link *link, const char *bytes, size_t n)
{
    if (n > INT_MAX)
        return -EPROTO;
    return verdict(link, SSL_write(link->ssl, bytes, (int)n));
}

void link_tls_end(struct link *link)
{
    if (!link->ssl || !link->established)
        return;
    (void)SSL_shutdown(link->ssl);
    ERR_clear_error();
    (void)take_output(link);
}

void link_tls_free(struct link *link)
{
    SSL_free(link->ssl);
}
