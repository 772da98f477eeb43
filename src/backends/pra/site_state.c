/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_state.c - what the answers of a site add up to: one state, and a detail that names every cause.
 *
 * The state is computed from what the other files have noted and written by set_state() alone, which logs
 * each change. Worst first: down, refused, unknown, standby, degraded, up.
 *
 * down begins with the second call in a row without a valid answer, and ends with the first valid one; then a
 * check follows. A refusal is a valid answer: the site is there.
 */
#include "backends/pra/site_internal.h"

#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* ---- time ---- */

uint64_t pra_site_interval(const struct pra_site *site, uint64_t base_ms, unsigned failures, bool relaxed)
{
    uint64_t most = base_ms > PRA_INTERVAL_MAX_MS ? base_ms : PRA_INTERVAL_MAX_MS, interval = base_ms;
    struct pra_client_state now;

    for (unsigned i = 1; i < failures && i < 4; i++)
        interval *= 2;
    interval = interval < most ? interval : most;
    pra_client_state(site->client, &now);
    return relaxed && now.few_left ? 2 * interval : interval;
}

/* ---- what is missing ---- */

_Static_assert((int)PRA_NFEATURES <= PRA_MISSING_MAX, "a place for each feature");

bool pra_site_is_standby(const struct pra_site *site)
{
    return site->has_health && !strcmp(site->health.failover_role, "backup");
}

size_t pra_site_missing(const struct pra_site *site, struct pra_missing out[PRA_MISSING_MAX])
{
    const struct pra_info *info = site->has_info ? &site->info : NULL;
    size_t n = 0;

    for (enum pra_feature f = 0; f < PRA_NFEATURES; f++)
        if (pra_site_uses(&site->params, f) && pra_granted(info, pra_features[f].need) == PRA_GRANT_NO)
            out[n++] = (struct pra_missing){pra_features[f].need->permission, pra_features[f].name};
    return n;
}

/* ---- causes ---- */

struct causes {
    char *text; /* NULL = they are only counted */
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void cause(struct causes *c, const char *fmt, ...)
{
    size_t at = c->text ? strlen(c->text) : 0;
    va_list ap;

    c->n++;
    if (!c->text || at + 4 >= PRA_DETAIL_SIZE)
        return;
    if (at)
        at += (size_t)snprintf(c->text + at, PRA_DETAIL_SIZE - at, "; ");
    va_start(ap, fmt);
    (void)vsnprintf(c->text + at, PRA_DETAIL_SIZE - at, fmt, ap);
    va_end(ap);
    c->text[utf8_fit(c->text, PRA_DETAIL_SIZE - 1)] = '\0';
}

static void result_cause(struct causes *c, const char *what, const struct pra_result *r)
{
    char words[PRA_TEXT_SIZE + 80];

    pra_result_words(r, words, sizeof(words));
    cause(c, "%s%s", what, words);
}

static void health_causes(const struct pra_site *site, struct causes *c)
{
    if (site->probe.known && !site->probe.healthy)
        cause(c, "the site's probe says unhealthy");
    if (site->has_health && !site->health.success)
        cause(c, "the site reports an error: %s",
              *site->health.error_message ? site->health.error_message : "without words");
}

static void permission_causes(const struct pra_site *site, struct causes *c)
{
    struct pra_missing missing[PRA_MISSING_MAX];
    size_t n = pra_site_missing(site, missing);

    for (size_t i = 0; i < n; i++)
        cause(c, "permission %s is missing for %s", missing[i].permission, missing[i].feature);
}

static void jumpoint_causes(const struct pra_site *site, struct causes *c)
{
    if (pra_is_failure(&site->check.jumpoints_failure))
        result_cause(c, "", &site->check.jumpoints_failure);
    for (size_t i = 0; site->has_jumpoints && i < site->jumpoints.n; i++) {
        const struct pra_jumpoint_view *j = &site->jumpoints.rows[i];
        if (!j->found)
            cause(c, "Jumpoint %s does not exist", j->name);
        else if (!j->enabled && !site->params.all_jumpoints)
            cause(c, "Jumpoint %s is disabled", j->name);
        else if (!j->connected && j->enabled)
            cause(c, "Jumpoint %s is not connected", j->name);
    }
}

/* Is this failure what makes the site down or refused? Then the detail has named it, or it is over. */
static bool is_named(const struct pra_site *site, const struct pra_result *r)
{
    const struct pra_result *last = &site->last_failure;

    return r->fault == PRA_CLIENT_REFUSED ||
           (site->failures >= 2 && r->fault == last->fault && r->failed == last->failed);
}

/* What makes a site that answers `degraded`. */
static void degraded_causes(const struct pra_site *site, struct causes *c)
{
    health_causes(site, c);
    if (site->probe.failures >= 2 && !is_named(site, &site->probe.failure)) /* while other calls go well */
        result_cause(c, "", &site->probe.failure);
    if (pra_is_failure(&site->check.failure) && !is_named(site, &site->check.failure))
        result_cause(c, "", &site->check.failure);
    permission_causes(site, c);
    if (pra_is_failure(&site->poll.failure) && !is_named(site, &site->poll.failure))
        result_cause(c, site->poll.denied ? "reports are denied: " : "reports fail: ", &site->poll.failure);
    if (site->has_skew && (site->skew_ms > PRA_SKEW_MAX_MS || site->skew_ms < -PRA_SKEW_MAX_MS))
        cause(c, "the site's clock is %lld s %s the gateway's",
              (long long)(site->skew_ms < 0 ? -site->skew_ms : site->skew_ms) / 1000,
              site->skew_ms < 0 ? "behind" : "ahead of");
    jumpoint_causes(site, c);
}

/* What an operator should know besides. */
static void notes(const struct pra_site *site, struct causes *c)
{
    uint64_t now = clock_now(site->clock);
    struct pra_client_state client;

    pra_client_state(site->client, &client);
    if (client.none_left)
        cause(c, "the site's rate limit is nearly used up: only probes and terminations are sent");
    else if (client.few_left)
        cause(c, "few calls are left of the site's rate limit: intervals are doubled");
    if (site->has_refused_event && now < site->refused_event_at_ms + PRA_REFUSED_EVENT_MS)
        cause(c, "events were refused in the last five minutes: token or address is wrong, and the site's "
                 "queue waits");
    if (site->has_health && site->health.has_sync &&
        pra_site_wall(site) - site->health.last_sync_ms > PRA_SYNC_STALE_MS)
        cause(c, "the last data sync of the failover pair is over an hour old");
}

/* A check that ended with a refusal of the client says nothing of the site once the client is accepted, or
 * has another secret. The next check follows at once. */
static bool is_checked(const struct pra_site *site, const struct pra_client_state *client)
{
    return site->check.ended && (client->refused || site->check.failure.fault != PRA_CLIENT_REFUSED);
}

static enum pra_state state_of(const struct pra_site *site)
{
    struct pra_client_state client;
    struct causes c = {0};

    pra_client_state(site->client, &client);
    if (site->failures >= 2)
        return PRA_STATE_DOWN;
    if (client.refused)
        return PRA_STATE_REFUSED;
    if (!is_checked(site, &client))
        return PRA_STATE_UNKNOWN;
    if (pra_site_is_standby(site))
        return PRA_STATE_STANDBY;
    degraded_causes(site, &c);
    return c.n ? PRA_STATE_DEGRADED : PRA_STATE_UP;
}

void pra_site_detail(const struct pra_site *site, char out[PRA_DETAIL_SIZE])
{
    struct causes c = {.text = out};
    struct pra_client_state client;

    out[0] = '\0';
    pra_client_state(site->client, &client);
    if (site->failures >= 2)
        result_cause(&c, "no valid answer: ", &site->last_failure);
    if (client.refused)
        result_cause(&c, "", &client.token);
    if (!is_checked(site, &client))
        cause(&c, "no check has ended yet");
    if (pra_site_is_standby(site))
        cause(&c, "the appliance is the backup of its failover pair");
    degraded_causes(site, &c);
    notes(site, &c);
}

/* ---- state ---- */

static void set_state(struct pra_site *site, enum pra_state state)
{
    char detail[PRA_DETAIL_SIZE];

    if (site->state == state)
        return;
    pra_site_detail(site, detail);
    if (state == PRA_STATE_UP || state == PRA_STATE_STANDBY)
        log_info("pra_state", "pra=%s from=%s to=%s detail=%s", site->name, pra_state_name(site->state),
                 pra_state_name(state), detail);
    else
        log_warn("pra_state", "pra=%s from=%s to=%s detail=%s", site->name, pra_state_name(site->state),
                 pra_state_name(state), detail);
    site->state = state;
}

void pra_site_update(struct pra_site *site)
{
    if (!site->closing)
        set_state(site, state_of(site));
}

static void answered(struct pra_site *site)
{
    bool was_down = site->failures >= 2;

    site->failures = 0;
    site->has_success = true;
    site->success_at_ms = clock_now(site->clock);
    if (was_down && site->check.timer.fire && !site->check.running)
        timer_set(site->timers, &site->check.timer, 0, site->check.timer.fire);
    else
        site->check.again |= was_down;
}

void pra_site_observe(void *arg, enum pra_call_kind kind, const struct pra_result *result)
{
    struct pra_site *site = arg;

    (void)kind;
    if (site->closing || result->fault == PRA_CANCELLED || result->fault == PRA_NO_MEMORY)
        return;
    if (pra_fault_is_answer(result->fault)) {
        answered(site); /* the state changes when the answer has been looked at */
        return;
    }
    site->failures++;
    site->last_failure = *result;
    pra_site_update(site);
}
