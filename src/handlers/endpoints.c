/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints.c - endpoints/find: the machines on which this user may request an account.
 *
 * `types` names jump methods. Password Safe systems are reached by RDP and by shell; a query for
 * other types only is answered with an empty list, and no vault is asked.
 */
#include "handlers/gateway.h"
#include "handlers/json_fields.h"
#include "handlers/session_json.h"

#define QUERY_CHARS 256
#define RECENT_MAX  10000

static bool read_type(const cJSON *item, struct endpoints_args *a, struct fault *f)
{
    int index = cJSON_IsString(item) ? json_field_word_index(item->valuestring, session_methods) : -1;
    if (index < 0) {
        fault_set(f, FAULT_INVALID_REQUEST,
                  "types: each must be one of: rdp shell web tunnel jump_client other");
        return false;
    }
    a->rdp = a->rdp || METHOD_RDP + index == METHOD_RDP;
    a->shell = a->shell || METHOD_RDP + index == METHOD_SHELL;
    return true;
}

static bool read_types(const struct json_fields *top, struct endpoints_args *a)
{
    const cJSON *types, *item;

    if (!json_field_array(top, "types", &types))
        return false;
    if (!types || !cJSON_GetArraySize(types)) {
        a->rdp = a->shell = true;
        return true;
    }
    cJSON_ArrayForEach(item, types)
    {
        if (!read_type(item, a, top->fault))
            return false;
    }
    return true;
}

bool endpoints_read(const cJSON *body, union route_args *args, struct fault *f)
{
    struct json_fields top = {.object = body, .path = "", .fault = f};
    struct endpoints_args *a = &args->endpoints;

    if (!read_types(&top, a) || !json_field_text(&top, "query", 0, QUERY_CHARS, &a->query) ||
        !json_field_int(&top, "recent", 1, RECENT_MAX, 0, &a->recent))
        return false;
    if (!a->query)
        a->query = "";
    return true;
}

static void write_endpoint(struct jsonw *w, const struct endpoint *e)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "endpoint_id", e->endpoint_id);
    jsonw_str(w, "name", e->name);
    jsonw_str(w, "hostname", e->hostname);
    jsonw_str(w, "ip_address", e->ip_address);
    jsonw_int(w, "port", e->port);
    jsonw_str(w, "method", e->method == METHOD_RDP ? "rdp" : "shell");
    jsonw_str(w, "comments", e->comments ? e->comments : "");
    jsonw_str(w, "network_id", e->network_id);
    jsonw_end(w);
}

static void on_endpoints(void *arg, const struct endpoints_answer *answer)
{
    struct request_context *ctx = arg;

    if (!ctx_succeeded(ctx, answer->fault))
        return;
    struct jsonw *w = ctx_object(ctx);
    jsonw_array(w, "endpoints");
    for (size_t i = 0; i < answer->n; i++)
        write_endpoint(w, &answer->endpoints[i]);
    jsonw_end(w);
    jsonw_bool(w, "truncated", answer->truncated);
    jsonw_int(w, "age_ms", (int64_t)answer->age_ms);
    jsonw_strs(w, "partial", answer->partial, answer->npartial);
    ctx_json(ctx, 200);
}

void endpoints_start(struct request_context *ctx, const union route_args *args)
{
    const struct endpoints_args *a = &args->endpoints;
    struct fault f;

    if (!vaults_list_systems(ctx->gateway->vaults, ctx->gateway->nvaults)) {
        fault_set(&f, FAULT_UNSUPPORTED, "no vault of this gateway lists systems; capabilities says so");
        ctx_fail(ctx, &f);
        return;
    }
    if (a->rdp || a->shell)
        ctx_wait(ctx, broker_endpoints(ctx->gateway->broker, a, on_endpoints, ctx));
    else
        on_endpoints(ctx, &(struct endpoints_answer){.fault = NULL});
}
