/*
 * state_lock.h - the lock of a state directory: one gateway at a time, whichever store it uses.
 */
#ifndef JG_STORES_STATE_LOCK_H
#define JG_STORES_STATE_LOCK_H

#include <stdbool.h>

#define STATE_LOCK_WHY 320

/*
 * Makes the directory (mode 0700) where it is missing, and locks its file `lock`. The lock is held as long as
 * the descriptor is open. *made = a store in a file has been made here (state_lock_mark()); NULL = not of
 * interest. A descriptor, or -errno and why; -EBUSY: another process has the directory.
 */
int state_lock(const char *dir, bool *made, char why[STATE_LOCK_WHY]);
/* Would state_lock() have it? Makes and changes nothing. 0, or -errno and why. */
int state_lock_try(const char *dir, char why[STATE_LOCK_WHY]);
/* Keeps in the file that a store has been made here: durable on return. 0 or -EIO. */
int state_lock_mark(int lock);

#endif
