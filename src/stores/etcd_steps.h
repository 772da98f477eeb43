/*
 * etcd_steps.h - a step of store.h as a part of a transaction, and its outcome.
 */
#ifndef JG_STORES_ETCD_STEPS_H
#define JG_STORES_ETCD_STEPS_H

#include "stores/etcd_kept.h"
#include "stores/etcd_rows.h"
#include "stores/etcd_txn.h"

/* The gateway: its name, and the incarnation that owns the rows that it writes. */
struct etcd_self {
    const char *node;
    const char *owner;      /* NODE@EPOCH */
    struct etcd_kept *kept; /* NULL = nothing is */
    uint64_t now_ms;        /* when steps are written */
};

/* What a step's operation consists of: the operations of each of its alternatives. */
#define ETCD_ALTERNATIVES_MAX 6
struct etcd_shape {
    size_t nops[ETCD_ALTERNATIVES_MAX], n;
    size_t named; /* which of them, from 1, holds where the lease has an lsid that the step lacks; 0 = none */
};

/* What became of a step. Its rows are in the step itself: now, lease_now, holders, kept, cancelled. */
struct etcd_shown {
    enum store_outcome outcome;
    /* OTHERWISE with lease_now: where its request is, which is not in `now` yet, and its hold. APPLIED of
     * ASK: where the request is that waits. To be freed */
    char *request_key, *hold_key;
    bool again;   /* nothing was done: the step is to be given again, with its `lsid_now` */
    bool holders; /* OTHERWISE of CLOSE and LAPSE: the request is RETURNING, and leases hold it still */
};

/* Appends the step's operation. 0; -ENAMETOOLONG: its texts fit no key; -ENOMEM. */
int etcd_step_write(const struct etcd_writer *, const struct etcd_self *, const struct store_step *,
                    const struct etcd_keys *, struct etcd_shape *);
/* Reads the answer to that operation. 0; -EUCLEAN: the outcome stands, and `now` is not known; -ENOMEM, or
 * -EPROTO (it is no answer to an operation of this shape): the step's keys are to be read. */
int etcd_step_read(const struct etcd_self *, struct store_step *, const struct etcd_shape *,
                   const cJSON *answer, struct etcd_shown *);

/* After a lost answer: appends the operation that reads the step's keys, and judges by them. `revision` is
 * that of the transaction, which was applied. Of RELEASE, CLEAR and CLOSE it cannot be seen whether the step
 * or another has done it: they are APPLIED. */
void etcd_step_write_look(const struct etcd_writer *, const struct store_step *, const struct etcd_keys *);
int etcd_step_judge(const struct etcd_self *, struct store_step *, const cJSON *answer, int64_t revision,
                    struct etcd_shown *);

/* The row at `request_key`, as `range` has it, into step->now; a lease that is shown gets its mark. One that
 * waited may not wait any more. 0, -EUCLEAN or -ENOMEM. */
int etcd_step_show_request(const struct etcd_self *, struct store_step *, const cJSON *range);

/* A copy of the row into *now, whose old row is freed, with `mine`. 0 or -ENOMEM. */
int etcd_row_show(const struct etcd_self *, const struct request_row *, struct request_row **now);

#endif
