/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - what the vault lists of a system or of a shared list, kept for `list_cache`.
 *
 * A listing is of the one identity, so it is the same for every user. It narrows the map and never widens it.
 * All questions for one listing share one call.
 *
 * Life: asked for --> a call --> names, or a failure, which is for those that wait --> a call again once it
 * is older than list_cache. Listings that nothing waits for are freed when there are more than KEPT_MAX, and
 * all of them after a reload.
 */
#include "backends/privileged_identity/internal.h"
#include "base/person.h"
#include "base/uthash_nofail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 256

struct pi_listing {
    struct pi *pi;
    struct vault_call call;
    bool asked; /* the call is under way */
    bool stale; /* its answer is for those alone that wait for it */
    bool kept;
    uint64_t at_ms;
    struct conf_list names;
    TAILQ_HEAD(, pi_listing_wait) waits;
    UT_hash_handle hh;
    char key[]; /* kind and name, in lower ASCII case */
};

static enum pi_operation operation_of(const struct pi_names *names)
{
    return names->shared ? PI_LIST_SHARED : PI_LIST_STORED;
}

bool pi_is_listed(const struct pi *pi, const struct pi_names *names)
{
    return pi_row_usable(pi, operation_of(names));
}

/* ---- the kept ones ---- */

static void names_free(struct conf_list *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->item[i]);
    free(names->item);
    *names = (struct conf_list){.n = 0};
}

static void listing_free(struct pi_listing *l)
{
    HASH_DEL(l->pi->listings, l);
    names_free(&l->names);
    vault_call_free(&l->call);
    free(l);
}

static bool is_idle(const struct pi_listing *l)
{
    return !l->asked && TAILQ_EMPTY(&l->waits);
}

static void make_room(struct pi *pi)
{
    struct pi_listing *l, *next, *oldest = NULL;

    if (HASH_COUNT(pi->listings) < KEPT_MAX)
        return;
    HASH_ITER(hh, pi->listings, l, next)
    if (is_idle(l) && (!oldest || l->at_ms < oldest->at_ms))
        oldest = l;
    if (oldest)
        listing_free(oldest);
}

static struct pi_listing *listing_of(struct pi *pi, const struct pi_names *names)
{
    const char *name = names->shared ? names->list : names->system;
    size_t n = strlen(name) + 2;
    struct pi_listing *found = NULL, *made = calloc(1, sizeof(*made) + n);

    if (!made)
        return NULL;
    made->pi = pi;
    made->key[0] = names->shared ? 'l' : 's';
    (void)person_key(made->key + 1, name);
    TAILQ_INIT(&made->waits);
    HASH_FIND_STR(pi->listings, made->key, found);
    if (found) {
        free(made);
        return found;
    }
    make_room(pi);
    HASH_ADD_STR(pi->listings, key, made);
    if (made->hh.tbl)
        return made;
    free(made);
    return NULL;
}

void pi_listings_forget(struct pi *pi)
{
    struct pi_listing *l, *next;

    HASH_ITER(hh, pi->listings, l, next)
    if (is_idle(l))
        listing_free(l);
    else
        l->stale = true;
}

/* ---- asking ---- */

static void on_listed(struct vault_call *call)
{
    struct pi_listing *l = CONTAINER_OF(call, struct pi_listing, call);
    bool good = call->result == VAULT_OK;
    struct pi_listing_wait *wait;

    l->at_ms = clock_now(l->pi->http.clock);
    l->kept = good && !l->stale;
    while ((wait = TAILQ_FIRST(&l->waits))) {
        pi_listing_leave(wait);
        wait->done(wait, good ? &l->names : NULL, good ? NULL : call);
    }
    l->asked = l->stale = false;
    if (!l->kept)
        listing_free(l);
}

static int ask(struct pi *pi, struct pi_listing *l, const struct pi_names *of)
{
    struct pi_names names = {.shared = of->shared};
    struct pi_call *call;
    char **name = of->shared ? &names.list : &names.system;

    *name = strdup(of->shared ? of->list : of->system);
    if (!*name)
        return -ENOMEM;
    names_free(&l->names);
    l->call = (struct vault_call){.done = on_listed};
    int err = pi_call_new(pi, operation_of(of), &l->call, &names, NULL, &call);
    if (err)
        return err;
    call->listed = &l->names;
    err = pi_call_start(call);
    l->asked = !err;
    return err;
}

static bool is_fresh(const struct pi *pi, const struct pi_listing *l)
{
    return l->kept && !l->asked && clock_now(pi->http.clock) - l->at_ms < pi->conf->gateway.list_cache_ms;
}

int pi_listing_ask(struct pi *pi, const struct pi_names *names, struct pi_listing_wait *wait,
                   const struct conf_list **out)
{
    struct pi_listing *l = listing_of(pi, names);

    *out = NULL;
    if (!l)
        return -ENOMEM;
    if (is_fresh(pi, l)) {
        *out = &l->names;
        return 0;
    }
    int err = l->asked ? 0 : ask(pi, l, names);
    if (err) {
        if (is_idle(l))
            listing_free(l);
        return err;
    }
    wait->of = l;
    TAILQ_INSERT_TAIL(&l->waits, wait, link);
    return 0;
}

void pi_listing_leave(struct pi_listing_wait *wait)
{
    if (wait->of)
        TAILQ_REMOVE(&wait->of->waits, wait, link);
    wait->of = NULL;
}
