/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - the life of a site: start, reload, close; and what others report of it.
 *
 *   new --> start: probe and check at once, the first listing after the check or poll_interval
 *   reload: parameters are exchanged whole, a check follows
 *   stop: terminations end, then all other calls; rows of a listing are passed on to the last
 *   close: the same without the rows, then the client; then closed()
 */
#include "backends/pra/site_internal.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

static int copy_names(struct pra_jumpoint_set *to, const struct pra_site_params *params)
{
    to->rows = calloc(params->njumpoints + 1, sizeof(*to->rows));
    if (!to->rows)
        return -ENOMEM;
    for (size_t i = 0; i < params->njumpoints; i++) {
        const char *name = params->jumpoints[i];
        char clean[PRA_TEXT_SIZE]; /* as the site's names are read */
        pra_text_clean(clean, sizeof(clean), name, strlen(name));
        to->rows[i].name = strdup(clean);
        if (!to->rows[i].name)
            return -ENOMEM;
        to->n++;
    }
    return 0;
}

static void take_params(struct pra_site *site, const struct pra_site_params *params,
                        struct pra_jumpoint_set *names)
{
    pra_jumpoints_free(&site->wanted);
    site->wanted = *names;
    *names = (struct pra_jumpoint_set){0};
    site->params = *params;
    site->params.jumpoints = NULL; /* the caller's texts may go */
    site->params.client = (struct pra_params){.call_timeout_ms = params->client.call_timeout_ms};
}

/* ---- life ---- */

static void site_free(struct pra_site *site)
{
    timer_unreserve(site->timers, &site->probe.timer);
    timer_unreserve(site->timers, &site->check.timer);
    timer_unreserve(site->timers, &site->poll.timer);
    pra_site_metrics_stop(site);
    pra_jumpoints_free(&site->wanted);
    free(site->name);
    free(site);
}

static int reserve(struct pra_site *site)
{
    return timer_reserve(site->timers, &site->probe.timer) || timer_reserve(site->timers, &site->check.timer)
               ? -ENOMEM
               : timer_reserve(site->timers, &site->poll.timer);
}

struct pra_site *pra_site_new(struct loop *loop, const struct pra_site_params *params, struct secret *secret,
                              const struct pra_site_hooks *hooks, int64_t cursor_ms, char why[256])
{
    struct pra_site *site = calloc(1, sizeof(*site));
    struct pra_jumpoint_set names = {0};

    text_copy(why, 256, "out of memory");
    if (!site) {
        secret_clear(secret);
        return NULL;
    }
    TAILQ_INIT(&site->terminations);
    site->hooks = *hooks;
    site->timers = loop_timers(loop);
    site->clock = loop_clock(loop);
    site->poll.cursor_ms = site->poll.sure_cursor_ms = cursor_ms > 0 ? cursor_ms : 0;
    site->name = strdup(params->client.name);
    if (site->name && !reserve(site) && copy_names(&names, params) == 0)
        site->client = pra_client_new(loop, &params->client, secret, why);
    if (!site->client) {
        secret_clear(secret);
        pra_jumpoints_free(&names);
        site_free(site);
        return NULL;
    }
    take_params(site, params, &names);
    pra_client_observe(site->client, pra_site_observe, site);
    return site;
}

int pra_site_start(struct pra_site *site)
{
    if (pra_site_metrics_start(site))
        return -ENOMEM;
    pra_site_probe(site);
    pra_site_check(site);
    pra_site_poll_soon(site, site->params.poll_interval_ms);
    return 0;
}

int pra_site_reload(struct pra_site *site, const struct pra_site_params *params, struct secret *secret)
{
    struct pra_jumpoint_set names = {0};
    int err = copy_names(&names, params);

    if (!err)
        err = pra_client_reload(site->client, &params->client, secret);
    else if (secret)
        secret_clear(secret);
    if (err) {
        pra_jumpoints_free(&names);
        return err;
    }
    pra_site_metrics_stop(site); /* they name the configured Jumpoints */
    take_params(site, params, &names);
    if (pra_site_metrics_start(site))
        log_warn("pra_metrics", "pra=%s error=%s", site->name, "out of memory");
    pra_jumpoints_free(&site->jumpoints); /* of the old names */
    site->has_jumpoints = false;
    site->poll.failures = site->probe.failures = site->check.failures = 0;
    if (!params->poll_interval_ms) {
        site->poll.failure = (struct pra_result){.fault = PRA_OK};
        site->poll.denied = false;
        if (!site->poll.running)
            timer_stop(site->timers, &site->poll.timer);
    }
    pra_site_probe(site);
    pra_site_check(site);
    pra_site_poll_soon(site, params->poll_interval_ms);
    pra_site_update(site);
    return 0;
}

static void on_client_closed(void *arg)
{
    struct pra_site *site = arg;
    void (*closed)(void *) = site->closed;
    void *closed_arg = site->arg;

    site_free(site);
    closed(closed_arg);
}

void pra_site_stop(struct pra_site *site)
{
    site->closing = true;
    pra_site_terminations_stop(site);
    pra_client_cancel(&site->probe.call);
    pra_client_cancel(&site->check.call);
    pra_site_check_stop(site);
    if (!pra_site_poll_is_passing(site)) {
        pra_client_cancel(&site->poll.call);
        pra_site_poll_stop(site);
    }
    pra_client_stop(site->client);
}

void pra_site_close(struct pra_site *site, void (*closed)(void *arg), void *arg)
{
    pra_site_metrics_stop(site); /* before the client that counts */
    site->closed = closed;
    site->arg = arg;
    pra_site_stop(site);
    pra_site_poll_stop(site);
    pra_jumpoints_free(&site->jumpoints);
    pra_client_close(site->client, on_client_closed, site);
}

/* ---- what others report ---- */

void pra_site_event(struct pra_site *site, enum pra_event_kind kind, enum pra_event_outcome outcome)
{
    site->events[kind][outcome]++;
    if (outcome != PRA_EVENT_REFUSED)
        return;
    site->has_refused_event = true;
    site->refused_event_at_ms = clock_now(site->clock);
}

void pra_site_count_ended(struct pra_site *site, enum pra_end_source source, size_t leases)
{
    pra_site_ended(site, source, leases);
}
