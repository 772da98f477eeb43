/*
 * offline.h - leases without a running gateway, from its store.
 */
#ifndef JG_COMMANDS_LEASES_OFFLINE_H
#define JG_COMMANDS_LEASES_OFFLINE_H

#include "broker/broker.h"
#include "commands/leases/choice.h"

#define OFFLINE_WHY_SIZE 320

struct offline;

/* Another store than the file: etcd (etcd.h). Each: 0, or -errno and why. */
struct offline_store {
    int (*read)(struct offline_store *, const struct store_reader *, void *arg, char why[OFFLINE_WHY_SIZE]);
    /* Before the first end. */
    int (*take)(struct offline_store *, char why[OFFLINE_WHY_SIZE]);
    /* The lease ends, and the request is returning where no other holds it. -ENOENT: it has ended before. */
    int (*end)(struct offline_store *, const struct request_row *, const struct lease_row *,
               char why[OFFLINE_WHY_SIZE]);
    struct loop *loop;
};

/* Reads the store beside whoever uses it; `other` NULL = the file in `state_dir`. NULL and why, also where
 * there is none: nothing is known then. */
struct offline *offline_read(const char *state_dir, struct offline_store *other, char why[OFFLINE_WHY_SIZE]);
void offline_free(struct offline *);

/* Those that are chosen, oldest first, all of them. 0 or -ENOMEM. */
int offline_list(const struct offline *, const struct leases_choice *,
                 void (*row)(void *arg, const struct lease_view *), void *arg);

/*
 * Ends the lease of that id, or with NULL each open one that is chosen, in the store, under its lock: the
 * next start checks in the requests without a holder. *ended is the number of ended leases. Who ended them is
 * written into the audit trail; where it cannot be, *unrecorded says of how many, and `why` the reason,
 * beside 0. Otherwise 0, -ENOENT (no such lease), or -errno and why, where there is no store, another process
 * has it or it cannot be written. With `other` as above, in that store.
 */
int offline_release(const struct conf *, struct offline_store *other, const char *id,
                    const struct leases_choice *, size_t *ended, size_t *unrecorded,
                    char why[OFFLINE_WHY_SIZE]);

#endif
