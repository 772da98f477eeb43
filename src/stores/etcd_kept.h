/*
 * etcd_kept.h - members of etcd's values that this version does not know: they stay when it writes a value
 * again.
 *
 * A newer gateway may write members that an older one has no place for. What the older one reads it remembers
 * here as text, by the mark of a request or the id of a lease, which stay while the row goes from one key to
 * another (i/ to r/); the step that writes the row appends the text. A row without such members takes
 * no place, and while no row has any a look-up is a comparison with NULL.
 *
 * Life: a reading notes what the row has, or that it has nothing any more; a reading that is older than
 * another one is passed over. The end of the row drops it, as does the end of the incarnation. Of rows that
 * end elsewhere nothing is heard: those that were read longest ago give way to others (KEPT_WEIGHT in all),
 * and are lost with the next writing. Of a value over KEPT_VALUE nothing is remembered.
 *
 * Not here: which steps write a row (etcd_steps.c); whether a row has changed since it was read: no step
 * compares that (docs/cluster-internals.md, "Members that a version does not know").
 */
#ifndef JG_STORES_ETCD_KEPT_H
#define JG_STORES_ETCD_KEPT_H

#include "base/bounded_cache.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_txn.h"

#define KEPT_WEIGHT (8u << 20) /* bytes: some 40,000 rows with one short member each */
#define KEPT_VALUE  (16u << 10)

enum etcd_kept_kind { KEPT_REQUEST, KEPT_LEASE, KEPT_DEAD };

#define KEPT_UNREADABLE 256

struct etcd_kept {
    struct bounded_cache cache;
    uint64_t unreadable; /* rows that could not be read: each value once */
    uint64_t named[KEPT_UNREADABLE];
};

void etcd_kept_init(struct etcd_kept *);
void etcd_kept_clear(struct etcd_kept *); /* any number of times, also before etcd_kept_init() */

/* A value was read, with these unknown members as etcd_strange_members() has them, "" = none. `kept` may be
 * NULL. 0 or -ENOMEM. */
int etcd_kept_note(struct etcd_kept *, enum etcd_kept_kind, const char *id, int64_t mod, const char *members);
/* `,"name":value` of each; "" = none. Valid until the next call with the same `kept`, which may be NULL. */
const char *etcd_kept_members(struct etcd_kept *, enum etcd_kept_kind, const char *id);
/* The step was applied: what is remembered of the rows that it has deleted goes. */
void etcd_kept_end(struct etcd_kept *, const struct store_step *);

/* The row cannot be read: the log has its key, once for each value of it. `kept` may be NULL. */
void etcd_kept_unreadable(struct etcd_kept *, const struct etcd_kv *);
/* As etcd_row_read(), of a row as it stands in etcd; its unknown members are noted, and that it cannot be
 * read.
 */
int etcd_kept_read(struct etcd_kept *, struct etcd_row *, bool is_lease, const struct etcd_kv *);

/* Appends `,"name":value` of each member of a JSON object, as it is written there, whose name is not one of
 * these letters. `json` was read without an error. */
void etcd_strange_members(struct buf *out, const char *json, size_t n, const char *known);

#endif
