/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renew.c - the broker after a reload.
 *
 * Almost everything asks the configuration when it needs it, and so has the new values already. What keeps
 * a value of its own is told here. Leases, readings and operations that stand go on by what they began with.
 */
#include "broker/broker.h"

#include "broker/catalogues.h"
#include "broker/lists.h"
#include "broker/op.h"

void broker_renew(struct broker *b)
{
    const struct conf_gateway *g = &b->conf->gateway;

    lists_renew(b->lists, g->list_cache_ms, g->catalogue_cache_ms);
    catalogues_renew(b->catalogues, g->catalogue_cache_ms, g->catalogue_max_age_ms);
}
