/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - the collector's state, for the page and the metrics; see collect.h.
 */
#include "reports/collect/collect_internal.h"

#include <stdlib.h>

static const char *const activities[COLLECT_NACTIVITIES] = {[COLLECT_IDLE] = "idle",
                                                            [COLLECT_WORKING] = "working",
                                                            [COLLECT_FAILING] = "failing",
                                                            [COLLECT_DENIED] = "denied",
                                                            [COLLECT_UNUSED] = "unused"};

const char *collect_activity_name(enum collect_activity activity)
{
    return activities[activity];
}

static enum collect_activity activity_of(const struct source *s)
{
    const struct collect_site *site = s->site;

    if (s->id == COLLECT_RECHECK)
        return activity_of(&site->sources[COLLECT_FETCH]);
    if (!source_is_wanted(s) || (s->id == COLLECT_BACKFILL && site->planned && !listing_backfills(site)))
        return COLLECT_UNUSED;
    if (s->denied)
        return COLLECT_DENIED;
    if (s->failures && !s->busy)
        return COLLECT_FAILING;
    return s->busy ? COLLECT_WORKING : COLLECT_IDLE;
}

/* How far behind the present the cursor is. */
static int64_t lag_of(const struct source *s)
{
    const struct collect_site *site = s->site;
    int64_t now = collect_now(site->collector);

    switch (s->id) {
    case COLLECT_CLOSED:
        return s->cursor[0] ? collect_site_now(site) - strtoll(s->cursor, NULL, 10) : RECORD_NONE;
    case COLLECT_BACKFILL: return listing_backfills(site) ? site->backfill.to - site->backfill.from : 0;
    default: return s->last_success == RECORD_NONE ? RECORD_NONE : now - s->last_success;
    }
}

static void take_source(const struct source *s, struct collect_source_state *out)
{
    *out = (struct collect_source_state){.source = s->id,
                                         .activity = activity_of(s),
                                         .cursor = s->cursor,
                                         .last_success = s->last_success,
                                         .lag = lag_of(s),
                                         .error = s->failures ? s->error : NULL,
                                         .failures = s->failures,
                                         .complete = s->result == ROUND_COMPLETE,
                                         .given_up = s->result == ROUND_FAILED,
                                         .call_ms = s->call_ms};
    for (int i = 0; i < REPORT_NENDS; i++)
        out->calls[i] = s->calls[i];
}

static void take_site(const struct collect_site *site, struct collect_site_state *out)
{
    *out = (struct collect_site_state){.name = site->name,
                                       .host_name = site->host_name,
                                       .word = site->word,
                                       .reason = site->reason[0] ? site->reason : NULL,
                                       .since = site->since,
                                       .last_success = site->last_success,
                                       .skew_ms = site->skew_ms,
                                       .api_version = site->api_version,
                                       .todo = site->todo,
                                       .failed = site->failed,
                                       .rate_remaining =
                                           site->site ? site->site->ops->rate_remaining(site->site) : -1,
                                       .dropped = site->dropped,
                                       .refused = site->refused,
                                       .texts_cut = site->texts_cut,
                                       .sessions_new = site->sessions_new,
                                       .sessions_changed = site->sessions_changed,
                                       .missing_from = site->missing ? site->missing_from : RECORD_NONE,
                                       .missing_to = site->missing ? site->backfill.to : RECORD_NONE};
    for (int i = 0; i < COLLECT_NSOURCES; i++)
        take_source(&site->sources[i], &out->sources[i]);
}

void state_free(struct collect_state *state)
{
    if (!state)
        return;
    free(state->sites);
    free(state->gateways);
    free(state);
}

static struct collect_state *state_new(const struct collector *c)
{
    struct collect_state *state = calloc(1, sizeof(*state));

    if (!state)
        return NULL;
    state->sites = calloc(c->nsites ? c->nsites : 1, sizeof(*state->sites));
    state->gateways = calloc(c->ngateways ? c->ngateways : 1, sizeof(*state->gateways));
    if (state->sites && state->gateways)
        return state;
    state_free(state);
    return NULL;
}

const struct collect_state *collect_state(struct collector *c)
{
    state_free(c->state);
    c->state = state_new(c);
    if (!c->state)
        return NULL;
    c->state->nsites = c->nsites;
    c->state->ngateways = c->ngateways;
    for (size_t i = 0; i < c->nsites; i++)
        take_site(c->order[i], &c->state->sites[i]);
    for (size_t i = 0; i < c->ngateways; i++)
        gateway_state(c->gateway_order[i], &c->state->gateways[i]);
    c->writer->ops->state(c->writer, &c->state->database);
    c->state->indexes = !c->keeping.indexes_known || c->keeping.indexes;
    c->state->rederiving = c->keeping.rederiving;
    return c->state;
}
