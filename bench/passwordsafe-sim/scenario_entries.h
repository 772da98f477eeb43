/*
 * scenario_entries.h - one entry of each list of a scenario: made when its id is new, changed when it is
 * known.
 *
 * All: 0, -EINVAL with a sentence in `why`, or -ENOMEM.
 */
#ifndef SIM_SCENARIO_ENTRIES_H
#define SIM_SCENARIO_ENTRIES_H

#include "passwordsafe-sim/scenario.h"

int entry_settings(struct model *, const cJSON *, struct buf *why);
int entry_policy(struct model *, const cJSON *, struct buf *why);
int entry_group(struct model *, const cJSON *, struct buf *why);
int entry_user(struct model *, const cJSON *, struct buf *why);
int entry_system(struct model *, const cJSON *, struct buf *why);
int entry_account(struct model *, const cJSON *, struct buf *why);
int entry_link(struct model *, const cJSON *, struct buf *why);
int entry_client(struct model *, const cJSON *, struct buf *why);

#endif
