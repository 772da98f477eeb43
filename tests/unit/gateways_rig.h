/*
 * gateways_rig.h - several gateways with one store and one vault, in one process.
 *
 * The gateways share clock, timers and vault. gateway(i) says which one the verbs of broker_rig.h are about;
 * settle() lets all of them go on.
 */
#ifndef JG_TESTS_GATEWAYS_RIG_H
#define JG_TESTS_GATEWAYS_RIG_H

#include "broker_rig.h"

#define GATEWAYS 3

extern struct world w;
extern struct fake_store stores[GATEWAYS];
extern struct broker *brokers[GATEWAYS];
extern struct buf *gateways_trail; /* before gateways_start(): the records of all; NULL = none are kept */

int gateways_open(void **state); /* none has been told that it has joined */
int gateways_start(void **state);
int gateways_end(void **state);
void gateway(size_t i);
void settle(void);
void advance(uint64_t ms);
void kill_gateway(size_t i); /* its process ends at once */
void check_out(size_t i, const char *user, const char *session, struct caller *);
void check_out_ok(size_t i, const char *user, const char *session, struct caller *);
void release(size_t i, const char *user, const char *session, struct released *);
void assert_released(const struct released *, int64_t n, int64_t remaining);
size_t leases_at(size_t i);
/* Nothing is left of a test whose sessions have released all. */
void assert_all_given_back(void);
void assert_same_lease(const struct caller *, const struct caller *);
/* How many it has ended, or minus the fault. */
int64_t operator_release(size_t i, const char *lease_id);
unsigned count_records(struct buf *trail, const char *text);

#endif
