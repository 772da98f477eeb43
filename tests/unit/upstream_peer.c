/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_peer.c - a scripted vault on threads; see the header.
 *
 * One thread accepts, each connection has its own. All descriptors stay in a table until peer_free(), which
 * shuts them down so that no blocking call outlives the test, gives permits to all that wait, and joins.
 */
#include "upstream_peer.h"

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNS 256

struct peer {
    int listener, port;
    void (*script)(struct peer_conn *);
    const void *arg;
    SSL_CTX *tls;
    pthread_t acceptor;
    pthread_t threads[MAX_CONNS];
    struct peer_conn *conns[MAX_CONNS];
    atomic_int naccepted, nrequests, nnotes;
    atomic_bool ending;
    pthread_mutex_t lock; /* of `targets` */
    char targets[8192];
    sem_t permits;
};

static void *run_script(void *arg)
{
    struct peer_conn *pc = arg;

    pc->peer->script(pc);
    if (pc->tls)
        SSL_free(pc->tls);
    pc->tls = NULL;
    ERR_clear_error();
    shutdown(pc->fd, SHUT_RDWR);
    return NULL;
}

static void *run_acceptor(void *arg)
{
    struct peer *p = arg;
    int fd;

    while ((fd = accept(p->listener, NULL, NULL)) >= 0 && !p->ending) {
        int i = p->naccepted;
        struct peer_conn *pc = calloc(1, sizeof(*pc));
        if (!pc || i == MAX_CONNS)
            abort();
        pc->peer = p;
        pc->fd = fd;
        pc->index = i;
        p->conns[i] = pc;
        p->naccepted++; /* before the script can tell anybody of it */
        if (pthread_create(&p->threads[i], NULL, run_script, pc))
            abort();
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

struct peer *peer_new(void (*script)(struct peer_conn *), const void *arg, SSL_CTX *tls)
{
    return peer_new_at(1, 0, script, arg, tls);
}

struct peer *peer_new_at(int host, int port, void (*script)(struct peer_conn *), const void *arg,
                         SSL_CTX *tls)
{
    struct peer *p = calloc(1, sizeof(*p));
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffu) | (uint32_t)host)};
    socklen_t len = sizeof(at);
    int yes = 1;

    assert_non_null(p);
    p->script = script;
    p->arg = arg;
    p->tls = tls;
    pthread_mutex_init(&p->lock, NULL);
    sem_init(&p->permits, 0, 0);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(p->listener, 512), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&p->acceptor, NULL, run_acceptor, p), 0);
    return p;
}

void peer_stop_accepting(struct peer *p)
{
    if (p->listener < 0)
        return;
    p->ending = true;
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->acceptor, NULL);
    close(p->listener);
    p->listener = -1;
}

void peer_free(struct peer *p)
{
    peer_stop_accepting(p);
    peer_allow(p, 1000);
    for (int i = 0; i < p->naccepted; i++)
        shutdown(p->conns[i]->fd, SHUT_RDWR);
    for (int i = 0; i < p->naccepted; i++) {
        pthread_join(p->threads[i], NULL);
        close(p->conns[i]->fd);
        free(p->conns[i]);
    }
    if (p->tls)
        SSL_CTX_free(p->tls);
    sem_destroy(&p->permits);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int peer_port(const struct peer *p)
{
    return p->port;
}

int peer_accepted(const struct peer *p)
{
    return p->naccepted;
}

int peer_requests(const struct peer *p)
{
    return p->nrequests;
}

void peer_targets(struct peer *p, char *out, size_t size)
{
    pthread_mutex_lock(&p->lock);
    snprintf(out, size, "%s", p->targets);
    pthread_mutex_unlock(&p->lock);
}

void peer_allow(struct peer *p, int permits)
{
    while (permits-- > 0)
        sem_post(&p->permits);
}

int peer_notes(const struct peer *p)
{
    return p->nnotes;
}

/* ---- for scripts ---- */

const void *peer_arg(const struct peer_conn *pc)
{
    return pc->peer->arg;
}

bool peer_handshake(struct peer_conn *pc)
{
    if (!pc->peer->tls)
        return true;
    pc->tls = SSL_new(pc->peer->tls);
    if (!pc->tls || SSL_set_fd(pc->tls, pc->fd) != 1)
        return false;
    return SSL_accept(pc->tls) == 1;
}

static ssize_t get(struct peer_conn *pc, char *to, size_t n)
{
    if (!pc->tls)
        return recv(pc->fd, to, n, 0);
    for (;;) {
        int got = SSL_read(pc->tls, to, (int)n);
        if (got > 0 || SSL_get_error(pc->tls, got) != SSL_ERROR_WANT_READ)
            return got;
    }
}

static void note_target(struct peer_conn *pc)
{
    struct peer *p = pc->peer;
    const char *from = strchr(pc->request, ' ');
    size_t n = from ? strcspn(from + 1, " ") + 1 : 0;

    pthread_mutex_lock(&p->lock);
    size_t have = strlen(p->targets);
    if (from && have + n + 1 < sizeof(p->targets))
        snprintf(p->targets + have, n + 1, "%s", from + 1);
    pthread_mutex_unlock(&p->lock);
}

bool peer_read_request(struct peer_conn *pc)
{
    size_t have = 0;
    char *end = NULL;

    while (!end) {
        if (have + 1 >= sizeof(pc->request))
            return false;
        ssize_t n = get(pc, pc->request + have, 1);
        if (n <= 0)
            return false;
        have += (size_t)n;
        pc->request[have] = '\0';
        end = have >= 4 && !strcmp(pc->request + have - 4, "\r\n\r\n") ? pc->request + have : NULL;
    }
    const char *length = strcasestr(pc->request, "\r\nContent-Length:");
    pc->body_len = length ? strtoul(length + 17, NULL, 10) : 0;
    for (size_t left = pc->body_len; left > 0;) {
        char sink[4096];
        ssize_t n = get(pc, sink, left < sizeof(sink) ? left : sizeof(sink));
        if (n <= 0)
            return false;
        left -= (size_t)n;
    }
    note_target(pc);
    pc->requests++;
    pc->peer->nrequests++;
    return true;
}

bool peer_write(struct peer_conn *pc, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t out = pc->tls ? SSL_write(pc->tls, bytes, n > 16000 ? 16000 : (int)n)
                              : send(pc->fd, bytes, n, MSG_NOSIGNAL);
        if (out <= 0)
            return false;
        bytes += out;
        n -= (size_t)out;
    }
    return true;
}

bool peer_write_text(struct peer_conn *pc, const char *text)
{
    return peer_write(pc, text, strlen(text));
}

bool peer_answer(struct peer_conn *pc, const char *body)
{
    char text[1024];

    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    return peer_write_text(pc, text);
}

void peer_wait(struct peer_conn *pc)
{
    while (sem_wait(&pc->peer->permits))
        ;
}

void peer_note(struct peer_conn *pc)
{
    pc->peer->nnotes++;
}

void peer_reset(struct peer_conn *pc)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr any = {.sa_family = AF_UNSPEC};

    setsockopt(pc->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    connect(pc->fd, &any, sizeof(any)); /* disconnects with RST; the descriptor stays ours */
}

void peer_end(struct peer_conn *pc)
{
    if (pc->tls)
        SSL_shutdown(pc->tls);
    peer_cut(pc);
}

void peer_cut(struct peer_conn *pc)
{
    shutdown(pc->fd, SHUT_WR);
}

void peer_linger(struct peer_conn *pc)
{
    char sink[4096];

    while (get(pc, sink, sizeof(sink)) > 0)
        ;
}

bool peer_ask_certificate(struct peer_conn *pc)
{
    char none;

    SSL_set_verify(pc->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_set_options(pc->tls,
                    SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION); /* a resumed one asks for nothing */
    int asked = SSL_version(pc->tls) == TLS1_3_VERSION ? SSL_verify_client_post_handshake(pc->tls)
                                                       : SSL_renegotiate(pc->tls);
    if (asked != 1 || SSL_do_handshake(pc->tls) != 1)
        return false;
    while (!SSL_get0_peer_certificate(pc->tls) || SSL_renegotiate_pending(pc->tls) || SSL_in_init(pc->tls)) {
        int n = SSL_peek(pc->tls, &none, 1);
        if (n > 0 || SSL_get_error(pc->tls, n) != SSL_ERROR_WANT_READ)
            return false;
    }
    return true;
}

void script_answers(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc) && peer_answer(pc, "ok"))
        ;
}

void script_answers_when_allowed(struct peer_conn *pc)
{
    if (!peer_handshake(pc))
        return;
    while (peer_read_request(pc)) {
        peer_wait(pc);
        if (!peer_answer(pc, "ok"))
            return;
    }
}
