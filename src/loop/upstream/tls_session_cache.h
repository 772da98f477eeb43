/*
 * tls_session_cache.h - TLS sessions from which new connections to a vault go on.
 *
 * Private to the upstream room. A handshake that resumes costs a third of a full one, and a vault that comes
 * back, or a crowd that comes at once, is met by many new connections. libcurl keeps the sessions (one share
 * handle); this file says for how long they may be used:
 *   - a resumed connection is as well verified as the one it goes on from, so a session is forgotten when
 *     files or proxy are renewed, and after an hour in any case;
 *   - a server that breaks when it is asked to resume is not asked again for an hour.
 *
 * Life: zeroed -> tls_session_cache_take/resume_drop, one pair for each connection ->
 * tls_session_cache_forget at the end. Without memory there is no share, and every handshake is a full one.
 */
#ifndef JG_LOOP_UPSTREAM_TLS_SESSION_CACHE_H
#define JG_LOOP_UPSTREAM_TLS_SESSION_CACHE_H

#include <curl/curl.h>
#include <stdint.h>

struct tls_session_share;

struct tls_session_cache {
    struct tls_session_share *share; /* NULL = none now */
    uint64_t until_ms;               /* it holds so long; then another */
};

/* What was learned so far is not used for connections that are opened from now on. */
void tls_session_cache_forget(struct tls_session_cache *);
/* A handshake failed: nothing is resumed for an hour. */
void tls_session_cache_distrust(struct tls_session_cache *, uint64_t now_ms);

/* For CURLOPT_SHARE of one connection, NULL = none. Given back when the connection's handle is gone. */
struct tls_session_share *tls_session_cache_take(struct tls_session_cache *, uint64_t now_ms);
CURLSH *tls_session_cache_curl(const struct tls_session_share *);
void tls_session_cache_drop(struct tls_session_share *); /* NULL is fine */

#endif
