/*
 * audit_file.h - the audit trail on disk: one file at a time, continued wherever it ended.
 *
 * The trail owns the file at its path as a whole: audit_file_check() compares the path with the descriptor,
 * and the size with what was written last. If they differ, the path is opened again and a line of the trail
 * says what was found (audit/audit_chain.h). Behind the end of the file a reserve is allocated, so that on a
 * full disk the end of an operation under way can still be recorded.
 *
 * All functions block and belong to one thread; nothing is logged here.
 */
#ifndef JG_AUDIT_AUDIT_FILE_H
#define JG_AUDIT_AUDIT_FILE_H

#include "audit/audit_chain.h"

#include <stdbool.h>
#include <sys/types.h>

#define AUDIT_PATH_MAX 4096
#define AUDIT_NO_GROUP ((gid_t)-1)
#define AUDIT_RESERVE  (256 * 1024) /* bytes kept allocated behind the end */

/* The calls that a disk may fail or never answer, so that a test can replace them. */
struct audit_disk {
    ssize_t (*write)(int fd, const void *bytes, size_t n);
    int (*sync)(int fd);                                /* 0 or -1 and errno */
    int (*reserve)(int fd, off_t offset, off_t length); /* the same */
};
extern const struct audit_disk audit_disk_system;

struct audit_file {
    const struct audit_disk *disk;
    char path[AUDIT_PATH_MAX], head_path[AUDIT_PATH_MAX];
    gid_t group;          /* may read trail and head; AUDIT_NO_GROUP = their owner alone */
    int fd, head_fd;      /* -1 = not open */
    uint64_t size;        /* what has been written, durably but for `again` */
    uint64_t reserved_to; /* allocated up to here */
    bool no_reserve;      /* this file system cannot */
    bool unsure;          /* bytes of a failed write may be behind `size` */
    bool undone;          /* a failed write was cut off, and the cut is not durable */
    bool again;           /* lines before `size` may be visible and not durable */
    bool left_lines;      /* another file could not be taken over, and may have our own lines: */
    ino_t left_number;    /* this one */
    uint64_t left_size;   /* behind here */
    struct audit_head head;
    unsigned breaks;     /* the file was not as it was left, so often */
    char last_break[16]; /* "deleted", … */
};

/*
 * Takes the file, and writes the lines that say how the trail goes on. 0 or -errno and `why`, with the file's
 * name and what to do: in use by another gateway, not an audit file, not writable.
 */
int audit_file_open(struct audit_file *, const char *path, const char *head_path, const struct audit_disk *,
                    char why[320]);
/* The same, and the group may read trail and head: 0640. Of the group the process must be a member. */
int audit_file_open_group(struct audit_file *, const char *path, const char *head_path, gid_t group,
                          const struct audit_disk *, char why[320]);
void audit_file_close(struct audit_file *);

/* Is the file as it was left? If not, or if it could not be opened before, the path is opened again. 0 or
 * -errno. */
int audit_file_check(struct audit_file *);
/* Goes on in whatever file the path names now. 0 or -errno; then the old one stays. */
int audit_file_rotate(struct audit_file *);
/* Room for n bytes and the reserve behind them. 0 or -errno. */
int audit_file_room(struct audit_file *, size_t n);
/* Makes whole lines durable, the last of which is `last`. 0, or -errno and they are not there. */
int audit_file_append(struct audit_file *, const struct buf *lines, const struct audit_link *last);

#endif
