/*
 * trail.h - the audit trail of a gateway that does not run, for the leases that an operator ends
 * meanwhile.
 *
 * Life: leases_trail_open() -> leases_trail_end() for each lease -> leases_trail_close(): what is queued is
 * written while the loop runs, then `closed`; leases_trail_free().
 */
#ifndef JG_COMMANDS_LEASES_TRAIL_H
#define JG_COMMANDS_LEASES_TRAIL_H

#include "conf/conf.h"
#include "loop/loop.h"
#include "stores/store.h"

struct leases_trail;

/* For so many leases. NULL and `why`; a trail that is not there is not made. */
struct leases_trail *leases_trail_open(struct loop *, const struct conf *, size_t leases, char why[320]);
/* Records that this process's user ended the lease, and that it ended. NULL is fine. */
void leases_trail_end(struct leases_trail *, const struct request_row *, const struct lease_row *,
                      size_t remaining_holders);
void leases_trail_close(struct leases_trail *, void (*closed)(void *arg), void *arg);
size_t
leases_trail_lost(const struct leases_trail *); /* leases of which it is not certain that they are recorded */
void leases_trail_free(struct leases_trail *);  /* after `closed`; NULL is fine */

#endif
