/* SPDX-License-Identifier: Apache-2.0 */
/* failing_ssl.c - libssl's calls that can fail: the rows of failing_ssl.def. */
#include "failing_openssl.h"
#include "failing_table.h"

#include <openssl/ssl.h>

#include "failing_ssl.def"

/* Modes are set and counted; the rest may be refused. */
long __real_SSL_CTX_ctrl(SSL_CTX *ctx, int what, long n, void *arg);
long __wrap_SSL_CTX_ctrl(SSL_CTX *ctx, int what, long n, void *arg);
long __wrap_SSL_CTX_ctrl(SSL_CTX *ctx, int what, long n, void *arg)
{
    bool never = what == SSL_CTRL_MODE || what == SSL_CTRL_SET_READ_AHEAD ||
                 what == SSL_CTRL_SET_SESS_CACHE_MODE || what == SSL_CTRL_SET_MAX_SEND_FRAGMENT;

    return !never && failing_call("SSL_CTX_ctrl") ? REFUSED(0) : __real_SSL_CTX_ctrl(ctx, what, n, arg);
}

long plain_SSL_CTX_ctrl(SSL_CTX *ctx, int what, long n, void *arg);
long plain_SSL_CTX_ctrl(SSL_CTX *ctx, int what, long n, void *arg)
{
    return __real_SSL_CTX_ctrl(ctx, what, n, arg);
}

long __real_SSL_ctrl(SSL *ssl, int what, long n, void *arg);
long __wrap_SSL_ctrl(SSL *ssl, int what, long n, void *arg);
long __wrap_SSL_ctrl(SSL *ssl, int what, long n, void *arg)
{
    return what != SSL_CTRL_SET_MSG_CALLBACK_ARG && failing_call("SSL_ctrl")
               ? REFUSED(0)
               : __real_SSL_ctrl(ssl, what, n, arg);
}

long plain_SSL_ctrl(SSL *ssl, int what, long n, void *arg);
long plain_SSL_ctrl(SSL *ssl, int what, long n, void *arg)
{
    return __real_SSL_ctrl(ssl, what, n, arg);
}
