/*
 * scenario_entries.h - one entry of each list of a scenario: made when its id is new, changed when it is
 * known.
 *
 * All: 0, -EINVAL with a sentence in `why`, or -ENOMEM.
 */
#ifndef SIM_SCENARIO_ENTRIES_H
#define SIM_SCENARIO_ENTRIES_H

#include "passwordsafe-sim/scenario.h"

int entry_settings(void *model, const cJSON *, struct buf *why);
int entry_policy(void *model, const cJSON *, struct buf *why);
int entry_group(void *model, const cJSON *, struct buf *why);
int entry_user(void *model, const cJSON *, struct buf *why);
int entry_system(void *model, const cJSON *, struct buf *why);
int entry_account(void *model, const cJSON *, struct buf *why);
int entry_link(void *model, const cJSON *, struct buf *why);
int entry_client(void *model, const cJSON *, struct buf *why);

#endif
