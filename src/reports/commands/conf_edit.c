/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_edit.c - the file of a configuration changed by a command; see conf_edit.h.
 *
 * The new file is beside the old one, and only its owner can read it until it has the old one's mode.
 * The lock is on the folder, since the file itself is exchanged.
 */
#include "reports/commands/conf_edit.h"

#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

static int fill_file(int fd, const struct buf *text, const struct stat *like)
{
    int err = write_all(fd, text->data, text->len);

    if (err)
        return err;
    /* Owner before mode: a change of the owner may clear bits of the mode. */
    if ((like->st_uid != geteuid() || like->st_gid != getegid()) && fchown(fd, like->st_uid, like->st_gid))
        return -errno;
    return fchmod(fd, like->st_mode & 07777) || fsync(fd) ? -errno : 0;
}

/* The folder that the file is in; -1 with errno. */
static int open_directory(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');

    (void)snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int replace(const char *path, const struct buf *text)
{
    char next[PATH_MAX];
    struct stat like;
    int fd, err;

    if (stat(path, &like))
        return -errno;
    if (snprintf(next, sizeof(next), "%s.XXXXXX", path) >= (int)sizeof(next))
        return -ENAMETOOLONG;
    fd = mkostemp(next, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = fill_file(fd, text, &like);
    if (close(fd) && !err)
        err = -errno;
    if (!err && rename(next, path))
        err = -errno;
    if (err)
        (void)unlink(next);
    else
        (void)durable_name(path);
    return err;
}

int conf_edit_lock(const char *path)
{
    char *real = realpath(path, NULL);
    int fd = real ? open_directory(real) : -1, err = fd < 0 ? -errno : 0;

    while (!err && flock(fd, LOCK_EX))
        err = errno == EINTR ? 0 : -errno;
    free(real);
    if (!err)
        return fd;
    conf_edit_unlock(fd);
    return err;
}

void conf_edit_unlock(int lock)
{
    if (lock >= 0)
        (void)close(lock);
}

int conf_edit_replace(const char *path, const struct buf *text)
{
    char *real = realpath(path, NULL);
    int err = real ? replace(real, text) : -errno;

    free(real);
    return err;
}
