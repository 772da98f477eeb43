/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - access sessions; see sessions.h.
 */
#include "pra-sim/sessions.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const session_state_names[SESSION_NSTATES] = {"running", "ended", "abnormal"};

const char *const session_text_names[SESSION_NTEXTS] = {
    "user", "endpoint", "hostname", "jumpoint", "jump_group", "external_key", "credential_id"};

void sessions_init(struct sessions *s, uint64_t seed)
{
    *s = (struct sessions){.next_lseq = 1, .random = seed};
}

static void session_free(struct session *s)
{
    for (int i = 0; i < SESSION_NTEXTS; i++)
        free(s->text[i]);
    free(s);
}

void sessions_free(struct sessions *s)
{
    HASH_CLEAR(by_lsid, s->by_lsid);
    for (size_t i = 0; i < s->all.n; i++)
        session_free(s->all.item[i]);
    vec_free(&s->all);
    memset(s->n, 0, sizeof(s->n));
}

bool session_lsid(const char *text, char out[LSID_SIZE])
{
    size_t len = strlen(text), n = 0;
    bool braces = len > 2 && text[0] == '{' && text[len - 1] == '}';

    for (const char *p = text + braces; p < text + len - braces; p++) {
        if (*p == '-' && (n == 8 || n == 12 || n == 16 || n == 20))
            continue;
        if (n == LSID_SIZE - 1 || !isxdigit((unsigned char)*p))
            return false;
        out[n++] = (char)tolower((unsigned char)*p);
    }
    out[n] = '\0';
    return n == LSID_SIZE - 1;
}

struct session *sessions_find(const struct sessions *all, const char *text)
{
    char lsid[LSID_SIZE];
    struct session *s = NULL;

    if (session_lsid(text, lsid))
        HASH_FIND(by_lsid, all->by_lsid, lsid, LSID_SIZE - 1, s);
    return s;
}

static uint64_t mix(uint64_t *state)
{
    uint64_t x = (*state += 0x9e3779b97f4a7c15u);

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void make_lsid(struct sessions *all, char out[LSID_SIZE])
{
    uint64_t high = mix(&all->random), low = mix(&all->random);

    (void)snprintf(out, LSID_SIZE, "%016llx%016llx", (unsigned long long)high, (unsigned long long)low);
}

struct session *sessions_start(struct sessions *all, const char *lsid, int64_t now_ms)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (!lsid)
        make_lsid(all, s->lsid);
    else if (!session_lsid(lsid, s->lsid) || sessions_find(all, lsid)) {
        free(s);
        return NULL;
    }
    if (vec_push(&all->all, s)) {
        free(s);
        return NULL;
    }
    s->lseq = all->next_lseq++;
    s->start_ms = now_ms;
    all->n[SESSION_RUNNING]++;
    HASH_ADD(by_lsid, all->by_lsid, lsid, LSID_SIZE - 1, s);
    return s;
}

bool sessions_end(struct sessions *all, struct session *s, bool abnormally, int64_t now_ms)
{
    if (s->state != SESSION_RUNNING)
        return false;
    s->state = abnormally ? SESSION_ABNORMAL : SESSION_ENDED;
    s->end_ms = now_ms;
    all->n[SESSION_RUNNING]--;
    all->n[s->state]++;
    return true;
}

const char *session_text(const struct session *s, enum session_text which)
{
    static const char *const usual[SESSION_NTEXTS] = {
        "ann", "web01", "web01.acme.test", "Head office", "Servers", "", ""};

    return s->text[which] ? s->text[which] : usual[which];
}
