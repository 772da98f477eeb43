/*
 * audit_sink.h - where audit records go, as those see it who have something to record.
 *
 * A sink is a const struct of functions, as a vault and a store are. A record is the inside of a JSON object,
 * beginning with its `event` member; number, time and hashes are added by the sink, records stay in the order
 * of their put(). Everything here is for the loop's thread.
 *
 * Rules: put() returns 0 and, where there is a wait, later calls its done exactly once and never before it
 * has returned; or <0 and never calls it. done(0) means that the record is on disk. done(<0) means that it
 * could not be had in time: a record with AUDIT_KEEP is then still written as soon as that is possible, one
 * without is dropped unless the disk has it already. After forget() done is not called any more.
 */
#ifndef JG_AUDIT_AUDIT_SINK_H
#define JG_AUDIT_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_MEMBERS_MAX 24576 /* bytes of one record's members */

enum audit_flags {
    AUDIT_KEEP = 1 /* tells what has happened: it is written later where it cannot be written now */
};

struct audit_wait {
    void (*done)(struct audit_wait *, int err);
    void *entry; /* the sink's; NULL = not waiting */
};

struct audit_state {
    bool writable;
    char why[160];                    /* when not */
    size_t queued;                    /* records not on disk yet */
    uint64_t seq;                     /* of the last record on disk */
    uint64_t records;                 /* on disk, since the start */
    uint64_t failures;                /* attempts to write that failed */
    uint64_t lost;                    /* records given up because too many were waiting */
    uint64_t breaks;                  /* the file was found deleted, replaced, cut or changed */
    uint64_t sink_sent, sink_dropped; /* second sink */
    uint64_t last_commit_us;
};

struct audit_sink;

struct audit_sink_ops {
    /* 0, or -EMSGSIZE, -ENOMEM, -ESHUTDOWN, or, with a wait, -EBUSY: it would have to wait too long. */
    int (*put)(struct audit_sink *, const char *members, size_t n, unsigned flags, struct audit_wait *);
    void (*forget)(struct audit_sink *, struct audit_wait *); /* any number of times */
    void (*state)(struct audit_sink *, struct audit_state *);
};

/* Every sink's own struct begins with this. */
struct audit_sink {
    const struct audit_sink_ops *ops;
};

#endif
