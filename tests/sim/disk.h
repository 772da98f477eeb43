/*
 * disk.h - the disk of a world: the lease store and the audit trail, what of them is durable, and how writes
 * go wrong.
 *
 * Both outlive the process. What it has given and what is not written yet is lost with it, but for as many
 * whole writes as the act of the crash says. Not here: what rows and records should be there (oracle.c).
 */
#ifndef JG_TESTS_SIM_DISK_H
#define JG_TESTS_SIM_DISK_H

#include "world.h"

#include "audit/audit_sink.h"
#include "loop/loop.h"
#include "stores/store.h"

struct broker;
struct disk;

struct disk *disk_new(struct world *);
void disk_free(struct disk *);
void disk_act(struct disk *, const struct act *);
void disk_heal(struct disk *);

/* A process starts. */
struct store *disk_open_store(struct disk *, struct loop *);
struct audit_sink *disk_open_trail(struct disk *);
void disk_tag_of_trail(struct disk *, struct store *); /* as run_tag() */
void disk_witness(struct disk *, struct broker *);     /* as run_witness() */
void disk_closed(struct disk *);                       /* a process has ended in order */
void disk_cut(struct disk *);  /* the process is killed: from here on it writes nothing */
void disk_bury(struct disk *); /* and its memory is freed */

/* Is a vault request with this mark, or this name, in the durable rows? */
bool disk_has_request(const struct disk *, const char *mark, const char *name);
/* Durable rows: of vault requests but for lapsed ones, and of leases. */
size_t disk_requests(const struct disk *);
size_t disk_leases(const struct disk *);
/* Is this check-out in the durable trail, with outcome ok and this lease id? */
bool disk_has_checkout(const struct disk *, const char *lease_id);
/* NULL = the chain of the whole trail is sound, else what is wrong. */
const char *disk_trail_fault(const struct disk *);
bool disk_steps_refused(const struct disk *); /* a step was not as the rows are */
bool disk_fails(const struct disk *);         /* store or trail cannot write now */

#endif
