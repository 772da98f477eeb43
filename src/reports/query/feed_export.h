/*
 * feed_export.h - the feed written to a file or pipe: pages one behind another, then what comes.
 *
 * It ends between records: when there is no further one, when it is told to stop, or when writing fails. The
 * cursor is behind the last record that was written whole, so that going on from it leaves nothing out and
 * writes nothing twice; of the record at which writing failed a part may have been written.
 */
#ifndef JG_REPORTS_QUERY_FEED_EXPORT_H
#define JG_REPORTS_QUERY_FEED_EXPORT_H

#include "reports/query/feed.h"

#include <signal.h>

struct feed_export {
    struct db *db;
    const struct query_context *ctx;
    struct feed_request request;       /* where it begins */
    int fd;                            /* blocking; SIGPIPE is ignored by the process */
    bool follow;                       /* goes on with what is stored later */
    unsigned interval_ms;              /* how often it then looks */
    const volatile sig_atomic_t *stop; /* set by a signal, which must interrupt system calls */
};

/* 0, or -1 and `why`. Until a record has been written the cursor is the request's own; "" is none. */
int feed_export(const struct feed_export *, char cursor[FEED_CURSOR_SIZE], char why[DB_TEXT_SIZE]);

#endif
