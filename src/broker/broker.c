/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c - the broker as a whole: made, reloaded, drained, freed; and its figures.
 *
 * Order of the end: first the operations in flight (they hold vault requests and watch check-ins), then the
 * lists, then the lease table. Requests that are still held then last at the vault until their own expiry; a
 * caller avoids that by broker_drain() with release_on_stop, and broker_idle().
 */
#include "broker/catalogue/catalogue_cache.h"
#include "broker/find/explain.h"
#include "broker/find/partial_answers.h"
#include "broker/leases/clock_skew.h"
#include "broker/leases/journal.h"
#include "broker/leases/lease_audit.h"
#include "broker/leases/lease_listing.h"
#include "broker/leases/leases.h"
#include "broker/leases/lost_rows.h"
#include "broker/leases/shared.h"
#include "broker/operation.h"
#include "broker/release_work.h"

#include "base/log.h"
#include "broker/audit.h"

#include <stdlib.h>
#include <string.h>

#define EXPLAIN_MS 900000 /* 15 minutes: docs/api.md */

static struct account_lists *new_lists(const struct broker_opts *opts)
{
    return account_lists_new(
        &(struct account_lists_opts){.timers = opts->timers,
                                     .list_cache_ms = opts->conf->gateway.list_cache_ms,
                                     .known_ms = opts->conf->gateway.catalogue_cache_ms});
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

/* ---- news of a shared store ---- */

static void on_joined(void *arg)
{
    struct broker *b = arg;

    shared_joined(b->leases);
    log_info("cluster_joined", "leases=%zu", leases_active(b->leases));
}

static void on_certain(void *arg, bool certain)
{
    (void)arg;
    log_event(certain ? LOG_INFO : LOG_WARN, "cluster_certain", "certain=%s", certain ? "yes" : "no");
}

/* The others have counted this gateway as dead, and have what was its. */
static void on_fenced(void *arg)
{
    struct broker *b = arg;

    audit_cluster(b->audit, "fenced", leases_active(b->leases));
    shared_void_begin(b->leases);
    checkouts_void(b);
    shared_void_end(b->leases);
}

static void on_adopt(void *arg, const char *from, const struct request_row *row,
                     const struct lease_row *const *leases, size_t n)
{
    struct broker *b = arg;

    if (shared_adopt(b->leases, from, row, leases, n))
        shared_missed(b->leases);
}

static void on_missed(void *arg)
{
    shared_missed(((struct broker *)arg)->leases);
}

static void on_touched(void *arg, const char *mark)
{
    struct broker *b = arg;

    shared_touched(b->leases, mark);
}

static void on_closed(void *arg, const struct request_row *request, const struct lease_row *lease)
{
    shared_closed(((struct broker *)arg)->leases, request, lease);
}

static const char *on_closing(void *arg, const struct request_row *request)
{
    return shared_closing(((struct broker *)arg)->leases, request);
}

static void on_unrecorded(void *arg, const struct store_end *end)
{
    shared_unrecorded(((struct broker *)arg)->leases, end);
}

static void on_trail(void *arg, uint64_t *taken, uint64_t *settled)
{
    struct audit_state state;

    audit_state(((struct broker *)arg)->audit, &state);
    *taken = state.taken;
    *settled = state.settled;
}

static void on_gone(void *arg, const char *node, int64_t epoch)
{
    struct broker *b = arg;

    log_warn("cluster_node_dead", "node=%s epoch=%lld", node, (long long)epoch);
    shared_gone(b->leases);
}

static size_t on_leases(void *arg)
{
    const struct broker *b = arg;

    return leases_active(b->leases);
}

static const struct store_news news = {.joined = on_joined,
                                       .certain = on_certain,
                                       .fenced = on_fenced,
                                       .adopt = on_adopt,
                                       .missed = on_missed,
                                       .touched = on_touched,
                                       .closed = on_closed,
                                       .closing = on_closing,
                                       .unrecorded = on_unrecorded,
                                       .trail = on_trail,
                                       .gone = on_gone,
                                       .leases = on_leases};

static const struct store_news silence = {0};

/* ---- begin and end ---- */

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
    b->partial = partial_answers_new(opts->nvaults);
    b->leases = new_leases(opts);
    for (size_t i = 0; b->vaults && i < opts->nvaults; i++)
        b->vaults[i] = opts->vaults[i];
    b->catalogue_cache = b->vaults ? new_catalogues(b) : NULL;
    if (b->lists && b->explain && b->partial && b->leases && b->catalogue_cache) {
        if (leases_shared(b->leases))
            opts->store->ops->listen(opts->store, &news, b);
        return b;
    }
    broker_free(b);
    return NULL;
}

/* Its leases outlive this gateway with it. */
static bool is_other_alive(const struct broker *b)
{
    const struct store *store = leases_shared(b->leases);
    struct store_state state = {0};

    if (store)
        store->ops->state(store, &state);
    for (size_t i = 0; state.cluster && i < state.cluster->nmembers; i++)
        if (state.cluster->members[i].state == MEMBER_ALIVE)
            return true;
    return false;
}

void broker_drain(struct broker *b)
{
    if (b->draining)
        return;
    b->draining = true;
    leases_drain(b->leases);
    journal_resume(leases_journal(b->leases)); /* the last time at which a restart can be spared old rows */
    b->releases_on_stop = b->conf->gateway.release_on_stop && !is_other_alive(b);
    if (b->releases_on_stop)
        leases_close_all(b->leases);
}

static void on_left(void *arg, bool taken)
{
    struct broker *b = arg;

    if (b->hand_over != HANDING_OVER_ROWS)
        return;
    b->hand_over = taken ? HANDED_OVER : NOT_TAKEN;
    log_info("handed_over", "taken=%s leases=%zu", taken ? "yes" : "no", leases_active(b->leases));
    if (!taken)
        return;
    audit_cluster(b->audit, "handed_over", leases_active(b->leases));
    shared_void_begin(b->leases);
    shared_void_end(b->leases);
}

static bool is_certain(const struct store *store)
{
    struct store_state state = {0};

    store->ops->state(store, &state);
    return state.cluster && state.cluster->certain;
}

/* Nothing that another gateway would have to go on with. */
static bool has_nothing(const struct leases_state *s)
{
    return !s->active && !s->releasing && !s->retrying && !s->intents && !s->pending;
}

/* The store does not answer, and the stop is not finished. True = there is nothing to wait for. */
static bool is_stopped_without_store(struct broker *b)
{
    struct leases_state s;

    leases_state(b->leases, &s);
    if (has_nothing(&s) && !b->nops && !b->nworks && leases_written(b->leases))
        return true;
    if (!b->says_it_waits)
        log_warn(
            "stop_waits", "operations=%zu releases=%zu leases=%zu pending=%zu hint=%s", b->nops,
            release_works_count(b), leases_active(b->leases), s.pending,
            "etcd does not answer: the releases wait for it, and then the hand-over, until drain_timeout");
    b->says_it_waits = true;
    return false;
}

void broker_hand_over(struct broker *b)
{
    struct store *store = leases_shared(b->leases);
    bool is_open = b->hand_over == NOT_HANDED_OVER || b->hand_over == HANDING_OVER_ROWS;

    if (store && is_open && !b->releases_on_stop && !is_certain(store) && is_stopped_without_store(b)) {
        b->hand_over = HANDING_OVER_ROWS;
        on_left(b, false);
    }
    if (!store || b->hand_over != NOT_HANDED_OVER || b->releases_on_stop || b->nops || b->nworks ||
        !leases_written(b->leases))
        return;
    b->hand_over = HANDING_OVER_ROWS;
    store->ops->leave(store, on_left, b);
}

bool broker_idle(const struct broker *b)
{
    if (b->nops || b->nworks || b->hand_over == HANDING_OVER_ROWS)
        return false;
    if (leases_shared(b->leases) && b->hand_over == NOT_HANDED_OVER && !b->releases_on_stop)
        return false;
    return leases_quiet(b->leases, b->releases_on_stop);
}

void broker_free(struct broker *b)
{
    struct op *op;

    if (!b)
        return;
    if (b->leases && leases_shared(b->leases))
        leases_shared(b->leases)->ops->listen(leases_shared(b->leases), &silence, NULL);
    while ((op = TAILQ_FIRST(&b->ops)))
        op->class->destroy(op);
    if (b->nworks)
        log_warn("releases_dropped", "releases=%zu hint=%s", release_works_count(b),
                 "etcd did not take them within drain_timeout: their leases end at their time");
    release_works_free(b);
    catalogue_cache_free(b->catalogue_cache);
    if (b->lists)
        account_lists_free(b->lists);
    explain_free(b->explain);
    partial_answers_free(b->partial);
    leases_free(b->leases);
    free(b->vaults);
    free(b);
}

const struct explain_view *broker_explain(struct broker *b, const char *request_id)
{
    return explain_find(b->explain, request_id);
}

void broker_state(const struct broker *b, struct broker_state *state)
{
    struct account_lists_stats lists;
    struct leases_state leases;

    leases_state(b->leases, &leases);
    account_lists_stats(b->lists, &lists);
    *state = (struct broker_state){.ops = b->nops,
                                   .leases_active = leases.active,
                                   .leases_releasing = leases.releasing,
                                   .leases_retrying = leases.retrying,
                                   .oldest_overdue_ms = leases.oldest_overdue_ms,
                                   .checkouts = b->checkouts,
                                   .releases = b->releases,
                                   .foreign_releases = b->foreign_releases,
                                   .lapsed = leases.lapsed,
                                   .cache_hits = lists.hits,
                                   .coalesced = lists.coalesced,
                                   .leases_intent = leases.intents,
                                   .leases_pending = leases.pending,
                                   .journal_stuck = leases.stuck_rows,
                                   .steps_refused = leases.refused_steps,
                                   .store_writable = leases.store_writable};
    memcpy(state->session_ends, b->session_ends, sizeof state->session_ends);
}

void broker_count_keys(const struct broker *b, const struct vault *vault, struct key_counts *counts)
{
    leases_count_keys(b->leases, vault, counts);
}

uint64_t broker_partial_answers(const struct broker *b, size_t vault)
{
    return partial_answers_count(b->partial, vault);
}

uint64_t broker_leases(struct broker *b, const struct lease_filter *filter,
                       void (*row)(void *arg, const struct lease_view *), void *arg)
{
    return leases_list(b->leases, filter, row, arg);
}

void broker_pending(struct broker *b, const struct session *session,
                    void (*row)(void *arg, const struct lease_view *), void *arg)
{
    leases_list_pending(b->leases, session, row, arg);
}

void broker_store_rebuilt(const struct broker *b)
{
    leases_warn_unknown(b->leases);
}

bool broker_claim(struct broker *b, const struct audit_claim *claim)
{
    return leases_claim(b->leases, claim);
}

size_t broker_reconcile(struct broker *b, bool all_users)
{
    return leases_reconcile(b->leases, all_users);
}

/* Most code asks the configuration when it needs a value; the caches keep values of their own. */
/* For the other gateways to see. */
static void show_config(struct broker *b)
{
    struct store *store = leases_shared(b->leases);
    char digest[CONF_DIGEST_SIZE];

    if (store && !conf_cluster_digest(b->conf, digest))
        store->ops->set_config(store, digest);
}

void broker_reload(struct broker *b)
{
    const struct conf_gateway *g = &b->conf->gateway;

    show_config(b);
    account_lists_reload(b->lists, g->list_cache_ms, g->catalogue_cache_ms);
    catalogue_cache_reload(b->catalogue_cache, g->catalogue_cache_ms, g->catalogue_max_age_ms);
}
