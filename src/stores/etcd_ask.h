/*
 * etcd_ask.h - questions to the store (store.h): reads that no flight has a part in.
 *
 * Questions of a few keys share their transactions (etcd_reads.h). A question that gets no answer is asked
 * again until its deadline. Each reads m/SELF besides: a gateway that has been fenced learns it here as well.
 */
#ifndef JG_STORES_ETCD_ASK_H
#define JG_STORES_ETCD_ASK_H

#include "base/timers.h"
#include "stores/etcd_client.h"
#include "stores/etcd_reads.h"
#include "stores/etcd_steps.h"

struct etcd_asking;

/* Of the store; everything is valid while a question is under way. */
struct etcd_asker {
    struct etcd_client *client;
    struct timers *timers;
    const struct clock *clock;
    const char *prefix;
    const struct etcd_self *self;
    const int64_t *epoch; /* of this gateway; 0 = it has not joined, and the answer waits for that */
    void (*trip)(void *arg, uint64_t us); /* a round trip has taken so long */
    void *arg;
    LIST_HEAD(, etcd_asking) list;
    struct etcd_read_line line;
};

/* As ask() and forget() of store.h. */
int etcd_ask(struct etcd_asker *, struct store_question *);
void etcd_forget(struct store_question *);
/* The store closes: each is answered with STORE_NONE. */
void etcd_ask_end_all(struct etcd_asker *);

#endif
