/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_conn.c - one connection to the vault; see vault_conn.h for its life and its rules.
 *
 * There are three ways for bytes: through libcurl, past it over TLS (SSL_read, SSL_write), past it in plain
 * (recv, send). libcurl's own BIO needs libcurl on the stack, so the TLS object gets a plain socket BIO
 * before it is used past libcurl; OpenSSL keeps nothing in a BIO between calls, and libcurl's closing alert
 * goes through the new one. Where that BIO cannot be had, libcurl stays the way. SIGPIPE is ignored (loop.c).
 *
 * Verification, the client certificate and every limit of TLS stay as libcurl has set them: they belong to
 * the TLS object, not to the way its records take.
 *
 * What OpenSSL knows and no poll sees:
 *   - which way a call that would block wants to go: during a TLS 1.2 renegotiation or a TLS 1.3
 *     post-handshake authentication a read may have to write and a write may have to read;
 *   - whether decrypted or still encrypted bytes wait inside OpenSSL (read_ahead).
 *
 * Order that matters: the poll is closed before libcurl closes the descriptor under it.
 *
 * Not here: how connections are opened (dialer.c), what goes over them (exchange.c), when (conn_pool.c).
 */
#include "loop/upstream/vault_conn.h"

#include "base/memory/secret.h"
#include "base/text.h"
#include "loop/upstream/dialer.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

/* ---- life ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct vault_conn *w = poll->data;

    (void)events;
    if (status >= 0 && !loop_step(loop_of(poll->loop), LOOP_ANSWERS))
        return; /* reported again in the next turn */
    if (status < 0) {
        w->lost = true; /* libuv has stopped the poll */
        w->events = 0;
    }
    w->ready(w);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct vault_conn *w = handle->data;

    w->closed(w);
}

int vault_conn_watch(struct vault_conn *w)
{
    int events = UV_READABLE | (w->want_write ? UV_WRITABLE : 0);

    if (events == w->events)
        return 0;
    int err = uv_poll_start(&w->poll, events, on_poll);
    w->events = err ? 0 : events;
    return err;
}

int vault_conn_open(struct vault_conn *w, struct dialer *dialer)
{
    w->dialer = dialer;
    w->tls = NULL;
    w->tls_session_cache = NULL;
    w->half = (struct deadline){0};
    w->fd = CURL_SOCKET_BAD;
    w->events = 0;
    w->polled = w->want_write = w->lost = w->wrapped = w->direct = false;
    w->error[0] = '\0';
    return dialer_add(dialer, w);
}

void vault_conn_close(struct vault_conn *w)
{
    if (!w->easy)
        return;
    if (w->polled)
        uv_close((uv_handle_t *)&w->poll, on_poll_closed);
    w->tls = NULL;
    dialer_remove(w->dialer, w);
    if (!w->polled)
        w->closed(w);
}

static SSL *find_tls(struct vault_conn *w)
{
    struct curl_tlssessioninfo *info = NULL;

    if (curl_easy_getinfo(w->easy, CURLINFO_TLS_SSL_PTR, &info) || !info)
        return NULL;
    return info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

static int refuse(struct vault_conn *w, const char *why)
{
    if (!w->error[0])
        text_copy(w->error, sizeof(w->error), why);
    return -ECONNREFUSED;
}

/* The connection stands: attach it, find its descriptor and its TLS, wait for reading. */
static int adopt(struct vault_conn *w)
{
    char early;

    ssize_t n = vault_conn_recv(w, &early, 1);
    wipe(&early, 1);
    if (n == 0)
        return refuse(w, "connection closed before a request was sent");
    if (n > 0)
        return refuse(w, "the server spoke before it was asked");
    if (n != -EAGAIN)
        return refuse(w, "connection lost before a request was sent");
    if (curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &w->fd) || w->fd == CURL_SOCKET_BAD)
        return refuse(w, "no socket");
    if (dialer_is_tls(w->dialer) && !(w->tls = find_tls(w)))
        return refuse(w, "libcurl does not use OpenSSL");
    if (uv_poll_init_socket(dialer_uv(w->dialer), &w->poll, w->fd))
        return refuse(w, "socket cannot be polled");
    w->polled = true;
    w->poll.data = w;
    w->want_write = w->tls && SSL_want_write(w->tls);
    return vault_conn_watch(w) ? refuse(w, "socket cannot be polled") : 0;
}

void vault_conn_on_opened(struct vault_conn *w, CURLcode result)
{
    int err = result ? refuse(w, curl_easy_strerror(result)) : adopt(w);

    w->opened(w, err);
}

static int failed(struct vault_conn *w, const char *why)
{
    if (!w->error[0])
        text_copy(w->error, sizeof(w->error), why);
    return -ECONNRESET;
}

/* The socket has no room or nothing to read. */
static int blocked(struct vault_conn *w, bool want_write)
{
    if (w->lost)
        return failed(w, "the connection broke");
    w->want_write |= want_write;
    return -EAGAIN;
}

/* ---- through libcurl ---- */

static ssize_t curl_out(struct vault_conn *w, const char *bytes, size_t n)
{
    size_t out = 0;
    CURLcode result = curl_easy_send(w->easy, bytes, n, &out);

    if (result == CURLE_OK && out)
        return (ssize_t)out;
    if (result != CURLE_AGAIN && result != CURLE_OK)
        return failed(w, curl_easy_strerror(result));
    return blocked(w, !w->tls || !SSL_want_read(w->tls));
}

static ssize_t curl_in(struct vault_conn *w, char *to, size_t n)
{
    size_t got = 0;
    CURLcode result = curl_easy_recv(w->easy, to, n, &got);

    if (result == CURLE_OK && got == 0 && w->tls && !(SSL_get_shutdown(w->tls) & SSL_RECEIVED_SHUTDOWN))
        result = CURLE_RECV_ERROR; /* libcurl takes a cut connection for an orderly end */
    if (result == CURLE_OK)
        return (ssize_t)got;
    if (result != CURLE_AGAIN)
        return failed(w, curl_easy_strerror(result));
    return blocked(w, w->tls && SSL_want_write(w->tls));
}

/* Later sends and receives go past libcurl, if they can. */
static void leave_libcurl(struct vault_conn *w)
{
    if (w->wrapped)
        return;
    if (w->tls) {
        BIO *bio = BIO_new_socket(w->fd, BIO_NOCLOSE);
        if (!bio)
            return;
        SSL_set_bio(w->tls, bio, bio);
        SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(w->tls), NULL); /* libcurl's; it has its tickets */
    }
    w->direct = true;
}

/* ---- past libcurl, over TLS ---- */

/* OpenSSL takes an error that somebody else has left behind for one of the next call. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* Why SSL_read_ex() or SSL_write_ex() had nothing to give: 0 = an orderly end. */
static ssize_t tls_stopped(struct vault_conn *w)
{
    int broken = errno;
    const char *words;

    switch (SSL_get_error(w->tls, 0)) {
    case SSL_ERROR_WANT_READ: return blocked(w, false);
    case SSL_ERROR_WANT_WRITE: return blocked(w, true);
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return failed(w, broken ? strerror(broken) : "the connection was cut");
    default:
        words = ERR_reason_error_string(ERR_peek_last_error());
        ERR_clear_error();
        return failed(w, words ? words : "TLS failed");
    }
}

static ssize_t tls_out(struct vault_conn *w, const char *bytes, size_t n)
{
    size_t out = 0;

    forget_errors();
    errno = 0;
    if (SSL_write_ex(w->tls, bytes, n, &out))
        return (ssize_t)out;
    ssize_t err = tls_stopped(w);
    return err ? err : failed(w, "the server has ended the connection");
}

static ssize_t tls_in(struct vault_conn *w, char *to, size_t n)
{
    size_t got = 0;

    forget_errors();
    errno = 0;
    return SSL_read_ex(w->tls, to, n, &got) ? (ssize_t)got : tls_stopped(w);
}

/* ---- past libcurl, in plain ---- */

static ssize_t plain_done(struct vault_conn *w, ssize_t n, bool sending)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return blocked(w, sending);
    return failed(w, strerror(errno));
}

/* ---- all ways ---- */

ssize_t vault_conn_send(struct vault_conn *w, const char *bytes, size_t n)
{
    if (!w->direct)
        return curl_out(w, bytes, n);
    if (w->tls)
        return tls_out(w, bytes, n);
    return plain_done(w, send(w->fd, bytes, n, MSG_NOSIGNAL), true);
}

ssize_t vault_conn_recv(struct vault_conn *w, char *to, size_t n)
{
    if (w->direct)
        return w->tls ? tls_in(w, to, n) : plain_done(w, recv(w->fd, to, n, 0), false);
    ssize_t got = curl_in(w, to, n);
    if (got > 0 && w->polled)
        leave_libcurl(w);
    return got;
}

bool vault_conn_silent(const struct vault_conn *w)
{
    char byte;

    return w->direct && recv(w->fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool vault_conn_more(const struct vault_conn *w, ssize_t got, size_t asked)
{
    if (w->wrapped)
        return true; /* what the outer TLS holds cannot be seen */
    if (w->tls)
        return SSL_has_pending(w->tls) == 1;
    return got > 0 && (size_t)got == asked;
}
