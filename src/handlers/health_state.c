/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_state.c - the present state of what the gateway depends on: vaults, lease store and audit trail, as
 * each reports it of itself. Nothing here waits.
 *
 * Not here: what follows from a state (health.c, certificates.c, status.c, metrics_page.c).
 */
#include "handlers/gateway.h"

void health_vault(const struct vault *v, struct vault_state *out)
{
    *out = (struct vault_state){.last_success_age_ms = UINT64_MAX};
    v->ops->state(v, out);
}

bool health_vault_usable(const struct vault_state *s)
{
    return (s->reachable && !s->refuses) || !s->known;
}

bool health_store(const struct gateway *gw, struct store_state *out)
{
    *out = (struct store_state){.writable = true};
    if (gw->store)
        gw->store->ops->state(gw->store, out);
    return gw->store;
}

bool health_audit(const struct gateway *gw, struct audit_state *out)
{
    audit_state(gw->audit, out);
    return gw->audit;
}
