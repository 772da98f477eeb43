/*
 * etcd_members.h - who is in the cluster: what a gateway's beats have read of m/ and d/.
 *
 * A member is alive while its key m/NODE changes. Silence is measured by this gateway's own clock, from the
 * beat that has shown the last change, and only while this gateway's own beats are answered: after a gap of
 * half a ttl between two answers everybody's silence begins again (`fresh`). So whoever cannot write any more
 * than this gateway could has a whole ttl to come back.
 *
 * A dead incarnation has a key d/NODE@EPOCH until its rows are adopted. Its value names the adopter. Epoch 0
 * in it means the next incarnation of that node, which is on its way.
 */
#ifndef JG_STORES_ETCD_MEMBERS_H
#define JG_STORES_ETCD_MEMBERS_H

#include "stores/etcd_kept.h"
#include "stores/etcd_txn.h"
#include "stores/store.h"

#define ETCD_MEMBERS_MAX 64
#define ETCD_OWNER_SIZE  96 /* node@epoch */
#define ETCD_LACK_SIZE   512

struct etcd_member {
    char node[64], version[32], config_digest[72];
    int64_t epoch, mod;
    uint64_t leases, seen_ms;
    bool leaving, listed;
};

struct etcd_dead {
    char node[64], adopter[ETCD_OWNER_SIZE];
    char lack[ETCD_LACK_SIZE]; /* incarnations that lack a vault of its rows, each with a blank behind it */
    int64_t epoch, mod;
    uint64_t seen_ms;
    bool listed;
};

struct etcd_members {
    struct etcd_member members[ETCD_MEMBERS_MAX]; /* without this gateway */
    struct etcd_dead dead[ETCD_MEMBERS_MAX];
    size_t n, ndead;
    struct etcd_kept *kept; /* the owner's; NULL = nothing is kept */
    struct store_member shown[2 * ETCD_MEMBERS_MAX];
    size_t nshown;
};

/* Takes over what a beat has read. `gone` is called for each member that is not there any more, not even as
 * another incarnation. */
void etcd_members_read(struct etcd_members *, const char *self, const cJSON *members, const cJSON *dead,
                       uint64_t now_ms, bool fresh, void (*gone)(void *arg, const char *node, int64_t epoch),
                       void *arg);
/* Is it silent for so long that it counts as dead, or does it hand over? */
bool etcd_member_is_due(const struct etcd_member *, uint64_t now_ms, uint64_t ttl_ms);
/* Is a gateway at work on its rows, or about to be, or has this one nothing to do with what is left of them?
 * `owner` is this gateway's. */
bool etcd_dead_is_cared_for(const struct etcd_members *, const struct etcd_dead *, const char *owner,
                            uint64_t now_ms, uint64_t ttl_ms);
/* For state(). */
void etcd_members_show(struct etcd_members *, uint64_t now_ms, uint64_t ttl_ms);

#define ETCD_DEAD_MEMBERS    "axe" /* that this version knows */
#define ETCD_DEAD_VALUE_SIZE (2 * ETCD_VALUE_SIZE)
/* d/NODE@EPOCH: key and value; `more`: further members, each with a comma before it, "" = none: ends of
 * leases (etcd_ends.h), and what this version does not know. */
void etcd_dead_key(char *key, size_t size, const char *node, int64_t epoch);
void etcd_dead_value(struct buf *out, const char *adopter, const char *lack, const char *more);

#endif
