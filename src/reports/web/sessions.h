/*
 * sessions.h - who is signed in: sessions in memory, found by the SHA-256 of their cookie.
 *
 * The cookie itself is kept nowhere, so a restart signs everyone out. A session ends `idle` after its last
 * use, `max` after its begin, when it is dropped, or when room is needed: beyond SESSIONS_PER_USER that
 * user's least recently used one ends, beyond SESSIONS_MAX the least recently used of all.
 *
 * A session remembers what was viewed in it: a page that asks again on its own shows nothing that the audit
 * trail does not have already.
 */
#ifndef JG_REPORTS_WEB_SESSIONS_H
#define JG_REPORTS_WEB_SESSIONS_H

#include "base/clock.h"
#include "base/digest.h"
#include "base/uthash_nofail.h"
#include "conf/table/conf_kinds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define SESSIONS_MAX      1000
#define SESSIONS_PER_USER 10
#define SESSION_TOKEN     64 /* letters of a cookie and of a CSRF token */
#define SESSION_VIEWS     32

struct web_session {
    char user[CONF_NAME_MAX];
    char csrf[SESSION_TOKEN + 1];
    uint64_t began_ms, used_ms; /* monotonic */
    /* private */
    unsigned char key[DIGEST_SIZE];
    uint64_t views[SESSION_VIEWS]; /* digests of what was viewed; 0 = none */
    unsigned next_view;
    UT_hash_handle hh;
    TAILQ_ENTRY(web_session) use;
};

struct web_sessions {
    const struct clock *clock;
    uint64_t idle_ms, max_ms;
    struct web_session *by_key;
    TAILQ_HEAD(web_session_list, web_session) used; /* least recently used first */
    size_t n;
};

void web_sessions_init(struct web_sessions *, const struct clock *);
void web_sessions_clear(struct web_sessions *);
/* A new session; writes its cookie. NULL without memory or randomness. */
struct web_session *web_session_new(struct web_sessions *, const char *user, char cookie[SESSION_TOKEN + 1]);
/* By its cookie, and used now. NULL = there is none, or it has ended. */
struct web_session *web_session_find(struct web_sessions *, const char *cookie);
void web_session_drop(struct web_sessions *, struct web_session *);
void web_sessions_drop_user(struct web_sessions *, const char *user);
/* Milliseconds until it ends, if it is not used. */
uint64_t web_session_left(const struct web_sessions *, const struct web_session *);
size_t web_sessions_count(struct web_sessions *); /* those that have not ended */

/* Was this viewed in the session, by the digest of its address? web_session_viewed() remembers it. */
bool web_session_has_viewed(const struct web_session *, uint64_t view);
void web_session_viewed(struct web_session *, uint64_t view);

#endif
