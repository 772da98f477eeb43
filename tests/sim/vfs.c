/* SPDX-License-Identifier: Apache-2.0 */
/* vfs.c - see the header. */
#include "vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES  512
#define SHM_REGIONS 16
#define JULIAN_1970 INT64_C(210866760000000) /* milliseconds */

struct vfs_file {
    sqlite3_file file; /* first */
    int fd;
    bool sync_directory; /* with the next sync: the file is new */
    bool delete_on_close;
    void *region[SHM_REGIONS];
    char path[PATH_BYTES];
};

static struct {
    struct vdisk *disk;
    const struct clock *clock;
    struct rng rng;
    int last_errno;
} current;

static struct vfs_file *file_of(sqlite3_file *file)
{
    return (struct vfs_file *)file;
}

/* SQLite's result for a call that gave this one. */
static int result(ssize_t r, int failure)
{
    if (r >= 0)
        return SQLITE_OK;
    current.last_errno = (int)-r;
    return r == -ENOSPC ? SQLITE_FULL : failure;
}

/* ---- files ---- */

static int vfs_read(sqlite3_file *file, void *to, int n, sqlite3_int64 from)
{
    ssize_t done = vdisk_read_at(current.disk, file_of(file)->fd, to, (size_t)n, (uint64_t)from);

    if (done == n)
        return SQLITE_OK;
    if (done < 0)
        return result(done, SQLITE_IOERR_READ);
    memset((char *)to + done, 0, (size_t)(n - done));
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 from)
{
    const char *p = bytes;

    while (n) {
        ssize_t done = vdisk_write_at(current.disk, file_of(file)->fd, p, (size_t)n, (uint64_t)from);

        if (done < 0)
            return result(done, SQLITE_IOERR_WRITE);
        p += done;
        from += done;
        n -= (int)done;
    }
    return SQLITE_OK;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return result(vdisk_truncate(current.disk, file_of(file)->fd, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

/* A directory that cannot be opened or synced is no error: SQLite's own does not look at it either. */
static void sync_directory_of(const char *path)
{
    char directory[PATH_BYTES];

    (void)memcpy(directory, path, strlen(path) + 1);
    *strrchr(directory, '/') = '\0';
    int fd = vdisk_open(current.disk, directory, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return;
    (void)vdisk_sync(current.disk, fd);
    (void)vdisk_close(current.disk, fd);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    struct vfs_file *f = file_of(file);

    (void)flags;
    int rc = result(vdisk_sync(current.disk, f->fd), SQLITE_IOERR_FSYNC);
    if (rc == SQLITE_OK && f->sync_directory) {
        sync_directory_of(f->path);
        f->sync_directory = false;
    }
    return rc;
}

static int vfs_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct stat st;

    (void)vdisk_fstat(current.disk, file_of(file)->fd, &st);
    *size = st.st_size;
    return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *file, int kind)
{
    (void)file;
    (void)kind;
    return SQLITE_OK;
}

static int vfs_is_reserved(sqlite3_file *file, int *yes)
{
    (void)file;
    *yes = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

/* As SQLite's own for Unix: a write changes no byte beside its own. */
static int vfs_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the index of the log ---- */

static int vfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **at)
{
    struct vfs_file *f = file_of(file);

    if (region >= SHM_REGIONS)
        return SQLITE_NOMEM;
    if (!f->region[region] && extend && !(f->region[region] = calloc(1, (size_t)size)))
        return SQLITE_NOMEM;
    *at = f->region[region];
    return SQLITE_OK;
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    (void)file;
    (void)offset;
    (void)n;
    (void)flags;
    return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int vfs_shm_unmap(sqlite3_file *file, int delete)
{
    struct vfs_file *f = file_of(file);

    (void)delete;
    for (int i = 0; i < SHM_REGIONS; i++) {
        free(f->region[i]);
        f->region[i] = NULL;
    }
    return SQLITE_OK;
}

static int vfs_close(sqlite3_file *file)
{
    struct vfs_file *f = file_of(file);

    (void)vfs_shm_unmap(file, 0);
    (void)vdisk_close(current.disk, f->fd);
    if (f->delete_on_close && *f->path)
        (void)vdisk_unlink(current.disk, f->path);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_lock,
    .xCheckReservedLock = vfs_is_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

/* ---- names ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct vfs_file *f = file_of(file);
    struct stat st;

    (void)vfs;
    *f = (struct vfs_file){0};
    if (path && strlen(path) >= sizeof f->path)
        return SQLITE_CANTOPEN;
    if (path)
        (void)memcpy(f->path, path, strlen(path) + 1);
    bool made = path && flags & SQLITE_OPEN_CREATE && vdisk_lstat(current.disk, path, &st);

    f->fd = path ? vdisk_open(current.disk, path,
                              (flags & SQLITE_OPEN_READONLY ? O_RDONLY : O_RDWR) |
                                  (flags & SQLITE_OPEN_CREATE ? O_CREAT : 0))
                 : vdisk_open_temporary(current.disk);
    if (f->fd < 0)
        return result(f->fd, SQLITE_CANTOPEN) == SQLITE_FULL ? SQLITE_FULL : SQLITE_CANTOPEN;
    f->sync_directory =
        made && flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
    f->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
    f->file.pMethods = &methods;
    if (out)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    int err = vdisk_unlink(current.disk, path);

    (void)vfs;
    if (err == -ENOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!err && sync_directory)
        sync_directory_of(path);
    return result(err, SQLITE_IOERR_DELETE);
}

/* As SQLite's own for Unix: a file without content is none. */
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *yes)
{
    struct stat st;

    (void)vfs;
    *yes = vdisk_lstat(current.disk, path, &st) == 0 && (flags != SQLITE_ACCESS_EXISTS || st.st_size);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int n, char *to)
{
    (void)vfs;
    if (strlen(path) >= (size_t)n)
        return SQLITE_CANTOPEN;
    (void)memcpy(to, path, strlen(path) + 1);
    return SQLITE_OK;
}

/* ---- the machine ---- */

static int vfs_random(sqlite3_vfs *vfs, int n, char *to)
{
    (void)vfs;
    for (int i = 0; i < n; i++)
        to[i] = (char)rng_next(&current.rng);
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    (void)us;
    abort(); /* no second connection keeps it waiting */
}

static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    (void)vfs;
    *now = JULIAN_1970 + clock_wall(current.clock);
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *text)
{
    (void)vfs;
    (void)n;
    (void)text;
    return current.last_errno;
}

void vfs_register(void)
{
    static sqlite3_vfs vfs = {.iVersion = 2,
                              .szOsFile = sizeof(struct vfs_file),
                              .mxPathname = PATH_BYTES,
                              .zName = "world",
                              .xOpen = vfs_open,
                              .xDelete = vfs_delete,
                              .xAccess = vfs_access,
                              .xFullPathname = vfs_full_path,
                              .xRandomness = vfs_random,
                              .xSleep = vfs_sleep,
                              .xGetLastError = vfs_last_error,
                              .xCurrentTimeInt64 = vfs_time};

    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}

void vfs_use(struct vdisk *disk, const struct clock *clock, uint64_t seed)
{
    current.disk = disk;
    current.clock = clock;
    current.rng = (struct rng){seed ^ UINT64_C(0x53514C)};
    sqlite3_randomness(0, NULL); /* it is asked for a new beginning */
}
