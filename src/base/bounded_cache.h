/*
 * bounded_cache.h - entries found by a key of bytes, bounded in number and in weight; the first in the order
 * of use goes first.
 *
 * An entry is the first member of its owner's object; the cache frees the object by the function it was
 * given. A put entry and a touched one are the last in the order of use. The age of an entry counts from its
 * put; the caller decides how old is too old, and asks for the drop.
 *
 * Not here: what a weight is, and which entry is out of date.
 */
#ifndef JG_BASE_BOUNDED_CACHE_H
#define JG_BASE_BOUNDED_CACHE_H

#include "base/clock.h"
#include "base/uthash_nofail.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct cache_entry {
    UT_hash_handle hh;
    TAILQ_ENTRY(cache_entry) use;
    uint64_t at_ms; /* when it was put */
    size_t weight;
};

struct bounded_cache {
    const struct clock *clock; /* NULL = ages are 0 */
    size_t max_entries, max_weight;
    void (*free_entry)(struct cache_entry *); /* NULL = free() */
    /* private */
    struct cache_entry *by_key;
    TAILQ_HEAD(, cache_entry) used; /* least recently used first */
    size_t n, weight;
};

/* The caller has set the members above `private`. */
void bounded_cache_init(struct bounded_cache *);
void bounded_cache_clear(struct bounded_cache *);

/* The entry replaces one of the same key, and others are dropped until it fits. The key lives in the entry's
 * object. False = out of memory, or the entry alone is over a bound; the entry is still the caller's. */
bool bounded_cache_put(struct bounded_cache *, struct cache_entry *, const void *key, size_t len,
                       size_t weight);
struct cache_entry *bounded_cache_find(const struct bounded_cache *, const void *key,
                                       size_t len); /* or NULL */
void bounded_cache_touch(struct bounded_cache *, struct cache_entry *);
void bounded_cache_drop(struct bounded_cache *, struct cache_entry *);
uint64_t bounded_cache_age(const struct bounded_cache *, const struct cache_entry *);
/* Drops the first entries in the order of use, as far as each is that old. */
void bounded_cache_drop_old(struct bounded_cache *, uint64_t age_ms);

static inline struct cache_entry *bounded_cache_first(const struct bounded_cache *cache)
{
    return TAILQ_FIRST(&cache->used);
}

#endif
