/*
 * seen_store.h - the gateway's lease store, and beside it the rows that it must have by its own answers.
 *
 * The store is the program's (stores/sqlite.h) on the world's disk. Each step that it answers is applied to a
 * model of the rows as well (the store of the unit tests), and must have the same outcome there. What a start
 * finds must be the model's rows, and where the process was killed, those with the lists that were not
 * answered yet, up to any of them. A list that failed may be found too, until the next commit: the disk may
 * have all of it although its sync failed.
 */
#ifndef JG_TESTS_SIM_SEEN_STORE_H
#define JG_TESTS_SIM_SEEN_STORE_H

#include "world.h"

#include "loop/loop.h"
#include "stores/store.h"

struct seen_store;

struct seen_store *seen_store_new(struct node *);
void seen_store_free(struct seen_store *);

/* A process opens it. NULL and `why`. */
struct store *seen_store_open(struct seen_store *, struct loop *, const char *state_dir, char why[320]);
/* The process is killed at this moment. */
void seen_store_cut(struct seen_store *);
/* It has ended, or its memory is freed. */
void seen_store_closed(struct seen_store *);

/* As the header of disk.h says, by what the store has answered. */
bool seen_store_has_request(const struct seen_store *, const char *mark, const char *name);
size_t seen_store_requests(const struct seen_store *);
size_t seen_store_leases(const struct seen_store *);
bool seen_store_has_lease(const struct seen_store *, const char *lease_id);
bool seen_store_refused(const struct seen_store *);

#endif
