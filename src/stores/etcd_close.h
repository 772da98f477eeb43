/*
 * etcd_close.h - the leases of a request that has ended at the vault: they go before its row does.
 *
 * A request whose time is over is RETURNING while leases hold it (STEP_END). STEP_CLOSE and STEP_LAPSE of
 * it are refused by etcd until they are gone. Their h/ keys are read, their s/ keys, and then both go, some
 * at a time, with e/, where s/ is still of that lease; one that has got an lsid since is read once more.
 *
 * No lease joins a RETURNING request, so that this ends.
 *
 *   holds, leases are read --ready()--> a flight names them (etcd_ends.h) --applied--> sent --> closed(),
 * done()
 */
#ifndef JG_STORES_ETCD_CLOSE_H
#define JG_STORES_ETCD_CLOSE_H

#include "base/timers.h"
#include "stores/etcd_ends.h"
#include "stores/etcd_reads.h"
#include "stores/etcd_steps.h"

#include <sys/queue.h>

struct etcd_closing {
    LIST_ENTRY(etcd_closing) link; /* the owner's */
    /* the owner's */
    struct store_step *step;
    struct etcd_client *client;
    const char *prefix;
    const struct etcd_self *self;
    struct timers *timers;
    int64_t epoch;
    void (*ready)(struct etcd_closing *); /* its leases are read, and named before they go */
    void (*closed)(struct etcd_closing *, const struct lease_row *); /* this lease has gone */
    void (*done)(struct etcd_closing *, int err);                    /* 0 = the step can be tried again */
    void *user;
    uint64_t flight; /* that names them; 0 = none as yet */

    /* to be read */
    bool is_ready, is_sent;

    /* private */
    struct etcd_reads holds, leases;
    struct etcd_call call;
    struct deadline again;
    bool in_doubt; /* a sending of the transaction had no answer, and may have been done */
};

int etcd_close_leases(struct etcd_closing *) __attribute__((warn_unused_result)); /* 0 or -errno */
/* After ready(): the leases, to the list of a flight; and once that flight was applied, they go. */
void etcd_close_name(struct etcd_closing *, struct etcd_ends *, const char *record, int64_t wall_ms);
void etcd_close_send(struct etcd_closing *);
void etcd_close_cancel(struct etcd_closing *); /* any number of times; without done() */

#endif
