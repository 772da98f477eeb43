/*
 * etcd_reads.h - many keys read at once: in as many transactions of reads as that takes, one after the other.
 *
 * The reads are of the present: those of one transaction are of one moment, those of the next are later.
 *
 * Rules: as etcd_call(), with etcd_reads() in its place. Keys are added before it; what was read is valid
 * until etcd_reads_clear(), which also ends a run without its done().
 */
#ifndef JG_STORES_ETCD_READS_H
#define JG_STORES_ETCD_READS_H

#include "stores/etcd_client.h"
#include "stores/etcd_txn.h"

struct etcd_reads {
    /* the caller's; everything else is 0 before the first key */
    struct etcd_client *client;
    const char *prefix;
    void (*done)(struct etcd_reads *, int err); /* err as in etcd_call */

    /* private */
    struct etcd_call call;
    struct etcd_read_key *keys;
    size_t n, cap, sent;
    cJSON **answers; /* `responses` of each transaction */
    size_t nanswers;
};

/* A key, or with `to` all keys up to that one, at most `limit` of them; 0 = no limit. 0 or -ENOMEM. */
int etcd_reads_add(struct etcd_reads *, const char *key, const char *to, unsigned limit)
    __attribute__((warn_unused_result));
/* There is at least one key. */
int etcd_reads(struct etcd_reads *) __attribute__((warn_unused_result));
/* What the n-th key has read; NULL = nothing. */
const cJSON *etcd_reads_at(const struct etcd_reads *, size_t n);
void etcd_reads_clear(struct etcd_reads *); /* any number of times */

#endif
