/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_actions.c - what an operator does with the cluster.
 *
 *   POST /v1/cluster/reconcile   the comparison with the vaults' lists of live requests begins now
 *   POST /v1/cluster/record      `jumpgate cluster forget`, `set-vault` or `upgrade` has changed etcd: the
 *                                audit trail, which is this gateway's while it runs, gets the record
 *
 * The first answers when the round has begun: what it finds is in the log and in the audit trail. The second
 * takes the word of the command for what was done, so it is there for callers of the control socket alone, of
 * whom the record has uid and name.
 */
#include "handlers/gateway.h"
#include "handlers/json_fields.h"

#define CLUSTER_NAME_MAX 64

/* As the command names them, the event of the audit trail, and what the name is called there. */
static const char *const changes[] = {"forget", "set-vault", "upgrade", NULL};
static const struct {
    const char *event, *member;
} records[] = {
    {"cluster_forget", "forgotten"}, {"cluster_set_vault", "vault"}, {"cluster_upgrade", "schema"}};

bool cluster_reconcile_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};

    return !body || json_field_bool(&top, "all_users", &args->reconcile_all_users);
}

void cluster_reconcile_start(struct request_context *ctx, const union route_args *args)
{
    size_t users = broker_reconcile(ctx->gateway->broker, args->reconcile_all_users);
    struct session by = {0};
    struct audit_note note;
    struct jsonw *w = ctx_object(ctx);

    ctx_origin(ctx, &by);
    audit_note(&note, ctx->gateway->audit, "cluster_reconcile");
    audit_session(&note, &by);
    audit_count(&note, "users", (int64_t)users);
    audit_write(&note);
    jsonw_bool(w, "started", true);
    jsonw_int(w, "users", (int64_t)users);
    ctx_json(ctx, 200);
}

bool cluster_record_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};

    if (!json_field_word(&top, "change", changes, -1, &args->cluster_record.change) ||
        !json_field_text(&top, "name", FIELD_REQUIRED | FIELD_NOT_EMPTY, CLUSTER_NAME_MAX,
                         &args->cluster_record.name))
        return false;
    if (args->cluster_record.change < 0)
        fault_set(f, FAULT_INVALID_REQUEST, "change: is required");
    return args->cluster_record.change >= 0;
}

void cluster_record_start(struct request_context *ctx, const union route_args *args)
{
    size_t change = (size_t)args->cluster_record.change;
    struct session by = {0};
    struct audit_note note;
    struct fault f;

    ctx_origin(ctx, &by);
    if (!by.has_peer) {
        fault_set(&f, FAULT_FORBIDDEN, "the commands on this machine do so, over the control socket");
        ctx_fail(ctx, &f);
        return;
    }
    audit_note(&note, ctx->gateway->audit, records[change].event);
    audit_session(&note, &by);
    audit_text(&note, records[change].member, args->cluster_record.name);
    audit_write(&note);
    struct jsonw *w = ctx_object(ctx);

    jsonw_bool(w, "recorded", true);
    ctx_json(ctx, 200);
}
