/*
 * oracle_seen.h - what the oracle has seen of clients' answers: leases, releases, ends of sessions. For
 * oracle.c and oracle_cluster.c alone.
 *
 * oracle_cluster.c has the promises of several gateways with one etcd, where these are others than those of
 * one gateway: what a client was answered at one gateway may be changed at another.
 */
#ifndef JG_TESTS_SIM_ORACLE_SEEN_H
#define JG_TESTS_SIM_ORACLE_SEEN_H

#include "oracle.h"

/* What a client was answered: a lease. */
struct seen_lease {
    STAILQ_ENTRY(seen_lease) link;
    char id[ID_SIZE];
    unsigned session, user, account, request;
    uint64_t order, at_ms; /* of the answer */
    uint64_t made_ms;      /* of its vault request */
    int64_t expires_wall_ms;
    uint64_t released_ms; /* 0 = it is not */
    bool hurried;         /* that release was answered at its caller's deadline */
    bool named;           /* its lsid is known */
    const struct caller_op *op;
    bool end_seen; /* in the trail; or it will not come */
};

/* A release or completion that was answered: check-outs that began before it give nothing any more. */
struct seen_release {
    STAILQ_ENTRY(seen_release) link;
    unsigned number, session, account;
    bool whole_session;
    bool pending; /* it was answered before it was done */
    const struct node *node;
    uint64_t sent_order, answered_order, at_ms;
    uint64_t sent_ms;
};

/* An end of a session that the gateway has accepted. */
struct seen_end {
    STAILQ_ENTRY(seen_end) link;
    unsigned session;
    uint64_t begun_ms; /* of its request */
    uint64_t at_ms;    /* when it was answered */
    const struct node *node;
};

struct oracle {
    struct world *world;
    STAILQ_HEAD(, seen_end) ends;
    bool timed[SETUP_SESSIONS]; /* a check-out of the session has asked for a duration */
    bool named[SETUP_SESSIONS]; /* a request has named the lsid of the session */
    STAILQ_HEAD(, seen_lease) leases;
    STAILQ_HEAD(, seen_release) releases;
    unsigned ending[SETUP_SESSIONS]; /* bits: something has ended its lease of this account, or tried to */
};

/* May another gateway, or an answer that was lost, have ended it? */
bool cluster_may_have_ended(const struct oracle *, const struct seen_lease *);
/* Was the check-out under way when the end of its session, of which a request was sent then, came to
 * whichever gateway? False = or it is not certain. */
bool cluster_is_taken_along(const struct oracle *, const struct caller_op *, uint64_t end_sent_ms);
/* A check-out was answered with a lease: as above, of all ends that were answered before. True = the lease
 * has ended with one. */
bool cluster_check_ends(struct oracle *, const struct caller_op *);
/* A check-out is told that there is no such credential: because its session ends meanwhile? */
void cluster_check_not_found(struct oracle *, const struct caller_op *);
/* A secret goes out at a gateway: it is not fenced, its request had not ended, its lease was not released. */
void cluster_check_secret(struct oracle *, const struct caller_op *, const char *lease_id, unsigned request);
/* A lease id is of one session and account, one request, one end. */
void cluster_check_lease(struct oracle *, const struct seen_lease *);
/* The session has a lease, and nothing is in the way of reading its secret once more. */
bool cluster_may_repeat(const struct oracle *, const struct caller_op *);
void cluster_check_list(struct oracle *, const struct caller_op *, const cJSON *body);
/* Is it given back in time, if no lease holds it? */
void cluster_check_unheld(struct oracle *, struct vault_entry *);
/* A session was given a lease of it. */
bool seen_handed_over(const struct oracle *, const struct vault_entry *);
/* What was to be given back since then is due, and nothing was in the way. */
bool cluster_is_overdue(const struct oracle *, uint64_t since_ms);
/* Nothing has gone wrong for so long, and no gateway has died or was paused. */
bool cluster_is_calm(const struct oracle *, uint64_t for_ms);
/* A restored etcd lacks what was made since its backup, until the lists of live requests are read. */
bool cluster_may_lack_row(const struct oracle *, const struct vault_entry *);
/* A gateway has died with a lease of it before it read that it has to be approved: two lists say so. */
bool cluster_may_be_unread(const struct oracle *, const struct vault_entry *);
/* Releases that were answered as pending are done when nothing is in the way. */
void cluster_settle_releases(struct oracle *,
                             bool (*covers)(const struct seen_release *, const struct seen_lease *));
/* Another gateway has the rows of one that has died; one that was counted as dead has found it out. */
void cluster_check_nodes(struct oracle *);
/* So far a gateway with a clock of its own may be off the end of what was made then. */
int64_t cluster_apart_ms(const struct oracle *, uint64_t made_ms);

#endif
