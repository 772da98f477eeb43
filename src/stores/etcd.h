/*
 * etcd.h - a store on an etcd cluster, which several gateways share.
 *
 * A gateway has a name in the cluster (`node`), and the instance behind the name is that of its state
 * directory. It joins before anything else, and waits for that as long as no member of etcd answers.
 *
 * Then it writes at least every sixth of the ttl. Who is silent for the ttl, in the eyes of a gateway whose
 * own writes go through, is counted as dead; its rows are adopted (etcd_adopt.h). A gateway that finds itself
 * counted as dead joins again by itself.
 */
#ifndef JG_STORES_ETCD_H
#define JG_STORES_ETCD_H

#include "loop/loop.h"
#include "stores/etcd_client.h"
#include "stores/etcd_join.h"
#include "stores/store.h"

#define ETCD_STORE_WHY 320
#define ETCD_TTL_MS    6000

struct etcd_store_opts {
    struct etcd_client_opts client; /* its timeout is the store's: a quarter of the ttl */
    const char *prefix;             /* of all keys; begins and ends with '/' */
    const char *node;               /* letters, digits, '.', '_', '-' */
    const char *instance;           /* of the state directory: another gateway of the same name has another */
    uint64_t ttl_ms;                /* 0 = ETCD_TTL_MS */
    const char *version, *config_digest; /* for the other gateways to see; NULL = "" */
    /* All vaults of the configuration; rows of others are left to gateways that have them. NULL = this
     * gateway has every vault, and compares none. */
    const struct etcd_vault *vaults;
    size_t nvaults;
    const struct clock *clock; /* NULL = the system's. Not the loop's: it stands still within an iteration */
};

/*
 * The texts of the options are copied, and so are the vaults. NULL and `why` when out of memory. `opened`
 * comes once, later: "" = the store can be loaded and used; else waiting cannot help, and what to do about
 * it. Until then the store can only be closed, and after close() `opened` does not come any more.
 */
struct store *etcd_store_open(struct loop *, const struct etcd_store_opts *,
                              void (*opened)(void *arg, const char *why), void *arg,
                              char why[ETCD_STORE_WHY]);

#endif
