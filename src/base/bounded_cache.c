/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounded_cache.c - a hash of entries by key, and a queue of the same entries in the order of use.
 *
 * Invariants: an entry is in the hash exactly if it is in the queue; n and weight are the sums over the
 * queue, and both are within their bounds after every put.
 */
#include "base/bounded_cache.h"

#include <stdlib.h>

void bounded_cache_init(struct bounded_cache *cache)
{
    cache->by_key = NULL;
    TAILQ_INIT(&cache->used);
    cache->n = cache->weight = 0;
}

void bounded_cache_clear(struct bounded_cache *cache)
{
    while (bounded_cache_first(cache))
        bounded_cache_drop(cache, bounded_cache_first(cache));
}

struct cache_entry *bounded_cache_find(const struct bounded_cache *cache, const void *key, size_t len)
{
    struct cache_entry *entry;

    HASH_FIND(hh, cache->by_key, key, len, entry);
    return entry;
}

void bounded_cache_drop(struct bounded_cache *cache, struct cache_entry *entry)
{
    HASH_DEL(cache->by_key, entry);
    TAILQ_REMOVE(&cache->used, entry, use);
    cache->n--;
    cache->weight -= entry->weight;
    if (cache->free_entry)
        cache->free_entry(entry);
    else
        free(entry);
}

bool bounded_cache_put(struct bounded_cache *cache, struct cache_entry *entry, const void *key, size_t len,
                       size_t weight)
{
    struct cache_entry *same = bounded_cache_find(cache, key, len);

    if (same)
        bounded_cache_drop(cache, same);
    if (!cache->max_entries || weight > cache->max_weight)
        return false;
    while (cache->n >= cache->max_entries || cache->weight > cache->max_weight - weight)
        bounded_cache_drop(cache, bounded_cache_first(cache));
    HASH_ADD_KEYPTR(hh, cache->by_key, key, len, entry);
    if (!entry->hh.tbl)
        return false;
    entry->weight = weight;
    entry->at_ms = cache->clock ? clock_now(cache->clock) : 0;
    TAILQ_INSERT_TAIL(&cache->used, entry, use);
    cache->n++;
    cache->weight += weight;
    return true;
}

void bounded_cache_touch(struct bounded_cache *cache, struct cache_entry *entry)
{
    TAILQ_REMOVE(&cache->used, entry, use);
    TAILQ_INSERT_TAIL(&cache->used, entry, use);
}

uint64_t bounded_cache_age(const struct bounded_cache *cache, const struct cache_entry *entry)
{
    return cache->clock ? clock_now(cache->clock) - entry->at_ms : 0;
}

void bounded_cache_drop_old(struct bounded_cache *cache, uint64_t age_ms)
{
    while (bounded_cache_first(cache) && bounded_cache_age(cache, bounded_cache_first(cache)) >= age_ms)
        bounded_cache_drop(cache, bounded_cache_first(cache));
}
