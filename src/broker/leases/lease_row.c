/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_row.c - what the store is told of a lease.
 *
 * The row is put together from the lease, its session_leases, and the vault request or intent it stands on;
 * nothing is kept for the store's sake alone. System, account and application come out of the credential id.
 * `tag` is the lease's own id: the mark in the vault's reason if this lease made the request.
 */
#include "broker/identity/credential_id.h"
#include "broker/leases/internal.h"

static void from_intent(const struct leases *ls, const struct lease *lease, struct lease_row *row)
{
    if (!lease->intent)
        return;
    row->url = checkin_queue_of(ls, intent_vault(lease->intent))->url;
    row->vault = intent_vault(lease->intent)->conf->name;
    row->user = intent_user(lease->intent);
    row->request_id = intent_request_id(lease->intent);
    row->expires_wall_ms = intent_expires(lease->intent);
}

static void from_vault_request(const struct lease *lease, struct lease_row *row)
{
    const struct vault_request *request = lease->request;
    struct checkin_view v = vault_request_checkin_view(request);

    row->vault = vault_request_vault(request)->conf->name;
    row->url = request->leases->checkin_queues[request->checkin_queue]->url;
    row->user = request->user;
    if (request->origin == ORIGIN_UNKNOWN &&
        request->leases->checkin_queues[request->checkin_queue]->moved_from)
        row->url = request->leases->checkin_queues[request->checkin_queue]->moved_from;
    row->request_id = request->request_id;
    row->adopted = request->origin == ORIGIN_FOREIGN;
    row->expires_wall_ms = request->expires_wall_ms;
    row->attempts = v.attempts;
    row->next_wall_ms = v.next_wall_ms;
    row->last_error = v.last_error;
}

int lease_tell(struct leases *ls, const struct lease *lease)
{
    struct credential_ref ref = {0};
    struct lease_row row = {.id = lease->id,
                            .state = (enum lease_state)lease->state,
                            .username = session_leases_user(lease->session_leases),
                            .domain = session_leases_domain(lease->session_leases),
                            .session = session_leases_session(lease->session_leases),
                            .credential = lease->credential_id,
                            .tag = lease->id,
                            .created_wall_ms = (int64_t)lease->created_s * 1000};

    if (credential_id_parse(lease->credential_id, &ref)) {
        row.system_id = ref.system_id;
        row.account_id = ref.account_id;
        row.application_id = ref.application_id;
    }
    if (lease->state == LEASE_INTENT)
        from_intent(ls, lease, &row);
    else
        from_vault_request(lease, &row);
    return journal_put(ls->journal, &row);
}
