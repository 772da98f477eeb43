/*
 * etcd_hints.h - word to other gateways that rows of theirs were changed: n/TO/FROM, a list of marks.
 *
 * A flight that changes another gateway's request writes the key, and the other one reads it with its beat.
 * The key is overwritten, so a list keeps its marks for some seconds, more than the other's beats are apart.
 * A hint may be lost: the step of a gateway that relies on an old row is OTHERWISE.
 */
#ifndef JG_STORES_ETCD_HINTS_H
#define JG_STORES_ETCD_HINTS_H

#include "base/id.h"
#include "stores/etcd_txn.h"
#include "stores/store.h"

#define ETCD_HINT_NODES 8  /* gateways in a cluster that this one has word for at a time */
#define ETCD_HINT_MARKS 60 /* to each */

struct etcd_hint {
    char mark[ID_SIZE];
    uint64_t at_ms;
};

struct etcd_hints {
    struct etcd_hint_node {
        char node[64]; /* "" = free */
        struct etcd_hint marks[ETCD_HINT_MARKS];
        size_t next;  /* the oldest one is overwritten */
        bool changed; /* since the last flight */
    } nodes[ETCD_HINT_NODES];
};

/* If the step changes a request that another gateway has. */
void etcd_hints_note(struct etcd_hints *, const struct store_step *, const char *self, uint64_t now_ms);
/* Appends a put, and a comma, for each node that has new marks; how many. */
int etcd_hints_write(struct etcd_hints *, const struct etcd_writer *, const char *self, uint64_t now_ms);
/* Calls `touched` for each mark in a value. False = out of memory. */
bool etcd_hints_read(const char *value, size_t n, void (*touched)(void *arg, const char *mark), void *arg);

#endif
