/*
 * tls_session_cache.h - TLS sessions from which new connections to a vault resume.
 *
 * Private to loop/upstream/. A resumed handshake costs a third of a full one, and many connections are opened
 * at once when a vault comes back or many requests arrive. libcurl keeps the sessions (one share handle);
 * this file decides how long they may be used:
 *   - a resumed connection is verified as well as the one it resumes, so sessions are forgotten when files or
 * proxy are reloaded, and after an hour in any case;
 *   - after a handshake that failed, no session is resumed for an hour.
 *
 * Life: zeroed -> tls_session_cache_take/tls_session_cache_drop, one pair for each connection ->
 * tls_session_cache_forget at the end. Without memory there is no share, and every handshake is a full one.
 */
#ifndef JG_LOOP_UPSTREAM_TLS_SESSION_CACHE_H
#define JG_LOOP_UPSTREAM_TLS_SESSION_CACHE_H

#include <curl/curl.h>
#include <stdint.h>

struct tls_session_share;

struct tls_session_cache {
    struct tls_session_share *share; /* NULL = none at present */
    uint64_t until_ms;               /* the share is used until then */
};

/* Sessions kept so far are not used for connections opened from now on. */
void tls_session_cache_forget(struct tls_session_cache *);
/* A handshake failed: nothing is resumed for an hour. */
void tls_session_cache_distrust(struct tls_session_cache *, uint64_t now_ms);

/* For CURLOPT_SHARE of one connection, NULL = none. Dropped after the connection's handle is freed. */
struct tls_session_share *tls_session_cache_take(struct tls_session_cache *, uint64_t now_ms);
CURLSH *tls_session_cache_curl(const struct tls_session_share *);
void tls_session_cache_drop(struct tls_session_share *); /* NULL is fine */

#endif
