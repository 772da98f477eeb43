/*
 * etcd.h - a store on an etcd cluster.
 *
 * The store is one gateway's: it has a name in the cluster (`node`), and the instance behind the name is that
 * of its state directory. It joins before anything else, waits for that as long as no member of etcd answers,
 * and reads all rows.
 */
#ifndef JG_STORES_ETCD_H
#define JG_STORES_ETCD_H

#include "stores/etcd_client.h"
#include "stores/store.h"

#define ETCD_STORE_WHY 320

struct etcd_store_opts {
    struct etcd_client_opts client;
    const char *prefix;   /* of all keys; begins and ends with '/' */
    const char *node;     /* letters, digits, '.', '_', '-' */
    const char *instance; /* of the state directory: another gateway of the same name has another */
};

/*
 * NULL and `why` when out of memory. `opened` comes once, later: "" = the store can be loaded and used; else
 * waiting cannot help, and what to do about it. Until then the store can only be closed, and after close()
 * `opened` does not come any more.
 */
struct store *etcd_store_open(struct loop *, const struct etcd_store_opts *,
                              void (*opened)(void *arg, const char *why), void *arg,
                              char why[ETCD_STORE_WHY]);

#endif
