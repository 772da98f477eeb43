/*
 * etcd_join.h - a gateway joins its cluster: a new incarnation of its name.
 *
 *   look --m/NODE absent----------------------------------------------------> enter --> done("")
 *     |  \--of this instance, or silent for the ttl: leave (d/NODE@EPOCH) ----/
 *     |  \--of another instance, or of a process with a copy of its state, which writes--> done("…is taken")
 *     \--a vault of this name has another address in the cluster, …--> done("…")
 *   whatever else fails: from the beginning, after a second
 *
 * The key m/NODE is made again, so that its create revision, the epoch, names the incarnation. The one before
 * is left as dead, and as adopted by the next incarnation of this node. A process that has lost its key to
 * another one of the same instance does not take it back while that one writes. Who enters first draws the
 * cluster's tag, and writes the number of the schema. What the cluster's gateways must agree in of each vault
 * is written once, and compared at every start. A cluster whose rows are moved (etcd_move.h) is not entered.
 */
#ifndef JG_STORES_ETCD_JOIN_H
#define JG_STORES_ETCD_JOIN_H

#include "loop/loop.h"
#include "stores/etcd_client.h"
#include "stores/etcd_flight.h"
#include "stores/store.h"

#define ETCD_JOIN_WHY 320

/* A vault of the configuration, as all gateways must have it. */
struct etcd_vault {
    const char *name, *url;
    const char *digest; /* of what must be equal, the url among it */
};

struct etcd_cursor {
    STAILQ_ENTRY(etcd_cursor) link;
    int64_t ms;
    char site[];
};
STAILQ_HEAD(etcd_cursors, etcd_cursor);

enum etcd_join_state { JOIN_LOOKS, JOIN_LEAVES, JOIN_ENTERS };

struct etcd_join {
    /* the owner's */
    struct etcd_client *client;
    struct timers *timers;
    const struct clock *clock;
    const char *prefix, *node;
    struct etcd_me *me;
    const struct etcd_vault *vaults;
    size_t nvaults;
    uint64_t ttl_ms;
    void (*done)(struct etcd_join *, const char *why);   /* "" = joined */
    void (*failed)(struct etcd_join *, const char *why); /* a try; the next one follows */
    /* in done() */
    int64_t revision; /* of m/NODE, which is its epoch */
    uint64_t sent_ms; /* monotonic: when the gateway entered */
    char tag[ID_TAG_SIZE];
    struct etcd_cursors cursors; /* the node's */
    bool may_be_own; /* m/NODE of this instance, whatever its epoch; the owner may set it before a start */

    /* private */
    enum etcd_join_state state;
    bool running;
    struct etcd_call call;
    struct deadline again;
    int64_t schema_mod; /* of c/schema at the last look; 0 = absent */
    int64_t other_mod;  /* of another instance's m/NODE at the last look; 0 = none */
    uint64_t other_ms;  /* since when it is so */
    uint64_t looked_ms; /* monotonic: at the last look */
    uint64_t said_ms;   /* monotonic: when the log has had why it fails; 0 = not since the start */
};

int etcd_join_start(struct etcd_join *); /* 0 or -ENOMEM. Once more after done() */
void etcd_join_free_cursors(struct etcd_join *);
void etcd_join_cancel(struct etcd_join *); /* any number of times, also after done() */

#endif
