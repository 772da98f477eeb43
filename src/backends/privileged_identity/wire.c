/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c - the target and the header lines of a call, as its row has them. No secret is ever in a target.
 */
#include "backends/privileged_identity/internal.h"

#include <errno.h>
#include <stdio.h>

bool pi_row_usable(const struct pi *pi, enum pi_operation op)
{
    return pi_row_allowed(&pi->profile->row[op], pi->http.vault.conf->provisional == PROVISIONAL_GUESSED);
}

char *pi_target(const struct pi *pi, enum pi_operation op)
{
    char *target;
    int n = asprintf(&target, "%s%s%s", pi->http.vault.conf->base_path, pi->profile->base,
                     pi->profile->row[op].path);

    return n < 0 ? NULL : target;
}

int pi_headers(const struct pi_row *row, const struct pi_token *token, struct buf *out)
{
    buf_clear(out);
    (void)buf_str(out, PI_HEADERS);
    if (row->header) {
        (void)buf_str(out, "AuthenticationToken: ");
        (void)buf_append(out, token->text.p, token->text.len);
        (void)buf_str(out, "\r\n");
    }
    return buf_cstr(out) ? 0 : -ENOMEM;
}
