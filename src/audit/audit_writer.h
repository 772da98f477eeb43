/*
 * audit_writer.h - the audit trail on the loop's side: records queue here, a thread of its own writes them in
 * batches.
 *
 *     put() --> waiting --commit--> queue --> thread: check, space, write, fdatasync (one for all) --async-->
 * done()
 *
 * The loop never waits for the disk. A caller waits for its record until the deadline at most. Once a wait
 * has reached the deadline, new waits are refused at once until the disk answers again.
 *
 * Life: audit_writer_open() -> used as an audit_sink -> audit_writer_close(): what is queued is written, then
 * `closed`. Waits that are open then end with -ESHUTDOWN. If the disk does not answer within the deadline at
 * the end, thread and memory are left to the end of the process.
 */
#ifndef JG_AUDIT_AUDIT_WRITER_H
#define JG_AUDIT_AUDIT_WRITER_H

#include "audit/audit_file.h"
#include "audit/audit_sink.h"
#include "audit/audit_syslog.h"
#include "base/timers.h"

#include <uv.h>

struct audit_writer;

struct audit_writer_opts {
    uv_loop_t *uv; /* on which the thread's reports arrive */
    const struct clock *clock;
    struct timers *timers;
    const char *file, *head; /* paths, copied */
    bool has_group;          /* `group` may read trail and head; else their owner alone */
    gid_t group;
    const char *syslog; /* address of a second sink (audit_syslog.h); NULL = none; copied */
    enum audit_syslog_form syslog_form;
    size_t max_queued;     /* records that may wait; beyond it they are lost and counted */
    uint64_t deadline_ms;  /* longest wait */
    uint64_t unawaited_ms; /* that a record which no caller awaits waits for a batch; a kill loses it */
    uint64_t retry_ms;     /* between attempts while it fails */
    const struct audit_disk *disk; /* NULL = the system's */
};

/*
 * NULL, errno and `why` where the file cannot be used. A disk that is full or fails is no reason: the writer
 * begins in that state and tries again.
 */
struct audit_writer *audit_writer_open(const struct audit_writer_opts *, char why[320]);
struct audit_sink *audit_writer_sink(struct audit_writer *);
void audit_writer_rotate(struct audit_writer *); /* the file was moved away: go on in a new one */
void audit_writer_close(struct audit_writer *, void (*closed)(void *arg), void *arg);

#endif
