/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c - one connection to the vault; see wire.h for its life and its rules.
 *
 * Three things libcurl does not tell and this file finds out from OpenSSL's own object:
 *   - which way a call that would block wants to go: during a TLS 1.2 renegotiation or a TLS 1.3
 *     post-handshake authentication a read may have to write and a write may have to read;
 *   - whether decrypted or still encrypted bytes wait inside OpenSSL, where no poll sees them (read_ahead);
 *   - nothing else: it is never used to move bytes.
 *
 * Order that matters: the poll is closed before libcurl closes the descriptor under it.
 *
 * Not here: how connections are opened (dialer.c), what goes over them (exchange.c), when (pool.c).
 */
#include "loop/wire.h"

#include "base/secret.h"
#include "base/text.h"
#include "loop/dialer.h"

#include <errno.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;

    (void)events;
    if (status < 0) {
        w->lost = true; /* libuv has stopped the poll */
        w->events = 0;
    }
    w->ready(w);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;

    w->closed(w);
}

int wire_watch(struct wire *w)
{
    int events = UV_READABLE | (w->want_write ? UV_WRITABLE : 0);

    if (events == w->events)
        return 0;
    int err = uv_poll_start(&w->poll, events, on_poll);
    w->events = err ? 0 : events;
    return err;
}

int wire_open(struct wire *w, struct dialer *dialer)
{
    w->dialer = dialer;
    w->tls = NULL;
    w->events = 0;
    w->polled = w->want_write = w->lost = false;
    w->error[0] = '\0';
    return dialer_add(dialer, w);
}

void wire_close(struct wire *w)
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

static SSL *find_tls(struct wire *w)
{
    struct curl_tlssessioninfo *info = NULL;

    if (curl_easy_getinfo(w->easy, CURLINFO_TLS_SSL_PTR, &info) || !info)
        return NULL;
    return info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

static int refuse(struct wire *w, const char *why)
{
    if (!w->error[0])
        text_copy(w->error, sizeof(w->error), why);
    return -ECONNREFUSED;
}

/* The connection stands: attach it, find its descriptor and its TLS, wait for reading. */
static int adopt(struct wire *w)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char early;

    ssize_t n = wire_recv(w, &early, 1);
    wipe(&early, 1);
    if (n == 0)
        return refuse(w, "connection closed before a request was sent");
    if (n > 0)
        return refuse(w, "the server spoke before it was asked");
    if (n != -EAGAIN)
        return refuse(w, "connection lost before a request was sent");
    if (curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &fd) || fd == CURL_SOCKET_BAD)
        return refuse(w, "no socket");
    if (dialer_is_tls(w->dialer) && !(w->tls = find_tls(w)))
        return refuse(w, "libcurl does not use OpenSSL");
    if (uv_poll_init_socket(dialer_uv(w->dialer), &w->poll, fd))
        return refuse(w, "socket cannot be polled");
    w->polled = true;
    w->poll.data = w;
    w->want_write = w->tls && SSL_want_write(w->tls);
    return wire_watch(w) ? refuse(w, "socket cannot be polled") : 0;
}

void wire_on_opened(struct wire *w, CURLcode result)
{
    int err = result ? refuse(w, curl_easy_strerror(result)) : adopt(w);

    w->opened(w, err);
}

static int failed(struct wire *w, CURLcode result)
{
    if (!w->error[0])
        text_copy(w->error, sizeof(w->error), curl_easy_strerror(result));
    return -ECONNRESET;
}

ssize_t wire_send(struct wire *w, const char *bytes, size_t n)
{
    size_t out = 0;
    CURLcode result = curl_easy_send(w->easy, bytes, n, &out);

    if (result == CURLE_OK && out)
        return (ssize_t)out;
    if (result != CURLE_AGAIN && result != CURLE_OK)
        return failed(w, result);
    if (w->lost)
        return failed(w, CURLE_SEND_ERROR);
    if (!w->tls || !SSL_want_read(w->tls))
        w->want_write = true;
    return -EAGAIN;
}

ssize_t wire_recv(struct wire *w, char *to, size_t n)
{
    size_t got = 0;
    CURLcode result = curl_easy_recv(w->easy, to, n, &got);

    if (result == CURLE_OK && got == 0 && w->tls && !(SSL_get_shutdown(w->tls) & SSL_RECEIVED_SHUTDOWN))
        return failed(w, CURLE_RECV_ERROR); /* libcurl takes a cut connection for an orderly end */
    if (result == CURLE_OK)
        return (ssize_t)got;
    if (result != CURLE_AGAIN)
        return failed(w, result);
    if (w->lost)
        return failed(w, CURLE_RECV_ERROR);
    if (w->tls && SSL_want_write(w->tls))
        w->want_write = true;
    return -EAGAIN;
}

bool wire_more(const struct wire *w, ssize_t got, size_t asked)
{
    if (w->tls)
        return SSL_has_pending(w->tls) == 1;
    return got > 0 && (size_t)got == asked;
}
