/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_vault.c - the start of what HTTP vaults share: its fields, the parts of a url, the options of the
 * connections; and the pause before a further try of a call.
 *
 * Not here: connections (loop/upstream/upstream.c). http_vault.h lists the files.
 */
#include "backends/http_vault/http_vault.h"

#include <stdlib.h>
#include <string.h>

#define TRY_AFTER_MS 100 /* the first pause, which doubles */
#define DOUBLED_MOST 6

void http_vault_init(struct http_vault *hv, const struct vault_ops *ops, const struct conf_vault *conf,
                     struct loop *loop)
{
    hv->vault.ops = ops;
    hv->vault.conf = conf;
    hv->timers = loop_timers(loop);
    hv->clock = loop_clock(loop);
    hv->random = (clock_now(hv->clock) * 0x9E3779B97F4A7C15U) | 1;
    TAILQ_INIT(&hv->signin_backoff.waiting);
    TAILQ_INIT(&hv->calls);
}

void http_vault_free(struct http_vault *hv)
{
    http_vault_metrics_stop(hv);
    free(hv->base);
}

const char *http_vault_path(const char *url)
{
    const char *host = strstr(url, "://");

    return host ? host + 3 + strcspn(host + 3, "/") : url + strlen(url);
}

struct upstream_opts http_vault_upstream_opts(const struct conf_vault *conf)
{
    return (struct upstream_opts){
        .kind = "vault",
        .name = conf->name,
        .proxy = conf->proxy,
        .ca_file = conf->ca_file,
        .client_certificate = conf->client_certificate,
        .client_key = conf->client_key,
        .connections = conf->connections,
        .max_calls =
            conf->max_calls + conf->max_calls / 4 + 64, /* sign-ins, sign-outs and the probe on top */
        .connect_timeout_ms = conf->connect_timeout_ms,
        .call_timeout_ms = conf->call_timeout_ms,
        .idle_timeout_ms = conf->connection_idle_ms,
        .max_age_ms = conf->connection_max_age_ms,
        .max_answer = conf->max_answer,
    };
}

/* In [0, below), by xorshift, which is enough for jitter. */
static uint64_t jitter(struct http_vault *hv, uint64_t below)
{
    hv->random ^= hv->random << 13;
    hv->random ^= hv->random >> 7;
    hv->random ^= hv->random << 17;
    return hv->random % below;
}

uint64_t http_vault_try_after(struct http_vault *hv, unsigned tries, uint64_t asked_ms)
{
    uint64_t step = (uint64_t)TRY_AFTER_MS << (tries < DOUBLED_MOST ? tries : DOUBLED_MOST);
    uint64_t delay = step / 2 + jitter(hv, step);

    return delay < asked_ms ? asked_ms : delay;
}
