/*
 * audit_thread.h - what the two sides of the audit writer share; for audit_writer.c and audit_thread.c alone.
 */
#ifndef JG_AUDIT_AUDIT_THREAD_H
#define JG_AUDIT_AUDIT_THREAD_H

#include "audit/audit_syslog.h"
#include "audit/audit_writer.h"
#include "base/queue/group_commit.h"

#include <sys/queue.h>

struct audit_entry {
    STAILQ_ENTRY(audit_entry) link;
    int64_t wall_ms;
    unsigned flags;
    uint64_t number; /* audit_state.taken with it */
    int err;         /* what became of it; the thread's until it is in `written` */
    bool cancelled;  /* under the lock */
    /* the loop's alone */
    struct audit_wait *wait;
    uint64_t until_ms;
    TAILQ_ENTRY(audit_entry) of_waiting;
    size_t n;
    char members[];
};

STAILQ_HEAD(audit_entries, audit_entry);

struct audit_report {         /* what the thread says of itself */
    int err;                  /* 0 = records can be written */
    struct audit_state state; /* but for `writable`, `why`, `queued` and `taken`, which writer_state() adds */
    char last_break[16];
};

struct audit_writer {
    struct audit_sink sink;        /* first */
    struct audit_writer_opts opts; /* its texts only while opening */
    uv_thread_t thread;
    uv_async_t async;
    void (*closed)(void *arg);
    void *closed_arg;
    /* the loop's */
    struct group_commit group_commit;
    struct audit_entries gathering;    /* not yet the thread's; in `queued` all the same */
    TAILQ_HEAD(, audit_entry) waiting; /* in the order of their deadlines */
    struct deadline late, end;
    uint64_t taken;
    bool stalled; /* a wait ended at its deadline, and nothing was written since */
    struct audit_report reported;
    /* shared, under the lock */
    uv_mutex_t lock;
    uv_cond_t wake;
    struct audit_entries queue, written;
    size_t queued;
    bool round_over; /* the queue was empty after a round */
    uint64_t lost;   /* not yet recorded in the trail */
    int64_t lost_from_ms;
    bool stop, rotate, ended, abandoned;
    struct audit_report report;
    /* the thread's */
    struct audit_file file;
    struct audit_syslog syslog;
    int failing; /* error, 0 = none */
    int64_t failing_from_ms;
};

void audit_thread_run(void *writer);

#endif
