/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c - the broker as a whole: made, drained, ended; and its numbers.
 *
 * Order of ending: first the operations in flight (they hold loans and watch check-ins), then the lists, then
 * the lease table. What is still lent out then stays with the vault until its own expiry; broker_drain() with
 * release_on_stop and broker_idle() are how a caller avoids that.
 */
#include "broker/checkout.h"
#include "broker/lease.h"
#include "broker/op.h"
#include "broker/table.h"

#include <stdlib.h>
#include <string.h>

#define LIST_ENTRIES 4096
#define KNOWN_ROWS   65536

static struct lists *new_lists(const struct broker_opts *opts)
{
    return lists_new(&(struct lists_opts){.timers = opts->timers,
                                          .list_cache_ms = opts->conf->gateway.list_cache_ms,
                                          .known_ms = opts->conf->gateway.catalogue_cache_ms,
                                          .max_entries = LIST_ENTRIES,
                                          .max_known = KNOWN_ROWS});
}

struct broker *broker_new(const struct broker_opts *opts)
{
    struct broker *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    TAILQ_INIT(&b->ops);
    b->timers = opts->timers;
    b->clock = timers_clock(opts->timers);
    b->conf = opts->conf;
    b->nvaults = opts->nvaults;
    b->vaults = calloc(opts->nvaults + 1, sizeof(struct vault *));
    b->lists = new_lists(opts);
    b->leases = leases_new(opts->timers);
    b->turns = calloc(1, sizeof *b->turns);
    if (!b->vaults || !b->lists || !b->leases || !b->turns) {
        broker_free(b);
        return NULL;
    }
    for (size_t i = 0; i < opts->nvaults; i++)
        b->vaults[i] = opts->vaults[i];
    return b;
}

void broker_drain(struct broker *b)
{
    if (b->draining)
        return;
    b->draining = true;
    if (b->conf->gateway.release_on_stop)
        leases_close_all(b->leases);
}

bool broker_idle(const struct broker *b)
{
    return b->nops == 0 && leases_quiet(b->leases, b->conf->gateway.release_on_stop);
}

void broker_free(struct broker *b)
{
    struct op *op;

    if (!b)
        return;
    while ((op = TAILQ_FIRST(&b->ops)))
        op->class->destroy(op);
    if (b->lists)
        lists_free(b->lists);
    leases_free(b->leases);
    if (b->turns)
        table_free(b->turns);
    free(b->turns);
    free(b->vaults);
    free(b);
}

void broker_state(const struct broker *b, struct broker_state *state)
{
    struct lists_stats stats;

    *state = (struct broker_state){.ops = b->nops, .checkouts = b->checkouts, .releases = b->releases};
    leases_state(b->leases, state);
    lists_stats(b->lists, &stats);
    state->cache_hits = stats.hits;
    state->coalesced = stats.coalesced;
}
