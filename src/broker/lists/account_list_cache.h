/*
 * account_list_cache.h - account lists that have been read, kept for two purposes.
 *
 * Younger than fresh_ms a list answers the same query again; younger than keep_ms it says which accounts the
 * vault has shown its user ("known accounts"). The cache is bounded by the number of lists and by the number
 * of rows in all: a kept list counts with all its rows.
 */
#ifndef JG_BROKER_LISTS_ACCOUNT_LIST_CACHE_H
#define JG_BROKER_LISTS_ACCOUNT_LIST_CACHE_H

#include "base/clock.h"
#include "broker/lists/list_key.h"

struct account_list_cache;

struct account_list_cache_opts {
    const struct clock *clock;
    uint64_t fresh_ms, keep_ms;
    size_t max_entries, max_rows;
};

struct account_list_cache *account_list_cache_new(const struct account_list_cache_opts *);
void account_list_cache_free(struct account_list_cache *); /* NULL is fine */
void account_list_cache_reload(struct account_list_cache *, uint64_t fresh_ms, uint64_t keep_ms);

/* Keeps a reference to `rows` under the key, and owns the key. Not keeping it, without memory, is no error.
 */
void account_list_cache_put(struct account_list_cache *, struct list_key *, struct account_list *rows);
/* The fresh list of that key and its age, or NULL (and the age is left alone). The reference stays the
 * cache's. */
struct account_list *account_list_cache_get(struct account_list_cache *, const struct list_key *,
                                            uint64_t *age_ms);
/* The newest row of that account shown to the user, and a reference to its list, or NULL. */
const struct account *account_list_cache_find(struct account_list_cache *, const struct vault *,
                                              const char *user, const char *account_key,
                                              struct account_list **list);

#endif
