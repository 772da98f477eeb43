/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_key_accounts.c - a bounded cache whose entries are their keys and nothing else.
 *
 * An account is (vault, system, account); the id of an alias is of another kind, so that counts as well. An
 * entry has no end of its own: what secrets an account has changes rarely, and the next check-out corrects
 * it.
 */
#include "broker/lists/ssh_key_accounts.h"

#include "base/bounded_cache.h"

#include <stdlib.h>

struct account_key {
    const struct vault *vault;
    int64_t system_id, account_id, alias; /* no padding: compared as bytes */
};

struct ssh_key_account {
    struct cache_entry entry; /* first */
    struct account_key key;
};

struct ssh_key_accounts {
    struct bounded_cache cache;
};

struct ssh_key_accounts *ssh_key_accounts_new(size_t max)
{
    struct ssh_key_accounts *accounts = calloc(1, sizeof(*accounts));

    if (!accounts)
        return NULL;
    accounts->cache = (struct bounded_cache){.max_entries = max};
    bounded_cache_init(&accounts->cache);
    return accounts;
}

void ssh_key_accounts_free(struct ssh_key_accounts *accounts)
{
    if (accounts)
        bounded_cache_clear(&accounts->cache);
    free(accounts);
}

static struct account_key key_of(const struct vault *vault, const struct credential_ref *ref)
{
    return (struct account_key){vault, ref->system_id, ref->account_id, ref->kind == KIND_ALIAS};
}

static struct cache_entry *find(const struct ssh_key_accounts *accounts, const struct vault *vault,
                                const struct credential_ref *ref)
{
    struct account_key key = key_of(vault, ref);

    return bounded_cache_find(&accounts->cache, &key, sizeof(key));
}

void ssh_key_accounts_put(struct ssh_key_accounts *accounts, const struct vault *vault,
                          const struct credential_ref *ref)
{
    struct cache_entry *known = find(accounts, vault, ref);
    struct ssh_key_account *account = known ? NULL : calloc(1, sizeof(*account));

    if (known)
        bounded_cache_touch(&accounts->cache, known);
    if (!account)
        return;
    account->key = key_of(vault, ref);
    if (!bounded_cache_put(&accounts->cache, &account->entry, &account->key, sizeof(account->key), 0))
        free(account);
}

void ssh_key_accounts_drop(struct ssh_key_accounts *accounts, const struct vault *vault,
                           const struct credential_ref *ref)
{
    struct cache_entry *known = find(accounts, vault, ref);

    if (known)
        bounded_cache_drop(&accounts->cache, known);
}

bool ssh_key_accounts_has(const struct ssh_key_accounts *accounts, const struct vault *vault,
                          const struct credential_ref *ref)
{
    return find(accounts, vault, ref) != NULL;
}
