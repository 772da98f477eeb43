/*
 * audit_witness.h - the audit trail as a second record of what is checked out.
 *
 * The lines of a trail are given from the newest to the oldest. Each check-out of one of the gateway's own
 * requests, successful or kept for its approver, whose end is not in the trail becomes a claim: that vault
 * request may still be live.
 * The caller compares claims with the leases it knows, and the vault says whether the request is live; so a
 * line need not be sound.
 *
 * An end is the `checkin` record of the request, or a recovery of the lease that found nothing.
 */
#ifndef JG_AUDIT_AUDIT_WITNESS_H
#define JG_AUDIT_AUDIT_WITNESS_H

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audit_claim { /* texts are never NULL, and valid within the call */
    const char *lease_id, *credential_id;
    const char *vault, *run_as;
    const char *vault_url; /* "" = a record of a version that wrote none */
    const char *user, *domain, *session;
    const char *request_name;
    int64_t created_wall_ms, expires_wall_ms; /* 0 = not known */
};

struct audit_witness;

/* NULL = out of memory. */
struct audit_witness *audit_witness_new(void (*claim)(void *arg, const struct audit_claim *), void *arg);
void audit_witness_free(struct audit_witness *); /* NULL is fine */
/* One line, line end included or not. Other records are ignored. 0 or -ENOMEM. */
int audit_witness_line(struct audit_witness *, const char *line, size_t n);
/* The tag of the lease id in a line. False = it names no lease. */
bool audit_line_tag(const char *line, size_t n, char tag[ID_TAG_SIZE]);

#endif
