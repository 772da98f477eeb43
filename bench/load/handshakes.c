/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes.c - what a TLS handshake costs by itself: both sides in one process, no socket, no loop.
 *
 * The floor under any server's price of a new connection; what one with sockets pays is bare.c. The server's
 * part is timed on the thread's CPU clock, each of its steps by itself; the client verifies nothing, its time
 * is not reported. TLS 1.3, one ticket per handshake as the gateway gives, kept by the client and offered
 * again with `resume`.
 */
#include "base/jsonw.h"
#include "load/load.h"

#include <openssl/err.h>
#include <stdio.h>
#include <time.h>

struct pair {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
    SSL_SESSION *session; /* the newest ticket */
    double server_us;     /* of all handshakes */
    unsigned resumed;
};

static double cpu_us(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct pair *p = SSL_get_app_data(ssl);

    SSL_SESSION_free(p->session);
    p->session = session;
    return 1;
}

static bool make_contexts(struct pair *p, const char *certificate, const char *key)
{
    p->server_ctx = SSL_CTX_new(TLS_server_method());
    p->client_ctx = SSL_CTX_new(TLS_client_method());
    if (!p->server_ctx || !p->client_ctx)
        return false;
    (void)SSL_CTX_set_session_cache_mode(p->server_ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(p->server_ctx, 1);
    (void)SSL_CTX_set_session_cache_mode(p->client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(p->client_ctx, on_ticket);
    return SSL_CTX_use_certificate_chain_file(p->server_ctx, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(p->server_ctx, key, SSL_FILETYPE_PEM) == 1;
}

/* One end of a pair of pipes. */
static bool make_pair(struct pair *p)
{
    BIO *server, *client;

    p->server = SSL_new(p->server_ctx);
    p->client = SSL_new(p->client_ctx);
    if (!p->server || !p->client || BIO_new_bio_pair(&server, 65536, &client, 65536) != 1)
        return false;
    SSL_set_bio(p->server, server, server);
    SSL_set_bio(p->client, client, client);
    SSL_set_accept_state(p->server);
    SSL_set_connect_state(p->client);
    SSL_set_app_data(p->client, p);
    return true;
}

static int step(SSL *ssl)
{
    int result = SSL_do_handshake(ssl);

    return result == 1 ? 1 : SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static bool shake(struct pair *p)
{
    int client = 0, server = 0;

    for (int turn = 0; turn < 10 && (client != 1 || server != 1) && client >= 0 && server >= 0; turn++) {
        client = step(p->client);
        double before = cpu_us();
        server = step(p->server);
        p->server_us += cpu_us() - before;
    }
    return client == 1 && server == 1;
}

/* A handshake, the ticket read, and a goodbye, without which the session could not be resumed. */
static bool once(struct pair *p, bool resume)
{
    char byte;
    double before = cpu_us();
    bool good = make_pair(p);

    p->server_us += (cpu_us() - before) / 2;
    if (good && resume && p->session)
        good = SSL_set_session(p->client, p->session) == 1;
    good = good && shake(p);
    if (good) {
        (void)SSL_read(p->client, &byte, 1);
        p->resumed += SSL_session_reused(p->server) == 1;
        (void)SSL_shutdown(p->client);
    }
    SSL_free(p->client);
    before = cpu_us();
    SSL_free(p->server);
    p->server_us += cpu_us() - before;
    p->client = p->server = NULL;
    if (good)
        ERR_clear_error();
    return good;
}

static void print(const struct pair *p, unsigned count)
{
    struct buf out = BUF_INIT(512);
    struct jsonw w = jsonw_start(&out);

    jsonw_object(&w, NULL);
    jsonw_int(&w, "handshakes", count);
    jsonw_int(&w, "resumed", p->resumed);
    jsonw_double(&w, "server_us", p->server_us / count);
    jsonw_end(&w);
    (void)buf_char(&out, '\n');
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

int handshakes_run(const char *certificate, const char *key, unsigned count, bool resume)
{
    struct pair p = {0};
    bool good = make_contexts(&p, certificate, key) && once(&p, resume); /* the first warms up */

    p.server_us = 0;
    p.resumed = 0;
    for (unsigned i = 0; i < count && good; i++)
        good = once(&p, resume);
    if (good)
        print(&p, count);
    else
        (void)fprintf(stderr, "jumpgate-load: handshake: %s\n", ERR_reason_error_string(ERR_peek_error()));
    SSL_SESSION_free(p.session);
    SSL_CTX_free(p.server_ctx);
    SSL_CTX_free(p.client_ctx);
    return good ? 0 : 1;
}
