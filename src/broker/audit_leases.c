/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_leases.c - the audit records of leases and loans; see audit_leases.h.
 *
 * They happen without anybody asking, so they bear no request id: the lease id joins them to the record of
 * the check-out, the vault's request id to the vault's own audit.
 */
#include "broker/audit_leases.h"

#include "broker/leases.h"

#include <string.h>

static void add_loan(struct audit_note *n, const struct loan *loan)
{
    audit_text(n, "vault", loan_vault(loan)->conf->name);
    audit_text(n, "run_as", loan->user);
    audit_number(n, "vault_request_id", loan->request_id);
}

static void add_cover(struct audit_note *n, const struct loan *loan)
{
    const struct lease *cover = SLIST_FIRST(&loan->held);

    if (!cover)
        return;
    audit_text(n, "lease_id", cover->id);
    audit_text(n, "credential_id", cover->credential_id);
}

void audit_lease_end(struct audit *a, const struct lease *lease, const char *why)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "lease_end");
    audit_text(&n, "reason", why);
    audit_text(&n, "user", sitting_user(lease->sitting));
    audit_text(&n, "domain", sitting_user(lease->sitting) + strlen(sitting_user(lease->sitting)) + 1);
    audit_text(&n, "session", sitting_session(lease->sitting));
    audit_text(&n, "lease_id", lease->id);
    audit_text(&n, "credential_id", lease->credential_id);
    add_loan(&n, lease->loan);
    audit_count(&n, "held_seconds", (int64_t)lease_age_s(lease->loan->leases, lease));
    audit_count(&n, "remaining_holders", (int64_t)loan_holders(lease->loan) - 1);
    audit_write(&n);
}

void audit_given_back(struct audit *a, const struct loan *loan, const char *outcome, unsigned attempts,
                      const char *error)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "checkin");
    audit_text(&n, "outcome", outcome);
    add_cover(&n, loan);
    add_loan(&n, loan);
    audit_count(&n, "attempts", attempts);
    audit_text(&n, "last_error", error);
    audit_write(&n);
}

void audit_checkin_failed(struct audit *a, const struct loan *loan, unsigned attempts, const char *error)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "checkin_failed");
    audit_text(&n, "code", error);
    add_cover(&n, loan);
    add_loan(&n, loan);
    audit_count(&n, "attempts", attempts);
    audit_write(&n);
}

void audit_reconciled(struct audit *a, const struct loan *loan, const char *found, const char *mark)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "reconcile");
    audit_text(&n, "found", found);
    audit_text(&n, "lease_id", mark);
    add_loan(&n, loan);
    audit_write(&n);
}

void audit_hunt_end(struct audit *a, const char *run_as, const char *lease_id, const char *outcome)
{
    struct audit_note n;

    if (!a)
        return;
    audit_note(&n, a, "reconcile");
    audit_text(&n, "found", outcome);
    audit_text(&n, "lease_id", lease_id);
    audit_text(&n, "run_as", run_as);
    audit_write(&n);
}
