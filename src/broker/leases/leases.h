/*
 * leases.h - the lease table as a whole: made from the store, closed at the stop, counted, listed.
 */
#ifndef JG_BROKER_LEASES_LEASES_H
#define JG_BROKER_LEASES_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit;
struct journal;
struct leases;
struct store;
struct timers;
struct vault;

struct leases_opts {
    struct timers *timers;
    struct vault *const *vaults;
    size_t nvaults;
    struct store *store;         /* NULL = in memory only */
    uint64_t reconcile_every_ms; /* 0 = at the start only */
    double reconcile_per_s;      /* 0 = unlimited */
    struct audit *audit;         /* NULL = none is kept */
};

/* Reads the store; NULL = it cannot be read, or out of memory. */
struct leases *leases_new(const struct leases_opts *);
void leases_free(struct leases *); /* cancels check-ins in flight, without callbacks; NULL is fine */
struct journal *leases_journal(struct leases *);

size_t leases_active(const struct leases *); /* that are open */
/* As broker_reconcile(). */
size_t leases_reconcile(struct leases *, bool all_users);
/* release_on_stop: ends every lease, and each one opened from now on. */
void leases_close_all(struct leases *);
/* The gateway stops: no spin (spin.h) is begun any more; the next start goes on with what is due. */
void leases_drain(struct leases *);
bool leases_written(const struct leases *); /* no row is on its way */
/* No check-in, no spin and no row is on its way; with `all_checked_in`: and none is still to come. */
bool leases_quiet(const struct leases *, bool all_checked_in);

struct leases_state {
    size_t active, intents;
    size_t releasing, retrying; /* check-ins on their way or queued; those that wait, and recoveries */
    uint64_t oldest_overdue_ms; /* how long the oldest lease is past its end and not checked in; 0 = none */
    size_t pending;             /* vault requests that wait for their approver */
    uint64_t lapsed;            /* ever */
    size_t stuck_rows;          /* rows that the store could not write as yet */
    uint64_t refused_steps;     /* ever: the store's rows were not as the step expected */
    bool store_writable;        /* true without a store */
};
void leases_state(const struct leases *, struct leases_state *);

#endif
