/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoints.c - endpoints/find: where may this user go?
 *
 * `types` names jump methods. Password Safe systems are reached by RDP and by shell; a caller that asks for
 * other types only gets an empty list without anybody being asked, as nothing of that type exists here.
 */
#include "handlers/gateway.h"
#include "handlers/member.h"
#include "handlers/session_json.h"

#define QUERY_CHARS 256
#define RECENT_MAX  10000

static bool read_type(const cJSON *item, struct endpoints_args *a, struct fault *f)
{
    int index = cJSON_IsString(item) ? member_index(item->valuestring, session_methods) : -1;
    if (index < 0) {
        fault_set(f, FAULT_INVALID_REQUEST,
                  "types: each must be one of: rdp shell web tunnel jump_client other");
        return false;
    }
    a->rdp = a->rdp || METHOD_RDP + index == METHOD_RDP;
    a->shell = a->shell || METHOD_RDP + index == METHOD_SHELL;
    return true;
}

static bool read_types(const struct member *top, struct endpoints_args *a)
{
    const cJSON *types, *item;

    if (!member_array(top, "types", &types))
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

bool endpoints_read(const cJSON *body, union ask_args *args, struct fault *f)
{
    struct member top = {.object = body, .path = "", .fault = f};
    struct endpoints_args *a = &args->endpoints;

    if (!read_types(&top, a) || !member_text(&top, "query", 0, QUERY_CHARS, &a->query) ||
        !member_int(&top, "recent", 1, RECENT_MAX, 0, &a->recent))
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
    struct ask *ask = arg;
    struct buf buf = BUF_INIT(ANSWER_MAX);
    struct jsonw w = jsonw_start(&buf);

    if (!ask_succeeded(ask, answer->fault))
        return;
    jsonw_object(&w, NULL);
    jsonw_array(&w, "endpoints");
    for (size_t i = 0; i < answer->n; i++)
        write_endpoint(&w, &answer->endpoints[i]);
    jsonw_end(&w);
    jsonw_bool(&w, "truncated", answer->truncated);
    jsonw_int(&w, "age_ms", (int64_t)answer->age_ms);
    jsonw_end(&w);
    ask_json(ask, 200, &buf, 0);
}

void endpoints_start(struct ask *ask, const union ask_args *args)
{
    const struct endpoints_args *a = &args->endpoints;

    if (a->rdp || a->shell)
        ask_wait(ask, broker_endpoints(ask->gateway->broker, a, on_endpoints, ask));
    else
        on_endpoints(ask, &(struct endpoints_answer){.fault = NULL});
}
