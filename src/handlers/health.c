/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - /livez, /readyz and /v1/health.
 *
 * /livez: the loop runs, which any answer proves. /readyz: should a load balancer send requests here? Each
 * reason against it is named: a lease store that cannot write, an invalid certificate, a shut-down in
 * progress, and no usable vault. /v1/health: the ECM's health check, one entry per check.
 *
 * One usable vault of several is enough for both: the vaults that are away are named all the same, and each
 * list says which it lacks (`partial`). A vault without a first answer counts as usable, so that a gateway
 * that has just started is ready. None of these waits. Not here: the states themselves (health_state.c), and
 * when a vault counts as away (http_vault/reachability.c).
 */
#include "handlers/certificates.h"
#include "handlers/gateway.h"
#include "handlers/site_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Writes one reason; returns 1. */
__attribute__((format(printf, 2, 3))) static size_t add_reason(struct jsonw *w, const char *fmt, ...)
{
    char reason[480];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    jsonw_str(w, NULL, reason);
    return 1;
}

/* Writes why each vault is not usable; returns 0 while one of them is, else how many are not. */
static size_t write_vault_reasons(const struct gateway *gw, struct jsonw *w)
{
    struct vault_state s;
    size_t away = 0;

    for (size_t i = 0; i < gw->nvaults; i++) {
        const char *name = gw->vaults[i]->conf->name;

        health_vault(gw->vaults[i], &s);
        if (s.reachable && s.refuses)
            (void)add_reason(w, "vault %s refuses the sign-in", name);
        else if (!health_vault_usable(&s))
            (void)add_reason(w, "vault %s is not reachable: %s", name, s.detail);
        away += !certificates_vault_valid(gw, name, &s, w) || !health_vault_usable(&s);
    }
    return away == gw->nvaults ? away : 0;
}

/* Of a shared store the reason begins with a text that stays as it is, for scripts. */
static size_t write_store_reasons(struct jsonw *w, const struct store_state *s)
{
    const struct store_cluster *c = s->cluster;

    if (c && c->fenced)
        return add_reason(w, "fenced, joining again");
    if (c && c->refused)
        return add_reason(w, "store refuses this gateway: %s%s%s; there are no check-outs", s->why,
                          *c->remedy ? "; " : "", c->remedy);
    if (c && (!s->writable || !c->certain))
        return add_reason(w, "store has no quorum%s%s; there are no check-outs", *s->why ? ": " : "", s->why);
    if (!s->writable)
        return add_reason(w, "the lease store cannot be written: %s; there are no new check-outs", s->why);
    return 0;
}

/* Writes each reason against sending requests here, and each vault that is away; returns the number of those
 * that forbid it. */
static size_t write_reasons(const struct gateway *gw, struct jsonw *w)
{
    struct store_state store;
    struct audit_state audit;
    size_t n = write_vault_reasons(gw, w);

    if (health_store(gw, &store))
        n += write_store_reasons(w, &store);
    if (health_audit(gw, &audit) && !audit.writable)
        n += add_reason(w, "the audit trail cannot be written: %s; %s", audit.why,
                        audit_is_strict(gw->audit) ? "there are no new check-outs"
                                                   : "check-outs go on (audit_policy = degraded)");
    n += certificates_reasons(gw, w);
    if (gw->draining)
        n += add_reason(w, "the gateway is shutting down");
    return n;
}

void livez_start(struct request_context *ctx, const union route_args *args)
{
    (void)args;
    jsonw_bool(ctx_object(ctx), "alive", true);
    ctx_json(ctx, 200);
}

/* Responds with a verdict and the list it follows from, which is freed. */
static void respond_with_list(struct request_context *ctx, const char *verdict, bool good, const char *name,
                              struct buf *list)
{
    struct jsonw *w = ctx_object(ctx);

    jsonw_bool(w, verdict, good);
    jsonw_raw(w, name, list->data, list->len);
    ctx->body.failed = ctx->body.failed || list->failed;
    buf_free(list);
    ctx_json(ctx, good ? 200 : 503);
}

void readyz_start(struct request_context *ctx, const union route_args *args)
{
    struct buf reasons = BUF_INIT(RESPONSE_MAX);
    struct jsonw list = jsonw_start(&reasons);

    (void)args;
    jsonw_array(&list, NULL);
    size_t n = write_reasons(ctx->gateway, &list);
    jsonw_end(&list);
    respond_with_list(ctx, "ready", n == 0, "reasons", &reasons);
}

/* `age_ms` is UINT64_MAX before the first success. */
static void write_check(struct jsonw *w, const char *name, bool ok, const char *detail, uint64_t age_ms)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_bool(w, "ok", ok);
    jsonw_str(w, "detail", detail);
    jsonw_int_or_null(w, "last_success_age_ms", (int64_t)age_ms, age_ms == UINT64_MAX);
    jsonw_end(w);
}

static bool check_vault(const struct vault *v, struct jsonw *w)
{
    struct vault_state s;
    char name[CONF_NAME_MAX + 8];

    health_vault(v, &s);
    snprintf(name, sizeof(name), "vault:%s", v->conf->name);
    write_check(w, name, health_vault_usable(&s), s.known ? s.detail : "not asked yet",
                s.last_success_age_ms);
    return health_vault_usable(&s);
}

static bool check_audit(const struct gateway *gw, struct jsonw *w)
{
    struct audit_state s;

    if (health_audit(gw, &s))
        write_check(w, "audit", s.writable, s.writable ? "writable" : s.why, 0);
    return s.writable;
}

static bool check_store(const struct gateway *gw, struct jsonw *w)
{
    struct store_state s;

    if (health_store(gw, &s))
        write_check(w, "store", s.writable, s.writable ? "writable" : s.why, 0);
    return s.writable;
}

static bool check_certificate(const struct gateway *gw, struct jsonw *w)
{
    int64_t end = gw->server ? http_certificate_end(gw->server) : 0;
    int64_t left = end - clock_wall(gw->clock) / 1000;
    char detail[64];

    if (!end)
        return true;
    snprintf(detail, sizeof(detail), "%s, %" PRId64 " days left", left > 0 ? "valid" : "expired",
             left / 86400);
    write_check(w, "certificate", left > 0, detail, 0);
    return left > 0;
}

static bool check_draining(const struct gateway *gw, struct jsonw *w)
{
    write_check(w, "gateway", !gw->draining, gw->draining ? "shutting down" : "serving", 0);
    return !gw->draining;
}

void health_start(struct request_context *ctx, const union route_args *args)
{
    const struct gateway *gw = ctx->gateway;
    struct buf checks = BUF_INIT(RESPONSE_MAX);
    struct jsonw list = jsonw_start(&checks);
    bool healthy, vault = gw->nvaults == 0;

    (void)args;
    jsonw_array(&list, NULL);
    healthy = check_draining(gw, &list);
    for (size_t i = 0; i < gw->nvaults; i++)
        vault = check_vault(gw->vaults[i], &list) || vault;
    healthy = healthy && vault;
    healthy = check_store(gw, &list) && healthy;
    healthy = check_audit(gw, &list) && healthy;
    healthy = check_certificate(gw, &list) && healthy;
    if (gw->site)
        site_health_write(gw->site, &list);
    jsonw_end(&list);
    respond_with_list(ctx, "healthy", healthy, "checks", &checks);
}
