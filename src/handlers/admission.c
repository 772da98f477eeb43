/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission.c - the rules that a request must pass before and after its body, in the order of docs/api.md.
 *
 * With the head: 401, 403, 411, 413, 415, 400 (404 and 405 are the router's, 431 and 414 the server's). With
 * the body, after its own 400s: 429, 503 draining, 503 overloaded, 504. Health and metrics (ROUTE_ALWAYS)
 * skip the rules after the body: they answer while every limit is reached.
 *
 * A refused head ends the request before a byte of its body is taken.
 */
#include "base/log.h"
#include "base/text.h"
#include "handlers/gateway.h"

#include <inttypes.h>
#include <string.h>

#define TIMEOUT_MAX_MS 600000

/* The peer is over its rate of failures: the request is not logged, and its connection is closed. */
static bool refuse_over_rate(struct request_context *ctx, unsigned wait_s, struct fault *f)
{
    ctx->close_after = true;
    ctx->logging = LOGGING_DENIED;
    stranger_lines_leave_out(&ctx->gateway->stranger_lines, ctx->req->peer->origin);
    fault_set(f, FAULT_RATE_LIMITED, "too many requests without a known client from %s (failed_login_rate)",
              ctx->req->peer->origin);
    f->retry_after_s = wait_s;
    return false;
}

/* What was shown: the user of a Unix socket, a certificate that passed, a token as the beginning of its
 * digest. */
static void log_unknown_caller(const struct request_context *ctx)
{
    const struct http_peer *peer = ctx->req->peer;
    const char *token_shown = http_header(ctx->req, "Authorization") ? "yes" : "no";
    char digest[TOKEN_DIGEST_SIZE];
    struct http_shown shown;

    clients_token_digest(ctx->req, digest);
    if (peer->is_unix)
        log_info(
            "authentication_failed",
            "request_id=%s listener=%s peer=%s token_shown=%s token_sha256=%s peer_uid=%lld peer_pid=%lld",
            ctx->request_id, peer->listener, peer->address, token_shown, digest,
            peer->uid == (uid_t)-1 ? -1LL : (long long)peer->uid, (long long)peer->pid);
    else if (http_shown_certificate(ctx->req, &shown))
        log_info(
            "authentication_failed",
            "request_id=%s listener=%s peer=%s token_shown=%s token_sha256=%s name=%s subject=%s issuer=%s "
            "serial=%s fingerprint_sha256=%s",
            ctx->request_id, peer->listener, peer->address, token_shown, digest,
            peer->nsans ? peer->sans[0] : NULL, shown.subject, shown.issuer, shown.serial, shown.sha256);
    else
        log_info("authentication_failed", "request_id=%s listener=%s peer=%s token_shown=%s token_sha256=%s",
                 ctx->request_id, peer->listener, peer->address, token_shown, digest);
}

bool admission_refuse_caller(struct request_context *ctx, const char *detail, struct fault *f)
{
    struct gateway *gw = ctx->gateway;
    unsigned wait_s =
        auth_failures_take(gw->auth_failures, ctx->req->peer->origin, gw->conf->gateway.failed_logins_per_s);

    gateway_count_refused_caller(gw);
    audit_stranger(gw->audit, ctx->req->peer->listener,
                   ctx->req->peer->is_unix ? ctx->req->peer->origin : ctx->req->peer->address);
    if (wait_s)
        return refuse_over_rate(ctx, wait_s, f);
    if (log_on(LOG_INFO) && ctx_may_log(ctx, ctx->req->peer))
        log_unknown_caller(ctx);
    fault_set(f, FAULT_UNAUTHENTICATED, "%s", detail);
    return false;
}

bool admission_unread_caller(struct fault *f)
{
    fault_set(f, FAULT_OVERLOADED, "out of memory: who calls is not known; nothing was done, send it again");
    return false;
}

static const char *permission_name(unsigned permit)
{
    if (permit == PERMIT_BROKER)
        return "broker";
    return permit == PERMIT_OPERATE ? "operate" : "observe";
}

static bool check_caller(struct request_context *ctx, struct fault *f)
{
    unsigned permit = ctx->route->permit;
    if (!permit)
        return true;
    if (clients_find(ctx->gateway->clients, ctx->req, &ctx->client))
        return admission_unread_caller(f);
    if (!ctx->client)
        return admission_refuse_caller(
            ctx,
            "no [client] section matches; send Authorization: Bearer with a token whose SHA-256 is in the "
            "configuration, or connect with the certificate or the user it names",
            f);
    if (!ctx->req->peer->known)
        http_known(ctx->req);
    if (ctx->client->conf->allow & permit)
        return true;
    fault_set(f, FAULT_FORBIDDEN, "client %s lacks the permission `%s`; add it to `allow` in its section",
              ctx->client->conf->name, permission_name(permit));
    return false;
}

/* One parameter of a media type, without blanks around it: charset must be UTF-8, others are ignored. */
static bool parameter_fits(const char *p, size_t n)
{
    static const char charset[] = "charset=";
    size_t skip = sizeof(charset) - 1;

    if (n < skip || !text_equal_nocase_n(p, skip, charset, skip))
        return true;
    p += skip;
    n -= skip;
    if (n >= 2 && p[0] == '"' && p[n - 1] == '"') {
        p++;
        n -= 2;
    }
    return text_equal_nocase_n(p, n, "utf-8", 5);
}

static bool is_json_type(const char *v)
{
    size_t n = strcspn(v, "; \t");
    if (!text_equal_nocase_n(v, n, "application/json", 16))
        return false;
    for (v += n;; v += n) {
        v += strspn(v, " \t");
        if (!*v)
            return true;
        if (*v++ != ';')
            return false;
        v += strspn(v, " \t");
        n = strcspn(v, ";");
        size_t used = n;
        while (used && strchr(" \t", v[used - 1]))
            used--;
        if (!parameter_fits(v, used))
            return false;
    }
}

/* An empty body without a type is left to the JSON reader's 400. */
static bool check_type(const struct http_req *req, struct fault *f)
{
    const char *type = http_header(req, "Content-Type");
    if (!type && req->content_length == 0)
        return true;
    if (type && http_header_count(req, "Content-Type") == 1 && is_json_type(type))
        return true;
    fault_set(f, FAULT_UNSUPPORTED_MEDIA_TYPE,
              "Content-Type must be application/json (charset utf-8 or none)");
    return false;
}

static bool check_body_head(const struct request_context *ctx, struct fault *f)
{
    const struct http_req *req = ctx->req;
    uint64_t max = ctx->gateway->conf->gateway.max_body;
    bool takes_body = ctx->route->method == HTTP_POST_;

    if (takes_body && req->content_length < 0 && !req->chunked) {
        fault_set(f, FAULT_LENGTH_REQUIRED, "send Content-Length, or Transfer-Encoding: chunked");
        return false;
    }
    if (req->content_length > 0 && (uint64_t)req->content_length > max) {
        fault_set(f, FAULT_BODY_TOO_LARGE, "the body is longer than max_body (%" PRIu64 " bytes)", max);
        return false;
    }
    if (ctx->route->flags & ROUTE_NO_BODY && req->content_length == 0)
        return true; /* an empty body may have any type */
    return !takes_body || check_type(req, f);
}

static bool check_timeout(struct request_context *ctx, struct fault *f)
{
    const char *value = http_header(ctx->req, "X-Request-Timeout-Ms");
    int64_t ms;

    ctx->timeout_ms = ctx->gateway->conf->gateway.request_timeout_ms;
    if (!value)
        return true;
    if (http_header_count(ctx->req, "X-Request-Timeout-Ms") != 1 ||
        !text_int(value, 1, TIMEOUT_MAX_MS, &ms)) {
        fault_set(f, FAULT_INVALID_REQUEST, "X-Request-Timeout-Ms: must be one integer from 1 to %d",
                  TIMEOUT_MAX_MS);
        return false;
    }
    if ((uint64_t)ms < ctx->timeout_ms)
        ctx->timeout_ms = (uint64_t)ms;
    return true;
}

bool admission_head(struct request_context *ctx, struct fault *f)
{
    return check_caller(ctx, f) && check_body_head(ctx, f) && check_timeout(ctx, f);
}

/* The time that is left of the caller's timeout after its body. */
static bool check_time(struct request_context *ctx, struct fault *f)
{
    uint64_t used = clock_now(ctx->gateway->clock) - ctx->req->started_ms;
    if (used < ctx->timeout_ms) {
        ctx->timeout_ms -= used;
        return true;
    }
    fault_set(f, FAULT_DEADLINE_EXCEEDED,
              "the request's body took longer than its deadline of %" PRIu64 " ms", ctx->timeout_ms);
    return false;
}

static bool check_room(const struct gateway *gw, struct fault *f)
{
    if (gw->draining) {
        fault_set(f, FAULT_DRAINING, "the gateway is shutting down; ask another one or try again");
        return false;
    }
    if (gw->inflight >= gw->conf->gateway.max_inflight) {
        fault_set(f, FAULT_OVERLOADED, "max_inflight (%" PRIu64 ") operations are in flight",
                  gw->conf->gateway.max_inflight);
        return false;
    }
    return true;
}

bool admission_start(struct request_context *ctx, unsigned wait_s, struct fault *f)
{
    if (ctx->route->flags & ROUTE_ALWAYS)
        return true;
    if (wait_s) {
        fault_set(f, FAULT_RATE_LIMITED, "client %s is over its rate of %.6g/s", ctx->client->conf->name,
                  ctx->client->conf->rate_per_s);
        f->retry_after_s = wait_s;
        return false;
    }
    if (!check_room(ctx->gateway, f) || !check_time(ctx, f))
        return false;
    ctx->gateway->inflight++;
    ctx->counted = true;
    return true;
}
