/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c - /livez, /readyz and /v1/health.
 *
 * /livez: the loop runs, which any answer proves. /readyz: should a load balancer send requests here? Each
 * reason against it is named: a vault that does not answer, a lease store that cannot write, an invalid
 * certificate, a shut-down in progress. /v1/health: the ECM's health check, one entry per check.
 *
 * A vault without a first answer counts as usable, so that a gateway that has just started is ready. None of
 * these waits. Not here: the states themselves (health_state.c).
 */
#include "handlers/certificates.h"
#include "handlers/gateway.h"

#include <inttypes.h>
#include <stdio.h>

static size_t store_reasons(const struct gateway *gw, struct jsonw *w)
{
    char reason[320];
    struct store_state s;

    if (!health_store(gw, &s) || s.writable)
        return 0;
    snprintf(reason, sizeof(reason), "the lease store cannot be written: %s; there are no new check-outs",
             s.why);
    jsonw_str(w, NULL, reason);
    return 1;
}

static size_t audit_reasons(const struct gateway *gw, struct jsonw *w)
{
    char reason[320];
    struct audit_state s;

    if (!health_audit(gw, &s) || s.writable)
        return 0;
    snprintf(reason, sizeof(reason), "the audit trail cannot be written: %s; %s", s.why,
             audit_is_strict(gw->audit) ? "there are no new check-outs"
                                        : "check-outs go on (audit_policy = degraded)");
    jsonw_str(w, NULL, reason);
    return 1;
}

static size_t vault_reasons(const struct gateway *gw, struct jsonw *w)
{
    char reason[320];
    size_t n = 0;

    for (size_t i = 0; i < gw->nvaults; i++) {
        struct vault_state s;
        health_vault(gw->vaults[i], &s);
        if (health_vault_usable(&s))
            continue;
        snprintf(reason, sizeof(reason), "vault %s is not reachable: %s", gw->vaults[i]->conf->name,
                 s.detail);
        jsonw_str(w, NULL, reason);
        n++;
    }
    return n;
}

static size_t all_reasons(const struct gateway *gw, struct jsonw *w)
{
    size_t n = vault_reasons(gw, w) + store_reasons(gw, w) + audit_reasons(gw, w);

    n += certificates_reasons(gw, w);
    if (gw->draining) {
        jsonw_str(w, NULL, "the gateway is shutting down");
        n++;
    }
    return n;
}

void livez_start(struct request_context *ctx, const union route_args *args)
{
    struct buf buf = BUF_INIT(64);
    struct jsonw w = jsonw_start(&buf);

    (void)args;
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "alive", true);
    jsonw_end(&w);
    ctx_json(ctx, 200, &buf, 0);
}

void readyz_start(struct request_context *ctx, const union route_args *args)
{
    struct buf reasons = BUF_INIT(RESPONSE_MAX), buf = BUF_INIT(RESPONSE_MAX);
    struct jsonw list = jsonw_start(&reasons), w = jsonw_start(&buf);

    (void)args;
    jsonw_array(&list, NULL);
    size_t n = all_reasons(ctx->gateway, &list);
    jsonw_end(&list);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "ready", n == 0);
    jsonw_raw(&w, "reasons", reasons.data, reasons.len);
    jsonw_end(&w);
    buf.failed = buf.failed || reasons.failed;
    buf_free(&reasons);
    ctx_json(ctx, n ? 503 : 200, &buf, 0);
}

/* `age_ms` is UINT64_MAX before the first success. */
static void write_check(struct jsonw *w, const char *name, bool ok, const char *detail, uint64_t age_ms)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_bool(w, "ok", ok);
    jsonw_str(w, "detail", detail);
    if (age_ms == UINT64_MAX)
        jsonw_null(w, "last_success_age_ms");
    else
        jsonw_int(w, "last_success_age_ms", (int64_t)age_ms);
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
    int64_t left;
    char detail[64];

    if (!health_certificate_left(gw, &left))
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
    struct buf checks = BUF_INIT(RESPONSE_MAX), buf = BUF_INIT(RESPONSE_MAX);
    struct jsonw list = jsonw_start(&checks), w = jsonw_start(&buf);
    bool healthy;

    (void)args;
    jsonw_array(&list, NULL);
    healthy = check_draining(gw, &list);
    for (size_t i = 0; i < gw->nvaults; i++)
        healthy = check_vault(gw->vaults[i], &list) && healthy;
    healthy = check_store(gw, &list) && healthy;
    healthy = check_audit(gw, &list) && healthy;
    healthy = check_certificate(gw, &list) && healthy;
    jsonw_end(&list);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "healthy", healthy);
    jsonw_raw(&w, "checks", checks.data, checks.len);
    jsonw_end(&w);
    buf.failed = buf.failed || checks.failed;
    buf_free(&checks);
    ctx_json(ctx, healthy ? 200 : 503, &buf, 0);
}
