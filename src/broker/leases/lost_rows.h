/*
 * lost_rows.h - check-outs that the audit trail knows of and the store does not.
 */
#ifndef JG_BROKER_LEASES_LOST_ROWS_H
#define JG_BROKER_LEASES_LOST_ROWS_H

#include <stdbool.h>

struct audit_claim;
struct leases;

/* True = the store had lost its row, and the request is being looked for at the vault. */
bool leases_claim(struct leases *, const struct audit_claim *);

#endif
