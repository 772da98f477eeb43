/*
 * lease_audit.h - the audit records of leases and of the vault requests under them; all may be given NULL as
 * audit.
 */
#ifndef JG_BROKER_LEASES_LEASE_AUDIT_H
#define JG_BROKER_LEASES_LEASE_AUDIT_H

#include "broker/audit.h"
#include "broker/leases/lease_table.h"

/* Before the lease is taken off its vault request. `why`: released, expired, gone, replaced, stopping. */
void audit_lease_end(struct audit *, const struct lease *, const char *why);
/* The request was given back, or is beyond that. `outcome`: checked_in, already_gone, lapsed, forgotten. */
void audit_given_back(struct audit *, const struct vault_request *, const char *outcome, unsigned attempts,
                      const char *error);
void audit_checkin_failed(struct audit *, const struct vault_request *, unsigned attempts, const char *error);
/* What looking through the vault's own list brought to light: `found` is stray_request, request_gone. */
void audit_reconciled(struct audit *, const struct vault_request *, const char *found, const char *mark);
/* The search for a request whose answer was lost is over: lapsed, never_happened, held, given_back. */
void audit_recovery_end(struct audit *, const char *run_as, const char *lease_id, const char *outcome);

#endif
