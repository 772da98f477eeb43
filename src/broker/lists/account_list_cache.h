/*
 * account_list_cache.h - account lists that have been read, kept for two purposes.
 *
 * Younger than fresh_ms a list answers the same question again; younger than keep_ms it still tells which
 * accounts its user was shown ("known accounts"). Bounded by number of lists and by number of rows in all: a
 * list counts with all its rows as long as it is kept, so one wanted row cannot hold a thousand others
 * unseen.
 */
#ifndef JG_BROKER_LISTS_ACCOUNT_LIST_CACHE_H
#define JG_BROKER_LISTS_ACCOUNT_LIST_CACHE_H

#include "base/clock.h"
#include "broker/identity/credential_id.h"
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

/* Keeps a reference of `rows` under the key, which it takes over. Not keeping, for want of memory, is no
 * error. */
void account_list_cache_put(struct account_list_cache *, struct list_key *, struct account_list *rows);
/* The fresh answer to the question and its age, or NULL. The reference stays the cache's. */
struct account_list *account_list_cache_get(struct account_list_cache *, const struct list_key *,
                                            uint64_t *age_ms);
/* The newest row of that account shown to the user, and its list (borrowed), or NULL. */
const struct account *account_list_cache_find(struct account_list_cache *, const struct vault *,
                                              const char *user, const struct credential_ref *,
                                              struct account_list **list);

#endif
