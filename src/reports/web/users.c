/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users.c - users of the configuration, as they are now: found by name, and by the certificate they show.
 */
#include "base/text.h"
#include "reports/web/web_internal.h"

#include <string.h>

const struct reports_user *user_find(const struct web *web, const char *name)
{
    for (size_t i = 0; i < web->conf->nusers; i++) {
        const struct reports_user *u = &web->conf->users[i];

        if (strcmp(u->name, name) == 0)
            return u->enabled && (u->password || u->certificate_san) ? u : NULL;
    }
    return NULL;
}

static bool san_equal(const char *wanted, const char *shown)
{
    return strncmp(wanted, "DNS:", 4) == 0 ? text_equal_nocase(wanted, shown) : strcmp(wanted, shown) == 0;
}

bool user_shows_certificate(const struct reports_user *u, const struct http_peer *peer)
{
    for (size_t i = 0; u->certificate_san && peer->certificate && i < peer->nsans; i++)
        if (san_equal(u->certificate_san, peer->sans[i]))
            return true;
    return !u->certificate_san;
}
