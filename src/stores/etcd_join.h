/*
 * etcd_join.h - a gateway joins its cluster: a new incarnation of its name, and all rows as they are.
 *
 *   look --m/NODE is of this instance--> leave --> enter --> read all rows --> done("")
 *     |  \--absent-------------------------------/
 *     \--of another instance--> done("…is taken")
 *   whatever else fails: from the beginning, after a second
 *
 * The key m/NODE is made again, so that its create revision, the epoch, names the incarnation. Who enters
 * first draws the cluster's tag, and writes the number of the schema.
 */
#ifndef JG_STORES_ETCD_JOIN_H
#define JG_STORES_ETCD_JOIN_H

#include "loop/loop.h"
#include "stores/etcd_client.h"
#include "stores/etcd_scan.h"

#define ETCD_JOIN_WHY 320

enum etcd_join_state { JOIN_LOOKS, JOIN_LEAVES, JOIN_ENTERS, JOIN_READS };

struct etcd_join_row {
    STAILQ_ENTRY(etcd_join_row) link;
    struct request_row *request; /* one of the three */
    struct lease_row *lease;
    int64_t cursor_ms;
    char site[];
};
STAILQ_HEAD(etcd_join_rows, etcd_join_row);

struct etcd_join {
    /* the owner's */
    struct etcd_client *client;
    struct timers *timers;
    const char *prefix, *node, *instance;
    void (*done)(struct etcd_join *, const char *why); /* "" = joined */
    /* in done() */
    int64_t revision; /* of m/NODE, which is its epoch */
    char tag[ID_TAG_SIZE];
    struct etcd_join_rows rows;

    /* private */
    enum etcd_join_state state;
    bool running;
    struct etcd_call call;
    struct etcd_scan scan;
    struct deadline again;
};

int etcd_join_start(struct etcd_join *) __attribute__((warn_unused_result)); /* 0 or -ENOMEM */
/* Gives the rows to the reader and frees them, those after a refused one as well. 0, or what it has returned.
 */
int etcd_join_load(struct etcd_join *, const struct store_reader *, void *arg);
void etcd_join_cancel(struct etcd_join *); /* any number of times, also after done() */

#endif
