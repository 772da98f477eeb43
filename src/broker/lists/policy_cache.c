/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_cache.c - a bounded cache of policies; an entry and its key (vault, ids, user) are one allocation.
 *
 * Entries stand in the order in which they were learned, and all live equally long: the first is the oldest.
 * Without memory a policy is not remembered, which is no error: the caller asks the vault.
 */
#include "broker/lists/policy_cache.h"

#include "base/bounded_cache.h"
#include "base/person.h"

#include <stdlib.h>
#include <string.h>

struct ids {
    const struct vault *vault;
    int64_t system_id, account_id, application_id, kind;
};

struct known_policy {
    struct cache_entry entry; /* first */
    struct vault_policy policy;
    bool answered; /* else the vault could not tell it */
    size_t key_len;
    char key[]; /* struct ids, then the user's name as person_key() writes it */
};

struct policy_cache {
    struct bounded_cache known;
    uint64_t keep_ms;
};

struct policy_cache *policy_cache_new(const struct clock *clock, uint64_t keep_ms, size_t max)
{
    struct policy_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->keep_ms = keep_ms;
    cache->known = (struct bounded_cache){.clock = clock, .max_entries = max};
    bounded_cache_init(&cache->known);
    return cache;
}

void policy_cache_free(struct policy_cache *cache)
{
    if (cache)
        bounded_cache_clear(&cache->known);
    free(cache);
}

static struct known_policy *new_policy(const struct vault *vault, const char *user,
                                       const struct credential_ref *ref)
{
    struct ids ids = {vault, ref->system_id, ref->account_id, ref->application_id, ref->kind};
    size_t len = sizeof(ids) + strlen(user) + 1;
    struct known_policy *known = calloc(1, sizeof(*known) + len);

    if (!known)
        return NULL;
    known->key_len = len;
    memcpy(known->key, &ids, sizeof(ids));
    (void)person_key(known->key + sizeof(ids), user);
    return known;
}

void policy_cache_put(struct policy_cache *cache, const struct vault *vault, const char *user,
                      const struct credential_ref *ref, const struct vault_policy *policy)
{
    struct known_policy *known = cache->keep_ms ? new_policy(vault, user, ref) : NULL;

    if (!known)
        return;
    known->answered = policy != NULL;
    if (policy)
        known->policy = *policy;
    bounded_cache_drop_old(&cache->known, cache->keep_ms);
    if (!bounded_cache_put(&cache->known, &known->entry, known->key, known->key_len, 0))
        free(known);
}

enum policy_knowledge policy_cache_get(struct policy_cache *cache, const struct vault *vault,
                                       const char *user, const struct credential_ref *ref,
                                       struct vault_policy *policy)
{
    struct known_policy *like = new_policy(vault, user, ref), *known = NULL;

    if (like)
        known = (struct known_policy *)(void *)bounded_cache_find(&cache->known, like->key, like->key_len);
    free(like);
    if (!known || bounded_cache_age(&cache->known, &known->entry) >= cache->keep_ms)
        return POLICY_NOT_ASKED;
    if (!known->answered)
        return POLICY_UNANSWERED;
    *policy = known->policy;
    return POLICY_KNOWN;
}

void policy_cache_reload(struct policy_cache *cache, uint64_t keep_ms)
{
    cache->keep_ms = keep_ms;
}
