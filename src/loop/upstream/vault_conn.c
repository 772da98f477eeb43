/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_conn.c - one connection to the vault; see vault_conn.h for its life and its rules.
 *
 * Bytes move in one of three ways: through libcurl, directly over TLS (SSL_read, SSL_write), directly in
 * plain (recv, send). libcurl's own BIO works only from within libcurl, so the TLS object gets a socket BIO
 * before it is used directly; OpenSSL keeps nothing in a BIO between calls, and libcurl's close_notify goes
 * through the new one. Without memory for that BIO, the bytes stay with libcurl. SIGPIPE is ignored (loop.c).
 *
 * Verification, the client certificate and every limit of TLS stay as libcurl has set them: they belong to
 * the TLS object, whatever BIO its records take.
 *
 * OpenSSL's state that no poll sees:
 *   - the direction in which a call would block: during a TLS 1.2 renegotiation or a TLS 1.3
 *     post-handshake authentication a read may have to write and a write may have to read;
 *   - whether decrypted or still encrypted bytes wait inside OpenSSL (read_ahead).
 *
 * Order that matters: the poll is closed before libcurl closes the descriptor under it.
 *
 * Not here: how connections are opened (dialer.c), what goes over them (exchange.c), when (conn_pool.c).
 */
#include "loop/upstream/vault_conn.h"

#include "base/certificate.h"
#include "base/memory/secret.h"
#include "base/text.h"
#include "loop/upstream/dialer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifdef JG_CURL_IO
static const bool may_leave_libcurl = false;
#else
static const bool may_leave_libcurl = true;
#endif

/* ---- life ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct vault_conn *vc = poll->data;

    (void)events;
    if (status >= 0 && !loop_step(loop_of(poll->loop), LOOP_ANSWERS))
        return; /* reported again in the next iteration */
    if (status < 0) {
        vc->lost = true; /* libuv has stopped the poll */
        vc->events = 0;
    }
    vc->ready(vc);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct vault_conn *vc = handle->data;

    vc->closed(vc);
}

int vault_conn_watch(struct vault_conn *vc)
{
    int events = (vc->paused ? 0 : UV_READABLE) | (vc->want_write ? UV_WRITABLE : 0);

    if (events == vc->events)
        return 0;
    int err = events ? uv_poll_start(&vc->poll, events, on_poll) : uv_poll_stop(&vc->poll);
    vc->events = err ? 0 : events;
    return err;
}

int vault_conn_open(struct vault_conn *vc, struct dialer *dialer)
{
    vc->dialer = dialer;
    vc->tls = NULL;
    vc->tls_share = NULL;
    vc->half_time = (struct deadline){0};
    vc->fd = CURL_SOCKET_BAD;
    vc->events = 0;
    vc->polled = vc->want_write = vc->lost = vc->wrapped = vc->direct = vc->paused = false;
    vc->fault = CALL_FAULT_NONE;
    vc->error[0] = '\0';
    return dialer_add(dialer, vc);
}

void vault_conn_close(struct vault_conn *vc)
{
    if (!vc->easy)
        return;
    if (vc->polled)
        uv_close((uv_handle_t *)&vc->poll, on_poll_closed);
    vc->tls = NULL;
    dialer_remove(vc->dialer, vc);
    if (!vc->polled)
        vc->closed(vc);
}

static SSL *find_tls(struct vault_conn *vc)
{
    struct curl_tlssessioninfo *info = NULL;

    if (curl_easy_getinfo(vc->easy, CURLINFO_TLS_SSL_PTR, &info) || !info)
        return NULL;
    return info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

static enum call_fault certificate_fault(CURL *easy)
{
    long verdict = 0;

    if (curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict))
        return CALL_FAULT_OTHER;
    switch (verdict) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl compares the name itself, before it asks for the verdict */
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return CALL_FAULT_WRONG_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return CALL_FAULT_EXPIRED;
    default: return CALL_FAULT_ISSUER;
    }
}

/* How far opening had come: the name, the TCP connection, TLS. */
static enum call_fault timeout_fault(const struct vault_conn *vc)
{
    curl_off_t named = 0;

    if (curl_easy_getinfo(vc->easy, CURLINFO_NAMELOOKUP_TIME_T, &named) || !named)
        return CALL_FAULT_NAME;
    return vc->tcp_open ? CALL_FAULT_NO_TLS : CALL_FAULT_TIMEOUT;
}

static enum call_fault fault_of(const struct vault_conn *vc, CURLcode result)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return CALL_FAULT_NAME;
    case CURLE_COULDNT_CONNECT: return CALL_FAULT_REFUSED;
    case CURLE_OPERATION_TIMEDOUT: return timeout_fault(vc);
    case CURLE_PEER_FAILED_VERIFICATION: return certificate_fault(vc->easy);
    case CURLE_SSL_CONNECT_ERROR: return CALL_FAULT_NO_TLS;
    default: return CALL_FAULT_OTHER;
    }
}

/* A client certificate that the other side refuses is said as that, and not as OpenSSL says it. */
static void set_error(struct vault_conn *vc, const char *why)
{
    if (!vc->error[0])
        text_copy(vc->error, sizeof(vc->error), why);
    if (strstr(vc->error, "getpeername() failed")) /* libcurl's word for a socket that is closed by then */
        text_copy(vc->error, sizeof(vc->error), "the server has ended the connection as soon as it was open");
    const char *alert = certificate_refusal_in(vc->error);

    if (alert)
        (void)snprintf(vc->error, sizeof(vc->error),
                       "the client certificate is refused, or one is wanted (%s)", alert);
}

static int open_failed(struct vault_conn *vc, const char *why)
{
    if (!vc->fault)
        vc->fault = CALL_FAULT_OTHER;
    set_error(vc, why);
    return -ECONNREFUSED;
}

/* The connection is open: attach it, find its descriptor and its TLS, wait for reading. */
static int attach_handle(struct vault_conn *vc)
{
    char early;

    ssize_t n = vault_conn_recv(vc, &early, 1);
    wipe(&early, 1);
    if (n == 0)
        return open_failed(vc, "connection closed before a request was sent");
    if (n > 0)
        return open_failed(vc, "the server spoke before it was asked");
    if (n != -EAGAIN)
        return open_failed(vc, "connection lost before a request was sent");
    if (curl_easy_getinfo(vc->easy, CURLINFO_ACTIVESOCKET, &vc->fd) || vc->fd == CURL_SOCKET_BAD)
        return open_failed(vc, "no socket");
    if (dialer_is_tls(vc->dialer) && !(vc->tls = find_tls(vc)))
        return open_failed(vc, "libcurl does not use OpenSSL");
    if (uv_poll_init_socket(dialer_uv(vc->dialer), &vc->poll, vc->fd))
        return open_failed(vc, "socket cannot be polled");
    vc->polled = true;
    vc->poll.data = vc;
    vc->want_write = vc->tls && SSL_want_write(vc->tls);
    return vault_conn_watch(vc) ? open_failed(vc, "socket cannot be polled") : 0;
}

void vault_conn_on_opened(struct vault_conn *vc, CURLcode result)
{
    if (result)
        vc->fault = fault_of(vc, result);
    int err = result ? open_failed(vc, curl_easy_strerror(result)) : attach_handle(vc);

    vc->opened(vc, err);
}

static int conn_lost(struct vault_conn *vc, const char *why)
{
    set_error(vc, why);
    return -ECONNRESET;
}

/* The socket has no room or nothing to read. */
static int would_block(struct vault_conn *vc, bool want_write)
{
    if (vc->lost)
        return conn_lost(vc, "the connection broke");
    vc->want_write |= want_write;
    return -EAGAIN;
}

/* ---- through libcurl ---- */

static ssize_t curl_out(struct vault_conn *vc, const char *bytes, size_t n)
{
    size_t out = 0;
    CURLcode result = curl_easy_send(vc->easy, bytes, n, &out);

    if (result == CURLE_OK && out)
        return (ssize_t)out;
    if (result != CURLE_AGAIN && result != CURLE_OK)
        return conn_lost(vc, curl_easy_strerror(result));
    return would_block(vc, !vc->tls || !SSL_want_read(vc->tls));
}

static ssize_t curl_in(struct vault_conn *vc, char *to, size_t n)
{
    size_t got = 0;
    CURLcode result = curl_easy_recv(vc->easy, to, n, &got);

    if (result == CURLE_OK && got == 0 && vc->tls && !(SSL_get_shutdown(vc->tls) & SSL_RECEIVED_SHUTDOWN))
        result = CURLE_RECV_ERROR; /* libcurl takes a cut connection for an orderly end */
    if (result == CURLE_OK)
        return (ssize_t)got;
    if (result != CURLE_AGAIN)
        return conn_lost(vc, curl_easy_strerror(result));
    return would_block(vc, vc->tls && SSL_want_write(vc->tls));
}

/* Later sends and receives are direct, where that is possible. */
static void leave_libcurl(struct vault_conn *vc)
{
    if (vc->wrapped || !may_leave_libcurl)
        return;
    if (vc->tls) {
        BIO *bio = BIO_new_socket(vc->fd, BIO_NOCLOSE);
        if (!bio)
            return;
        SSL_set_bio(vc->tls, bio, bio);
        SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(vc->tls),
                                NULL); /* libcurl's callback; it has its tickets by now */
    }
    vc->direct = true;
}

/* ---- directly, over TLS ---- */

/* OpenSSL takes an error left in the queue for one of the next call. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* Why SSL_read_ex() or SSL_write_ex() moved no byte: 0 = an orderly end. */
static ssize_t tls_stopped(struct vault_conn *vc)
{
    int broken = errno;
    const char *words;

    switch (SSL_get_error(vc->tls, 0)) {
    case SSL_ERROR_WANT_READ: return would_block(vc, false);
    case SSL_ERROR_WANT_WRITE: return would_block(vc, true);
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return conn_lost(vc, broken ? strerror(broken) : "the connection was cut");
    default:
        words = ERR_reason_error_string(ERR_peek_last_error());
        ERR_clear_error();
        return conn_lost(vc, words ? words : "TLS failed");
    }
}

static ssize_t tls_out(struct vault_conn *vc, const char *bytes, size_t n)
{
    size_t out = 0;

    forget_errors();
    errno = 0;
    if (SSL_write_ex(vc->tls, bytes, n, &out))
        return (ssize_t)out;
    ssize_t err = tls_stopped(vc);
    return err ? err : conn_lost(vc, "the server has ended the connection");
}

static ssize_t tls_in(struct vault_conn *vc, char *to, size_t n)
{
    size_t got = 0;

    forget_errors();
    errno = 0;
    return SSL_read_ex(vc->tls, to, n, &got) ? (ssize_t)got : tls_stopped(vc);
}

/* ---- directly, in plain ---- */

static ssize_t plain_done(struct vault_conn *vc, ssize_t n, bool sending)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return would_block(vc, sending);
    return conn_lost(vc, strerror(errno));
}

/* ---- the way in use ---- */

ssize_t vault_conn_send(struct vault_conn *vc, const char *bytes, size_t n)
{
    if (!vc->direct)
        return curl_out(vc, bytes, n);
    if (vc->tls)
        return tls_out(vc, bytes, n);
    return plain_done(vc, send(vc->fd, bytes, n, MSG_NOSIGNAL), true);
}

ssize_t vault_conn_recv(struct vault_conn *vc, char *to, size_t n)
{
    if (vc->direct)
        return vc->tls ? tls_in(vc, to, n) : plain_done(vc, recv(vc->fd, to, n, 0), false);
    ssize_t got = curl_in(vc, to, n);
    if (got > 0 && vc->polled)
        leave_libcurl(vc);
    return got;
}

bool vault_conn_silent(const struct vault_conn *vc)
{
    char byte;

    return vc->direct && recv(vc->fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool vault_conn_more(const struct vault_conn *vc, ssize_t got, size_t asked)
{
    if (vc->wrapped)
        return true; /* the outer TLS may hold bytes */
    if (vc->tls)
        return SSL_has_pending(vc->tls) == 1;
    return got > 0 && (size_t)got == asked;
}
