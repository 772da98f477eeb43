/*
 * sessions.h - cookie sessions, their idle time and their lock; OAuth clients and tokens.
 *
 * A session belongs to one cookie. It is a challenge (a second factor is awaited) or a signed-in user. The
 * web server answers the calls of one session one after the other: session_enter() grants the lock at once or
 * queues the waiter, session_leave() passes it on. The owner of the lock may be slow: that is what the lock
 * simulates.
 *
 * Ownership: the table owns sessions; a call inside a session holds a reference, so a session that ends
 * meanwhile leaves the table at once and is freed by the last leave.
 */
#ifndef SIM_SESSIONS_H
#define SIM_SESSIONS_H

#include "passwordsafe-sim/model.h"

#define SESSION_COOKIE 64

struct session_waiter {
    void (*granted)(struct session_waiter *);
    TAILQ_ENTRY(session_waiter) link;
};

struct session {
    char cookie[SESSION_COOKIE];
    struct model_user *user;        /* NULL until signed in */
    struct model_user *challenged;  /* second factor awaited */
    uint64_t used_ms, token_end_ms; /* token_end_ms 0 = not by token */
    bool gone;
    unsigned inside, inside_peak; /* calls that hold or await the lock */
    uint64_t calls;
    bool locked;
    TAILQ_HEAD(, session_waiter) waiting;
    TAILQ_ENTRY(session) link;
    UT_hash_handle by_cookie;
};

struct token {
    char *text;
    struct model_user *user;
    uint64_t end_ms;
    UT_hash_handle by_text;
};

struct oauth_client {
    char *id;
    struct secret secret;
    struct model_user *user;
    char *fixed_token; /* the token it always gets; NULL = random */
};

struct sessions {
    struct session *by_cookie;
    TAILQ_HEAD(, session) all; /* least recently used first */
    size_t n;
    unsigned peak; /* most calls ever inside one session */
    uint64_t opened, closed, expired;
    struct token *tokens;
    struct vec clients;
};

struct sessions *sessions_new(void);
void sessions_free(struct sessions *);

/* `user` only chooses a prepared cookie. NULL = out of memory or randomness. */
struct session *sessions_open(struct model *, struct model_user *user);
/* Touches; NULL when unknown, idle for too long, or its token ended (setting 5). */
struct session *sessions_find(struct model *, const char *cookie);
void sessions_close(struct model *, struct session *);
/* All, or those of one user; returns how many. */
size_t sessions_expire(struct model *, const struct model_user *);

/* true = go on now; false = `granted` will be called. Each is followed by one session_leave(). */
bool session_enter(struct sessions *, struct session *, struct session_waiter *);
void session_leave(struct sessions *, struct session *);

int sessions_add_client(struct model *, const char *id, const char *secret, struct model_user *,
                        const char *fixed_token);
struct oauth_client *sessions_client(const struct model *, const char *id);
/* NULL = out of memory or randomness. */
const struct token *sessions_issue(struct model *, const struct oauth_client *);
const struct token *sessions_token(struct model *, const char *text);

#endif
