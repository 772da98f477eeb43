/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - a PRA site for the session reports: its life.
 *
 * It closes in this order: the calls, the client, the thread that reads archives, which ends its step first.
 *
 * Not here: the life of a call (site_call.c), the questions (site_ask.c).
 */
#include "reports/pra/site_internal.h"

#include "base/container_of.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_MAX_MS  (3600u * 1000)
#define RENEW_BEFORE_MS 60000
#define PAUSE_MS        60000
#define REMAINING_LOW   1500 /* a tenth of the 15000 calls an hour that a site allows */

/* ---- life ---- */

static struct pra_params client_params(const struct report_site_params *p)
{
    return (struct pra_params){
        .name = p->name,
        .url = p->url,
        .client_id = p->client_id,
        .ca_file = p->ca_file,
        .proxy = p->proxy,
        .connect_timeout_ms = p->connect_timeout_ms,
        .call_timeout_ms = p->call_timeout_ms,
        .report_timeout_ms = p->call_timeout_ms,
        .max_answer = p->max_answer,
        .rate_per_s = p->rate_per_s,
        .parallel = p->parallel ? p->parallel : 1,
        .hourly = p->hourly,
        .remaining_low = REMAINING_LOW,
        .refused_max_ms = REFUSED_MAX_MS,
        .renew_before_ms = RENEW_BEFORE_MS,
        .pause_ms = PAUSE_MS,
        .pause_waited_ms = p->pause_waited_ms,
    };
}

static void site_free(struct site *site)
{
    free(site->host_name);
    free(site->spool_dir);
    free(site);
}

static int take_params(struct site *site, const struct report_site_params *p)
{
    char *spool = strdup(p->spool_dir);

    if (!spool)
        return -ENOMEM;
    free(site->spool_dir);
    site->spool_dir = spool;
    site->stall_ms = p->stall_timeout_ms;
    site->max_session = p->max_session;
    return 0;
}

struct report_site *report_site_new(struct loop *loop, const struct report_site_params *p,
                                    struct secret *secret, char why[256])
{
    struct site *site = calloc(1, sizeof(*site));
    struct pra_params params = client_params(p);

    text_copy(why, 256, "out of memory");
    if (site) {
        TAILQ_INIT(&site->calls);
        site->loop = loop;
        site->base.ops = &site_ops;
        site->base.host_name = site->host_name = strdup(p->host_name);
    }
    if (!site || !site->host_name || take_params(site, p)) {
        secret_clear(secret);
        if (site)
            site_free(site);
        return NULL;
    }
    site->client = pra_client_new(loop, &params, secret, why);
    if (site->client)
        return &site->base;
    site_free(site);
    return NULL;
}

int report_site_reload(struct report_site *base, const struct report_site_params *p, struct secret *secret)
{
    struct site *site = CONTAINER_OF(base, struct site, base);
    struct pra_params params = client_params(p);
    int err = pra_client_reload(site->client, &params, secret);

    return err ? err : take_params(site, p);
}

static void all_closed(struct site *site)
{
    void (*closed)(void *) = site->closed;
    void *arg = site->arg;

    site_free(site);
    closed(arg);
}

static void on_worker_closed(struct worker *worker)
{
    all_closed(CONTAINER_OF(worker, struct site, worker));
}

static void on_client_closed(void *arg)
{
    struct site *site = arg;

    if (site->open)
        site_spool_close(site, on_worker_closed);
    else
        all_closed(site);
}

static void stop_call(struct site_call *c)
{
    struct report_call *call = c->call;

    c->outcome.end = REPORT_STOPPED;
    if (c != c->site->archive || !c->site->working) {
        site_call_end(c);
        return;
    }
    c->call = NULL; /* its memory is the thread's until the step has ended */
    if (call) {
        call->inside = NULL;
        call->sink->ended(call, &c->outcome);
    }
}

void report_site_close(struct report_site *base, void (*closed)(void *arg), void *arg)
{
    struct site *site = CONTAINER_OF(base, struct site, base);

    site->closing = true;
    site->closed = closed;
    site->arg = arg;
    pra_client_stop(site->client); /* ends those that are on their way */
    while (site->archive && site->archive->call)
        stop_call(site->archive);
    pra_client_close(site->client, on_client_closed, site);
}
