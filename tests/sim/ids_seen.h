/*
 * ids_seen.h - a set of ids of leases.
 */
#ifndef JG_TESTS_SIM_IDS_SEEN_H
#define JG_TESTS_SIM_IDS_SEEN_H

#include <stdbool.h>

struct id_seen;

/* `set`: NULL is the empty one. An id that it has may be added again. */
void ids_seen_add(struct id_seen **set, const char *id);
bool ids_seen_has(const struct id_seen *set, const char *id);
void ids_seen_free(struct id_seen **set);

#endif
