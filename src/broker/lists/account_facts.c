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

/* No padding: compared as bytes. */
struct account_ids {
    const struct vault *vault;
    int64_t system_id, account_id;
    int64_t kind; /* for keys: whether account_id is the id of an alias */
    int64_t application_id;
};
#define SSH_KEY_LEN offsetof(struct account_ids, application_id)

struct account_fact {
    struct cache_entry entry; /* first */
    struct vault_policy policy;
    bool answered; /* else the vault could not tell the policy */
    char key[];    /* the ids; for a policy, then the user's name as person_key() writes it */
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

/* *len = the length of the key. */
static struct account_fact *policy_new(const struct vault *vault, const char *user,
                                       const struct credential_ref *ref, size_t *len)
{
    struct account_ids ids = {vault, ref->system_id, ref->account_id, ref->kind, ref->application_id};
    struct account_fact *fact = calloc(1, sizeof(*fact) + sizeof(ids) + strlen(user) + 1);

    if (!fact)
        return NULL;
    memcpy(fact->key, &ids, sizeof(ids));
    *len = (size_t)(person_key(fact->key + sizeof(ids), user) - fact->key);
    return fact;
}

void account_facts_learn_policy(struct account_facts *facts, const struct vault *vault, const char *user,
                                const struct credential_ref *ref, const struct vault_policy *policy)
{
    size_t len;
    struct account_fact *fact = facts->keep_ms ? policy_new(vault, user, ref, &len) : NULL;

    if (!fact)
        return;
    fact->answered = policy != NULL;
    if (policy)
        fact->policy = *policy;
    bounded_cache_drop_old(&facts->policies, facts->keep_ms);
    put_fact(&facts->policies, fact, len);
}

enum policy_knowledge account_facts_policy(const struct account_facts *facts, const struct vault *vault,
                                           const char *user, const struct credential_ref *ref,
                                           struct vault_policy *policy)
{
    size_t len;
    struct account_fact *like = policy_new(vault, user, ref, &len);
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

static struct cache_entry *find_key(const struct account_facts *facts, const struct account_ids *ids)
{
    return bounded_cache_find(&facts->ssh_keys, ids, SSH_KEY_LEN);
}

static struct account_ids ids_of(const struct vault *vault, const struct credential_ref *ref)
{
    return (struct account_ids){vault, ref->system_id, ref->account_id, ref->kind == KIND_ALIAS, 0};
}

void account_facts_learn_key(struct account_facts *facts, const struct vault *vault,
                             const struct credential_ref *ref, bool key_alone)
{
    struct account_ids ids = ids_of(vault, ref);
    struct cache_entry *known = find_key(facts, &ids);
    struct account_fact *fact;

    if (known && key_alone)
        bounded_cache_touch(&facts->ssh_keys, known);
    else if (known)
        bounded_cache_drop(&facts->ssh_keys, known);
    else if (key_alone && (fact = calloc(1, sizeof(*fact) + SSH_KEY_LEN))) {
        memcpy(fact->key, &ids, SSH_KEY_LEN);
        put_fact(&facts->ssh_keys, fact, SSH_KEY_LEN);
    }
}

bool account_facts_key_alone(const struct account_facts *facts, const struct vault *vault,
                             const struct credential_ref *ref)
{
    struct account_ids ids = ids_of(vault, ref);

    return find_key(facts, &ids) != NULL;
}
