/* SPDX-License-Identifier: Apache-2.0 */
/*
 * durable.c - names and bytes that a sync alone does not make durable; see durable.h.
 *
 * A directory that exists may have been made by a process that ended before it could sync its name, so that
 * is done each time.
 */
#include "base/durable.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

int durable_name(const char *path)
{
    char copy[PATH_MAX];

    if (!text_copy(copy, sizeof(copy), path))
        return -ENAMETOOLONG;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

    if (fd < 0)
        return -errno;
    if (fsync(fd) && errno != EINVAL) /* EINVAL: a file system without such a thing */
        err = -errno;
    (void)close(fd);
    return err;
}

int durable_directory(const char *path)
{
    if (mkdir(path, 0700) && errno != EEXIST)
        return -errno;
    int err = durable_name(path);

    return err == -EACCES || err == -EPERM ? 0 : err;
}

/* The bytes written, 0 = the file ends there, or -errno. */
static ssize_t write_piece(int fd, uint64_t from, size_t n)
{
    char piece[PIECE];
    ssize_t there = pread(fd, piece, n < PIECE ? n : PIECE, (off_t)from);

    if (there <= 0)
        return there ? -errno : 0;
    ssize_t done = pwrite(fd, piece, (size_t)there, (off_t)from);

    return done < 0 ? -errno : done ? done : -EIO;
}

int durable_again(int fd, uint64_t from, uint64_t to)
{
    while (from < to) {
        ssize_t done = write_piece(fd, from, (size_t)(to - from));

        if (done == -EINTR)
            continue;
        if (done <= 0)
            return (int)done;
        from += (uint64_t)done;
    }
    return 0;
}
