/*
 * catalogue_cache.h - the catalogues of all users: made at the first search, renewed while they serve.
 *
 * A catalogue younger than catalogue_cache answers at once. An older one answers at once as well, and is read
 * again in the background, once for all searches of that user. Older than catalogue_max_age it does not
 * answer any more: the search waits for the reading, as the first search does. catalogue_cache = 0: every
 * search waits for a reading that began with it or is under way.
 *
 * A failed reading is the answer of its waiters; a catalogue that still serves is kept, unless the vault
 * refused the user. The number of rows in all is bounded; the least recently searched catalogue goes first.
 */
#ifndef JG_BROKER_CATALOGUE_CATALOGUE_CACHE_H
#define JG_BROKER_CATALOGUE_CATALOGUE_CACHE_H

#include "broker/catalogue/catalogue.h"
#include "broker/lists/list_wait.h"

struct catalogue_cache;

struct catalogue_cache_opts {
    struct timers *timers;
    struct vault *const *vaults; /* outlive it */
    size_t nvaults;
    uint64_t fresh_ms, max_age_ms;
    size_t max_rows; /* 0 = a built-in limit */
};

struct catalogue_cache *catalogue_cache_new(const struct catalogue_cache_opts *); /* NULL = out of memory */
/* Sets other ages, for the catalogues that are kept already as well. */
void catalogue_cache_reload(struct catalogue_cache *, uint64_t fresh_ms, uint64_t max_age_ms);
void catalogue_cache_free(struct catalogue_cache *); /* waiters are not called; NULL is fine */

/*
 * 0 and done() later exactly once (never before the return), or -errno and never. The age counts from the
 * begin of the reading; the source is LIST_FROM_VAULT for all who waited for a reading.
 */
int catalogue_cache_get(struct catalogue_cache *, struct vault *, const char *user, struct list_wait *);
/* done() will not be called; the reading goes on, for the next search. May be called any number of times. */
void catalogue_cache_leave(struct catalogue_cache *, struct list_wait *);
/*
 * The waiter's time is over. True = the lists have been read, and only the system index is waited for: the
 * wait has its answer, a catalogue with the index that there is (or none), and has ended without done(). The
 * reading goes on, for the next search. False = nothing has changed.
 */
bool catalogue_cache_take_early(struct catalogue_cache *, struct vault *, const char *user,
                                struct list_wait *);

/* The system index of a vault, and its directory; NULL where there is none. */
struct system_index *catalogue_cache_index(struct catalogue_cache *, const struct vault *);
struct directory *catalogue_cache_directory(struct catalogue_cache *, const struct vault *);

struct catalogue_cache_stats {
    size_t users, rows;
};
void catalogue_cache_stats(const struct catalogue_cache *, struct catalogue_cache_stats *);

#endif
