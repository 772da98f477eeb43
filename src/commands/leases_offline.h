/*
 * leases_offline.h - leases without a running gateway, from its store.
 */
#ifndef JG_LEASES_OFFLINE_H
#define JG_LEASES_OFFLINE_H

#include "broker/broker.h"

#define OFFLINE_WHY_SIZE 320

struct offline;

/* Reads the store without its lock; a missing store counts as empty. NULL and why. */
struct offline *offline_read(const char *state_dir, char why[OFFLINE_WHY_SIZE]);
void offline_free(struct offline *);

/* Those that fit the filter, oldest first, all of them. 0 or -ENOMEM. */
int offline_list(const struct offline *, const struct lease_filter *,
                 void (*row)(void *arg, const struct lease_view *), void *arg);

/*
 * Ends the lease of that id, or every one (NULL), in the store, under its lock: the next start checks in
 * requests without a holder. *ended says how many. 0, -ENOENT (no such lease), or -errno and why, where
 * another process has the store or it cannot be written.
 */
int offline_release(const char *state_dir, const char *id, size_t *ended, char why[OFFLINE_WHY_SIZE]);

#endif
