/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions.c - sessions/start and sessions/started.
 *
 * `start` is for credential managers that open the session themselves; Password Safe does not, and
 * capabilities says so. `started` is only recorded (broker/session_started.c).
 *
 * Not here: `complete`, which releases all leases of the session (release.c).
 */
#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/json_fields.h"

#define URL_CHARS 8192

void session_start_start(struct request_context *ctx, const union route_args *args)
{
    struct fault f;
    (void)args;
    fault_set(&f, FAULT_UNSUPPORTED,
              "the gateway does not start sessions; capabilities says start_session: false");
    ctx_fail(ctx, &f);
}

bool session_started_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};

    return json_field_text(&top, "history_url", 0, URL_CHARS, &args->started.history_url) &&
           json_field_int(&top, "history_url_expiry_seconds", 0, FIELD_SECONDS_MAX, 0,
                          &args->started.expiry_s);
}

static void on_written(void *ctx)
{
    if (ctx_succeeded(ctx, NULL))
        ctx_empty(ctx);
}

/* The history URL is not logged: it may give access to the recording. */
void session_started_start(struct request_context *ctx, const union route_args *args)
{
    const struct session *s = &args->by.session;

    log_info("session_started", "request_id=%s session=%s user=%s domain=%s client=%s", ctx->request_id,
             s->id, s->username, s->domain, ctx->client->conf->name);
    ctx_wait(ctx, broker_session_started(ctx->gateway->broker, &args->started, on_written, ctx));
}
