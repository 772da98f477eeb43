/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_hand.c - a vault request that begins with its check-in; see by_hand.h.
 */
#include "broker/leases/by_hand.h"

#include "broker/leases/clock_skew.h"
#include "broker/leases/internal.h"

#include "base/log.h"

#include <stdlib.h>

struct vault_request *return_by_hand(struct leases *ls, struct vault *vault, const char *credential_id,
                                     const char *key, char *handle)
{
    static const struct session no_session = {.id = "", .username = ""};
    char id[ID_SIZE];
    const struct lease_args args = {.session = &no_session, .credential_id = credential_id, .id = id};
    struct lease *asker = lease_id_new(ls, id) ? NULL : lease_ask(ls, &args, vault, vault->principal);

    if (!asker) {
        free(handle);
        return NULL;
    }
    struct vault_request *r = asker->request;

    if (keyed_name(r, key, handle) || !request_work_get(r)) {
        vault_request_withdraw(r);
        return NULL;
    }
    vault_request_set_end(r, clock_now(ls->clock) + vault->life_ms,
                          leases_wall(ls, vault) + (int64_t)vault->life_ms);
    r->due = 0; /* nothing is known of what is checked out */
    log_warn("checkin_by_hand", "user=%s credential=%s lease=%s", r->user, credential_id, id);
    vault_request_unhold(r, NULL);
    return r;
}
