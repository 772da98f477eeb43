/*
 * clock_skew.h - how far a vault's clock is from the gateway's: the warning about it, and the conversion of
 * an end that the vault stated; the time in which leases begin and end.
 *
 * Not here: measuring the difference (vault_state, from the `Date` of the vault's answers).
 */
#ifndef JG_BROKER_LEASES_CLOCK_SKEW_H
#define JG_BROKER_LEASES_CLOCK_SKEW_H

#include "backends/backend.h"
#include "base/clock.h"

struct leases;
struct skew_note;

struct skew_notes {
    struct skew_note *vaults;
    size_t n;
};

/* Warns when the vault's clock begins to differ, by how much it differs changes much, or agrees again. */
void skew_note(struct skew_notes *, const struct vault *);
/* The time in which beginning and end of leases at this vault are given: the vault's own, as far as it is
 * known, in a shared store; this machine's otherwise. */
int64_t leases_wall(const struct leases *, struct vault *);
/*
 * Milliseconds until the end that the row states, at least, by our clock. 0 = it states none, or one that has
 * passed, which for a live request counts as none.
 */
int64_t skew_left(const struct clock *, struct vault *, const struct active_request *row);
void skew_free(struct skew_notes *);

#endif
