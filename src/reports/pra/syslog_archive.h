/*
 * syslog_archive.h - a ZIP archive of logs, read step by step: what is in it, decompressed, goes to the
 * reader of lines.
 *
 * Names in the archive are never paths: they say in which order members are read (the oldest rotation first)
 * and, by `.gz`, that a member is compressed once more. At most 1000 members, 2 GiB of text each, 8 GiB
 * together, and 200 times what the compressed bytes are, and a list of members of at most 4 MiB: a limit that
 * is passed ends the reading.
 *
 * Everything blocks on the disk, and belongs on a thread.
 */
#ifndef JG_REPORTS_PRA_SYSLOG_ARCHIVE_H
#define JG_REPORTS_PRA_SYSLOG_ARCHIVE_H

#include "reports/pra/batch.h"

struct syslog_archive;

struct syslog_archive_limits {
    uint64_t members, member_bytes, bytes, ratio;
};
extern const struct syslog_archive_limits syslog_archive_limits;

/* Reads on `fd`, which stays the caller's and open until the end. NULL when out of memory. */
struct syslog_archive *syslog_archive_new(int fd, int64_t now_s, const struct syslog_archive_limits *);
void syslog_archive_free(struct syslog_archive *); /* NULL is fine */
/*
 * Reads on until `out` is full or a good piece is read. 1: more may come; 0: the end. -EINVAL: no such
 * archive, or damaged; -EMSGSIZE: over a limit; -EIO; -ENOMEM. What was complete is in `out` all the same.
 */
int syslog_archive_step(struct syslog_archive *, struct batch_out *out);
const char *syslog_archive_why(const struct syslog_archive *);
uint64_t syslog_archive_left_out(const struct syslog_archive *); /* messages */

#endif
