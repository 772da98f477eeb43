/*
 * ends.h - the ends of leases and vault requests, as the durable audit trail has them.
 *
 * Each lease that was handed over has one record of its end, and each vault request of the gateway's own one
 * of its check-in or lapse; each release that was answered has one. A process that is killed may take records
 * with it, and the next one then repeats what is not in its rows. So does one that ends while the disk cannot
 * write; any other that ends in order does neither. Of several gateways one has the record, whichever has
 * ended the lease, but where one does not know that it was counted as dead. One adopts what a dead gateway
 * had.
 *
 * Not here: which leases and requests there were (oracle.c).
 */
#ifndef JG_TESTS_SIM_ENDS_H
#define JG_TESTS_SIM_ENDS_H

#include "world.h"

struct ends;

struct ends *ends_new(struct world *);
void ends_free(struct ends *);
/* A line of the node's trail, or its members, is durable. */
void ends_record(struct ends *, const struct node *, const char *line, size_t n);
/* The same line is safe already, while its process runs: the end of a lease counts as there. */
void ends_durable(struct ends *, const struct node *, const char *line, size_t n);
/* A process has ended: after a kill, or without its disk, what it has recorded may be recorded again. */
void ends_process(struct ends *, bool killed);
/* Was a process killed, or did one end without its disk, between the two moments? */
bool ends_kill_between(const struct ends *, uint64_t from_ms, uint64_t to_ms);
/* Has the trail the release of this request of a client? */
bool ends_has_release(const struct ends *, unsigned number);
/* Has the trail the end of this lease? */
bool ends_has_lease(const struct ends *, const char *lease_id);
/* ... that it, of this gateway and epoch, was adopted? */
bool ends_has_adoption(const struct ends *, const char *lease_id, const char *from);
/* The last outcome of the check-in of this vault request; "" = the trail has none. */
const char *ends_checkin(const struct ends *, unsigned request);

#endif
