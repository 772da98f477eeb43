/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_session_cache.c - TLS sessions from which new connections to a vault resume; see tls_session_cache.h.
 *
 * libcurl cannot empty a share, nor free one while a handle uses it. So a share is reference-counted: one
 * reference by the cache while the share is for new connections, one by each connection opened with it. To
 * forget sessions, the cache drops its reference and makes another share when one is needed.
 *
 * libcurl offers a session only to the same host, port, proxy and TLS options.
 */
#include "loop/upstream/tls_session_cache.h"

#include "base/log.h"

#include <stdlib.h>

#define HOUR_MS (3600u * 1000u)

struct tls_session_share {
    CURLSH *curl;
    size_t holders;
};

static struct tls_session_share *share_new(void)
{
    struct tls_session_share *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->holders = 1;
    s->curl = curl_share_init();
    if (s->curl && curl_share_setopt(s->curl, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
        return s;
    tls_session_cache_drop(s);
    return NULL;
}

void tls_session_cache_drop(struct tls_session_share *s)
{
    if (!s || --s->holders)
        return;
    CURLSHcode result = s->curl ? curl_share_cleanup(s->curl) : CURLSHE_OK;
    if (result)
        log_error("upstream_share", "error=%s", curl_share_strerror(result));
    free(s);
}

void tls_session_cache_forget(struct tls_session_cache *r)
{
    tls_session_cache_drop(r->share);
    r->share = NULL;
    r->until_ms = 0;
}

void tls_session_cache_distrust(struct tls_session_cache *r, uint64_t now_ms)
{
    tls_session_cache_forget(r);
    r->until_ms = now_ms + HOUR_MS;
}

struct tls_session_share *tls_session_cache_take(struct tls_session_cache *r, uint64_t now_ms)
{
    if (now_ms >= r->until_ms) {
        tls_session_cache_drop(r->share);
        r->share = share_new();
        r->until_ms = now_ms + HOUR_MS;
    }
    if (r->share)
        r->share->holders++;
    return r->share;
}

CURLSH *tls_session_cache_curl(const struct tls_session_share *s)
{
    return s->curl;
}
