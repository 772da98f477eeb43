/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_view.c - what /status, health and metrics show of a site.
 */
#include "backends/pra/site_internal.h"

#include <string.h>

static void view_time(const struct pra_site *site, struct pra_site_view *out)
{
    uint64_t now = clock_now(site->clock);
    int64_t age;

    out->has_success = site->has_success;
    out->last_success_age_ms = site->has_success ? now - site->success_at_ms : 0;
    out->has_skew = site->has_skew;
    out->skew_ms = site->skew_ms;
    out->cursor_ms = site->poll.cursor_ms;
    age = pra_site_wall(site) - site->poll.cursor_ms;
    out->cursor_age_ms = site->poll.cursor_ms && age > 0 ? (uint64_t)age : 0;
    out->has_poll = site->poll.has_success;
    out->last_poll_age_ms = site->poll.has_success ? now - site->poll.success_at_ms : 0;
}

static void view_counts(const struct pra_site *site, struct pra_site_view *out)
{
    struct pra_client_state client;

    pra_client_state(site->client, &client);
    out->calls = client.calls;
    out->tokens = client.tokens;
    out->counts = pra_client_counts(site->client);
    out->rows_skipped = site->rows_skipped;
    memcpy(out->leases_ended, site->leases_ended, sizeof(out->leases_ended));
    memcpy(out->sessions_ended, site->sessions_ended, sizeof(out->sessions_ended));
    memcpy(out->events, site->events, sizeof(out->events));
    memcpy(out->terminations, site->termination_counts, sizeof(out->terminations));
}

void pra_site_view(const struct pra_site *site, struct pra_site_view *out)
{
    *out = (struct pra_site_view){.name = site->name, .state = site->state};
    pra_site_detail(site, out->detail);
    view_time(site, out);
    view_counts(site, out);
    out->info = site->has_info ? &site->info : NULL;
    out->health = site->has_health ? &site->health : NULL;
    out->nmissing = pra_site_missing(site, out->missing);
    for (int i = 0; i < PRA_NLISTS; i++)
        out->lists[i] = pra_list_verdict(out->info, (enum pra_list)i);
    const struct pra_jumpoint_set *set = site->has_jumpoints ? &site->jumpoints : &site->wanted;
    out->has_jumpoints = site->has_jumpoints || !site->params.all_jumpoints;
    out->jumpoints = set->rows;
    out->njumpoints = set->n;
}
