/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_list_cache.c - lists by question, and the same lists by user.
 *
 * Each list is one entry of a bounded cache, whose weight is its rows. Its owner (vault and user) holds it
 * too, newest first: there a known account is looked for row by row. That search walks the lists of one user
 * only, most of them a handful of rows; an index per row would cost more memory than the rows.
 *
 * Invariants: an owner exists exactly as long as it has entries, so no bound ever drops one.
 * An entry past its time is never handed out, though it may be in the cache until it is the first in the
 * order of use or its question is asked again. An empty list answers its question, and knows no account.
 *
 * Time comes from the clock handed in; there is no timer here, so nothing runs while the gateway is idle.
 */
#include "broker/lists/account_list_cache.h"

#include "base/bounded_cache.h"
#include "base/container_of.h"

#include <stdlib.h>
#include <string.h>

struct list_entry {
    struct cache_entry entry; /* first */
    TAILQ_ENTRY(list_entry) of_owner;
    struct list_owner *owner;
    struct list_key *key;
    struct account_list *rows;
};

struct list_owner {
    struct cache_entry entry; /* first */
    struct account_list_cache *cache;
    TAILQ_HEAD(, list_entry) lists; /* newest first */
    char key[];
};

struct account_list_cache {
    struct account_list_cache_opts opts;
    struct bounded_cache lists, owners;
};

static struct list_entry *list_of(struct cache_entry *entry)
{
    return CONTAINER_OF(entry, struct list_entry, entry);
}

static void drop_if_empty(struct list_owner *owner)
{
    if (TAILQ_EMPTY(&owner->lists))
        bounded_cache_drop(&owner->cache->owners, &owner->entry);
}

static void free_list(struct cache_entry *entry)
{
    struct list_entry *list = list_of(entry);

    TAILQ_REMOVE(&list->owner->lists, list, of_owner);
    drop_if_empty(list->owner);
    account_list_unref(list->rows);
    free(list->key);
    free(list);
}

struct account_list_cache *account_list_cache_new(const struct account_list_cache_opts *opts)
{
    struct account_list_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->opts = *opts;
    cache->lists = (struct bounded_cache){.clock = opts->clock,
                                          .max_entries = opts->max_entries,
                                          .max_weight = opts->max_rows,
                                          .free_entry = free_list};
    cache->owners = (struct bounded_cache){.max_entries = SIZE_MAX};
    bounded_cache_init(&cache->lists);
    bounded_cache_init(&cache->owners);
    return cache;
}

void account_list_cache_free(struct account_list_cache *cache)
{
    if (cache)
        bounded_cache_clear(&cache->lists);
    free(cache);
}

static struct list_owner *find_owner(const struct account_list_cache *cache, const struct list_key *key)
{
    return (struct list_owner *)(void *)bounded_cache_find(&cache->owners, key->bytes, key->owner_len);
}

/* The owner that the key names, made where it has no list yet; NULL = out of memory. */
static struct list_owner *get_owner(struct account_list_cache *cache, const struct list_key *key)
{
    struct list_owner *owner = find_owner(cache, key);

    if (owner)
        return owner;
    owner = calloc(1, sizeof(*owner) + key->owner_len);
    if (!owner)
        return NULL;
    owner->cache = cache;
    TAILQ_INIT(&owner->lists);
    memcpy(owner->key, key->bytes, key->owner_len);
    if (bounded_cache_put(&cache->owners, &owner->entry, owner->key, key->owner_len, 0))
        return owner;
    free(owner);
    return NULL;
}

static bool is_expired(const struct account_list_cache *cache, const struct list_entry *list)
{
    bool knows_accounts = list->rows->n && cache->opts.keep_ms > cache->opts.fresh_ms;

    return bounded_cache_age(&cache->lists, &list->entry) >=
           (knows_accounts ? cache->opts.keep_ms : cache->opts.fresh_ms);
}

static void drop_expired(struct account_list_cache *cache)
{
    struct cache_entry *first;

    while ((first = bounded_cache_first(&cache->lists)) && is_expired(cache, list_of(first)))
        bounded_cache_drop(&cache->lists, first);
}

/* Owns the key, whether the list is kept or not. */
static void put_list(struct account_list_cache *cache, struct list_key *key, struct account_list *rows)
{
    struct list_owner *owner = get_owner(cache, key);
    struct list_entry *list = owner ? calloc(1, sizeof(*list)) : NULL;

    if (!list) {
        if (owner)
            drop_if_empty(owner);
        free(key);
        return;
    }
    list->owner = owner;
    list->key = key;
    list->rows = account_list_ref(rows);
    TAILQ_INSERT_HEAD(&owner->lists, list, of_owner); /* before the put, which may drop the owner's others */
    if (!bounded_cache_put(&cache->lists, &list->entry, key->bytes, key->len, rows->n))
        free_list(&list->entry);
}

void account_list_cache_put(struct account_list_cache *cache, struct list_key *key, struct account_list *rows)
{
    struct cache_entry *old = bounded_cache_find(&cache->lists, key->bytes, key->len);

    if (old)
        bounded_cache_drop(&cache->lists, old);
    drop_expired(cache);
    if (cache->opts.fresh_ms > 0 || (cache->opts.keep_ms > 0 && rows->n > 0))
        put_list(cache, key, rows);
    else
        free(key);
}

struct account_list *account_list_cache_get(struct account_list_cache *cache, const struct list_key *key,
                                            uint64_t *age_ms)
{
    struct cache_entry *entry = bounded_cache_find(&cache->lists, key->bytes, key->len);
    uint64_t age;

    if (!entry)
        return NULL;
    if (is_expired(cache, list_of(entry))) {
        bounded_cache_drop(&cache->lists, entry);
        return NULL;
    }
    age = bounded_cache_age(&cache->lists, entry);
    if (age >= cache->opts.fresh_ms)
        return NULL;
    *age_ms = age;
    bounded_cache_touch(&cache->lists, entry);
    return list_of(entry)->rows;
}

static const struct account *find_row(const struct account_list *rows, const char *account_key)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct account *row = &rows->rows[i];
        if (row->key && strcmp(row->key, account_key) == 0)
            return row;
    }
    return NULL;
}

const struct account *account_list_cache_find(struct account_list_cache *cache, const struct vault *vault,
                                              const char *user, const char *account_key,
                                              struct account_list **rows)
{
    struct list_key *key = list_key_owner(vault, user);
    struct list_owner *owner = key ? find_owner(cache, key) : NULL;
    struct list_entry *list;

    free(key);
    if (!owner)
        return NULL;
    TAILQ_FOREACH(list, &owner->lists, of_owner)
    {
        bool known = bounded_cache_age(&cache->lists, &list->entry) < cache->opts.keep_ms;
        const struct account *row = known ? find_row(list->rows, account_key) : NULL;
        if (!row)
            continue;
        bounded_cache_touch(&cache->lists, &list->entry);
        *rows = account_list_ref(list->rows);
        return row;
    }
    return NULL;
}

void account_list_cache_reload(struct account_list_cache *cache, uint64_t fresh_ms, uint64_t keep_ms)
{
    cache->opts.fresh_ms = fresh_ms;
    cache->opts.keep_ms = keep_ms;
}
