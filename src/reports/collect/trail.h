/*
 * trail.h - the audit trail of a gateway, read line by line over all its files, as `tail -F` would.
 *
 * The files are those of a pattern, rotated ones included, plain or gzip. The position is the number and hash
 * of the last line: from it the file is found that has this line, whatever its name is now. Each line must
 * follow the one before (audit_chain.h); where it does not, that is counted, and reading goes on.
 *
 * All functions block, and belong to one thread.
 */
#ifndef JG_REPORTS_COLLECT_TRAIL_H
#define JG_REPORTS_COLLECT_TRAIL_H

#include "audit/audit_chain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trail;

struct trail *trail_new(const char *pattern); /* NULL when out of memory */
void trail_free(struct trail *);              /* NULL is fine */

struct trail_progress {
    unsigned lines;
    uint64_t broken;            /* places where the chain is broken */
    bool more;                  /* there is more to read at once */
    char time[AUDIT_TIME_SIZE]; /* of the last line; "" = none was read */
    char why[160];              /* of the last break, or of the failure */
};

/*
 * Reads up to `most` lines behind *at, and moves it. `line` may end it with a value other than 0, which is
 * returned; *at is then before that line. 0 or -errno (no file can be read).
 */
int trail_read(struct trail *, struct audit_link *at, unsigned most,
               int (*line)(void *arg, const struct audit_line *, const char *text, size_t n), void *arg,
               struct trail_progress *);

#endif
