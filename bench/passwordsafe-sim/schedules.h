/*
 * schedules.h - which schedule of an access policy governs a request.
 *
 * A schedule is open in a window of the UTC day and offers access types, each with its number of approvers
 * and its own limit of concurrent requests. Where the caller names none, the best one is chosen: open, wide
 * enough, offering the type, with the fewest approvers.
 */
#ifndef SIM_SCHEDULES_H
#define SIM_SCHEDULES_H

#include "passwordsafe-sim/model.h"

bool schedule_open(const struct model *, const struct model_schedule *, int64_t minutes);
/* id 0 = the best. NULL = none. */
const struct model_schedule *schedule_choose(const struct model *, const struct model_policy *, int id,
                                             enum model_access, int64_t minutes);
/* The same whether or not it is open, to learn what a policy requires. */
const struct model_schedule *schedule_offering(const struct model_policy *, int id, enum model_access);
/* A policy open all day with one schedule that offers every type. */
void schedule_default(struct model_policy *, int id);

#endif
