/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_skew.c - a warning, once per change, when a vault's clock and ours are more than half a minute apart.
 *
 * Nothing depends on the two clocks being equal: a lease is counted from the moment before the vault was
 * asked, on the monotonic clock, and an end that the vault names is converted to our clock. But a wrong clock
 * makes the times at the vault and those of the gateway differ.
 *
 * A Date has whole seconds and was written some time during its call, so the difference is known up to an
 * error. An end is converted with the largest difference that may be: no lease ends after its vault request.
 */
#include "broker/leases/clock_skew.h"

#include "base/log.h"
#include "broker/leases/internal.h"

#include <stdbool.h>
#include <stdlib.h>

#define LIMIT_MS 30000

struct skew_note {
    const struct vault *vault;
    int64_t warned_ms; /* of the last warning; 0 = in order */
};

static struct skew_note *note_of(struct skew_notes *notes, const struct vault *vault)
{
    for (size_t i = 0; i < notes->n; i++)
        if (notes->vaults[i].vault == vault)
            return &notes->vaults[i];
    struct skew_note *more = realloc(notes->vaults, (notes->n + 1) * sizeof *more);

    if (!more)
        return NULL;
    notes->vaults = more;
    more[notes->n] = (struct skew_note){.vault = vault};
    return &more[notes->n++];
}

static bool is_far(int64_t ms)
{
    return ms > LIMIT_MS || ms < -LIMIT_MS;
}

void skew_note(struct skew_notes *notes, const struct vault *vault)
{
    struct vault_state state;
    struct skew_note *note = note_of(notes, vault);

    vault->ops->state(vault, &state);
    if (!note)
        return;
    int64_t now = is_far(state.skew_ms) ? state.skew_ms : 0;

    if (now && is_far(now - note->warned_ms))
        log_warn("clock_skew", "vault=%s skew_ms=%lld hint=%s", vault->conf->name, (long long)now,
                 "let both machines follow the same time servers");
    else if (!now && note->warned_ms)
        log_info("clock_skew_over", "vault=%s skew_ms=%lld", vault->conf->name, (long long)state.skew_ms);
    else
        return;
    note->warned_ms = now;
}

int64_t leases_wall(const struct leases *ls, struct vault *vault)
{
    struct vault_state state;

    if (!ls->shared)
        return clock_wall(ls->clock);
    vault->ops->state(vault, &state);
    return clock_wall(ls->clock) + (state.skew_known ? state.skew_ms : 0);
}

int64_t skew_left(const struct clock *clock, struct vault *vault, const struct active_request *row)
{
    struct vault_state state;

    vault->ops->state(vault, &state);
    int64_t left = row->expires_wall_ms - state.skew_ms - clock_wall(clock);

    if (!row->expires_wall_ms || left <= 0)
        return 0;
    return left > state.skew_error_ms ? left - state.skew_error_ms : 1;
}

void skew_free(struct skew_notes *notes)
{
    free(notes->vaults);
    *notes = (struct skew_notes){0};
}
