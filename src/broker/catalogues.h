/*
 * catalogues.h - the catalogues of all users: made when first searched, renewed while they serve.
 *
 * A catalogue younger than catalogue_cache answers at once. An older one answers at once as well, and is read
 * again in the background, once for all searches of that user. Older than catalogue_max_age it does not
 * answer any more: the search waits for the reading, as it does for the first. catalogue_cache = 0: every
 * search waits for a reading that began with it or is under way.
 *
 * A failed reading is the answer of those who wait; a catalogue that still serves is kept, unless the vault
 * refused the user. The number of rows in all is bounded, the least recently searched catalogue goes first.
 */
#ifndef JG_BROKER_CATALOGUES_H
#define JG_BROKER_CATALOGUES_H

#include "backends/backend.h"
#include "base/timers.h"
#include "broker/catalogue.h"

struct catalogues;

struct catalogues_opts {
    struct timers *timers;
    struct vault *const *vaults; /* outlive it */
    size_t nvaults;
    uint64_t fresh_ms, max_age_ms;
    size_t max_rows;  /* 0 = a built-in limit */
    size_t max_users; /* 0 = a built-in limit */
};

struct catalogue_wait {
    /* the caller's */
    void (*done)(struct catalogue_wait *);
    /* the answer, in done(); `catalogue` is a reference of the waiter's: catalogue_unref() */
    enum vault_result result;
    struct fault fault;
    struct catalogue *catalogue;
    uint64_t age_ms; /* since the reading began; 0 for who waited for it */
    bool waited;     /* for a reading; else it was at hand */
    /* private */
    struct catalogue_wait **queue; /* it stands in; NULL = in none */
    struct catalogue_wait *next, *prev;
    struct deadline soon;
};

struct catalogues *catalogues_new(const struct catalogues_opts *); /* NULL = out of memory */
/* Other ages from now on, for what is kept already as well. */
void catalogues_renew(struct catalogues *, uint64_t fresh_ms, uint64_t max_age_ms);
void catalogues_free(struct catalogues *); /* waiters are not called; NULL is fine */

/* 0 and done() later exactly once (never before the return), or -errno and never. */
int catalogues_get(struct catalogues *, struct vault *, const char *user, struct catalogue_wait *);
/* done() will not come; the reading goes on, for the next search. Any number of times. */
void catalogues_leave(struct catalogues *, struct catalogue_wait *);

/* The directory's book of a vault, and NULL where there is none. */
struct book *catalogues_book(struct catalogues *, const struct vault *);
struct directory *catalogues_directory(struct catalogues *, const struct vault *);

struct catalogues_stats {
    size_t users, rows;
    uint64_t hits, stale, reads, coalesced, failures;
};
void catalogues_stats(const struct catalogues *, struct catalogues_stats *);

#endif
