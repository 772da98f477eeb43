/*
 * account_lists.h - reads of account lists: equal reads under way share one vault call, and answers are kept
 * for list_cache.
 *
 * Reads are equal in vault, mapped user and query. Waiters share failures as well as rows; failures are not
 * kept. Rows are also remembered per user as "known accounts" (for catalogue_cache, bounded in number), so
 * that a check-out after a find need not list again. No secret is ever in a list.
 */
#ifndef JG_BROKER_LISTS_ACCOUNT_LISTS_H
#define JG_BROKER_LISTS_ACCOUNT_LISTS_H

#include "broker/lists/account_facts.h"
#include "broker/lists/list_wait.h"

struct account_lists;

struct account_lists_opts {
    struct timers *timers;
    uint64_t list_cache_ms; /* 0 = no cache (reads under way are shared all the same) */
    uint64_t known_ms;      /* catalogue_cache */
    size_t max_entries;     /* kept lists, the least recently used is dropped first; 0 = a built-in limit */
    size_t max_known;       /* rows of kept lists in all; 0 = a built-in limit */
};

struct account_lists *account_lists_new(const struct account_lists_opts *);
/* Sets other ages, for the lists that are kept already as well. */
void account_lists_reload(struct account_lists *, uint64_t list_cache_ms, uint64_t known_ms);
void account_lists_free(struct account_lists *); /* cancels vault calls; waiters are not called */

/* 0 and done() later exactly once (never before the return), or -errno and never. */
int account_lists_get(struct account_lists *, struct vault *, const char *user, const struct account_query *,
                      struct list_wait *);
/* done() will not be called. The vault call goes on for other waiters, else it is cancelled. May be called
 * any number of times. */
void account_lists_leave(struct account_lists *, struct list_wait *);

/*
 * The row of an account this user was shown lately, with a reference to its list in *hold (unref it), or
 * NULL.
 */
const struct account *account_lists_known(struct account_lists *, struct vault *, const char *user,
                                          const char *account_key, struct account_list **hold);
/* What else is known of accounts. */
struct account_facts *account_lists_facts(struct account_lists *);

struct account_lists_stats {
    uint64_t hits, coalesced, reads;
};
void account_lists_stats(const struct account_lists *, struct account_lists_stats *);

#endif
