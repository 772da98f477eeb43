/*
 * internal.h - the inside of the lease table; for the files that make it up alone: lease_table.c,
 * lease_row.c, lease_life.c, checkin.c, checkin_queue.c, intent.c, reconcile.c, restore.c and
 * lease_listing.c.
 */
#ifndef JG_BROKER_LEASES_INTERNAL_H
#define JG_BROKER_LEASES_INTERNAL_H

#include "broker/leases/checkin_queue.h"
#include "broker/leases/intent.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_index.h"
#include "broker/leases/lease_table.h"
#include "broker/leases/reconcile.h"

struct leases {
    struct timers *timers;
    const struct clock *clock;
    struct journal *journal;
    struct audit *audit; /* NULL = none is kept */
    struct reconcile *reconcile;
    struct lease_index lease_index;
    struct table session_leases, requests;
    struct checkin_queue *
        *checkin_queues; /* one per vault; of restored rows also vaults that are configured no more */
    size_t ncheckin_queues;
    TAILQ_HEAD(, checkin) lapsed; /* oldest first */
    size_t nlapsed;
    size_t nleases;
    size_t nintents;
    size_t in_flight; /* check-ins on their way or in line for it */
    size_t retrying;  /* vault requests that wait for their next attempt */
    size_t recoveries;
    bool closing;             /* release_on_stop */
    uint64_t burst_ms, burst; /* timed releases in this millisecond */
    uint64_t lapsed_ever;
    uint64_t random;
};

enum lease_change {
    LEASE_OPENED,       /* a session got a lease */
    LEASE_CLOSED,       /* it ended */
    REQUEST_CHECKED_IN, /* the vault confirmed */
    REQUEST_ALREADY_GONE,
    REQUEST_EXPIRED,   /* the vault's own expiry came first */
    REQUEST_FORGOTTEN, /* not ours to give back, or known to be gone */
};

/* Counts what lapsed; the debug log. */
void leases_tell(struct leases *, enum lease_change, const struct vault_request *, const struct lease *);
/* Takes it out of the table, tells who watches, frees it. */
void vault_request_end(struct vault_request *, enum lease_change how);
/* Forgets all covers of a vault request: their rows go. */
void vault_request_uncover(struct vault_request *);
/* A vault request of the store: RETURNING, with a cover in `held`, `attempts` made; the next one after
 * `delay_ms`. */
void vault_request_resume(struct vault_request *, int64_t attempts, const char *last_error,
                          uint64_t delay_ms);
void vault_request_resume_lapsed(struct vault_request *, int64_t attempts, const char *last_error,
                                 uint64_t keep_ms);
/* A vault request of the store that is held after all: OPEN again, without its covers. */
void vault_request_unreturn(struct vault_request *);
/* What a row tells of the check-ins. */
struct checkin_view {
    int64_t attempts, next_wall_ms;
    const char *last_error; /* NULL = none */
};
struct checkin_view vault_request_checkin_view(const struct vault_request *);
/* Back-off for attempt n (1, 2, …): doubling from half a second to a minute, the last quarter at random. */
uint64_t leases_backoff(struct leases *, unsigned attempt);
/* Empty session_leases and freed leases; for leases_free(). */
void lease_free(struct leases *, struct lease *);
/* A lease in any state, as yet without vault request or intent. NULL = out of memory. */
struct lease *lease_make(struct leases *, const struct session *, const char *credential_id, const char *id,
                         int64_t created_wall_ms);
/* Puts an OPEN lease on its vault request and into its session_leases. */
void lease_link(struct lease *, struct vault_request *);
void lease_cover(struct lease *, struct vault_request *); /* as a cover: RELEASING */

uint32_t vault_request_hash(int64_t request_id);
/* The last lease of an unproven request ends: it becomes an intent, which finds the request by its mark. */
void intent_of_unproven(struct lease *, struct vault_request *);

int leases_restore(struct leases *); /* restore.c: 0 or -errno */

#endif
