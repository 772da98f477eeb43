/*
 * resume.h - TLS sessions from which new connections to a vault go on.
 *
 * Private to the upstream room. A handshake that resumes costs a third of a full one, and a vault that comes
 * back, or a crowd that comes at once, is met by many new connections. libcurl keeps the sessions (one share
 * handle); this file says for how long they may be used:
 *   - a resumed connection is as well verified as the one it goes on from, so a session is forgotten when
 *     files or proxy are renewed, and after an hour in any case;
 *   - a server that breaks when it is asked to resume is not asked again for an hour.
 *
 * Life: zeroed -> resume_take/resume_drop, one pair for each connection -> resume_forget at the end.
 * Without memory there is no share, and every handshake is a full one.
 */
#ifndef JG_LOOP_RESUME_H
#define JG_LOOP_RESUME_H

#include <curl/curl.h>
#include <stdint.h>

struct resume_share;

struct resume {
    struct resume_share *share; /* NULL = none now */
    uint64_t until_ms;          /* it holds so long; then another */
};

/* What was learned so far is not used for connections that are opened from now on. */
void resume_forget(struct resume *);
/* A handshake failed: nothing is resumed for an hour. */
void resume_distrust(struct resume *, uint64_t now_ms);

/* For CURLOPT_SHARE of one connection, NULL = none. Given back when the connection's handle is gone. */
struct resume_share *resume_take(struct resume *, uint64_t now_ms);
CURLSH *resume_curl(const struct resume_share *);
void resume_drop(struct resume_share *); /* NULL is fine */

#endif
