/*
 * etcd_finishes.h - the x/ keys of sessions that have ended go after a while, whoever has written them.
 *
 * Each minute the gateway notes etcd's revision. An x/ key that was last changed by the revision of
 * STORE_FINISH_MS ago, or before, is as old as that: no check-out is under way that has begun before it. No
 * gateway's key is left when it dies, since each gateway looks at all of them.
 *
 * A key goes only as it was read: one that is written again meanwhile stays.
 *
 * Not here: who writes and compares the keys (etcd_steps.c).
 */
#ifndef JG_STORES_ETCD_FINISHES_H
#define JG_STORES_ETCD_FINISHES_H

#include "base/timers.h"
#include "stores/etcd_reads.h"
#include "stores/etcd_rows.h"

#define ETCD_FINISHES_TICK_MS 60000u
#define ETCD_FINISHES_TICKS   (STORE_FINISH_MS / ETCD_FINISHES_TICK_MS + 1)

struct etcd_finishes {
    struct etcd_client *client;
    struct timers *timers;
    const char *prefix;
    struct deadline tick;
    int64_t revisions[ETCD_FINISHES_TICKS]; /* of each tick, the oldest first */
    size_t n;
    struct etcd_reads reads;
    struct etcd_call call;
    char from[ETCD_KEY_SIZE]; /* where the next page begins; "" = nothing is under way */
};

/* 0 or -ENOMEM. */
int etcd_finishes_start(struct etcd_finishes *, struct etcd_client *, struct timers *, const char *prefix);
void etcd_finishes_stop(struct etcd_finishes *);    /* any number of times; also where it was never started */
void etcd_finishes_restart(struct etcd_finishes *); /* etcd may be another one: its revisions are others */

#endif
