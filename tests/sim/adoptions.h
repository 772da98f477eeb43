/*
 * adoptions.h - leases whose vault request was a dead gateway's and is another one's from then on, as etcd
 * has it. The trails have a record of each.
 *
 * A row that gets another owner, while the dead one's key names that owner as its adopter, is an adoption. A
 * lease that ends at the same time has no record of it, nor has one whose adopter ends or is counted as dead
 * in the act.
 */
#ifndef JG_TESTS_SIM_ADOPTIONS_H
#define JG_TESTS_SIM_ADOPTIONS_H

#include "world.h"

struct adoptions;
struct fake_etcd;

struct adoptions *adoptions_new(struct world *, const struct fake_etcd *);
void adoptions_free(struct adoptions *);
/* A key below `prefix` has another value; NULL = it is gone, or was not there. */
void adoptions_changed(struct adoptions *, const char *key, const char *value, const char *before);
/* Each is in a trail. */
void adoptions_check_end(const struct adoptions *);

#endif
