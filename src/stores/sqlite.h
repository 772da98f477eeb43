/*
 * sqlite.h - the embedded store: one SQLite file in `state_dir`, for one process at a time.
 */
#ifndef JG_STORES_SQLITE_H
#define JG_STORES_SQLITE_H

#include "loop/loop.h"
#include "stores/move.h"
#include "stores/store.h"

#define SQLITE_STORE_FILE "leases.db"

/* Opens or creates `state_dir`/leases.db (file 0600, directory 0700), takes the directory's lock and migrates
 * an older schema. NULL, errno and `why` with the file's name and what to do: locked by another process,
 * damaged, of a newer version, moved, no lease store, not writable. With `rebuild` a damaged or foreign file
 * is renamed to leases.db.damaged-TIME and a new one is made; *rebuilt = whether that happened. */
struct store *sqlite_store_open(struct loop *, const char *state_dir, bool rebuild, bool *rebuilt,
                                char why[320]);

#define SQLITE_LOOK_WHY 320
/* Is there no store in `state_dir` yet, or one that begins as a lease store of a known version does? Only the
 * file's head is read, nothing is locked or changed. False and `why` otherwise. */
bool sqlite_store_looks_good(const char *state_dir, char why[SQLITE_LOOK_WHY]);

/* The file's rows without taking the lock, for commands beside a running gateway: read-only. A file of an
 * older version is read as a migrated one; one that is damaged, or moved, is refused. 0 or -errno. */
int sqlite_store_read(const char *state_dir, const struct store_reader *, void *arg, char why[320]);

/*
 * Is the file a lease store that can be used, and whole? It is read alone, without the lock, beside a running
 * gateway too; *requests = the vault requests that it has, without those that have lapsed. `why` continues a
 * sentence about the store: "/var/lib/… is damaged".
 */
#define SQLITE_CHECK_WHY 512
enum sqlite_check {
    SQLITE_CHECK_WHOLE,
    SQLITE_CHECK_ABSENT, /* none was ever made */
    SQLITE_CHECK_MOVED,  /* its rows are in another store */
    SQLITE_CHECK_DAMAGED,
    SQLITE_CHECK_NEWER, /* written by a newer version: --rebuild does not take it */
    SQLITE_CHECK_UNREADABLE
};
enum sqlite_check sqlite_store_check(const char *state_dir, size_t *requests, char why[SQLITE_CHECK_WHY]);

/* Were its rows moved to another store? Read alone as above; false also where it cannot be read. */
bool sqlite_store_moved(const char *state_dir, struct store_move *);

#endif
