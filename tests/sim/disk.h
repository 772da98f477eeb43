/*
 * disk.h - the disk of a world: the lease store and the audit trail on it, and how its operations go wrong.
 *
 * Store and trail are the program's own, on vdisk.h. Here is when an operation fails, how long one takes, and
 * at which one the process is killed; and what of both has to be durable (seen_store.h, seen_trail.h). Not
 * here: what rows and records should be there (oracle.c).
 */
#ifndef JG_TESTS_SIM_DISK_H
#define JG_TESTS_SIM_DISK_H

#include "world.h"

#include "loop/loop.h"
#include "stores/store.h"

struct disk;

#define DISK_STATE_DIR "/jumpgate-disk/state"

struct disk *disk_new(struct node *);
/* The disk and the clock of what the program does from here on. */
void disk_use(struct disk *, const struct clock *);
void disk_free(struct disk *);
void disk_act(struct disk *, const struct act *);
void disk_heal(struct disk *);

/* A process starts. NULL = the disk fails, and so does the start. */
struct store *disk_open_store(struct disk *, struct loop *);
void disk_started(struct disk *);      /* store and trail are open */
void disk_rotate_trail(struct disk *); /* the trail's file gets another name */
void disk_closed(struct disk *);       /* a process has ended in order */
void disk_cut(struct disk *);          /* the process is killed: from here on it writes nothing */
void disk_bury(struct disk *);         /* and its memory is freed */

/* By what the store has answered, which each start compares with what it finds: is there a vault request with
 * this mark, or this name; how many rows of vault requests but for lapsed ones, and of leases? */
bool disk_has_request(const struct disk *, const char *mark, const char *name);
size_t disk_requests(const struct disk *);
size_t disk_leases(const struct disk *);
/* Has this lease ever had a row? */
bool disk_has_lease(const struct disk *, const char *lease_id);
/* Is this check-out in the durable trail, with outcome ok and this lease id? */
bool disk_has_checkout(const struct disk *, const char *lease_id);
void disk_check_trail(struct disk *);         /* breaks a promise if the trail is not sound */
bool disk_steps_refused(const struct disk *); /* a step was not as the rows are */
bool disk_fails(const struct disk *);         /* store or trail cannot write now */

#endif
