/*
 * vdisk.h - the disk of a world: files in memory, and what of them a loss of power leaves.
 *
 * A file has two contents: what its readers see (`now`, the page cache of a kernel) and what is on the disk
 * (`durable`). A write, a new length and a change of a name are pending until the file, or the directory of
 * the name, is synced. A crash makes the content from what is durable and, as its kind says, from whole,
 * reordered or torn pending changes; a sector is the unit that is never torn. Names of one disk change in
 * their order: those that a crash leaves are the oldest ones. A sync that fails leaves some of its changes
 * visible and never durable, as a kernel does.
 *
 * The calls are those of a kernel on descriptors, with -errno as result. Descriptors begin at VDISK_FIRST_FD,
 * which no kernel gives. Only paths below VDISK_ROOT are here.
 *
 * Not here: which operation fails, how long one takes and when the process is killed (struct vdisk_hooks,
 * disk.c); the C library's calls (virtual_libc.c), SQLite's (vfs.c).
 */
#ifndef JG_TESTS_SIM_VDISK_H
#define JG_TESTS_SIM_VDISK_H

#include "rng.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define VDISK_ROOT     "/jumpgate-disk"
#define VDISK_FIRST_FD (1 << 21)

enum vdisk_op { VDISK_WRITE, VDISK_SYNC, VDISK_LENGTH, VDISK_NAME };

enum vdisk_loss {
    VDISK_LOSE_ALL,  /* a loss of power: nothing that was pending is there */
    VDISK_LOSE_SOME, /* each sector of each pending write is there or not */
    VDISK_LOSE_LAST, /* of each file the oldest changes are there; of the next one some sectors */
    VDISK_LOSE_NONE, /* the process alone has ended: all is visible, and pending as before */
    VDISK_LOSS_KINDS
};

struct vdisk_hooks {
    /* Around each operation that changes something. `grows`: bytes beyond what the file has allocated.
     * before(): 0, or the errno with which the operation fails. */
    int (*before)(void *arg, enum vdisk_op, const char *path, uint64_t grows);
    void (*after)(void *arg, enum vdisk_op, const char *path);
    /* So much of the file is durable. `*seen` is the caller's own, and outlives crashes. */
    void (*durable)(void *arg, const char *path, const char *bytes, size_t n, size_t *seen);
    /* The same, and also what is visible after a crash, durable or not. */
    void (*found)(void *arg, const char *path, const char *bytes, size_t n, size_t *seen);
    void *arg;
};

struct vdisk;

struct vdisk *vdisk_new(uint64_t seed, const struct vdisk_hooks *);
void vdisk_free(struct vdisk *);

/* The process ends in order: its descriptors and locks are gone. */
void vdisk_exit(struct vdisk *);
/* The process is killed: what it does from here on changes nothing that outlives it, and no hook is called.
 */
void vdisk_cut(struct vdisk *, enum vdisk_loss);
/* And its memory is freed: the disk is as the crash has left it. */
void vdisk_reboot(struct vdisk *);

/* ---- calls ---- */

bool vdisk_has_path(const char *path);
bool vdisk_has_fd(int fd);
int vdisk_open(struct vdisk *, const char *path, int flags);
/* A file without a name. */
int vdisk_open_temporary(struct vdisk *);
int vdisk_close(struct vdisk *, int fd);
ssize_t vdisk_read(struct vdisk *, int fd, void *to, size_t n); /* and moves on */
ssize_t vdisk_read_at(struct vdisk *, int fd, void *to, size_t n, uint64_t from);
ssize_t vdisk_append(struct vdisk *, int fd, const void *bytes, size_t n);
ssize_t vdisk_write_at(struct vdisk *, int fd, const void *bytes, size_t n, uint64_t from);
int vdisk_seek_start(struct vdisk *, int fd);
int vdisk_sync(struct vdisk *, int fd);
int vdisk_truncate(struct vdisk *, int fd, uint64_t size);
int vdisk_reserve(struct vdisk *, int fd, uint64_t from, uint64_t n);
int vdisk_lock(struct vdisk *, int fd); /* -EWOULDBLOCK: another descriptor has it */
int vdisk_fstat(struct vdisk *, int fd, struct stat *);
int vdisk_lstat(struct vdisk *, const char *path, struct stat *);
int vdisk_rename(struct vdisk *, const char *from, const char *to);
int vdisk_unlink(struct vdisk *, const char *path);
int vdisk_mkdir(struct vdisk *, const char *path);
const char *vdisk_path(struct vdisk *, int fd); /* at its opening */
/* The n-th name in the directory of the descriptor, without the directory; NULL = there are no more. */
const char *vdisk_entry(struct vdisk *, int fd, size_t n);
/* May a crash have left sectors here without those before them? */
bool vdisk_torn_at(const struct vdisk *, const char *path, uint64_t at);
/* The whole visible content, valid until the next change; NULL = there is no such file. */
const char *vdisk_content(const struct vdisk *, const char *path, size_t *n);

#endif
