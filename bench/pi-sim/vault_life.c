/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_life.c - beginning and end of a vault with all its parts; see vault.h.
 */
#include "pi-sim/checkouts.h"
#include "pi-sim/tokens.h"

#include <stdlib.h>

struct vault *vault_new(struct timers *timers)
{
    struct vault *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->timers = timers;
    v->clock = timers_clock(timers);
    v->settings = (struct vault_settings){.seed = 1,
                                          .token_life_ms = 30 * 60000,
                                          .token_idle_ms = 20 * 60000,
                                          .lockout_failures = 5,
                                          .lockout_ms = 30 * 60000,
                                          .change_delay_ms = 2000,
                                          .max_body = 65536,
                                          .face = {true, true, true}};
    history_init(&v->history);
    conduct_init(&v->conduct);
    v->tokens = tokens_new();
    v->checkouts = checkouts_new();
    if (v->tokens && v->checkouts)
        return v;
    vault_free(v);
    return NULL;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    if (v->checkouts)
        checkouts_free(v);
    for (size_t i = 0; i < v->credentials.n; i++)
        credential_free(v->credentials.item[i]);
    for (size_t i = 0; i < v->identities.n; i++)
        identity_free(v->identities.item[i]);
    for (size_t i = 0; i < v->sets.n; i++)
        management_set_free(v->sets.item[i]);
    vec_free(&v->credentials);
    vec_free(&v->identities);
    vec_free(&v->sets);
    names_free(&v->keys);
    tokens_free(v->tokens);
    history_clear(&v->history);
    texts_free(&v->settings.texts);
    free(v);
}
