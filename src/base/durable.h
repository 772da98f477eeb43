/*
 * durable.h - what a file needs besides fsync() to outlive a loss of power.
 *
 * A file that is synced may still lack its name: the name belongs to the directory, which is synced by
 * itself. And after a sync that has failed, the kernel may show bytes to each reader that it never writes:
 * later syncs do not have them. Such bytes have to be written again.
 *
 * All functions block. 0 or -errno.
 */
#ifndef JG_BASE_DURABLE_H
#define JG_BASE_DURABLE_H

#include <stdint.h>

/* Makes the directory with mode 0700, unless there is one, and makes its name durable. A directory above it
 * that this process may not read is not synced. */
int durable_directory(const char *path);
/* Makes durable which names the directory of this path has: after a file was made, renamed or removed there.
 */
int durable_name(const char *path);
/* Writes the bytes from `from` to `to` of the file again as they are, for the next sync of the file. The
 * descriptor reads and writes, and does not append. */
int durable_again(int fd, uint64_t from, uint64_t to);

#endif
