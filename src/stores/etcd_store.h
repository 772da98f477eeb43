/*
 * etcd_store.h - the store on etcd, for the files that it is made of: etcd.c (its operations, its life, when
 * a flight goes), and below it etcd_queue.c (the steps) and etcd_cluster.c (certain or not, the other
 * gateways).
 */
#ifndef JG_STORES_ETCD_STORE_H
#define JG_STORES_ETCD_STORE_H

#include "stores/etcd.h"
#include "stores/etcd_adopt.h"
#include "stores/etcd_ask.h"
#include "stores/etcd_close.h"
#include "stores/etcd_finishes.h"
#include "stores/etcd_flight.h"
#include "stores/etcd_members.h"

#define ETCD_AGAIN_MS 250

struct etcd_store {
    struct store store; /* first */
    struct loop *loop;
    const struct clock *clock;
    struct etcd_client *client;
    char *prefix, *node, *instance, *version;
    char config_digest[72];
    struct etcd_vault *vaults;
    size_t nvaults;
    uint64_t ttl_ms;

    /* the incarnation */
    char owner[ETCD_OWNER_SIZE];
    int64_t epoch; /* 0 = it has not joined */
    struct etcd_join join;
    bool has_joined; /* once at least */
    bool restored;   /* etcd is another one: a flight that lands is not believed */
    void (*opened)(void *arg, const char *why);
    void *opened_arg;
    uint64_t sent_ms; /* of the last flight that was applied */
    struct deadline doubt;

    /* steps */
    struct etcd_flight flight;
    struct store_steps waiting;
    struct deadline turn;
    uint64_t sent_us, beat_ms; /* the last beat that was answered: when it was sent first */
    bool refused;              /* etcd has refused the last flight */
    LIST_HEAD(, etcd_closing) closings;
    struct etcd_kept kept;
    struct etcd_ends ends;

    /* the cluster */
    struct etcd_members members;
    uint64_t saw_ms; /* when they were read last */
    struct etcd_hints hints;
    int64_t hints_seen; /* revision */
    struct etcd_adopter adopter;
    LIST_HEAD(, etcd_adoption) adoptions;
    struct etcd_asker asker;
    struct etcd_finishes finishes;
    struct etcd_call status;
    struct deadline status_again;
    const struct store_news *news;
    void *news_arg;
    bool must_tell_joined;

    /* the end */
    bool leaving, closing;
    uint64_t leave_ms;    /* when it began */
    unsigned leave_turns; /* flights since then that said so */
    void (*left)(void *arg, bool taken);
    void *left_arg;
    void (*closed)(void *arg);
    void *closed_arg;
    struct store_state state;
    struct store_cluster cluster;
};

/* ---- etcd_queue.c ---- */

void etcd_queue_turn_in(struct etcd_store *, uint64_t ms);
/* Calls `done` of each: AWAY. */
void etcd_queue_away(struct etcd_store *, struct store_steps *, int err);
void etcd_queue_cancel_closings(struct etcd_store *, int err);
/* The leases that closings have read are named by the flight that starts now; are there any, or such as wait
 * for that flight? */
void etcd_queue_name_closings(struct etcd_store *);
bool etcd_queue_closings_wait(const struct etcd_store *);
/* A flight with these steps was applied, or refused. */
void etcd_queue_applied(struct etcd_store *, struct store_steps *);
void etcd_queue_refused(struct etcd_store *, struct store_steps *, int err);
void etcd_queue_expire(struct etcd_store *); /* steps that have waited for too long */
int etcd_queue_steps(struct store *, struct store_steps *);

/* ---- etcd_cluster.c ---- */

/* A flight that was sent then was applied. */
void etcd_cluster_applied(struct etcd_store *, uint64_t sent_ms);
void etcd_cluster_on_doubt(struct deadline *);
/* Is it certain no longer? */
void etcd_cluster_doubt(struct etcd_store *);
/* Says why the store cannot write, if it cannot. */
void etcd_cluster_note_writable(struct etcd_store *, const char *why);
void etcd_cluster_set_certain(struct etcd_store *, bool certain, const char *why);
void etcd_cluster_on_beat(struct etcd_flight *, const cJSON *members, const cJSON *dead, const cJSON *hints);
void etcd_cluster_after_beat(struct etcd_store *);
void etcd_cluster_tell_joined(struct etcd_store *);
void etcd_cluster_set_adopter(struct etcd_store *, bool has_vaults);
void etcd_cluster_cancel_adoptions(struct etcd_store *);
void etcd_cluster_note_trip(void *store, uint64_t us);
void etcd_cluster_ask_status(struct deadline *);
void etcd_cluster_on_status(struct etcd_call *);

#endif
