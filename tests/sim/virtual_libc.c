/* SPDX-License-Identifier: Apache-2.0 */
/* virtual_libc.c - see the header. One function for each name in the list of CMakeLists.txt. */
#include "virtual_libc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define PID 4711 /* it is in records of the trail */

static struct {
    struct vdisk *disk;
    const struct clock *clock;
    int directory_fd; /* of the one that is read, 0 = none */
    size_t entry;
    struct dirent dirent;
} world;

void virtual_libc_use(struct vdisk *disk, const struct clock *clock)
{
    world.disk = disk;
    world.clock = clock;
}

static bool is_ours(const char *path)
{
    return world.disk && vdisk_has_path(path);
}

/* As the C library returns it. */
static int result(ssize_t r)
{
    if (r >= 0)
        return (int)r;
    errno = (int)-r;
    return -1;
}

/* NOLINTBEGIN: the names are the linker's */
#define WRAP(type, name, ...)                                                                                \
    type __real_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__);                                                                         \
    type __wrap_##name(__VA_ARGS__)

/* ---- descriptors ---- */

static mode_t mode_of(int flags, va_list ap)
{
    return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

WRAP(int, open, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return is_ours(path) ? result(vdisk_open(world.disk, path, flags)) : __real_open(path, flags, mode);
}

WRAP(int, openat, int directory, const char *name, int flags, ...)
{
    char path[PATH_MAX];
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    if (!vdisk_has_fd(directory))
        return __real_openat(directory, name, flags, mode);
    (void)snprintf(path, sizeof path, "%s/%s", vdisk_path(world.disk, directory), name);
    return result(vdisk_open(world.disk, path, flags));
}

WRAP(int, close, int fd)
{
    return vdisk_has_fd(fd) ? vdisk_close(world.disk, fd) : __real_close(fd);
}

WRAP(ssize_t, read, int fd, void *to, size_t n)
{
    return vdisk_has_fd(fd) ? result(vdisk_read(world.disk, fd, to, n)) : __real_read(fd, to, n);
}

WRAP(ssize_t, pread, int fd, void *to, size_t n, off_t from)
{
    return vdisk_has_fd(fd) ? result(vdisk_read_at(world.disk, fd, to, n, (uint64_t)from))
                            : __real_pread(fd, to, n, from);
}

/* Each file that is written without a place is open for appending. */
WRAP(ssize_t, write, int fd, const void *bytes, size_t n)
{
    return vdisk_has_fd(fd) ? result(vdisk_append(world.disk, fd, bytes, n)) : __real_write(fd, bytes, n);
}

WRAP(ssize_t, pwrite, int fd, const void *bytes, size_t n, off_t from)
{
    return vdisk_has_fd(fd) ? result(vdisk_write_at(world.disk, fd, bytes, n, (uint64_t)from))
                            : __real_pwrite(fd, bytes, n, from);
}

WRAP(off_t, lseek, int fd, off_t to, int whence)
{
    if (!vdisk_has_fd(fd))
        return __real_lseek(fd, to, whence);
    if (to || whence != SEEK_SET)
        abort();
    return vdisk_seek_start(world.disk, fd);
}

WRAP(int, fsync, int fd)
{
    return vdisk_has_fd(fd) ? result(vdisk_sync(world.disk, fd)) : __real_fsync(fd);
}

WRAP(int, fdatasync, int fd)
{
    return vdisk_has_fd(fd) ? result(vdisk_sync(world.disk, fd)) : __real_fdatasync(fd);
}

WRAP(int, ftruncate, int fd, off_t size)
{
    return vdisk_has_fd(fd) ? result(vdisk_truncate(world.disk, fd, (uint64_t)size))
                            : __real_ftruncate(fd, size);
}

/* Without a change of the size: FALLOC_FL_KEEP_SIZE. */
WRAP(int, fallocate, int fd, int mode, off_t from, off_t n)
{
    return vdisk_has_fd(fd) ? result(vdisk_reserve(world.disk, fd, (uint64_t)from, (uint64_t)n))
                            : __real_fallocate(fd, mode, from, n);
}

WRAP(int, flock, int fd, int operation)
{
    return vdisk_has_fd(fd) ? result(vdisk_lock(world.disk, fd)) : __real_flock(fd, operation);
}

WRAP(int, fstat, int fd, struct stat *st)
{
    return vdisk_has_fd(fd) ? result(vdisk_fstat(world.disk, fd, st)) : __real_fstat(fd, st);
}

/* F_GETFL and F_SETFL, which have a number. */
WRAP(int, fcntl, int fd, int call, ...)
{
    va_list ap;

    va_start(ap, call);
    long argument = va_arg(ap, long);
    va_end(ap);
    return vdisk_has_fd(fd) ? 0 : __real_fcntl(fd, call, argument);
}

WRAP(int, fchmod, int fd, mode_t mode)
{
    return vdisk_has_fd(fd) ? 0 : __real_fchmod(fd, mode);
}

/* ---- names ---- */

WRAP(int, lstat, const char *path, struct stat *st)
{
    return is_ours(path) ? result(vdisk_lstat(world.disk, path, st)) : __real_lstat(path, st);
}

WRAP(int, stat, const char *path, struct stat *st)
{
    return is_ours(path) ? result(vdisk_lstat(world.disk, path, st)) : __real_stat(path, st);
}

WRAP(int, chmod, const char *path, mode_t mode)
{
    return is_ours(path) ? 0 : __real_chmod(path, mode);
}

WRAP(int, rename, const char *from, const char *to)
{
    return is_ours(from) ? result(vdisk_rename(world.disk, from, to)) : __real_rename(from, to);
}

WRAP(int, unlink, const char *path)
{
    return is_ours(path) ? result(vdisk_unlink(world.disk, path)) : __real_unlink(path);
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
    return is_ours(path) ? result(vdisk_mkdir(world.disk, path)) : __real_mkdir(path, mode);
}

WRAP(char *, realpath, const char *path, char *to)
{
    struct stat st;

    if (!is_ours(path))
        return __real_realpath(path, to);
    return result(vdisk_lstat(world.disk, path, &st)) ? NULL : strdup(path);
}

/* ---- a directory, one at a time ---- */

static DIR *our_directory(void)
{
    return (DIR *)(void *)&world.directory_fd;
}

WRAP(DIR *, opendir, const char *path)
{
    if (!is_ours(path))
        return __real_opendir(path);
    if (world.directory_fd)
        abort();
    int fd = result(vdisk_open(world.disk, path, O_RDONLY | O_DIRECTORY));

    if (fd < 0)
        return NULL;
    world.directory_fd = fd;
    world.entry = 0;
    return our_directory();
}

WRAP(struct dirent *, readdir, DIR *directory)
{
    if (directory != our_directory())
        return __real_readdir(directory);
    const char *name = vdisk_entry(world.disk, world.directory_fd, world.entry++);

    if (!name)
        return NULL;
    (void)snprintf(world.dirent.d_name, sizeof world.dirent.d_name, "%s", name);
    return &world.dirent;
}

WRAP(int, dirfd, DIR *directory)
{
    return directory == our_directory() ? world.directory_fd : __real_dirfd(directory);
}

WRAP(int, closedir, DIR *directory)
{
    if (directory != our_directory())
        return __real_closedir(directory);
    int fd = world.directory_fd;

    world.directory_fd = 0;
    return vdisk_close(world.disk, fd);
}

/* ---- time and process ---- */

WRAP(int, clock_gettime, clockid_t id, struct timespec *ts)
{
    bool wall = id == CLOCK_REALTIME;

    if (!world.clock || !(wall || id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME))
        return __real_clock_gettime(id, ts);
    uint64_t ms = wall ? (uint64_t)clock_wall(world.clock) : clock_now(world.clock);

    *ts = (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    return 0;
}

WRAP(pid_t, getpid, void)
{
    return world.disk ? PID : __real_getpid();
}
/* NOLINTEND */
