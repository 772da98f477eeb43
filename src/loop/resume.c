/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume.c - TLS sessions from which new connections to a vault go on; see resume.h.
 *
 * libcurl has no call that empties a share, and takes none back while a handle uses it. So a share is
 * counted: by `resume` while it is the one for new connections, and by each connection that was opened with
 * it. To forget is to let go of it and make another when it is needed.
 *
 * libcurl offers a session only where host, port, proxy and all TLS options are those it was learned with.
 */
#include "loop/resume.h"

#include "base/log.h"

#include <stdlib.h>

#define HOUR_MS (3600u * 1000u)

struct resume_share {
    CURLSH *curl;
    size_t holders;
};

static struct resume_share *share_new(void)
{
    struct resume_share *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->holders = 1;
    s->curl = curl_share_init();
    if (s->curl && curl_share_setopt(s->curl, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
        return s;
    resume_drop(s);
    return NULL;
}

void resume_drop(struct resume_share *s)
{
    if (!s || --s->holders)
        return;
    CURLSHcode result = s->curl ? curl_share_cleanup(s->curl) : CURLSHE_OK;
    if (result)
        log_error("upstream_share", "error=%s", curl_share_strerror(result));
    free(s);
}

void resume_forget(struct resume *r)
{
    resume_drop(r->share);
    r->share = NULL;
    r->until_ms = 0;
}

void resume_distrust(struct resume *r, uint64_t now_ms)
{
    resume_forget(r);
    r->until_ms = now_ms + HOUR_MS;
}

struct resume_share *resume_take(struct resume *r, uint64_t now_ms)
{
    if (now_ms >= r->until_ms) {
        resume_drop(r->share);
        r->share = share_new();
        r->until_ms = now_ms + HOUR_MS;
    }
    if (r->share)
        r->share->holders++;
    return r->share;
}

CURLSH *resume_curl(const struct resume_share *s)
{
    return s->curl;
}
