/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bare.c - the smallest server that OpenSSL and epoll allow; see bare.h.
 *
 * The idea: only a server that does nothing else shows what a connection must cost. It accepts, does the TLS
 * handshake, gives one fixed answer to each request, and closes when the client does. It parses nothing, has
 * no deadlines, limits or log, and wipes nothing. The load tool drives it as it drives the gateway, so that
 * sockets, wake-ups and caches are the same for both.
 *
 * It is made to be fast. All connections share one pair of memory BIOs, which are empty between two events,
 * so an event costs one read and at most one write, and the ticket leaves with the first answer. A client
 * whose hello has arrived when it is accepted is served at once. Versions, key exchange, ciphers and the one
 * ticket are those that the gateway's clients get.
 *
 * A request ends with the bytes that arrive together; the load tool sends each in one piece.
 */
#include "load/bare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS  256
#define BACKLOG 1024

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

struct visitor {
    int fd;
    SSL *ssl;
    LIST_ENTRY(visitor) link;
};

struct bare {
    SSL_CTX *ctx;
    BIO *in, *out; /* of whichever connection has the word */
    int listener, epoll;
    LIST_HEAD(, visitor) visitors;
    char bytes[65536];
};

static volatile sig_atomic_t over;

static void on_term(int signum)
{
    (void)signum;
    over = 1;
}

/* ---- one connection ---- */

static void leave(struct visitor *v)
{
    LIST_REMOVE(v, link);
    SSL_free(v->ssl);
    (void)close(v->fd);
    free(v);
}

/* What OpenSSL has to say, in one piece. The clients read: what does not fit at once is an error. */
static bool send_answer(struct bare *b, const struct visitor *v)
{
    char *bytes;
    long n = BIO_get_mem_data(b->out, &bytes);
    bool good = n <= 0 || send(v->fd, bytes, (size_t)n, MSG_NOSIGNAL) == n;

    return BIO_reset(b->out) == 1 && good;
}

/* False = the end of it. */
static bool hear(struct bare *b, const struct visitor *v)
{
    char plain[4096];
    int n = 1;

    if (!SSL_is_init_finished(v->ssl))
        n = SSL_do_handshake(v->ssl);
    while (n > 0 && (n = SSL_read(v->ssl, plain, sizeof(plain))) > 0) {
        if (SSL_write(v->ssl, answer, sizeof(answer) - 1) <= 0)
            return false;
    }
    if (SSL_get_error(v->ssl, n) == SSL_ERROR_WANT_READ)
        return send_answer(b, v);
    if (SSL_get_shutdown(v->ssl) & SSL_RECEIVED_SHUTDOWN) {
        (void)SSL_shutdown(v->ssl); /* a goodbye is answered */
        (void)send_answer(b, v);
    }
    ERR_clear_error();
    return false;
}

static void serve(struct bare *b, struct visitor *v)
{
    ssize_t n = recv(v->fd, b->bytes, sizeof(b->bytes), 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && BIO_write(b->in, b->bytes, (int)n) == n && hear(b, v))
        return;
    (void)BIO_reset(b->in);
    (void)BIO_reset(b->out);
    leave(v);
}

static void admit(struct bare *b, int fd)
{
    struct visitor *v = calloc(1, sizeof(*v));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = v};
    SSL *ssl = SSL_new(b->ctx);

    if (!v || !ssl || epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &event)) {
        SSL_free(ssl);
        free(v);
        (void)close(fd);
        return;
    }
    *v = (struct visitor){.fd = fd, .ssl = ssl};
    LIST_INSERT_HEAD(&b->visitors, v, link);
    (void)BIO_up_ref(b->in);
    (void)BIO_up_ref(b->out);
    SSL_set_bio(ssl, b->in, b->out);
    SSL_set_accept_state(ssl);
    serve(b, v);
}

/* ---- all of them ---- */

static void iteration(struct bare *b)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(b->epoll, events, EVENTS, -1), fd;

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr) {
            serve(b, events[i].data.ptr);
            continue;
        }
        while ((fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            admit(b, fd);
    }
}

static bool prepare_tls(struct bare *b, const char *certificate, const char *key)
{
    b->ctx = SSL_CTX_new(TLS_server_method());
    b->in = BIO_new(BIO_s_mem());
    b->out = BIO_new(BIO_s_mem());
    if (!b->ctx || !b->in || !b->out)
        return false;
    (void)SSL_CTX_set_session_cache_mode(b->ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_num_tickets(b->ctx, 1) == 1 &&
           SSL_CTX_use_certificate_chain_file(b->ctx, certificate) == 1 &&
           SSL_CTX_use_PrivateKey_file(b->ctx, key, SSL_FILETYPE_PEM) == 1;
}

static bool prepare_socket(struct bare *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t size = sizeof(to);

    b->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (b->listener < 0 || b->epoll < 0 || bind(b->listener, (struct sockaddr *)&to, size) ||
        listen(b->listener, BACKLOG) || getsockname(b->listener, (struct sockaddr *)&to, &size) ||
        epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->listener, &event))
        return false;
    (void)printf("listening listener=main address=127.0.0.1:%u\nready\n", ntohs(to.sin_port));
    return fflush(stdout) == 0;
}

static void end(struct bare *b)
{
    while (!LIST_EMPTY(&b->visitors))
        leave(LIST_FIRST(&b->visitors));
    BIO_free(b->in);
    BIO_free(b->out);
    SSL_CTX_free(b->ctx);
    if (b->listener >= 0)
        (void)close(b->listener);
    if (b->epoll >= 0)
        (void)close(b->epoll);
}

int bare_run(const char *certificate, const char *key)
{
    static struct bare b = {.listener = -1, .epoll = -1};
    const struct sigaction term = {.sa_handler = on_term}; /* without SA_RESTART: epoll_wait() returns */
    bool good =
        sigaction(SIGTERM, &term, NULL) == 0 && prepare_tls(&b, certificate, key) && prepare_socket(&b);

    if (!good) {
        unsigned long code = ERR_peek_error();

        (void)fprintf(stderr, "jumpgate-load: serve: %s\n",
                      code ? ERR_reason_error_string(code) : strerror(errno));
    }
    while (good && !over)
        iteration(&b);
    end(&b);
    return good ? 0 : 1;
}
