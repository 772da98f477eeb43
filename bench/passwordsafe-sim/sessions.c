/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - the table of cookie sessions; see sessions.h.
 *
 * The list of all sessions is kept in the order of last use, so the idle ones are at its head and are swept
 * whenever a session is opened: the table cannot grow without bound.
 */
#include "passwordsafe-sim/sessions.h"

#include "base/id.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sessions *sessions_new(void)
{
    struct sessions *ss = calloc(1, sizeof(*ss));

    if (ss)
        TAILQ_INIT(&ss->all);
    return ss;
}

static void free_token(struct token *t)
{
    if (t->text)
        wipe(t->text, strlen(t->text));
    free(t->text);
    free(t);
}

static void free_client(struct oauth_client *c)
{
    free(c->id);
    free(c->fixed_token);
    secret_clear(&c->secret);
    free(c);
}

static void free_session(struct session *s)
{
    wipe(s->cookie, sizeof(s->cookie));
    free(s);
}

void sessions_free(struct sessions *ss)
{
    struct session *s;
    struct token *t, *next;

    if (!ss)
        return;
    HASH_CLEAR(by_cookie, ss->by_cookie);
    while ((s = TAILQ_FIRST(&ss->all))) {
        TAILQ_REMOVE(&ss->all, s, link);
        free_session(s);
    }
    HASH_ITER(by_text, ss->tokens, t, next)
    {
        HASH_DELETE(by_text, ss->tokens, t);
        free_token(t);
    }
    for (size_t i = 0; i < ss->clients.n; i++)
        free_client(ss->clients.item[i]);
    vec_free(&ss->clients);
    free(ss);
}

/* ---- life ---- */

void sessions_close(struct model *m, struct session *s)
{
    struct sessions *ss = m->sessions;

    if (s->gone)
        return;
    s->gone = true;
    HASH_DELETE(by_cookie, ss->by_cookie, s);
    TAILQ_REMOVE(&ss->all, s, link);
    ss->n--;
    ss->closed++;
    if (s->inside == 0)
        free_session(s);
}

static bool too_old(const struct model *m, const struct session *s)
{
    uint64_t now = model_now(m);

    if (m->settings.settings.value[SETTING_TOKEN_ENDS] && s->token_end_ms && now >= s->token_end_ms)
        return true;
    return now - s->used_ms >= m->settings.session_idle_ms;
}

static void sweep(struct model *m)
{
    struct session *s, *next;

    for (s = TAILQ_FIRST(&m->sessions->all); s && too_old(m, s); s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->inside > 0)
            continue;
        m->sessions->expired++;
        sessions_close(m, s);
    }
}

/* A prepared cookie while there are some, then random ones that look like ASP.NET's. */
static int new_cookie(struct model_user *u, char out[SESSION_COOKIE])
{
    char id[ID_SIZE];

    if (u && u->cookies_used < u->cookies.n) {
        (void)text_copy(out, SESSION_COOKIE, u->cookies.item[u->cookies_used++]);
        return 0;
    }
    if (id_new(id))
        return -EIO;
    for (size_t i = 0; i < ID_SIZE; i++)
        out[i] = (char)tolower((unsigned char)id[i]);
    return 0;
}

static struct session *lookup(const struct sessions *ss, const char *cookie)
{
    struct session *s;

    HASH_FIND(by_cookie, ss->by_cookie, cookie, strlen(cookie), s);
    return s;
}

struct session *sessions_open(struct model *m, struct model_user *user)
{
    struct sessions *ss = m->sessions;
    struct session *s = calloc(1, sizeof(*s));

    sweep(m);
    if (!s)
        return NULL;
    do {
        if (new_cookie(user, s->cookie)) {
            free(s);
            return NULL;
        }
    } while (lookup(ss, s->cookie));
    s->used_ms = model_now(m);
    TAILQ_INIT(&s->waiting);
    HASH_ADD_KEYPTR(by_cookie, ss->by_cookie, s->cookie, strlen(s->cookie), s);
    TAILQ_INSERT_TAIL(&ss->all, s, link);
    ss->n++;
    ss->opened++;
    return s;
}

struct session *sessions_find(struct model *m, const char *cookie)
{
    struct sessions *ss = m->sessions;
    struct session *s = lookup(ss, cookie);

    if (!s)
        return NULL;
    if (too_old(m, s)) {
        ss->expired++;
        sessions_close(m, s);
        return NULL;
    }
    s->used_ms = model_now(m);
    TAILQ_REMOVE(&ss->all, s, link);
    TAILQ_INSERT_TAIL(&ss->all, s, link);
    return s;
}

size_t sessions_expire(struct model *m, const struct model_user *user)
{
    struct session *s, *next;
    size_t n = 0;

    for (s = TAILQ_FIRST(&m->sessions->all); s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (user && s->user != user)
            continue;
        m->sessions->expired++;
        sessions_close(m, s);
        n++;
    }
    return n;
}

/* ---- the lock ---- */

bool session_enter(struct sessions *ss, struct session *s, struct session_waiter *w)
{
    s->inside++;
    s->calls++;
    if (s->inside > s->inside_peak)
        s->inside_peak = s->inside;
    if (s->inside_peak > ss->peak)
        ss->peak = s->inside_peak;
    if (!s->locked) {
        s->locked = true;
        return true;
    }
    TAILQ_INSERT_TAIL(&s->waiting, w, link);
    return false;
}

void session_leave(struct sessions *ss, struct session *s)
{
    struct session_waiter *next = TAILQ_FIRST(&s->waiting);

    (void)ss;
    s->inside--;
    s->locked = next != NULL;
    if (next) {
        TAILQ_REMOVE(&s->waiting, next, link);
        next->granted(next);
    } else if (s->gone) {
        free_session(s);
    }
}

/* ---- OAuth ---- */

int sessions_add_client(struct model *m, const char *id, const char *secret, struct model_user *user,
                        const char *fixed_token)
{
    struct oauth_client *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->user = user;
    if (strings_replace(&c->id, id) || strings_replace(&c->fixed_token, fixed_token) ||
        secret_set(&c->secret, secret, strlen(secret)) || vec_push(&m->sessions->clients, c)) {
        free_client(c);
        return -ENOMEM;
    }
    return 0;
}

struct oauth_client *sessions_client(const struct model *m, const char *id)
{
    for (size_t i = 0; i < m->sessions->clients.n; i++) {
        struct oauth_client *c = m->sessions->clients.item[i];
        if (strcmp(c->id, id) == 0)
            return c;
    }
    return NULL;
}

static struct token *find_token(const struct sessions *ss, const char *text)
{
    struct token *t;

    HASH_FIND(by_text, ss->tokens, text, strlen(text), t);
    return t;
}

static struct token *token_new(struct sessions *ss, const char *text)
{
    struct token *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    if (strings_replace(&t->text, text)) {
        free(t);
        return NULL;
    }
    HASH_ADD_KEYPTR(by_text, ss->tokens, t->text, strlen(t->text), t);
    return t;
}

static void sweep_tokens(struct model *m)
{
    struct token *t, *next;

    HASH_ITER(by_text, m->sessions->tokens, t, next)
    {
        if (model_now(m) < t->end_ms)
            continue;
        HASH_DELETE(by_text, m->sessions->tokens, t);
        free_token(t);
    }
}

const struct token *sessions_issue(struct model *m, const struct oauth_client *c)
{
    char id[ID_SIZE];
    const char *text = c->fixed_token;
    struct token *t;

    sweep_tokens(m);
    if (!text && id_new(id))
        return NULL;
    if (!text)
        text = id;
    t = find_token(m->sessions, text);
    if (!t)
        t = token_new(m->sessions, text);
    if (!t)
        return NULL;
    t->user = c->user;
    t->end_ms = model_now(m) + m->settings.token_minutes * 60000;
    return t;
}

const struct token *sessions_token(struct model *m, const char *text)
{
    const struct token *t = find_token(m->sessions, text);

    return t && model_now(m) < t->end_ms ? t : NULL;
}
