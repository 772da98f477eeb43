/*
 * etcd_steps.h - a step of a store as one operation of etcd, and its outcome.
 *
 * Not here: which steps share a transaction (etcd_flight.h).
 */
#ifndef JG_STORES_ETCD_STEPS_H
#define JG_STORES_ETCD_STEPS_H

#include "stores/etcd_rows.h"
#include "stores/etcd_txn.h"

struct etcd_self {
    const char *node;  /* name in the cluster */
    const char *owner; /* node@epoch */
};

/* Appends the step. 0, -ENAMETOOLONG (a name is too long for a key) or -ENOMEM. */
int etcd_step_write(const struct etcd_writer *, const struct etcd_self *, const struct store_step *,
                    const struct etcd_keys *);
/* The outcome in the answer of that operation; with OTHERWISE, and where store.h says so with APPLIED,
 * step->now. 0, or -EPROTO, -EUCLEAN, -ENOMEM (also with an outcome: `now` could not be read). */
int etcd_step_read(struct store_step *, const cJSON *answer, enum store_outcome *);

/*
 * The answer of a transaction was lost, and it has been applied: was the step's alternative? Appends a read
 * of all its keys, and judges by what they are now and by the revision of that transaction.
 */
void etcd_step_write_look(const struct etcd_writer *, const struct etcd_keys *);
int etcd_step_judge(struct store_step *, const cJSON *answer, int64_t revision, enum store_outcome *);

#endif
