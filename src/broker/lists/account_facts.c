/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_facts.c - two bounded caches of facts by account; a fact and its key are one allocation.
 *
 * Policies are in the order in which they were learned, and all are kept equally long: the first is the
 * oldest. That an account has a key alone is kept without a time: which secrets an account has changes
 * rarely, and the next check-out corrects it.
 */
#include "broker/lists/account_facts.h"

#include "base/person.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SSH_KEYS 16384

struct account_fact {
    struct cache_entry entry; /* first */
    struct vault_policy policy;
    bool answered; /* else the vault could not tell the policy */
    char key[];    /* vault, account key and, for a policy, the user's name as person_key() writes it */
};

void account_facts_init(struct account_facts *facts, const struct clock *clock, uint64_t keep_ms,
                        size_t max_policies)
{
    facts->policies = (struct bounded_cache){.clock = clock, .max_entries = max_policies};
    facts->ssh_keys = (struct bounded_cache){.max_entries = MAX_SSH_KEYS};
    facts->keep_ms = keep_ms;
    bounded_cache_init(&facts->policies);
    bounded_cache_init(&facts->ssh_keys);
}

void account_facts_clear(struct account_facts *facts)
{
    bounded_cache_clear(&facts->policies);
    bounded_cache_clear(&facts->ssh_keys);
}

static void put_fact(struct bounded_cache *cache, struct account_fact *fact, size_t len)
{
    if (!bounded_cache_put(cache, &fact->entry, fact->key, len, 0))
        free(fact);
}

/* ---- policies ---- */

/* `user` NULL = the fact holds for every user; *len = the length of the key. */
static struct account_fact *fact_new(const struct vault *vault, const char *user, const char *account_key,
                                     size_t *len)
{
    size_t n = strlen(account_key) + 1;
    struct account_fact *fact = calloc(1, sizeof(*fact) + sizeof(vault) + n + (user ? strlen(user) + 1 : 0));

    if (!fact)
        return NULL;
    memcpy(fact->key, &vault, sizeof(vault));
    memcpy(fact->key + sizeof(vault), account_key, n);
    *len = sizeof(vault) + n;
    if (user)
        *len = (size_t)(person_key(fact->key + *len, user) - fact->key);
    return fact;
}

void account_facts_learn_policy(struct account_facts *facts, const struct vault *vault, const char *user,
                                const char *account_key, const struct vault_policy *policy)
{
    size_t len;
    struct account_fact *fact = facts->keep_ms ? fact_new(vault, user, account_key, &len) : NULL;

    if (!fact)
        return;
    fact->answered = policy != NULL;
    if (policy)
        fact->policy = *policy;
    bounded_cache_drop_old(&facts->policies, facts->keep_ms);
    put_fact(&facts->policies, fact, len);
}

enum policy_knowledge account_facts_policy(const struct account_facts *facts, const struct vault *vault,
                                           const char *user, const char *account_key,
                                           struct vault_policy *policy)
{
    size_t len;
    struct account_fact *like = fact_new(vault, user, account_key, &len);
    const struct account_fact *known =
        like ? (void *)bounded_cache_find(&facts->policies, like->key, len) : NULL;

    free(like);
    if (!known || bounded_cache_age(&facts->policies, &known->entry) >= facts->keep_ms)
        return POLICY_NOT_ASKED;
    if (!known->answered)
        return POLICY_UNANSWERED;
    *policy = known->policy;
    return POLICY_KNOWN;
}

/* ---- keys ---- */

void account_facts_learn_key(struct account_facts *facts, const struct vault *vault, const char *account_key,
                             bool key_alone)
{
    size_t len;
    struct account_fact *fact = fact_new(vault, NULL, account_key, &len);
    struct cache_entry *known = fact ? bounded_cache_find(&facts->ssh_keys, fact->key, len) : NULL;

    if (known && key_alone)
        bounded_cache_touch(&facts->ssh_keys, known);
    else if (known)
        bounded_cache_drop(&facts->ssh_keys, known);
    else if (fact && key_alone) {
        put_fact(&facts->ssh_keys, fact, len);
        fact = NULL;
    }
    free(fact);
}

bool account_facts_key_alone(const struct account_facts *facts, const struct vault *vault,
                             const char *account_key)
{
    size_t len;
    struct account_fact *like = fact_new(vault, NULL, account_key, &len);
    bool known = like && bounded_cache_find(&facts->ssh_keys, like->key, len);

    free(like);
    return known;
}
