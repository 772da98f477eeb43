/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_step.c - the state `audit`: the secret is handed over only after its audit record.
 *
 * The record of a check-out that succeeds is begun when the secret is read, beside the last row of the lease
 * (state `keep`), so that both are written to disk at once. With the policy `strict` it is then waited for;
 * if it cannot be had the check-out ends with audit_unavailable and is undone. A check-out that ends
 * otherwise, also one that was recorded and then failed (its client left, its row could not be written), is
 * recorded in co_audit_end(), which is not waited for.
 */
#include "base/container_of.h"
#include "broker/checkout/checkout.h"
#include "broker/leases/request_identity.h"

static void add_credential(struct audit_note *n, const struct checkout *co)
{
    const struct account *account = co->account;
    struct session session = *co->session;

    session_leases_spell(co->op.broker->leases, &session);
    audit_session(n, &session);
    audit_text(n, "run_as", co->request ? co->request->user : usermap_user(&co->users));
    audit_text(n, "credential_id", co->credential_id);
    audit_text(n, "vault",
               co->request ? vault_request_vault(co->request)->conf->name
               : co->vault ? co->vault->conf->name
                           : NULL);
    if (account) {
        audit_text(n, "system", account->system);
        audit_text(n, "account", account->account);
        audit_text(n, "account_domain", account->domain);
    }
}

const char *co_lease_id(const struct checkout *co)
{
    const struct lease *lease =
        co->lease ? co->lease : lease_find(co->op.broker->leases, co->session, co->credential_id);

    return lease ? lease->id : *co->ended_lease_id ? co->ended_lease_id : co->lease_id;
}

static void on_audited(struct audit_wait *w, int err)
{
    struct checkout *co = CONTAINER_OF(w, struct checkout, recorded);

    co->audit_err = err;
    if (co->state == CO_AUDIT)
        co_resume(co);
}

void co_audit_begin(struct checkout *co)
{
    struct audit *a = co->op.broker->audit;
    struct audit_note n;

    co->recorded.done = on_audited;
    audit_note(&n, a, "checkout");
    audit_text(&n, "outcome", "ok");
    add_credential(&n, co);
    audit_text(&n, "lease_id", co_lease_id(co));
    audit_number(&n, "vault_request_id", request_key_number(vault_request_name(co->request)));
    audit_text(&n, "vault_url", vault_request_url(co->request));
    audit_text(&n, "kind", co->type == CREDENTIAL_SSH_KEY ? "ssh_key" : "password");
    audit_text(&n, "access", co_is_isa(co) ? "isa" : NULL);
    audit_text(&n, "adopted", co->request->origin == ORIGIN_FOREIGN ? "yes" : NULL);
    audit_moment(&n, "expires_at", co_expires_wall(co));
    co->audit_err = audit_await(&n, &co->recorded);
}

static int audit_enter(struct checkout *co)
{
    return co->audit_err == AUDIT_WAIT ? CO_WAIT : CO_NOW;
}

static enum co_state audit_resume(struct checkout *co, int err)
{
    (void)err; /* it was begun before */
    if (audit_verdict(co->op.broker->audit, co->audit_err))
        audit_fault(&co->fault);
    return co->shared && !fault_is_set(&co->fault) ? CO_CONFIRM : CO_REPLY;
}

static bool audit_drop(struct checkout *co)
{
    audit_unwait(co->op.broker->audit, &co->recorded);
    return true;
}

const struct co_step co_audit_step = {"audit", audit_enter, audit_resume, audit_drop};

void co_audit_end(struct checkout *co)
{
    struct audit_note n;
    bool refused = fault_is_set(&co->fault);

    if (!co->op.broker->audit || (!refused && !co->op.left))
        return;
    audit_note(&n, co->op.broker->audit, "checkout");
    if (refused)
        audit_outcome(&n, &co->fault);
    else
        audit_text(&n, "outcome", "client_left");
    add_credential(&n, co);
    audit_text(&n, "lease_id", co->lease_id);
    audit_number(&n, "vault_request_id", co->fault.vault_request_id);
    audit_text(&n, "vault_url", co->kept_url);
    if (co->kept_url)
        audit_moment(&n, "expires_at", co->kept_expires_wall_ms);
    audit_text(&n, "undone", co->recorded.done ? "yes" : NULL);
    audit_write(&n);
}
