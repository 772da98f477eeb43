/* SPDX-License-Identifier: Apache-2.0 */
/*
 * release.c - release: of one credential or all leases of a session, and of one lease by an operator.
 *
 * All three are one operation of the broker with one answer: how many leases ended, and whether the vault has
 * yet to confirm. So is the check-in of a credential by hand, which ends no lease. The release of one
 * credential also answers how many others hold it.
 */
#include "base/id.h"
#include "handlers/gateway.h"
#include "handlers/json_fields.h"
#include "handlers/url_target.h"

#include <string.h>

static void write_released(struct request_context *ctx, const struct release_answer *released, bool holders)
{
    if (!ctx_succeeded(ctx, released->fault))
        return;
    struct jsonw *w = ctx_object(ctx);
    jsonw_int(w, "released", released->released);
    if (holders)
        jsonw_int(w, "remaining_holders", released->remaining_holders);
    if (released->pending)
        jsonw_bool(w, "pending", true);
    ctx_json(ctx, 200);
}

static void on_credential_released(void *ctx, const struct release_answer *released)
{
    write_released(ctx, released, true);
}

static void on_released(void *ctx, const struct release_answer *released)
{
    write_released(ctx, released, false);
}

bool release_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};
    int64_t ended_at; /* ignored: the lease ends now */

    return json_field_text(&top, "credential_id", FIELD_REQUIRED | FIELD_NOT_EMPTY, CREDENTIAL_ID_SIZE - 1,
                           &args->release.credential_id) &&
           json_field_int(&top, "session_ended_at", 0, FIELD_SECONDS_MAX, 0, &ended_at);
}

void release_start(struct request_context *ctx, const union route_args *args)
{
    ctx_wait(ctx, broker_release(ctx->gateway->broker, &args->release, on_credential_released, ctx));
}

void session_complete_start(struct request_context *ctx, const union route_args *args)
{
    ctx_wait(ctx, broker_release(ctx->gateway->broker, &args->release, on_released, ctx));
}

bool lease_release_read_target(struct request_context *ctx, union route_args *args, struct fault *f)
{
    ctx->target = url_target_segment(ctx->route->path, ctx->req->path, f);
    args->lease.id = ctx->target;
    return ctx->target;
}

bool lease_release_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};

    if (body && (!json_field_bool(&top, "terminate", &args->lease.terminate) ||
                 !json_field_bool(&top, "forget", &args->lease.forget)))
        return false;
    if (!args->lease.terminate || !args->lease.forget)
        return true;
    fault_set(f, FAULT_INVALID_REQUEST, "forget and terminate do not go together");
    return false;
}

void lease_release_start(struct request_context *ctx, const union route_args *args)
{
    struct session by = {0};
    struct lease_person person;
    struct audit_note note;
    struct fault f;

    if (args->lease.terminate) {
        terminate_start(ctx, args->lease.id);
        return;
    }
    ctx_origin(ctx, &by);
    audit_note(&note, ctx->gateway->audit, "operator_release");
    audit_text(&note, "forget", args->lease.forget ? "yes" : NULL);
    audit_session(&note, &by);
    broker_lease_person(ctx->gateway->broker, args->lease.id, &person);
    audit_text(&note, "user", person.user);
    audit_text(&note, "domain", person.domain);
    audit_text(&note, "lease_id", args->lease.id);
    audit_write(&note);
    if (strlen(args->lease.id) < ID_SIZE) {
        ctx_wait(ctx, (args->lease.forget ? broker_forget_lease : broker_release_lease)(
                          ctx->gateway->broker, args->lease.id, ctx->timeout_ms, on_released, ctx));
        return;
    }
    fault_set(&f, FAULT_NOT_FOUND, "there is no such lease");
    ctx_fail(ctx, &f);
}

/* ---- by hand ---- */

static void on_checked_in(void *ctx, const struct release_answer *answer)
{
    if (!ctx_succeeded(ctx, answer->fault))
        return;
    struct jsonw *w = ctx_object(ctx);

    jsonw_bool(w, "checked_in", !answer->pending);
    if (answer->pending)
        jsonw_bool(w, "pending", true);
    ctx_json(ctx, 200);
}

bool credential_checkin_read_target(struct request_context *ctx, union route_args *args, struct fault *f)
{
    ctx->target = url_target_segment(ctx->route->path, ctx->req->path, f);
    args->checked_in_id = ctx->target;
    return ctx->target;
}

void credential_checkin_start(struct request_context *ctx, const union route_args *args)
{
    struct session by = {0};
    struct audit_note note;

    ctx_origin(ctx, &by);
    audit_note(&note, ctx->gateway->audit, "operator_checkin");
    audit_session(&note, &by);
    audit_text(&note, "credential_id", args->checked_in_id);
    audit_write(&note);
    ctx_wait(ctx, broker_checkin_credential(ctx->gateway->broker, args->checked_in_id, ctx->timeout_ms,
                                            on_checked_in, ctx));
}
