/*
 * store.h - the store of a running gateway, as [store] says: a file in the state directory, or an etcd.
 *
 * A gateway with etcd starts without it: the store is open at once, and says that it cannot be written until
 * it has joined. What waiting cannot help with comes later, through `failed`.
 *
 * The gateway's instance is a random name in the file `instance` of its state directory. By it the cluster
 * tells a gateway that has been restarted from another one that has the same `node`.
 */
#ifndef JG_COMMANDS_RUN_STORE_H
#define JG_COMMANDS_RUN_STORE_H

#include "conf/conf.h"
#include "loop/loop.h"
#include "stores/store.h"

#define RUN_STORE_WHY 320

struct run_store {
    struct store *store; /* NULL = not open */
    bool rebuilt;        /* a damaged file was moved aside */
    int lock;            /* of the state directory where the store does not hold it; -1 = none */
    /* The caller's, before the opening: the gateway must end, and what an operator does about it. */
    void (*failed)(void *arg, const char *why);
    void *arg;

    /* private */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* False, errno and why. With `rebuild` a damaged file is moved aside. */
bool run_store_open(struct run_store *, struct loop *, const struct conf *, bool rebuild,
                    char why[RUN_STORE_WHY]);
/* Finishes the writes, then calls `closed`. False = there is nothing to close. */
bool run_store_close(struct run_store *, void (*closed)(void *arg), void *arg);

/* The instance of a locked state directory; made where there is none. 0, or -errno and why. */
int run_store_instance(const char *state_dir, char out[ID_SIZE], char why[RUN_STORE_WHY]);

#endif
