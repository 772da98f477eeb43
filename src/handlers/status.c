/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - /status: the whole state on one page, for people and for scripts.
 *
 * Names and numbers only: no account, no session, no secret. The last errors name users and endpoints to a
 * client that may operate, and to no other. Remaining and overdue times are given without judgement; /readyz
 * and the alert rules on /metrics judge.
 */
#include "base/compiler.h"
#include "handlers/certificates.h"
#include "handlers/cluster_state.h"
#include "handlers/gateway.h"
#include "handlers/site_json.h"

#include <stdio.h>

static const char *state_word(const struct vault *v, const struct vault_state *s)
{
    static const char *const usual[VAULT_NSTANDINGS] = {"unknown", "unreachable", "refused", "reachable"};
    enum vault_standing is = !s->known       ? VAULT_UNKNOWN
                             : !s->reachable ? VAULT_DOWN
                             : s->refuses    ? VAULT_REFUSES
                                             : VAULT_UP;

    return (v->ops->standings ? v->ops->standings : usual)[is];
}

/* Where keys are unique /status has the leases as a whole. */
static void write_keys(struct jsonw *w, const struct gateway *gw, const struct vault *v)
{
    struct key_counts n;

    if (v->can.keys_are_unique)
        return;
    broker_count_keys(gw->broker, v, &n);
    jsonw_int(w, "held", (int64_t)n.held);
    jsonw_int(w, "returning", (int64_t)n.returning);
    jsonw_int(w, "settling", (int64_t)n.settling);
    jsonw_int(w, "spinning", (int64_t)n.spinning);
    jsonw_int(w, "overdue", (int64_t)n.overdue);
}

static void write_vault(struct jsonw *w, const struct gateway *gw, const struct vault *v)
{
    struct vault_state s;

    health_vault(v, &s);
    jsonw_object(w, NULL);
    jsonw_str(w, "name", v->conf->name);
    jsonw_str(w, "type", v->conf->type);
    jsonw_str(w, "state", state_word(v, &s));
    jsonw_str(w, "detail", s.detail);
    jsonw_int_or_null(w, "last_success_age_ms", (int64_t)s.last_success_age_ms,
                      s.last_success_age_ms == UINT64_MAX);
    jsonw_int(w, "clock_skew_ms", s.skew_ms);
    jsonw_int(w, "connections", (int64_t)s.connections);
    jsonw_int(w, "calls_queued", (int64_t)s.queued);
    jsonw_int(w, "calls_in_flight", (int64_t)s.in_flight);
    jsonw_int(w, "wait_ms", (int64_t)s.wait_ms);
    jsonw_int(w, "refused", (int64_t)s.refused);
    jsonw_int(w, "sessions", (int64_t)s.sessions);
    jsonw_int(w, "sign_ins", (int64_t)s.sign_ins);
    jsonw_int(w, "users", (int64_t)s.users);
    if (v->ops->describe)
        v->ops->describe(v, w);
    write_keys(w, gw, v);
    jsonw_end(w);
}

static void write_store(struct jsonw *w, const struct gateway *gw)
{
    struct store_state s;

    if (!health_store(gw, &s))
        return;
    jsonw_object(w, NULL);
    jsonw_str(w, "name", "store");
    jsonw_str(w, "type", gw->store->ops->name);
    jsonw_str(w, "state", s.writable ? "writable" : "not_writable");
    jsonw_bool(w, "writable", s.writable);
    jsonw_str(w, "why", s.why);
    jsonw_int(w, "queued", (int64_t)s.queued);
    jsonw_int(w, "commits", (int64_t)s.commits);
    jsonw_double(w, "last_commit_ms", (double)s.last_commit_us / 1000);
    jsonw_end(w);
}

static void write_audit(struct jsonw *w, const struct gateway *gw)
{
    struct audit_state s;

    if (!health_audit(gw, &s))
        return;
    jsonw_object(w, NULL);
    audit_state_json(w, &s, audit_is_strict(gw->audit));
    jsonw_int(w, "syslog_sent", (int64_t)s.sink_sent);
    jsonw_int(w, "syslog_dropped", (int64_t)s.sink_dropped);
    jsonw_double(w, "last_commit_ms", (double)s.last_commit_us / 1000);
    jsonw_end(w);
}

static void write_leases(struct jsonw *w, const struct gateway *gw)
{
    struct broker_state s = {0};

    broker_state(gw->broker, &s);
    jsonw_object(w, "leases");
    jsonw_int(w, "active", (int64_t)s.leases_active);
    jsonw_int(w, "releasing", (int64_t)s.leases_releasing);
    jsonw_int(w, "retrying", (int64_t)s.leases_retrying);
    jsonw_int(w, "lapsed", (int64_t)s.lapsed);
    jsonw_int(w, "oldest_overdue_seconds", (int64_t)(s.oldest_overdue_ms / 1000));
    jsonw_int(w, "intent", (int64_t)s.leases_intent);
    jsonw_int(w, "pending", (int64_t)s.leases_pending);
    jsonw_end(w);
    jsonw_object(w, "operations");
    jsonw_int(w, "in_flight", (int64_t)gw->inflight);
    jsonw_int(w, "at_broker", (int64_t)s.ops);
    jsonw_int(w, "checkouts", (int64_t)s.checkouts);
    jsonw_int(w, "releases", (int64_t)s.releases);
    jsonw_int(w, "lapsed", (int64_t)s.lapsed);
    jsonw_int(w, "list_cache_hits", (int64_t)s.cache_hits);
    jsonw_int(w, "list_coalesced", (int64_t)s.coalesced);
    jsonw_end(w);
}

static void write_gateway(struct jsonw *w, const struct gateway *gw)
{
    char started[CLOCK_RFC3339_SIZE];

    jsonw_str(w, "name", "jumpgate");
    jsonw_str(w, "version", JG_VERSION);
    jsonw_str(w, "build", JG_COMPILER);
    jsonw_str(w, "started_at", clock_rfc3339(gw->started_wall_ms, started));
    jsonw_int(w, "uptime_seconds", (int64_t)((clock_now(gw->clock) - gw->started_ms) / 1000));
    jsonw_str(w, "config_digest", gw->conf->digest);
    jsonw_bool(w, "draining", gw->draining);
    jsonw_int(w, "connections", gw->server ? (int64_t)http_connections(gw->server) : 0);
    jsonw_double(w, "loop_lag_ms", loop_lag_ms(gw->loop));
}

void status_start(struct request_context *ctx, const union route_args *args)
{
    const struct gateway *gw = ctx->gateway;
    struct jsonw *w = ctx_object(ctx);

    (void)args;
    write_gateway(w, gw);
    jsonw_array(w, "dependencies");
    for (size_t i = 0; i < gw->nvaults; i++)
        write_vault(w, gw, gw->vaults[i]);
    write_store(w, gw);
    write_audit(w, gw);
    if (gw->site)
        site_status_write(gw->site, w);
    jsonw_end(w);
    cluster_write(gw, w);
    write_leases(w, gw);
    certificates_write(gw, w);
    last_errors_write(gw->last_errors, w, ctx->client && ctx->client->conf->allow & PERMIT_OPERATE);
    ctx_json(ctx, 200);
}
