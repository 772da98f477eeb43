/*
 * psauth.h - the `Authorization: PS-Auth key=K; runas=U; pwd=[P]; challenge=C;` header.
 *
 * No part is encoded. Blanks after `;` and the last `;` are optional, the order is free. Where the password
 * ends is not documented: at the last `]` of the header, or at the first (setting 3).
 */
#ifndef SIM_PSAUTH_H
#define SIM_PSAUTH_H

#include "base/memory/secret.h"

struct psauth {
    struct secret store;                             /* the header's parts point into it */
    const char *key, *run_as, *password, *challenge; /* NULL = absent */
};

/* 0, -EINVAL (not PS-Auth, or no key or runas in it), -ENOMEM. */
int psauth_read(struct psauth *, const char *header, bool first_bracket);
void psauth_clear(struct psauth *);

#endif
