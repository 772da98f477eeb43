/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_row.c - the row of a lease in the store.
 *
 * The row is put together from the lease, its session_leases, and its vault request or intent; no field is
 * kept for the store alone. System, account and application are those of the credential id. `tag` is the
 * lease's own id: the mark in the vault's reason if this lease made the request.
 */
#include "broker/identity/credential_id.h"
#include "broker/leases/internal.h"

static void from_intent(const struct leases *ls, const struct lease *lease, struct lease_row *row)
{
    if (!lease->intent)
        return;
    row->url = vault_ref_find(&ls->vaults, lease->intent->vault)->url;
    row->vault = lease->intent->vault->conf->name;
    row->user = lease->intent->user;
    row->request = lease->intent->name;
    row->expires_wall_ms = lease->intent->expires_wall_ms;
}

static void from_vault_request(const struct lease *lease, struct lease_row *row)
{
    const struct vault_request *request = lease->request;
    const struct checkin *checkin = request->checkin;

    row->vault = vault_request_vault(request)->conf->name;
    row->url = request->vault_ref->url;
    row->user = request->user;
    if (request->origin == ORIGIN_UNKNOWN && request->vault_ref->moved_from)
        row->url = request->vault_ref->moved_from;
    row->request = request->name;
    row->adopted = request->origin == ORIGIN_FOREIGN;
    row->expires_wall_ms = request->expires_wall_ms;
    if (!checkin)
        return;
    row->attempts = checkin->attempts;
    row->next_wall_ms = checkin->next_wall_ms;
    row->last_error = checkin->last_error;
}

int lease_write_row(struct leases *ls, const struct lease *lease)
{
    struct credential_ref ref = {0};
    struct lease_row row = {.id = lease->id,
                            .state = lease->state,
                            .username = session_leases_user(lease->session_leases),
                            .domain = session_leases_domain(lease->session_leases),
                            .session = session_leases_session(lease->session_leases),
                            .credential = lease->credential_id,
                            .lsid = lease->lsid,
                            .tag = lease->id,
                            .created_wall_ms = lease->created_s * 1000};

    if (lease->names) {
        row.system = lease->names->system;
        row.account = lease->names->account;
    }
    if (lease->end) {
        row.ended = lease->end->source;
        row.ended_site = lease->end->site;
    }
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
