/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_durable.c - names of directories that are synced, and bytes that are written again as they are.
 *
 * fsync(), pread() and pwrite() of the system are replaced: they note what they are called for, and fail or
 * do less where a test says so.
 */
#include "base/durable.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 150000 /* three pieces */

static struct {
    int sync_errno, write_errno, read_errno; /* 0 = they succeed */
    unsigned interrupted;                    /* so many times EINTR comes first */
    size_t most;                             /* bytes that one pwrite() takes; 0 = none */
    unsigned syncs;
    ino_t synced; /* the last */
    uint64_t from, to, written;
} sys;

int fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    sys.syncs++;
    sys.synced = st.st_ino;
    errno = sys.sync_errno;
    return sys.sync_errno ? -1 : 0;
}

ssize_t pread(int fd, void *to, size_t n, off_t from)
{
    if (sys.read_errno) {
        errno = sys.read_errno;
        return -1;
    }
    return (ssize_t)syscall(SYS_pread64, fd, to, n, from);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t from)
{
    if (sys.interrupted || sys.write_errno) {
        errno = sys.interrupted ? EINTR : sys.write_errno;
        sys.interrupted -= sys.interrupted > 0;
        return -1;
    }
    n = n < sys.most ? n : sys.most;
    if (n && (uint64_t)from < sys.from)
        sys.from = (uint64_t)from;
    if ((uint64_t)from + n > sys.to)
        sys.to = (uint64_t)from + n;
    sys.written += n;
    return n ? (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, from) : 0;
}

static char dir[64];

static void forget(void)
{
    memset(&sys, 0, sizeof(sys));
    sys.from = UINT64_MAX;
    sys.most = SIZE_MAX;
}

static int setup(void **state)
{
    (void)state;
    forget();
    (void)snprintf(dir, sizeof(dir), "/tmp/jumpgate-durable-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

static ino_t inode(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static const char *below(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* ---- names ---- */

TEST(a_directory_is_made_and_its_name_synced_each_time)
{
    const char *path = below("state");
    struct stat st;

    for (int i = 0; i < 2; i++) {
        forget();
        assert_int_equal(durable_directory(path), 0);
        assert_int_equal(sys.syncs, 1);
        assert_int_equal(sys.synced, inode(dir)); /* the name is in the directory above */
    }
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(path), 0);
}

TEST(a_directory_that_cannot_be_made_is_an_error)
{
    assert_int_equal(durable_directory(below("a/b")), -ENOENT);
    assert_int_equal(durable_directory("/dev/null/x"), -ENOTDIR);
    assert_int_equal(sys.syncs, 0);
}

TEST(a_name_without_a_folder_is_in_the_working_directory)
{
    assert_int_equal(durable_name("leases.db"), 0);
    assert_int_equal(sys.synced, inode("."));
}

TEST(a_name_that_cannot_be_synced)
{
    static const struct {
        int err, of_name, of_directory;
    } cases[] = {
        {EIO, -EIO, -EIO},
        {EINVAL, 0, 0}, /* a file system without such a thing */
        {EACCES, -EACCES, 0},
        {EPERM, -EPERM, 0},
    };
    char longer[PATH_MAX + 2];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sys.sync_errno = cases[i].err;
        assert_int_equal(durable_name(below("x")), cases[i].of_name);
        assert_int_equal(durable_directory(dir), cases[i].of_directory);
    }
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(durable_name(longer), -ENAMETOOLONG);
    assert_int_equal(durable_name(below("not/there")), -ENOENT);
}

/* ---- bytes ---- */

static char before[SIZE], after[SIZE];

/* A file of SIZE bytes, open; its name is gone. */
static int make_file(void)
{
    const char *path = below("file");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    for (size_t i = 0; i < SIZE; i++)
        before[i] = (char)(i * 2654435761u >> 13);
    assert_int_equal(write(fd, before, SIZE), SIZE);
    return fd;
}

/* What was written again is these bytes, each once, and the file is as it was. */
static void expect_again(int fd, uint64_t from, uint64_t to)
{
    assert_int_equal(sys.from, from);
    assert_int_equal(sys.to, to);
    assert_int_equal(sys.written, to - from);
    assert_int_equal(pread(fd, after, SIZE, 0), SIZE);
    assert_memory_equal(before, after, SIZE);
}

TEST(bytes_are_written_again_as_they_are)
{
    static const struct {
        uint64_t from, to;
        size_t most;
    } cases[] = {{0, SIZE, SIZE_MAX}, {1, 2, SIZE_MAX}, {65535, 131073, SIZE_MAX}, {70000, 70100, 7}};
    int fd = make_file();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        forget();
        sys.most = cases[i].most;
        sys.interrupted = 2;
        assert_int_equal(durable_again(fd, cases[i].from, cases[i].to), 0);
        expect_again(fd, cases[i].from, cases[i].to);
    }
    assert_int_equal(close(fd), 0);
}

TEST(nothing_is_written_behind_the_end)
{
    int fd = make_file();
    struct stat st;

    assert_int_equal(durable_again(fd, SIZE - 10, SIZE + 100000), 0);
    expect_again(fd, SIZE - 10, SIZE);
    forget();
    assert_int_equal(durable_again(fd, SIZE, SIZE + 1), 0);
    assert_int_equal(durable_again(fd, 7, 7), 0);
    assert_int_equal(sys.written, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_int_equal(close(fd), 0);
}

TEST(a_failure_is_reported)
{
    int fd = make_file();

    sys.write_errno = ENOSPC;
    assert_int_equal(durable_again(fd, 0, SIZE), -ENOSPC);
    forget();
    sys.most = 0;
    assert_int_equal(durable_again(fd, 0, SIZE), -EIO);
    forget();
    sys.read_errno = EIO;
    assert_int_equal(durable_again(fd, 0, SIZE), -EIO);
    assert_int_equal(sys.written, 0);
    assert_int_equal(close(fd), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_directory_is_made_and_its_name_synced_each_time),
        T(a_directory_that_cannot_be_made_is_an_error),
        T(a_name_without_a_folder_is_in_the_working_directory),
        T(a_name_that_cannot_be_synced),
        T(bytes_are_written_again_as_they_are),
        T(nothing_is_written_behind_the_end),
        T(a_failure_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
