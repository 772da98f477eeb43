/*
 * audit_writer.h - the audit trail's own thread: records queue up on the loop, groups of them reach the disk.
 *
 *     put() --gather--> queue --> thread: check, room, write, fdatasync (one for all) --async--> done()
 *
 * The loop never waits for the disk. Whoever waits for a record waits no longer than the deadline; once the
 * disk has let somebody wait that long, new waits are refused at once until it answers again.
 *
 * Life: audit_writer_open() -> used as an audit_sink -> audit_writer_close(): what is queued is written, then
 * `closed`. Waits still open when it closes are told -ESHUTDOWN. A disk that does not answer within the
 * deadline at the end is left behind with its thread.
 */
#ifndef JG_AUDIT_AUDIT_WRITER_H
#define JG_AUDIT_AUDIT_WRITER_H

#include "audit/audit_file.h"
#include "audit/audit_sink.h"
#include "base/timers.h"

#include <uv.h>

struct audit_writer;

struct audit_writer_opts {
    uv_loop_t *uv; /* on which the thread's reports arrive */
    const struct clock *clock;
    struct timers *timers;
    const char *file, *head;       /* paths, copied */
    const char *syslog;            /* Unix datagram socket of a second sink; NULL = none; copied */
    size_t max_queued;             /* records that may wait; beyond it they are lost and counted */
    uint64_t deadline_ms;          /* longest wait */
    uint64_t retry_ms;             /* between attempts while it fails */
    const struct audit_disk *disk; /* NULL = the system's */
};

/*
 * NULL and `why` where the file cannot be used. A disk that is full or fails is no reason: the writer begins
 * in that state and tries again.
 */
struct audit_writer *audit_writer_open(const struct audit_writer_opts *, char why[320]);
struct audit_sink *audit_writer_sink(struct audit_writer *);
void audit_writer_rotate(struct audit_writer *); /* the file was moved away: go on in a new one */
void audit_writer_close(struct audit_writer *, void (*closed)(void *arg), void *arg);

#endif
