/*
 * lease_audit.h - the audit records of leases and of their vault requests, and one line of the debug log.
 * `audit` may be NULL everywhere.
 */
#ifndef JG_BROKER_LEASES_LEASE_AUDIT_H
#define JG_BROKER_LEASES_LEASE_AUDIT_H

#include "broker/audit.h"
#include "broker/leases/lease_table.h"

/* Before the lease is taken off its vault request. `why`: released, expired, gone, replaced, stopping,
 * session_ended with its report; else `end` is NULL. */
void audit_lease_end(struct audit *, const struct lease *, const char *why, const struct session_end *end);
/* The same of a shared store, as its step has the lease: this gateway's or another's. */
struct lease_end_record {
    const char *why; /* NULL = there is none; as `end`, never freed */
    const struct session_end *end;
};
/* The same as a text, for store_step.record; NULL = there is no record. */
const char *lease_end_text(const struct lease_end_record *, char text[STORE_RECORD_SIZE]);
/* The record of the end of a lease in the place of a gateway that was counted as dead, and may have it too.
 */
void audit_unrecorded_end(struct audit *, const struct store_end *);
void audit_lease_row_end(struct audit *, const struct request_row *, const struct lease_row *,
                         const struct lease_end_record *, unsigned others, int64_t now_wall_ms);
/* The vault request has ended. `outcome`: checked_in, already_gone, lapsed, forgotten. */
void audit_checkin_end(struct audit *, const struct vault_request *, const char *outcome, unsigned attempts,
                       const char *error);
void audit_checkin_failed(struct audit *, const struct vault_request *, unsigned attempts, const char *error);
/* What has become of a spin that was due. `outcome`: accepted, failed, withdrawn. */
void audit_spin(struct audit *, const struct vault_request *, const char *outcome, unsigned attempts,
                const char *error);
/* A finding of the reconciliation: `found` is stray_request or request_gone. */
void audit_reconciled(struct audit *, const struct vault_request *, const char *found, const char *mark);
/* A recovery has ended. `outcome`: lapsed, never_happened, held, given_back. */
void audit_recovery_end(struct audit *, const char *run_as, const struct lease *, const char *outcome);
/* A request that was another gateway's, or this one's before, and one of its leases; `lease` NULL = it has
 * none. */
void audit_adopted(struct audit *, const char *from, const struct request_row *,
                   const struct lease_row *lease);
/* `event`: fenced, handed_over; with the number of leases in the table. */
void audit_cluster(struct audit *, const char *event, size_t leases);

/* To the debug log: opened, closed, or how a vault request ended; `lease` may be NULL. */
void lease_log_change(const char *change, const struct vault_request *, const struct lease *);

#endif
