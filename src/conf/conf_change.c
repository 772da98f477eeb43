/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_change.c - compares two configurations of a gateway, and exchanges their values.
 *
 * The rule for sections is here: clients and [access] sections may be added and removed, listeners, vaults
 * and the site may not.
 *
 * The exchange swaps the structs of listeners, vaults and the site in place, and the arrays of the others.
 *
 * Not here: how values are compared (table/conf_compare.h).
 */
#include "conf/conf_change.h"

#include "conf/conf_sections.h"

#include <string.h>

int conf_compare(const struct conf *now, const struct conf *next, struct conf_change *c)
{
    int err;

    conf_compare_begin(c, &conf_gateway_table);
    err = conf_compare_one(c, SECTION_GATEWAY, &now->gateway, &next->gateway);
    if (!err)
        err = conf_compare_one(c, SECTION_STORE, &now->store, &next->store);
    if (!err)
        err = conf_compare_fixed(c, SECTION_LISTENER, now->listeners, now->nlisteners, next->listeners,
                                 next->nlisteners);
    if (!err)
        err =
            conf_compare_free(c, SECTION_CLIENT, now->clients, now->nclients, next->clients, next->nclients);
    if (!err)
        err = conf_compare_fixed(c, SECTION_VAULT, now->vaults, now->nvaults, next->vaults, next->nvaults);
    if (!err)
        err = conf_compare_free(c, SECTION_ACCESS, now->accesses, now->naccesses, next->accesses,
                                next->naccesses);
    if (!err)
        err = conf_compare_fixed(c, SECTION_PRA, now->pras, now->npras, next->pras, next->npras);
    return err;
}

/* ---- the exchange ---- */

#define EXCHANGE(type, a, b)                                                                                 \
    do {                                                                                                     \
        type between = (a);                                                                                  \
        (a) = (b);                                                                                           \
        (b) = between;                                                                                       \
    } while (0)

void conf_exchange(struct conf *now, struct conf *next)
{
    EXCHANGE(struct conf_gateway, now->gateway, next->gateway);
    for (size_t i = 0; i < now->nlisteners; i++)
        EXCHANGE(struct conf_listener, now->listeners[i], next->listeners[i]);
    for (size_t i = 0; i < now->nvaults; i++)
        EXCHANGE(struct conf_vault, now->vaults[i], next->vaults[i]);
    for (size_t i = 0; i < now->npras; i++)
        EXCHANGE(struct conf_pra, now->pras[i], next->pras[i]);
    EXCHANGE(struct conf_client *, now->clients, next->clients);
    EXCHANGE(size_t, now->nclients, next->nclients);
    EXCHANGE(struct conf_access *, now->accesses, next->accesses);
    EXCHANGE(size_t, now->naccesses, next->naccesses);
    memcpy(now->digest, next->digest, sizeof(now->digest));
}
