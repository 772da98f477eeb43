/*
 * etcd_reads.h - many keys read at once: in as many transactions of reads as that takes, one after the other.
 *
 * The reads are of the present: those of one transaction are of one moment, those of the next are later.
 *
 * Runs of a few keys may share their transactions (struct etcd_read_line): while one is under way the next
 * runs gather, and go together when it has its answer. So many questions at once cost few calls, and one
 * alone does not wait.
 *
 * Rules: as etcd_call(), with etcd_reads() in its place. Keys are added before it; what was read is valid
 * until etcd_reads_clear(), which also ends a run without its done().
 */
#ifndef JG_STORES_ETCD_READS_H
#define JG_STORES_ETCD_READS_H

#include "stores/etcd_client.h"
#include "stores/etcd_txn.h"

TAILQ_HEAD(etcd_reads_list, etcd_reads);

/* All 0 before etcd_read_line_init(). Its runs are cleared before it is freed. */
struct etcd_read_line {
    struct etcd_client *client;
    const char *prefix;
    struct etcd_call call;
    bool under_way;
    struct etcd_reads_list waiting, sent, landed;
};

struct etcd_reads {
    /* the caller's; everything else is 0 before the first key */
    struct etcd_client *client;
    const char *prefix;
    struct etcd_read_line *line;                /* NULL = transactions of its own */
    void (*done)(struct etcd_reads *, int err); /* err as in etcd_call */

    /* private */
    struct etcd_call call;
    struct etcd_read_key *keys;
    size_t n, cap, sent;
    cJSON **answers; /* `responses` of each transaction */
    size_t nanswers;
    int64_t revision; /* of the first transaction, once it has its answer; before done() */
    /* in a line */
    TAILQ_ENTRY(etcd_reads) link;
    struct etcd_reads_list *in; /* NULL = in none */
    size_t first;               /* of its keys among those of the transaction */
    int err;
};

void etcd_read_line_init(struct etcd_read_line *, struct etcd_client *, const char *prefix);

/* A key, or with `to` all keys up to that one, at most `limit` of them; 0 = no limit. 0 or -ENOMEM. */
int etcd_reads_add(struct etcd_reads *, const char *key, const char *to, unsigned limit)
    __attribute__((warn_unused_result));
/* There is at least one key. */
int etcd_reads(struct etcd_reads *) __attribute__((warn_unused_result));
/* What the n-th key has read; NULL = nothing. */
const cJSON *etcd_reads_at(const struct etcd_reads *, size_t n);
void etcd_reads_clear(struct etcd_reads *); /* any number of times */

#endif
