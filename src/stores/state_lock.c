/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_lock.c - an exclusive flock on the file `lock`; see state_lock.h.
 *
 * The file's content says whether a store in a file has been made in the directory: one that is missing then
 * is lost, and is not replaced by an empty one (sqlite.c).
 */
#include "stores/state_lock.h"

#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* A descriptor with the lock, or -errno and why. */
static int open_locked(const char *dir, int flags, char why[STATE_LOCK_WHY])
{
    char path[PATH_BYTES];

    if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path) - 32) {
        (void)snprintf(why, STATE_LOCK_WHY, "the name of the state directory is too long");
        return -ENAMETOOLONG;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0) {
        int err = -errno;

        (void)snprintf(why, STATE_LOCK_WHY, "cannot open %.200s: %.80s", path, strerror(-err));
        return err;
    }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        (void)snprintf(
            why, STATE_LOCK_WHY,
            "%.200s is in use by another jumpgate (its `lock` is locked); give each its own state_dir", dir);
        (void)close(fd);
        return -EBUSY;
    }
    return fd;
}

int state_lock(const char *dir, bool *made, char why[STATE_LOCK_WHY])
{
    char mark = 0;
    int err = durable_directory(dir);

    if (err) {
        (void)snprintf(why, STATE_LOCK_WHY, "cannot make the state directory %.200s: %.60s", dir,
                       strerror(-err));
        return err;
    }
    int fd = open_locked(dir, O_CREAT, why);
    if (fd < 0)
        return fd;
    ssize_t n = pread(fd, &mark, 1, 0);
    err = n < 0 ? -errno : 0;

    if (made)
        *made = n == 1;
    if (!err)
        return fd;
    (void)snprintf(why, STATE_LOCK_WHY, "cannot read the lock of %.200s: %.80s", dir, strerror(-err));
    (void)close(fd);
    return err;
}

int state_lock_try(const char *dir, char why[STATE_LOCK_WHY])
{
    int fd = open_locked(dir, 0, why);

    if (fd >= 0)
        (void)close(fd);
    if (fd < 0 && fd != -ENOENT)
        return fd;
    why[0] = '\0';
    return 0;
}

int state_lock_mark(int lock)
{
    return pwrite(lock, "1\n", 2, 0) == 2 && fsync(lock) == 0 ? 0 : -EIO;
}
