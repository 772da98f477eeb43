/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lost_rows.c - check-outs that the audit trail knows of and the store does not.
 *
 * Such a row was lost: a damaged store that was cut or rebuilt. The vault alone knows what became of the
 * request, so it is recovered by its mark, as after a lost answer. Where another lease
 * made the request the trail names that one as well, so its mark is known. A request is checked in only if
 * the vault's own list shows it with the gateway's mark.
 *
 * A vault that lists no requests says nothing of what is checked out. An operator gives that back by hand.
 */
#include "broker/leases/lost_rows.h"

#include "audit/audit_witness.h"
#include "base/log.h"
#include "broker/identity/credential_id.h"
#include "broker/leases/internal.h"

#include <string.h>

static bool is_over(const struct leases *ls, const struct audit_claim *c, uint64_t slack_ms)
{
    return c->expires_wall_ms && clock_wall(ls->clock) - c->expires_wall_ms >= (int64_t)slack_ms;
}

/* An older trail has only the section's name, which may have changed since: then all vaults are searched. */
static bool is_in_table(const struct leases *ls, const struct audit_claim *c)
{
    struct credential_ref claimed;
    bool is_parsed = credential_id_parse(c->credential_id, &claimed), named = false, held = false;

    for (size_t i = 0; i < ls->vaults.n && !named; i++) {
        const struct vault_ref *ref = ls->vaults.refs[i];
        bool found = vault_request_known(ls, ref->vault, c->request_name, c->run_as,
                                         is_parsed ? ref_account(ref->vault, &claimed)
                                                   : (struct vault_account){0}) != NULL;

        named = *c->vault_url ? strcmp(ref->url, c->vault_url) == 0
                              : strcmp(ref->vault->conf->name, c->vault) == 0;
        held = named ? found : held || found;
    }
    return held;
}

/* The vault of the claim, as of a row; one that is no longer configured is named in the log. */
static const struct vault_ref *vault_of_claim(struct leases *ls, const struct audit_claim *c)
{
    size_t before = ls->vaults.n;
    const struct vault_ref *ref = vault_ref_of_row(&ls->vaults, c->vault, c->vault_url, false);

    if (ref && ls->vaults.n > before)
        vault_ref_warn_absent(ref);
    return ref;
}

/* A row that says less than the one that was lost, but enough for a recovery. False = out of memory. */
static bool recover_request(struct leases *ls, const struct vault_ref *ref, const struct audit_claim *c)
{
    struct session session = {.id = c->session, .username = c->user, .domain = c->domain};
    int64_t left = c->expires_wall_ms - clock_wall(ls->clock);
    const struct lease_args args = {
        .session = &session, .credential_id = c->credential_id, .id = c->lease_id};
    struct lease *lease = lease_ask(ls, &args, ref->vault, c->run_as);

    if (!lease)
        return false;
    lease->state = LEASE_ENDED;
    lease->created_s = c->created_wall_ms / 1000;
    lease->request->checkouts = 0;
    lease->request->ends_ms = clock_now(ls->clock) + (uint64_t)(left > 0 ? left : 0);
    lease->request->expires_wall_ms = c->expires_wall_ms;
    if (row_ask(lease->request, NULL, NULL) < 0)
        log_error("journal_lost", "lease=%s error=%s", lease->id, "out of memory");
    vault_request_recover_later(lease->request);
    return true;
}

bool leases_claim(struct leases *ls, const struct audit_claim *c)
{
    if (ls->shared) { /* its rows are the cluster's, whose tag tells what is ours in the user's list */
        const struct vault_ref *named = *c->vault && *c->run_as ? vault_of_claim(ls, c) : NULL;

        if (named && !named->absent)
            known_users_watch(ls, named->vault, c->run_as);
        return false;
    }
    if (strlen(c->lease_id) != ID_SIZE - 1 || !*c->vault || !*c->run_as || lease_by_id(ls, c->lease_id))
        return false;
    lease_tag_learn(&ls->tag,
                    c->lease_id); /* its mark may be in the reason of a request that another holds */
    if (is_in_table(ls, c))
        return false;
    const struct vault_ref *ref = vault_of_claim(ls, c);

    /* What a vault does not list cannot be recognised: nothing is given back that may be a person's. */
    return ref && ref->vault->ops->requests && !is_over(ls, c, ref->vault->conf->minute_ms) &&
           recover_request(ls, ref, c);
}

static void warn_unknown(void *arg, const struct account *a)
{
    const struct vault_ref *ref = arg;
    char id[CREDENTIAL_ID_SIZE];

    if (!credential_id_write(id, ref->vault->conf->name, a))
        return;
    log_warn("credential_unknown", "vault=%s credential=%s system=%s account=%s hint=%s",
             ref->vault->conf->name, id, a->system, a->account,
             "the rebuilt store does not know whether it is checked out: look at the vault, and give it back "
             "by `jumpgate leases checkin`");
}

void leases_warn_unknown(const struct leases *ls)
{
    for (size_t i = 0; i < ls->vaults.n; i++) {
        struct vault_ref *ref = ls->vaults.refs[i];

        if (!ref->absent && ref->vault->ops->each_account && !ref->vault->ops->requests)
            ref->vault->ops->each_account(ref->vault, warn_unknown, ref);
    }
}
