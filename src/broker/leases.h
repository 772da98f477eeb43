/*
 * leases.h - the inside of the lease table; for the files that make it up alone: lease.c, lease_row.c,
 * loan.c, checkin.c, lane.c, intent.c, reconcile.c, restore.c and views.c.
 */
#ifndef JG_BROKER_LEASES_H
#define JG_BROKER_LEASES_H

#include "broker/intent.h"
#include "broker/journal.h"
#include "broker/lane.h"
#include "broker/lease.h"
#include "broker/reconcile.h"
#include "broker/registry.h"

struct leases {
    struct timers *timers;
    const struct clock *clock;
    struct journal *journal;
    struct audit *audit; /* NULL = none is kept */
    struct reconcile *reconcile;
    struct registry registry;
    struct table sittings, loans;
    struct lane **lanes; /* one per vault; of restored rows also vaults that are configured no more */
    size_t nlanes;
    TAILQ_HEAD(, checkin) lapsed; /* oldest first */
    size_t nlapsed;
    size_t nleases;
    size_t nintents;
    size_t in_flight; /* check-ins on their way or in line for it */
    size_t retrying;  /* loans that wait for their next attempt */
    size_t hunts;
    bool closing;             /* release_on_stop */
    uint64_t burst_ms, burst; /* timed releases in this millisecond */
    uint64_t lapsed_ever;
    uint64_t random;
};

enum lease_change {
    LEASE_OPENED,    /* a session got a lease */
    LEASE_CLOSED,    /* it ended */
    LOAN_CHECKED_IN, /* the vault confirmed */
    LOAN_ALREADY_GONE,
    LOAN_LAPSED,    /* the vault's own expiry came first */
    LOAN_FORGOTTEN, /* not ours to give back, or known to be gone */
};

/* Counts what lapsed; the debug log. */
void leases_tell(struct leases *, enum lease_change, const struct loan *, const struct lease *);
/* Takes it out of the table, tells who watches, frees it. */
void loan_end(struct loan *, enum lease_change how);
/* Forgets all covers of a loan: their rows go. */
void loan_uncover(struct loan *);
/* A loan of the store: RETURNING, with a cover in `held`, `attempts` made; the next one after `delay_ms`. */
void loan_resume(struct loan *, int64_t attempts, const char *last_error, uint64_t delay_ms);
void loan_resume_lapsed(struct loan *, int64_t attempts, const char *last_error, uint64_t keep_ms);
/* A loan of the store that is held after all: OPEN again, without its covers. */
void loan_unreturn(struct loan *);
/* What a row tells of the check-ins. */
struct checkin_view {
    int64_t attempts, next_wall_ms;
    const char *last_error; /* NULL = none */
};
struct checkin_view loan_checkin_view(const struct loan *);
/* Back-off for attempt n (1, 2, …): doubling from half a second to a minute, the last quarter at random. */
uint64_t leases_backoff(struct leases *, unsigned attempt);
/* Empty sittings and freed leases; for leases_free(). */
void lease_free(struct leases *, struct lease *);
/* A lease in any state, as yet without loan or intent. NULL = out of memory. */
struct lease *lease_make(struct leases *, const struct session *, const char *credential_id, const char *id,
                         int64_t created_wall_ms);
/* Puts an OPEN lease on its loan and into its sitting. */
void lease_link(struct lease *, struct loan *);
void lease_cover(struct lease *, struct loan *); /* as a cover: RELEASING */

int leases_restore(struct leases *); /* restore.c: 0 or -errno */

#endif
