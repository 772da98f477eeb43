/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account_list_cache.c - lists by question, and the same lists by user.
 *
 * Each list has one entry, found in three ways: by its whole key (the question), in the queue of use (the
 * least recently used goes first), and under its owner (vault and user), newest first, where a known account
 * is looked for row by row. That search walks a user's own lists only, most of them a handful of rows; an
 * index per row would cost more memory than the rows.
 *
 * Invariants: an owner lives as long as it has entries. nrows is the sum over the entries. An entry past its
 * time is never handed out, though it may lie in the queue until its turn comes or its question is asked
 * again; the two limits hold after every put. An empty list has nothing to tell but "fresh and empty".
 *
 * Time comes from the clock handed in; there is no timer here, so an idle gateway is not woken to forget.
 */
#include "broker/lists/account_list_cache.h"

#include "base/uthash_nofail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(entry) use;
    TAILQ_ENTRY(entry) of_owner;
    struct owner *owner;
    struct list_key *key;
    struct account_list *rows;
    uint64_t at_ms;
};

TAILQ_HEAD(entries, entry);

struct owner {
    UT_hash_handle hh;
    struct entries entries; /* newest first */
    struct list_key *key;
};

struct account_list_cache {
    struct account_list_cache_opts opts;
    struct entry *by_key;
    struct owner *owners;
    struct entries used; /* least recently used first */
    size_t nentries, nrows;
};

struct account_list_cache *account_list_cache_new(const struct account_list_cache_opts *opts)
{
    struct account_list_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->opts = *opts;
    TAILQ_INIT(&cache->used);
    return cache;
}

static struct owner *find_owner(struct account_list_cache *cache, const char *bytes, size_t len)
{
    struct owner *owner;

    HASH_FIND(hh, cache->owners, bytes, len, owner);
    return owner;
}

static struct owner *new_owner(struct account_list_cache *cache, const struct list_key *key)
{
    struct owner *owner = calloc(1, sizeof(*owner));

    if (!owner)
        return NULL;
    owner->key = malloc(sizeof(*key) + key->owner_len);
    if (!owner->key) {
        free(owner);
        return NULL;
    }
    owner->key->len = owner->key->owner_len = key->owner_len;
    memcpy(owner->key->bytes, key->bytes, key->owner_len);
    TAILQ_INIT(&owner->entries);
    HASH_ADD_KEYPTR(hh, cache->owners, owner->key->bytes, owner->key->len, owner);
    if (!owner->hh.tbl) {
        free(owner->key);
        free(owner);
        return NULL;
    }
    return owner;
}

static void drop_owner(struct account_list_cache *cache, struct owner *owner)
{
    if (!TAILQ_EMPTY(&owner->entries))
        return;
    HASH_DEL(cache->owners, owner);
    free(owner->key);
    free(owner);
}

static void drop(struct account_list_cache *cache, struct entry *entry)
{
    HASH_DEL(cache->by_key, entry);
    TAILQ_REMOVE(&cache->used, entry, use);
    TAILQ_REMOVE(&entry->owner->entries, entry, of_owner);
    drop_owner(cache, entry->owner);
    cache->nentries--;
    cache->nrows -= entry->rows->n;
    account_list_unref(entry->rows);
    free(entry->key);
    free(entry);
}

void account_list_cache_free(struct account_list_cache *cache)
{
    if (!cache)
        return;
    while (!TAILQ_EMPTY(&cache->used))
        drop(cache, TAILQ_FIRST(&cache->used));
    free(cache);
}

static uint64_t age(const struct account_list_cache *cache, const struct entry *entry)
{
    return clock_now(cache->opts.clock) - entry->at_ms;
}

static bool expired(const struct account_list_cache *cache, const struct entry *entry)
{
    uint64_t keep = cache->opts.fresh_ms;

    if (entry->rows->n && cache->opts.keep_ms > keep)
        keep = cache->opts.keep_ms;
    return age(cache, entry) >= keep;
}

/* Makes room for n rows more: what is past its time at the front goes, then whatever is least used. */
static void make_room(struct account_list_cache *cache, size_t n)
{
    struct entry *first;

    while ((first = TAILQ_FIRST(&cache->used)) &&
           (expired(cache, first) || cache->nentries >= cache->opts.max_entries ||
            cache->nrows + n > cache->opts.max_rows))
        drop(cache, first);
}

static void touch(struct account_list_cache *cache, struct entry *entry)
{
    TAILQ_REMOVE(&cache->used, entry, use);
    TAILQ_INSERT_TAIL(&cache->used, entry, use);
}

static struct entry *find_entry(struct account_list_cache *cache, const struct list_key *key)
{
    struct entry *entry;

    HASH_FIND(hh, cache->by_key, key->bytes, key->len, entry);
    return entry;
}

/* Into all three ways of finding it; false, and nothing has changed, when memory ran out. */
static bool insert(struct account_list_cache *cache, struct entry *entry)
{
    struct owner *owner = find_owner(cache, entry->key->bytes, entry->key->owner_len);

    if (!owner)
        owner = new_owner(cache, entry->key);
    if (!owner)
        return false;
    HASH_ADD_KEYPTR(hh, cache->by_key, entry->key->bytes, entry->key->len, entry);
    if (!entry->hh.tbl) {
        drop_owner(cache, owner);
        return false;
    }
    entry->owner = owner;
    TAILQ_INSERT_TAIL(&cache->used, entry, use);
    TAILQ_INSERT_HEAD(&owner->entries, entry, of_owner);
    return true;
}

static bool worth_keeping(const struct account_list_cache *cache, const struct account_list *rows)
{
    if (rows->n > cache->opts.max_rows || cache->opts.max_entries == 0)
        return false;
    return cache->opts.fresh_ms > 0 || (cache->opts.keep_ms > 0 && rows->n > 0);
}

void account_list_cache_put(struct account_list_cache *cache, struct list_key *key, struct account_list *rows)
{
    struct entry *entry = find_entry(cache, key);

    if (entry)
        drop(cache, entry);
    entry = worth_keeping(cache, rows) ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry) {
        free(key);
        return;
    }
    make_room(cache, rows->n);
    entry->key = key;
    if (!insert(cache, entry)) {
        free(key);
        free(entry);
        return;
    }
    entry->rows = account_list_ref(rows);
    entry->at_ms = clock_now(cache->opts.clock);
    cache->nentries++;
    cache->nrows += rows->n;
}

struct account_list *account_list_cache_get(struct account_list_cache *cache, const struct list_key *key,
                                            uint64_t *age_ms)
{
    struct entry *entry = find_entry(cache, key);

    if (!entry)
        return NULL;
    if (expired(cache, entry)) {
        drop(cache, entry);
        return NULL;
    }
    *age_ms = age(cache, entry);
    if (*age_ms >= cache->opts.fresh_ms)
        return NULL;
    touch(cache, entry);
    return entry->rows;
}

static const struct account *find_row(const struct account_list *rows, const struct credential_ref *ref)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct account *row = &rows->rows[i];
        if (row->account_id == ref->account_id && row->system_id == ref->system_id &&
            row->application_id == ref->application_id && row->kind == ref->kind)
            return row;
    }
    return NULL;
}

const struct account *account_list_cache_find(struct account_list_cache *cache, const struct vault *vault,
                                              const char *user, const struct credential_ref *ref,
                                              struct account_list **list)
{
    struct list_key *key = list_key_owner(vault, user);
    struct owner *owner = key ? find_owner(cache, key->bytes, key->len) : NULL;
    struct entry *entry;

    free(key);
    if (!owner)
        return NULL;
    TAILQ_FOREACH(entry, &owner->entries, of_owner)
    {
        const struct account *row =
            age(cache, entry) < cache->opts.keep_ms ? find_row(entry->rows, ref) : NULL;
        if (!row)
            continue;
        touch(cache, entry);
        *list = entry->rows;
        return row;
    }
    return NULL;
}

void account_list_cache_reload(struct account_list_cache *cache, uint64_t fresh_ms, uint64_t keep_ms)
{
    cache->opts.fresh_ms = fresh_ms;
    cache->opts.keep_ms = keep_ms;
}
