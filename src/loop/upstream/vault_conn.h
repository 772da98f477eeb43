/*
 * vault_conn.h - one connection to the vault: opened by libcurl, then bytes in and bytes out.
 *
 * The idea: libcurl opens connections well (names, proxies, TLS with full verification, client certificates)
 * and runs one transfer per call slowly. So libcurl opens the connection (CURLOPT_CONNECT_ONLY) and closes
 * it; between the two, OpenSSL and the socket move the bytes directly. The owner decides what goes over the
 * connection. A build with JG_CURL_IO moves every byte through libcurl instead, for comparison.
 *
 * curl_easy_send and curl_easy_recv move the bytes before and with the first bytes of an answer, so that
 * libcurl sees the session tickets of TLS 1.3, and all bytes where a proxy wraps TLS in TLS.
 *
 * Life: vault_conn_open -> opened(0) -> (send, recv, watch, ready())... -> vault_conn_close -> closed()
 *                       -> opened(-ECONNREFUSED), words in `error`      -> vault_conn_close -> closed()
 *
 * Invariants: no callback runs from within libcurl. opened() comes once, later, unless
 * vault_conn_close() came first. The poll stays registered for reading from opened() to vault_conn_close(),
 * but while `paused`: no system call per use. closed() may be called from within vault_conn_close(); then the
 * owner may free the memory. Once open, the easy handle is attached to its connection at once (by a first
 * read): libcurl takes an unattached connection for unused, and closes it when it looks for dead connections.
 */
#ifndef JG_LOOP_UPSTREAM_VAULT_CONN_H
#define JG_LOOP_UPSTREAM_VAULT_CONN_H

#include "base/timers.h"
#include "loop/upstream/upstream.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct dialer;
struct tls_session_share;

struct vault_conn {
    /* set by the owner */
    void (*opened)(struct vault_conn *, int err);
    void (*ready)(struct vault_conn *); /* readable, or writable if `want_write`, or lost */
    void (*closed)(struct vault_conn *);

    /* private, but for reading `error`, `want_write` and `tls` */
    struct dialer *dialer;
    CURL *easy;
    struct tls_session_share *tls_share; /* this and the next four: dialer.c's */
    struct deadline half_time;           /* at half of the connect timeout */
    uint64_t dialed_ms;
    curl_socket_t dialing; /* the socket libcurl watched last for it */
    bool tcp_open;         /* libcurl has waited for bytes of the peer: TCP is open, TLS is not yet */
    bool name_kept;        /* its address is from an earlier connect (libcurl's DNS cache) */
    SSL *tls;              /* NULL = plain; belongs to libcurl */
    curl_socket_t fd;
    bool wrapped; /* the proxy is reached over TLS: only libcurl can move the bytes */
    bool direct;  /* OpenSSL and the socket move the bytes, not libcurl */
    uv_poll_t poll;
    int events;            /* what the poll waits for; 0 = it is stopped */
    bool polled;           /* the poll handle is initialised */
    bool want_write;       /* a send or a receive could not go on until the socket takes bytes */
    bool paused;           /* the owner's: it does not read for now */
    enum call_fault fault; /* why opening failed */
    bool lost;             /* the poll reported an error */
    char error[CURL_ERROR_SIZE];
};

/* 0, -ENOMEM or -EIO; then opened() comes later. The owner's three functions are set before. */
int vault_conn_open(struct vault_conn *, struct dialer *);
void vault_conn_close(struct vault_conn *);

/* >0 bytes taken, -EAGAIN, or -ECONNRESET. After -EAGAIN the same bytes must be offered first. */
ssize_t vault_conn_send(struct vault_conn *, const char *bytes, size_t n);
/* >0 bytes, 0 = orderly end, -EAGAIN, or -ECONNRESET (over TLS also an end without close_notify). */
ssize_t vault_conn_recv(struct vault_conn *, char *to, size_t n);
/* Has nothing come in since vault_conn_recv() returned -EAGAIN? One system call; false also where it is not
 * known. */
bool vault_conn_silent(const struct vault_conn *);
/* May more bytes be read without waiting for the poll? `got` of `asked` came from the last vault_conn_recv().
 */
bool vault_conn_more(const struct vault_conn *, ssize_t got, size_t asked);
/* Waits for reading unless `paused`, for writing while `want_write`. 0 or -errno. */
int vault_conn_watch(struct vault_conn *);

/* Called by dialer.c alone: libcurl has finished opening. */
void vault_conn_on_opened(struct vault_conn *, CURLcode result);

#endif
