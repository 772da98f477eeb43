/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - who is signed in; see sessions.h.
 */
#include "reports/web/sessions.h"

#include "base/memory/secret.h"
#include "base/text.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

void web_sessions_init(struct web_sessions *s, const struct clock *clock)
{
    *s = (struct web_sessions){.clock = clock};
    TAILQ_INIT(&s->used);
}

void web_session_drop(struct web_sessions *s, struct web_session *session)
{
    HASH_DEL(s->by_key, session);
    TAILQ_REMOVE(&s->used, session, use);
    s->n--;
    wipe(session, sizeof(*session));
    free(session);
}

void web_sessions_clear(struct web_sessions *s)
{
    while (!TAILQ_EMPTY(&s->used))
        web_session_drop(s, TAILQ_FIRST(&s->used));
}

uint64_t web_session_left(const struct web_sessions *s, const struct web_session *session)
{
    uint64_t now = clock_now(s->clock);
    uint64_t idle = session->used_ms + s->idle_ms, max = session->began_ms + s->max_ms;
    uint64_t end = idle < max ? idle : max;

    return end > now ? end - now : 0;
}

static void drop_ended(struct web_sessions *s)
{
    struct web_session *session, *next;

    for (session = TAILQ_FIRST(&s->used); session; session = next) {
        next = TAILQ_NEXT(session, use);
        if (!web_session_left(s, session))
            web_session_drop(s, session);
    }
}

size_t web_sessions_count(struct web_sessions *s)
{
    drop_ended(s);
    return s->n;
}

static void make_room(struct web_sessions *s, const char *user)
{
    struct web_session *session, *oldest = NULL;
    size_t own = 0;

    drop_ended(s);
    TAILQ_FOREACH(session, &s->used, use)
    {
        if (strcmp(session->user, user) != 0)
            continue;
        own++;
        oldest = oldest ? oldest : session;
    }
    if (own >= SESSIONS_PER_USER)
        web_session_drop(s, oldest);
    if (s->n >= SESSIONS_MAX)
        web_session_drop(s, TAILQ_FIRST(&s->used));
}

static bool random_token(char out[SESSION_TOKEN + 1])
{
    unsigned char bytes[SESSION_TOKEN / 2];
    bool good = RAND_bytes(bytes, sizeof(bytes)) == 1;

    text_hex(out, bytes, sizeof(bytes));
    wipe(bytes, sizeof(bytes));
    return good;
}

struct web_session *web_session_new(struct web_sessions *s, const char *user, char cookie[SESSION_TOKEN + 1])
{
    struct web_session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    if (!random_token(cookie) || !random_token(session->csrf) ||
        digest_sha256(cookie, SESSION_TOKEN, session->key)) {
        free(session);
        return NULL;
    }
    (void)text_copy(session->user, sizeof(session->user), user);
    session->began_ms = session->used_ms = clock_now(s->clock);
    make_room(s, user);
    HASH_ADD(hh, s->by_key, key, DIGEST_SIZE, session);
    if (!session->hh.tbl) {
        free(session);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&s->used, session, use);
    s->n++;
    return session;
}

struct web_session *web_session_find(struct web_sessions *s, const char *cookie)
{
    unsigned char key[DIGEST_SIZE];
    struct web_session *session = NULL;

    if (strlen(cookie) != SESSION_TOKEN || digest_sha256(cookie, SESSION_TOKEN, key))
        return NULL;
    HASH_FIND(hh, s->by_key, key, DIGEST_SIZE, session);
    if (!session)
        return NULL;
    if (!web_session_left(s, session)) {
        web_session_drop(s, session);
        return NULL;
    }
    session->used_ms = clock_now(s->clock);
    TAILQ_REMOVE(&s->used, session, use);
    TAILQ_INSERT_TAIL(&s->used, session, use);
    return session;
}

void web_sessions_drop_user(struct web_sessions *s, const char *user)
{
    struct web_session *session, *next;

    for (session = TAILQ_FIRST(&s->used); session; session = next) {
        next = TAILQ_NEXT(session, use);
        if (strcmp(session->user, user) == 0)
            web_session_drop(s, session);
    }
}

bool web_session_has_viewed(const struct web_session *session, uint64_t view)
{
    for (size_t i = 0; i < SESSION_VIEWS; i++)
        if (session->views[i] == view)
            return view;
    return false;
}

void web_session_viewed(struct web_session *session, uint64_t view)
{
    if (!view || web_session_has_viewed(session, view))
        return;
    session->views[session->next_view] = view;
    session->next_view = (session->next_view + 1) % SESSION_VIEWS;
}
