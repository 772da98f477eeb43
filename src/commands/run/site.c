/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site.c - ties the PRA site to the broker: which lease is the oldest, which session has ended, and up to
 * when ended sessions are known.
 *
 * The site starts with the cursor that the store holds, so that what ended while the gateway was down is
 * found by the first listing. It is opened last and never waited for.
 */
#include "commands/run/site.h"

#include "base/log.h"
#include "broker/broker.h"
#include "commands/run/site_params.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool oldest_key(void *ctx, int64_t *created_ms)
{
    const struct run_site *s = ctx;

    return broker_pra_oldest_key(s->broker, created_ms);
}

static size_t session_ended(void *ctx, const char *lsid, enum pra_end_source source)
{
    static const enum session_end_source sources[PRA_NSOURCES] = {[PRA_END_POLL] = SESSION_END_POLL,
                                                                  [PRA_END_EVENT] = SESSION_END_EVENT,
                                                                  [PRA_END_TERMINATE] =
                                                                      SESSION_END_TERMINATE};
    const struct run_site *s = ctx;
    const struct session_ended_args args = {
        .lsid = lsid, .source = sources[source], .site = s->conf->pras[0].name};

    return broker_end_session(s->broker, &args);
}

static void save_cursor(void *ctx, int64_t cursor_ms)
{
    struct run_site *s = ctx;

    if (broker_pra_cursor_save(s->broker, s->conf->pras[0].name, cursor_ms) == -ENOMEM)
        log_warn("pra_cursor_not_saved", "error=%s", "out of memory");
}

static bool read_secret(const struct conf_pra *conf, struct secret *secret, char why[RUN_SITE_WHY_SIZE])
{
    char fault[80] = "";

    if (!secret_read_line(secret, conf->client_secret_file, fault))
        return true;
    (void)snprintf(why, RUN_SITE_WHY_SIZE, "client_secret_file: %.120s %s", conf->client_secret_file, fault);
    return false;
}

bool run_site_open(struct run_site *s, struct loop *loop, const struct conf *conf, struct broker *broker,
                   char why[RUN_SITE_WHY_SIZE])
{
    const struct pra_site_hooks hooks = {oldest_key, session_ended, save_cursor, s};
    struct pra_site_params params;
    struct secret secret = {0};
    int64_t cursor_ms = 0;

    *s = (struct run_site){.broker = broker, .conf = conf};
    if (!conf->npras)
        return true;
    params = site_params(&conf->pras[0]);
    if (!read_secret(&conf->pras[0], &secret, why))
        return false;
    (void)broker_pra_cursor_load(broker, conf->pras[0].name, &cursor_ms);
    s->site = pra_site_new(loop, &params, &secret, &hooks, cursor_ms, why);
    if (!s->site)
        return false;
    if (!pra_site_start(s->site))
        return true;
    (void)snprintf(why, RUN_SITE_WHY_SIZE, "out of memory");
    return false;
}

void run_site_stop(struct run_site *s)
{
    if (s->site)
        pra_site_stop(s->site);
}

bool run_site_close(struct run_site *s, void (*closed)(void *arg), void *arg)
{
    struct pra_site *site = s->site;

    s->site = NULL;
    if (site)
        pra_site_close(site, closed, arg);
    return site;
}

bool run_site_reload(struct pra_site *site, const struct conf_pra *next, char why[RUN_SITE_WHY_SIZE])
{
    struct pra_site_params params = site_params(next);
    struct secret secret = {0};

    if (!read_secret(next, &secret, why))
        return false;
    if (!pra_site_reload(site, &params, &secret))
        return true;
    (void)snprintf(why, RUN_SITE_WHY_SIZE, "out of memory");
    return false;
}
