/*
 * lost_rows.h - check-outs that the store does not know: those that the audit trail has, and, where the vault
 * tells nothing by which they could be recognised, whatever may be checked out.
 */
#ifndef JG_BROKER_LEASES_LOST_ROWS_H
#define JG_BROKER_LEASES_LOST_ROWS_H

#include <stdbool.h>

struct audit_claim;
struct leases;

/* True = the store had lost its row, and the request is being looked for at the vault. */
bool leases_claim(struct leases *, const struct audit_claim *);
/* The store has been rebuilt: warns of each account that may be checked out and that no one will give back.
 */
void leases_warn_unknown(const struct leases *);

#endif
