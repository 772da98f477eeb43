/*
 * entries.h - data by JSON: what a test wants to find in the vault, at the start or while it runs.
 *
 * A scenario is an object of the lists settings, identities, credentials, sets, checkouts. An entry with new
 * names is made, one with known names is changed, and only the members given count; docs/pi-simulator.md has
 * them. All: 0, or -EINVAL, -ENOMEM and a message in `why`.
 */
#ifndef PI_SIM_ENTRIES_H
#define PI_SIM_ENTRIES_H

#include "pi-sim/vault.h"
#include "sim/lists.h"

extern const struct list_table entries_lists; /* their model is the struct vault */

/* The built-in data. */
int entries_load_fixture(struct vault *, struct buf *why);
/* Credentials in any number: `srv1` and so on with the account `admin`, and pool1, pool2, … of the list Pool.
 */
int entries_generate(struct vault *, uint64_t stored, uint64_t shared);
/* The credential that an entry names, by id or by names; NULL, and why. */
struct credential *entries_credential(const struct vault *, const cJSON *entry, struct buf *why);

#endif
