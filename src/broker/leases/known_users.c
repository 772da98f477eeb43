/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known_users.c - by vault and user, in the order of their last request; see known_users.h. Where there are
 * too many the oldest are forgotten.
 */
#include "broker/leases/known_users.h"

#include "base/uthash_nofail.h"
#include "broker/leases/internal.h"

#include <stdlib.h>
#include <string.h>

#define USERS_MAX    50000
#define WATCH_ROUNDS 3
#define WATCH_MS     150000 /* longer than a suspect is one (shared_strays.h), twice */

struct known_user {
    UT_hash_handle hh;            /* vault_ref.users, by name */
    TAILQ_ENTRY(known_user) link; /* leases.known_users, oldest first */
    struct vault_ref *ref;
    uint64_t until_ms; /* watched until then, and for so many rounds */
    unsigned rounds;
    char name[];
};

static void user_free(struct leases *ls, struct known_user *u)
{
    HASH_DEL(u->ref->users, u);
    TAILQ_REMOVE(&ls->known_users, u, link);
    ls->nknown_users--;
    free(u);
}

void known_users_free(struct leases *ls)
{
    while (!TAILQ_EMPTY(&ls->known_users))
        user_free(ls, TAILQ_FIRST(&ls->known_users));
}

static struct known_user *user_new(struct leases *ls, struct vault_ref *ref, const char *name)
{
    size_t n = strlen(name);
    struct known_user *u = calloc(1, sizeof *u + n + 1);

    if (!u)
        return NULL;
    u->ref = ref;
    memcpy(u->name, name, n + 1);
    HASH_ADD_KEYPTR(hh, ref->users, u->name, n, u);
    if (!u->hh.tbl) {
        free(u);
        return NULL;
    }
    if (ls->nknown_users >= USERS_MAX)
        user_free(ls, TAILQ_FIRST(&ls->known_users));
    TAILQ_INSERT_TAIL(&ls->known_users, u, link);
    ls->nknown_users++;
    return u;
}

/* The newest from now on. One that is known needs no memory. NULL = out of memory: it is not known then. */
static struct known_user *user_get(struct leases *ls, struct vault *vault, const char *name)
{
    struct vault_ref *ref = vault_ref_find(&ls->vaults, vault);
    struct known_user *u;

    HASH_FIND(hh, ref->users, name, strlen(name), u);
    if (!u)
        return user_new(ls, ref, name);
    TAILQ_REMOVE(&ls->known_users, u, link);
    TAILQ_INSERT_TAIL(&ls->known_users, u, link);
    return u;
}

void known_users_note(struct leases *ls, struct vault *vault, const char *user)
{
    if (ls->shared)
        (void)user_get(ls, vault, user);
}

static void watch(const struct leases *ls, struct known_user *u)
{
    u->rounds = WATCH_ROUNDS;
    u->until_ms = clock_now(ls->clock) + WATCH_MS;
}

void known_users_watch(struct leases *ls, struct vault *vault, const char *user)
{
    struct known_user *u = ls->shared ? user_get(ls, vault, user) : NULL;

    if (u)
        watch(ls, u);
}

size_t known_users_watch_all(struct leases *ls)
{
    struct known_user *u;

    TAILQ_FOREACH(u, &ls->known_users, link)
    watch(ls, u);
    return ls->nknown_users;
}

/* No request is called "": what is expected is the list. */
size_t known_users_expect(struct leases *ls)
{
    uint64_t now = clock_now(ls->clock);
    struct known_user *u;
    size_t n = 0;

    TAILQ_FOREACH(u, &ls->known_users, link)
    {
        if (!u->rounds && now >= u->until_ms)
            continue;
        u->rounds -= u->rounds != 0;
        if (u->ref->absent)
            continue;
        (void)active_requests_expect(ls->reader, u->ref->vault, u->name, "");
        n += u->rounds || now < u->until_ms;
    }
    return n;
}
