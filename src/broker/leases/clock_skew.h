/*
 * clock_skew.h - how far a vault's clock is from the gateway's: the warning about it, and the conversion of a
 * time that the vault stated.
 *
 * Not here: measuring the difference (vault_state.skew_ms, from the `Date` of the vault's answers).
 */
#ifndef JG_BROKER_LEASES_CLOCK_SKEW_H
#define JG_BROKER_LEASES_CLOCK_SKEW_H

#include "backends/backend.h"
#include "base/clock.h"

struct skew_note;

struct skew_notes {
    struct skew_note *vaults;
    size_t n;
};

/* Warns when the vault's clock begins to differ, by how much it differs changes much, or agrees again. */
void skew_note(struct skew_notes *, const struct vault *);
/* A moment of the vault's clock in ours. A difference that the whole seconds of its Date can explain is none.
 */
int64_t skew_to_ours(struct vault *, int64_t vault_wall_ms);
/*
 * Milliseconds until the end that the row states, by our clock. 0 = it states none, or one that has passed,
 * which for a live request counts as none.
 */
int64_t skew_left(const struct clock *, struct vault *, const struct active_request *row);
void skew_free(struct skew_notes *);

#endif
