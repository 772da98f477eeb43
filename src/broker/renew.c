/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.c - the broker after a reload.
 *
 * Almost everything asks the configuration when it needs it, and so has the new values already. What keeps
 * a value of its own is told here. Leases, readings and operations that stand go on by what they began with.
 */
#include "broker/broker.h"

#include "broker/catalogue/catalogue_cache.h"
#include "broker/lists/account_lists.h"
#include "broker/operation.h"

void broker_reload(struct broker *b)
{
    const struct conf_gateway *g = &b->conf->gateway;

    account_lists_reload(b->lists, g->list_cache_ms, g->catalogue_cache_ms);
    catalogue_cache_reload(b->catalogue_cache, g->catalogue_cache_ms, g->catalogue_max_age_ms);
}
