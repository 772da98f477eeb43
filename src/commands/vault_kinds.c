/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_kinds.c - one row per kind of vault; see vault_kinds.h.
 */
#include "commands/vault_kinds.h"

#include "backends/password_safe/password_safe.h"
#include "backends/privileged_identity/privileged_identity.h"

#include <string.h>

/* ---- Password Safe ---- */

static struct vault *ps_open(struct loop *loop, const struct conf *conf, const struct conf_vault *vault,
                             char why[256])
{
    (void)conf;
    return password_safe_new(loop, vault, why);
}

static struct vault_next *ps_prepare(const struct conf *next, const struct conf_vault *vault, char why[256])
{
    (void)next;
    return (struct vault_next *)password_safe_prepare(vault, why);
}

static void ps_discard(struct vault_next *next)
{
    password_safe_discard((struct password_safe_next *)next);
}

static void ps_reload(struct vault *vault, struct vault_next *next)
{
    password_safe_reload(vault, (struct password_safe_next *)next);
}

/* ---- Privileged Identity ---- */

static struct vault_next *pi_prepare(const struct conf *next, const struct conf_vault *vault, char why[256])
{
    return (struct vault_next *)privileged_identity_prepare(next, vault, why);
}

static void pi_discard(struct vault_next *next)
{
    privileged_identity_discard((struct privileged_identity_next *)next);
}

static void pi_reload(struct vault *vault, struct vault_next *next)
{
    privileged_identity_reload(vault, (struct privileged_identity_next *)next);
}

/* ---- the table ---- */

static const struct vault_kind kinds[] = {
    {"password_safe", ps_open, ps_prepare, ps_discard, ps_reload, password_safe_close},
    {"privileged_identity", privileged_identity_new, pi_prepare, pi_discard, pi_reload,
     privileged_identity_close},
};

const struct vault_kind *vault_kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].type, type) == 0)
            return &kinds[i];
    return NULL;
}
