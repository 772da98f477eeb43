/*
 * clock_skew.h - vaults whose clock is not ours.
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
 * Milliseconds until the end that the row tells, by our clock. 0 = none is told: a row of a live request
 * whose end has passed tells none.
 */
int64_t skew_left(const struct clock *, struct vault *, const struct active_request *row);
void skew_free(struct skew_notes *);

#endif
