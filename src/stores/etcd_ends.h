/*
 * etcd_ends.h - leases that this gateway ends, and whose records may not be in its audit trail yet.
 *
 * etcd has the end of a lease before the trail has its record. A gateway that is killed between the two, or
 * is counted as dead before it knows that its flight was applied, writes none. So m/NODE names the lease: it
 * is rewritten by the flight that ends it, and whoever counts the gateway as dead moves what stands there to
 * d/NODE@E, and writes the records in its place.
 *
 *   add --the flight that has it is written-- in m/NODE --decided: ended----> until its record is on disk
 *                                                  \------decided: not------> dropped
 *
 * A lease is named before it has ended, and may not have: its hold (h/) is there then, and tells. One whose
 * request is not known any more is over in any case. Its record may be in the trail of the dead gateway as
 * well.
 *
 * In m/NODE and d/NODE@E they are the member "e", a list of objects: "i" lease, "v" vault, "r" the request's
 * name there, or "m" its mark where it has none, "t" when it was to end, in ms, and "w", store_step.record.
 * At most ETCD_ENDS_MAX are named: while the disk of the trail does not take records, the oldest ones go.
 *
 * Not here: when a flight goes (etcd_flight.h), who is dead (etcd_adopt.h).
 */
#ifndef JG_STORES_ETCD_ENDS_H
#define JG_STORES_ETCD_ENDS_H

#include "base/jsonw.h"
#include "stores/store.h"

#include <cJSON.h>

#define ETCD_ENDS_MAX 500 /* 100 bytes each */

struct etcd_end;

struct etcd_ends {
    TAILQ_HEAD(, etcd_end) all; /* the oldest first */
    size_t n, undecided;
};

void etcd_ends_init(struct etcd_ends *);
void etcd_ends_clear(struct etcd_ends *); /* any number of times, after the first */

/* `by` ends the lease: a step, or another address. Without a `record` (NULL, "") it is not named. For want of
 * memory, or of room, it is not named. */
void etcd_ends_add(struct etcd_ends *, const void *by, const struct request_row *, const struct lease_row *,
                   const char *record, int64_t wall_ms);
/* What has become of all that `by` was to end. */
void etcd_ends_decide(struct etcd_ends *, const void *by, bool ended);
/* The same of one lease. */
void etcd_ends_decide_one(struct etcd_ends *, const void *by, const char *lease, bool ended);
/* The trail has taken so many records by now, and so many of them are on disk. */
void etcd_ends_settle(struct etcd_ends *, uint64_t taken, uint64_t settled);
/* Appends the member, where there are any. */
void etcd_ends_write(const struct etcd_ends *, struct jsonw *);

/* The n-th one of a list that was read, whose texts are the list's: `from` is not set. False = there is none;
 * one that cannot be read has no lease (""). */
bool etcd_ends_read(const cJSON *list, int n, struct store_end *, const char **mark);
/* The list in a value of m/ or d/; NULL = it has none. The caller's: cJSON_Delete(). False = out of memory.
 */
bool etcd_ends_take(const char *value, size_t n, cJSON **list);
/* Appends `,"e":[…]` with such a list; nothing of NULL. And as it stands in a value. `out` says of a failure.
 */
void etcd_ends_print(struct buf *out, const cJSON *list);
void etcd_ends_copy(struct buf *out, const char *value, size_t n);

#endif
