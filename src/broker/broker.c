/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c - the broker as a whole: made, drained, ended; and its numbers.
 *
 * Order of ending: first the operations in flight (they hold vault requests and watch check-ins), then the
 * lists, then the lease table. What is still lent out then stays with the vault until its own expiry;
 * broker_drain() with release_on_stop and broker_idle() are how a caller avoids that.
 */
#include "base/hash_table.h"
#include "broker/catalogue/catalogue_cache.h"
#include "broker/checkout/checkout.h"
#include "broker/find/explain.h"
#include "broker/leases/lease_table.h"
#include "broker/operation.h"

#include <stdlib.h>
#include <string.h>

#define LIST_ENTRIES 4096
#define KNOWN_ROWS   65536
#define EXPLAIN_MS   900000 /* contract 6: kept 15 minutes */

static struct account_lists *new_lists(const struct broker_opts *opts)
{
    return account_lists_new(&(struct account_lists_opts){.timers = opts->timers,
                                                          .list_cache_ms = opts->conf->gateway.list_cache_ms,
                                                          .known_ms = opts->conf->gateway.catalogue_cache_ms,
                                                          .max_entries = LIST_ENTRIES,
                                                          .max_known = KNOWN_ROWS});
}

static struct catalogue_cache *new_catalogues(const struct broker *b)
{
    return catalogue_cache_new(
        &(struct catalogue_cache_opts){.timers = b->timers,
                                       .vaults = b->vaults,
                                       .nvaults = b->nvaults,
                                       .fresh_ms = b->conf->gateway.catalogue_cache_ms,
                                       .max_age_ms = b->conf->gateway.catalogue_max_age_ms,
                                       .max_rows = (size_t)b->conf->gateway.catalogue_rows});
}

static struct explain *new_explain(const struct broker_opts *opts)
{
    return explain_new(&(struct explain_opts){.clock = timers_clock(opts->timers),
                                              .max_records = opts->conf->gateway.explain_entries,
                                              .max_bytes = opts->conf->gateway.explain_memory,
                                              .keep_ms = EXPLAIN_MS});
}

static struct leases *new_leases(const struct broker_opts *opts)
{
    return leases_new(&(struct leases_opts){.timers = opts->timers,
                                            .vaults = opts->vaults,
                                            .nvaults = opts->nvaults,
                                            .store = opts->store,
                                            .reconcile_every_ms = opts->conf->gateway.reconcile_every_ms,
                                            .reconcile_per_s = opts->conf->gateway.reconcile_per_s,
                                            .audit = opts->audit});
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
    b->audit = opts->audit;
    b->nvaults = opts->nvaults;
    b->vaults = calloc(opts->nvaults + 1, sizeof(struct vault *));
    b->lists = new_lists(opts);
    b->explain = new_explain(opts);
    b->leases = new_leases(opts);
    b->session_queues = calloc(1, sizeof *b->session_queues);
    if (!b->vaults || !b->lists || !b->explain || !b->leases || !b->session_queues) {
        broker_free(b);
        return NULL;
    }
    for (size_t i = 0; i < opts->nvaults; i++)
        b->vaults[i] = opts->vaults[i];
    b->catalogue_cache = new_catalogues(b);
    if (!b->catalogue_cache) {
        broker_free(b);
        return NULL;
    }
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
    catalogue_cache_free(b->catalogue_cache);
    if (b->lists)
        account_lists_free(b->lists);
    explain_free(b->explain);
    leases_free(b->leases);
    if (b->session_queues)
        table_free(b->session_queues);
    free(b->session_queues);
    free(b->vaults);
    free(b);
}

const struct explain_view *broker_explain(struct broker *b, const char *request_id)
{
    return explain_find(b->explain, request_id);
}

void broker_state(const struct broker *b, struct broker_state *state)
{
    struct account_lists_stats stats;

    *state = (struct broker_state){.ops = b->nops, .checkouts = b->checkouts, .releases = b->releases};
    leases_state(b->leases, state);
    account_lists_stats(b->lists, &stats);
    state->cache_hits = stats.hits;
    state->coalesced = stats.coalesced;
}
