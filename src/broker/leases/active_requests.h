/*
 * active_requests.h - the vaults' lists of live requests, read for all who need one, at a bounded rate.
 *
 *   a recovery waits for its user's list   \
 *   a round expects request ids in it       +-> request poll (one per vault and user) -> paced -> list read
 *   a second look at what was missing      /
 *
 * A request poll serves all that wait for its list with one read, in the background, and all polls together
 * keep to the configured rate; so neither a restart nor a vault that is reachable again gets a burst of
 * calls.
 *
 * A list is older than it looks: it can lack what was made after it, and show what has been checked in since.
 * So a wait gets only a list whose call was sent after the wait began, and request ids that are expected
 * while the call is on its way are looked for in the next one.
 *
 * Life cycle of a poll: idle -> queued -> in flight -> (resting ->) freed when nothing is left to ask.
 *
 * Not here: what follows from a list (reconcile.c); when a recovery looks again (recovery.c).
 */
#ifndef JG_BROKER_LEASES_ACTIVE_REQUESTS_H
#define JG_BROKER_LEASES_ACTIVE_REQUESTS_H

#include "backends/backend.h"
#include "base/timers.h"

#include <sys/queue.h>

struct active_requests_reader;

/* Waits for one list: `not_found` follows, or a row that `matches` is passed to the reader's owner with it.
 */
struct active_requests_wait {
    bool (*matches)(const struct active_requests_wait *, const struct active_request *);
    /* For the reader's owner to call. False = it matches, and has to be a record of its own. */
    bool (*found)(struct active_requests_wait *, const struct active_request *);
    void (*not_found)(struct active_requests_wait *, bool list_was_read); /* may wait again */
    bool linked;
    LIST_ENTRY(active_requests_wait) link;
};

/* What the reader calls with a list that was read; in this order. */
struct active_requests_owner {
    /* Each row. `wait`: one that waits and matches it, or NULL. */
    void (*row)(struct active_requests_owner *, struct vault *, const char *user,
                const struct active_request *, struct active_requests_wait *wait);
    /* Each request that was expected; `row` NULL = not listed. True = it is expected in the next list as
     * well. */
    bool (*expected)(struct active_requests_owner *, struct vault *, const char *user, const char *name,
                     const struct active_request *row);
    /* Then the waits that matched no row; then this. */
    void (*read)(struct active_requests_owner *, struct vault *);
};

struct active_requests_opts {
    struct timers *timers;
    double per_s;     /* lists a second, all together; 0 = no limit */
    uint64_t *random; /* of backoff_ms() */
    struct active_requests_owner *owner;
};

/* NULL = out of memory. */
struct active_requests_reader *active_requests_new(const struct active_requests_opts *);
void active_requests_free(struct active_requests_reader *); /* cancels what is on its way; NULL is fine */

/* `wait` gets its user's list, read by a call that is sent from now on. Its not_found() may be called at
 * once. */
void active_requests_get(struct active_requests_reader *, struct vault *, const char *user,
                         struct active_requests_wait *);
void active_requests_leave(struct active_requests_wait *); /* any number of times */

/* A round of expectations: those of a round before that were never looked for are forgotten. */
void active_requests_round(struct active_requests_reader *);
/* The request should be in its user's list. False = a call is on its way, or out of memory: the next round.
 */
bool active_requests_expect(struct active_requests_reader *, struct vault *, const char *user,
                            const char *name);
/* All of the round are expected: reading begins. */
void active_requests_start(struct active_requests_reader *);
size_t active_requests_polls(const struct active_requests_reader *);

#endif
