/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.c - the collector's life: its sites and gateways, a database that comes and goes, the end of a
 * round and of the whole; see collect.h.
 *
 * Sites and gateways that a reload removed are kept in `gone` until their tasks are done, since a task points
 * to them.
 */
#include "reports/collect/collect_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ONCE_AWAY_S 30 /* a round does not wait longer for the database */

/* ---- the database comes and goes ---- */

static void check_end(struct collector *);

static void hold_all(struct collector *c, bool held)
{
    for (size_t i = 0; i < c->nsites; i++)
        collect_site_hold(c->order[i], held);
    for (size_t i = 0; i < c->ngateways; i++)
        gateway_hold(c->gateway_order[i], held);
}

static void on_writer(struct writer *writer, void *arg)
{
    struct collector *c = arg;
    struct writer_state state;
    bool away;

    writer->ops->state(writer, &state);
    away = state.outcome != DB_OK;
    if (away && !c->away)
        c->away_since = collect_now(c);
    if (away != c->away) {
        c->away = away;
        if (away)
            log_error("database_away", "outcome=%s why=%s", db_outcome_name(state.outcome), state.why);
        else
            log_info("database_back", "seconds=%lld", (long long)(collect_now(c) - c->away_since));
        for (size_t i = 0; i < c->nsites; i++)
            collect_site_judge(c->order[i]);
    }
    if (!away && state.bytes <= COLLECT_WAITING_LOW && !c->stopping)
        hold_all(c, false);
    check_end(c);
}

/* ---- the end ---- */

static bool round_is_over(const struct collector *c)
{
    if (c->away)
        return collect_now(c) - c->away_since >= ONCE_AWAY_S;
    for (size_t i = 0; i < c->nsites; i++)
        for (int k = 0; k < COLLECT_NSOURCES; k++)
            if (source_is_wanted(&c->order[i]->sources[k]) && c->order[i]->sources[k].result == ROUND_OPEN)
                return false;
    for (size_t i = 0; i < c->ngateways; i++)
        if (gateway_result(c->gateway_order[i]) == ROUND_OPEN)
            return false;
    return c->tasks == 0;
}

static void check_end(struct collector *c)
{
    if (c->stopping) {
        void (*stopped)(void *) = c->stopped;
        if (c->tasks || !stopped)
            return;
        c->stopped = NULL;
        stopped(c->stopped_arg);
        return;
    }
    if (!c->once || !c->started || c->ended || !round_is_over(c))
        return;
    if (!c->last_upkeep && !c->away) {
        c->last_upkeep = true;
        upkeep_last(c);
        if (c->tasks)
            return;
    }
    c->ended = true;
    c->finished(c->finished_arg);
}

void collect_results(const struct collector *c, unsigned *complete, unsigned *failed)
{
    *complete = *failed = 0;
    for (size_t i = 0; i < c->nsites; i++)
        for (int k = 0; k < COLLECT_NSOURCES; k++) {
            *complete += c->order[i]->sources[k].result == ROUND_COMPLETE;
            *failed += c->order[i]->sources[k].result == ROUND_FAILED;
        }
    for (size_t i = 0; i < c->ngateways; i++) {
        *complete += gateway_result(c->gateway_order[i]) == ROUND_COMPLETE;
        *failed += gateway_result(c->gateway_order[i]) == ROUND_FAILED;
    }
}

/* ---- sites and gateways of the configuration ---- */

/* A removed one, whose last task is done. */
static void site_idle(struct collect_site *site)
{
    LIST_REMOVE(site, link);
    collect_site_free(site);
}

static struct collect_site *find_site(struct collector *c, const char *host_name)
{
    struct collect_site *site;

    LIST_FOREACH(site, &c->sites, link)
    if (strcmp(site->host_name, host_name) == 0)
        return site;
    return NULL;
}

static bool is_among(const struct collect_params *p, const char *host_name)
{
    for (size_t i = 0; i < p->nsites; i++)
        if (strcmp(p->sites[i].host_name, host_name) == 0)
            return true;
    return false;
}

static void drop_sites(struct collector *c, const struct collect_params *p)
{
    struct collect_site *site, *next;

    for (site = LIST_FIRST(&c->sites); site; site = next) {
        next = LIST_NEXT(site, link);
        if (p && is_among(p, site->host_name))
            continue;
        collect_site_stop(site);
        LIST_REMOVE(site, link);
        if (!c->started) {
            collect_site_free(site);
            continue;
        }
        site->enabled = false;
        collect_site_judge(site);
        site->gone = true;
        site->site = NULL;
        LIST_INSERT_HEAD(&c->gone, site, link);
        if (!site->tasks)
            site_idle(site);
    }
}

/* The sites of the params: those that are there already change, the others are made. */
static int take_sites(struct collector *c, const struct collect_params *p, char why[256])
{
    struct collect_site **order = calloc(p->nsites ? p->nsites : 1, sizeof(struct collect_site *));

    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < p->nsites; i++) {
        struct collect_site *site = find_site(c, p->sites[i].host_name);
        int err = 0;

        if (site)
            err = collect_site_change(site, &p->sites[i], why);
        else if (!(site = collect_site_new(c, &p->sites[i], why)))
            err = -ENOMEM;
        else
            LIST_INSERT_HEAD(&c->sites, site, link);
        if (err) {
            free(order);
            return err;
        }
        order[i] = site;
    }
    free(c->order);
    c->order = order;
    c->nsites = p->nsites;
    drop_sites(c, p);
    return 0;
}

static struct gateway *find_gateway(struct collector *c, const struct collect_gateway_params *p)
{
    for (size_t i = 0; i < c->ngateways; i++)
        if (gateway_is(c->gateway_order[i], p))
            return c->gateway_order[i];
    return NULL;
}

static void drop_gateways(struct collector *c, struct gateway **kept, size_t n)
{
    for (size_t i = 0; i < c->ngateways; i++) {
        bool stays = false;

        for (size_t k = 0; k < n; k++)
            stays |= kept[k] == c->gateway_order[i];
        if (!stays)
            gateway_free(c->gateway_order[i]);
    }
    free(c->gateway_order);
    c->gateway_order = kept;
    c->ngateways = n;
}

static int take_gateways(struct collector *c, const struct collect_params *p)
{
    struct gateway **order = calloc(p->ngateways ? p->ngateways : 1, sizeof(struct gateway *));
    size_t n = 0;

    for (; order && n < p->ngateways; n++) {
        order[n] = find_gateway(c, &p->gateways[n]);
        if (!order[n])
            order[n] = gateway_new(c, &p->gateways[n]);
        if (!order[n])
            break;
    }
    if (order && n == p->ngateways) {
        drop_gateways(c, order, n);
        return 0;
    }
    while (n--)
        if (!find_gateway(c, &p->gateways[n]))
            gateway_free(order[n]);
    free(order);
    return -ENOMEM;
}

/* ---- life ---- */

static const struct collect_hooks hooks = {.check_end = check_end,
                                           .todo_changed = upkeep_indexes,
                                           .derive_again = upkeep_derive,
                                           .site_idle = site_idle};

struct collector *collect_new(const struct collect_params *p, char why[256])
{
    struct collector *c = calloc(1, sizeof(*c));

    (void)text_copy(why, 256, "out of memory");
    if (!c)
        return NULL;
    *c = (struct collector){.hooks = &hooks,
                            .settings = p->settings,
                            .timers = p->timers,
                            .writer = p->writer,
                            .once = p->once,
                            .partial = p->partial,
                            .since = p->since,
                            .until = p->until};
    c->random = (uint64_t)clock_wall(timers_clock(p->timers)) | 1;
    LIST_INIT(&c->sites);
    LIST_INIT(&c->gone);
    if (take_sites(c, p, why) || take_gateways(c, p)) {
        collect_free(c);
        return NULL;
    }
    return c;
}

int collect_start(struct collector *c, void (*finished)(void *arg), void *arg)
{
    int err = 0;

    c->finished = finished;
    c->finished_arg = arg;
    c->writer->changed = on_writer;
    c->writer->arg = c;
    c->started = true;
    err = upkeep_start(c);
    for (size_t i = 0; !err && i < c->nsites; i++)
        err = collect_site_load(c->order[i]);
    for (size_t i = 0; !err && i < c->ngateways; i++)
        err = gateway_start(c->gateway_order[i]);
    return err;
}

int collect_reload(struct collector *c, const struct collect_params *p)
{
    char why[256];
    int err;

    c->settings = p->settings;
    err = take_gateways(c, p);
    if (!err)
        err = take_sites(c, p, why);
    for (size_t i = 0; !err && i < c->nsites; i++)
        err = collect_site_load(c->order[i]);
    for (size_t i = 0; !err && i < c->ngateways; i++)
        err = gateway_start(c->gateway_order[i]);
    if (!err)
        upkeep_derive(c);
    return err;
}

void collect_stop(struct collector *c, void (*stopped)(void *arg), void *arg)
{
    struct collect_site *site;

    c->stopping = true;
    c->stopped = stopped;
    c->stopped_arg = arg;
    upkeep_stop(c);
    LIST_FOREACH(site, &c->sites, link)
    collect_site_stop(site);
    for (size_t i = 0; i < c->ngateways; i++)
        gateway_stop(c->gateway_order[i]);
    check_end(c);
}

void collect_free(struct collector *c)
{
    if (!c)
        return;
    c->started = false;
    c->nsites = 0;
    drop_sites(c, NULL);
    drop_gateways(c, NULL, 0);
    for (size_t i = 0; i < c->nretired; i++)
        working_hours_free(c->retired[i]);
    free(c->retired);
    free(c->order);
    state_free(c->state);
    free(c);
}
