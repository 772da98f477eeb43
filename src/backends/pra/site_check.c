/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_check.c - probes and checks.
 *
 *   probe:  GET /check_health --> next probe                      in standby: --> check_health --> next probe
 *   check:  get_api_info --> check_health --> Jumpoints, page by page --> next check
 *
 * A step that a known permission does not allow is left out; get_api_info is always asked, since it is how a
 * changed permission is found. The first failure ends a check, except that of Jumpoints, which concerns
 * nothing else. Nothing is repeated inside a check.
 *
 * In standby no check runs: the probe is followed by check_health, until the role has changed. While the site
 * refuses the client, the next check is when the pause of the token is over.
 */
#include "backends/pra/site_internal.h"

#include "base/container_of.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static void on_probe(struct deadline *);
static void on_check(struct deadline *);

/* A call that cannot even begin counts as failed. */
static void start_call(struct pra_site *site, struct pra_call *call, enum pra_call_kind kind,
                       void (*done)(struct pra_call *))
{
    call->kind = kind;
    call->urgent = false;
    call->done = done;
    if (pra_client_call(site->client, call) == 0)
        return;
    call->result = (struct pra_result){.fault = PRA_NO_MEMORY, .failed = kind};
    done(call);
}

/* ---- health ---- */

static void take_health(struct pra_site *site, const struct pra_health *health)
{
    bool was_standby = pra_site_is_standby(site);
    bool switched = site->has_health && (strcmp(site->health.appliance_id, health->appliance_id) != 0 ||
                                         strcmp(site->health.failover_role, health->failover_role) != 0);

    site->has_health = true;
    site->health = *health;
    if (switched) {
        log_warn("pra_failover", "pra=%s appliance=%s role=%s", site->name, health->appliance_id,
                 health->failover_role);
        pra_site_poll_switched(site);
    }
    if (was_standby && !pra_site_is_standby(site))
        pra_site_check(site);
}

/* ---- probe ---- */

static void next_probe(struct pra_site *site)
{
    site->probe.looking = false;
    timer_set(site->timers, &site->probe.timer,
              pra_site_interval(site, site->params.probe_interval_ms, site->probe.failures, false), on_probe);
}

/* check_health, in standby. */
static void on_look_done(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, probe.call);

    if (site->closing)
        return;
    pra_site_note_date(site, call);
    if (call->result.fault == PRA_OK)
        take_health(site, &call->answer.health);
    pra_site_update(site);
    next_probe(site);
}

static void on_probe_done(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, probe.call);
    struct pra_probe *probe = &site->probe;

    if (site->closing)
        return;
    pra_site_note_date(site, call);
    if (call->result.fault == PRA_OK) {
        bool changed = probe->known && probe->healthy != call->answer.probe_healthy;
        probe->failures = 0;
        probe->known = true;
        probe->healthy = call->answer.probe_healthy;
        if (changed)
            pra_site_check(site); /* what it reports has changed as well */
    } else {
        probe->failures++;
        probe->failure = call->result;
    }
    pra_site_update(site);
    if (!pra_site_is_standby(site) || call->result.fault) {
        next_probe(site);
        return;
    }
    probe->looking = true;
    start_call(site, &probe->call, PRA_CALL_HEALTH, on_look_done);
}

static void on_probe(struct deadline *d)
{
    struct pra_site *site = CONTAINER_OF(d, struct pra_site, probe.timer);

    start_call(site, &site->probe.call, PRA_CALL_PROBE, on_probe_done);
}

void pra_site_probe(struct pra_site *site)
{
    if (site->probe.call.state == PRA_CALL_IDLE)
        timer_set(site->timers, &site->probe.timer, 0, on_probe);
}

/* ---- check: end ---- */

void pra_jumpoints_free(struct pra_jumpoint_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->rows[i].name);
    free(set->rows);
    *set = (struct pra_jumpoint_set){0};
}

static uint64_t next_check_ms(struct pra_site *site)
{
    struct pra_client_state now;

    pra_client_state(site->client, &now);
    if (site->check.again)
        return 0;
    if (now.token_paused)
        return now.token_pause_ms;
    return pra_site_interval(site, site->params.check_interval_ms, site->check.failures, true);
}

static void end_check(struct pra_site *site, const struct pra_result *result)
{
    struct pra_check *check = &site->check;
    bool first = !check->ended;

    pra_jumpoints_free(&check->fresh);
    pra_call_free(&check->call);
    check->running = false;
    check->ended = true;
    check->failure = *result;
    check->failures = pra_is_failure(result) ? check->failures + 1 : 0;
    pra_site_update(site);
    timer_set(site->timers, &check->timer, next_check_ms(site), on_check);
    check->again = false;
    if (first || (site->poll.denied && !pra_is_failure(result)))
        pra_site_poll_soon(site, 0);
}

static void end_good_check(struct pra_site *site)
{
    end_check(site, &(struct pra_result){.fault = PRA_OK});
}

/* ---- check: Jumpoints ---- */

static bool wants_jumpoints(const struct pra_site *site)
{
    const struct pra_site_params *p = &site->params;

    return (p->njumpoints || p->all_jumpoints) && !pra_site_is_standby(site) &&
           pra_granted(site->has_info ? &site->info : NULL, &pra_need_configuration) != PRA_GRANT_NO;
}

/* The configured names, none of them found yet; nothing for `all`. */
static bool begin_jumpoints(struct pra_site *site)
{
    struct pra_jumpoint_set *fresh = &site->check.fresh;
    bool all = site->params.all_jumpoints;
    size_t n = all ? PRA_JUMPOINTS_MAX : site->wanted.n;

    pra_jumpoints_free(fresh);
    fresh->rows = calloc(n + 1, sizeof(*fresh->rows));
    if (!fresh->rows)
        return false;
    fresh->room = all ? PRA_JUMPOINTS_MAX : 0;
    for (size_t i = 0; i < site->wanted.n && !all; i++) {
        fresh->rows[i].name = strdup(site->wanted.rows[i].name);
        if (!fresh->rows[i].name)
            return false;
        fresh->n++;
    }
    return true;
}

/* A reload may have changed the parameters since the first page. */
static void take_jumpoint(struct pra_site *site, struct pra_jumpoint *from)
{
    struct pra_jumpoint_set *fresh = &site->check.fresh;
    struct pra_jumpoint_view *row = NULL;

    for (size_t i = 0; i < fresh->n && !fresh->room; i++)
        if (!strcmp(fresh->rows[i].name, from->name))
            row = &fresh->rows[i];
    if (!row && fresh->n < fresh->room) {
        row = &fresh->rows[fresh->n++];
        row->name = from->name;
        from->name = NULL;
    }
    if (!row)
        return;
    row->found = true;
    row->enabled = from->enabled;
    row->connected = from->connected;
}

static void on_page(struct pra_call *call);

static void ask_page(struct pra_site *site, unsigned page)
{
    site->check.call.page = page;
    start_call(site, &site->check.call, PRA_CALL_JUMPOINTS, on_page);
}

/* What is known of the Jumpoints stays until all pages of a later check have come. */
static void end_jumpoints(struct pra_site *site, const struct pra_result *result)
{
    struct pra_check *check = &site->check;

    check->jumpoints_failure = *result;
    if (!pra_is_failure(result)) {
        pra_jumpoints_free(&site->jumpoints);
        site->jumpoints = check->fresh;
        check->fresh = (struct pra_jumpoint_set){0};
        site->has_jumpoints = true;
    }
    end_good_check(site);
}

static void on_page(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, check.call);
    struct pra_jumpoints *page = &call->answer.jumpoints;
    bool last = page->last || !page->n || call->page >= PRA_PAGES_MAX;

    if (site->closing)
        return;
    pra_site_note_date(site, call);
    if (call->result.fault) {
        struct pra_result failure = call->result;
        end_jumpoints(site, &failure);
        return;
    }
    for (size_t i = 0; i < page->n; i++)
        take_jumpoint(site, &page->rows[i]);
    pra_call_free(call);
    if (last)
        end_jumpoints(site, &(struct pra_result){.fault = PRA_OK});
    else
        ask_page(site, call->page + 1);
}

static void check_jumpoints(struct pra_site *site)
{
    if (!wants_jumpoints(site)) {
        site->check.jumpoints_failure = (struct pra_result){.fault = PRA_OK};
        pra_jumpoints_free(&site->jumpoints);
        site->has_jumpoints = false;
        end_good_check(site);
    } else if (begin_jumpoints(site)) {
        ask_page(site, 1);
    } else {
        end_jumpoints(site, &(struct pra_result){.fault = PRA_NO_MEMORY, .failed = PRA_CALL_JUMPOINTS});
    }
}

/* ---- check: health and permissions ---- */

static void on_health(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, check.call);

    if (site->closing)
        return;
    pra_site_note_date(site, call);
    if (call->result.fault) {
        struct pra_result failure = call->result;
        end_check(site, &failure);
        return;
    }
    take_health(site, &call->answer.health);
    check_jumpoints(site);
}

static void take_info(struct pra_site *site, const struct pra_call *call)
{
    site->has_info = true;
    site->info = call->answer.info;
    site->skew_is_exact = site->info.has_time;
    if (site->info.has_time)
        pra_site_note_time(site, call, site->info.time_ms);
}

static void on_info(struct pra_call *call)
{
    struct pra_site *site = CONTAINER_OF(call, struct pra_site, check.call);

    if (site->closing)
        return;
    if (call->result.fault) {
        struct pra_result failure = call->result;
        pra_site_note_date(site, call);
        end_check(site, &failure);
        return;
    }
    take_info(site, call);
    pra_site_note_date(site, call);
    if (pra_granted(&site->info, &pra_need_command_read) == PRA_GRANT_NO)
        check_jumpoints(site);
    else
        start_call(site, &site->check.call, PRA_CALL_HEALTH, on_health);
}

/* ---- check: begin ---- */

static void on_check(struct deadline *d)
{
    struct pra_site *site = CONTAINER_OF(d, struct pra_site, check.timer);
    struct pra_client_state now;

    pra_client_state(site->client, &now);
    if (site->check.running)
        return;
    if (pra_site_is_standby(site) || (now.token_paused && site->check.ended)) {
        timer_set(site->timers, &site->check.timer, next_check_ms(site), on_check);
        return;
    }
    site->check.running = true;
    start_call(site, &site->check.call, PRA_CALL_INFO, on_info);
}

void pra_site_check(struct pra_site *site)
{
    if (site->check.running)
        site->check.again = true;
    else
        timer_set(site->timers, &site->check.timer, 0, on_check);
}

void pra_site_check_stop(struct pra_site *site)
{
    timer_stop(site->timers, &site->probe.timer);
    timer_stop(site->timers, &site->check.timer);
    pra_call_free(&site->probe.call);
    pra_call_free(&site->check.call);
    pra_jumpoints_free(&site->check.fresh);
}
