/*
 * members.h - the gateways of a cluster as etcd has them, for commands without a gateway.
 *
 * Who is silent is seen by looking twice: a gateway writes at least every sixth of the ttl.
 */
#ifndef JG_COMMANDS_CLUSTER_MEMBERS_H
#define JG_COMMANDS_CLUSTER_MEMBERS_H

#include "commands/store_calls.h"
#include "commands/store_command.h"
#include "stores/etcd_members.h"

struct cluster_member {
    char node[64], version[32], config_digest[72], adopter[ETCD_OWNER_SIZE];
    int64_t epoch, mod, leases;
    int64_t schema;             /* the newest number that it knows */
    bool leaving, dead, writes; /* dead: its rows are being adopted; writes: between the two looks */
};

#define CLUSTER_ROWS_MAX (2 * ETCD_MEMBERS_MAX)

struct cluster_view {
    struct cluster_member all[CLUSTER_ROWS_MAX];
    size_t n;
    int64_t schema, schema_mod, revision; /* 0 = no gateway has joined yet */
    bool has_moved;
    struct etcd_moved moved;
};

/* EXIT_DONE, EXIT_ETCD_AWAY or EXIT_FAILED, after saying why. The second waits and looks twice. */
int cluster_look(struct store_calls *, struct cluster_view *);
int cluster_look_twice(struct store_calls *, struct cluster_view *);
/* The exit code of a call that has failed, after saying why. */
int cluster_call_failed(const struct store_calls *, int err);
/* NULL = there is none; of one that is there and one that is dead, the first. */
const struct cluster_member *cluster_member_of(const struct cluster_view *, const char *node);

/* The members of `cluster` in GET /status, as far as etcd has them, and `gateway_running` false, `schema`,
 * `moved`, `own_digest`. As above. */
int cluster_read(struct store_command *, cJSON **out);

#endif
