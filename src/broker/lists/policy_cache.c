/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_cache.c - a hash of small records, and a queue of them in the order they were learned.
 *
 * All live equally long, so the front of the queue is always the next to go, by age or by number. A record
 * and its key (vault, ids, user) are one allocation. For want of memory nothing is remembered, which is no
 * error: the caller asks the vault.
 */
#include "broker/lists/policy_cache.h"

#include "base/person.h"
#include "base/uthash_nofail.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct ids {
    const struct vault *vault;
    int64_t system_id, account_id, application_id, kind;
};

struct known_policy {
    UT_hash_handle hh;
    TAILQ_ENTRY(known_policy) link;
    uint64_t at_ms;
    struct vault_policy policy;
    bool told;
    size_t len;
    char key[]; /* struct ids, then the user's name as person_key() writes it */
};

struct policy_cache {
    const struct clock *clock;
    uint64_t keep_ms;
    size_t max, n;
    struct known_policy *by_key;
    TAILQ_HEAD(, known_policy) learned; /* oldest first */
};

struct policy_cache *policy_cache_new(const struct clock *clock, uint64_t keep_ms, size_t max)
{
    struct policy_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->clock = clock;
    cache->keep_ms = keep_ms;
    cache->max = max;
    TAILQ_INIT(&cache->learned);
    return cache;
}

static void drop(struct policy_cache *cache, struct known_policy *known)
{
    HASH_DEL(cache->by_key, known);
    TAILQ_REMOVE(&cache->learned, known, link);
    cache->n--;
    free(known);
}

void policy_cache_free(struct policy_cache *cache)
{
    if (!cache)
        return;
    while (!TAILQ_EMPTY(&cache->learned))
        drop(cache, TAILQ_FIRST(&cache->learned));
    free(cache);
}

static struct known_policy *new_record(const struct vault *vault, const char *user,
                                       const struct credential_ref *ref)
{
    struct ids ids = {vault, ref->system_id, ref->account_id, ref->application_id, ref->kind};
    size_t len = sizeof(ids) + strlen(user) + 1;
    struct known_policy *known = calloc(1, sizeof(*known) + len);

    if (!known)
        return NULL;
    known->len = len;
    memcpy(known->key, &ids, sizeof(ids));
    (void)person_key(known->key + sizeof(ids), user);
    return known;
}

/* The kept record with the same key as `like`. */
static struct known_policy *find(struct policy_cache *cache, const struct known_policy *like)
{
    struct known_policy *known;

    HASH_FIND(hh, cache->by_key, like->key, like->len, known);
    return known;
}

static bool expired(const struct policy_cache *cache, const struct known_policy *known)
{
    return clock_now(cache->clock) - known->at_ms >= cache->keep_ms;
}

void policy_cache_put(struct policy_cache *cache, const struct vault *vault, const char *user,
                      const struct credential_ref *ref, const struct vault_policy *policy)
{
    struct known_policy *fresh = cache->keep_ms && cache->max ? new_record(vault, user, ref) : NULL, *old;

    if (!fresh)
        return;
    old = find(cache, fresh);
    if (old)
        drop(cache, old);
    while ((old = TAILQ_FIRST(&cache->learned)) && (cache->n >= cache->max || expired(cache, old)))
        drop(cache, old);
    HASH_ADD_KEYPTR(hh, cache->by_key, fresh->key, fresh->len, fresh);
    if (!fresh->hh.tbl) {
        free(fresh);
        return;
    }
    fresh->at_ms = clock_now(cache->clock);
    fresh->told = policy != NULL;
    if (policy)
        fresh->policy = *policy;
    TAILQ_INSERT_TAIL(&cache->learned, fresh, link);
    cache->n++;
}

/* What is remembered and young enough; NULL = nothing. */
static const struct known_policy *recall(struct policy_cache *cache, const struct vault *vault,
                                         const char *user, const struct credential_ref *ref)
{
    struct known_policy *like = new_record(vault, user, ref), *known;

    if (!like)
        return NULL;
    known = find(cache, like);
    free(like);
    return known && !expired(cache, known) ? known : NULL;
}

bool policy_cache_get(struct policy_cache *cache, const struct vault *vault, const char *user,
                      const struct credential_ref *ref, struct vault_policy *policy)
{
    const struct known_policy *known = recall(cache, vault, user, ref);

    if (!known || !known->told)
        return false;
    *policy = known->policy;
    return true;
}

bool policy_cache_untold(struct policy_cache *cache, const struct vault *vault, const char *user,
                         const struct credential_ref *ref)
{
    const struct known_policy *known = recall(cache, vault, user, ref);

    return known && !known->told;
}

void policy_cache_reload(struct policy_cache *cache, uint64_t keep_ms)
{
    cache->keep_ms = keep_ms;
}
