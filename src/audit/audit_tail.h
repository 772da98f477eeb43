/*
 * audit_tail.h - the end of an audit trail on disk, read backwards over its files.
 *
 * The trail's own file first, then older ones: files of the same directory whose names begin as its name does
 * (less the extension) and whose first line is an audit line, by the number of that line. Blocks; nothing is
 * written or logged. Read-only, so it may be done while the trail is being written.
 */
#ifndef JG_AUDIT_AUDIT_TAIL_H
#define JG_AUDIT_AUDIT_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_TAIL_NAME 256

struct audit_tail {
    uint64_t bytes; /* read */
    unsigned files;
    bool whole;                  /* nothing older is left to read */
    bool packed;                 /* there are older files that are compressed, which are not read */
    char older[AUDIT_TAIL_NAME]; /* the newest of the older files that were read, "" = none was */
};

/*
 * Calls `line` for each line, the newest first, until `max_bytes` have been read; a result other than 0 ends
 * it. 0, what `line` returned, -errno if the trail's own file cannot be read, or -ENOMEM.
 */
int audit_tail_read(const char *path, uint64_t max_bytes, int (*line)(void *arg, const char *line, size_t n),
                    void *arg, struct audit_tail *past);

/* All n bytes at the offset. 0 or -errno, -EIO where the file ends before. */
int audit_tail_read_at(int fd, char *to, size_t n, uint64_t offset);

#endif
