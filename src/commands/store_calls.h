/*
 * store_calls.h - etcd for a command: one call after the other, each waited for.
 *
 * The configuration's [store] says where etcd is. What went wrong is in `why`, in words for an operator.
 */
#ifndef JG_COMMANDS_STORE_CALLS_H
#define JG_COMMANDS_STORE_CALLS_H

#include "commands/store_access.h"
#include "loop/loop.h"
#include "stores/etcd_move.h"
#include "stores/etcd_scan.h"
#include "stores/etcd_txn.h"

struct store_calls {
    const struct conf_store *conf;
    struct loop *loop;
    struct etcd_client *client;
    struct secret password;
    struct buf body;
    cJSON *answer;    /* of the last call; NULL = none */
    uint64_t took_us; /* by the last call */
    size_t strange;   /* of the last store_calls_rows(): see struct etcd_scan */
    char why[STORE_ACCESS_WHY];
};

/* The loop is the caller's: with none under way in it. 0, or -errno and why; store_calls_close() in any
 * case. */
int store_calls_open(struct store_calls *, struct loop *, const struct conf_store *);
void store_calls_close(struct store_calls *);

/* An empty body, to be written. */
struct etcd_writer store_calls_writer(struct store_calls *);
/* Sends the body that was written. 0 and `answer`, or -errno and why. */
int store_calls_ask(struct store_calls *, const char *path);
/* A transaction: its comparisons held, or not (*held = false). As above. */
int store_calls_txn(struct store_calls *, bool *held);
/* The gateway counts as dead (etcd_write_fence()), if its key is as it was read. As above. */
int store_calls_fence(struct store_calls *, const char *node, int64_t epoch, int64_t mod, const char *adopter,
                      bool *held);
/* Every key and value from `from` up to `to`, in order, page by page; the key is without the prefix. A result
 * of `pair` other than 0 ends it. 0 or -errno and why. */
int store_calls_range(struct store_calls *, const char *from, const char *to,
                      int (*pair)(void *arg, const char *key, const struct etcd_kv *), void *arg);
/* All rows (etcd_scan.h). 0 or -errno and why. */
int store_calls_rows(struct store_calls *, const struct store_reader *, void *arg);
/* So much later: 0, or -ENOMEM and why at once. Who has not waited cannot say that a gateway is silent. */
int store_calls_wait(struct store_calls *, uint64_t ms) __attribute__((warn_unused_result));

/* Is that why etcd is away, and not that it has refused? */
bool store_calls_away(int err);
/* Or has etcd refused the user, its role, the certificate or the call? */
bool store_calls_refused(int err);

#endif
