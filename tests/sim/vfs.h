/*
 * vfs.h - SQLite on the disk of a world: a VFS that the program registers as the default.
 *
 * It makes the calls that SQLite's own for Unix makes: the directory of a new journal or log is synced with
 * that file, a file has no locks that a second connection could find, and the index of the log (shm) is
 * memory that ends with its connection.
 */
#ifndef JG_TESTS_SIM_VFS_H
#define JG_TESTS_SIM_VFS_H

#include "vdisk.h"

#include "base/clock.h"

/* Once for the program. */
void vfs_register(void);
/* The disk and the clock of what SQLite does from now on; its random numbers begin with the seed. */
void vfs_use(struct vdisk *, const struct clock *, uint64_t seed);

#endif
