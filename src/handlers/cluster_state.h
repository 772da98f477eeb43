/*
 * cluster_state.h - the gateways that share this one's store, for /status and /metrics.
 *
 * Private to handlers/.
 */
#ifndef JG_HANDLERS_CLUSTER_STATE_H
#define JG_HANDLERS_CLUSTER_STATE_H

#include "handlers/gateway.h"

/* The words of `state` in /status and of the label in /metrics, by enum store_member_state. */
extern const char *const cluster_member_states[MEMBER_NSTATES];

/* NULL = the store is this gateway's alone. Valid until the loop goes on. */
const struct store_cluster *cluster_of(const struct gateway *);
/* Members in each state, this gateway among them once it has joined. */
void cluster_count(const struct gateway *, const struct store_cluster *, size_t out[MEMBER_NSTATES]);
/* Does a member differ in a key that all are to have alike? */
bool cluster_config_differs(const struct gateway *, const struct store_cluster *);
/* The member `cluster` of /status; null where the store is not shared. */
void cluster_write(const struct gateway *, struct jsonw *);

/* The store's steps and round trips in /metrics; NULL = out of memory. Registered where the store is shared.
 */
struct cluster_metrics;
struct cluster_metrics *cluster_metrics_new(void);
void cluster_metrics_read(struct cluster_metrics *, const struct store_cluster *);
void cluster_metrics_free(struct cluster_metrics *); /* NULL is fine */

#endif
