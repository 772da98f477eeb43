/*
 * etcd_scan.h - reads all rows of a cluster, page by page.
 *
 * The pages are of the present, not of one moment: rows that change meanwhile may be as before or as after.
 * Vault requests come first, then leases, then the cursors of one node.
 *
 * Rules: as etcd_call(), with etcd_scan() in its place.
 */
#ifndef JG_STORES_ETCD_SCAN_H
#define JG_STORES_ETCD_SCAN_H

#include "stores/etcd_client.h"
#include "stores/store.h"

struct etcd_scan_request;

struct etcd_scan {
    /* the caller's */
    const char *prefix, *node;
    struct store_reader reader;
    void *arg;
    void (*done)(struct etcd_scan *,
                 int err); /* 0, what the reader has returned, or why etcd has not answered */

    size_t strange; /* rows, so far, with members that this version does not know: its reader does not get
                       them */

    /* private */
    struct etcd_client *client;
    struct etcd_call call;
    size_t part;
    unsigned page;   /* rows to a page: half as many where the answer is larger than the client takes */
    struct buf next; /* key after the last page, without the prefix */
    struct etcd_scan_request *requests;
};

int etcd_scan(struct etcd_client *, struct etcd_scan *) __attribute__((warn_unused_result));
void etcd_scan_cancel(struct etcd_scan *); /* any number of times */

#endif
