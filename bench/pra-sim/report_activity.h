/*
 * report_activity.h - the reports VaultAccountActivity and Team.
 */
#ifndef PRA_SIM_REPORT_ACTIVITY_H
#define PRA_SIM_REPORT_ACTIVITY_H

#include "pra-sim/dispatch.h"
#include "pra-sim/rows.h"

/* How many rows they wrote into the list. */
size_t report_vault(struct dispatch *, struct xml *, const struct period *);
size_t report_team(struct dispatch *, struct xml *, const struct period *);

#endif
