/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capabilities.c - what this credential manager can do, in the terms of the ECM SDK.
 */
#include "handlers/gateway.h"

#define DESCRIPTION "Brokers BeyondTrust Password Safe credentials for Privileged Remote Access"

void capabilities_start(struct request_context *ctx, const union route_args *args)
{
    struct jsonw *w = ctx_object(ctx);

    (void)args;
    jsonw_str(w, "name", "jumpgate");
    jsonw_str(w, "description", DESCRIPTION);
    jsonw_str(w, "version", JG_VERSION);
    jsonw_object(w, "capabilities");
    jsonw_bool(w, "credentials_used", true);
    jsonw_bool(w, "endpoint_search", vaults_list_systems(ctx->gateway->vaults, ctx->gateway->nvaults));
    jsonw_bool(w, "health_check", true);
    jsonw_bool(w, "session_complete", true);
    jsonw_bool(w, "session_started", true);
    jsonw_bool(w, "start_session", false);
    jsonw_end(w);
    ctx_json(ctx, 200);
}
