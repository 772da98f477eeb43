/*
 * etcd_sim.h - the etcd of a world of several gateways: one store of keys (fake_etcd.h) with three members
 * before it, each of which answers for all.
 *
 * Every answer is linearizable, as etcd's are: a member that lags is slow, and never shows what was. A call
 * with a wrong token is answered 401 where the world's etcd has users.
 *
 * A request that is being given back is never held again, and a new hold is of a request that is held, with
 * its lease beside it: that is checked here, with each transaction.
 *
 * Not here: calls and their answers (declared in vault.h); the network, and members that are away or have no
 * leader (vault_link.c); which rows there should be (oracle.c).
 */
#ifndef JG_TESTS_SIM_ETCD_SIM_H
#define JG_TESTS_SIM_ETCD_SIM_H

#include "world.h"

#define ETCD_MEMBERS  3
#define ETCD_PREFIX   "/jumpgate/"
#define ETCD_HOST     "etcd%u.example.test"
#define ETCD_USER     "jumpgate"
#define ETCD_PASSWORD "password-of-the-simulated-etcd"

struct etcd_sim *etcd_sim_new(struct world *);
void etcd_sim_free(struct etcd_sim *);
void etcd_sim_act(struct etcd_sim *, const struct act *);
/* From its last backup; false = there is none, or it is of a time before the gateways. */
bool etcd_sim_restore(struct etcd_sim *, bool other_cluster);

/* The rows: is there a vault request with this mark, or of this name; how many vault requests, but for lapsed
 * ones, and how many leases? */
bool etcd_sim_has_request(const struct etcd_sim *, const char *mark, const char *name);
size_t etcd_sim_requests(const struct etcd_sim *);
size_t etcd_sim_leases(const struct etcd_sim *);
/* Does a lease hold the vault request of this name? */
bool etcd_sim_is_held(const struct etcd_sim *, unsigned request);
/* Has this lease ever held a vault request? */
bool etcd_sim_has_held(const struct etcd_sim *, const char *lease_id);
/* Is the lsid of this lease known? */
bool etcd_sim_has_lsid(const struct etcd_sim *, const char *lease_id);
/* Its key is there: no other gateway has counted it as dead. */
bool etcd_sim_has_member(const struct etcd_sim *, const struct node *);
/* Its rows, or those of it as it was before, are its own or wait for another gateway. */
bool etcd_sim_owns(const struct etcd_sim *, const struct node *);
/* When its key was last written. */
uint64_t etcd_sim_written_ms(const struct etcd_sim *, const struct node *);
/* The gateways have ended: what etcd has seen is in their trails. */
void etcd_sim_check_end(const struct etcd_sim *);
/* All keys, as lines of the trace. */
void etcd_sim_show(struct etcd_sim *);

#endif
