/*
 * archive_rig.h - ZIP archives of logs, made in memory for tests.
 */
#ifndef JG_TESTS_REPORTS_ARCHIVE_RIG_H
#define JG_TESTS_REPORTS_ARCHIVE_RIG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct archive_member {
    const char *name, *text;
    size_t len; /* 0 = strlen(text) */
    bool gz;
};

/* The archive as bytes; fails the test where it cannot be made. */
void archive_make(struct buf *out, const struct archive_member *members, size_t n);
/* A file without a name that holds these bytes. */
int archive_file(const void *bytes, size_t n);
/* Reads the archive to its end; the records as lines (reading_rig.h). What the last step said. */
int archive_read(int fd, int64_t now_s, struct buf *records, uint64_t *left_out, const char **why);

#endif
