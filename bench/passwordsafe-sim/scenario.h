/*
 * scenario.h - data by JSON: what a test wants to find in the vault, at start or while it runs.
 *
 * A scenario is an object of lists (policies, groups, users, systems, accounts, links, oauth_clients) and of
 * `settings`. Each list entry is made if its id is new and changed if it is known, and only the members given
 * count: that is how entitlements are changed at run time (docs/simulator.md lists the members).
 *
 * Lists are applied in the order above, so that entries may name what comes before them.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "base/buf.h"
#include "passwordsafe-sim/model.h"

#include <cJSON.h>

/* 0 or -EINVAL, -ENOMEM and a message in `why`. What was applied before a mistake stays. */
int scenario_apply(struct model *, const cJSON *scenario, struct buf *why);
/* One list by name ("users"), entries in an array or a single object. */
int scenario_apply_list(struct model *, const char *list, const cJSON *entries, struct buf *why);
int scenario_load_text(struct model *, const char *text, size_t len, struct buf *why);
int scenario_load_file(struct model *, const char *path, struct buf *why);
/* A built-in scenario by name ("worked"). */
int scenario_load_fixture(struct model *, const char *name, struct buf *why);

/* The pieces of the fixture `worked`, NULL-terminated; each is a scenario. */
extern const char *const fixture_worked[];

#endif
